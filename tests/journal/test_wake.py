"""Datagrams: ringing, dead listeners, full buffers."""

import asyncio
import socket
import time
from pathlib import Path

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
