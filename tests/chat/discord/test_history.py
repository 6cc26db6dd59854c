"""Histories: read in pages by discord.py, and against a plain list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import discord
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chat.discord import payloads
from tests.chat.discord.generated import Generated
from tests.chat.discord.listening import with_client
from tests.chat.discord.messages import ORDINARY, Message
from tests.chat.discord.world import World

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake
    from tests.chat.discord.listening import Listening
    from tests.chat.discord.places import Channel


@with_client()
async def test_paging_backwards_gives_every_message_once(fake: Fake, client: Listening) -> None:
    general = fake.world.guild.channel("general")
    listed = list(general.history.all())
    fake.delete(listed[120])
    fake.edit(listed[121], "changed")
    said = fake.say(fake.world.guild.member("member"), general, "newest")
    expected = [(one.id, one.content) for one in [*listed, said] if one is not listed[120]][::-1]
    channel = client.get_channel(general.id)
    assert isinstance(channel, discord.TextChannel)
    found = [message async for message in channel.history(limit=None)]
    assert [(one.id, one.content) for one in found] == expected
    assert [len(one.query["limit"]) for one in fake.requested("GET /channels/{channel_id}/messages")] == [3] * 3
    assert len(expected) == len(general.history) == 250
    forward = [message.id async for message in channel.history(limit=None, oldest_first=True)]
    assert forward == [one for one, _ in expected][::-1]


@with_client()
async def test_messages_after_and_around_one(fake: Fake, client: Listening) -> None:
    general = fake.world.guild.channel("general")
    ids = [message.id for message in general.history.all()]
    after = await client.http.logs_from(general.id, 3, after=ids[10])
    assert [int(one["id"]) for one in after] == ids[13:10:-1]
    around = await client.http.logs_from(general.id, 4, around=ids[10])
    assert [int(one["id"]) for one in around] == ids[12:8:-1]


@with_client()
async def test_a_page_has_at_most_a_hundred(fake: Fake, client: Listening) -> None:
    general = fake.world.guild.channel("general").id
    for limit in (101, 200, 0):
        with pytest.raises(discord.HTTPException) as refused:
            await client.http.logs_from(general, limit)
        assert (refused.value.status, refused.value.code) == (400, 50035)


@with_client(World.small)
async def test_without_the_permission_a_history_is_empty(fake: Fake, client: Listening) -> None:
    general = fake.world.guild.channel("general")
    general.overwrites[fake.world.bot.id] = (0, 1 << 16)
    assert await client.http.logs_from(general.id, 10) == []


@with_client(intents=discord.Intents(guilds=True))
async def test_where_the_intent_is_switched_off_history_is_empty_of_words(fake: Fake, client: Listening) -> None:
    general = fake.world.guild.channel("general")
    fake.say(fake.world.guild.member("member"), general, f"{fake.world.bot.mention} hello")
    assert all(one["content"] for one in await client.http.logs_from(general.id, 5))
    fake.gateway.allowed &= ~(1 << 15)
    found = await client.http.logs_from(general.id, 5)
    assert [bool(one["content"]) for one in found] == [True, False, False, False, False]


def test_a_large_world_takes_no_time_and_says_different_things() -> None:
    world = World.large(1_000_000)
    channels = world.guild.channels.values()
    assert sum(len(channel.history) for channel in channels) == 1_000_000
    history = world.guild.channel("channel3").history
    page = [history.get(message_id) for message_id in history.page(1000, before=history.last_id())]
    texts = {message.content for message in page if message is not None}
    assert len(texts) > 950
    kinds = {message.type for message in page if message is not None}
    assert kinds & ORDINARY
    assert kinds - ORDINARY
    assert 30 < sum(bool(message.attachments) for message in page if message is not None) < 60


def test_what_is_encoded_at_once_is_what_a_message_says() -> None:
    world, again = World.large(10_000), World.large(10_000)
    world.cdn = again.cdn = "http://127.0.0.1:1"
    again.clock = world.clock
    history, same = world.guild.channel("channel0").history, again.guild.channel("channel0").history
    for message_id in history.page(300):
        message, encoded = history.get(message_id), history.encoded(message_id)
        assert message is not None
        assert encoded is not None
        shown, expected = json.loads(encoded), json.loads(payloads.encode(payloads.message(message)))
        other = same.get(message_id)
        assert other is not None
        assert other.content == message.content
        for found in (shown, expected):
            for attached in found["attachments"]:
                # Signed at the second that it was asked for.
                del attached["url"], attached["proxy_url"]
        assert shown == expected


def _channel(world: World, count: int, step_ms: int) -> Channel:
    guild = world.add_guild("one", world.add_user("owner"))
    channel = world.add_channel(guild, "channel")
    channel.history.generated = Generated(
        channel, count=count, first_ms=1_735_776_000_000, step_ms=step_ms, authors=[world.owner], robot=world.bot
    )
    return channel


@settings(deadline=None, max_examples=150)
@given(
    count=st.integers(0, 40),
    step_ms=st.integers(1, 5),
    changes=st.lists(st.tuples(st.sampled_from(["edit", "delete", "between", "newest"]), st.integers(0, 50))),
    limit=st.integers(1, 20),
    shift=st.integers(-3, 3),
)
def test_a_history_is_a_list(count: int, step_ms: int, changes: list[tuple[str, int]], limit: int, shift: int) -> None:
    """Generated messages, changed and removed ones and kept ones give the pages that a plain list of them gives."""
    world = World()
    channel = _channel(world, count, step_ms)
    history = channel.history
    assert history.generated is not None
    plain = {history.generated.id(index): history.generated.text(index) for index in range(count)}
    for what, number in changes:
        ids = sorted(plain)
        at = ids[number % len(ids)] if ids else history.generated.id(0)
        if what == "delete":
            assert history.remove(at) is (plain.pop(at, None) is not None)
        else:
            new = {"edit": at, "between": at + 1 + number, "newest": max([*ids, at]) + 1}[what]
            plain[new] = what
            history.keep(Message(new, channel, world.owner, what))
    ids = sorted(plain)
    assert [message.id for message in history.all()] == ids
    assert len(history) == len(ids)
    assert history.last_id() == (ids[-1] if ids else None)
    system = {history.generated.id(index) for index in range(count) if history.generated.message(index).type}
    for one in ids:
        message = history.get(one)
        assert message is not None
        assert message.content == plain[one] or one in system
    for one in [*ids, history.generated.id(0)]:
        point = one + shift
        assert history.page(limit, before=point) == [found for found in ids if found < point][::-1][:limit]
        assert history.page(limit, after=point) == [found for found in ids if found > point][:limit][::-1]
