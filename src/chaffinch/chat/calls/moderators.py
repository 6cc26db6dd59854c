"""Who may give which command: pure rules over what Discord says of a member."""

from typing import Final, assert_never

from chaffinch.chat.commands.table import Who
from chaffinch.chat.seen import Member
from chaffinch.chat.talking import replies
from chaffinch.config import BotSettings

KICK_MEMBERS, ADMINISTRATOR, MANAGE_CHANNELS, MOVE_MEMBERS = 1 << 1, 1 << 3, 1 << 4, 1 << 24
"""Discord's bits (https://docs.discord.com/developers/topics/permissions)."""

MODERATING: Final = ADMINISTRATOR | MANAGE_CHANNELS | KICK_MEMBERS | MOVE_MEMBERS
"""Any one of these makes a moderator."""


def is_moderator(member: Member, settings: BotSettings) -> bool:
    """Whether somebody has one of the moderating permissions, or is an owner of the bot; another bot never is one."""
    return not member.is_bot and (bool(member.permissions & MODERATING) or member.id in settings.owners)


def may_talk(member: Member, settings: BotSettings) -> bool:
    """The same as of who writes a message, and no other bot."""
    return not member.is_bot and replies.may_talk(member.roles, settings)


def refusal(who: Who, member: Member, settings: BotSettings) -> str:
    """Why a command for `who` is refused to a member, as a sentence; empty: it is not."""
    match who:
        case "anyone":
            return ""
        case "moderator":
            if is_moderator(member, settings):
                return ""
            return (
                "This is for moderators: it needs the permission Manage Channels, Kick Members, Move Members or"
                " Administrator."
            )
        case "speaker":
            if may_talk(member, settings):
                return ""
            roles = ", ".join(f"<@&{role}>" for role in settings.user_roles)
            return f"To have me talk you need one of these roles: {roles}."
    assert_never(who)
