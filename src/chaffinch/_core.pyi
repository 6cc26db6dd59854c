# ruff: noqa: PYI021 - a compiled module has no other place where a reader finds its documentation
"""The compiled core: chains, bounded histograms, load runs, confinement. Bindings only: logic is in `crates/`."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import final

__all__ = [
    "Ask",
    "Chain",
    "ChainError",
    "Confinement",
    "Histograms",
    "LoadError",
    "LoadRun",
    "Totals",
    "confine",
    "drop_bounding_set",
    "drop_capabilities",
    "enter_network_namespace",
    "give_back_memory",
    "landlock_abi",
    "least_record_bytes",
    "make_network_namespace",
    "no_new_privs",
    "redact",
    "remove_network_namespace",
    "set_dumpable",
    "set_parent_death_signal",
    "set_process_name",
]

class ChainError(Exception):
    """What went wrong with a chain: `args` are its kind and a sentence.

    The kinds are `input`, `io`, `damaged`, `newer`, `locked` and `nothing_new`.
    """

@final
class Ask:
    """What is asked of a chain; checked once, used for any number of messages.

    Bounds are those of the whole message: `min_tokens` to `max_tokens` tokens, at most `max_bytes` bytes of UTF-8. With
    `novel` nothing equals a source message, and no run longer than the chain's `max_copied_tokens` comes from one.
    `min_score` is the least sum over drawn tokens of the successors there were, less one each. Of `seed` and `starting`
    only one can be given.
    """

    def __new__(
        cls,
        *,
        max_tries: int = 1000,
        min_score: int = 0,
        min_tokens: int = 1,
        max_tokens: int = 200,
        max_bytes: int = 2000,
        novel: bool = True,
        seed: str | None = None,
        starting: str | None = None,
        containing: str | None = None,
        ending: str | None = None,
    ) -> Ask: ...

@final
class Chain:
    """One open chain. Every method but the properties releases the GIL; all raise `ChainError`.

    Options and results are JSON; `chaffinch.chain` makes structs of them.
    """

    @staticmethod
    def open(
        directory: str | PathLike[str],
        *,
        write: bool = False,
        create: str | None = None,
        names: Sequence[str] = (),
        segment_memory: int | None = None,
    ) -> Chain:
        """Open the chain of a directory, for reading unless `write`; `create` are the options of one that is new.

        `names` are what a guarded chain replaces from now on besides what it finds by itself; `segment_memory` bytes
        are what making a segment takes, about.
        """

    def close(self) -> None:
        """Give up files and lock as soon as nothing runs on the chain. Everything acknowledged is durable already."""

    def refresh(self) -> None:
        """Bring a reader up to what is on the disk now; a writer always is."""

    @property
    def options(self) -> str: ...
    @property
    def names(self) -> list[str]:
        """What a guarded chain replaces besides what it finds by itself."""

    @property
    def is_writer(self) -> bool: ...
    @property
    def memory_bytes(self) -> int:
        """Bytes of the delta, of what was forgotten, and of what finds attachments, in memory."""

    @property
    def unmerged_bytes(self) -> int:
        """Those of them that a merge would put on the disk."""

    @property
    def wants_merge(self) -> bool:
        """Whether the delta is so large that it should be merged."""

    def add(self, messages: Sequence[tuple[str, str, str, int | None, str, list[str]]]) -> str:
        """Learn messages, durably: id, author, channel (empty: none), milliseconds since 1970, text, attachments."""

    def train(
        self,
        key: str,
        path: str | PathLike[str],
        *,
        format: str | None = None,
        skip_bad: bool = False,
        report: Callable[[int, int, int | None], bool] | None = None,
    ) -> str:
        """Learn a file; `key` names it from run to run, so that a run that was cut off goes on exactly.

        `report` is told the records and bytes read so far and the file's length, and ends the training by returning
        false.
        """

    def generate(self, ask: Ask, count: int = 1, rng_seed: int | None = None) -> list[str]:
        """Up to `count` new messages; fewer when no more could be made."""

    def say(self, ask: Ask, count: int = 1, rng_seed: int | None = None) -> list[tuple[str, int, int]]:
        """The same, each with its score and the tries it took."""

    @staticmethod
    def mix(
        chains: Sequence[tuple[Chain, int]], ask: Ask, count: int = 1, rng_seed: int | None = None
    ) -> list[tuple[str, int, int]]:
        """Messages from several chains with weights; nothing is copied from any of them."""

    def references(self, text: str, most: int = 5) -> str:
        """The source messages that share most with a text."""

    def illustration(self, text: str, rng_seed: int | None = None) -> str | None:
        """The source message with attachments that shares most with a text, else any with attachments."""

    def count_author(self, author: str) -> int: ...
    def count_channel(self, channel: str) -> int: ...
    def forget_messages(self, ids: Sequence[str]) -> int:
        """Forget the messages of these ids, all or none; how many there were."""

    def forget_author(self, author: str) -> int: ...
    def forget_channel(self, channel: str) -> int: ...
    def forget_before(self, time_ms: int) -> int:
        """Forget what was written before a time, in milliseconds since 1970; what has no time stays."""

    def merge(self, *, whole: bool = False, options: str | None = None) -> str:
        """Make new segments of the delta and of what it pays to touch; of everything if `whole` or with new options."""

    def stats(self) -> str: ...
    def verify(self) -> str:
        """Read every file against its checksums."""

    def export(self, path: str | PathLike[str]) -> int:
        """Write a portable archive to a file that is not there yet; how many messages it holds."""

    @staticmethod
    def import_archive(
        directory: str | PathLike[str], path: str | PathLike[str], names: Sequence[str] | None = None
    ) -> int:
        """Make a chain of an archive where there is none; how many messages it holds."""

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

class LoadError(Exception):
    """What is wrong with a plan or a run: `args` are its kind, `input` or `run`, and a sentence."""

@final
class LoadRun:
    """One run of the load engine. Its threads send without the GIL; every method may be called from any thread."""

    def __new__(cls, plan: str) -> LoadRun:
        """Make everything ready, and send nothing yet. Looks up names, without the GIL.

        `plan` is JSON as `chaffinch.load.plan.Plan` writes it. Raises `LoadError`: what it says cannot be done, or does
        not fit into the bytes that it gives.
        """

    def start(self) -> None:
        """Begin to send; a second call does nothing. Raises `LoadError` if the system has no threads left."""

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, after waiting for that at most so long, and at most a second."""

    def stop(self) -> None:
        """No more iterations begin; answers are waited for as long as the plan says."""

    def end(self) -> None:
        """Nothing is waited for any more."""

    def change(self, model: str, users: int) -> None:
        """Another load from now on, until the run's own end. Raises `LoadError` for a model that no run can have."""

    def replace(self, plan: str) -> None:
        """Other scenarios from now on, and another load if `plan` has one. Looks up new names, without the GIL.

        Iterations that have begun end as they began. Raises `LoadError`, and the run goes on as it was: what the plan
        says cannot be done, it differs in what a run keeps until its end, or no iterations begin any more.
        """

    def guard(self, action: str) -> None:
        """Give memory back (`drop_intervals`, `halve`, `fold_cold`, `percentiles_off`) or take it again (`restore`).

        Raises `ValueError` for any other.
        """

    def poll(self, since: int = 0, *, labels: bool = True) -> bytes:
        """How it goes, as JSON, with the intervals from number `since` on; labels take long when there are many."""

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

def least_record_bytes(labels: int, threads: int, intervals: int) -> int:
    """The fewest bytes of histograms and counts that a run needs: what `percentiles.bytes` of its plan has to give."""

def landlock_abi() -> int:
    """The Landlock ABI of this kernel, 0 when it has none."""

def no_new_privs() -> None:
    """No program that this process starts gains privileges. Raises `OSError`."""

def drop_bounding_set() -> int:
    """As root, before the user changes: empty the capability bounding set; how many were in it. Raises `OSError`."""

def drop_capabilities() -> None:
    """Give up every capability that the process holds. Raises `OSError`."""

def enter_network_namespace(path: str | PathLike[str]) -> None:
    """Put the calling thread into the network namespace at `path`; open sockets stay in theirs. Raises `OSError`."""

def make_network_namespace(path: str | PathLike[str]) -> None:
    """Make a network namespace and mount it on the new file `path`; the caller stays where it is. Raises `OSError`."""

def remove_network_namespace(path: str | PathLike[str]) -> None:
    """Unmount and remove `path`: the namespace ends with the last process and socket in it. Raises `OSError`."""

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

def give_back_memory() -> bool:
    """Have the C library give memory that was freed back to the system; whether it had any.

    glibc keeps what lies below something that is in use; other C libraries have no such call, and nothing is done.
    """

def redact(text: str, names: Sequence[str] = ()) -> str:
    """What a text becomes before a guarded chain learns it. Raises `ChainError` for names that cannot be used."""
