"""Who the bot is, and where the gateway is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chat.discord import payloads
from tests.chat.discord.received import Received, snowflake
from tests.chat.discord.refusals import UNKNOWN_USER, unknown

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake


async def gateway_bot(fake: Fake, received: Received) -> Any:
    limit = {"total": 1000, "remaining": fake.gateway.starts_left, "reset_after": 0, "max_concurrency": 1}
    return {"url": fake.gateway.url, "shards": 1, "session_start_limit": limit}


async def me(fake: Fake, received: Received) -> Any:
    return payloads.user(fake.world.bot) | {"verified": True, "mfa_enabled": True, "email": None, "locale": "en-US"}


async def user(fake: Fake, received: Received) -> Any:
    found = fake.world.users.get(received.number("user_id"))
    if found is None:
        raise unknown(UNKNOWN_USER, "User")
    return payloads.user(found)


async def application(fake: Fake, received: Received) -> Any:
    bot = fake.world.bot
    return {
        "id": str(bot.id),
        "name": bot.name,
        "icon": None,
        "description": "",
        "summary": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "owner": payloads.user(fake.world.owner),
        "team": None,
        "flags": fake.gateway.application_flags(),
        "bot": payloads.user(bot),
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "approximate_guild_count": len(fake.world.guilds),
    }


async def open_conversation(fake: Fake, received: Received) -> Any:
    found = fake.world.users.get(snowflake("recipient_id", str(received.body["recipient_id"])))
    if found is None:
        raise unknown(UNKNOWN_USER, "User")
    return payloads.channel(fake.world.conversation(found))


async def my_guilds(fake: Fake, received: Received) -> Any:
    limit = received.limit(1, 200, 200)
    after = received.asked("after") or 0
    found = [guild for guild in fake.world.guilds.values() if guild.me is not None and guild.id > after]
    return [
        {"id": str(guild.id), "name": guild.name, "icon": None, "owner": False, "permissions": "0", "features": []}
        for guild in found[:limit]
    ]


async def leave_guild(fake: Fake, received: Received) -> Any:
    fake.kick_bot(fake.guild_of(received))


ROUTES = {
    "GET /gateway/bot": gateway_bot,
    "GET /users/@me": me,
    "GET /users/@me/guilds": my_guilds,
    "DELETE /users/@me/guilds/{guild_id}": leave_guild,
    "POST /users/@me/channels": open_conversation,
    "GET /users/{user_id}": user,
    "GET /oauth2/applications/@me": application,
    "GET /applications/@me": application,
}
