"""Give Discord the commands of the table: what it has already stays untouched, since changes are rationed."""

import logging
from collections.abc import Iterable
from typing import Any

import discord
from discord.http import HTTPClient

from chaffinch.chat.commands.deployment import Difference, payload
from chaffinch.chat.commands.table import Table

log = logging.getLogger("chaffinch.bot")


async def deploy(http: HTTPClient, application: int, table: Table, guilds: Iterable[int], dev_guild: int) -> None:
    """Everybody gets the commands, or `dev_guild` alone, where they are at once; no guild is left with them twice."""
    wanted = payload(table, of_guild=bool(dev_guild))
    guilds = list(guilds)
    if dev_guild and dev_guild not in guilds:
        log.warning(
            "bot.dev_guild_unknown guild=%d why=the bot is in no such server, so nobody gets its slash commands:"
            " correct bot.dev_guild or take it out, and start again",
            dev_guild,
        )
    if dev_guild:
        changed, deleted = await _make_equal(http, application, dev_guild, wanted)
        deleted += (await _make_equal(http, application, 0, []))[1]
        cleared = await _clear(http, application, [guild for guild in guilds if guild != dev_guild])
    else:
        changed, deleted = await _make_equal(http, application, 0, wanted)
        cleared = await _clear(http, application, guilds)
    log.info("bot.commands_deployed changed=%d deleted=%d guilds_cleared=%d", changed, deleted, cleared)


async def _make_equal(http: HTTPClient, application: int, guild: int, wanted: list[Any]) -> tuple[int, int]:
    """How many commands were made or changed, and how many deleted; with guild 0 those of everybody."""
    if guild:
        deployed: Any = await http.get_guild_commands(application, guild)
    else:
        deployed = await http.get_global_commands(application)
    difference = Difference(deployed, wanted)
    for one in difference.delete:
        if guild:
            await http.delete_guild_command(application, guild, one)
        else:
            await http.delete_global_command(application, one)
    command: Any
    for command in difference.upsert:
        if guild:
            await http.upsert_guild_command(application, guild, command)
        else:
            await http.upsert_global_command(application, command)
    return len(difference.upsert), len(difference.delete)


async def _clear(http: HTTPClient, application: int, guilds: Iterable[int]) -> int:
    """Take the commands from guilds that have some of their own; how many those were."""
    cleared = 0
    for guild in guilds:
        try:
            if await http.get_guild_commands(application, guild):
                await http.bulk_upsert_guild_commands(application, guild, [])
                cleared += 1
        except (discord.Forbidden, discord.NotFound):  # added without commands, or gone meanwhile: it has none there
            continue
    return cleared
