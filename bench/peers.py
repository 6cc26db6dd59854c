"""What the chain is measured against: markovify as it is normally used, and a plain dict of dicts.

Each function is called in a process of its own. The corpus is in memory before the clock starts.
"""

import random
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from bench.apart import Figures

SPEAKING_SECONDS = 2.0


def markovify_text(corpus: str, retain: bool) -> Figures:
    """Train `markovify.NewlineText`, then make sentences: with its overlap test where it retains what that needs."""
    import markovify  # type: ignore[import-untyped]

    text = Path(corpus).read_text(encoding="utf-8")
    began, cpu_began = time.perf_counter(), time.process_time()
    model = markovify.NewlineText(text, retain_original=retain)
    took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
    return {"tested": retain, **took, **speaking(lambda: model.make_sentence(test_output=retain))}


def plain_dicts(corpus: str) -> Figures:
    """Order 2: a dict of counts for each pair of words. Nothing keeps it from repeating a source message."""
    text = Path(corpus).read_text(encoding="utf-8")
    began, cpu_began = time.perf_counter(), time.process_time()
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in text.removesuffix("\n").split("\n"):
        first, second = "", ""
        for word in line.split():
            counts[first, second][word] += 1
            first, second = second, word
        counts[first, second][""] += 1
    took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}

    def say() -> str:
        words = ["", ""]
        while True:
            following = counts[words[-2], words[-1]]
            word = random.choices(list(following), weights=list(following.values()))[0]
            if not word:
                return " ".join(words[2:])
            words.append(word)

    return {"tested": False, **took, **speaking(say)}


def speaking(say: Callable[[], str | None]) -> Figures:
    """Sentences a second; what came to nothing takes time and counts for none."""
    began, cpu_began, made = time.perf_counter(), time.process_time(), 0
    while (passed := time.perf_counter() - began) < SPEAKING_SECONDS:
        made += say() is not None
    return {"rate": made / passed, "cpu_rate": made / (time.process_time() - cpu_began)}
