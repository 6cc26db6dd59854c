"""`/privacy`, `/forgetme`, `/rememberme` and `/mychain`: what is kept of a member, and how they change it."""

import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final, TypeVar

from chaffinch.chat import privacy
from chaffinch.chat.calls.call import Embed, Field, Reply
from chaffinch.chat.calls.dispatch import sentence
from chaffinch.chat.commands.table import Command
from chaffinch.errors import InputError, RunError

if TYPE_CHECKING:
    from chaffinch.chat.bot import Bot
    from chaffinch.chat.calls.call import Call

log = logging.getLogger("chaffinch.bot")

T = TypeVar("T")

MOST_NAMED: Final = 40
"""Channels that are named: a field of an embed has 1024 characters, and a mention of one at most 23."""

_OF_EACH: Final = (
    "Its text, its id, your id, the channel's id, the time, and the addresses of its attachments. Not your name, and "
    "no files."
)


async def show(call: "Call", bot: "Bot") -> None:
    """`/privacy`."""
    await call.think(hidden=True)
    kept = await privacy.kept(bot.book, bot.tenants, call.guild, call.member.id)
    fields = (
        Field("Learned from", _channels(kept)),
        Field("Kept of each message there", _OF_EACH),
        Field("Of yours", _yours(kept)),
        Field("A chain of your own", _own(kept)),
        Field("For how long", _how_long(call, bot)),
        Field("If you do not want that", _ways_out(call, bot, kept)),
    )
    await call.answer(Reply(embed=Embed("What is kept of you in this server", fields=fields)), hidden=True)


async def forget(call: "Call", bot: "Bot") -> None:
    """`/forgetme`."""
    _refuse_twice(call, bot)
    await call.think(hidden=True)
    try:
        forgotten = await _told(privacy.forget_user(bot.book, bot.tenants, call.guild, call.member.id))
    except privacy.PutOffError as error:
        said = f"{sentence(str(error))} Nothing that you write is learned any more."
    else:
        bot.measures.forgotten(call.guild, forgotten)
        said = (
            f"{_messages(forgotten)} of yours {'is' if forgotten == 1 else 'are'} forgotten and off the disk, and "
            "nothing that you write is learned any more."
        )
    await call.answer(Reply(f"{said} `/rememberme` undoes the latter, for what you write from then on."), hidden=True)


async def remember(call: "Call", bot: "Bot") -> None:
    """`/rememberme`."""
    _refuse_twice(call, bot)
    await call.think(hidden=True)
    was_out = await _told(privacy.remember_user(bot.book, bot.tenants, call.guild, call.member.id))
    if bot.book.is_out(call.guild, call.member.id):
        role = bot.book.settings(call.guild).opt_out_role
        said = f"Nothing is learned from you while you have the role <@&{role}>."
    elif was_out:
        said = (
            "What you write from now on is learned again. What was forgotten stays forgotten until a training reads it."
        )
    else:
        said = "You were never out: what you write is learned where this server's moderators chose."
    await call.answer(Reply(said), hidden=True)


async def allow(call: "Call", bot: "Bot") -> None:
    """`/mychain allow`."""
    _refuse_twice(call, bot)
    await call.think(hidden=True)
    most = bot.settings.own_chains
    await _told(privacy.allow_own(bot.book, bot.tenants, call.guild, call.member.id, most))
    said = (
        "What you write from now on in channels that are learned from is learned in a chain of your own as well, "
        "and so is what you wrote there before when a moderator has it read by `/train`. It can speak like you alone. "
        "`/mychain deny` removes it."
    )
    await call.answer(Reply(said), hidden=True)


async def deny(call: "Call", bot: "Bot") -> None:
    """`/mychain deny`."""
    _refuse_twice(call, bot)
    await call.think(hidden=True)
    had = await _told(privacy.deny_own(bot.book, bot.tenants, call.guild, call.member.id))
    said = "Your own chain is removed, and none is made any more." if had else "You have no chain of your own."
    await call.answer(Reply(said), hidden=True)


def _refuse_twice(call: "Call", bot: "Bot") -> None:
    """Raises `InputError` where something that they asked for before is under way: each of these may have the whole
    chain merged, and who gives it again and again would keep others waiting.
    """
    if bot.book.turn(call.guild, call.member.id).locked():
        raise InputError("what is kept of you is being changed just now: wait a moment, then ask again")


async def _told(call: Awaitable[T]) -> T:
    """What a call gives. Of what the machine does not let happen a member is told that, and the log what it was."""
    try:
        return await call
    except (privacy.PutOffError, InputError):
        raise
    except RunError as error:
        log.warning("bot.privacy_not_noted error=%s", error)
        raise RunError("that could not be noted just now, and nothing was changed: try again later") from None


def _channels(kept: privacy.Kept) -> str:
    if not kept.channels:
        return "No channel: nothing is learned here."
    named = " ".join(f"<#{channel}>" for channel in kept.channels[:MOST_NAMED])
    more = len(kept.channels) - MOST_NAMED
    return f"{named}{f' and {more} more' if more > 0 else ''}, with their threads."


def _yours(kept: privacy.Kept) -> str:
    said = f"{_messages(kept.messages)}."
    if kept.is_due:
        return f"{said} You asked that they be forgotten: that is still being done."
    if kept.is_out:
        return f"{said} You are not learned from{', by your role' if kept.is_out_by_role else ''}."
    return said


def _own(kept: privacy.Kept) -> str:
    if not kept.has_own:
        return "None. `/mychain allow` makes one."
    lost = (
        " It was damaged, and is begun anew: what it had before is missing until a moderator has it read by `/train`."
        if kept.is_own_lost
        else ""
    )
    return f"You agreed to one; it has {_messages(kept.own_messages)}.{lost} `/mychain deny` removes it."


def _how_long(call: "Call", bot: "Bot") -> str:
    days = bot.book.settings(call.guild).retention_days
    until = f"{days} days, and until" if days else "Until"
    left = bot.settings.leave_days
    return (
        f"{until} you delete it or ask to be forgotten; an edited one is learned anew. What is deleted while I am "
        "offline I am not told of: a new training by a moderator, or `/forgetme`, forgets it. What is forgotten is out "
        f"of every answer at once, and off the disk after the next merge. {left:g} days after the bot has left, all of "
        "this server is deleted."
    )


def _ways_out(call: "Call", bot: "Bot", kept: privacy.Kept) -> str:
    role = bot.book.settings(call.guild).opt_out_role
    by_role = f" Who has the role <@&{role}> is forgotten and not learned from, too." if role else ""
    if kept.is_out and not kept.is_out_by_role:
        return f"`/rememberme`: you are learned from again. That you are out is noted until then.{by_role}"
    return f"`/forgetme`: all of yours is forgotten, off the disk at once, and nothing is learned any more.{by_role}"


def _messages(number: int) -> str:
    return f"{number:,} message{'' if number == 1 else 's'}"


COMMANDS: Final = (
    Command("privacy", "Show what is kept of you here, and what you can do about it.", show),
    Command("forgetme", "Forget all that you wrote here, and learn nothing from you any more.", forget),
    Command("rememberme", "Learn from you again, from now on.", remember),
    Command(
        "mychain",
        "A chain that learns from you alone, if you allow it.",
        commands=(
            Command("allow", "Allow a chain of your own, from what you write here.", allow),
            Command("deny", "Remove your own chain, and make none.", deny),
        ),
    ),
)
