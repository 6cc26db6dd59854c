"""What a training reads: the files that were named, those below directories, standard input, starter corpora."""

import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from chaffinch.errors import InputError

STARTERS = ("chat", "mail", "tickets", "wiki", "shell")

CORPORA = Path(__file__).parents[2] / "chain" / "starter"

STANDARD_INPUT = "-"


class Source(NamedTuple):
    """One file or stream of messages."""

    path: Path
    key: str
    """Names it from run to run, so that a training goes on where it was."""
    format: str | None
    """None: found out from what is in it."""
    size: int | None
    """Bytes; none for a stream."""
    modified: int = 0
    """When it was last written, in nanoseconds since 1970; 0 for a stream."""

    @property
    def resumes(self) -> bool:
        """Whether a second run can read it again."""
        return self.size is not None


def sources_of(files: Sequence[str], starters: Sequence[str], form: str) -> tuple[Source, ...]:
    """What was named, each file once, in order. Raises `InputError` for what is not there, and for nothing at all."""
    if not files and not starters:
        raise InputError(f"name a file to learn, or a starter corpus (--starter {'|'.join(STARTERS)})")
    found = {source.key: source for source in map(_starter, starters)}
    for file in files:
        found |= {source.key: source for source in _named(file, None if form == "auto" else form)}
    if not found:
        raise InputError(f"{', '.join(files)} has no files; name one that has messages")
    return tuple(found.values())


def _starter(name: str) -> Source:
    path = CORPORA / f"{name}.txt"
    facts = path.stat()
    return Source(path, f"starter {name}", "lines", facts.st_size, facts.st_mtime_ns)


def _named(file: str, form: str | None) -> Iterator[Source]:
    path = Path(file)
    if file == STANDARD_INPUT:
        yield _stream(path, "standard input", form)
        return
    try:
        for each in below(path) if path.is_dir() else (path,):
            facts = each.stat()
            if stat.S_ISREG(facts.st_mode):
                yield Source(each, _key(each.resolve()), form, facts.st_size, facts.st_mtime_ns)
            else:
                yield _stream(each, _key(each), form)
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read ({error.strerror}); name another file") from None


def _key(path: Path) -> str:
    """The path as text: a byte that is no UTF-8, which a name may have, as `\\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _stream(path: Path, name: str, form: str | None) -> Source:
    """Nobody can read a stream again: each has a key of its own, so that nothing of it is passed over."""
    return Source(path, f"{name} {time.time_ns()}", form, None)


def below(directory: Path) -> Iterator[Path]:
    """All files below a directory, in the order of their names; without hidden ones, and each directory once."""
    waiting, entered = [directory], set()
    while waiting:
        path = waiting.pop()
        if not path.is_dir():
            if path.is_file():
                yield path
            continue
        real = path.resolve()
        if real not in entered:
            entered.add(real)
            inside = (each for each in path.iterdir() if not each.name.startswith("."))
            waiting += sorted(inside, key=lambda each: each.name, reverse=True)
