"""Histories from the fake Discord, by the real client: pages, threads of every kind, and what goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import discord
import pytest

from chaffinch.chat.members import Members
from chaffinch.chat.training.history import DiscordHistory
from chaffinch.chat.training.source import FaultError, RefusedError
from tests.chat.discord.fake import Fake
from tests.chat.discord.world import World

Scene = Callable[[Fake, DiscordHistory], Awaitable[None]]
PAGES = "GET /channels/{channel_id}/messages"
LAST = 1 << 62


def play(scene: Scene, world: World | None = None) -> None:
    async def begin() -> None:
        async with Fake(world or World.small()) as fake:
            with fake.redirect():
                async with discord.Client(intents=discord.Intents.none()) as client:
                    await client.login(fake.world.token)
                    await scene(fake, DiscordHistory(client, Members(client)))

    asyncio.run(asyncio.wait_for(begin(), 30))


def test_pages_of_a_hundred_newest_first() -> None:
    async def scene(fake: Fake, history: DiscordHistory) -> None:
        channel = fake.world.guild.channel("general")
        before, read = LAST, []
        while page := await history.page(channel.id, before):
            read += [int(one["id"]) for one in page]
            before = read[-1]
        assert read == [one.id for one in channel.history.all()][::-1]
        assert [one.path.rpartition("/")[2] for one in fake.requested(PAGES)] == ["messages"] * 4
        assert {one.query["limit"] for one in fake.requested(PAGES)} == {"100"}

    play(scene)


def test_channels_and_threads() -> None:
    async def scene(fake: Fake, history: DiscordHistory) -> None:
        guild = fake.world.guild
        rooms = {room.name: room for room in await history.rooms(guild.id)}
        assert rooms["forum"].is_forum
        assert not rooms["general"].is_forum
        active = {place.name for place in await history.active(guild.id)}
        assert {"plans", "question"} <= active
        general = guild.channel("general").id
        public = await history.archived(general, private=False)
        assert [place.name for place in public.threads] == ["old plans", "older plans", "oldest plans"]
        assert {place.parent for place in public.threads} == {general}

    play(scene)


def test_archived_threads_are_paged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaffinch.chat.training.history.PAGE", 2)

    async def scene(fake: Fake, history: DiscordHistory) -> None:
        general = fake.world.guild.channel("general").id
        first = await history.archived(general, private=False)
        second = await history.archived(general, private=False, before=first.before)
        assert [place.name for place in first.threads] == ["old plans", "older plans"]
        assert [place.name for place in second.threads] == ["oldest plans"]
        assert second.before == ""

    play(scene)


@pytest.mark.parametrize("may_manage", [True, False])
def test_private_threads_as_far_as_the_bot_may_see_them(may_manage: bool) -> None:
    async def scene(fake: Fake, history: DiscordHistory) -> None:
        from tests.chat.discord.permissions import Permission

        guild = fake.world.guild
        thread = guild.channel("old whispers")
        if may_manage:
            assert guild.me is not None
            guild.me.roles[0].permissions |= Permission.MANAGE_THREADS
        found = await history.archived(guild.channel("general").id, private=True)
        assert [place.id for place in found.threads] == ([thread.id] if may_manage else [])
        if not may_manage:
            thread.thread_members.add(fake.world.bot.id)
            found = await history.archived(guild.channel("general").id, private=True)
            assert [place.id for place in found.threads] == [thread.id]

    play(scene)


def test_roles_of_members_and_of_who_is_none() -> None:
    async def scene(fake: Fake, history: DiscordHistory) -> None:
        guild = fake.world.guild
        talker = guild.member("talker")
        assert await history.roles(guild.id, talker.user.id) == {guild.role("talkers").id}
        assert await history.roles(guild.id, 5) is None

    play(scene)


def test_a_hidden_channel_is_refused_and_a_missing_one_too() -> None:
    async def scene(fake: Fake, history: DiscordHistory) -> None:
        with pytest.raises(RefusedError) as refused:
            await history.page(fake.world.guild.channel("hidden").id, LAST)
        assert refused.value.reason == "403"
        with pytest.raises(RefusedError) as missing:
            await history.page(5, LAST)
        assert missing.value.reason == "404"

    play(scene)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 503, "body": {"message": "down"}}, "Discord answers 503"),
        ({"status": 401, "body": {"message": "who?"}}, "Discord answers 401"),
        ({"status": 429, "body": {"message": "by Cloudflare"}}, "Discord answers 429"),
        ({"cuts": True}, "an answer that was cut off"),
        ({"resets": True, "times": 2}, "no connection to Discord"),
        ({"delay": 5.0}, "no answer in time"),
        ({"status": 200, "body": {"not": "a page"}}, "an answer that is not JSON"),
    ],
)
def test_what_may_yet_succeed_is_a_fault(fault: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaffinch.chat.training.history.ANSWER_SECONDS", 0.3)

    async def scene(fake: Fake, history: DiscordHistory) -> None:
        channel = fake.world.guild.channel("general").id
        fake.faults.add(PAGES, **fault)
        with pytest.raises(FaultError) as raised:
            await history.page(channel, LAST)
        assert raised.value.reason == reason
        assert len(await history.page(channel, LAST)) == 100

    play(scene)


def test_rate_limits_are_waited_for() -> None:
    async def scene(fake: Fake, history: DiscordHistory) -> None:
        fake.faults.limit(PAGES, 0.1, times=2)
        assert len(await history.page(fake.world.guild.channel("general").id, LAST)) == 100

    play(scene)


def test_who_is_cancelled_holds_nobody_back() -> None:
    """At any moment of the first request of a rate limit."""

    async def scene(fake: Fake, history: DiscordHistory) -> None:
        for channel in range(1, 200):
            asking = asyncio.create_task(history.page(channel, LAST))
            for _ in range(channel % 50):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            with pytest.raises(RefusedError):
                await asyncio.wait_for(history.page(channel, LAST), 5)

    play(scene)
