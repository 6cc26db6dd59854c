"""What is wrong with a file: collected, so that its owner sees all of it at once."""

import difflib
from collections.abc import Iterable
from typing import Final

import msgspec

from chaffinch.errors import InputError

SHOWN: Final = 20
"""Faults that one error shows."""

KEPT: Final = 1000
"""Faults that are collected; a file with more is wrong throughout."""


class Place(msgspec.Struct, frozen=True):
    """Where a part stands: the file (or the variable), the field in it, the lines of its keys."""

    source: str = ""
    field: str = ""
    line: int = 0
    """From 1; 0 has no line."""
    keys: dict[str, int] = {}

    def below(self, key: str) -> "Place":
        """The place of one of the part's keys."""
        field = f"{self.field}.{key}" if self.field else key
        return Place(self.source, field, self.keys.get(key, self.line))

    def __str__(self) -> str:
        line = f":{self.line}" if self.line else ""
        field = f"field {self.field}" if self.field else ""
        return ": ".join(part for part in (f"{self.source}{line}", field) if part)


class Faults:
    """The faults of one file, by line."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._found: list[tuple[int, str]] = []
        self._more = 0
        self.notes: list[str] = []
        """What is no fault and yet plays no part, a sentence each."""

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, line: int, field: str, what: str) -> None:
        """Note that `what` is wrong there."""
        self.at(Place(self.source, field, line), what)

    def at(self, place: Place, what: str) -> None:
        """The same, for a place."""
        if len(self._found) < KEPT:
            self._found.append((place.line, f"{place}: {what}" if str(place) else what))
        else:
            self._more += 1

    def check(self) -> None:
        """Raise `InputError` with the first of them if there are any."""
        if not self._found:
            return
        lines = list(dict.fromkeys(text for _, text in sorted(self._found, key=lambda fault: fault[0])))
        more = len(lines) - SHOWN + self._more
        if more > 0:
            lines[SHOWN:] = [f"{self.source}: {more} more, not shown: mend these first"]
        raise InputError("\n".join(lines))


def nearest(name: str, known: Iterable[str]) -> str:
    """`: did you mean 'X'?` for a name that is close to a known one, or the known ones."""
    names = list(known)
    folded = {one.lower(): one for one in names}
    close = difflib.get_close_matches(name[:64].lower(), list(folded), n=1, cutoff=0.5)
    if close:
        return f": did you mean {folded[close[0]]!r}?"
    return f": {', '.join(names)}" if names else ""


def shown(text: str) -> str:
    """A text of the file in an error: quoted, escaped, cut."""
    cut = text if len(text) <= 60 else text[:60] + "..."
    return msgspec.json.encode(cut.encode("utf-8", "replace").decode()).decode()
