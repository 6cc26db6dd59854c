"""The worker `bot`: the Discord bot in a fleet. discord.py is imported in its process, by nobody else.

Its token is read before the process gives up the right to, and only from a file or a credential: what the environment
of a fleet says, all its processes can read, and some of them face attackers.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from chaffinch.chat import token as tokens
from chaffinch.chat.talking.quiet import refuse_unknown_zone
from chaffinch.config import Config, environment
from chaffinch.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chaffinch.fleet.context import Context
    from chaffinch.fleet.workers import Worker

LEAST_BYTES: Final = 1 << 20
"""The least of `chain.segment_memory`."""

TRAINING_BYTES: Final = 100_000_000
"""For each of so many one training more goes on at once: with less their chains have more parts, and talk slower."""


def refuse_unready(config: Config, state: Path) -> None:
    """Before a fleet starts, without reading the token: that the bot could run. Raises `InputError`."""
    if find_spec("discord") is None:
        raise InputError("bot.enabled is on, and discord.py is not installed: pip install 'chaffinch[bot]'")
    if environment().get(tokens.VARIABLE):
        raise InputError(
            f"{tokens.VARIABLE} is in the environment, which every process of a fleet can read, also those that face "
            f"attackers: take it out, and put the token into {state / tokens.FILE} (chmod 600)"
        )
    tokens.refuse_missing(config.bot, state)
    refuse_unknown_zone(config.bot)


def refuse_inside(config: Config, beside: "Iterable[Worker]") -> None:
    """Before a fleet starts: that the bot's group, of these workers, is not in the decoys' network namespace, which
    nothing leaves but answers. Raises `InputError`.
    """
    if config.network.mode == "netns" and any(worker.faces_attackers for worker in beside):
        raise InputError(
            "the Discord bot shares a process with decoys, which is in their network namespace, and nothing but "
            "answers leaves that: leave it to the group `out` (fleet.groups), or run it as a service of its own"
        )


def prepare(config: Config, state: Path) -> tokens.Token:
    """The token. Raises `InputError` for one that is not there, or cannot be."""
    found = tokens.of_files(config.bot, state)
    if found is None:
        tokens.refuse_missing(config.bot, state)
        raise InputError("there is no token for the bot")  # it came just now: the next start finds it
    return found


def within(config: Config, share_bytes: int) -> Config:
    """With as many trainings at once as a group's share holds, and what merges and what is not merged take bounded by
    it, each unless somebody said how much; 0 bytes bound nothing.
    """
    if not share_bytes:
        return config
    from chaffinch.chain.running import BEHIND, most_long
    from chaffinch.fleet.budget import idle_bytes
    from chaffinch.fleet.workers import BOT

    bot, chain, work = config.bot, config.chain, share_bytes - idle_bytes((BOT,))
    if "bot.trainings_at_once" not in config.given:
        most = max(1, work // TRAINING_BYTES)
        bot = msgspec.structs.replace(bot, trainings_at_once=min(most, bot.trainings_at_once))
    unmerged = bot.trainings_at_once * BEHIND
    if "chain.segment_memory" not in config.given:
        most = max(LEAST_BYTES, int(work / (most_long(chain.threads) + unmerged)))
        chain = msgspec.structs.replace(chain, segment_memory=min(most, chain.segment_memory))
    if "chain.memory" not in config.given:
        most = int(chain.segment_memory * unmerged)
        chain = msgspec.structs.replace(chain, memory=min(most, chain.memory))
    return msgspec.structs.replace(config, bot=bot, chain=chain)


def again(token: tokens.Token, group: str) -> str:
    """How another token in the place of this one comes to the worker: its process reads it once, while it may."""
    if token.source == tokens.CREDENTIAL:
        return "restart the fleet's service, which hands the credential over when it starts"
    return f"it is read from {token.source} when the worker's group begins: `chaffinch restart {group}`"


async def run(context: "Context") -> None:
    """Be the bot until the context is stopping. Raises as `chat.run.serve` does."""
    token = context.prepared
    assert isinstance(token, tokens.Token)
    from chaffinch.chat.login import TokenRefusedError
    from chaffinch.chat.run import quieten, serve

    quieten(token, context.config.bot)
    config = within(context.config, context.budget_bytes)
    try:
        await serve(config, context.state, token, context.metrics, context.stopping)
    except TokenRefusedError as error:
        raise InputError(f"{error}; {again(token, context.group)}") from None
