"""Ids out of tags, and ids for what has none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.content import WORDLESS
from chaffinch.chat.older.tags import Places, addresses, message_of, places_of

GUILD = 82684276755136512
MESSAGE, THREAD, CHANNEL = 912345678901234567, 912345678901230000, 82684276755130000


@pytest.mark.parametrize(
    ("tags", "places"),
    [
        ([MESSAGE, CHANNEL, GUILD], Places(MESSAGE, CHANNEL)),
        ([MESSAGE, THREAD, CHANNEL, GUILD], Places(MESSAGE, CHANNEL, THREAD)),
        ([MESSAGE], Places(MESSAGE)),
        ([GUILD], Places()),
        ([], Places()),
        ([MESSAGE, "x", GUILD], Places()),
        (["5", CHANNEL, GUILD], Places()),
        ([MESSAGE, THREAD, CHANNEL, 1 << 62, GUILD], Places()),
    ],
)
def test_where_a_message_stood(tags: list[object], places: Places) -> None:
    assert places_of(map(str, tags), GUILD) == places


@given(st.lists(st.text(max_size=25) | st.integers(0, 1 << 70).map(str), max_size=6))
def test_any_tags_give_places_that_discord_could_have(tags: list[str]) -> None:
    found = places_of(tags, GUILD)
    assert all(one == 0 or str(one) in {tag.strip().lstrip("0") for tag in tags} for one in msg(found))
    assert found.message or not (found.channel or found.thread)


def msg(places: Places) -> tuple[int, int, int]:
    return places.message, places.channel, places.thread


def test_a_message_has_its_time_from_its_id_and_its_thread_as_channel() -> None:
    made = message_of("hello", Places(175928847299117063, CHANNEL, THREAD), 1)
    assert made.time_ms == 1462015105796  # the example of Discord's reference
    assert (made.id, made.channel, made.author) == ("175928847299117063", str(THREAD), "")


def test_attachments_alone_are_a_message_too() -> None:
    assert message_of("", Places(), 1, ("https://h/a.png",)).text == WORDLESS
    assert message_of("", Places(), 1).text == ""


def test_without_an_id_it_gets_one_that_it_gets_again() -> None:
    first, again, other = (message_of(text, Places(), 7) for text in ("a", "a", "b"))
    assert first.id == again.id != other.id
    assert first.id.startswith("older-7-")
    assert first.time_ms is None
    assert message_of("\ud800", Places(), 7).id


@pytest.mark.parametrize(
    ("custom", "found"),
    [
        (None, ()),
        ({}, ()),
        ({"attachments": ["a", "b"]}, ("a", "b")),
        ({"attachment": "a"}, ("a",)),
        ({"attachments": [], "attachment": None, "more": 1}, ()),
    ],
)
def test_addresses(custom: object, found: tuple[str, ...]) -> None:
    assert addresses(custom) == found


@pytest.mark.parametrize("custom", ["text", 5, [1], {"attachments": [5]}, {"attachments": {"a": 1}}])
def test_attachments_of_another_form_are_told(custom: object) -> None:
    with pytest.raises(ValueError, match="attachments"):
        addresses(custom)
