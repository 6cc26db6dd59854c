"""The messages that the benches of the chain read: a million short lines of chat, or a likeness made of made-up words.

The real ones lie beside the repository and are not part of it. Where they are missing, as many lines are drawn from a
vocabulary whose n-th word is said in proportion to 1/n, with one line in eight from a few dozen that recur.
"""

import argparse
import itertools
import json
import lzma
import random
from collections.abc import Iterator
from pathlib import Path

ARCHIVE = Path(__file__).resolve().parents[2] / "shared" / "data" / "messages-1m.txt.xz"
NATURE = "short lines of chat" if ARCHIVE.exists() else "made up, for the real messages are not here"
MESSAGES = 1_000_000
AUTHORED = 10_000
"""Messages of each author in the corpus with authors."""


def arguments(about: str) -> argparse.Namespace:
    """The options that the benches of the chain share."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--messages", type=int, default=MESSAGES, help="of the corpus; fewer for a quick look")
    return parser.parse_args()


def written(folder: Path, messages: int) -> Path:
    """A file of that many messages, one a line."""
    path = folder / f"messages-{messages}"
    lines = _unpacked() if ARCHIVE.exists() else _made_up()
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(itertools.islice(lines, messages))
    return path


def authored(file: Path) -> Path:
    """The same messages as NDJSON with ids, channels and authors; each author has `AUTHORED` of them."""
    path = file.with_suffix(".ndjson")
    lines = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    authors = max(1, len(lines) // AUTHORED)
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for number, line in enumerate(lines):
            message = {
                "id": str(number),
                "author": f"author{number % authors}",
                "channel": f"channel{number % 7}",
                "text": line,
            }
            out.write(json.dumps(message, ensure_ascii=False) + "\n")
    return path


def _unpacked() -> Iterator[str]:
    with lzma.open(ARCHIVE, "rt", encoding="utf-8", newline="\n") as file:
        yield from file


def _made_up() -> Iterator[str]:
    rng = random.Random(20)
    syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(200_000)]
    shares = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    recurring = [" ".join(rng.choices(words, cum_weights=shares, k=rng.randint(1, 3))) for _ in range(40)]
    while True:
        drawn = iter(rng.choices(words, cum_weights=shares, k=80_000))
        for _ in range(8_000):
            if rng.random() < 1 / 8:
                yield rng.choice(recurring) + "\n"
            else:
                yield " ".join(itertools.islice(drawn, min(30, 1 + int(rng.expovariate(1 / 6))))) + "\n"
