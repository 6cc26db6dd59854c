"""Attachments: signed, refreshed, expired, and what may go wrong with them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import pytest

from tests.chat.discord.cdn import PNG
from tests.chat.discord.listening import with_client
from tests.chat.discord.received import File

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake
    from tests.chat.discord.listening import Listening


async def refreshed(client: Listening, *addresses: str) -> list[dict[str, Any]]:
    route = discord.http.Route("POST", "/attachments/refresh-urls")
    answer = await client.http.request(route, json={"attachment_urls": list(addresses)})
    return answer["refreshed_urls"]


@with_client()
async def test_an_address_is_good_for_a_day_and_can_be_refreshed(fake: Fake, client: Listening) -> None:
    general = fake.world.guild.channel("general")
    message = next(one for one in general.history.all() if one.attachments)
    shown = await client.http.get_message(general.id, message.id)
    (attached,) = shown["attachments"]
    content = await client.http.get_from_cdn(attached["url"])
    assert content.startswith(PNG)
    assert len(content) == attached["size"]
    fake.world.clock.advance(24 * 3600 + 1)
    with pytest.raises(discord.NotFound):
        await client.http.get_from_cdn(attached["url"])
    assert fake.cdn.expired == 1
    (found,) = await refreshed(client, attached["url"])
    assert found["original"] == attached["url"]
    assert await client.http.get_from_cdn(found["refreshed"]) == content
    (bare,) = await refreshed(client, attached["url"].partition("?")[0])
    assert await client.http.get_from_cdn(bare["refreshed"]) == content


@with_client()
async def test_what_is_forged_or_deleted_is_not_given(fake: Fake, client: Listening) -> None:
    member, general = fake.world.guild.member("member"), fake.world.guild.channel("general")
    said = fake.say(member, general, attachments=[File("a.txt", b"hello", "text/plain")])
    url = fake.world.signed(said.attachments[0])
    assert await client.http.get_from_cdn(url) == b"hello"
    for wrong in (url.replace("ex=", "ex=f"), url.partition("?")[0], url.replace("a.txt", "b.txt")):
        with pytest.raises(discord.NotFound):
            await client.http.get_from_cdn(wrong)
    message = next(one for one in general.history.all() if one.attachments)
    url = fake.world.signed(message.attachments[0])
    fake.delete(message)
    with pytest.raises(discord.NotFound):
        await client.http.get_from_cdn(url)


@with_client()
async def test_only_addresses_of_the_cdn_are_refreshed(fake: Fake, client: Listening) -> None:
    found = await refreshed(client, "https://example.org/attachments/1/2/a.png", fake.world.cdn + "/icons/1/2.png")
    assert [one["refreshed"] for one in found] == [None, None]
    for wrong in ([], ["x"] * 51):
        with pytest.raises(discord.HTTPException) as refused:
            await refreshed(client, *wrong)
        assert refused.value.code == 50035


@with_client()
async def test_downloads_go_wrong(fake: Fake, client: Listening) -> None:
    message = next(one for one in fake.world.guild.channel("general").history.all() if one.attachments)
    url = fake.world.signed(message.attachments[0])
    fake.cdn.status = 500
    with pytest.raises(discord.HTTPException):
        await client.http.get_from_cdn(url)
    fake.cdn.status, fake.cdn.is_silent = 0, True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.http.get_from_cdn(url), 0.3)
    fake.cdn.is_silent, fake.cdn.is_endless = False, True
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.content_length is None
        read = 0
        while read < 3 << 20:
            read += len(await answer.content.read(1 << 16))
    fake.cdn.is_endless = False
    assert await client.http.get_from_cdn(url)
    assert len(fake.cdn.asked) == 4
