"""Messages of a channel: read in pages, sent, changed, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chat.discord import checks, intents, payloads, posting
from tests.chat.discord.intents import Intent
from tests.chat.discord.messages import Flag
from tests.chat.discord.permissions import Permission, may
from tests.chat.discord.places import WITH_MESSAGES, Channel, Kind
from tests.chat.discord.refusals import UNKNOWN_MESSAGE, Refused, missing_access, missing_permissions, unknown

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake
    from tests.chat.discord.messages import Message
    from tests.chat.discord.received import Received


def _allows(channel: Channel, needed: int) -> bool:
    """Whether the bot may; in a conversation it may everything."""
    guild = channel.guild
    return guild is None or (guild.me is not None and may(guild.me, channel, needed))


def _seen(fake: Fake, received: Received) -> Channel:
    """The channel of a request, which the bot has to see."""
    channel = fake.channel_of(received)
    needed = Permission.CONNECT if channel.kind in (Kind.VOICE, Kind.STAGE) else 0
    if not _allows(channel, needed):
        raise missing_access()
    if channel.kind not in WITH_MESSAGES:
        raise Refused(400, 50008, "Cannot send messages in a non-text channel")
    return channel


def _message(received: Received, channel: Channel) -> Message:
    message = channel.history.get(received.number("message_id"))
    if message is None:
        raise unknown(UNKNOWN_MESSAGE, "Message")
    return message


def _encoded(fake: Fake, channel: Channel, message_id: int) -> bytes:
    """What REST shows of a message: without the intent, what it says stays hidden here too."""
    reads_all = fake.gateway.allowed & Intent.MESSAGE_CONTENT
    encoded = channel.history.encoded(message_id) if reads_all else None
    if encoded is not None:
        return encoded
    message = channel.history.get(message_id)
    assert message is not None
    payload = payloads.message(message)
    if not intents.shows_content(message, fake.gateway.allowed, fake.world.bot):
        payload = intents.without_content(payload)
    return payloads.encode(payload)


async def page(fake: Fake, received: Received) -> Any:
    limit = received.limit(1, 100, 50)
    channel = _seen(fake, received)
    if not _allows(channel, Permission.READ_MESSAGE_HISTORY):
        return []
    around = received.asked("around")
    if around is not None:
        ids = channel.history.around(limit, around)
    else:
        ids = channel.history.page(limit, before=received.asked("before"), after=received.asked("after"))
    return b"[" + b",".join([_encoded(fake, channel, message_id) for message_id in ids]) + b"]"


async def one(fake: Fake, received: Received) -> Any:
    channel = _seen(fake, received)
    if not _allows(channel, Permission.READ_MESSAGE_HISTORY):
        raise missing_access()
    return _encoded(fake, channel, _message(received, channel).id)


async def send(fake: Fake, received: Received) -> Any:
    channel = _seen(fake, received)
    needed = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
    body = received.body or {}
    if body.get("tts"):
        needed |= Permission.SEND_TTS_MESSAGES
    if received.files:
        needed |= Permission.ATTACH_FILES
    if body.get("embeds"):
        needed |= Permission.EMBED_LINKS
    if body.get("message_reference"):
        needed |= Permission.READ_MESSAGE_HISTORY
    if not _allows(channel, needed):
        raise missing_permissions()
    message = posting.compose(fake, channel, body, received.files, received.at_ns)
    message.flags &= ~Flag.EPHEMERAL
    posting.place(fake, message)
    return payloads.message(message)


async def change(fake: Fake, received: Received) -> Any:
    channel = _seen(fake, received)
    message = _message(received, channel)
    if message.author is not fake.world.bot:
        raise Refused(403, 50005, "Cannot edit a message authored by another user")
    if received.body.get("embeds") and not _allows(channel, Permission.EMBED_LINKS):
        raise missing_permissions()
    checks.contents(received.body)
    posting.write(fake, message, received.body, received.files)
    posting.edited(fake, message)
    return payloads.message(message)


async def delete(fake: Fake, received: Received) -> Any:
    channel = _seen(fake, received)
    message = _message(received, channel)
    if message.author is not fake.world.bot and not _allows(channel, Permission.MANAGE_MESSAGES):
        raise missing_permissions()
    fake.delete(message)


async def typing(fake: Fake, received: Received) -> Any:
    channel = _seen(fake, received)
    if not _allows(channel, Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES):
        raise missing_permissions()


_MESSAGES = "/channels/{channel_id}/messages"
ROUTES = {
    f"GET {_MESSAGES}": page,
    f"POST {_MESSAGES}": send,
    f"GET {_MESSAGES}/{{message_id}}": one,
    f"PATCH {_MESSAGES}/{{message_id}}": change,
    f"DELETE {_MESSAGES}/{{message_id}}": delete,
    "POST /channels/{channel_id}/typing": typing,
}
