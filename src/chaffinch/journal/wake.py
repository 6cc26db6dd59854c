"""Telling readers that something was appended: one-byte datagrams to every socket in the directory `wake`.

Each waiting process binds one socket there. A full buffer is fine, its owner is awake already; a socket whose process
is gone is unlinked by whoever writes to it. A lost wake-up costs a second: readers look by themselves that often.
"""

import asyncio
import contextlib
import itertools
import os
import socket
import threading
from pathlib import Path

from chaffinch.journal.layout import Listing

POLL_SECONDS = 1.0

_numbers = itertools.count()


def _address(directory_fd: int, name: str) -> str:
    return (
        f"/proc/self/fd/{directory_fd}/{name}"  # a socket's path may have 107 bytes, a state directory's may have more
    )


class Bell:
    """The writer's side: rings every listener."""

    def __init__(self, directory: Path) -> None:
        self._directory = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._listing = Listing(directory)

    def ring(self) -> None:
        """Wake every process that waits. Never blocks. Raises OSError when the directory is gone."""
        for name in self._listing.files():
            try:
                self._socket.sendto(b"\0", _address(self._directory, name))
            except ConnectionRefusedError:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=self._directory)
            except OSError:  # full, or not ours to write to: it polls
                continue

    def close(self) -> None:
        self._socket.close()
        os.close(self._directory)


class Listener:
    """A process's side: wakes every task that waits in one event loop."""

    def __init__(self, directory: Path) -> None:
        """Bind a socket in `directory` and watch it from the running loop. Raises OSError."""
        self.loop = asyncio.get_running_loop()
        self._waiters: set[asyncio.Future[None]] = set()
        self._path = directory / f"{os.getpid()}-{next(_numbers)}"
        self._pid = os.getpid()
        self._thread = threading.get_ident()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._bind(directory)
        except OSError:
            self._socket.close()
            raise
        self.loop.add_reader(self._socket, self._heard)

    def _bind(self, directory: Path) -> None:
        fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)  # left by a dead process that had our number
            self._socket.bind(_address(fd, self._path.name))
        finally:
            os.close(fd)
        os.chmod(self._path, 0o600)
        if os.geteuid() == 0:
            owner = os.stat(directory)
            os.chown(self._path, owner.st_uid, owner.st_gid)

    def _heard(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                self._socket.recv(1)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Return at the next ring, or after that many seconds. What was appended since the last read rings too."""
        waiter = self.loop.create_future()
        self._waiters.add(waiter)
        timer = self.loop.call_later(seconds, _finish, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiters.discard(waiter)

    def close(self) -> None:
        """Stop listening. In a forked child only the descriptor is given back.

        May be called in any thread. While the loop runs in its own, it is the loop that lets go of the socket: it may
        be reading it just now, and would read what the number means next.
        """
        if os.getpid() != self._pid:
            self._socket.close()
        elif self.loop.is_running() and threading.get_ident() != self._thread:
            try:
                self.loop.call_soon_threadsafe(self._let_go)
            except RuntimeError:  # it was closed meanwhile
                self._let_go()
        else:
            self._let_go()

    def _let_go(self) -> None:
        if self._socket.fileno() == -1:
            return  # closed twice
        if not self.loop.is_closed():
            self.loop.remove_reader(self._socket)
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        self._socket.close()


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
