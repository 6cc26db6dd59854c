"""Carry a command out: who may, what they are told where it fails, and that no fault goes further than here."""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from chaffinch.chain.errors import DamagedError
from chaffinch.chat.calls.moderators import refusal
from chaffinch.chat.faults import log_fault
from chaffinch.errors import ChaffinchError

if TYPE_CHECKING:
    from chaffinch.chat.bot import Bot
    from chaffinch.chat.calls.call import Call
    from chaffinch.chat.commands.table import Component, Leaf, Who
    from chaffinch.chat.measures import Done

log = logging.getLogger("chaffinch.bot")

NOT_HERE: Final = "I work in servers only: give me this command in a channel of one."
DAMAGED: Final = "What I learned for that is damaged on my disk: a moderator has it made anew by `/train`."
UNKNOWN: Final = "I do not know that any more: give the command again."


async def command(call: "Call", bot: "Bot", leaf: "Leaf") -> None:
    """Carry out a command that somebody gave."""
    await _carry_out(call, bot, leaf.path, leaf.command.who, lambda: leaf.run(call, bot))


async def component(call: "Call", bot: "Bot", used: "Component", rest: str) -> None:
    """Carry out what a button or menu is for; `rest` is what its id says after the name."""
    await _carry_out(call, bot, used.name, used.who, lambda: used.run(call, bot, rest))


async def refuse(call: "Call", bot: "Bot", name: str, why: str) -> None:
    """Say why a command is not carried out."""
    await _tell(call, name, why)
    bot.measures.command(name, "refused")


async def _tell(call: "Call", name: str, why: str) -> None:
    try:
        await call.refuse(why)
    except ChaffinchError as error:
        log.info("bot.refusal_not_told command=%s guild=%d error=%s", name, call.guild, error)
    except Exception as error:  # noqa: BLE001 - an answer that cannot be given; Discord or the network is the reason
        log_fault(log, "bot.refusal_not_told", error, command=name, guild=call.guild)


async def _carry_out(call: "Call", bot: "Bot", name: str, who: "Who", run: Callable[[], Awaitable[None]]) -> None:
    why = refusal(who, call.member, bot.settings) if call.guild else NOT_HERE
    if why:
        await refuse(call, bot, name, why)
        return
    outcome: Done = "done"
    try:
        with bot.measures.timing(name, call.guild):
            await run()
    except DamagedError as error:  # whose text is for who has the disk
        log.warning("bot.chain_damaged command=%s guild=%d error=%s", name, call.guild, error)
        await refuse(call, bot, name, DAMAGED)
        return
    except ChaffinchError as error:
        await refuse(call, bot, name, sentence(str(error)))
        return
    except Exception as error:  # noqa: BLE001 - the boundary of one command
        outcome = "failed"
        fault = log_fault(log, "bot.command_failed", error, command=name, guild=call.guild)
        await _tell(
            call, name, f"That went wrong, and it is not your fault. Who runs me finds it in the log as {fault}."
        )
    bot.measures.command(name, outcome)


def sentence(text: str) -> str:
    """An error's text as the bot says it: errors of the command line begin small and end without a full stop."""
    begun = text[:1].upper() + text[1:]
    return begun if begun.endswith((".", "!", "?", "`")) else begun + "."
