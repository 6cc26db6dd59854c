"""Pages of history, whole and broken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.book.book import Cursor
from chaffinch.chat.payloads import created_ms
from chaffinch.chat.training.pages import read_page
from chaffinch.chat.training.source import FaultError
from tests.chat.training.guilds import GUILD, id_at, raw


def cursor(before: int = id_at(1000)) -> Cursor:
    return Cursor(10, 10, "room", before, created_ms(before), created_ms(id_at(0)), 0, False)


def page(first: int, count: int) -> list[dict[str, Any]]:
    return [raw(number, 10) for number in range(first, first - count, -1)]


def test_a_whole_page_moves_the_cursor_below_its_last_message() -> None:
    read = read_page(page(999, 100), GUILD, cursor())
    assert read.cursor.before == id_at(900)
    assert not read.cursor.done
    assert [seen.id for seen in read.seens] == [id_at(number) for number in range(999, 899, -1)]


@pytest.mark.parametrize("count", [0, 1, 99])
def test_a_page_that_is_not_full_is_the_last(count: int) -> None:
    assert read_page(page(999, count), GUILD, cursor()).cursor.done


def test_what_is_older_than_asked_for_is_left_out_and_ends_it() -> None:
    read = read_page(page(999, 100), GUILD, cursor(), created_ms(id_at(950)))
    assert [seen.id for seen in read.seens] == [id_at(number) for number in range(999, 949, -1)]
    assert read.cursor.done


def test_messages_that_are_none_are_counted_and_passed() -> None:
    broken = page(999, 100)
    del broken[3]["author"]
    broken[5]["content"] = 7
    broken[7]["channel_id"] = "11"
    read = read_page(broken, GUILD, cursor())
    assert (len(read.seens), read.unreadable) == (97, 3)
    assert read.cursor.before == id_at(900)


@pytest.mark.parametrize("broken", [[{}], [{"id": "x"}], [{"id": None}], [7], ["text"]])
def test_what_has_no_id_is_no_page(broken: list[Any]) -> None:
    with pytest.raises(FaultError, match="cannot be read"):
        read_page(broken, GUILD, cursor())


def test_a_page_of_what_was_read_before_does_not_lead_round_in_circles() -> None:
    with pytest.raises(FaultError, match="another page"):
        read_page(page(1000, 100), GUILD, cursor())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from(["id", "channel_id", "author", "content", "type", "attachments", "mentions", "webhook_id"]), JSON
)


@given(st.lists(JSON | FIELDS | FIELDS.map(lambda fields: raw(5, 10) | fields), max_size=5))
def test_anything_is_a_page_or_a_fault(said: list[Any]) -> None:
    try:
        read = read_page(said, GUILD, cursor())
    except FaultError:
        return
    assert read.cursor.before <= cursor().before
    assert len(read.seens) + read.unreadable == len(said)
