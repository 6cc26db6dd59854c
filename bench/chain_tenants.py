"""Ten thousand tenants of a hundred messages behind a cap: memory, chains opened on demand, and how often one is open.

A few tenants learn their messages through `Tenants`; the others are copies of their directories, since ten thousand of
them would wait for the disk for minutes. Who speaks next is drawn evenly (nearly each call opens a chain) and then in
proportion to 1/rank (some tenants talk most).
"""

import array
import asyncio
import itertools
import logging
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import corpus
from bench.apart import Figures, anonymous_bytes, apart, at_most, percentile
from chaffinch.chain import Message, Pool, Tenants, directory_of
from chaffinch.config import ChainSettings
from chaffinch.metrics.registry import Registry

TENANTS = 10_000
EACH = 100
LEARNED = 100
CAP_BYTES = 64_000_000
"""About what it is by default."""
MOST_OPEN = 1024
"""More than fit under the cap of bytes, which is the one that is measured."""
DESCRIPTORS = 4 * MOST_OPEN
CALLS = 20_000
AT_ONCE = 8


def learning(state: str, file: str) -> Figures:
    """New tenants learn their messages, some at once."""
    lines = Path(file).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    messages = [Message(line) for line in lines]
    return asyncio.run(_learn(Path(state), [messages[first : first + EACH] for first in range(0, len(messages), EACH)]))


async def _learn(state: Path, shares: Sequence[Sequence[Message]]) -> Figures:
    waiting = enumerate(shares)

    async def caller(tenants: Tenants) -> None:
        for number, messages in waiting:
            await tenants.add(name(number), messages)

    async with Pool() as pool, Tenants(state, pool) as tenants:
        began = time.perf_counter()
        await asyncio.gather(*(caller(tenants) for _ in range(AT_ONCE)))
        return {"rate": len(shares) / (time.perf_counter() - began)}


def speaking(state: str, skewed: bool) -> Figures:
    """Draw tenants and let each say one sentence, some at once; what the process holds meanwhile."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS if most < 0 else min(DESCRIPTORS, most), most))
    rng = random.Random(4)
    shares = list(itertools.accumulate(1 / rank if skewed else 1 for rank in range(1, TENANTS + 1)))
    drawn = [name(number) for number in rng.choices(range(TENANTS), cum_weights=shares, k=CALLS)]
    return asyncio.run(_speak(Path(state), drawn))


async def _speak(state: Path, drawn: Sequence[str]) -> Figures:
    registry = Registry()
    logging.disable()  # slow calls are counted
    took = array.array("d", bytes(8 * CALLS))  # here before memory is looked at: it is not the chains'
    done = itertools.count()
    grown, waiting = [0], iter(drawn)

    async def caller(tenants: Tenants) -> None:
        for tenant in waiting:
            began = time.perf_counter()
            await tenants.generate(tenant)
            number = next(done)
            took[number] = (time.perf_counter() - began) * 1000
            if number % 500 == 0:
                grown.append(anonymous_bytes() - warm)

    settings = ChainSettings(memory=CAP_BYTES, open_chains=MOST_OPEN)
    async with Pool(registry=registry) as pool, Tenants(state, pool, settings) as tenants:
        await asyncio.gather(*(tenants.generate(tenant) for tenant in drawn[:AT_ONCE]))  # threads and their heaps
        warm = anonymous_bytes()
        began, cpu_began = time.perf_counter(), time.process_time()
        await asyncio.gather(*(caller(tenants) for _ in range(AT_ONCE)))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        counted = {
            family.name.removeprefix("chain_").removeprefix("cache_"): sum(sample.value for sample in family.samples)
            for family in registry.snapshot().families
            if family.name.startswith(("chain_cache_", "chain_slow_"))
        }
    timed = {"seconds": seconds, "cpu_us": cpu / len(took) * 1e6}
    return {"p50_ms": percentile(took, 0.5), "p99_ms": percentile(took, 0.99), "grown": max(grown), **timed, **counted}


def name(number: int) -> str:
    return f"tenant{number}"


def show(what: str, its: Figures) -> None:
    ratio = its["hits"] / (its["hits"] + its["misses"])
    print(
        f"{what}: {CALLS / its['seconds']:,.0f} calls/s, {its['cpu_us']:.0f} us of CPU each, hit ratio {ratio:.1%}, "
        f"{its['misses'] / its['seconds']:,.0f} chains opened a second, call p50 {its['p50_ms']:.2f} ms, "
        f"p99 {its['p99_ms']:.2f} ms, "
        f"{its.get('slow_operations', 0):.0f} longer than {ChainSettings().slow_ms:g} ms on their thread\n"
        f"  {its['open']:,.0f} open at the end, counted with {at_most(its['bytes'] / 1e6, CAP_BYTES / 1e6, 'MB', 1)}; "
        f"the process grew by {at_most(its['grown'] / 1e6, CAP_BYTES / 1e6, 'MB', 1)} of memory that is no file's"
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as folder:
        state = Path(folder) / "state"
        file = corpus.written(Path(folder), LEARNED * EACH)
        rate = apart(learning, state=str(state), file=str(file))["rate"]
        print(
            f"the corpus: {corpus.NATURE}\n{LEARNED} new tenants of {EACH} messages: {rate:,.0f} made a second, durable"
        )
        for number in range(LEARNED, TENANTS):
            shutil.copytree(directory_of(state, name(number % LEARNED)), directory_of(state, name(number)))
        print(f"{TENANTS:,} tenants of {EACH} messages, {AT_ONCE} callers, cap {CAP_BYTES / 1e6:.0f} MB")
        show("drawn evenly", apart(speaking, state=str(state), skewed=False))
        show("drawn by 1/rank", apart(speaking, state=str(state), skewed=True))


if __name__ == "__main__":
    main()
