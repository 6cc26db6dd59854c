"""`/settings`: what a guild's moderators chose, one option for each field of `GuildSettings`."""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from chaffinch.chat.calls.call import Embed, Field, Reply
from chaffinch.chat.commands.table import Command, Option
from chaffinch.chat.guild import MOST_CHARACTERS, GuildSettings
from chaffinch.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaffinch.chat.bot import Bot
    from chaffinch.chat.calls.call import Call, Value

OPTIONS: Final = (
    Option("image_chance", "number", "How often an attachment goes with what I say: from 0 to 1.", least=0, most=1),
    Option(
        "cooldown_seconds",
        "number",
        "Seconds after an answer in which I answer no message of that channel unasked.",
        least=0,
        most=86_400,
    ),
    Option(
        "quiet_from", "text", "From this time of day, such as 22:00, I answer nothing but commands.", least=4, most=5
    ),
    Option("quiet_until", "text", "Until this time of day, such as 07:30.", least=4, most=5),
    Option("timezone", "text", "The zone of the two times, such as Europe/Berlin.", least=1, most=64),
    Option("max_length", "whole", "Characters of what I say, at most.", least=1, most=MOST_CHARACTERS),
    Option("retention_days", "whole", "Days after which messages are forgotten; 0: they stay.", least=0, most=36_500),
    Option("opt_out_role", "role", "Who has this role is not learned from."),
    Option("backward", "switch", "Whether the next clean training makes a chain that can be asked for `contains`."),
)
"""In the order of `GuildSettings`, with its names and bounds."""

MOST_NAMED: Final = 25
"""Channels with an image chance of their own that are shown: all characters of an embed are counted together."""


async def show(call: "Call", bot: "Bot") -> None:
    """Tell what is chosen."""
    await call.answer(Reply(embed=_page(call.guild, bot.book.settings(call.guild), bot)), hidden=True)


async def change(call: "Call", bot: "Bot") -> None:
    """Choose."""
    if not call.options:
        raise InputError("name what to change, such as max_length: `settings show` lists all there is")
    await call.think(hidden=True)
    async with bot.choosing:
        settings = changed(bot.book.settings(call.guild), call.options)
        await bot.book.set_settings(call.guild, settings)
    await call.answer(Reply(embed=_page(call.guild, settings, bot)), hidden=True)


async def reset(call: "Call", bot: "Bot") -> None:
    """Take one back to what it was at first."""
    name = str(call.options["name"])
    fresh = {name: getattr(GuildSettings(), name)}
    if name in ("quiet_from", "quiet_until"):
        fresh = {"quiet_from": "", "quiet_until": ""}  # one says nothing without the other
    await call.think(hidden=True)
    async with bot.choosing:
        settings = msgspec.structs.replace(bot.book.settings(call.guild), **fresh)
        await bot.book.set_settings(call.guild, settings)
    await call.answer(Reply(embed=_page(call.guild, settings, bot)), hidden=True)


def changed(settings: GuildSettings, options: "Mapping[str, Value]") -> GuildSettings:
    """The settings with those changes. Raises `InputError` for what cannot be."""
    from chaffinch.chat.talking.quiet import time_of_day, zone_of

    given: dict[str, Any] = dict(options)
    for name in ("quiet_from", "quiet_until"):
        if name in given:
            time_of_day(given[name])
            given[name] = given[name].rjust(5, "0")
    if "timezone" in given:
        zone_of(given["timezone"])
    fresh = msgspec.structs.replace(settings, **given)
    if bool(fresh.quiet_from) != bool(fresh.quiet_until):
        raise InputError("quiet hours need both ends: give quiet_from and quiet_until together")
    if fresh.quiet_from and fresh.quiet_from == fresh.quiet_until:
        raise InputError("quiet hours that begin and end at the same time are none: `settings reset` ends them")
    return fresh


def _page(guild: int, settings: GuildSettings, bot: "Bot") -> Embed:
    fields = tuple(
        Field(
            option.name,
            f"**{_shown(option.name, getattr(settings, option.name), bot)}**\n{option.about}"
            + (_of_their_own(guild, bot) if option.name == "image_chance" else ""),
        )
        for option in OPTIONS
    )
    return Embed("Settings of this server", "", fields)


def _of_their_own(guild: int, bot: "Bot") -> str:
    """Channels for which `autorespond images` says another."""
    found = [f"<#{one.id}> {one.images:g}" for one in bot.book.channels(guild) if one.images is not None]
    return f"\nIn {', '.join(found[:MOST_NAMED])}{', ...' if len(found) > MOST_NAMED else ''}" if found else ""


def _shown(name: str, value: object, bot: "Bot") -> str:
    if name == "timezone" and not value:
        return f"{bot.settings.timezone} (as the bot's)"
    if name == "opt_out_role":
        return f"<@&{value}>" if value else "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


COMMANDS = (
    Command(
        "settings",
        "Settings of this server.",
        commands=(
            Command("show", "Show the settings of this server.", show),
            Command("set", "Change settings of this server.", change, "moderator", OPTIONS),
            Command(
                "reset",
                "Take a setting back to what it was at first.",
                reset,
                "moderator",
                (
                    Option(
                        "name",
                        "text",
                        "The setting.",
                        is_required=True,
                        choices=tuple(option.name for option in OPTIONS),
                    ),
                ),
            ),
        ),
    ),
)
