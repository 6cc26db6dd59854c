"""The worker `sessions`, on events that a real session's runner makes."""

import asyncio
from pathlib import Path

from chaffinch import events
from chaffinch.events import Collapsed, Command, Event, Fact, SessionClosed, SessionOpened
from chaffinch.journal.sqlite import SqliteJournal
from chaffinch.store import collect
from chaffinch.store.protocol import SessionRow
from chaffinch.store.sqlite import SqliteStore


class Context:
    def __init__(self, directory: Path) -> None:
        self.journal = SqliteJournal(directory / "journal")
        self.store = SqliteStore(directory / "store.db")
        self.stopping = asyncio.Event()

    def publish(self, session: str, fact: Fact, *, time: int = 0) -> None:
        event = Event(time or events.now(), fact, "ssh", "127.77.0.1", "127.0.0.1", session)  # type: ignore[arg-type]
        self.journal.publish(event)

    def close(self) -> None:
        self.journal.close()
        self.store.close()


async def collected(context: Context) -> list[SessionRow]:
    """Run the worker until it has read everything."""
    context.stopping.clear()
    running = asyncio.create_task(collect.run(context))
    await context.journal.flush(5)
    async with asyncio.timeout(5):
        while context.store.progress() < context.journal.last_seq():
            await asyncio.sleep(0.005)
    context.stopping.set()
    await asyncio.wait_for(running, 3)
    return context.store.sessions()[::-1]


def closed(started: int) -> SessionClosed:
    return SessionClosed(22, 40000, started, 500, 10, 20, "peer")


def test_sessions_are_derived(tmp_path: Path) -> None:
    async def run() -> None:
        context = Context(tmp_path)
        context.publish("s1", SessionOpened(22, 40000), time=1001)
        context.publish("s1", Command("id"))
        context.publish("s2", SessionOpened(22, 40001), time=2000)
        context.publish("s1", closed(1000))
        context.publish("", Collapsed("session", 50, 3000, 4000, 22, 111, 222))
        context.publish("", Collapsed("credential", 50, 3000, 4000, 22))
        context.publish("s3", closed(5000))
        rows = await collected(context)
        base = ("ssh", "127.77.0.1", 22)
        assert rows == [
            SessionRow("s1", *base, "tcp", "127.0.0.1", 40000, 1000, 1500, 10, 20, "peer", 1, 4),
            SessionRow("s2", *base, "tcp", "127.0.0.1", 40001, 2000, None, 0, 0, "", 1, 3),
            SessionRow(f"c{5:015x}", *base, "", "127.0.0.1", 0, 3000, 4000, 111, 222, "collapsed", 50, 5),
            SessionRow("s3", *base, "", "127.0.0.1", 40000, 5000, 5500, 10, 20, "peer", 1, 7),
        ]
        assert context.store.count().sessions == 53
        context.close()

    asyncio.run(run())


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    async def run() -> None:
        context = Context(tmp_path)
        context.publish("s1", SessionOpened(22, 40000))
        assert len(await collected(context)) == 1
        context.publish("s1", closed(7))
        (row,) = await collected(context)
        assert (row.started, row.ended) == (7, 507)
        context.close()

    asyncio.run(run())


def test_a_batch_that_comes_twice_changes_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        context = Context(tmp_path)
        for n in range(100):
            context.publish(f"s{n}", SessionOpened(22, 40000 + n))
            context.publish(f"s{n}", closed(n + 1))
            context.publish("", Collapsed("session", 2, 1, 2))
        once = await collected(context)
        context.journal.consumer(collect.CONSUMER).rewind(0)  # as after a kill between the two commits
        assert await collected(context) == once
        assert context.store.count().sessions == 300
        context.close()

    asyncio.run(run())


def test_a_store_that_was_lost_is_derived_again(tmp_path: Path) -> None:
    async def run() -> None:
        context = Context(tmp_path)
        for n in range(100):
            context.publish(f"s{n}", closed(n + 1))
        before = await collected(context)
        context.store.close()
        (tmp_path / "store.db").unlink()
        assert await collected(context) == before
        context.close()

    asyncio.run(run())
