"""The link by which the bot comes to a guild. Pure."""

from typing import Final
from urllib.parse import urlencode

from chaffinch.errors import InputError

VIEW_CHANNEL, SEND_MESSAGES, SEND_TTS_MESSAGES = 1 << 10, 1 << 11, 1 << 12
ATTACH_FILES, READ_MESSAGE_HISTORY, CONNECT, SEND_MESSAGES_IN_THREADS = 1 << 15, 1 << 16, 1 << 20, 1 << 38
"""Discord's bits (https://docs.discord.com/developers/topics/permissions)."""

PERMISSIONS: Final = (
    VIEW_CHANNEL | SEND_MESSAGES | SEND_TTS_MESSAGES | ATTACH_FILES | READ_MESSAGE_HISTORY | SEND_MESSAGES_IN_THREADS
)
"""What the bot needs, and no more."""

NAMES: Final = (
    "View Channels",
    "Send Messages",
    "Send Text-to-Speech Messages",
    "Attach Files",
    "Read Message History",
    "Send Messages in Threads",
)
"""The same, as Discord shows them."""


def url(application: int) -> str:
    """The link for an application. Raises `InputError` while its id is not known."""
    if not application:
        raise InputError("the invite link is not known yet: try again in a moment")
    asked = {"client_id": application, "permissions": PERMISSIONS, "scope": "bot applications.commands"}
    return f"https://discord.com/oauth2/authorize?{urlencode(asked)}"
