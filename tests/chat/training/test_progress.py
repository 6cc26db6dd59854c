"""What is shown of a training: percents by age, times, and embeds that Discord takes."""

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.book.book import Cursor
from chaffinch.chat.calls.call import Reply
from chaffinch.chat.payloads import EPOCH_MS
from chaffinch.chat.training.progress import (
    Outcome,
    Progress,
    duration,
    fraction,
    fraction_of,
    fraction_of_all,
    result,
    seconds_left,
    shown,
    told,
)

DAY = 86_400_000


def cursor(channel: int, *, days: float = 100, walked: float = 0, parent: int = 0, **changes: object) -> Cursor:
    """Of a channel that was made so many days ago and is walked for some of them."""
    now = EPOCH_MS + 1000 * DAY
    before = int(now - walked * DAY - EPOCH_MS) << 22
    made = Cursor(channel, parent or channel, f"room {channel}", before, now, int(now - days * DAY), 0, False)
    return msgspec.structs.replace(made, **changes)


def text_of(reply: Reply) -> str:
    assert reply.embed is not None
    return "\n".join([reply.embed.text, *(f"{field.name}: {field.value}" for field in reply.embed.fields)])


def test_a_channel_is_as_far_as_the_time_that_is_walked() -> None:
    assert fraction_of(cursor(1)) == 0
    assert fraction_of(cursor(1, walked=25)) == 0.25
    assert fraction_of(cursor(1, walked=200)) == 1
    assert fraction_of(cursor(1, walked=5, done=True)) == 1
    assert fraction_of(cursor(1, walked=5, failed="403")) == 1


def test_all_channels_count_by_their_age() -> None:
    assert fraction_of_all([cursor(1, days=300, walked=300), cursor(2, days=100)]) == 0.75
    assert fraction_of_all([]) == 0


def test_the_time_left_is_that_of_this_start() -> None:
    progress = Progress(clean=True, cursors=[cursor(1, walked=50)], began_at=0.4, seconds=30)
    assert seconds_left(progress, fraction(progress)) == pytest.approx(150)
    assert seconds_left(msgspec.structs.replace(progress, began_at=0.5), fraction(progress)) is None


def test_ten_thousand_threads_do_not_hold_the_bot_up() -> None:
    """It is shown every five seconds, and nothing is answered meanwhile."""
    rooms = [cursor(1 + room, done=True) for room in range(500)]
    threads = [cursor(1000 + one, parent=1 + one % 500, done=one < 5000) for one in range(10_000)]
    progress = Progress(clean=True, cursors=rooms + threads)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        text = text_of(shown(progress))
        took.append(time.perf_counter() - began)
    assert "(10 of 20 threads)" in text
    assert min(took) < 0.05


def test_what_is_shown() -> None:
    cursors = [
        cursor(1, done=True),
        cursor(2, walked=50),
        cursor(3, failed="403"),
        cursor(11, parent=1, done=True),
        cursor(12, parent=1),
    ]
    progress = Progress(
        clean=True, cursors=cursors, reading={2}, waiting={2: "Discord answers 503"}, learned=1234, rate=56.7, seconds=9
    )
    text = text_of(shown(progress))
    assert "70%" in text
    assert "Completed: <#1> (1 of 2 threads)" in text
    assert "Reading: <#2>: 50%" in text
    assert "Passed over: <#3>: 403, the bot may not read its history" in text
    assert "Learned: 1,234 messages" in text
    assert "Pace: 57 a second" in text
    assert "Asks again: Discord answers 503" in text
    assert [button.id for button in shown(progress).buttons] == ["train/stop"]
    assert told(progress).startswith("A training runs here already: 70% done, 1,234 messages learned, about 4 s left.")


def test_a_file_is_shown_by_its_bytes() -> None:
    progress = Progress(clean=False, file="old.json", file_fraction=0.5, learned=1, seconds=10)
    assert "I learn the file old.json beside what I know." in text_of(shown(progress))
    assert "50%" in text_of(shown(progress))
    assert "Time left: 10 s" in text_of(shown(progress))
    assert "Learned: 1 message\n" in text_of(shown(progress)) + "\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (90_061, "1 d 1 h"),
        (86_460, "1 d"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome(True, learned=5, seconds=2), "It is done. The new chain has taken the old one's place."),
        (Outcome(False, learned=5), "It is done."),
        (Outcome(True, cancelled=True), "It was stopped. What it had learned is thrown away, and the chain is"),
        (Outcome(False, cancelled=True), "It was stopped. What it had learned until then stays."),
        (Outcome(True, kept_old=True), "There was nothing to learn, so the chain stays as it was."),
        (Outcome(True, kept_old=True, wordless=9), "is the Message Content intent switched on?"),
        (Outcome(True, kept_old=True, wordless=9, file="a.json"), "so the chain stays as it was.\n"),
        (Outcome(True, left_out=7), "Of bots or the system: 7"),
        (Outcome(True, no_room=8), "No room for their words: 8"),
        (Outcome(True, error="a.json, line 3: no text"), "A.json, line 3: no text. Nothing of it was learned"),
    ],
)
def test_results(outcome: Outcome, text: str) -> None:
    assert text in text_of(result(outcome))
    assert result(outcome).buttons == ()


CURSORS = st.lists(
    st.builds(
        cursor,
        st.integers(1, 1 << 62),
        days=st.floats(-5, 3000),
        walked=st.floats(-5, 3000),
        parent=st.integers(0, 5),
        name=st.text(max_size=100),
        done=st.booleans(),
        failed=st.sampled_from(["", "", "403", "404", "it is not listened to any more"]),
    ),
    max_size=300,
)


@given(
    st.builds(
        Progress,
        clean=st.booleans(),
        cursors=CURSORS,
        reading=st.frozensets(st.integers(1, 1 << 62)),
        waiting=st.dictionaries(st.integers(), st.text(min_size=1, max_size=500), max_size=30),
        learned=st.integers(0, 1 << 60),
        rate=st.floats(0, 1e9),
        place=st.integers(0, 5),
        file=st.text(max_size=300),
        began_at=st.floats(0, 1),
        seconds=st.floats(0, 1e9),
        last_error=st.text(max_size=500),
    )
)
def test_discord_takes_whatever_is_shown(progress: Progress) -> None:
    """Embed limits of the API reference: 6000 characters in all."""
    passed = [one for one in progress.cursors if one.failed]
    for reply in (
        shown(progress),
        result(Outcome(progress.clean, passed_over=passed, error=progress.last_error[:200])),
    ):
        embed = reply.embed
        assert embed is not None
        assert len(embed.fields) <= 25
        assert all(0 < len(field.value) <= 1024 and 0 < len(field.name) <= 256 for field in embed.fields)
        assert len(embed.title + embed.text) + sum(len(field.name + field.value) for field in embed.fields) <= 6000
    assert len(told(progress)) <= 2000
