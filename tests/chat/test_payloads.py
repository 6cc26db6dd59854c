"""Discord's JSON, read and written."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.calls.call import Button, Choice, Embed, Field, File, Menu, Reply
from chaffinch.chat.payloads import (
    attached_of,
    author_of,
    body_of,
    created_ms,
    edit_of,
    fitted,
    form_of,
    member_of,
    seen_of,
)
from chaffinch.chat.seen import Attached, Member

MESSAGE: dict[str, Any] = {
    "id": "1200000000000000001",
    "channel_id": "20",
    "guild_id": "10",
    "author": {"id": "30", "username": "ada", "global_name": None, "avatar": None},
    "member": {"roles": ["7", "8"], "joined_at": "2024-01-01T00:00:00+00:00"},
    "content": "hello <@31>",
    "timestamp": "2024-01-25T00:00:00+00:00",
    "edited_timestamp": None,
    "tts": False,
    "type": 0,
    "mentions": [{"id": "31", "username": "bot", "bot": True}],
    "mention_roles": ["7"],
    "mention_everyone": True,
    "attachments": [{"id": "40", "filename": "a.png", "size": 12, "url": "https://cdn.discordapp.com/a.png?ex=1"}],
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(MESSAGE)), inner, max_size=9),
    max_leaves=20,
)


def test_a_message_is_read_as_discord_writes_it() -> None:
    seen = seen_of(MESSAGE, guild=10, parent=19)

    assert seen is not None
    assert (seen.guild, seen.channel, seen.parent, seen.id, seen.author) == (10, 20, 19, 1200000000000000001, 30)
    assert seen.text == "hello <@31>"
    assert seen.time_ms == created_ms(1200000000000000001) == 1_706_172_694_921
    assert seen.attachments == ("https://cdn.discordapp.com/a.png?ex=1",)
    assert seen.is_human
    assert seen.mentions == {31}
    assert seen.roles == {7, 8}
    assert attached_of(MESSAGE) == (Attached(40, "a.png", 12, "https://cdn.discordapp.com/a.png?ex=1"),)


def test_bots_webhooks_and_discord_itself_are_no_humans() -> None:
    def is_human(**changes: Any) -> bool:
        seen = seen_of(MESSAGE | changes, guild=10, parent=20)
        assert seen is not None
        return seen.is_human

    assert is_human(type=19)
    assert not is_human(type=7)
    assert not is_human(webhook_id="5")
    assert not is_human(author={"id": "30", "username": "b", "bot": True})
    assert not is_human(author={"id": "30", "username": "d", "system": True})


def test_a_page_of_history_tells_no_roles() -> None:
    seen = seen_of({key: value for key, value in MESSAGE.items() if key != "member"}, guild=10, parent=20)

    assert seen is not None
    assert seen.roles is None


def test_an_edit_that_is_no_whole_message_is_none() -> None:
    assert seen_of({"id": "1", "channel_id": "2", "embeds": []}, guild=10, parent=2) is None


def test_a_webhook_is_no_member() -> None:
    assert author_of(MESSAGE, 8) == Member(30, "ada", frozenset((7, 8)), 8)
    assert author_of(MESSAGE | {"webhook_id": "5"}, 8) is None
    assert author_of({key: value for key, value in MESSAGE.items() if key != "member"}, 8) is None


def test_permissions_past_64_bits_are_read() -> None:
    told = {"user": {"id": "30", "username": "ada"}, "roles": ["7"], "permissions": str(1 << 70 | 8)}

    member = member_of(told)

    assert member is not None
    assert member.permissions == 1 << 70 | 8


@given(ANYTHING)
def test_no_json_breaks_the_reading(data: Any) -> None:
    seen_of(data, guild=1, parent=2)
    attached_of(data)
    member_of(data)
    author_of(data, 0)


def test_what_is_said_pings_nobody() -> None:
    for reply in (Reply("@everyone"), Reply(embed=Embed("a")), Reply(is_spoken=True)):
        assert body_of(reply)["allowed_mentions"] == {"parse": [], "replied_user": False}


def test_a_reply_as_json() -> None:
    reply = Reply(
        "text",
        Embed("title", "words", (Field("name", "value", inline=True),)),
        (File("a.png", b"\0\xff"),),
        menu=Menu("pick", "choose", (Choice("one", "1", chosen=True), Choice("two", "2"))),
        buttons=tuple(Button(f"b{number}", "label", is_danger=number == 0) for number in range(6)),
    )

    body = body_of(reply, hidden=True)
    form = form_of(reply, body)

    assert body["content"] == "text"
    assert body["flags"] == 64
    assert body["embeds"][0]["fields"] == [{"name": "name", "value": "value", "inline": True}]
    select = body["components"][0]["components"][0]
    assert (select["type"], select["min_values"], select["max_values"]) == (3, 0, 2)
    assert [one["default"] for one in select["options"]] == [True, False]
    assert [len(row["components"]) for row in body["components"]] == [1, 5, 1]
    assert json.loads(form[0]["value"]) == body
    assert (form[1]["name"], form[1]["value"], form[1]["filename"]) == ("files[0]", b"\0\xff", "a.png")


def test_an_edit_leaves_nothing_of_what_stood_there() -> None:
    assert edit_of(Reply("x")) == {
        "content": "x",
        "embeds": [],
        "components": [],
        "attachments": [],
        "allowed_mentions": {"parse": [], "replied_user": False},
    }


@given(st.text(max_size=60), st.integers(1, 40))
def test_cut_texts_fit_and_begin_the_same(text: str, most: int) -> None:
    cut = fitted(text, most)

    assert len(cut.encode("utf-16-le", "surrogatepass")) // 2 <= most
    assert cut == text or (cut.endswith("…") and text.startswith(cut[:-1]))
