"""Threads of a guild that are active, and those of a channel that are archived, newest archived first."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.chat.discord import payloads
from tests.chat.discord.permissions import Permission, may
from tests.chat.discord.refusals import invalid, missing_access

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake
    from tests.chat.discord.people import Member
    from tests.chat.discord.places import Channel
    from tests.chat.discord.received import Received


def _page(threads: list[Channel], me: Member, *, has_more: bool) -> dict[str, Any]:
    return {
        "threads": [payloads.thread(thread) for thread in threads],
        "members": [payloads.thread_member(thread, me.id) for thread in threads if me.id in thread.thread_members],
        "has_more": has_more,
    }


def _me(channel: Channel, needed: int) -> Member:
    """The bot, which has to have what is needed to read archived threads there."""
    me = channel.guild.me if channel.guild else None
    if me is None or not may(me, channel, Permission.READ_MESSAGE_HISTORY | needed):
        raise missing_access()
    return me


async def active(fake: Fake, received: Received) -> Any:
    guild = fake.guild_of(received)
    assert guild.me is not None
    found = [one for one in guild.channels.values() if one.is_thread and one.archived_ms is None]
    shown = sorted((one for one in found if may(guild.me, one, 0)), key=lambda one: -one.id)
    page = _page(shown, guild.me, has_more=False)
    del page["has_more"]
    return page


def _archived(fake: Fake, received: Received, *, private: bool, needed: int = 0) -> Any:
    channel = fake.channel_of(received)
    me = _me(channel, needed)
    limit = received.limit(2, 100, 50)
    before = received.query.get("before")
    try:
        before_ms = None if before is None else datetime.fromisoformat(before).timestamp() * 1000
    except ValueError:
        raise invalid("before", "DATE_TIME_TYPE_PARSE", f"Could not parse {before}. Should be ISO8601.") from None
    assert channel.guild is not None
    found = [one for one in channel.guild.threads_of(channel) if one.is_private is private]
    dated = [(one.archived_ms, one) for one in found if one.archived_ms is not None]
    dated = [(at, one) for at, one in dated if before_ms is None or at < before_ms]
    dated.sort(key=lambda entry: (-entry[0], -entry[1].id))
    return _page([one for _, one in dated[:limit]], me, has_more=len(dated) > limit)


async def archived_public(fake: Fake, received: Received) -> Any:
    return _archived(fake, received, private=False)


async def archived_private(fake: Fake, received: Received) -> Any:
    return _archived(fake, received, private=True, needed=Permission.MANAGE_THREADS)


async def archived_joined(fake: Fake, received: Received) -> Any:
    """Private ones that the bot is in, by falling id."""
    channel = fake.channel_of(received)
    me = _me(channel, 0)
    limit, before = received.limit(2, 100, 50), received.asked("before")
    assert channel.guild is not None
    found = [one for one in channel.guild.threads_of(channel) if one.is_private and one.archived_ms is not None]
    mine = [one for one in found if me.id in one.thread_members and (before is None or one.id < before)]
    mine.sort(key=lambda one: -one.id)
    return _page(mine[:limit], me, has_more=len(mine) > limit)


ROUTES = {
    "GET /guilds/{guild_id}/threads/active": active,
    "GET /channels/{channel_id}/threads/archived/public": archived_public,
    "GET /channels/{channel_id}/threads/archived/private": archived_private,
    "GET /channels/{channel_id}/users/@me/threads/archived/private": archived_joined,
}
