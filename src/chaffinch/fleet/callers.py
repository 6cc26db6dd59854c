"""Who calls at the control socket: any number at once, and none holds the supervisor's loop up.

A caller has a second to ask and a second to take the answer. Whoever has gone by then is not obeyed: a command that
gave up is not carried out later.
"""

import functools
import logging
import os
import select
import selectors
import socket
import struct
import time
from collections.abc import Callable
from typing import Final, cast, get_args

import msgspec

from chaffinch.errors import ChaffinchError, InputError
from chaffinch.fleet.control import Ask, Deed, Owned, Refusal
from chaffinch.network.listeners import EXHAUSTED

log = logging.getLogger("chaffinch.fleet")

MOST_CALLERS: Final = 64
"""At once. One more, and whoever has waited longest goes: who asks something is answered in the turn that reads it."""

MOST_AT_ONCE: Final = 16
"""Callers taken in one turn of the loop."""

ASKED_BYTES: Final = 4096
"""The longest question."""

ANSWER_SECONDS: Final = 1.0
"""How long a caller may take to ask, and then to take its answer."""

REST_SECONDS: Final = 0.05
"""Without a descriptor, or memory, for a caller: how long until the next try, or the loop would do nothing else."""


class _Caller:
    """One connection: what it has said, or what it has yet to be told."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.until = time.monotonic() + ANSWER_SECONDS
        self.said = bytearray()
        self.reply = memoryview(b"")

    def hears(self, reply: bytes) -> None:
        self.reply = memoryview(reply + b"\n")
        self.until = time.monotonic() + ANSWER_SECONDS

    def has_gone(self) -> bool:
        """Both directions are closed. One that only says no more still listens."""
        look = select.poll()
        look.register(self.socket, 0)
        return any(event & select.POLLHUP for _, event in look.poll(0))


class Callers:
    """Takes what callers say from the selector's loop and has `fleet` answer. `look` is to be called each turn."""

    def __init__(self, listener: socket.socket, selector: selectors.BaseSelector, fleet: Owned) -> None:
        self._listener = listener
        self._selector = selector
        self._fleet = fleet
        self._waiting: dict[_Caller, None] = {}
        """In the order in which they came."""
        self._rests_until: float | None = None
        """Nothing was left for the last one: until then the listener is not looked at."""
        selector.register(listener, selectors.EVENT_READ, self._accept)

    def look(self, now: float) -> None:
        """Let go of who has had its time, and take callers again where there was nothing left for one."""
        for one in [one for one in self._waiting if now >= one.until]:
            self._end(one)
        if self._rests_until is not None and now >= self._rests_until:
            self._rests_until = None
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def leave(self) -> None:
        """In a forked child, whose selector is closed: give the descriptors back."""
        self._listener.close()
        for one in self._waiting:
            one.socket.close()

    def close(self) -> None:
        """Hang up on everybody. The selector is its owner's to close."""
        for one in list(self._waiting):
            self._end(one)
        if self._rests_until is None:
            self._selector.unregister(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                sock, _ = self._listener.accept()
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self._selector.unregister(self._listener)
                    self._rests_until = time.monotonic() + REST_SECONDS
                return
            sock.setblocking(False)
            if len(self._waiting) >= MOST_CALLERS:
                self._end(next(iter(self._waiting)))
            one = _Caller(sock)
            self._waiting[one] = None
            self._selector.register(sock, selectors.EVENT_READ, functools.partial(self._turn, one))
            if not _is_allowed(sock):
                one.hears(_refusal("this fleet belongs to another user"))
            self._turn(one)

    def _turn(self, one: _Caller) -> None:
        """It can be read or written, or came just now."""
        if one not in self._waiting:
            return  # it was let go in this very turn
        try:
            if not one.reply:
                self._hear(one)
            if one.reply:
                self._tell(one)
        except BlockingIOError:
            return
        except OSError:
            self._end(one)

    def _hear(self, one: _Caller) -> None:
        """Read on; with the end of the line, answer. Raises `BlockingIOError` while there is more to come."""
        while not one.said.endswith(b"\n") and len(one.said) <= ASKED_BYTES:
            data = one.socket.recv(ASKED_BYTES)
            if not data:
                return one.hears(_refusal("not understood: it ended before its line did"))
            one.said += data
        if len(one.said) > ASKED_BYTES:
            return one.hears(_refusal(f"not understood: longer than {ASKED_BYTES} bytes"))
        if one.has_gone():
            return self._end(one)
        try:
            reply = answer(bytes(one.said), self._fleet)
        except OSError as error:  # of the fleet, not of the connection: who is hung up on asks again
            log.exception("control.failed")
            why = error.strerror or error
            reply = _refusal(f"the supervisor could not answer ({why}); look at its log with `chaffinch logs`")
        return one.hears(reply)

    def _tell(self, one: _Caller) -> None:
        """Write on. Raises `BlockingIOError` while it does not take all."""
        try:
            while one.reply:
                one.reply = one.reply[one.socket.send(one.reply) :]
        except BlockingIOError:
            self._selector.modify(one.socket, selectors.EVENT_WRITE, functools.partial(self._turn, one))
            raise
        self._end(one)

    def _end(self, one: _Caller) -> None:
        del self._waiting[one]
        self._selector.unregister(one.socket)
        one.socket.close()


def _is_allowed(caller: socket.socket) -> bool:
    _, uid, _ = struct.unpack("3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid in (0, os.getuid())


def answer(line: bytes, fleet: Owned) -> bytes:
    """What the fleet says to a question."""
    try:
        ask = msgspec.json.decode(line, type=Ask)
    except (msgspec.DecodeError, ValueError) as error:
        return _refusal(f"not understood: {error}")
    of_all: dict[str, Callable[[], msgspec.Struct]] = {
        "status": fleet.status,
        "metrics": fleet.measured,
        "reload": fleet.reload,
        "reloading": fleet.reloading,
    }
    if ask.do in of_all and not ask.name:
        return _answered(of_all[ask.do])
    if ask.do == "stop" and not ask.name:
        fleet.stop()
        return msgspec.json.encode({"stopping": True, "pid": os.getpid()})
    if ask.do in get_args(Deed) and ask.name:
        try:
            return msgspec.json.encode({"workers": fleet.act(cast(Deed, ask.do), ask.name)})
        except ChaffinchError as error:
            return _refusal(str(error))
    known = "status, stop, reload, reloading, and start, stop or restart of a name"
    return _refusal(f"{ask.do!r} cannot be asked; there are: {known}")


def _answered(question: Callable[[], msgspec.Struct]) -> bytes:
    try:
        return msgspec.json.encode(question())
    except ChaffinchError as error:
        return _refusal(str(error), is_input=isinstance(error, InputError))


def _refusal(why: str, *, is_input: bool = False) -> bytes:
    return msgspec.json.encode(Refusal(why, is_input))
