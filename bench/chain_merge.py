"""A chain that learns, forgets, merges and trains while it speaks: rates, latencies, and what speaking notices of it.

`--messages 100000` is a quick look. The sentences that are timed are single calls from Python, without a pause between
them, in the process that merges or trains on another thread: on two cores they compete.
"""

import itertools
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench import corpus
from bench.apart import Figures, apart, at_least, at_most, medians, percentile
from chaffinch.chain import Chain, Message, Options

DELTA = 50_000
"""Messages of the corpus that a delta takes before it asks to be merged, about."""
BATCHES = (1000, 10_000)
SINGLES = 400
PAUSE_SECONDS = 0.01
MERGES = 3
LEARNINGS = 3


def batches(file: Path, messages: int, each: int, with_ids: bool) -> list[list[Message]]:
    with file.open(encoding="utf-8", newline="\n") as lines:
        made = [
            Message(line.rstrip("\n"), id=str(number) if with_ids else "", author=f"writer{number % 500}")
            for number, line in zip(range(messages), lines, strict=False)
        ]
    return [made[first : first + each] for first in range(0, len(made), each)]


def learning(chain: str, file: str, messages: int, each: int, with_ids: bool) -> Figures:
    """Messages a second into the delta, in batches that are durable one by one. The messages are made before."""
    made = batches(Path(file), messages, each, with_ids)
    with Chain.open(Path(chain), write=True, create=Options()) as opened:
        began, cpu_began = time.perf_counter(), time.process_time()
        learned = sum(opened.add(batch).learned for batch in made)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        return {
            "learned": learned,
            "rate": learned / seconds,
            "cpu_rate": learned / cpu,
            "memory_bytes": opened.memory_bytes,
        }


def one_by_one(chain: str, beside: str) -> Figures:
    """Milliseconds until one message is durable and said, at low load; and what the disk alone takes for 200 bytes.

    The two take turns, so that both meet the same disk.
    """
    took, disk, seen = [], [], 0
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Chain.open(Path(chain), write=True, create=Options()) as opened:
        for number in range(SINGLES):
            message = Message(f"word{number} and what follows", id=str(number), author="author")
            time.sleep(PAUSE_SECONDS)
            began = time.perf_counter()
            opened.add([message])
            (said,) = opened.generate(novel=False, starting=f"word{number}")
            took.append((time.perf_counter() - began) * 1000)
            seen += said == message.text
            time.sleep(PAUSE_SECONDS)
            began = time.perf_counter()
            os.write(descriptor, b"x" * 200)
            os.fdatasync(descriptor)
            disk.append((time.perf_counter() - began) * 1000)
    os.close(descriptor)
    quantiles = {"p50_ms": percentile(took, 0.5), "p99_ms": percentile(took, 0.99)}
    return {"seen": seen, **quantiles, "disk_p50_ms": percentile(disk, 0.5), "disk_p99_ms": percentile(disk, 0.99)}


def speaking_beside(chain: Chain, work: Callable[[], object] | None) -> Figures:
    """Latencies of single calls in microseconds while the work goes on in a thread; without work, for a second.

    The seconds, and those of CPU, are the work's.
    """
    done = threading.Event()
    took: list[float] = []
    seconds = [1.0]

    def worked() -> None:
        began = time.perf_counter()
        if work is None:
            time.sleep(1)
        else:
            work()
        seconds[0] = time.perf_counter() - began
        done.set()

    thread = threading.Thread(target=worked, name="work")
    others_began = time.process_time() - time.thread_time()
    thread.start()
    while not done.is_set():
        began = time.perf_counter_ns()
        chain.generate()
        took.append((time.perf_counter_ns() - began) / 1000)
    thread.join()
    cpu = time.process_time() - time.thread_time() - others_began
    figures = {f"p{name}_us": percentile(took, part) for name, part in (("50", 0.5), ("99", 0.99), ("999", 0.999))}
    return {"seconds": seconds[0], "cpu_seconds": cpu, "calls": len(took), "max_us": max(took), **figures}


def forcing(path: Path, size: int) -> float:
    """Seconds that the disk takes for a new file of that size, until it is durable."""
    piece = os.urandom(1 << 20)
    began = time.perf_counter()
    with path.open("wb") as file:
        for first in range(0, size, len(piece)):
            file.write(piece[: size - first])
        file.flush()
        os.fsync(file.fileno())
    seconds = time.perf_counter() - began
    path.unlink()
    return seconds


def forgetting(chain: str, authored: str, plain: str) -> Figures:
    """Learn everything; forget an author, learn as many messages, and merge, several times; then learn it all again."""
    (others,) = batches(Path(plain), corpus.AUTHORED, corpus.AUTHORED, with_ids=False)
    with Chain.open(Path(chain), write=True, create=Options()) as opened:
        opened.train(Path(authored))
        alone = speaking_beside(opened, None)
        forgotten, forget_ms, merging_alone, merging = 0, [], [], []
        for number in range(2 * MERGES):
            began = time.perf_counter()
            forgotten += opened.forget(author=f"author{number}")
            forget_ms.append((time.perf_counter() - began) * 1000)
            opened.add(others)
            if number % 2:
                merging.append(speaking_beside(opened, lambda: opened.merge(whole=True)))
                continue
            began, cpu_began = time.perf_counter(), time.process_time()
            opened.merge(whole=True)
            took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
            merging_alone.append(took)
        stats = opened.stats()
        left = stats.messages
        assert stats.segments == 1
        training = speaking_beside(opened, lambda: opened.train(Path(plain)))
        return {
            "left": left,
            "forgotten": forgotten,
            "forget_ms": statistics.median(forget_ms),
            "alone": alone,
            "merging_alone": medians(merging_alone),
            "merging": medians(merging),
            "bytes": stats.bytes,
            "disk_seconds": statistics.median(forcing(Path(chain).with_suffix(".raw"), stats.bytes) for _ in range(3)),
            "training": training,
            "learned": opened.stats().messages - left,
        }


def said(figures: Figures, bounded: bool = False) -> str:
    p99 = at_most(figures["p99_us"], 100, "us", 1) if bounded else f"{figures['p99_us']:.1f} us"
    return (
        f"p50 {figures['p50_us']:.1f} us, p99 {p99}, p99.9 {figures['p999_us']:.0f} us, "
        f"longest {figures['max_us'] / 1000:.1f} ms of {figures['calls']:,.0f} calls"
    )


def show_learning(folder: Path, file: Path) -> None:
    for each, with_ids in itertools.product(BATCHES, (False, True)):
        runs = []
        for number in range(LEARNINGS):
            chain = folder / f"learns-{each}-{with_ids}-{number}"
            runs.append(apart(learning, chain=str(chain), file=str(file), messages=DELTA, each=each, with_ids=with_ids))
        its = medians(runs)
        print(
            f"learn {its['learned']:,} messages into the delta, {each:,} at a time, each time durable, "
            f"{'with' if with_ids else 'without'} ids: {at_least(its['rate'], 200_000, '/s')}, "
            f"{its['cpu_rate']:,.0f} a second of CPU, {its['memory_bytes'] / 1e6:.0f} MB (median of {LEARNINGS})"
        )
    its = apart(one_by_one, chain=str(folder / "one-by-one"), beside=str(folder / "beside"))
    print(
        f"one message at a time, durable and said by the next call ({its['seen']} of {SINGLES}): "
        f"p50 {its['p50_ms']:.2f} ms, p99 {at_most(its['p99_ms'], 5, 'ms')}; "
        f"the disk alone: p50 {its['disk_p50_ms']:.2f} ms, p99 {its['disk_p99_ms']:.2f} ms"
    )


def show_forgetting(folder: Path, file: Path, messages: int) -> None:
    its = apart(forgetting, chain=str(folder / "forgets"), authored=str(corpus.authored(file)), plain=str(file))
    whole = messages == corpus.MESSAGES
    alone, merging, training = its["merging_alone"], its["merging"], its["training"]
    seconds = at_most(merging["seconds"], 2, "s") if whole else f"{merging['seconds']:.2f} s"
    each = its["forgotten"] / MERGES / 2
    forget = at_most(its["forget_ms"], 100, "ms", 0) if each >= corpus.AUTHORED else f"{its['forget_ms']:.1f} ms"
    print(
        f"forget an author of {each:,.0f} messages: {forget} (median of {2 * MERGES})\n"
        f"merge, {its['left']:,} messages written anew: alone {alone['seconds']:.2f} s, "
        f"{alone['cpu_seconds']:.2f} s of CPU; "
        f"while the chain speaks {seconds}, {merging['cpu_seconds']:.2f} s of CPU (medians of {MERGES}); "
        f"the disk alone takes {its['disk_seconds']:.2f} s for its {its['bytes'] / 1e6:.0f} MB\n"
        f"one call from Python, nothing beside it: {said(its['alone'])}\n"
        f"  beside the merge: {said(merging, bounded=True)}\n"
        f"  beside a training of {its['learned']:,} messages, {training['seconds']:.2f} s, "
        f"{training['cpu_seconds']:.2f} s of CPU: {said(training)}"
    )


def main() -> None:
    messages = corpus.arguments(__doc__).messages
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name:
        file = corpus.written(Path(name), messages)
        print(f"the corpus: {messages:,} messages, {corpus.NATURE}")
        show_learning(Path(name), file)
        show_forgetting(Path(name), file, messages)


if __name__ == "__main__":
    main()
