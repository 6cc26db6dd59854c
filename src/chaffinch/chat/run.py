"""The bot put together: its book, its chains, its metrics, its client; as a program, or in a fleet."""

import asyncio
import gc
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from chaffinch.chain.pool import Pool
from chaffinch.chain.tenants import Tenants
from chaffinch.chat.book.book import Book
from chaffinch.chat.client import Client
from chaffinch.chat.faults import Terse
from chaffinch.chat.login import OneLine
from chaffinch.chat.measures import Measures
from chaffinch.chat.talking.quiet import refuse_unknown_zone
from chaffinch.chat.token import Hiding, Token
from chaffinch.config import LOG_FORMAT, BotSettings, Config, environment
from chaffinch.fleet.notify import Notifier
from chaffinch.fleet.rest import Rest
from chaffinch.metrics import memory
from chaffinch.metrics.endpoint import serve_metrics
from chaffinch.metrics.registry import Registry

STOP_SECONDS: Final = 8.0
"""How long everything may take to end in order before it is cut off: what was acknowledged is on the disk anyway."""

LOOK_SECONDS: Final = 1.0
"""How often it is looked whether the client is ready, and rests; a service manager's watchdog is fed then."""

log = logging.getLogger("chaffinch.bot")


def run(config: Config, state: Path, token: Token, said: Sequence[str] = ()) -> int:
    """Run the bot until SIGTERM or SIGINT; the exit code. `said` is logged first.

    Raises `InputError` for a token that Discord refuses and for intents that are off, `RunError` where another bot has
    the state directory or the metrics page's port is taken.
    """
    _log_to_stderr(config.bot, token)
    for line in said:
        log.info("%s", line)
    log.info("bot.starting state=%s token=%s", state, token.source)
    asyncio.run(_run(config, state, token))
    log.info("bot.stopped")
    return 0


def _log_to_stderr(settings: BotSettings, token: Token) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    quieten(token, settings)


def quieten(token: Token, settings: BotSettings) -> None:
    """Have every handler of this process hide the token, the bot log what `bot.log_level` says, also beside workers
    that log more or less, and libraries keep what people write to themselves.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    log.setLevel(level)
    for handler in logging.getLogger().handlers:
        if not any(isinstance(one, Hiding) and one.hides(token) for one in handler.filters):
            handler.addFilter(Hiding(token))
    tasks = logging.getLogger("asyncio")
    if not any(isinstance(one, Terse) for one in tasks.filters):
        tasks.addFilter(Terse())
    # At `debug` they log each event and each answer whole, with the text of messages.
    for library in ("discord", "aiohttp"):
        logging.getLogger(library).setLevel(max(logging.INFO, level))
    client = logging.getLogger("discord.client")
    if not any(isinstance(one, OneLine) for one in client.filters):
        client.addFilter(OneLine())


async def _run(config: Config, state: Path, token: Token) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    registry = Registry()
    memory.export(registry)

    async def snapshot() -> bytes:
        return registry.snapshot_bytes()

    host, port = config.metrics.host, config.bot.metrics_port
    page = serve_metrics(host, port, snapshot, stopping, setting="bot.metrics_port") if port else stopping.wait()
    notifier = Notifier.of(environment())
    async with _beside(page, stopping, "metrics"):
        await serve(config, state, token, registry, stopping, notifier)


async def serve(
    config: Config,
    state: Path,
    token: Token,
    registry: Registry,
    stopping: asyncio.Event,
    notifier: Notifier | None = None,
) -> None:
    """Be the bot until `stopping` is set, and for as long after as it takes to end in order. Raises as `run` does."""
    refuse_unknown_zone(config.bot)
    memory.keep_little()
    measures = Measures(registry, config.bot)
    async with (
        await Book.open(state) as book,
        Pool(config.chain.threads, config.chain.queue, registry, slow_ms=config.chain.slow_ms) as pool,
        Tenants(state, pool, config.chain, registry) as tenants,
    ):
        client = Client(book, tenants, config.bot, measures)
        async with _beside(_settle(client), None, "settling"), _beside(_watch(client, notifier), None, "watch"):
            await _within(client.serve(token.reveal(), stopping), stopping)


async def _within(serving: Coroutine[Any, Any, None], stopping: asyncio.Event) -> None:
    """Await it; once `stopping` is set it has `STOP_SECONDS` left."""
    task = asyncio.ensure_future(serving)
    waiting = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        done, _ = await asyncio.wait((task,), timeout=STOP_SECONDS)
        if not done:
            log.warning("bot.cut_off seconds=%.0f", STOP_SECONDS)
    finally:
        waiting.cancel()
        task.cancel()
        await asyncio.wait((task,))
    if not task.cancelled():
        task.result()


async def _settle(client: Client) -> None:
    """Once the bot is ready, take what stays for good out of the sight of the garbage collector: what discord.py brings
    in are tens of thousands of objects, and looking through them would hold every event up for 35 ms and more, again
    and again while a training goes on.
    """
    while not client.is_ready():
        await asyncio.sleep(LOOK_SECONDS)
    gc.collect()
    gc.freeze()
    try:
        await asyncio.Event().wait()
    finally:
        gc.unfreeze()  # a worker that begins anew in the same process makes all of it again


async def _watch(client: Client, notifier: Notifier | None) -> None:
    """As a program: tell the service manager when the bot is ready, that it is alive, and that it ends; once it rests,
    give memory back that was freed. In a fleet the supervisor and the group do that.
    """
    if notifier is None:
        return
    rest = Rest(time.monotonic(), time.process_time())
    try:
        while True:
            if client.is_ready():
                notifier.ready(f"in {len(client.guilds)} guilds")
            else:
                notifier.waiting("not connected with Discord yet")
            notifier.alive()
            if rest.is_due(time.monotonic(), time.process_time(), memory.read().private_bytes):
                memory.give_back()
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        notifier.stopping()


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, object], stopping: asyncio.Event | None, name: str) -> AsyncIterator[None]:
    """Work that goes on beside the block: what it raises ends the block. At its end it is told by `stopping` to end, or
    cancelled where there is none.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(work, name=name)
            yield
            if stopping is None:
                task.cancel()
            else:
                stopping.set()
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
