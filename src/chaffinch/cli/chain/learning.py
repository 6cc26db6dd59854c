"""Learning several files one after the other, and what that came to."""

import time
from collections.abc import Sequence

import msgspec

from chaffinch.chain.engine import Chain
from chaffinch.chain.results import Bad, Cut, Trained
from chaffinch.cli.chain import shown
from chaffinch.cli.chain.progress import Bar, Stop
from chaffinch.cli.chain.sources import Source


class Total(msgspec.Struct, frozen=True):
    """What a training of several files did."""

    trained: Trained = Trained()
    files: int = 0
    replaced: dict[str, int] = {}
    """By kind what a guarded chain replaced."""
    seconds: float = 0.0
    stopped: bool = False
    """Whether it was asked to stop before it had read everything."""

    @property
    def pace(self) -> float:
        """Messages learned a second."""
        return self.trained.added.learned / self.seconds if self.seconds else 0.0


class Run:
    """One training. `total` is right at any moment, also after an error: of the files that were done."""

    def __init__(self, chain: Chain, sources: Sequence[Source], *, skip_bad: bool) -> None:
        self.total = Total()
        self._chain = chain
        self._sources = sources
        self._skip_bad = skip_bad
        sizes = [source.size for source in sources]
        self._bar = Bar(sum(size or 0 for size in sizes) if None not in sizes else None)
        self._before = 0
        self._asked = self._stopped = False

    def learn(self) -> None:
        """Learn all files. An error names what of them is learned, and is raised when the rest is settled."""
        began, counters = time.monotonic(), self._replaced()
        try:
            with Stop(gently=all(source.resumes for source in self._sources)) as self._stop:
                for number, source in enumerate(self._sources, 1):
                    trained = self._one(source)
                    self._total(trained, number)
                    self._before += source.size or 0
                    if self._stopped or (self._stop.wanted and number < len(self._sources)):
                        self._stopped = True
                        break
        finally:
            self._bar.clear()
            after = self._replaced().items()
            self.total = msgspec.structs.replace(
                self.total,
                seconds=time.monotonic() - began,
                stopped=self._stopped,
                replaced={kind: count - before for kind, count in after if count > (before := counters.get(kind, 0))},
            )

    def _one(self, source: Source) -> Trained:
        so_far = self.total.trained.records
        self._asked = False

        def report(records: int, done: int, _size: int | None) -> bool:
            self._bar.draw(source.path.name, so_far + records, self._before + done)
            # A refusal ends the reading, and is followed by one last report; the last of a file that was read to its
            # end follows none.
            self._stopped = self._asked
            self._asked = self._stop.wanted
            return not self._asked

        return self._chain.train(
            source.path, key=source.key, format=source.format, skip_bad=self._skip_bad, report=report
        )

    def _total(self, one: Trained, files: int) -> None:
        self.total = msgspec.structs.replace(self.total, trained=self.total.trained + one, files=files)

    def _replaced(self) -> dict[str, int]:
        if not self._chain.options.guarded:
            return {}
        counters = self._chain.stats().counters
        return {
            name.removeprefix("replaced_"): count for name, count in counters.items() if name.startswith("replaced_")
        }


def summary(total: Total) -> str:
    """What a training did, to read: a line for what was learned, and one for whatever else there was."""
    trained, added = total.trained, total.trained.added
    learned, files = shown.counted(added.learned, "message"), shown.counted(total.files, "file")
    lines = [f"learned {learned} of {files} in {total.seconds:.2f} s ({total.pace:,.0f} a second)"]
    cut = added.cut
    for count, what in (
        (trained.resumed, "passed over: learned from there before"),
        (added.duplicates, "known by id: not learned again"),
        (added.empty, "empty: nothing to learn in them"),
        (trained.left_out, "left out: of bots, or without text of their own"),
        (added.no_room, "not learned: the vocabulary is full"),
        (cut.messages_cut, f"cut: {shown.counted(cut.tokens_dropped, 'token')} at the end dropped"),
        (cut.tokens_shortened, "too long as a token: shortened"),
        (added.replaced, f"replaced as secret or personal{_kinds(total.replaced)}"),
        (trained.bad, "bad, passed over:"),
    ):
        if count:
            lines.append(f"{count:,} {what}")
    lines += [f"  {shown.line(str(bad))}" for bad in trained.first_bad]
    if trained.bad > len(trained.first_bad):
        lines.append(f"  and {trained.bad - len(trained.first_bad):,} more")
    return "\n".join(lines)


def _kinds(replaced: dict[str, int]) -> str:
    return ": " + ", ".join(f"{kind} {count:,}" for kind, count in sorted(replaced.items())) if replaced else ""


class Training(msgspec.Struct, frozen=True):
    """The same as JSON."""

    tenant: str
    files: int
    """Files that were read to the end, or to where the run was stopped."""
    records: int
    """Records of these files, learned before or now, bad ones among them."""
    learned: int
    """Messages that the chain learned now."""
    resumed: int
    """Records that an earlier run had learned."""
    duplicates: int
    """Messages whose id was known."""
    empty: int
    """Messages of which nothing was left to learn."""
    left_out: int
    """Messages of bots and the like."""
    no_room: int
    """Messages for which the vocabulary had no room."""
    bad: int
    """Records that could not be read, with `--skip-bad`."""
    first_bad: tuple[Bad, ...]
    """The first 20 of them."""
    cut: Cut
    """What the caps on tokens took away."""
    replaced: int
    """Secrets and personal data that a guarded chain replaced."""
    replaced_by_kind: dict[str, int]
    """The same by kind."""
    seconds: float
    messages_per_second: float
    stopped: bool
    """Whether a signal ended the run before it had read everything."""


def as_json(tenant: str, total: Total) -> str:
    """What a training did, as one JSON object."""
    trained, added = total.trained, total.trained.added
    return shown.as_json(
        Training(
            tenant=tenant,
            files=total.files,
            records=trained.records,
            learned=added.learned,
            resumed=trained.resumed,
            duplicates=added.duplicates,
            empty=added.empty,
            left_out=trained.left_out,
            no_room=added.no_room,
            bad=trained.bad,
            first_bad=trained.first_bad,
            cut=added.cut,
            replaced=added.replaced,
            replaced_by_kind=total.replaced,
            seconds=round(total.seconds, 3),
            messages_per_second=round(total.pace, 1),
            stopped=total.stopped,
        )
    )
