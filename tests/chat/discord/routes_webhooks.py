"""What the bot says to an interaction later, by its token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chat.discord import checks, payloads, posting
from tests.chat.discord.messages import Flag, Message
from tests.chat.discord.refusals import UNKNOWN_WEBHOOK, Refused, unknown
from tests.chat.discord.routes_interactions import said

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake
    from tests.chat.discord.interactions import Asked
    from tests.chat.discord.received import Received


def _asked(fake: Fake, received: Received) -> Asked:
    if received.number("webhook_id") != fake.world.bot.id:
        raise unknown(UNKNOWN_WEBHOOK, "Webhook")
    asked = fake.interactions.get(received.parameters["token"])
    if asked is None:
        raise Refused(401, 50027, "Invalid Webhook Token")
    asked.check_token(fake.world.clock.now())
    return asked


async def follow_up(fake: Fake, received: Received) -> Any:
    """Another message; the first one after "thinking" takes its place, and is as hidden as that was."""
    asked = _asked(fake, received)
    if asked.is_thinking and asked.original is not None:
        checks.message(received.body or {}, has_files=bool(received.files))
        return _change(fake, asked, asked.original, received)
    message = said(fake, asked, received.body or {}, received)
    asked.answers.append(message)
    return payloads.message(message)


async def one(fake: Fake, received: Received) -> Any:
    return payloads.message(_asked(fake, received).find(received.parameters["message_id"]))


async def change(fake: Fake, received: Received) -> Any:
    asked = _asked(fake, received)
    return _change(fake, asked, asked.find(received.parameters["message_id"]), received)


def _change(fake: Fake, asked: Asked, message: Message, received: Received) -> Any:
    checks.contents(received.body or {})
    posting.write(fake, message, received.body or {}, received.files)
    if message.is_loading:
        message.flags &= ~Flag.LOADING
        message.pinged = posting.pinged(message)
        message.posted_ns = received.at_ns
        asked.is_thinking = False
    posting.edited(fake, message)
    if message not in asked.answers:
        asked.answers.insert(0, message)
    return payloads.message(message)


async def delete(fake: Fake, received: Received) -> Any:
    asked = _asked(fake, received)
    message = asked.find(received.parameters["message_id"])
    asked.removed.append(message)
    asked.is_thinking = asked.is_thinking and message is not asked.original
    if message in asked.answers:
        asked.answers.remove(message)
    if not message.is_ephemeral:
        fake.delete(message)


_TOKEN = "/webhooks/{webhook_id}/{token}"
ROUTES = {
    f"POST {_TOKEN}": follow_up,
    f"GET {_TOKEN}/messages/{{message_id}}": one,
    f"PATCH {_TOKEN}/messages/{{message_id}}": change,
    f"DELETE {_TOKEN}/messages/{{message_id}}": delete,
}
