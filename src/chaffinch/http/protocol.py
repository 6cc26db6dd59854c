"""One connection: HTTP/1.1 by h11, one request at a time, with bounds on time and size.

What a connection goes through stands in `phase`, what all of them share in `doors`.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, cast

import h11

from chaffinch.http.body import Body
from chaffinch.http.doors import Doors, Unread
from chaffinch.http.head import head_of, malformed
from chaffinch.http.limits import HEAD_BYTES, HELD_BYTES, LINGER_BYTES
from chaffinch.http.message import Request, Response, response_of
from chaffinch.http.phase import MOVES, Phase
from chaffinch.http.problem import RefusalError, retry_after

Answer = Callable[[Request], Awaitable[Response | None]]
"""What answers requests; None if the peer has gone. It does not raise."""

log = logging.getLogger("chaffinch.http")

_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, answer: Answer, doors: Doors) -> None:
        self.phase = Phase.WAITING
        self.task: asyncio.Task[None] | None = None
        """What answers, while it does."""
        self._answer = answer
        self._doors = doors
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + doors.bounds.head_seconds
        """When the patience with its phase ends."""
        self._conn = h11.Connection(h11.SERVER, HEAD_BYTES)
        self._is_head = False
        """The request in hand wants no body."""
        self._body: Body | None = None
        """Of the request that is answered."""
        self._unread = Unread()
        self._clogged = False
        """The peer does not take what it was answered as fast as it comes."""
        self._lingered = 0
        """Bytes that were read since it is leaving."""

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
        self._enter(Phase.GONE)
        self._give_up()

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
        self._give_up()

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        if self.phase is Phase.ANSWERED:
            self._next()

    # What the server calls.

    def sweep(self, now: float) -> None:
        """End the connection if a request has not come in time, or nobody takes the answer."""
        waiting = self._transport.get_write_buffer_size()
        if self._unread.seconds(waiting, now) > self._doors.bounds.write_seconds:
            self._doors.refused.add("unread")
            self._transport.abort()
        elif now <= self._until:
            return
        elif self.phase is Phase.HEARING:
            self._doors.refused.add("slow_head")
            self._refuse(RefusalError(408, "slow", "the headers of a request did not come in time: send them at once"))
        elif self.phase is Phase.WAITING:
            self._transport.close()
        elif not waiting:
            self._transport.abort()

    def stop(self) -> None:
        """Take no further request: close now, or after the answer that is being made."""
        if self.phase is not Phase.ANSWERING:
            self._transport.close()

    def abort(self) -> None:
        """Close now, whatever is going on."""
        self._transport.abort()

    # The rest is between these.

    def _enter(self, phase: Phase, patience: float = math.inf) -> None:
        assert phase in MOVES[self.phase], f"a connection that is {self.phase.value} cannot be {phase.value}"
        self.phase, self._until = phase, self._loop.time() + patience

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
        head = head_of(event)
        self._is_head = head.method == "HEAD"
        if head.fault is not None:
            self._doors.refused.add("malformed")
            self._refuse(head.fault)
            return False
        self._enter(Phase.ANSWERING)
        self._body = Body(head.body_bytes, self._wanted, self._doors.bounds)
        request = Request(head.method, head.path, head.query, head.headers, self._body)
        self.task = self._loop.create_task(self._run(request), name="request")
        return True

    async def _run(self, request: Request) -> None:
        try:
            response = await self._answer(request)
            self.task = None
            if response is not None and not self._transport.is_closing():
                self._respond(response, whole=request.body.whole)
        except Exception:  # the boundary of a connection: a fault of ours ends it, is told and counted
            log.exception("http.connection_failed")
            self._doors.refused.add("failed")
            self._transport.abort()

    def _respond(self, response: Response, *, whole: bool) -> None:
        """Give an answer whole, then wait for the next request, or leave."""
        self._say(response, close=not whole or self._doors.stopping)
        self._body = None
        conn = self._conn
        if not whole:
            self._leave()
        elif conn.our_state is h11.DONE and conn.their_state is h11.DONE:
            self._enter(Phase.ANSWERED)
            if not self._clogged:
                self._next()
        else:
            self._transport.close()

    def _next(self) -> None:
        """Hear the next request, of which a part may be here already."""
        self._is_head = False
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
        problem = malformed(error)
        if self._body is not None:
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

    def _give_up(self) -> None:
        """Nobody waits for an answer any more."""
        if self._body is not None:
            self._body.leave()
        if self.task is not None:
            self.task.cancel()

    def _wanted(self) -> None:
        """The handler waits for more of the body."""
        if self._conn.they_are_waiting_for_100_continue:
            go_on = self._conn.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            self._transport.write(go_on or b"")
        self._read(True)

    def _read(self, go_on: bool) -> None:
        if self._transport.is_closing():
            return
        if go_on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()
