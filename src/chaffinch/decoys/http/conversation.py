"""One connection's requests, one after the other: reading heads and bodies, answering, recording."""

import asyncio
import contextlib
import time

from chaffinch.decoys.http import forms
from chaffinch.decoys.http.answers import Answer
from chaffinch.decoys.http.body import KEEP_BYTES, PREVIEW_BYTES, Body
from chaffinch.decoys.http.parser import Head, Refusal
from chaffinch.decoys.http.site import BODY_LIMIT, Site, breaks_keep_alive, site
from chaffinch.decoys.session import Session
from chaffinch.errors import PeerError, PeerIdleError
from chaffinch.events import Credential, Probe, Request, Upload, printable

HEAD_SECONDS = 60.0
KEEP_ALIVE_SECONDS = 75.0
BODY_SECONDS = 60.0
LINGER_SECONDS = 5.0
LINGER_TOTAL_SECONDS = 30.0
"""nginx's `client_header_timeout`, `keepalive_timeout`, `client_body_timeout`, `lingering_timeout` and
`lingering_time`."""

GATHER_SECONDS = 0.25
"""How long an answer that does not depend on the body waits for more of a small one."""

REQUESTS = 1000
"""nginx's `keepalive_requests`: the last one is answered with `Connection: close`."""

RECORDED_HEADERS = 48
RECORDED_BYTES = 1024
"""How many headers of a request are recorded, and how much of each value; of the target twice as much."""


async def converse(session: Session, data: bytes) -> None:
    """Serve the connection whose first bytes are `data`, until one side ends it."""
    its_site = site(session.persona, session.service)
    started = session.opened
    for count in range(1, REQUESTS + 1):
        head, data = await _read_head(session, its_site, data, started)
        if head is None:
            return
        data, keep = await _exchange(session, its_site, head, data, last=count == REQUESTS)
        if not keep:
            return
        if data:
            await session.drain()
        else:
            session.idle = KEEP_ALIVE_SECONDS
            data = await session.read()
            if not data:
                return
        started = time.monotonic()


async def _read_head(session: Session, its_site: Site, data: bytes, started: float) -> tuple[Head | None, bytes]:
    """The next request's head and what came after it; None when there is none, which is then recorded and answered."""
    head = Head()
    try:
        at = head.read(data)
        while not head.complete:
            data = data[at:]
            session.idle = max(0.1, started + HEAD_SECONDS - time.monotonic())
            more = await session.read()
            if not more:
                _record_rest(session, head, data, "unfinished")
                return None, b""
            data += more
            at = head.read(data)
    except Refusal as refusal:
        await _refuse(session, its_site, head, data, refusal)
        return None, b""
    except PeerError:
        _record_rest(session, head, data, "unfinished")
        raise
    return head, data[at:]


async def _refuse(session: Session, its_site: Site, head: Head, data: bytes, refusal: Refusal) -> None:
    answer = its_site.refuse(head, refusal.status, large=refusal.large)
    if head.version == 9:
        session.write(answer.body)
    else:
        session.write(answer.render(False, body=not head.bodyless))
    if head.method:
        _record(session, head, refusal.status, None)
    else:
        note = "TLS" if data[:2] == b"\x16\x03" else "not HTTP"
        _record_rest(session, head, data, note if refusal.status == 400 else f"answered {refusal.status}")
    if len(data) > 4096:
        await _linger(session, None)


async def _exchange(session: Session, its_site: Site, head: Head, data: bytes, *, last: bool) -> tuple[bytes, bool]:
    """Answer one request and pass its body by: what comes after it, and whether the connection goes on."""
    if head.chunked or head.length > 0:
        return await _exchange_with_body(session, its_site, head, data, last=last)
    if its_site.takes_login(head):
        answer = its_site.log_in(head, None, session.source)
    else:
        answer = its_site.respond(head, session.port, session.source)
    keep = head.keep_alive and not answer.closes and not last and not _is_old_browser_post(head)
    _send(session, head, answer, keep)
    _record(session, head, answer.status, None)
    return data, keep and answer.status != 412


async def _exchange_with_body(
    session: Session, its_site: Site, head: Head, data: bytes, *, last: bool
) -> tuple[bytes, bool]:
    body = Body(-1 if head.chunked else head.length)
    data = body.feed(data)
    status = 0
    try:
        if its_site.takes_login(head) and head.length <= BODY_LIMIT:
            data = await _read_body(session, head, body, data)
            pair = forms.login(bytes(body.kept)) if body.done else None
            answer = its_site.log_in(head, pair, session.source) if body.done else its_site.refuse(head, 400)
        else:
            data = await _gather(session, head, body, data)
            answer = its_site.respond(head, session.port, session.source)
            if body.broken and answer.status in (200, 206, 304):
                answer = its_site.refuse(head, 400)  # nginx looks at the body before it opens the file
        status = answer.status
        keep = head.keep_alive and not (answer.closes or body.broken or last or _is_old_browser_post(head))
        _send(session, head, answer, keep)
        if not (body.done or body.broken):
            data = await _linger(session, body)
        return data, keep and body.done
    finally:
        session.hold(0)
        _record(session, head, status, body)


async def _gather(session: Session, head: Head, body: Body, data: bytes) -> bytes:
    """Wait a moment for an upload that is on its way: most clients stop sending once they have the answer."""
    if head.method not in (b"PUT", b"POST") or _expects(head) or head.length > KEEP_BYTES:
        return data
    with contextlib.suppress(TimeoutError):
        while not (body.done or body.broken) and body.size <= KEEP_BYTES:
            async with asyncio.timeout(GATHER_SECONDS):
                more = await session.read()
            if not more:
                break
            data = body.feed(more)
            session.hold(len(body.kept))
    return data


async def _read_body(session: Session, head: Head, body: Body, data: bytes) -> bytes:
    if not body.done and _expects(head):
        session.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    session.idle = BODY_SECONDS
    while not (body.done or body.broken) and body.size <= BODY_LIMIT:
        more = await session.read()
        if not more:
            break
        data = body.feed(more)
        session.hold(len(body.kept))
    return data


async def _linger(session: Session, body: Body | None) -> bytes:
    """Take what the client still sends, as it would otherwise lose the answer to a reset: `body`, or whatever comes."""
    session.idle = LINGER_SECONDS
    until = time.monotonic() + LINGER_TOTAL_SECONDS
    try:
        if body is None:
            await session.shut()
        while time.monotonic() < until and not (body is not None and (body.done or body.broken)):
            more = await session.read()
            if not more:
                break
            if body is not None and (rest := body.feed(more)):
                return rest
    except PeerIdleError:
        session.reason = "service"
    return b""


def _send(session: Session, head: Head, answer: Answer, keep: bool) -> None:
    if head.version == 9:
        session.write(answer.body)
        return
    if answer.status in (200, 206, 304) and head.method != b"POST" and _expects(head):
        session.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    session.write(answer.render(keep, body=not head.bodyless))


def _expects(head: Head) -> bool:
    return head.version > 1000 and head.fields.get(b"expect", b"").lower() == b"100-continue"


def _is_old_browser_post(head: Head) -> bool:
    return head.method == b"POST" and breaks_keep_alive(head.fields.get(b"user-agent", b""))


def _record(session: Session, head: Head, status: int, body: Body | None) -> None:
    """Record the request, the logins in it and what it uploads."""
    session.record(
        Request(
            method=printable(head.method, 64),
            target=printable(head.target, 2 * RECORDED_BYTES),
            version="HTTP/0.9" if head.version == 9 else f"HTTP/1.{head.version - 1000}",
            status=status,
            headers=tuple(
                [
                    (printable(name, 64), printable(value, RECORDED_BYTES))
                    for name, value in head.headers[:RECORDED_HEADERS]
                ]
            ),
            body=printable(bytes(body.kept[: PREVIEW_BYTES + 1]), PREVIEW_BYTES) if body is not None else "",
            body_bytes=body.size if body is not None else 0,
        )
    )
    if b"authorization" in head.fields:
        _record_login(session, forms.basic(head.fields[b"authorization"]), "basic")
    if body is None:
        return
    if head.method == b"POST" and body.whole and body.size <= 4 * PREVIEW_BYTES:
        _record_login(session, forms.login(bytes(body.kept)), "form")
    if head.method in (b"PUT", b"POST") and body.size > PREVIEW_BYTES and body.whole:
        digest, kept = session.quarantine.keep(bytes(body.kept))
        session.record(Upload(printable(head.path, 512), body.size, digest, kept, via="http"))


def _record_login(session: Session, pair: tuple[bytes, bytes] | None, mechanism: str) -> None:
    if pair is None:
        return
    user, secret = pair
    its_site = site(session.persona, session.service)
    used = bool(its_site.realm) if mechanism == "basic" else its_site.kind is not None
    session.record(
        Credential(
            printable(user, 256),
            printable(secret, 256),
            mechanism=mechanism,
            accepted=used and its_site.accepts(user, secret),
        )
    )


def _record_rest(session: Session, head: Head, data: bytes, note: str) -> None:
    """Record what never became a request."""
    if head.method or data.strip(b"\r\n"):
        line = b" ".join(part for part in (head.method, head.target, data) if part)
        session.record(Probe(printable(line, 512), note))
