"""One open chain. Synchronous and thread-safe: every call releases the GIL; `Pool` runs them off an event loop."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict, Unpack, cast

import msgspec

from chaffinch import _core
from chaffinch._core import Ask
from chaffinch.chain.errors import UnknownTenantError, translating
from chaffinch.chain.names import MANIFEST
from chaffinch.chain.results import (
    Added,
    Merged,
    Message,
    Options,
    Reference,
    Said,
    Stats,
    Trained,
    Verified,
)
from chaffinch.errors import InputError

Report = Callable[[int, int, int | None], bool]
"""Told the records and bytes read so far, and the file's length in bytes if it is known; false ends the training."""


class AskKeywords(TypedDict, total=False):
    """The keywords of `Ask`."""

    max_tries: int
    min_score: int
    min_tokens: int
    max_tokens: int
    max_bytes: int
    novel: bool
    seed: str | None
    starting: str | None
    containing: str | None
    ending: str | None


class Asked(AskKeywords, total=False):
    """What is asked of a chain, all of it optional: the keywords of `Ask`, or a whole `ask` instead."""

    ask: Ask


class Chain:
    """One open chain; a context manager that closes it.

    Every method raises `InputError` for what cannot be used and for a chain that is closed, `DamagedError` for a file
    that is not what was written into it, and `RunError` for what the machine did not let happen.
    """

    def __init__(self, directory: Path, core: _core.Chain) -> None:
        self.directory = directory
        self._core = core

    @classmethod
    @translating
    def open(
        cls,
        directory: Path,
        *,
        write: bool = False,
        create: Options | None = None,
        names: Sequence[str] = (),
        segment_memory: int | None = None,
    ) -> "Chain":
        """Open the chain of a directory: for reading, or for writing, which one holder at a time can.

        With `write`, `create` are the options of a chain that is made if there is none. `names` are what a guarded
        chain replaces from now on besides what it finds by itself. A merge or a training takes about `segment_memory`
        bytes (200 MiB) to make a segment: with less, segments are smaller and more. Raises `UnknownTenantError` if
        there is no chain, `LockedError` if somebody else writes it.
        """
        if not write and create is not None:
            raise InputError("a chain is made only when it is opened for writing: pass write=True")
        if create is None and not (directory / MANIFEST).is_file():
            raise UnknownTenantError(f"there is no chain in {directory}: train it first")
        options = None if create is None else create.to_json()
        core = _core.Chain.open(directory, write=write, create=options, names=names, segment_memory=segment_memory)
        return cls(directory, core)

    @property
    @translating
    def options(self) -> Options:
        """What the chain was made with, or got by a merge."""
        return msgspec.json.decode(self._core.options, type=Options)

    @property
    @translating
    def names(self) -> tuple[str, ...]:
        """What a guarded chain replaces besides what it finds by itself: all that it was ever opened with."""
        return tuple(self._core.names)

    @property
    @translating
    def is_writer(self) -> bool:
        """Whether this chain can be changed."""
        return self._core.is_writer

    @property
    @translating
    def memory_bytes(self) -> int:
        """Bytes in memory of what is not merged yet, of what was forgotten, and of what finds illustrations.

        Files are mapped and not counted.
        """
        return self._core.memory_bytes

    @property
    @translating
    def unmerged_bytes(self) -> int:
        """Those of `memory_bytes` that a merge would put on the disk."""
        return self._core.unmerged_bytes

    @property
    @translating
    def wants_merge(self) -> bool:
        """Whether so much is in memory that it should be merged."""
        return self._core.wants_merge

    @translating
    def train(
        self,
        path: Path,
        *,
        key: str | None = None,
        format: str | None = None,  # noqa: A002 - the word that the command line uses
        skip_bad: bool = False,
        report: Report | None = None,
    ) -> Trained:
        """Learn a file: lines, json, ndjson, discord or mbox, plain or compressed; found out unless `format` says.

        `key` names the file from run to run (by default its resolved path): a run that was cut off goes on exactly
        where it was, and a file that grew is read on. A bad record raises `InputError`, and nothing of the file is
        learned, unless `skip_bad`. What `report` raises ends the training and is raised.
        """
        named = str(path.resolve()) if key is None else key
        said = self._core.train(named, path, format=format, skip_bad=skip_bad, report=report)
        return msgspec.json.decode(said, type=Trained)

    @translating
    def add(self, messages: Iterable[Message]) -> Added:
        """Learn messages, in order; they are durable when this returns, and known to the next call at once."""
        rows = [(m.id, m.author, m.channel, m.time_ms, m.text, list(m.attachments)) for m in messages]
        return msgspec.json.decode(self._core.add(rows), type=Added)

    @translating
    def generate(self, n: int = 1, *, rng_seed: int | None = None, **ask: Unpack[Asked]) -> list[str]:
        """Up to `n` new messages; fewer when no more could be made. Raises `NothingNewError` when there is none.

        The same `rng_seed` (0 to 2**64 - 1) gives the same messages from the same chain.
        """
        return self._core.generate(asked(ask), n, rng_seed)

    @translating
    def say(self, n: int = 1, *, rng_seed: int | None = None, **ask: Unpack[Asked]) -> list[Said]:
        """The same as `generate`, each message with its score and the tries it took."""
        return [Said(*one) for one in self._core.say(asked(ask), n, rng_seed)]

    @translating
    def references(self, text: str, most: int = 5) -> list[Reference]:
        """The source messages that share most with a text, the closest first. Reads every message: for debugging."""
        return msgspec.json.decode(self._core.references(text, most), type=list[Reference])

    @translating
    def illustration(self, text: str, *, rng_seed: int | None = None) -> Reference | None:
        """The source message with attachments that shares most with a text; one of them if several do.

        Where none shares anything it is any with attachments, each as likely; None if there is none. Fast, but for the
        first call after a file of the chain was opened or made, which reads its messages with attachments.
        """
        found = self._core.illustration(text, rng_seed)
        return None if found is None else msgspec.json.decode(found, type=Reference)

    @translating
    def count(self, *, author: str | None = None, channel: str | None = None) -> int:
        """How many messages there are of an author, or in a channel: as many as `forget` would forget."""
        if (author is None) == (channel is None):
            raise InputError("say what to count by exactly one of author and channel")
        if author is not None:
            return self._core.count_author(author)
        assert channel is not None
        return self._core.count_channel(channel)

    @translating
    def forget(
        self,
        *,
        message: str | None = None,
        messages: Sequence[str] | None = None,
        author: str | None = None,
        channel: str | None = None,
        before: datetime | None = None,
    ) -> int:
        """Forget what matches exactly one of these; how many messages that were.

        It is out of every answer when this returns, and off the disk after the next merge. `messages` are ids, all of
        them forgotten or none, in one step. What has an id that comes later is learned, as if nothing had been said of
        it. `before` needs a time zone; a message without a time stays.
        """
        given = [one for one in (message, messages, author, channel, before) if one is not None]
        if len(given) != 1:
            raise InputError("say what to forget by exactly one of message, messages, author, channel and before")
        if message is not None:
            return self._core.forget_messages([message])
        if messages is not None:
            return self._core.forget_messages(messages)
        if author is not None:
            return self._core.forget_author(author)
        if channel is not None:
            return self._core.forget_channel(channel)
        assert before is not None
        return self._core.forget_before(milliseconds(before))

    @translating
    def merge(self, *, whole: bool = False, options: Options | None = None) -> Merged:
        """Write what is in memory, and what it pays to touch, into new segments; everything if `whole`.

        With `options` everything is written with them; see `Options` for what cannot change. Other calls go on
        meanwhile.
        """
        said = self._core.merge(whole=whole, options=None if options is None else options.to_json())
        return msgspec.json.decode(said, type=Merged)

    @translating
    def stats(self) -> Stats:
        """The chain in numbers. With several segments it reads every token: milliseconds, not microseconds."""
        return msgspec.json.decode(self._core.stats(), type=Stats)

    @translating
    def verify(self) -> Verified:
        """Read every file against its checksums. Faults are reported, not raised."""
        return msgspec.json.decode(self._core.verify(), type=Verified)

    @translating
    def export(self, path: Path) -> int:
        """Write a portable archive to a file that is not there yet; how many messages it holds."""
        return self._core.export(path)

    @translating
    def refresh(self) -> None:
        """Bring a reader up to what is on the disk now; a writer always is."""
        self._core.refresh()

    def close(self) -> None:
        """Give up files and lock as soon as no call runs. May be called again. Everything acknowledged is durable."""
        self._core.close()

    @staticmethod
    @translating
    def import_archive(directory: Path, path: Path, *, names: Sequence[str] | None = None) -> int:
        """Make a chain of an archive where there is none; how many messages it holds.

        `names` are what a guarded chain replaces from now on: an archive tells how many it had, and not which. Raises
        `InputError` if it had some and none are given here; an empty sequence goes on without.
        """
        return _core.Chain.import_archive(directory, path, names)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@translating
def mix(
    chains: Sequence[tuple[Chain, int]], n: int = 1, *, rng_seed: int | None = None, **ask: Unpack[Asked]
) -> list[Said]:
    """Up to `n` new messages from several chains: at each token one of those that can go on speaks, by its weight.

    Weights are whole numbers from 0 on, not all 0; chains must have the same mode. Nothing is copied from any of them.
    Raises as `Chain.generate` does.
    """
    weights: dict[Chain, int] = {}
    for chain, weight in chains:
        weights[chain] = weights.get(chain, 0) + weight
    # Each once and always in the same order: the core locks one after the other.
    ordered = sorted(weights, key=lambda chain: (chain.directory, id(chain)))
    cores = [(chain._core, weights[chain]) for chain in ordered]  # noqa: SLF001 - this module's own class
    return [Said(*one) for one in _core.Chain.mix(cores, asked(ask), n, rng_seed)]


@translating
def asked(keywords: Asked) -> Ask:
    """What the keywords ask: the whole `ask`, or one made of the others. Raises `InputError` for both at once."""
    if not keywords:
        return _ANYTHING
    if "ask" not in keywords:
        return Ask(**cast(AskKeywords, keywords))
    if len(keywords) > 1:
        raise InputError("give an Ask or its keywords, not both")
    return keywords["ask"]


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970. Raises `InputError` for a time without a zone."""
    if moment.tzinfo is None:
        raise InputError(f"{moment.isoformat()} has no time zone: add one, such as Z or +02:00")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


_ANYTHING = Ask()
_EPOCH = datetime.fromtimestamp(0, UTC)
