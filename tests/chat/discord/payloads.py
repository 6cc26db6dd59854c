"""The world's things in the JSON that Discord documents (https://discord.com/developers/docs/resources)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tests.chat.discord import permissions
from tests.chat.discord.places import Kind
from tests.chat.discord.snowflakes import stamp, time_of

if TYPE_CHECKING:
    from tests.chat.discord.messages import Attachment, Message
    from tests.chat.discord.people import Member, Role, User
    from tests.chat.discord.places import Channel, Guild

Json = dict[str, Any]
encode = msgspec.json.Encoder().encode


def user(one: User) -> Json:
    return {
        "id": str(one.id),
        "username": one.name,
        "discriminator": "0",
        "global_name": None,
        "avatar": None,
        "bot": one.is_bot,
        "public_flags": 0,
    }


def role(one: Role) -> Json:
    return {
        "id": str(one.id),
        "name": one.name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "position": one.position,
        "permissions": str(one.permissions),
        "managed": one.is_managed,
        "mentionable": False,
        "flags": 0,
    }


def member(one: Member, *, with_user: bool = True) -> Json:
    found: Json = {
        "roles": [str(role.id) for role in one.roles],
        "joined_at": stamp(one.joined_ms),
        "nick": None,
        "avatar": None,
        "premium_since": None,
        "pending": False,
        "communication_disabled_until": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
    }
    if with_user:
        found["user"] = user(one.user)
    return found


def channel(one: Channel) -> Json:
    """Of a channel, thread or conversation."""
    if one.is_thread:
        return thread(one)
    if one.recipient is not None:
        last = one.history.last_id()
        return {
            "id": str(one.id),
            "type": one.kind,
            "last_message_id": last and str(last),
            "recipients": [user(one.recipient)],
        }
    assert one.guild is not None
    found: Json = {
        "id": str(one.id),
        "type": one.kind,
        "guild_id": str(one.guild.id),
        "name": one.name,
        "position": one.position,
        "permission_overwrites": [
            {"id": str(target), "type": 0 if target in one.guild.roles else 1, "allow": str(allow), "deny": str(deny)}
            for target, (allow, deny) in one.overwrites.items()
        ],
        "nsfw": False,
        "parent_id": one.parent and str(one.parent.id),
        "flags": 0,
    }
    if one.kind is not Kind.CATEGORY:
        last = one.history.last_id()
        found |= {"topic": None, "last_message_id": last and str(last), "rate_limit_per_user": 0}
    if one.kind in (Kind.VOICE, Kind.STAGE):
        found |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
    if one.kind is Kind.FORUM:
        found |= {"available_tags": [], "default_reaction_emoji": None, "default_sort_order": None}
    return found


def thread(one: Channel) -> Json:
    assert one.guild is not None
    assert one.parent is not None
    last, count = one.history.last_id(), len(one.history)
    return {
        "id": str(one.id),
        "type": one.kind,
        "guild_id": str(one.guild.id),
        "parent_id": str(one.parent.id),
        "owner_id": str(one.owner_id),
        "name": one.name,
        "last_message_id": last and str(last),
        "rate_limit_per_user": 0,
        "message_count": count,
        "member_count": len(one.thread_members),
        "total_message_sent": count,
        "flags": 0,
        "thread_metadata": {
            "archived": one.archived_ms is not None,
            "auto_archive_duration": 1440,
            "archive_timestamp": stamp(one.archived_ms or time_of(one.id)),
            "create_timestamp": stamp(time_of(one.id)),
            "locked": False,
            "invitable": True,
        },
    }


def thread_member(one: Channel, member_id: int) -> Json:
    return {"id": str(one.id), "user_id": str(member_id), "join_timestamp": stamp(time_of(one.id)), "flags": 0}


def attachment(one: Attachment, channel: Channel) -> Json:
    url = channel.world.signed(one)
    return {
        "id": str(one.id),
        "filename": one.name,
        "size": one.size,
        "url": url,
        "proxy_url": url,
        "content_type": one.content_type,
    }


def message(one: Message, *, nested: bool = False) -> Json:
    """As REST gives it: no guild, no member; `nested`: inside of a reply to it."""
    found: Json = {
        "id": str(one.id),
        "channel_id": str(one.channel.id),
        "author": user(one.author),
        "content": one.content,
        "timestamp": stamp(time_of(one.id)),
        "edited_timestamp": one.edited_ms and stamp(one.edited_ms),
        "tts": one.tts,
        "mention_everyone": one.mentions_everyone,
        "mentions": [user(mentioned) for mentioned in one.mentions],
        "mention_roles": [str(mentioned.id) for mentioned in one.mention_roles],
        "attachments": [attachment(attached, one.channel) for attached in one.attachments],
        "embeds": one.embeds,
        "components": one.components,
        "pinned": False,
        "type": one.type,
        "flags": one.flags,
    }
    if one.reply_to is not None:
        found["message_reference"] = reference(one.reply_to)
        if not nested:
            is_there = one.reply_to.channel.history.get(one.reply_to.id) is not None
            found["referenced_message"] = message(one.reply_to, nested=True) if is_there else None
    if one.webhook_id is not None:
        found |= {"webhook_id": str(one.webhook_id), "application_id": str(one.webhook_id)}
    if one.interaction is not None:
        found["interaction_metadata"] = {
            "id": str(one.interaction.id),
            "type": one.interaction.type,
            "user": user(one.interaction.member.user),
            "authorizing_integration_owners": {},
        }
    return found


def reference(one: Message) -> Json:
    guild = one.channel.guild
    found = {"type": 0, "message_id": str(one.id), "channel_id": str(one.channel.id)}
    return found | {"guild_id": str(guild.id)} if guild else found


def message_event(one: Message) -> Json:
    """As the gateway gives it: with its guild, and the author and those mentioned as members."""
    guild = one.channel.guild
    found = message(one)
    if guild is None:
        return found
    found["guild_id"] = str(guild.id)
    if one.author.id in guild.members and one.webhook_id is None:
        found["member"] = member(guild.members[one.author.id], with_user=False)
    for mentioned in found["mentions"]:
        if int(mentioned["id"]) in guild.members:
            mentioned["member"] = member(guild.members[int(mentioned["id"])], with_user=False)
    return found


def guild(one: Guild) -> Json:
    """As REST gives it."""
    return {
        "id": str(one.id),
        "name": one.name,
        "icon": None,
        "splash": None,
        "discovery_splash": None,
        "emojis": [],
        "stickers": [],
        "features": [],
        "description": None,
        "banner": None,
        "owner_id": str(one.owner_id),
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "verification_level": 1,
        "default_message_notifications": 1,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "vanity_url_code": None,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "application_id": None,
        "incidents_data": None,
        "max_members": 500_000,
        "roles": [role(found) for found in one.roles.values()],
    }


def guild_event(one: Guild, *, with_members: bool) -> Json:
    """As GUILD_CREATE gives it: of the members the bot alone, unless the session is told of presences."""
    me = one.me
    assert me is not None
    shown = one.members.values() if with_members else [me]
    active = [found for found in one.channels.values() if found.is_thread and found.archived_ms is None]
    return guild(one) | {
        "joined_at": stamp(me.joined_ms),
        "large": len(one.members) > 250,
        "member_count": len(one.members),
        "voice_states": [],
        "members": [member(found) for found in shown],
        "channels": [channel(found) for found in one.channels.values() if not found.is_thread],
        "threads": [thread(found) for found in active if permissions.may(me, found, 0)],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }
