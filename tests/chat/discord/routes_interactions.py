"""What the bot answers to an interaction at first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chat.discord import checks, payloads, posting
from tests.chat.discord.interactions import Asked, Callback, Type
from tests.chat.discord.messages import COMMAND, Flag, Message
from tests.chat.discord.refusals import UNKNOWN_INTERACTION, invalid, unknown

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake
    from tests.chat.discord.received import Received

OF_COMPONENTS = (Callback.THINKING_OF_UPDATE, Callback.UPDATE)


async def callback(fake: Fake, received: Received) -> Any:
    asked = fake.interactions.get(received.parameters["token"])
    if asked is None or asked.id != received.number("interaction_id"):
        raise unknown(UNKNOWN_INTERACTION, "interaction")
    asked.check_callback(fake.world.clock.now())
    kind, data = received.body.get("type"), received.body.get("data") or {}
    if kind not in list(Callback) or kind == Callback.PONG or (kind in OF_COMPONENTS and asked.type != Type.COMPONENT):
        raise invalid("type", "BASE_TYPE_CHOICES", "Value is no type that this interaction can be answered with.")
    _answer(fake, asked, Callback(kind), data, received)
    asked.callback, asked.callback_ns = Callback(kind), received.at_ns
    asked.callback_flags = int(data.get("flags") or 0)
    if received.query.get("with_response") not in ("1", "true"):
        return None
    return _response(asked)


def _answer(fake: Fake, asked: Asked, kind: Callback, data: dict[str, Any], received: Received) -> None:
    if kind is Callback.MESSAGE:
        asked.original = said(fake, asked, data, received)
        asked.answers.append(asked.original)
    elif kind is Callback.THINKING:
        flags = int(data.get("flags") or 0) & Flag.EPHEMERAL | Flag.LOADING
        message = Message(fake.world.new_id(), asked.channel, fake.world.bot, flags=flags, type=COMMAND)
        message.interaction, message.webhook_id = asked, fake.world.bot.id
        asked.original, asked.is_thinking = message, True
        posting.place(fake, message)
    elif kind is Callback.WINDOW:
        asked.modal = data
    elif kind in OF_COMPONENTS:
        asked.original = asked.source
        if kind is Callback.UPDATE:
            assert asked.source is not None
            checks.contents(data)
            posting.write(fake, asked.source, data, received.files)
            posting.edited(fake, asked.source)
            asked.answers.append(asked.source)


def said(fake: Fake, asked: Asked, data: dict[str, Any], received: Received) -> Message:
    """A new message in answer to an interaction."""
    message = posting.compose(fake, asked.channel, data, received.files, received.at_ns, asked=asked)
    posting.place(fake, message)
    return message


def _response(asked: Asked) -> dict[str, Any]:
    interaction: dict[str, Any] = {"id": str(asked.id), "type": asked.type}
    resource: dict[str, Any] = {"type": asked.callback}
    if asked.original is not None:
        interaction |= {
            "response_message_id": str(asked.original.id),
            "response_message_loading": asked.original.is_loading,
            "response_message_ephemeral": asked.original.is_ephemeral,
        }
        resource["message"] = payloads.message(asked.original)
    return {"interaction": interaction, "resource": resource}


ROUTES = {"POST /interactions/{interaction_id}/{token}/callback": callback}
