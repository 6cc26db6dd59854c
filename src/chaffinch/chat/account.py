"""Who a token belongs to, and what its application may do: asked of Discord before the bot runs."""

import aiohttp
import discord
import msgspec

from chaffinch.chat.token import PORTAL, Token
from chaffinch.errors import InputError, RunError


class Account(msgspec.Struct, frozen=True):
    """A bot and its application."""

    name: str
    application: int
    owner: int
    """Who made the application, or owns the team that has it; 0 where Discord does not say."""
    reads_content: bool
    """Whether the Message Content Intent is on: without it the bot is told of messages and not what they say."""
    is_public: bool
    """Whether anybody may invite it."""
    guilds: int
    """In about how many it is."""


async def account_of(token: Token) -> Account:
    """Ask Discord. Raises `InputError` for a token that it does not know, `RunError` when it cannot be asked."""
    async with discord.Client(intents=discord.Intents.none()) as client:
        try:
            await client.login(token.reveal())
        except discord.LoginFailure:
            raise InputError(
                f"Discord does not take the token from {token.source}: it was reset, or is another's; take a new one "
                f"at {PORTAL}, under Bot, Reset Token"
            ) from None
        except discord.HTTPException as error:
            raise RunError(f"Discord answers with {error.status} now; try again later") from None
        except (aiohttp.ClientError, OSError) as error:
            raise RunError(f"Discord cannot be reached ({error}); look after this machine's network") from None
        found, user = client.application, client.user
    assert found is not None
    assert user is not None
    owner = found.team.owner_id if found.team is not None else found.owner.id
    return Account(
        name=str(user),
        application=found.id,
        owner=owner or 0,
        reads_content=found.flags.gateway_message_content or found.flags.gateway_message_content_limited,
        is_public=found.bot_public,
        guilds=found.approximate_guild_count or 0,
    )
