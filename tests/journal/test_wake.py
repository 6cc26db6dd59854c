"""Datagrams: ringing, dead listeners, full buffers."""

import asyncio
import socket
import threading
import time
from pathlib import Path
from typing import Any

from chaffinch.journal.sqlite import SqliteJournal
from chaffinch.journal.wake import Bell, Listener
from tests.journal.events_of import SMALL, everything, fill


def test_one_ring_wakes_everybody(tmp_path: Path) -> None:
    async def run() -> float:
        one, two = Listener(tmp_path), Listener(tmp_path)
        bell = Bell(tmp_path)
        waiting = [asyncio.create_task(listener.wait(10)) for listener in (one, one, two)]
        await asyncio.sleep(0.01)
        began = time.monotonic()
        bell.ring()
        await asyncio.gather(*waiting)
        took = time.monotonic() - began
        for part in (one, two, bell):
            part.close()
        return took

    assert asyncio.run(run()) < 0.5
    assert list(tmp_path.iterdir()) == []


def test_a_dead_socket_is_unlinked_and_others_are_left(tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(tmp_path / "dead"))
    dead.close()
    (tmp_path / "file").write_text("")
    bell = Bell(tmp_path)
    bell.ring()
    bell.ring()
    assert not (tmp_path / "dead").exists()
    bell.close()


def test_a_full_buffer_is_fine(tmp_path: Path) -> None:
    async def run() -> None:
        listener, bell = Listener(tmp_path), Bell(tmp_path)
        for _ in range(5000):
            bell.ring()
        await listener.wait(10)
        await listener.wait(0.01)
        listener.close()
        bell.close()

    asyncio.run(run())


def test_without_its_directory_the_journal_goes_on(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, SMALL)
    (tmp_path / "wake").rmdir()
    fill(journal, 200)
    assert len(everything(journal)) == 200
    journal.close()


class Closing:
    """A listener's socket that is closed by another thread while the loop is about to read it."""

    def __init__(self, listener: Listener, real: socket.socket) -> None:
        self._listener = listener
        self._real = real

    def recv(self, count: int) -> bytes:
        closer = threading.Thread(target=self._listener.close)
        closer.start()
        closer.join(5)
        return self._real.recv(count)

    def fileno(self) -> int:
        return self._real.fileno()

    def close(self) -> None:
        self._real.close()


def test_closing_from_a_thread_does_not_take_the_socket_from_the_loop(tmp_path: Path) -> None:
    """As a group does when it ends: its journal is closed in a thread, and rings while it does so."""
    faults: list[dict[str, Any]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: faults.append(context))
        listener, bell = Listener(tmp_path), Bell(tmp_path)
        real = listener._socket  # the moment in the middle of a read has no other handle
        setattr(listener, "_socket", Closing(listener, real))  # noqa: B010  # a stand-in is no socket to mypy
        bell.ring()
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert real.fileno() == -1
        bell.close()

    asyncio.run(run())
    assert faults == []
    assert list(tmp_path.iterdir()) == []
