"""How a message that the bot sends comes to stand in a channel: the same for REST, interactions and webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chat.discord import checks, payloads
from tests.chat.discord.intents import Intent
from tests.chat.discord.messages import COMMAND, REPLY, Attachment, Flag, Message, find_mentions
from tests.chat.discord.refusals import invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chat.discord.acting import Acting
    from tests.chat.discord.interactions import Asked
    from tests.chat.discord.places import Channel
    from tests.chat.discord.received import File

MAY_SET = Flag.EPHEMERAL | Flag.SUPPRESS_EMBEDS | Flag.SUPPRESS_NOTIFICATIONS


def compose(
    fake: Acting,
    channel: Channel,
    body: dict[str, Any],
    files: Sequence[File],
    at_ns: int,
    *,
    asked: Asked | None = None,
) -> Message:
    """The bot's message, checked; it stands nowhere yet. `asked`: what it answers."""
    checks.message(body, has_files=bool(files))
    message = Message(fake.world.new_id(), channel, fake.world.bot, posted_ns=at_ns)
    message.reply_to = _replied_to(channel, body)
    message.type = REPLY if message.reply_to is not None else 0
    if asked is not None:
        message.interaction, message.webhook_id, message.type = asked, fake.world.bot.id, COMMAND
    message.flags = int(body.get("flags") or 0) & MAY_SET
    message.tts = bool(body.get("tts"))
    write(fake, message, body, files)
    message.pinged = pinged(message)
    return message


def _replied_to(channel: Channel, body: dict[str, Any]) -> Message | None:
    reference = body.get("message_reference")
    if not reference:
        return None
    found = channel.history.get(int(reference["message_id"]))
    if found is None and reference.get("fail_if_not_exists", True):
        raise invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    return found


def write(fake: Acting, message: Message, body: dict[str, Any], files: Sequence[File]) -> None:
    """Put what a body has into a message: of an edit, what it does not have stays."""
    if "content" in body:
        message.content = (body["content"] or "").strip()
    if "embeds" in body:
        message.embeds = body["embeds"] or []
    if "components" in body:
        message.components = body["components"] or []
    if "allowed_mentions" in body:
        message.allowed_mentions = body["allowed_mentions"]
    if "attachments" in body:
        listed = {int(attached["id"]) for attached in body["attachments"] or []}
        message.attachments = [attached for attached in message.attachments if attached.id in listed]
    for file in files:
        message.attachments.append(fake.attach(message.channel, file))
    find_mentions(message)


def pinged(message: Message) -> list[int]:
    """Whom a message notifies: those it mentions, as far as its `allowed_mentions` lets it."""
    guild = message.channel.guild
    allowed = message.allowed_mentions
    if allowed is None:
        # Who answers an interaction without them mentions users alone (discord/discord-api-docs, pull request 7629).
        parsed = ["users", "roles", "everyone"] if message.webhook_id is None else ["users"]
        allowed = {"parse": parsed, "replied_user": True}
    parse = allowed.get("parse", [])
    users = {int(user) for user in allowed.get("users", [])}
    roles = {int(role) for role in allowed.get("roles", [])}
    found = [role.id for role in message.mention_roles if "roles" in parse or role.id in roles]
    for user in message.mentions:
        is_replied = message.reply_to is not None and message.reply_to.author is user
        if "users" in parse or user.id in users or (is_replied and allowed.get("replied_user")):
            found.append(user.id)
    if message.mentions_everyone and "everyone" in parse and guild is not None:
        found.append(guild.id)
    return found


def place(fake: Acting, message: Message) -> None:
    """It stands in its channel from now on; an ephemeral one is shown to one person alone."""
    if not message.is_ephemeral:
        fake.place(message)


def edited(fake: Acting, message: Message) -> None:
    """Tell of a change."""
    message.edited_ms = fake.world.clock.now_ms()
    if not message.is_ephemeral:
        fake.tell("MESSAGE_UPDATE", payloads.message_event(message), Intent.GUILD_MESSAGES, message=message)


def made_attachment(fake: Acting, channel: Channel, file: File) -> Attachment:
    """A file that was uploaded, in the CDN."""
    kind = "image/png" if file.name.endswith(".png") else file.content_type
    attachment = Attachment(fake.world.new_id(), channel.id, file.name, len(file.content), file.content, kind)
    fake.world.attachments[attachment.id] = attachment
    return attachment
