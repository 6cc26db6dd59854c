"""Training: the history of the channels that are listened to, or a file."""

from typing import TYPE_CHECKING

from chaffinch.chat.calls.call import Reply
from chaffinch.chat.commands.table import Command, Component, Option
from chaffinch.chat.seen import Attached
from chaffinch.errors import InputError

if TYPE_CHECKING:
    from chaffinch.chat.bot import Bot
    from chaffinch.chat.calls.call import Call


async def train(call: "Call", bot: "Bot") -> None:
    """Begin; what it came to is a reply to the message that shows the progress."""
    file = call.options.get("json")
    await bot.trainer.start(
        call, clean=bool(call.options.get("clean", True)), file=file if isinstance(file, Attached) else None
    )


async def stop(call: "Call", bot: "Bot", _: str) -> None:
    """The button below the progress."""
    await call.think(hidden=True)
    if not await bot.trainer.cancel(call.guild):
        raise InputError("There is nothing to stop: no training runs here, or its chain is being put in place")
    await call.answer(Reply("It stops."), hidden=True)


COMMANDS = (
    Command(
        "train",
        "Learn the history of the channels that I listen to.",
        train,
        "moderator",
        (
            Option("clean", "switch", "Make the chain anew instead of adding to it (the default)."),
            Option("json", "attachment", "Learn this file instead: a list of messages, or of DiscordChatExporter."),
        ),
    ),
)

COMPONENTS = (Component("train/stop", stop, "moderator"),)
