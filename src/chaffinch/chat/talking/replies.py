"""Whether a message is answered, and about what. Pure: time and chance are given."""

from datetime import datetime
from typing import Literal

import msgspec

from chaffinch.chat.content import mentions_bot, without_mention
from chaffinch.chat.guild import Channel, GuildSettings
from chaffinch.chat.seen import Seen
from chaffinch.chat.talking.quiet import is_quiet
from chaffinch.config.tree import BotSettings


class Answer(msgspec.Struct, frozen=True):
    """That a message is answered."""

    seed: str
    """What it is about: the message without mentions of the bot; empty: nothing in particular."""
    cause: Literal["mention", "autorespond"]


def decide(
    seen: Seen,
    settings: GuildSettings,
    channel: Channel,
    bot_settings: BotSettings,
    *,
    bot_id: int,
    now: datetime,
    last: datetime | None,
    roll: float,
) -> Answer | None:
    """The answer to a message that is no command; None: it gets none.

    `channel` is the one that the message counts for, `last` when the last answer there was given that nobody asked for,
    `roll` a number from 0 up to 1, drawn for this message. A mention is answered always; where it may not be
    (`bot.response_channels`), the message counts as any other. Raises `InputError` for quiet hours that cannot be.
    """
    if not seen.is_human or seen.author == bot_id or not may_talk(seen.roles, bot_settings):
        return None
    cause: Literal["mention", "autorespond"]
    if mentions_bot(seen, bot_id) and _is_answered_in(seen, bot_settings):
        cause = "mention"
    elif channel.responds and roll < channel.chance and not _is_cooling(now, last, settings):
        cause = "autorespond"
    else:
        return None
    if is_quiet(now, settings.quiet_from, settings.quiet_until, settings.timezone or bot_settings.timezone):
        return None
    return Answer(without_mention(seen.text, bot_id), cause)


def may_talk(roles: frozenset[int] | None, bot_settings: BotSettings) -> bool:
    """Whether somebody with these roles may have the bot talk: nobody goes past it, moderators and owners neither."""
    return not bot_settings.user_roles or not (roles or frozenset()).isdisjoint(bot_settings.user_roles)


def _is_answered_in(seen: Seen, bot_settings: BotSettings) -> bool:
    channels = bot_settings.response_channels
    return not channels or seen.parent in channels or seen.channel in channels


def _is_cooling(now: datetime, last: datetime | None, settings: GuildSettings) -> bool:
    return last is not None and (now - last).total_seconds() < settings.cooldown_seconds
