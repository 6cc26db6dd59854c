"""How far a training is, and what is shown of it. Pure: cursors and times in, an embed out."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from chaffinch.chat.book.book import Cursor
from chaffinch.chat.calls.call import Button, Embed, Field, Reply
from chaffinch.chat.payloads import MOST_FIELD, created_ms

MOST_REASON: Final = 200
"""Characters of a reason that are shown."""

STOP: Final = "train/stop"
"""The component that ends a training."""

BAR: Final = 20
"""Characters of the bar."""


class Progress(msgspec.Struct, frozen=True):
    """A training at one moment."""

    clean: bool
    cursors: Sequence[Cursor] = ()
    reading: Collection[int] = ()
    """Channels that are read just now."""
    waiting: Mapping[int, str] = {}
    """Channels that Discord gave no page of just now, and why; 0: the guild, or the chain."""
    learned: int = 0
    """Messages, those of earlier starts among them."""
    rate: float = 0.0
    """Messages a second lately."""
    place: int = 0
    """How many trainings come before it; 0: it runs."""
    file: str = ""
    """The name of the file that is learned instead of channels."""
    file_fraction: float = 0.0
    began_at: float = 0.0
    """The fraction at which this start began."""
    seconds: float = 0.0
    """Since then."""
    last_error: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """What a training came to."""

    clean: bool
    learned: int = 0
    duplicates: int = 0
    wordless: int = 0
    """Messages of people without text and attachments; of a file without text."""
    unreadable: int = 0
    """Messages that are not what Discord's messages look like."""
    left_out: int = 0
    """Messages of a file that are not learned: of bots, and of the system."""
    no_room: int = 0
    """Messages that the vocabulary had no room for."""
    passed_over: Sequence[Cursor] = ()
    seconds: float = 0.0
    file: str = ""
    cancelled: bool = False
    kept_old: bool = False
    """There was nothing to put in the old chain's place."""
    error: str = ""
    """Why it ended without having learned everything."""


def is_finished(cursor: Cursor) -> bool:
    """Whether nothing more is read of it: it is done, or passed over."""
    return cursor.done or bool(cursor.failed)


def fraction_of(cursor: Cursor) -> float:
    """How much of the time from a channel's making until the start is walked."""
    span = cursor.newest_ms - cursor.oldest_ms
    if is_finished(cursor) or span <= 0:
        return 1.0 if is_finished(cursor) else 0.0
    return min(1.0, max(0.0, (cursor.newest_ms - created_ms(cursor.before)) / span))


def fraction_of_all(cursors: Sequence[Cursor]) -> float:
    """The same of all: each counts by its age."""
    walked, spans = 0.0, 0
    for cursor in cursors:
        span = max(1, cursor.newest_ms - cursor.oldest_ms)
        spans += span
        if cursor.done or cursor.failed:
            walked += span
        elif cursor.newest_ms != created_ms(cursor.before):  # most of thousands of threads are done, or not begun
            walked += span * fraction_of(cursor)
    return walked / spans if spans else 0.0


def fraction(progress: Progress) -> float:
    """How far a training is, from 0 to 1."""
    return progress.file_fraction if progress.file else fraction_of_all(progress.cursors)


def seconds_left(progress: Progress, done: float) -> float | None:
    """At the pace of this start, with that fraction `done`; None as long as that says nothing."""
    walked = done - progress.began_at
    if walked < 0.001 or progress.seconds < 1:
        return None
    return (1 - done) * progress.seconds / walked


def shown(progress: Progress) -> Reply:
    """The message that shows a training while it runs, with its button."""
    done = fraction(progress)
    cells = int(done * BAR)
    text = [_goal(progress.clean, progress.file), f"`{'#' * cells}{'-' * (BAR - cells)}` {done:.0%}"]
    if progress.place:
        text = [text[0], f"It waits for its turn: {_count(progress.place, 'training')} before it."]
    fields = [Field("Learned", _count(progress.learned, "message"), inline=True)]
    if progress.rate:
        fields.append(Field("Pace", f"{progress.rate:,.0f} a second", inline=True))
    left = seconds_left(progress, done)
    if left is not None and not progress.place:
        fields.append(Field("Time left", duration(left), inline=True))
    fields += _channels(progress)
    waits = sorted({_cut(reason) for reason in progress.waiting.values()})
    if waits or progress.last_error:
        fields.append(Field("Asks again", _lines(waits or [_cut(progress.last_error)])))
    embed = Embed(title="Training", text="\n".join(text), fields=tuple(fields))
    return Reply(embed=embed, buttons=(Button(STOP, "Stop", is_danger=True),))


def told(progress: Progress) -> str:
    """The same in a sentence, for who asks for a second training."""
    if progress.place:
        return f"A training waits for its turn here already: {_count(progress.place, 'training')} before it."
    done = fraction(progress)
    left = seconds_left(progress, done)
    rest = "" if left is None else f", about {duration(left)} left"
    return (
        f"A training runs here already: {done:.0%} done, "
        f"{_count(progress.learned, 'message')} learned{rest}. Wait for it, or press Stop on its message."
    )


def result(outcome: Outcome) -> Reply:
    """What is said when a training is over."""
    fields = [
        Field("Learned", _count(outcome.learned, "message"), inline=True),
        Field("Known already", f"{outcome.duplicates:,}", inline=True),
        Field("Took", duration(outcome.seconds), inline=True),
        Field("Pace", f"{outcome.learned / max(outcome.seconds, 1):,.0f} a second", inline=True),
    ]
    for name, count in (
        ("Without words", outcome.wordless),
        ("Of bots or the system", outcome.left_out),
        ("Not readable", outcome.unreadable),
        ("No room for their words", outcome.no_room),
    ):
        if count:
            fields.append(Field(name, f"{count:,}", inline=True))
    if outcome.passed_over:
        fields.append(Field("Passed over", _lines([_passed(cursor) for cursor in outcome.passed_over])))
    return Reply(embed=Embed(title="Training", text=_sentence(outcome), fields=tuple(fields)))


def duration(seconds: float) -> str:
    """In the two units that say most, such as `3 h 20 min`."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    units = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    first = next(index for index, (size, _) in enumerate(units) if whole >= size)
    parts = []
    for size, name in units[first : first + 2]:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts)


def _sentence(outcome: Outcome) -> str:
    from chaffinch.chat.calls.dispatch import sentence

    if outcome.error:
        return f"{sentence(outcome.error)} Nothing of it was learned, and the chain is what it was."
    if outcome.cancelled and outcome.clean:
        return "It was stopped. What it had learned is thrown away, and the chain is what it was."
    if outcome.cancelled:
        return "It was stopped. What it had learned until then stays."
    if outcome.kept_old:
        hint = " Discord gave messages without their text: is the Message Content intent switched on?"
        is_unread = outcome.wordless and not outcome.file
        return "There was nothing to learn, so the chain stays as it was." + (hint if is_unread else "")
    return "It is done." + (" The new chain has taken the old one's place." if outcome.clean else "")


def _goal(clean: bool, file: str) -> str:
    what = f"I learn the file {_cut(file)}" if file else "I learn the history of the channels that I listen to"
    how = " into a new chain, which takes the old one's place once it is whole." if clean else " beside what I know."
    return what + how


def _channels(progress: Progress) -> list[Field]:
    """Channels, each with how many of its threads are done."""
    done, current, passed = [], [], []
    threads = _threads(progress.cursors)
    for cursor in progress.cursors:
        if cursor.failed:
            passed.append(_passed(cursor))
        elif cursor.channel in progress.reading:
            current.append(f"{_named(cursor)}: {fraction_of(cursor):.0%}")
        elif cursor.done and cursor.channel == cursor.parent:
            finished, all_of_them = threads.get(cursor.channel, (0, 0))
            done.append(_named(cursor) + (f" ({finished} of {_count(all_of_them, 'thread')})" if all_of_them else ""))
    lists = (("Reading", current), ("Completed", done), ("Passed over", passed))
    return [Field(name, _lines(lines)) for name, lines in lists if lines]


def _threads(cursors: Sequence[Cursor]) -> dict[int, tuple[int, int]]:
    """How many of each channel's threads are finished, and how many there are: in one pass, of thousands of them."""
    threads: dict[int, tuple[int, int]] = {}
    for cursor in cursors:
        if cursor.channel != cursor.parent:
            finished, count = threads.get(cursor.parent, (0, 0))
            threads[cursor.parent] = (finished + is_finished(cursor), count + 1)
    return threads


def _passed(cursor: Cursor) -> str:
    return f"{_named(cursor)}: {_WHY.get(cursor.failed, cursor.failed)}"


_WHY: Final = {
    "403": "403, the bot may not read its history",
    "404": "404, it is gone",
}


def _named(cursor: Cursor) -> str:
    """Discord shows the name of what is written so, whatever it has in it; nobody is told."""
    return f"<#{cursor.channel}>"


def _lines(lines: Sequence[str]) -> str:
    """As many as fit into a field, and how many do not."""
    text = ""
    for index, line in enumerate(lines):
        rest = f"\nand {len(lines) - index} more"
        if len(text) + 1 + len(line) + len(rest) > MOST_FIELD:
            return text + rest
        text = f"{text}\n{line}" if text else line
    return text


def _cut(text: str) -> str:
    return text if len(text) <= MOST_REASON else text[: MOST_REASON - 3] + "..."


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
