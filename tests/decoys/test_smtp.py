"""The smtp decoy, byte by byte: what it answers, what it records, what it holds."""

import asyncio
import base64
import hashlib

import pytest

from chaffinch.decoys.smtp import dialogue, grammar, login
from chaffinch.decoys.smtp.message import HELD_BYTES, Message
from chaffinch.events import Command, Credential, Mail, Probe, SessionClosed
from tests.decoys.harness import Decoy, decoy, persona

ADDRESS = "127.77.3.9"
BANNER = b"220 atlas.corp.example ESMTP Postfix (Debian/GNU)\r\n"
TO_HERE = b"EHLO x\r\nMAIL FROM:<spam@example.net>\r\nRCPT TO:<mdavis@corp.example>\r\n"


def talk(sent: bytes, *, wait: float = 0.4, **options: str) -> tuple[list[bytes], Decoy]:
    """The replies to what one connection sends, without the greeting, and the decoy after it has settled."""

    async def run() -> tuple[list[bytes], Decoy]:
        async with decoy("smtp", persona("smtp", address=ADDRESS, seed=b"test", **options)) as running:
            got = await running.talk(sent, wait=wait)
            await running.settled()
            assert got.startswith(BANNER)
            return got[len(BANNER) :].splitlines(), running

    return asyncio.run(run())


def test_extensions_in_postfix_order() -> None:
    replies, running = talk(b"EHLO client\r\nQUIT\r\n")
    assert replies == [
        b"250-atlas.corp.example", b"250-PIPELINING", b"250-SIZE 10240000", b"250-VRFY", b"250-ETRN",
        b"250-ENHANCEDSTATUSCODES", b"250-8BITMIME", b"250-DSN", b"250-SMTPUTF8", b"250 CHUNKING", b"221 2.0.0 Bye",
    ]  # fmt: skip
    assert [fact.line for fact in running.recorded.of(Command)] == ["EHLO client", "QUIT"]


def test_mail_is_recorded_and_kept() -> None:
    body = b"Subject: Invoice\r\n  number 7\r\nFrom: a\r\n\r\n.leading dot\r\nend\r\n"
    stuffed = body.replace(b"\r\n.", b"\r\n..")
    replies, running = talk(TO_HERE + b"DATA\r\n" + stuffed + b".\r\nQUIT\r\n")
    assert replies[-4:-2] == [b"250 2.1.5 Ok", b"354 End data with <CR><LF>.<CR><LF>"]
    assert replies[-2].startswith(b"250 2.0.0 Ok: queued as ")
    queue_id = replies[-2].rpartition(b" ")[2]
    assert 9 <= len(queue_id) <= 11
    assert int(queue_id, 16)
    (mail,) = running.recorded.of(Mail)
    digest = hashlib.sha256(body).hexdigest()
    assert mail == Mail("spam@example.net", ("mdavis@corp.example",), len(body), digest, "Invoice number 7", kept=True)
    assert running.recorded.files[digest] == body


def test_chunks_are_a_message_too() -> None:
    replies, running = talk(TO_HERE + b"BDAT 9\r\nSubject: BDAT 4 LAST\r\n yes")
    assert replies[-2] == b"250 2.0.0 Ok: 9 bytes"
    assert replies[-1].startswith(b"250 2.0.0 Ok: 15 bytes queued as ")
    (mail,) = running.recorded.of(Mail)
    assert (mail.size, mail.subject) == (15, "yes")


@pytest.mark.parametrize(
    ("option", "reply"),
    [
        ("", b"454 4.7.1 <victim@example.org>: Relay access denied"),
        ("refuse", b"554 5.7.1 <victim@example.org>: Relay access denied"),
        ("open", b"250 2.1.5 Ok"),
    ],
)
def test_relaying(option: str, reply: bytes) -> None:
    sent = b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<victim@example.org>\r\n"
    replies, _ = talk(sent, relay=option)
    assert replies[-1] == reply


def test_recipients_are_counted_and_bounded_in_the_record() -> None:
    sent = b"EHLO x\r\nMAIL FROM:<a@b.c>\r\n" + b"RCPT TO:<root@atlas>\r\n" * 1002 + b"DATA\r\nx\r\n.\r\n"
    replies, running = talk(sent)
    assert replies.count(b"250 2.1.5 Ok") == 1000
    assert replies.count(b"452 4.5.3 Error: too many recipients") == 2
    (mail,) = running.recorded.of(Mail)
    assert len(mail.recipients) == dialogue.RECORDED_RECIPIENTS


def test_auth_is_recorded_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "FAILED_SECONDS", 0.01)
    plain = base64.b64encode(b"\0admin@corp.example\0hunter2")
    sent = b"EHLO x\r\nAUTH PLAIN " + plain + b"\r\nAUTH LOGIN\r\n" + base64.b64encode(b"info") + b"\r\n"
    sent += base64.b64encode(b"s3cret") + b"\r\nQUIT\r\n"
    replies, running = talk(sent, auth="yes")
    assert b"250-AUTH PLAIN LOGIN" in replies
    failed = b"535 5.7.8 Error: authentication failed: authentication failure"
    assert replies[-5:] == [failed, b"334 VXNlcm5hbWU6", b"334 UGFzc3dvcmQ6", failed, b"221 2.0.0 Bye"]
    assert running.recorded.of(Credential) == [
        Credential("admin@corp.example", "hunter2", "plain"),
        Credential("info", "s3cret", "login"),
    ]


def test_weak_password_opens_the_relay() -> None:
    plain = base64.b64encode(b"\0root\0letmein")
    sent = b"EHLO x\r\nAUTH PLAIN\r\n" + plain + b"\r\nAUTH PLAIN\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<v@example.org>\r\n"
    replies, running = talk(sent, auth="yes")
    assert replies[-4:] == [
        b"235 2.7.0 Authentication successful", b"503 5.5.1 Error: already authenticated",
        b"250 2.1.0 Ok", b"250 2.1.5 Ok",
    ]  # fmt: skip
    assert running.recorded.of(Credential)[0].accepted


@pytest.mark.parametrize(
    ("sent", "reply"),
    [
        (b"AUTH LOGIN\r\n", b"503 5.5.1 Error: send HELO/EHLO first"),
        (b"EHLO x\r\nAUTH\r\n", b"501 5.5.4 Syntax: AUTH mechanism"),
        (b"EHLO x\r\nAUTH LOGIN\r\n*\r\n", b"501 5.7.0 Authentication aborted"),
        (b"EHLO x\r\nAUTH LOGIN YQ==\r\n*\r\n", b"501 5.7.0 Authentication aborted"),
        (b"EHLO x\r\nAUTH PLAIN ???\r\n",
         b"535 5.7.8 Error: authentication failed: Invalid base64 data in continued response"),
        (b"EHLO x\r\nAUTH CRAM-MD5\r\n", b"535 5.7.8 Error: authentication failed: Invalid authentication mechanism"),
    ],
)  # fmt: skip
def test_auth_syntax(sent: bytes, reply: bytes) -> None:
    replies, _ = talk(sent, auth="yes")
    assert replies[-1] == reply


def test_http_is_hung_up_on() -> None:
    replies, running = talk(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert replies == [b"221 2.7.0 Error: I can break rules, too. Goodbye."]
    assert [fact.data for fact in running.recorded.of(Probe)] == ["GET / HTTP/1.1"]
    assert running.recorded.of(SessionClosed)[0].reason == "service"


def test_errors_slow_down_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "ERROR_SECONDS", 0.01)
    replies, running = talk(b"FOO\r\n" * 25)
    assert replies[:20] == [b"500 5.5.2 Error: command not recognized"] * 20
    assert replies[20:] == [b"421 4.7.0 atlas.corp.example Error: too many errors"]
    assert running.recorded.of(SessionClosed)[0].reason == "service"


def test_large_message_is_hashed_but_not_held() -> None:
    body = (b"x" * 70 + b"\r\n") * 30_000
    replies, running = talk(TO_HERE + b"DATA\r\n" + body + b".\r\n", wait=1)
    assert replies[-1].startswith(b"250 2.0.0 Ok: queued as ")
    (mail,) = running.recorded.of(Mail)
    assert (mail.size, mail.sha256, mail.kept) == (len(body), hashlib.sha256(body).hexdigest(), False)
    assert running.recorded.files == {}


def test_message_past_the_size_limit() -> None:
    message = Message()
    for _ in range(11):
        message.add(bytes(1_000_000))
        assert len(message.held) <= HELD_BYTES
    assert message.too_big
    replies, _ = talk(b"EHLO x\r\nMAIL FROM:<a@b.c> SIZE=10240001\r\n")
    assert replies[-1] == b"552 5.3.4 Message size exceeds fixed limit"


def test_unfinished_message_is_recorded() -> None:
    _, running = talk(TO_HERE + b"DATA\r\nSubject: cut\r\n\r\nhal")
    (mail,) = running.recorded.of(Mail)
    assert mail.subject == "cut"


def test_silence_is_answered() -> None:
    async def run() -> None:
        async with decoy("smtp") as running:
            reader, writer = await asyncio.open_connection(running.address, running.port)
            await reader.readline()
            (session,) = running.sessions.values()
            assert session.idle == 300
            session.expire(session.last_read + 301)
            assert await reader.read() == b"421 4.4.2 atlas.corp.example Error: timeout exceeded\r\n"
            writer.close()
            await running.settled()
            assert running.recorded.of(SessionClosed)[0].reason == "idle"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (b"", grammar.Address(b"", b"", b"")),
        (b"a@b.c", grammar.Address(b"a@b.c", b"a", b"b.c")),
        (b"@x,@y:a@b", grammar.Address(b"a@b", b"a", b"b")),
        (b'"a b"@c', grammar.Address(b"a b@c", b"a b", b"c")),
        (b"a@[127.0.0.1]", grammar.Address(b"a@[127.0.0.1]", b"a", b"[127.0.0.1]")),
        (b"a b@c", None),
        (b"a@1.2.3.4", None),
        (b"a@-b", None),
        (b"a@.b", None),
        (b"a@", None),
    ],
)
def test_address(inner: bytes, expected: grammar.Address | None) -> None:
    assert grammar.address(inner) == expected


def test_subject() -> None:
    assert grammar.subject(b"A: b\r\nSUBJECT: one\r\n\ttwo\r\nC: d\r\n\r\nSubject: no\r\n") == b"one two"
    assert grammar.subject(b"A: b\n\nSubject: body") == b""
