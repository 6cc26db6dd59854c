"""What the bot counts and measures, by guild where a guild's moderators would ask. Called on the event loop only."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from chaffinch.config import BotSettings

if TYPE_CHECKING:
    from chaffinch.metrics.registry import Registry

Cause: TypeAlias = Literal["mention", "autorespond", "command"]
"""Why the bot said something."""

Done: TypeAlias = Literal["done", "refused", "failed"]
"""How a command ended: refused by a rule, or failed by a fault of ours or of Discord's."""

Posting: TypeAlias = Literal["posted", "none", "gone", "too_large", "busy", "failed"]
"""What became of an attachment that was to go with an answer: `gone`, Discord does not have it any more; `busy`,
as many as may be were being fetched.
"""

MOST_GUILDS: Final = 64
"""Guilds that a metric tells apart; the others are counted together, and how many values that were is counted too."""

REPLY_BYTES: Final = 192 << 10
"""What the histograms of reply latencies may take: 64 guilds of which each has thousands of values take 150 KiB."""

log = logging.getLogger("chaffinch.bot")


class Measures:
    """The metrics of all guilds. Nothing here is given a message's text."""

    def __init__(self, registry: "Registry", settings: BotSettings) -> None:
        self._slow_ns = int(settings.slow_ms * 1e6)
        self._reply = registry.latency("bot_reply_seconds", "guild", most_labels=MOST_GUILDS, cap_bytes=REPLY_BYTES)
        self._answers = registry.counter("bot_answers", "cause")
        self._refusals = registry.counter("bot_refusals", "reason")
        self._commands = registry.counter("bot_commands", "command", "outcome", most_labels=128)
        self._pictures = registry.counter("bot_pictures", "outcome")
        self._urls = registry.counter("bot_refreshed_urls", "guild", "outcome", most_labels=2 * MOST_GUILDS)
        self._failed = registry.counter("bot_events_failed", "event")
        self._slow = registry.counter("bot_slow_operations", "operation")
        self._tries, self._trained, self._learned, self._edited, self._forgotten = (
            registry.counter(f"bot_{name}", "guild", most_labels=MOST_GUILDS)
            for name in ("tries", "trained", "learned", "edited", "forgotten")
        )
        self._lost = registry.counter("bot_changes_lost", "guild", most_labels=MOST_GUILDS)
        self._deleted = registry.counter("bot_guilds_deleted")
        self._own_lost = registry.counter("bot_own_chains_damaged")
        self._put_off = registry.counter("bot_duties_put_off", "duty")
        self._registry = registry

    def replied(self, guild: int, ns: int, tries: int, why: Cause) -> None:
        """An answer stands in its channel, `ns` nanoseconds after the event that asked for it came."""
        self._reply.record(ns, str(guild))
        self._tries.add(str(guild), amount=tries)
        self._answers.add(why)
        self.slow("reply", guild, ns)

    def unanswered(self, reason: str) -> None:
        """Somebody was to be answered and was not: `reason` is one of a few words, such as `nothing_new` or `busy`."""
        self._refusals.add(reason)

    def command(self, name: str, outcome: Done) -> None:
        """A command ended; `name` is that of the command table, with its subcommand."""
        self._commands.add(name, outcome)

    def trained(self, guild: int, messages: int) -> None:
        """A training learned so many messages."""
        self._trained.add(str(guild), amount=messages)

    def learned(self, guild: int, messages: int = 1) -> None:
        """So many messages were learned as they came."""
        self._learned.add(str(guild), amount=messages)

    def edited(self, guild: int) -> None:
        """A message was unlearned and learned anew."""
        self._edited.add(str(guild))

    def forgotten(self, guild: int, messages: int) -> None:
        """So many messages were unlearned, whoever asked for it."""
        self._forgotten.add(str(guild), amount=messages)

    def lost(self, guild: int, changes: int) -> None:
        """So many changes of a chain were not made: there was no room for them to wait, or they waited at the end."""
        self._lost.add(str(guild), amount=changes)

    def guild_deleted(self) -> None:
        """What was kept of a guild is gone, some time after the bot had left it."""
        self._deleted.add()

    def own_lost(self) -> None:
        """A member's own chain was damaged: it was deleted, and is begun anew."""
        self._own_lost.add()

    def put_off(self, duty: Literal["forgetting", "retention", "deletion"]) -> None:
        """A duty could not be done now, and is tried again."""
        self._put_off.add(duty)

    def waiting(self, read: Callable[[], int]) -> None:
        """Show how many changes of chains wait, because somebody else writes the chain or the disk is full."""
        self._registry.gauge("bot_changes_waiting", read)

    def duties(self, read: Callable[[], int]) -> None:
        """Show of how many members messages are still to be forgotten."""
        self._registry.gauge("bot_forgettings_due", read)

    def picture(self, guild: int, hit: bool) -> None:
        """The address of an attachment was wanted: a `hit` was refreshed before, and is good still."""
        self._urls.add(str(guild), "hit" if hit else "miss")

    def pictured(self, outcome: Posting) -> None:
        """An attachment was to go with an answer."""
        self._pictures.add(outcome)

    def event_failed(self, event: str) -> None:
        """An event of Discord's (`message`, `ready`, ...) met a fault of ours; the log has it."""
        self._failed.add(event)

    def gateway_latency(self, read: Callable[[], float]) -> None:
        """`read` gives the seconds between the last heartbeat and its answer; not a number where there is none."""

        def finite() -> float:
            seconds = read()
            return seconds if math.isfinite(seconds) else math.nan

        self._registry.gauge("bot_gateway_latency_seconds", finite)

    def standing(self, is_connected: Callable[[], bool], guilds: Callable[[], int]) -> None:
        """Show whether there is a session with Discord's gateway, and in how many guilds the bot is."""
        self._registry.gauge("bot_connected", lambda: int(is_connected()))
        self._registry.gauge("bot_guilds", guilds)

    def slow(self, operation: str, guild: int, ns: int) -> None:
        """Something took `ns` nanoseconds: counted and logged if that is longer than it may."""
        if ns >= self._slow_ns:
            self._slow.add(operation)
            log.warning("bot.slow operation=%s guild=%d ms=%.1f", operation, guild, ns / 1e6)

    @contextmanager
    def timing(self, operation: str, guild: int) -> Iterator[None]:
        """`slow` for the time that the block takes, also one that raises."""
        began = perf_counter_ns()
        try:
            yield
        finally:
            self.slow(operation, guild, perf_counter_ns() - began)
