# ruff: noqa: PYI021 - a compiled module has no other place where a reader finds its documentation
"""The compiled core: bounded histograms and the confinement of a process. Bindings only; the logic is in `crates/`."""

from collections.abc import Sequence
from os import PathLike
from typing import final

__all__ = [
    "Confinement",
    "Histograms",
    "Totals",
    "confine",
    "drop_bounding_set",
    "drop_capabilities",
    "landlock_abi",
    "no_new_privs",
    "set_dumpable",
    "set_parent_death_signal",
    "set_process_name",
]

@final
class Totals:
    """Exact totals of a label's values, in nanoseconds; all 0 when there are none."""

    @property
    def count(self) -> int: ...
    @property
    def sum(self) -> int: ...
    @property
    def min(self) -> int: ...
    @property
    def max(self) -> int: ...
    @property
    def mean(self) -> float: ...

@final
class Histograms:
    """Latency histograms over a bounded label set, within a hard cap of bytes that counts names and tables too.

    A label is a number that `label` gives out. What finds no room folds into the label 0, named `Histograms.OTHER`, and
    is counted. A bucket is at most 0.78 % of its value wide. Raises `ValueError` when the cap cannot hold the tables.
    """

    OTHER: str
    def __new__(cls, cap_bytes: int, most_labels: int) -> Histograms: ...
    def label(self, name: str) -> int:
        """The number of the label of this name: its own if it has one or there is room for one, else 0."""

    def record(self, label: int, ns: int, times: int = 1) -> None:
        """Record a value in nanoseconds, `times` times (below 2**32). An unknown label counts as label 0."""

    def labels(self) -> list[tuple[int, str]]:
        """Number and name of each label that holds values of its own; label 0 is not among them."""

    def totals(self, label: int) -> Totals:
        """Count, sum, minimum, maximum and mean of a label; of label 0 for one that was folded or is not known."""

    def quantiles(self, label: int, qs: Sequence[float]) -> list[int]:
        """For each share (0 to 1) the value in nanoseconds, by nearest rank; 0 when the label has no value."""

    def fold(self, label: int) -> None:
        """Fold a label into label 0, now and for what is recorded under it from now on."""

    def to_bytes(self) -> bytes:
        """Everything recorded so far, as a versioned snapshot."""

    def merge_bytes(self, snapshot: bytes) -> None:
        """Add a snapshot: the same as having recorded it here. Raises `ValueError`, and adds nothing, if damaged."""

    def reset(self) -> None:
        """Forget every value; labels keep their numbers."""

    def clear(self) -> None:
        """Forget every value and every label."""

    @property
    def folded_records(self) -> int:
        """Values counted in label 0 instead of under their own label."""

    @property
    def folded_labels(self) -> int:
        """Different labels that were folded: an estimate, within a few percent."""

    @property
    def memory_bytes(self) -> int:
        """Bytes taken so far, never more than `cap_bytes`."""

    @property
    def cap_bytes(self) -> int: ...

@final
class Confinement:
    """What `confine` could do on this kernel.

    `abi` is the Landlock ABI; when it is 0 there is none, nothing was applied, and the whole is false. Its text is the
    ABI and what is denied besides writing: `7, no connect, no bind`.
    """

    def __bool__(self) -> bool: ...
    @property
    def abi(self) -> int: ...
    @property
    def connect_denied(self) -> bool: ...
    @property
    def bind_denied(self) -> bool: ...

def confine(
    writable: Sequence[str | PathLike[str]], allow_connect: bool = False, allow_bind: bool | None = None
) -> Confinement:
    """Deny writing everywhere but below `writable` (directories or files), and TCP connect and bind, for good.

    Unless it is said whether to `allow_bind`, it is allowed with connect and denied with it.
    Open descriptors keep working, listening sockets among them. Sets `no_new_privs`. Raises `OSError` that names the
    path that cannot be opened, or says that the process has other threads, which would stay free.
    """

def landlock_abi() -> int:
    """The Landlock ABI of this kernel, 0 when it has none."""

def no_new_privs() -> None:
    """No program that this process starts gains privileges. Raises `OSError`."""

def drop_bounding_set() -> int:
    """As root, before the user changes: empty the capability bounding set; how many were in it. Raises `OSError`."""

def drop_capabilities() -> None:
    """Give up every capability that the process holds. Raises `OSError`."""

def set_dumpable(dumpable: bool) -> None:
    """Whether the process may dump core and be traced by its own user. Raises `OSError`.

    While it is false, `/proc/PID/smaps_rollup` can be read by root and the process itself only.
    """

def set_parent_death_signal(signal: int) -> None:
    """The signal that the process gets when its parent ends, 0 for none. Raises `OSError`.

    A change of user resets it: set it afterwards, then check that the parent still lives.
    """

def set_process_name(name: str) -> None:
    """The name in `ps` and `top`, cut to 15 bytes. Raises `OSError` if it holds a zero character."""
