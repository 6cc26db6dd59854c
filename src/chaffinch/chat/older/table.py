"""The settings of the older bots, and what becomes of each. A data table; docs/bot-older.md shows it."""

from collections.abc import Iterator
from typing import Final

import msgspec

from chaffinch.chat.older import values
from chaffinch.chat.older.values import Convert

TOKEN: Final = "token"  # noqa: S105 - the name of a setting


class Older(msgspec.Struct, frozen=True):
    """One setting: its variable, its names in the file (later releases' first), ours, and what becomes of it."""

    variable: str
    keys: tuple[str, ...]
    ours: str
    does: str
    convert: Convert

    @property
    def names(self) -> str:
        """For the guide: how it was called."""
        return ", ".join(f"`{name}`" for name in (self.variable, *self.keys) if name)


_ENGINE: Final = "there is one engine, with exact weighted sampling"
_POOL: Final = "chains work on threads beside the event loop"
_BATCHES: Final = "messages are learned in batches, a page of the history each"
_DURABLE: Final = "what is learned is on the disk when it is acknowledged, and nothing waits for a pause"

SETTINGS: Final = (
    Older("TOKEN", (TOKEN,), "", "the bot's token, where none of ours is there", values.text),
    Older(
        "MESSAGE_COMMAND_PREFIX",
        ("messageCommandPrefix", "commandPrefix", "prefix"),
        "bot.prefix",
        "the same",
        values.text,
    ),
    Older("SLASH_COMMAND_NAME", ("slashCommandName",), "bot.command", "the same", values.text),
    Older("ACTIVITY", ("activity", "game"), "bot.activity", "the same", values.text),
    Older("OWNER_IDS", ("ownerIds",), "bot.owners", "the same", values.ids),
    Older(
        "USER_ROLE_IDS",
        ("userRoleIds", "role"),
        "bot.user_roles",
        "the same; the ids of roles, not their names",
        values.ids,
    ),
    Older("RESPONSE_CHANNEL_IDS", ("responseChannelIds",), "bot.response_channels", "the same", values.ids),
    Older(
        "DEV_GUILD_ID",
        ("devGuildId",),
        "bot.dev_guild",
        "the same; while it is set no other guild has slash commands",
        values.one_id,
    ),
    Older("TZ", ("timezone",), "bot.timezone", "the same, where it is a name of the time zone database", values.zone),
    Older(
        "LOG_LEVEL",
        ("logLevel",),
        "bot.log_level",
        "`silly`, `trace`, `verbose` and `debug` are `debug`, `http` is `info`, `silent` is `error`",
        values.level,
    ),
    Older("STATE_SIZE", ("stateSize",), "chain.order", "from 1 to 4; other values are refused", values.order),
    Older(
        "MAX_TRIES",
        ("maxTries",),
        "bot.max_tries",
        "the same, for each [step](bot-talking.md#what-it-says) of an answer",
        values.whole,
    ),
    Older(
        "MIN_SCORE",
        ("minScore",),
        "bot.min_score",
        "the same; where nothing reaches it the freest that there is is said, and no error",
        values.whole,
    ),
    Older("WORKER_POOL_SIZE", ("workerPoolSize",), "chain.threads", "the same", values.whole),
    Older("CHAIN_CACHE_MEMORY_LIMIT", ("chainCacheMemoryLimit",), "chain.memory", "megabytes", values.mebibytes),
    Older(
        "OPTIMIZATION_ROLLOUT_PERCENTAGE",
        ("optimizationRolloutPercentage",),
        "chain.candidate.share",
        "a hundredth of it",
        values.percent,
    ),
    Older(
        "OPTIMIZATION_FORCE_GUILD_IDS",
        ("optimizationForceGuildIds",),
        "chain.candidate.tenants",
        "`guild-ID` for each",
        values.guilds,
    ),
    Older(
        "ENABLE_PERFORMANCE_MONITORING",
        ("enablePerformanceMonitoring",),
        "bot.metrics_port",
        "false switches the metrics page off, which is on else",
        values.page,
    ),
    Older("ENABLE_MARKOV_STORE", ("enableMarkovStore",), "", _ENGINE, values.always(_ENGINE)),
    Older(
        "ENABLE_WORKER_POOL",
        ("enableWorkerPool",),
        "",
        f"{_POOL} (`chain.threads`)",
        values.always(f"{_POOL} (chain.threads)"),
    ),
    Older("ENABLE_BATCH_OPTIMIZATION", ("enableBatchOptimization",), "", _BATCHES, values.always(_BATCHES)),
    Older("BATCH_SIZE", ("batchSize",), "", _BATCHES, values.replaced(_BATCHES)),
    Older("CHAIN_SAVE_DEBOUNCE_MS", ("chainSaveDebounceMs",), "", _DURABLE, values.replaced(_DURABLE)),
    Older(
        "RANDOM_RESPONSE_CHANCE",
        ("randomResponseChance",),
        "",
        "`/autorespond add`, then `/autorespond chance`, for each channel",
        values.replaced("add channels with /autorespond add, and give each a chance with /autorespond chance"),
    ),
    Older(
        "BANNED_WORDS",
        ("bannedWords",),
        "",
        "no list of words: delete the messages that have them, and they are unlearned",
        values.replaced("delete the messages that have the words, and they are unlearned"),
    ),
)


def page() -> Iterator[str]:
    """The rows of the guide's table."""
    for one in SETTINGS:
        yield f"| {one.names} | {f'`{one.ours}`' if one.ours else ''} | {one.does} |"
