"""Guilds, their members and channels, and the addresses of attachments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.chat.discord import payloads, permissions
from tests.chat.discord.refusals import UNKNOWN_MEMBER, invalid, missing_access, unknown

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake
    from tests.chat.discord.received import Received

MOST_ADDRESSES = 50


async def guild(fake: Fake, received: Received) -> Any:
    return payloads.guild(fake.guild_of(received))


async def channels(fake: Fake, received: Received) -> Any:
    return [payloads.channel(one) for one in fake.guild_of(received).channels.values() if not one.is_thread]


async def roles(fake: Fake, received: Received) -> Any:
    return [payloads.role(one) for one in fake.guild_of(received).roles.values()]


async def member(fake: Fake, received: Received) -> Any:
    found = fake.guild_of(received).members.get(received.number("user_id"))
    if found is None:
        raise unknown(UNKNOWN_MEMBER, "Member")
    return payloads.member(found)


async def channel(fake: Fake, received: Received) -> Any:
    found = fake.channel_of(received)
    if found.guild is not None and found.guild.me and not permissions.may(found.guild.me, found, 0):
        raise missing_access()
    return payloads.channel(found)


async def refresh(fake: Fake, received: Received) -> Any:
    """Addresses that are good for another day; of what is not on the CDN, none."""
    addresses = received.body.get("attachment_urls")
    if not isinstance(addresses, list) or not 1 <= len(addresses) <= MOST_ADDRESSES:
        raise invalid("attachment_urls", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 50 in length.")
    return {"refreshed_urls": [{"original": one, "refreshed": _refreshed(fake, one)} for one in addresses]}


def _refreshed(fake: Fake, address: str) -> str | None:
    parts = urlsplit(address)
    is_ours = f"{parts.scheme}://{parts.netloc}" == fake.world.cdn and parts.path.startswith("/attachments/")
    return fake.world.signed_path(parts.path) if is_ours else None


ROUTES = {
    "GET /guilds/{guild_id}": guild,
    "GET /guilds/{guild_id}/channels": channels,
    "GET /guilds/{guild_id}/roles": roles,
    "GET /guilds/{guild_id}/members/{user_id}": member,
    "GET /channels/{channel_id}": channel,
    "POST /attachments/refresh-urls": refresh,
}
