//! Status lines, headers, interim answers, and the order of what is called.

use super::*;

fn result(bytes: &[u8]) -> Result<Done, Fault> {
    every_way(Kind::Other, bytes).result
}

#[test]
fn what_is_not_http_is_seen_at_its_first_bytes() {
    for garbage in [
        b"SSH-2.0-OpenSSH_9.2\r\n".as_slice(),
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/2 200 OK\r\n",
        b"HTTPS/1.1 200 OK\r\n",
        b"http/1.1 200 OK\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"<html>",
        b"\0",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"HTTP/1.1200 OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HX",
    ] {
        let (result, text) = (result(garbage), String::from_utf8_lossy(garbage));
        assert_eq!(result, Err(Fault::NotHttp), "{text}");
    }
    let mut reader = Reader::new();
    reader.expect(Kind::Other);
    assert!(reader.read(b"HTT", None).is_ok());
    assert_eq!(
        reader.read(b"X", None),
        Err(Fault::NotHttp),
        "without waiting for the end of a line"
    );
}

#[test]
fn bad_heads_are_a_fault() {
    for bad in [
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA(: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\rA: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b",
    ] {
        let expected = if bad.ends_with('b') {
            Fault::Truncated
        } else {
            Fault::BadHead
        };
        assert_eq!(result(bad.as_bytes()), Err(expected), "{bad:?}");
    }
}

#[test]
fn what_is_read_leniently() {
    for lenient in [
        "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 \u{dc}bel\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n \r\n\r\nx",
        "HTTP/1.1 200 OK\r\nA:\r\nB: \u{fc}\r\nContent-Length: 1\n\r\nx",
    ] {
        assert_eq!(
            result(lenient.as_bytes()),
            done(200, true, 1),
            "{lenient:?}"
        );
    }
    assert_eq!(
        result(b"HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n"),
        done(999, true, 0)
    );
    let folded = b"HTTP/1.1 200 OK\r\nA: one\r\n two\r\n\tthree\r\nContent-Length: 0\r\n\r\n";
    let outcome = every_way(Kind::Other, folded);
    assert_eq!(
        outcome.headers[0],
        (b"A".to_vec(), b"one   two  \tthree".to_vec())
    );
}

#[test]
fn a_head_holds_a_hundred_headers_and_no_more() {
    let with = |headers: usize| {
        let headers = "A: b\r\n".repeat(headers - 1);
        whole(
            Kind::Other,
            format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n").as_bytes(),
        )
        .result
    };
    assert_eq!(with(MOST_HEADERS), done(200, true, 0));
    assert_eq!(with(MOST_HEADERS + 1), Err(Fault::TooManyHeaders));
}

#[test]
fn a_head_holds_64_kib_and_no_more() {
    let with = |bytes: usize| {
        let frame = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nA: \r\n\r\n".len();
        let long = "b".repeat(bytes - frame);
        format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nA: {long}\r\n\r\nx")
    };
    for (bytes, expected) in [
        (MOST_HEAD, done(200, true, 1)),
        (MOST_HEAD + 1, Err(Fault::HeadTooLong)),
    ] {
        let answer = with(bytes);
        for piece in [1, 1000, 65_535, 65_536, 70_000] {
            let outcome = read(Kind::Other, answer.as_bytes().chunks(piece));
            assert_eq!(outcome.result, expected, "{bytes} in pieces of {piece}");
        }
    }
}

#[test]
fn interim_answers_are_passed_over_up_to_a_bound() {
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let after = |count: usize| {
        format!(
            "{}{last}",
            "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(count)
        )
    };
    assert_eq!(result(after(2).as_bytes()), done(200, true, 2));
    let most = usize::from(MOST_INTERIM);
    assert_eq!(
        whole(Kind::Other, after(most).as_bytes()).result,
        done(200, true, 2)
    );
    assert_eq!(
        whole(Kind::Other, after(most + 1).as_bytes()).result,
        Err(Fault::TooManyInterim)
    );
    assert_eq!(
        result(b"HTTP/1.1 100 Continue\r\n\r\n"),
        Err(Fault::Truncated)
    );
    assert_eq!(
        result(b"HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 No\r\n\r\n"),
        done(204, true, 0)
    );
    assert_eq!(
        result(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
        Err(Fault::Upgrade)
    );
}

#[test]
fn closing_before_an_answer_is_told_from_closing_within_one() {
    let mut reader = Reader::new();
    assert_eq!(reader.end(), Err(Fault::Closed), "idle");
    reader.expect(Kind::Other);
    assert!(!reader.has_begun());
    assert_eq!(reader.end(), Err(Fault::Closed));
    reader.expect(Kind::Other);
    assert!(reader.read(b"H", None).is_ok());
    assert!(reader.has_begun());
    assert_eq!(reader.end(), Err(Fault::Truncated));
    assert_eq!(
        reader.end(),
        Err(Fault::Closed),
        "nothing is expected after a fault"
    );
}

#[test]
fn answers_follow_one_another_and_nothing_is_taken_that_was_not_asked_for() {
    let two = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nb";
    let mut reader = Reader::new();
    assert_eq!(
        reader.read(two, None).map(|progress| progress.used),
        Ok(0),
        "before a request"
    );
    reader.expect(Kind::Other);
    let first = reader.read(two, None).unwrap();
    assert_eq!(first.done.map(|done| done.status), Some(200));
    let rest = &two[first.used..];
    let unasked = reader.read(rest, None).unwrap();
    assert_eq!((unasked.used, unasked.done), (0, None));
    reader.expect(Kind::Other);
    let second = reader.read(rest, None).unwrap();
    assert_eq!(second.used, rest.len());
    assert_eq!(second.done.map(Ok), Some(done(404, true, 1)));
}

#[test]
fn the_kept_answer_is_the_last_one() {
    let mut reader = Reader::new();
    let mut answer = Answer::default();
    for (bytes, body) in [
        (
            b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 3\r\n\r\nabc",
            b"abc",
        ),
        (
            b"HTTP/1.1 200 OK\r\nX: 2\r\nContent-Length: 3\r\n\r\ndef",
            b"def",
        ),
    ] {
        reader.expect(Kind::Other);
        reader.read(bytes, Some(&mut answer)).unwrap();
        assert_eq!(answer.body, body);
        assert_eq!(answer.headers().count(), 2);
    }
    assert_eq!(answer.header("x"), Some(b"2".as_slice()));
}

#[test]
fn interim_answers_are_counted_for_each_answer_and_not_kept() {
    let mut reader = Reader::new();
    let mut answer = Answer::default();
    for _ in 0..2 {
        reader.expect(Kind::Other);
        for _ in 0..MOST_INTERIM {
            let interim = b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n";
            let progress = reader.read(interim, Some(&mut answer)).unwrap();
            assert_eq!((progress.used, progress.head), (interim.len(), false));
            assert_eq!((answer.status, answer.headers().count()), (0, 0));
            assert!(reader.has_begun());
        }
        let last = reader
            .read(b"HTTP/1.1 204 No Content\r\n\r\n", None)
            .unwrap();
        assert_eq!(last.done.map(Ok), Some(done(204, true, 0)));
    }
}
