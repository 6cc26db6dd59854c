"""The chain engine beside markovify and a plain dict trainer: training, size on disk, speaking, opening, memory.

`--messages 100000` is a quick look. Of ours, training is the whole command, durable, from the start of its interpreter
to its end; of the peers only the training itself is timed. Bounds on training are stated for a million messages and
stand there only. Each figure comes from a process of its own; files are in the page cache.
"""

import contextlib
import importlib.metadata
import itertools
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import corpus, peers
from bench.apart import (
    Figures,
    anonymous_bytes,
    apart,
    at_least,
    at_most,
    command,
    medians,
    percentile,
    private_bytes,
    run,
)
from chaffinch.chain import Chain, Message
from chaffinch.chain.engine import AskKeywords

TENANT = "bench"
TRAININGS = 3
OPENINGS = 51
SINGLE_CALLS = 20_000
LOT = 10_000
LOTS = 30
FILTERS: AskKeywords = {"min_score": 10, "min_tokens": 4, "max_tokens": 40, "max_bytes": 200, "max_tries": 100}
VOCABULARY, FILTER, STATES = (2, 3, 4, 7, 9), (5,), (6, 8)
"""Sections of a segment, by number. That which has a row for each word is of the vocabulary."""
CARGO = ("cargo", "run", "--quiet", "--locked", "--release", "--package", "chaffinch-chain", "--example", "figures")
ROOT = Path(__file__).resolve().parents[1]


def directory(state: Path) -> Path:
    """Where the chain of the one tenant lies."""
    return state / "chains" / TENANT


def train(state: Path, file: Path) -> Figures:
    """The command line trains a tenant that is new."""
    done = run([sys.executable, "-m", "chaffinch", "chain", "train", TENANT, str(file), "--state", str(state)])
    return {"seconds": done.seconds, "cpu_seconds": done.cpu_seconds, "peak_bytes": done.peak_bytes}


def training(folder: Path, file: Path) -> tuple[Path, Figures]:
    """Train several times, each into a state directory of its own; the last one, and the medians."""
    states = [folder / f"{file.stem}-{number}" for number in range(TRAININGS)]
    return states[-1], medians([train(state, file) for state in states])


def show_training(messages: int, ours: Figures, whole: bool) -> None:
    seconds, peak = ours["seconds"], ours["peak_bytes"] / 1e6
    print(
        f"train {messages:,} messages, durable: {at_most(seconds, 2.5, 's') if whole else f'{seconds:.2f} s'}, "
        f"{ours['cpu_seconds']:.2f} s of CPU, {at_most(peak, 256, 'MB', 0) if whole else f'{peak:.0f} MB'} at its peak "
        f"(median of {TRAININGS})"
    )


def show_peers(file: Path, ours: Figures, whole: bool) -> dict[str, Figures]:
    """Run the peers over the same file; their figures by name."""
    name = f"markovify {importlib.metadata.version('markovify')}"
    done = {name: apart(peers.markovify_text, corpus=str(file), retain=True)}
    if whole:
        done[f"{name} without its corpus"] = apart(peers.markovify_text, corpus=str(file), retain=False)
    done["dict of dicts"] = apart(peers.plain_dicts, corpus=str(file))
    for name, its in done.items():
        ratio, memory = its["seconds"] / ours["seconds"], its["peak_bytes"] / ours["peak_bytes"]
        bounded = whole and its["tested"]
        print(
            f"  {name}: {its['seconds']:.2f} s, {its['cpu_seconds']:.2f} s of CPU, {its['peak_bytes'] / 1e6:,.0f} MB: "
            "chaffinch is "
            f"{at_least(ratio, 12, 'x', 1) if bounded else f'{ratio:.1f}x'} as fast, in 1/{memory:.1f} of the memory"
        )
    return done


def show_size(chain: Path) -> None:
    """Bytes of the segments, less their vocabulary, for each transition of full order."""
    files = list(chain.glob("*.segment"))
    lengths = Counter[int]()
    for file in files:
        lengths.update(sections(file))
    with Chain.open(chain) as opened:
        stats = opened.stats()

    def each(names: tuple[int, ...]) -> str:
        return f"{sum(lengths[name] for name in names) / stats.full_transitions:.1f}"

    words = sum(lengths[name] for name in VOCABULARY)
    rest = sum(file.stat().st_size for file in files) - words
    print(
        f"segment: {at_most(rest / stats.full_transitions, 20, 'bytes', 1)} a transition, for "
        f"{stats.full_transitions:,} of full order: states {each(STATES)}, novelty filter {each(FILTER)}; "
        f"{rest / stats.transitions:.1f} bytes for each of {stats.transitions:,} of all orders; "
        f"besides {words / 1e6:.1f} MB for {stats.vocabulary:,} words; all files {stats.bytes / 1e6:.0f} MB"
    )


def sections(segment: Path) -> dict[int, int]:
    """The length of each section, by the footer: rows of name, checksum, offset, length before the last 24 bytes."""
    with segment.open("rb") as file:
        file.seek(-24, os.SEEK_END)
        (count,) = struct.unpack("<I", file.read(4))
        file.seek(-24 * (count + 1), os.SEEK_END)
        rows = struct.iter_unpack("<IIQQ", file.read(24 * count))
        return {name: length for name, _, _, length in rows}


def speaking(chain: str) -> Figures:
    """One call at a time, and in lots: as it is by default, without the novelty filter, and with every filter."""
    with Chain.open(Path(chain)) as opened:
        opened.generate(LOT)
        single = []
        for _ in range(SINGLE_CALLS):
            began = time.perf_counter_ns()
            opened.generate()
            single.append((time.perf_counter_ns() - began) / 1000)
        tries = [said.tries for said in opened.say(1000, **FILTERS)]
        return {
            "p50_us": percentile(single, 0.5),
            "p99_us": percentile(single, 0.99),
            "lots": rates(lambda: len(opened.generate(LOT))),
            "bare": rates(lambda: len(opened.generate(LOT, novel=False))),
            "filtered": rates(lambda: len(opened.generate(LOT, **FILTERS))),
            "filtered_tries": statistics.mean(tries),
        }


def rates(say: Callable[[], int]) -> Figures:
    """Sentences a second, and a second of CPU: medians over several lots."""
    lots = []
    for _ in range(LOTS):
        began, cpu_began = time.perf_counter(), time.process_time()
        made = say()
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
        lots.append({"rate": made / seconds, "cpu_rate": made / cpu_seconds})
    return medians(lots)


def show_speaking(chain: Path, others: dict[str, Figures]) -> None:
    ours = apart(speaking, chain=str(chain))
    print(
        f"one call from Python: p50 {at_most(ours['p50_us'], 12, 'us', 1)}, p99 {ours['p99_us']:.1f} us\n"
        f"generate({LOT:,}), nothing copied: {at_least(ours['lots']['rate'], 200_000, '/s')}, "
        f"{ours['lots']['cpu_rate']:,.0f} a second of CPU; without that filter {ours['bare']['rate']:,.0f}/s\n"
        f"all filters ({', '.join(f'{name}={value}' for name, value in FILTERS.items())}): "
        f"{at_least(ours['filtered']['rate'], 100_000, '/s')}, {ours['filtered']['cpu_rate']:,.0f} a second of CPU, "
        f"with {ours['filtered_tries']:.1f} tries each (medians of {LOTS})"
    )
    for name, its in others.items():
        tested = ", its overlap test on" if its["tested"] else ", untested"
        against = ours["filtered" if its["tested"] else "bare"]["rate"]
        print(f"  {name}{tested}: {its['rate']:,.1f}/s: chaffinch says {against / its['rate']:,.0f}x as many")


def show_rust(file: Path) -> None:
    """The engine alone, on one thread: `crates/chain/examples/figures.rs`."""
    output = run([*CARGO, "--", str(file)], cwd=ROOT).output
    figures = {name: float(value) for name, value, _ in map(str.split, output.splitlines())}
    print(
        f"in Rust, one thread, nothing copied: {at_least(figures['filters_on'], 250_000, '/s')}, "
        f"p50 {figures['filters_on_p50'] / 1000:.1f} us, p99 {at_most(figures['filters_on_p99'] / 1000, 20, 'us', 1)}; "
        f"without that filter {figures['filters_off']:,.0f}/s"
    )


def opening(chain: str, write: bool = False) -> Figures:
    """Milliseconds to open a chain: the first time in a process, and the median of more."""
    took = []
    for _ in range(OPENINGS):
        began = time.perf_counter()
        opened = Chain.open(Path(chain), write=write)
        took.append((time.perf_counter() - began) * 1000)
        opened.close()
    return {"first_ms": took[0], "median_ms": statistics.median(took)}


def crashing(chain: str, file: str) -> Figures:
    """Learn until the delta wants to be merged or the file ends, and die without a word."""
    with Path(file).open(encoding="utf-8", newline="\n") as lines:
        opened = Chain.open(Path(chain), write=True)
        learned = 0
        while not opened.wants_merge and (some := [Message(line) for line in itertools.islice(lines, 1000)]):
            learned += opened.add(some).learned
    print(json.dumps({"learned": learned, "memory_bytes": opened.memory_bytes}), flush=True)
    os._exit(0)


def show_opening(folder: Path, file: Path, chains: dict[int, Path]) -> None:
    for messages, chain in chains.items():
        reading, writing = apart(opening, chain=str(chain)), apart(opening, chain=str(chain), write=True)
        print(
            f"open, {messages:,} messages: for reading {reading['median_ms']:.2f} ms, the first time in a process "
            f"{at_most(reading['first_ms'], 5, 'ms')}; for writing {writing['median_ms']:.2f} ms, the first time "
            f"{at_most(writing['first_ms'], 5, 'ms')}"
        )
    state = folder / "crashed"
    train(state, corpus.written(folder, 1000))
    crashed = apart(crashing, chain=str(directory(state)), file=str(file))
    print(
        f"a crash leaves {crashed['learned']:,} messages in the log only, {crashed['memory_bytes'] / 1e6:.0f} MB of "
        "delta: as many as there are before a merge is asked for"
    )
    for write, what in ((False, "reading"), (True, "writing")):
        its = apart(opening, chain=str(directory(state)), write=write)
        print(f"  open for {what} after it: {its['median_ms']:.0f} ms")


def resting(chain: str) -> Figures:
    """Speak for a while, then wait until the standard input ends."""
    opened = Chain.open(Path(chain))
    for _ in range(300):
        opened.generate(1000)
    print("spoken", flush=True)
    sys.stdin.read()
    return {}


@contextlib.contextmanager
def spoken(chain: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has spoken from the chain and still has it open."""
    arguments = command(resting, chain=str(chain))
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.communicate()


def show_memory(chain: Path, messages: int) -> None:
    with spoken(chain) as one:
        alone, anonymous = private_bytes(one.pid) / 1e6, anonymous_bytes(one.pid) / 1e6
        with spoken(chain) as other:
            beside = max(private_bytes(one.pid), private_bytes(other.pid)) / 1e6
    print(
        f"memory of a process that said 300,000 sentences of {messages:,} messages: {anonymous:.1f} MB written; "
        f"private {at_most(beside, 40, 'MB', 1)} while another process has the chain open, {alone:.1f} MB when it is "
        "the only one that maps these pages of the page cache"
    )


def main() -> None:
    asked = corpus.arguments(__doc__).messages
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name:
        folder = Path(name)
        print(f"the corpus: {corpus.NATURE}")
        chains: dict[int, Path] = {}
        others: dict[str, Figures] = {}
        for messages in sorted({1000, min(100_000, asked), asked}):
            file = corpus.written(folder, messages)
            state, ours = training(folder, file)
            chains[messages] = directory(state)
            if messages > 1000:
                show_training(messages, ours, messages == corpus.MESSAGES)
                others = show_peers(file, ours, messages == corpus.MESSAGES)
        show_size(chains[asked])
        show_speaking(chains[asked], others)
        show_rust(file)
        show_opening(folder, file, chains)
        show_memory(chains[asked], asked)


if __name__ == "__main__":
    main()
