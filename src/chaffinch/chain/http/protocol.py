"""Connections: HTTP/1.1 by h11, one request at a time, with bounds on time, size and number.

A connection waits, hears a request, answers it, and waits again; or it leaves, when what its peer sends cannot be
followed any more: it has been answered, and is read a little longer so that the answer is seen.
"""

import asyncio
import email.utils
import logging
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from http import HTTPStatus
from typing import Final, cast

import h11

from chaffinch.chain.http.limits import BOUNDS, HEAD_BYTES, LINGER_BYTES, LINGERING, Bounds
from chaffinch.chain.http.message import HELD_BYTES, Body, Request, Response, response_of
from chaffinch.chain.http.problem import RefusalError, retry_after
from chaffinch.metrics.registry import Counter

Answer = Callable[[Request], Awaitable[Response | None]]
"""What answers requests; None if the peer has gone. It does not raise."""

log = logging.getLogger("chaffinch.chain.http")

_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}


class Phase(Enum):
    """Where a connection stands."""

    WAITING = "waiting"
    HEARING = "hearing"
    ANSWERING = "answering"
    LEAVING = "leaving"


class Doors:
    """All connections of one server: how many there may be, and an end to those that are silent for too long.

    What is ended or turned away is counted by its reason.
    """

    def __init__(self, most: int, refused: Counter, bounds: Bounds = BOUNDS) -> None:
        self.most = most
        self.refused = refused
        self.bounds = bounds
        self.open: set[Connection] = set()
        self.stopping = False
        """Each connection closes after the answer that it is giving."""
        self.date = _date()
        """The time, as answers have it; kept by `watch`."""

    @property
    def taken(self) -> int:
        """Connections that are open and not leaving."""
        return sum(one.phase is not Phase.LEAVING for one in self.open)

    @property
    def lingers(self) -> bool:
        """Whether one more connection may stay for a while after its last answer."""
        return len(self.open) - self.taken < LINGERING and not self.stopping

    async def watch(self) -> None:
        """End what is too slow, until cancelled."""
        while True:
            await asyncio.sleep(self.bounds.sweep_seconds)
            self.date = _date()
            now = asyncio.get_running_loop().time()
            for connection in list(self.open):
                try:
                    connection.sweep(now)
                except Exception:  # the boundary of a connection: the others are watched on
                    log.exception("http.connection_failed")
                    connection.abort()


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, answer: Answer, doors: Doors) -> None:
        self.phase = Phase.WAITING
        self.task: asyncio.Task[None] | None = None
        """What answers, while it does."""
        self._answer = answer
        self._doors = doors
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._patience = doors.bounds.head_seconds
        self._conn = h11.Connection(h11.SERVER, HEAD_BYTES)
        self._body: Body | None = None
        self._is_head = False
        self._reading = True
        self._clogged = False
        """The peer does not take what it was answered as fast as it comes."""
        self._answered = False
        """The answer is given, and the next request waits until it has been taken."""
        self._lingered = 0
        self._unsent = 0
        self._unsent_since = 0.0

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        doors = self._doors
        doors.open.add(self)
        if doors.stopping:
            self._transport.close()
        elif doors.taken > doors.most:
            doors.refused.add("connections")
            full = "the server has all the connections that it takes: try again later"
            self._refuse(RefusalError(503, "busy", full, retry_after(1)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._doors.open.discard(self)
        if self._body is not None:
            self._body.leave()
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        if self.phase is Phase.LEAVING:
            self._lingered += len(data)
            if self._lingered > LINGER_BYTES:
                self._transport.abort()
            return
        if self.phase is Phase.WAITING:
            self._enter(Phase.HEARING, self._doors.bounds.head_seconds)
        self._conn.receive_data(data)
        self._advance()

    def eof_received(self) -> None:
        """The peer has closed, or only its half: nobody can tell, and work for those who gave up would pile up."""
        if self._body is not None:
            self._body.leave()
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        if self._answered:
            self._next()

    # What the server calls.

    def sweep(self, now: float) -> None:
        """End the connection if a request has not come in time, or nobody takes the answer."""
        unsent = self._transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > self._doors.bounds.write_seconds:
            self._doors.refused.add("unread")
            self._transport.abort()
            return
        if self.phase is Phase.ANSWERING or now - self._since <= self._patience:
            return
        if self.phase is Phase.HEARING:
            self._doors.refused.add("slow_head")
            self._refuse(RefusalError(408, "slow", "the headers of a request did not come in time: send them at once"))
        elif self.phase is Phase.WAITING:
            self._transport.close()
        elif not unsent:
            self._transport.abort()

    def stop(self) -> None:
        """Take no further request: close now, or after the answer that is being made."""
        if self.phase is not Phase.ANSWERING:
            self._transport.close()

    def abort(self) -> None:
        """Close now, whatever is going on."""
        self._transport.abort()

    # The rest is between these.

    def _enter(self, phase: Phase, patience: float) -> None:
        self.phase, self._since, self._patience = phase, self._loop.time(), patience

    def _advance(self) -> None:
        """Take what has come so far."""
        while True:
            try:
                event = self._conn.next_event()
            except h11.RemoteProtocolError as error:
                self._malformed(error)
                return
            if event is h11.NEED_DATA:
                return
            if event is h11.PAUSED:
                self._read(False)  # a further request waits for the answer to this one
                return
            if isinstance(event, h11.Request):
                if not self._begin(event):
                    return
            elif isinstance(event, h11.ConnectionClosed):
                self._transport.close()
                return
            elif isinstance(event, h11.Data):
                assert self._body is not None
                self._body.put(event.data)
                if self._body.held > HELD_BYTES:
                    self._read(False)
            elif isinstance(event, h11.EndOfMessage):
                assert self._body is not None
                self._body.end()

    def _begin(self, event: h11.Request) -> bool:
        """Begin to answer a request, unless its head alone is reason to refuse it."""
        headers: dict[str, str] = {}
        size = len(event.target)
        for raw, value in event.headers:
            name = raw.decode("ascii")
            size += len(raw) + len(value) + 4
            text = value.decode("latin-1")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
        self._is_head = event.method == b"HEAD"
        if problem := _fault(event, headers, size):
            self._doors.refused.add("malformed")
            self._refuse(problem)
            return False
        path, _, query = event.target.partition(b"?")
        self._body = Body(int(headers.get("content-length", 0)), self._wanted, self._doors.bounds)
        request = Request(event.method.decode("ascii"), path.decode("latin-1"), query, headers, self._body)
        self._enter(Phase.ANSWERING, 0)
        self.task = self._loop.create_task(self._run(request), name="request")
        return True

    async def _run(self, request: Request) -> None:
        try:
            response = await self._answer(request)
            self.task = None
            if response is not None and not self._transport.is_closing():
                self._respond(response)
        except Exception:  # the boundary of a connection: a fault of ours ends it and is told
            log.exception("http.connection_failed")
            self._transport.abort()

    def _respond(self, response: Response) -> None:
        """Give an answer whole, then wait for the next request, or leave."""
        assert self._body is not None
        whole = self._body.whole
        self._say(response, close=not whole or self._doors.stopping)
        self._body = None
        conn = self._conn
        if whole and conn.our_state is h11.DONE and conn.their_state is h11.DONE:
            self._answered = True
            if not self._clogged:
                self._next()
        elif whole:
            self._transport.close()
        else:
            self._leave()

    def _next(self) -> None:
        """Hear the next request, of which a part may be here already."""
        self._answered = self._is_head = False
        self._conn.start_next_cycle()
        bounds = self._doors.bounds
        if self._doors.stopping or self._transport.is_closing():
            self._transport.close()
        elif self._conn.trailing_data[0]:
            self._enter(Phase.HEARING, bounds.head_seconds)
            self._read(True)
            self._advance()
        else:
            self._enter(Phase.WAITING, bounds.idle_seconds)
            self._read(True)

    def _say(self, response: Response, *, close: bool) -> None:
        headers = [
            ("Date", self._doors.date),
            ("Content-Type", response.kind),
            ("Content-Length", str(len(response.body))),
            *response.headers.items(),
        ]
        if close:
            headers.append(("Connection", "close"))
        send = self._conn.send
        reason = _REASONS[response.status]
        data = h11.Data(data=b"" if self._is_head else response.body)
        said = h11.Response(status_code=response.status, headers=headers, reason=reason)
        # In one piece: a peer that waits for all of it is woken once.
        self._transport.write(b"".join(send(event) or b"" for event in (said, data, h11.EndOfMessage())))

    def _refuse(self, problem: RefusalError) -> None:
        """Answer what came before anything could be answered, and leave."""
        if self._conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._say(response_of(problem), close=True)
        self._leave()

    def _malformed(self, error: h11.RemoteProtocolError) -> None:
        self._doors.refused.add("malformed")
        problem = _head_too_long() if error.error_status_hint == 431 else _not_http()
        if self.phase is Phase.ANSWERING and self._body is not None:
            self._body.fail(problem)  # what answers has read a part of it, and says so
            self._read(False)
        else:
            self._refuse(problem)

    def _leave(self) -> None:
        if self._transport.is_closing():
            return
        lingers = self._doors.lingers
        self._enter(Phase.LEAVING, self._doors.bounds.linger_seconds)
        if not lingers:
            self._transport.close()
            return
        self._read(True)
        try:
            self._transport.write_eof()
        except OSError:  # the peer has reset the connection, which the event loop does not know yet
            self._transport.abort()

    def _wanted(self) -> None:
        """The handler waits for more of the body."""
        if self._conn.they_are_waiting_for_100_continue:
            go_on = self._conn.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            self._transport.write(go_on or b"")
        self._read(True)

    def _read(self, go_on: bool) -> None:
        if go_on is not self._reading and not self._transport.is_closing():
            self._reading = go_on
            if go_on:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()


def _fault(event: h11.Request, headers: Mapping[str, str], size: int) -> RefusalError | None:
    """Why a head that h11 can read is refused."""
    if size > HEAD_BYTES:
        return _head_too_long()
    if event.http_version not in (b"1.1", b"1.0"):
        return RefusalError(505, "malformed", "only HTTP/1.1 is spoken here: use it")
    if "transfer-encoding" in headers and ("content-length" in headers or event.http_version == b"1.0"):
        # Proxies do not agree on where such a request ends: what follows could be somebody else's request.
        twice = "where the body ends is said in two ways: send Content-Length, or chunks in HTTP/1.1"
        return RefusalError(400, "malformed", twice)
    return None


# Each time a new one: what was learned before it is noted in it.


def _head_too_long() -> RefusalError:
    return RefusalError(431, "malformed", f"the headers have more than {HEAD_BYTES:,} bytes: send fewer")


def _not_http() -> RefusalError:
    return RefusalError(400, "malformed", "this is not HTTP/1.1: send a whole request")


def _date() -> str:
    return email.utils.formatdate(usegmt=True)
