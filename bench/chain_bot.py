"""What a bot asks of a chain besides words: the attachment for a reply, a purge of a hundred messages, a chain anew.

`--messages 100000` is a quick look. One message in twenty has an attachment, whose address is made up. The bound is
stated for a million messages and stands there only. Each figure comes from a process of its own; files are in the page
cache.
"""

import asyncio
import json
import logging
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import corpus
from bench.apart import Figures, apart, at_most, percentile
from chaffinch.chain import Chain, Message, Options, Pool, Tenants

ATTACHED = 20
"""One message in so many has an attachment."""
REPLIES = 20_000
REFERENCES = 30
AUTHORS = 50
PURGED = 100
PURGES = 50
ANEW = 20_000
PUBLISHED = 5
TENANT = "bench"


def attached(file: Path) -> Path:
    """The messages as NDJSON with ids, authors and, now and then, an attachment."""
    path, rng = file.with_suffix(".attached"), random.Random(5)
    with file.open(encoding="utf-8", newline="\n") as lines, path.open("w", encoding="utf-8", newline="\n") as out:
        for number, line in enumerate(lines):
            message = {"id": str(number), "author": f"author{number % 100}", "text": line.rstrip("\n")}
            if rng.randrange(ATTACHED) == 0:
                message |= {"attachments": [f"https://cdn.example/attachments/1/{number}/picture.png?until=65f0"]}
            out.write(json.dumps(message, ensure_ascii=False) + "\n")
    return path


def training(chain: str, file: str) -> Figures:
    """Learn the file into a new chain; how many messages that are."""
    with Chain.open(Path(chain), write=True, create=Options()) as opened:
        return {"learned": opened.train(Path(file), format="ndjson").added.learned}


def illustrating(chain: str) -> Figures:
    """Microseconds to find the attachment that goes with a made message, one call at a time."""
    with Chain.open(Path(chain)) as opened:
        texts = opened.generate(REPLIES, rng_seed=1)
        before = opened.memory_bytes
        first = _milliseconds(lambda: opened.illustration(texts[0]))
        took, hits = [], 0
        for text in texts:
            began = time.perf_counter_ns()
            found = opened.illustration(text)
            took.append((time.perf_counter_ns() - began) / 1000)
            hits += found is not None and found.shared > 0
        return {
            "first_ms": first,
            "memory_bytes": opened.memory_bytes - before,
            "p50_us": percentile(took, 0.5),
            "p99_us": percentile(took, 0.99),
            "hits": hits / len(texts),
            "references_ms": statistics.median(
                _milliseconds(lambda text=text: opened.references(text))  # type: ignore[misc]
                for text in texts[:REFERENCES]
            ),
            "count_ms": statistics.median(
                _milliseconds(lambda author=author: opened.count(author=f"author{author}"))  # type: ignore[misc]
                for author in range(AUTHORS)
            ),
        }


def purging(chain: str, messages: int) -> Figures:
    """Milliseconds until so many ids are forgotten, durably, in one call and one by one."""
    ids = [str(number) for number in random.Random(7).sample(range(messages), PURGED * (PURGES + 1))]
    lots = [ids[first : first + PURGED] for first in range(0, len(ids), PURGED)]
    with Chain.open(Path(chain), write=True) as opened:
        each = [_milliseconds(lambda lot=lot: opened.forget(messages=lot)) for lot in lots[1:]]  # type: ignore[misc]
        one_by_one = _milliseconds(lambda: [opened.forget(message=one) for one in lots[0]])
    return {"p50_ms": statistics.median(each), "most_ms": max(each), "one_by_one_ms": one_by_one}


def publishing(state: str) -> Figures:
    """Milliseconds in which a chain anew takes the place of a tenant's, and the longest that a call waited then."""
    logging.disable()  # slow calls are counted
    return asyncio.run(_publish(Path(state)))


async def _publish(state: Path) -> Figures:
    took, waited, stop = [], [0.0], False

    async def speak(tenants: Tenants) -> None:
        while not stop:
            began = time.perf_counter()
            await tenants.generate(TENANT, wait=True, novel=False)
            waited[-1] = max(waited[-1], (time.perf_counter() - began) * 1000)

    async with Pool() as pool, Tenants(state, pool) as tenants:
        made = [Message(f"words of {number} and {number % 97}", id=str(number)) for number in range(ANEW)]
        await tenants.add(TENANT, made[:100])
        speaking = asyncio.ensure_future(speak(tenants))
        for _ in range(PUBLISHED):
            await tenants.add(TENANT, made, anew=True)
            waited.append(0.0)
            began = time.perf_counter()
            await tenants.publish(TENANT)
            took.append((time.perf_counter() - began) * 1000)
        stop = True
        await speaking
    return {"p50_ms": statistics.median(took), "waited_ms": max(waited[1:])}


def _milliseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    asked = corpus.arguments(__doc__).messages
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name:
        folder, whole = Path(name), asked == corpus.MESSAGES
        chain = folder / "chain"
        learned = apart(training, chain=str(chain), file=str(attached(corpus.written(folder, asked))))["learned"]
        print(f"the corpus: {corpus.NATURE}; {learned:,} messages, one in {ATTACHED} with an attachment")
        its = apart(illustrating, chain=str(chain))
        p99 = its["p99_us"] / 1000
        print(
            f"the attachment for a reply: p50 {its['p50_us']:.1f} us, p99 "
            f"{at_most(p99, 2, 'ms', 2) if whole else f'{p99:.2f} ms'}; for {its['hits']:.0%} one that shares a run; "
            f"the first call {its['first_ms']:.0f} ms, {its['memory_bytes'] / 1e6:.1f} MB from then on\n"
            f"references, which read every message: {its['references_ms']:.0f} ms; "
            f"count of an author: {its['count_ms']:.2f} ms (medians)"
        )
        purged = apart(purging, chain=str(chain), messages=asked)
        print(
            f"forget {PURGED} ids at once, durably: median {purged['p50_ms']:.1f} ms, most {purged['most_ms']:.1f} ms; "
            f"one by one {purged['one_by_one_ms']:.0f} ms"
        )
        published = apart(publishing, state=str(folder / "state"))
        print(
            f"publish a chain anew of {ANEW:,} messages: median {published['p50_ms']:.0f} ms of {PUBLISHED}; "
            f"a call that came meanwhile waited {published['waited_ms']:.0f} ms at the most"
        )


if __name__ == "__main__":
    main()
