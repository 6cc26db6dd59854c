"""A body of lines: cut anywhere, learned in order, refused by line."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chain.errors import BusyError
from chaffinch.chain.http.learning import Learning, Lines, message_of
from chaffinch.chain.http.limits import BATCH_MESSAGES, LINE_BYTES, MOST_BAD, TURN_LINES
from chaffinch.chain.http.problem import LearnedInPartError
from chaffinch.chain.http.wire import Learned
from chaffinch.chain.results import Added, Message


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def learned(*parts: bytes, skip_bad: bool = False, busy: Sequence[int] = ()) -> tuple[Learned, list[list[Message]]]:
    """What is answered, and the batches that were added; calls numbered in `busy` find no room."""
    batches: list[list[Message]] = []
    calls = 0

    async def add(batch: Sequence[Message]) -> Added:
        nonlocal calls
        calls += 1
        if calls in busy:
            raise BusyError("full", 0.01)
        batches.append(list(batch))
        return Added(learned=len(batch))

    return asyncio.run(Learning(add, skip_bad).learn(pieces(*parts))), batches


pieces_of_lines = st.one_of(st.binary(max_size=8), st.sampled_from((b"", b" ", b"\r", b"\t \r", b" x", b"\x0b")))


@given(st.lists(pieces_of_lines.map(lambda data: data.replace(b"\n", b"")), max_size=12), st.integers(1, 9))
def test_lines_are_the_same_however_the_body_is_cut(lines: list[bytes], step: int) -> None:
    body = b"\n".join(lines)
    cutter = Lines()
    got = [(cutter.count, line) for at in range(0, len(body), step) for line in cutter.feed(body[at : at + step])]
    got += [(cutter.count, line) for line in cutter.finish()]
    assert got == [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def test_a_line_that_is_too_long_is_not_held() -> None:
    cutter = Lines()
    for _ in range(20):
        assert list(cutter.feed(b"x" * (LINE_BYTES // 4))) == []
        assert len(cutter._rest) <= LINE_BYTES * 5 // 4
    assert list(cutter.feed(b"\nshort\n")) == [None, b"short"]


def test_blank_lines_are_counted_and_cost_next_to_nothing() -> None:
    cutter = Lines()
    began = time.process_time()
    assert list(cutter.feed(b"\n \r\n" * (4 << 20) + b"x\n")) == [b"x"]
    assert cutter.count == (8 << 20) + 1
    assert time.process_time() - began < 2  # one at a time they took 6 s


@pytest.mark.parametrize("line", [b"x\n", b'{"text":"a"}\n'])
def test_while_one_body_is_read_everybody_else_has_turns(line: bytes) -> None:
    async def run() -> int:
        async def add(batch: Sequence[Message]) -> Added:
            return Added(learned=len(batch))

        learning = asyncio.create_task(Learning(add, True).learn(pieces(line * MOST_BAD)))
        turns = 0
        while not learning.done():
            await asyncio.sleep(0)
            turns += 1
        assert (await learning).lines == MOST_BAD
        return turns

    assert asyncio.run(run()) >= MOST_BAD // TURN_LINES


def test_bad_lines_are_passed_over_but_not_without_end() -> None:
    with pytest.raises(LearnedInPartError) as refused:
        learned(b'{"text":"a"}\n' + b"x\n" * (MOST_BAD * 2), skip_bad=True)
    assert (refused.value.status, refused.value.code) == (400, "bad_line")
    assert refused.value.detail.startswith(f"line {MOST_BAD + 2}: it is one of {MOST_BAD + 1:,} bad ones")
    found = refused.value.learned
    assert (found.learned, found.bad) == (1, MOST_BAD + 1)


def test_who_does_what_a_refusal_of_a_line_says_learns_nothing_twice() -> None:
    sent = [b'{"text":"a"}', b"", b'{"text":"b"}', b"nonsense", b'{"text":"c"}']
    again = r"send the body again from line 4 on, or that with \?skip_bad=1"
    with pytest.raises(LearnedInPartError, match=again) as refused:
        learned(b"\n".join(sent))
    assert refused.value.learned.learned == 2
    _, batches = learned(b"\n".join(sent[3:]), skip_bad=True)
    assert [one.text for batch in batches for one in batch] == ["c"]


def test_who_is_interrupted_is_told_what_was_learned() -> None:
    async def run() -> LearnedInPartError:
        async def add(batch: Sequence[Message]) -> Added:
            return Added(learned=len(batch))

        async def endless() -> AsyncIterator[bytes]:
            yield b'{"text":"a"}\n' * (BATCH_MESSAGES + 1)
            reached.set()
            await asyncio.Event().wait()

        reached = asyncio.Event()
        learning = asyncio.create_task(Learning(add, False).learn(endless()))
        await reached.wait()
        learning.cancel()
        with pytest.raises(LearnedInPartError) as refused:
            await learning
        return refused.value

    refused = asyncio.run(run())
    assert (refused.status, refused.code) == (503, "stopping")
    assert refused.learned.learned == BATCH_MESSAGES


def test_names_may_be_whole_numbers_and_null_is_as_good_as_missing() -> None:
    numbers = message_of(b'{"text":"a","id":5,"author":-7,"channel":9223372036854775807}')
    assert (numbers.id, numbers.author, numbers.channel) == ("5", "-7", "9223372036854775807")
    empty = message_of(b'{"text":"a","id":null,"author":null,"channel":null,"time":null,"attachments":null}')
    assert empty == Message("a")


def test_batches_are_bounded_and_counts_are_sums() -> None:
    lines = b"".join(json.dumps({"text": str(number)}).encode() + b"\n" for number in range(BATCH_MESSAGES * 70 + 3))
    answer, batches = learned(lines)
    assert {len(batch) for batch in batches} == {BATCH_MESSAGES, 3}
    assert answer.lines == answer.learned == BATCH_MESSAGES * 70 + 3


def test_a_bad_line_is_named_and_what_stood_before_it_is_learned() -> None:
    with pytest.raises(LearnedInPartError) as refused:
        learned(b'{"text":"a"}\n\n{"text":1}\n{"text":"b"}\n')
    assert refused.value.status == 400
    assert refused.value.detail.startswith("line 3: ")
    found = refused.value.learned
    assert (found.lines, found.learned, found.bad, found.first_bad[0].line) == (2, 1, 1, 3)


def test_bad_lines_are_passed_over_and_the_first_of_them_named() -> None:
    bad = b'{"text":"a"}\n' + b"[]\n" * 50 + b'{"text":"b"}'
    answer, _ = learned(bad, skip_bad=True)
    assert (answer.lines, answer.learned, answer.bad, len(answer.first_bad)) == (52, 2, 50, 20)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nonsense", "not JSON"),
        (b'{"text":"\xff"}', "not JSON"),
        (b'{"text":"\\ud800"}', "not JSON"),
        (b"{}", "text"),
        (b'{"text":"a","colour":"red"}', "colour"),
        (b'{"text":"a","id":5.5}', "id"),
        (b'{"text":"a","id":true}', "id"),
        (b'{"text":null}', "text"),
        (b'{"text":"a","id":"~5"}', "~"),
        ('{"text":"a","author":"' + "ä" * 64 + '"}', "author"),
        (b'{"text":"a","channel":"' + b"a" * 256 + b'"}', "channel"),
        (b'{"text":"a","time":"noon"}', "time"),
        (b'{"text":"a","time":1e16}', "time"),
        (b'{"text":"a","attachments":[1]}', "attachments"),
        (None, "longer"),
    ],
)
def test_a_line_that_cannot_be_learned_says_why(line: bytes | str | None, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        message_of(line.encode() if isinstance(line, str) else line)


def test_a_full_queue_refuses_what_has_not_begun_and_waits_for_what_has() -> None:
    lines = b'{"text":"a"}\n' * (BATCH_MESSAGES * 2)
    with pytest.raises(LearnedInPartError) as refused:
        learned(lines, busy=(1,))
    assert refused.value.status == 429
    assert refused.value.headers == {"Retry-After": "1"}
    answer, _ = learned(lines, busy=(2, 3))
    assert answer.learned == BATCH_MESSAGES * 2
