"""What the journal takes: events durable per second, and how long a flush waits. `python -m bench.journal`

One process, as a decoy group does it: the event loop publishes login attempts in bursts and goes on; a second task
flushes all the while and times it. Then a consumer reads the same events.
"""

import asyncio
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from chaffinch.config import JournalSettings
from chaffinch.events import Credential, Event, now
from chaffinch.journal.sqlite import SqliteJournal

EVENTS = 300_000
BURST = 100
STEADY_RATE = 100_000
STEADY_SECONDS = 2.0


def login(number: int) -> Event:
    """An event of the most frequent kind."""
    return Event(
        time=now(),
        fact=Credential(username="root", secret=f"password{number % 1000}"),
        service="ssh",
        address="127.77.3.9",
        source="127.0.0.1",
        session="0123456789abcdef",
    )


def private_bytes() -> int:
    """Memory that this process wrote and shares with nobody; pages of program files are not its own."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_Dirty"))


def percentile(values: Iterable[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


async def time_flushes(journal: SqliteJournal, done: asyncio.Event) -> list[float]:
    """How long each of many flushes took, in ms."""
    took = []
    while not done.is_set():
        began = time.perf_counter()
        await journal.flush()
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.002)
    return took


async def flat_out(journal: SqliteJournal) -> None:
    """Publish as fast as the queue takes it, and wait until all is durable."""
    began = time.perf_counter()
    for number in range(EVENTS):
        journal.publish(login(number))
        if number % BURST == 0:
            await asyncio.sleep(0)
            while journal.waiting > 100_000:
                await asyncio.sleep(0.001)
    published = time.perf_counter() - began
    await journal.flush()
    took = time.perf_counter() - began
    rate = EVENTS / took
    print(f"flat out: {rate:,.0f} events/s appended and durable (published in {published:.2f} s), lost {journal.lost}")


async def steady(journal: SqliteJournal) -> None:
    """Publish at a steady rate while another task flushes."""
    done = asyncio.Event()
    flushing = asyncio.create_task(time_flushes(journal, done), name="flushes")
    began, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < STEADY_SECONDS:
        while sent < passed * STEADY_RATE:
            journal.publish_many([login(number) for number in range(BURST)])
            sent += BURST
        await asyncio.sleep(0.001)
    done.set()
    took = await flushing
    rate = sent / (time.perf_counter() - began)
    print(
        f"at {rate:,.0f} events/s: {len(took)} flushes, p50 {percentile(took, 0.5):.1f} ms, "
        f"p99 {percentile(took, 0.99):.1f} ms, max {max(took):.1f} ms, lost {journal.lost}"
    )


async def read_all(journal: SqliteJournal) -> None:
    """Read everything as a worker does, with its commits."""
    consumer = journal.consumer("bench")
    began, count = time.perf_counter(), 0
    while batch := await consumer.next_batch(0):
        count += len(batch)
        consumer.commit(batch[-1].seq)
    print(
        f"read: {count / (time.perf_counter() - began):,.0f} events/s in batches with commits, missed {consumer.missed}"
    )


async def idle_cost(directory: Path) -> None:
    """What an open journal holds that has written once and waits."""
    gc.collect()
    before = private_bytes()
    journal = SqliteJournal(directory)
    journal.publish(login(0))
    await journal.flush()
    await journal.consumer("idle").next_batch(0.05)
    gc.collect()
    print(f"idle: {(private_bytes() - before) / 1024:.0f} KiB private for a journal that writes and reads")
    journal.close()


async def run(directory: Path) -> None:
    await idle_cost(directory / "idle")
    journal = SqliteJournal(directory / "journal", JournalSettings())
    await steady(journal)
    await flat_out(journal)
    await read_all(journal)
    print(f"disk: {journal.stats().bytes / journal.last_seq():.0f} bytes an event")
    journal.close()


def main() -> None:
    directory = Path(tempfile.mkdtemp(prefix="chaffinch-bench-", dir=sys.argv[1] if len(sys.argv) > 1 else None))
    try:
        asyncio.run(run(directory))
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
