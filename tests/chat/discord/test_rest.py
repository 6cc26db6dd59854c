"""discord.py on the fake's REST API: limits, faults, refusals."""

import asyncio
import time

import aiohttp
import discord
import pytest

from tests.chat.discord.fake import Fake
from tests.chat.discord.limits import Limits
from tests.chat.discord.listening import Listening, with_client
from tests.chat.discord.world import World

PAGE = "GET /channels/{channel_id}/messages"


async def read(client: Listening, channel: int, limit: int = 100, before: int | None = None) -> list[int]:
    """Ids of one page, newest first."""
    return [int(message["id"]) for message in await client.http.logs_from(channel, limit, before)]


@with_client()
async def test_errors_of_the_server_are_asked_again(fake: Fake, client: Listening) -> None:
    fault = fake.faults.refuse(PAGE, 502, times=1)
    assert len(await read(client, fake.world.guild.channel("talk").id)) == 30
    assert fault.met == 1
    assert [one.status for one in fake.requested(PAGE)] == [502, 200]


@with_client()
async def test_a_refusal_has_discords_code(fake: Fake, client: Listening) -> None:
    fake.faults.refuse(PAGE, 403, 50013, times=1)
    talk = fake.world.guild.channel("talk").id
    with pytest.raises(discord.Forbidden) as refused:
        await read(client, talk)
    assert refused.value.code == 50013
    assert len(await read(client, talk)) == 30


@with_client()
async def test_who_asks_too_often_waits_as_long_as_it_is_told(fake: Fake, client: Listening) -> None:
    fake.faults.limit(PAGE, 0.3)
    began = time.monotonic()
    await read(client, fake.world.guild.channel("talk").id)
    assert 0.3 < time.monotonic() - began < 5
    assert [one.status for one in fake.requested(PAGE)] == [429, 200]


@with_client(limits=lambda: Limits({PAGE: (5, 0.5)}))
async def test_the_headers_keep_a_client_within_the_limit(fake: Fake, client: Listening) -> None:
    talk = fake.world.guild.channel("talk").id
    began = time.monotonic()
    for _ in range(12):
        await read(client, talk, 1)
    assert 1.0 <= time.monotonic() - began < 8
    assert {one.status for one in fake.requested(PAGE)} == {200}
    assert fake.limits.refused == 0


@with_client(limits=lambda: Limits({PAGE: (2, 20.0)}))
async def test_each_channel_has_a_limit_of_its_own(fake: Fake, client: Listening) -> None:
    began = time.monotonic()
    await asyncio.gather(*(read(client, fake.world.guild.channel(name).id) for name in ("talk", "general", "news")))
    assert time.monotonic() - began < 15


def test_who_ignores_the_headers_is_refused() -> None:
    async def run() -> None:
        async with Fake(World.small(), limits=Limits.real()) as fake, aiohttp.ClientSession() as session:
            headers = {"Authorization": f"Bot {fake.world.token}"}
            url = f"{fake.url}/api/v10/channels/{fake.world.guild.channel('talk').id}/messages?limit=1"
            answers = []
            for _ in range(7):
                async with session.get(url, headers=headers) as answer:
                    answers.append((answer.status, answer.headers, await answer.json()))
            assert [status for status, _, _ in answers] == [200] * 5 + [429] * 2
            _, sent, body = answers[-1]
            assert 4 < body["retry_after"] <= 5.01
            assert not body["global"]
            assert sent["Content-Type"] == "application/json"
            assert sent["Via"]
            assert sent["X-RateLimit-Remaining"] == "0"
            fake.limits.in_all = 0
            async with session.get(f"{fake.url}/api/v10/users/@me", headers=headers) as answer:
                assert (await answer.json())["global"] is True
                assert answer.headers["X-RateLimit-Global"] == "true"

    asyncio.run(run())


@with_client()
async def test_an_answer_may_end_in_its_middle_or_never_begin(fake: Fake, client: Listening) -> None:
    talk = fake.world.guild.channel("talk").id
    fake.faults.add(PAGE, cuts=True)
    with pytest.raises(aiohttp.ClientPayloadError):
        await read(client, talk)
    # aiohttp itself asks once more where a connection that it had used before is lost.
    fake.faults.add(PAGE, resets=True, times=2)
    with pytest.raises((aiohttp.ClientError, OSError)):
        await read(client, talk)
    fake.faults.add(PAGE, delay=5.0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(client, talk), 0.2)
    assert len(await read(client, talk)) == 30


@with_client()
async def test_a_channel_is_hidden_in_the_middle_of_its_paging(fake: Fake, client: Listening) -> None:
    general = fake.world.guild.channel("general")
    fake.faults.add(PAGE, after=1, act=lambda: fake.hide(general))
    first = await read(client, general.id)
    with pytest.raises(discord.Forbidden) as refused:
        await read(client, general.id, before=first[-1])
    assert refused.value.code == 50001
    fake.show(general)
    assert len(await read(client, general.id, before=first[-1])) == 100


@with_client()
async def test_what_the_bot_may_not_see_is_refused(fake: Fake, client: Listening) -> None:
    guild = fake.world.guild
    with pytest.raises(discord.Forbidden) as refused:
        await read(client, guild.channel("hidden").id)
    assert refused.value.code == 50001
    with pytest.raises(discord.NotFound) as unknown:
        await read(client, 1)
    assert unknown.value.code == 10003
    with pytest.raises(discord.HTTPException) as wrong:
        await read(client, guild.channel("place").id)
    assert wrong.value.code == 50008


@with_client()
async def test_the_bot_and_its_owner_are_known(fake: Fake, client: Listening) -> None:
    found = await client.application_info()
    assert (found.name, found.owner.name) == ("chaffinch", "developer")
    assert found.flags.gateway_message_content_limited
    assert (await client.fetch_guild(fake.world.guild.id)).name == "meadow"
    assert (await client.guilds[0].fetch_member(fake.world.guild.member("admin").id)).guild_permissions.administrator
    names = {channel.name for channel in await client.guilds[0].fetch_channels()}
    assert names == {one.name for one in fake.world.guild.channels.values() if not one.is_thread}


def test_what_is_no_route_is_noted() -> None:
    async def run() -> None:
        async with Fake(World.small()) as fake, aiohttp.ClientSession() as session:
            async with session.get(f"{fake.url}/api/v10/voice/regions") as answer:
                assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json")
            assert fake.rest.unknown == ["GET /api/v10/voice/regions"]

    asyncio.run(run())
