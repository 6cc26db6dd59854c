"""How many different numbers below 65,536 there were, and which: exact, in at most 8 KiB."""

import itertools
import re
from collections.abc import Iterable, Iterator

FEW = 32
"""So many numbers are kept as they are; more become one bit each."""

_NUMBERS = 1 << 16
_ONES = re.compile("1+")


class Distinct:
    """A set of numbers from 0 to 65,535."""

    __slots__ = ("_bits", "_count", "_few")

    def __init__(self) -> None:
        self._few: set[int] = set()
        self._bits: bytearray | None = None
        self._count = 0

    def add(self, number: int) -> None:
        """Count the number, once."""
        if self._bits is None:
            self._few.add(number)
            if len(self._few) > FEW:
                self._widen()
            return
        bit = 1 << (number & 7)
        if not self._bits[number >> 3] & bit:
            self._bits[number >> 3] |= bit
            self._count += 1

    def _widen(self) -> None:
        self._bits = bytearray(_NUMBERS // 8)
        few, self._few = self._few, set()
        for number in few:
            self.add(number)

    def __len__(self) -> int:
        return len(self._few) if self._bits is None else self._count

    def runs(self, most: int) -> str:
        """The numbers as `22,80,8000-8080`: the first `most` runs of them, and an ellipsis where there are more."""
        found = list(itertools.islice(self._runs(), most + 1))
        text = ",".join(str(low) if low == high else f"{low}-{high}" for low, high in found[:most])
        return text + ",…" if len(found) > most else text

    def _runs(self) -> Iterator[tuple[int, int]]:
        if self._bits is None:
            return _of_few(sorted(self._few))
        text = format(int.from_bytes(self._bits, "little"), f"0{_NUMBERS}b")[::-1]
        return ((ones.start(), ones.end() - 1) for ones in _ONES.finditer(text))


def _of_few(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    for _, run in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        yield members[0], members[-1]
