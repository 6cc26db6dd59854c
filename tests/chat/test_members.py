"""Members asked for by their ids, of the fake Discord's gateway, by the whole bot."""

import asyncio
import time
from pathlib import Path

import pytest

from chaffinch.chat import members
from chaffinch.chat.guild import Channel, GuildSettings
from tests.chat.connected import Connected, connected, run
from tests.chat.discord.messages import Message
from tests.chat.discord.world import BEGAN_MS, World

ROLES = "GET /guilds/{guild_id}/members/{user_id}"


def test_roles_come_for_many_at_once_without_the_intent_for_members(tmp_path: Path) -> None:
    async def scene() -> None:
        async with connected(tmp_path) as one:
            guild, talker, member = one.world.guild, one.member("talker"), one.member("member")
            found = await one.client.members.roles(guild.id, [talker.user.id, 5, member.user.id])
            assert found == {talker.user.id: {guild.role("talkers").id}, 5: None, member.user.id: frozenset()}
            assert len(one.fake.gateway.members_asked) == 1
            assert not one.client.intents.members
            assert one.fake.requested(ROLES) == []

    run(scene)


def test_no_answer_is_not_taken_for_nobody_and_the_gateway_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(members, "AGAIN_SECONDS", 0.3)

    async def scene() -> None:
        async with connected(tmp_path) as one:
            guild, user = one.world.guild.id, one.member("talker").user.id
            one.fake.gateway.tells_members = False
            assert await one.client.members.roles(guild, [user]) == {}
            one.fake.gateway.tells_members = True
            assert await one.client.members.roles(guild, [user]) == {}
            assert len(one.fake.gateway.members_asked) == 1
            await asyncio.sleep(0.3)
            assert set(await one.client.members.roles(guild, [user])) == {user}
            assert await one.client.members.roles(guild + 1, [user]) == {}

    run(scene)


def test_an_answer_that_a_lost_connection_held_up_is_no_answer_that_there_is_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "ANSWER_SECONDS", 0.05)

    async def scene() -> None:
        async with connected(tmp_path) as one:
            one.fake.gateway.tells_members = False
            asking = asyncio.create_task(one.client.members.roles(one.world.guild.id, [one.member("talker").user.id]))
            await one.fake.wait_for(lambda: one.fake.gateway.members_asked)
            one.fake.gateway.drop()
            assert await asking == {}
            await one.fake.wait_for(lambda: one.fake.gateway.resumed and one.client._is_connected())

    run(scene)


def many(authors: int, messages: int) -> World:
    """A guild of which many have written, one in a hundred with the role `unlearned`, and one in fifty is gone."""
    world = World.small()
    guild, channel = world.guild, world.guild.channel("talk")
    role = guild.role("unlearned")
    roles = [[role] if number % 100 == 0 else [] for number in range(authors)]
    people = [world.add_member(guild, f"author{number}", roles[number]) for number in range(authors)]
    for number in range(messages):
        text = f"the finch of {number} sings over the hill {number % 97}"
        channel.history.keep(Message(world.new_id(BEGAN_MS + number), channel, people[number % authors].user, text))
    for person in people[7::50]:
        del guild.members[person.user.id]
    return world


async def train(one: Connected) -> float:
    guild = one.world.guild
    await one.book.set_settings(guild.id, GuildSettings(opt_out_role=guild.role("unlearned").id))
    await one.book.set_channels(guild.id, [Channel(one.channel("talk").id, listens=True)])
    began = time.perf_counter()
    one.slash("moderator", "train")
    await one.fake.wait_for(lambda: one.book.training(guild.id) is not None)
    await one.fake.wait_for(lambda: one.book.training(guild.id) is None)
    return time.perf_counter() - began


@pytest.mark.parametrize("tells", [True, False])
def test_a_history_of_many_authors_takes_a_request_for_a_hundred_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tells: bool
) -> None:
    monkeypatch.setattr(members, "ANSWER_SECONDS", 0.05)

    async def scene() -> None:
        async with connected(tmp_path, many(500, 1000)) as one:
            one.fake.gateway.tells_members = tells
            await train(one)
            assert len(one.fake.gateway.members_asked) <= 6
            looked_up = [request.path for request in one.fake.requested(ROLES)]
            assert len(looked_up) == len(set(looked_up))
            assert len(looked_up) == 0 if tells else len(looked_up) > 500
            assert len(one.book.out_by_role(one.world.guild.id)) == 5

    run(scene)
