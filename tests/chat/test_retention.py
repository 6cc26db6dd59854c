"""What is forgotten without being asked for at that moment, with a clock that the test moves."""

import asyncio
import contextlib
import itertools
from pathlib import Path
from typing import Any

import pytest

from chaffinch.chain import Chain
from chaffinch.chat import retention
from chaffinch.chat.book.book import Training
from chaffinch.chat.guild import Channel, GuildSettings
from chaffinch.chat.names import own_of
from chaffinch.chat.retention import AGAIN_LIMIT_MS, AGAIN_MS, DAY_MS, Keeper
from tests.chat.keeping import (
    CHANNEL,
    GUILD,
    OTHER,
    OWN,
    TENANT,
    USER,
    Moments,
    bot_on,
    chains,
    killed,
    on_disk,
    said_by,
    scene,
    with_word,
)

NOW = 1_790_000_000_000


async def look(keeper: Keeper, times: int = 3) -> None:
    """One guild's chains are looked through at a time."""
    for _ in range(times):
        await keeper.keep()


class Clock:
    """Milliseconds since 1970 that move when they are told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def keeper_of(bot: Any, clock: Clock) -> Keeper:
    return Keeper(bot.book, bot.tenants, bot.settings, bot.measures, now_ms=clock)


def test_what_is_older_than_a_guild_keeps_is_forgotten_each_day_in_all_its_chains(tmp_path: Path) -> None:
    async def run() -> None:
        clock = Clock()
        async with bot_on(tmp_path) as bot:
            keeper = keeper_of(bot, clock)
            for tenant, anew in ((TENANT, False), (TENANT, True), (OWN, False), ("guild-5", False)):
                for days in range(4):
                    await bot.tenants.add(tenant, said_by(USER, 1, days, NOW - days * DAY_MS - 1000), anew=anew)
            await bot.book.set_own(GUILD, USER, True)
            await bot.book.set_settings(GUILD, GuildSettings(retention_days=2))
            await bot.book.joined(5)
            await look(keeper)

            async def left() -> list[int]:
                return [
                    (await bot.tenants.stats(tenant, anew=anew)).messages
                    for tenant, anew in ((TENANT, False), (TENANT, True), (OWN, False), ("guild-5", False))
                ]

            assert await left() == [2, 2, 2, 4]
            for n, there in ((0, 4), (1, 4), (2, 1), (3, 1)):
                directories = {path.rpartition("/")[0] for path in with_word(tmp_path, f"word{USER}x{n}")}
                assert len(directories) == there, "off the disk as well"
            assert bot.registry.snapshot().total("bot_forgotten") == 2
            clock.now += DAY_MS - 1
            await look(keeper)
            assert await left() == [2, 2, 2, 4], "a day is not over"
            await look(keeper_of(bot, clock))
            assert await left() == [2, 2, 2, 4], "also not by a start"
            clock.now += 1
            await look(keeper)
            assert await left() == [1, 1, 1, 4]
            clock.now += DAY_MS
            await look(keeper_of(bot, clock))
            assert await left() == [0, 0, 0, 4]
            await bot.tenants.add(TENANT, said_by(USER, 1, 9, NOW - 9 * DAY_MS))
            clock.now -= 300 * DAY_MS
            await look(keeper)
            assert bot.book.kept_at(GUILD) == clock.now, "a clock that was wrong stops nothing"

    scene(run())


def test_a_guild_may_keep_what_is_older_than_1970(tmp_path: Path) -> None:
    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            await bot.tenants.add(TENANT, said_by(USER, 2, time_ms=0))
            await bot.book.set_settings(GUILD, GuildSettings(retention_days=36_500))
            await look(keeper_of(bot, Clock()))
            assert (await bot.tenants.stats(TENANT)).messages == 2
            assert bot.registry.snapshot().total("bot_duties_put_off") == 0

    scene(run())


def test_what_was_deleted_is_off_the_disk_within_a_day(tmp_path: Path) -> None:
    async def run() -> None:
        clock = Clock()
        async with bot_on(tmp_path) as bot:
            keeper = keeper_of(bot, clock)
            await bot.tenants.add(TENANT, [*said_by(USER, 3), *said_by(OTHER, 3)])
            await bot.tenants.add(OWN, said_by(USER, 3))
            await bot.book.set_own(GUILD, USER, True)
            await keeper.keep()
            merges = bot.registry.snapshot().total("chain_merge_failed")
            await bot.tenants.forget(TENANT, author=str(USER))
            await bot.tenants.forget(OWN, author=str(USER))
            assert on_disk(tmp_path, USER)
            clock.now += DAY_MS
            await keeper.keep()
            assert on_disk(tmp_path, USER) == []
            assert on_disk(tmp_path, OTHER)
            assert bot.registry.snapshot().total("chain_merge_failed") == merges

    scene(run())


def test_what_an_import_brings_of_who_is_out_is_gone_within_a_day(tmp_path: Path) -> None:
    async def run() -> None:
        clock = Clock()
        async with bot_on(tmp_path) as bot:
            keeper = keeper_of(bot, clock)
            await bot.book.set_out(GUILD, USER, True)
            await bot.tenants.add(TENANT, [*said_by(USER, 3), *said_by(OTHER, 3)])
            await keeper.keep()
            assert (await bot.tenants.stats(TENANT)).messages == 3
            assert on_disk(tmp_path, USER) == []

    scene(run())


async def settle(bot: Any) -> None:
    for guild in (GUILD, GUILD + 1):
        await bot.book.set_channels(guild, [Channel(CHANNEL, listens=True)])
        await bot.book.set_out(guild, OTHER, True)
        for user in (USER, USER + 9):
            await bot.book.set_own(guild, user, True)
            await bot.tenants.add(own_of(guild, user), said_by(user, 3))
        await bot.tenants.add(f"guild-{guild}", said_by(USER, 3))
    await bot.tenants.add(TENANT, said_by(USER, 2), anew=True)
    (bot.tenants.state / "bot" / "training.json").write_text("[]")
    await bot.book.set_training(Training(GUILD, True, 0, 2, 3, 4, "bot/training.json", "reading"))


def check_deleted(bot: Any, state: Path) -> None:
    """Of the one guild nothing is left, of the other all."""
    assert bot.book.guilds() == [GUILD + 1]
    assert bot.book.opted_out(GUILD) == frozenset()
    assert chains(state) == [f"guild-{GUILD + 1}", *(own_of(GUILD + 1, user) for user in (USER, USER + 9))]
    names = {path.name for path in (state / "chains").iterdir()}
    assert not [name for name in names if str(GUILD) in name.split(".user-", maxsplit=1)[0].split("-")]
    assert not (state / "bot" / "training.json").exists()
    assert not [path for path in state.rglob("*") if str(GUILD) in path.name]
    assert bot.book.is_out(GUILD + 1, OTHER)
    assert bot.book.owners_of_chains(GUILD + 1) == {USER, USER + 9}


def test_a_guild_that_was_left_is_deleted_after_so_many_days(tmp_path: Path) -> None:
    async def run() -> None:
        clock = Clock()
        async with bot_on(tmp_path, leave_days=2.5) as bot:
            await settle(bot)
            keeper = keeper_of(bot, clock)
            await bot.book.left(GUILD, NOW)
            clock.now += int(2.5 * DAY_MS) - 1
            await keeper.keep()
            assert (await bot.tenants.stats(TENANT)).messages == 3
            clock.now += 1
            await keeper.keep()
            check_deleted(bot, tmp_path)
            assert bot.registry.snapshot().total("bot_guilds_deleted") == 1
            await bot.book.left(6, NOW)
            clock.now += 3 * DAY_MS
            await keeper.keep()
            assert 6 not in bot.book.guilds(), "also one without a chain"

    scene(run())


def test_who_comes_back_before_that_finds_everything(tmp_path: Path) -> None:
    async def run() -> None:
        clock = Clock()
        async with bot_on(tmp_path, leave_days=1) as bot:
            await settle(bot)
            keeper = keeper_of(bot, clock)
            await bot.book.left(GUILD, NOW)
            clock.now += DAY_MS // 2
            await keeper.keep()
            await bot.book.joined(GUILD)
            clock.now += 9 * DAY_MS
            await keeper.keep()
            assert (await bot.tenants.stats(TENANT)).messages == 3
            assert bot.book.is_out(GUILD, OTHER)
            assert bot.book.training(GUILD) is not None
            await bot.book.left(GUILD, clock.now)
            clock.now += DAY_MS
            await keeper.keep()
            check_deleted(bot, tmp_path)

    scene(run())


def test_who_comes_back_while_it_is_their_turn_is_not_deleted(tmp_path: Path) -> None:
    async def run() -> None:
        clock = Clock()
        async with bot_on(tmp_path, leave_days=0) as bot:
            await settle(bot)
            await bot.book.left(GUILD, NOW - 1)
            async with bot.book.turn(GUILD):
                keeping = asyncio.ensure_future(keeper_of(bot, clock).keep())
                await asyncio.sleep(0.05)
                await bot.book.joined(GUILD)
            await keeping
            assert (await bot.tenants.stats(TENANT)).messages == 3
            assert bot.registry.snapshot().total("bot_guilds_deleted") == 0

    scene(run())


def test_what_cannot_be_done_is_tried_again_less_and_less_often(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        clock, tries = Clock(), []
        async with bot_on(tmp_path, leave_days=0) as bot:
            await settle(bot)
        async with bot_on(tmp_path, leave_days=0) as bot:
            keeper = keeper_of(bot, clock)
            await bot.book.left(GUILD, NOW)
            with Chain.open(tmp_path / "chains" / TENANT, write=True):
                for minute in range(60 * 6):
                    clock.now = NOW + minute * 60_000
                    await keeper.keep()
                    if bot.registry.snapshot().total("bot_duties_put_off") > len(tries):
                        tries.append(minute)
            assert tries[:6] == [0, 1, 3, 7, 15, 31]
            assert {b - a for a, b in itertools.pairwise(tries[6:])} == {AGAIN_LIMIT_MS // AGAIN_MS}
            assert bot.book.left_at(GUILD) is not None
            clock.now += AGAIN_LIMIT_MS
            await keeper.keep()
            check_deleted(bot, tmp_path)
            assert "bot.put_off duty=deletion" in caplog.text
            assert keeper._failed == {}

    scene(run())


def test_one_guild_that_fails_holds_up_no_other(tmp_path: Path) -> None:
    async def run() -> None:
        clock = Clock()
        async with bot_on(tmp_path) as bot:
            for guild in (GUILD, GUILD + 1):
                await bot.tenants.add(f"guild-{guild}", said_by(USER, 3, time_ms=NOW - 9 * DAY_MS))
                await bot.book.set_settings(guild, GuildSettings(retention_days=1))
        async with bot_on(tmp_path) as bot:
            keeper = keeper_of(bot, clock)
            with Chain.open(tmp_path / "chains" / TENANT, write=True):
                await look(keeper)
                assert (await bot.tenants.stats(f"guild-{GUILD + 1}")).messages == 0
            assert bot.registry.snapshot().total("bot_duties_put_off") == 1
            clock.now += AGAIN_MS
            await asyncio.sleep(1.1)  # for as long a chain that was read beside a writer is not looked at again
            await keeper.keep()
            assert (await bot.tenants.stats(TENANT)).messages == 0

    scene(run())


_DELETING = """
import asyncio, sys
from pathlib import Path
from chaffinch.chat.retention import DAY_MS, Keeper
from tests.chat.keeping import bot_on

async def main():
    async with bot_on(Path(sys.argv[1])) as bot:
        print("open", flush=True)
        await Keeper(bot.book, bot.tenants, bot.settings, bot.measures).keep()
        print("done", flush=True)

asyncio.run(main())
"""


def test_a_kill_while_a_guild_is_deleted_is_made_up_for(tmp_path: Path) -> None:
    async def begin(state: Path) -> None:
        async with bot_on(state) as bot:
            await settle(bot)
            await bot.book.left(GUILD, 1)

    async def end(state: Path, seconds: float) -> None:
        async with bot_on(state) as bot:
            is_there, are_there = GUILD in bot.book.guilds(), len(chains(state)) == 6
            moments.came(seconds, "after" if not is_there else "before" if are_there else "between")
            await Keeper(bot.book, bot.tenants, bot.settings, bot.measures).keep()
            check_deleted(bot, state)

    moments = Moments(0.0015, 12)
    for number, seconds in enumerate(moments):
        state = tmp_path / str(number)
        scene(begin(state))
        killed(_DELETING, state, seconds)
        scene(end(state, seconds))
    assert moments.met, "no kill came in between"


def test_it_looks_until_it_is_to_stop_and_ends_what_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "LOOK_SECONDS", 0.01)

    async def run() -> None:
        clock, stopping = Clock(), asyncio.Event()
        async with bot_on(tmp_path, leave_days=1) as bot:
            await settle(bot)
            running = asyncio.create_task(keeper_of(bot, clock).run(stopping), name="keeper")
            await asyncio.sleep(0.05)
            await bot.book.left(GUILD, NOW)
            clock.now += DAY_MS
            while GUILD in bot.book.guilds():
                await asyncio.sleep(0.01)
            await bot.book.left(GUILD + 1, NOW)
            async with bot.book.turn(GUILD + 1):
                await asyncio.sleep(0.05)
                stopping.set()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(running), 0.05)
                assert not running.done()
            await asyncio.wait_for(running, 5)
            assert bot.book.guilds() == []
            assert chains(tmp_path) == []

    scene(run())


def test_a_few_guilds_are_looked_through_at_a_time_the_longest_ago_first(tmp_path: Path) -> None:
    async def run() -> None:
        clock = Clock()
        async with bot_on(tmp_path) as bot:
            guilds = range(1, 801)
            await asyncio.gather(*(bot.book.set_kept(guild, NOW - DAY_MS - 1000 + guild) for guild in guilds))
            keeper, kept = keeper_of(bot, clock), [0]
            for _ in range(300):
                clock.now += 60_000
                await keeper.keep()
                kept.append(sum(1 for guild in guilds if (bot.book.kept_at(guild) or 0) > NOW))
                assert {guild for guild in guilds if (bot.book.kept_at(guild) or 0) > NOW} == set(
                    range(1, kept[-1] + 1)
                )
            assert {later - before for before, later in itertools.pairwise(kept)} == {3, 2, 0}
            assert kept[-1] == 800

    scene(run())


def test_how_many_are_due_is_shown(tmp_path: Path) -> None:
    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            keeper_of(bot, Clock())
            await bot.book.owe_forgetting(GUILD, USER)
            await bot.book.owe_forgetting(GUILD, OTHER)
            assert bot.registry.snapshot().total("bot_forgettings_due") == 2

    scene(run())
