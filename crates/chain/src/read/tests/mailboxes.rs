use super::*;

const MAILBOX: &str = "\
From ann@office.example Fri May 17 09:30:00 2024
Message-ID: <17.a@office.example>
Date: Fri, 17 May 2024 11:30:00 +0200
From: \"Ann A.\" <ann@office.example>
List-Id: Office talk <talk.office.example>
Subject: the printer
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Hello,

the printer on floor 3 prints in caf=E9 br=
own again.
>From tomorrow on it is blue.

> who knows why
> it does

On Thu, May 16, 2024 at 9:00 the desk wrote:
>> From nowhere
I do not.
--\x20
Ann
phone 17

From bob@office.example Fri May 17 10:00:00 2024
Message-ID: <18.b@office.example>
From: bob@office.example
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=\"=_b\"

--=_b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

R3LDvMOfZSBhdXMgS8O2bG4=
--=_b
Content-Type: text/html; charset=utf-8

<p>Gr&uuml;&szlig;e aus K&ouml;ln</p>
--=_b--

From carl@office.example Fri May 17 11:00:00 2024
From: carl@office.example
Content-Type: text/html

<p>only this</p>

From dora@office.example Fri May 17 11:00:00 2024
From: dora@office.example

No id here
";

#[test]
fn a_message_for_each_paragraph_of_each_mail() {
    let mut all = source(MAILBOX.as_bytes(), None).unwrap();
    assert_eq!(all.format(), Format::Mbox);
    let (messages, complaints) = drain(&mut all).unwrap();
    assert!(complaints.is_empty(), "{complaints:?}");
    assert_eq!(
        texts(&messages),
        [
            "Hello,",
            "the printer on floor 3 prints in café brown again. From tomorrow on it is blue.",
            "I do not.",
            "Grüße aus Köln",
            "No id here",
        ]
    );
    let ids: Vec<_> = messages.iter().map(|m| &*m.id).collect();
    assert_eq!(
        ids,
        [
            "17.a@office.example#1",
            "17.a@office.example#2",
            "17.a@office.example#3",
            "18.b@office.example#1",
            "",
        ]
    );
    assert_eq!(messages[0].author, "ann@office.example");
    assert_eq!(messages[0].channel, "talk.office.example");
    assert_eq!(messages[0].time_ms, Some(1_715_938_200_000));
    assert_eq!(messages[3].time_ms, None);
    assert_eq!(all.left_out(), 1, "the mail in HTML alone");
}

#[test]
fn windows_line_endings_change_nothing() {
    let crlf = MAILBOX.replace('\n', "\r\n");
    assert_eq!(read(&crlf, None), read(MAILBOX, None));
}

#[test]
fn what_stands_before_the_first_mail_is_reported() {
    let text = format!("preface\nmore\n{MAILBOX}");
    let (messages, complaints) = read(&text, Some(Format::Mbox));
    assert_eq!(messages.len(), 5);
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0].starts_with("chat, line 1: no \"From \" line"));
}

#[test]
fn a_long_attachment_after_the_text_is_no_fault_and_a_long_text_is() {
    let line = format!("{}\n", "QUJD".repeat(18));
    let body = line.repeat(crate::read::MAX_MESSAGE_BYTES / line.len() + 10);
    let mail = |parts: &str| {
        format!(
            "From a@b.example Fri May 17 10:00:00 2024\nFrom: a@b.example\n\
             Content-Type: multipart/mixed; boundary=xyz\n\n{parts}--xyz--\n\n\
             From a@b.example Fri May 17 10:00:00 2024\nFrom: a@b.example\n\nnext\n"
        )
    };
    let kept = mail(&format!(
        "--xyz\nContent-Type: text/plain\n\nsee attached\n--xyz\n\
         Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n{body}"
    ));
    let (messages, complaints) = read(&kept, None);
    assert_eq!(texts(&messages), ["see attached", "next"]);
    assert!(complaints.is_empty());
    let lost = mail(&format!("--xyz\nContent-Type: text/plain\n\n{body}"));
    let (messages, complaints) = read(&lost, None);
    assert_eq!(texts(&messages), ["next"]);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains("line 1: the message is longer than 16 MiB"));
}

#[test]
fn a_mail_of_very_many_lines_is_reported() {
    let text = format!(
        "From a@b.example Fri May 17 10:00:00 2024\n{}\nhi\n",
        "a:\n".repeat(300_000)
    );
    let (_, complaints) = read(&text, None);
    assert_eq!(complaints.len(), 1);
}

#[test]
fn mails_within_mails_without_end_are_read() {
    let text = format!(
        "From a@b.example Fri May 17 10:00:00 2024\nSubject: x\n{}\nhi\n",
        "Content-Type: message/rfc822\n\n".repeat(50_000)
    );
    let mut all = source(text.as_bytes(), None).unwrap();
    let (messages, complaints) = drain(&mut all).unwrap();
    assert_eq!((messages.len(), complaints.len()), (0, 0));
    assert_eq!(all.left_out(), 1);
}
