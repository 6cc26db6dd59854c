"""What is kept of a member, and that who is forgotten is: in every chain, on the disk, in future, and after a kill."""

import asyncio
import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from chaffinch.chain import Chain, LockedError, Message, Tenants
from chaffinch.chat import privacy
from chaffinch.chat.book.book import Book, Training
from chaffinch.chat.commands import privacy as commands
from chaffinch.chat.commands.table import Table, table
from chaffinch.chat.guild import Channel, GuildSettings
from chaffinch.chat.payloads import body_of
from chaffinch.chat.retention import Keeper
from chaffinch.chat.seen import Seen
from chaffinch.errors import InputError, RunError
from tests.chat.keeping import (
    CHANNEL,
    GUILD,
    OTHER,
    OWN,
    TENANT,
    USER,
    Given,
    Moments,
    bot_on,
    chains,
    killed,
    on_disk,
    said_by,
    scene,
)

ELSEWHERE = GUILD + 1


async def settle(bot: Any) -> None:
    """A guild in which two people spoke, one of whom has a chain of their own; another guild; a chain made anew."""
    await bot.book.set_channels(GUILD, [Channel(CHANNEL, listens=True)])
    await bot.tenants.add(TENANT, [*said_by(USER, 30), *said_by(OTHER, 20)])
    await bot.tenants.merge(TENANT)
    await bot.tenants.add(TENANT, [*said_by(USER, 5, first=30), *said_by(OTHER, 5, first=20)])
    await bot.tenants.add(TENANT, [*said_by(USER, 12), *said_by(OTHER, 12)], anew=True)
    await bot.tenants.add(f"guild-{ELSEWHERE}", said_by(USER, 7))
    await bot.book.set_own(GUILD, USER, True)
    await bot.tenants.add(OWN, said_by(USER, 9))


async def check_forgotten(bot: Any, state: Path) -> None:
    """Nothing of the member is left in the guild, on the disk either; all else is there."""
    assert bot.book.is_out(GUILD, USER)
    assert not bot.book.has_own(GUILD, USER)
    assert bot.book.forgettings() == []
    assert await bot.tenants.count(TENANT, author=str(USER)) == 0
    assert await bot.tenants.count(TENANT, author=str(OTHER)) == 25
    assert (await bot.tenants.stats(TENANT, anew=True)).messages == 12
    assert chains(state) == [TENANT, f"guild-{ELSEWHERE}"]
    assert {path.split("/")[1] for path in on_disk(state, USER)} == {f"guild-{ELSEWHERE}"}
    assert {path.split("/")[1] for path in on_disk(state, OTHER)} == {TENANT, f".{TENANT}.clean"}
    assert await bot.tenants.count(f"guild-{ELSEWHERE}", author=str(USER)) == 7
    await bot.tenants.publish(TENANT)
    assert await bot.tenants.count(TENANT, author=str(USER)) == 0
    assert await bot.tenants.count(TENANT, author=str(OTHER)) == 12


def test_who_is_forgotten_is_gone_from_every_chain_of_the_guild_and_from_the_disk(tmp_path: Path) -> None:
    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            await settle(bot)
            assert len(on_disk(tmp_path, USER)) >= 4
            assert await privacy.forget_user(bot.book, bot.tenants, GUILD, USER) == 35
            await check_forgotten(bot, tmp_path)
            assert await privacy.forget_user(bot.book, bot.tenants, GUILD, USER) == 0

    scene(run())


def test_who_is_forgotten_where_there_is_no_chain_is_out(tmp_path: Path) -> None:
    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            assert await privacy.forget_user(bot.book, bot.tenants, GUILD, USER) == 0
            assert bot.book.is_out(GUILD, USER)
            assert chains(tmp_path) == []
            await bot.tenants.add(TENANT, said_by(USER, 3), anew=True)
            assert await privacy.forget_user(bot.book, bot.tenants, GUILD, USER) == 3
            assert (await bot.tenants.stats(TENANT, anew=True)).messages == 0

    scene(run())


def seen_of(message: Message) -> Seen:
    return Seen(GUILD, CHANNEL, CHANNEL, int(message.id), int(message.author), message.text, time_ms=0)


def test_pages_of_a_training_that_are_on_their_way_bring_nothing_back(tmp_path: Path) -> None:
    """At whatever moment of a training that goes on somebody asks to be forgotten."""
    from chaffinch.chat.learning.learner import Learner

    async def training(bot: Any, learner: Learner, began: asyncio.Event) -> None:
        await bot.book.set_training(Training(GUILD, True, 0, CHANNEL, 1, 2**62, "", "reading"))
        for page in range(12):
            with learner.in_flight(GUILD) as flight:
                seens = [*map(seen_of, [*said_by(USER, 5, page * 5), *said_by(OTHER, 5, page * 5)])]
                await asyncio.sleep(0)
                await learner.learn_page(GUILD, flight, seens, anew=True)
            began.set()
        async with bot.book.turn(GUILD):
            await bot.tenants.publish(TENANT)
            await bot.book.end_training(GUILD)

    async def run() -> None:
        rng = random.Random(20240517)
        for attempt in range(8):
            state = tmp_path / str(attempt)
            async with bot_on(state) as bot:
                learner = Learner(bot.book, bot.tenants, bot.measures, bot.settings, table(bot.settings))
                await bot.book.set_channels(GUILD, [Channel(CHANNEL, listens=True)])
                await bot.book.set_own(GUILD, USER, True)
                began = asyncio.Event()
                trains = asyncio.ensure_future(training(bot, learner, began))
                await began.wait()
                live = [asyncio.ensure_future(learner.learn(seen_of(one))) for one in said_by(USER, 10, first=1000)]
                await asyncio.sleep(rng.uniform(0, 0.03))
                assert await privacy.forget_user(bot.book, bot.tenants, GUILD, USER) > 0
                await asyncio.gather(trains, *live)
                await learner.learn(seen_of(said_by(USER, 1, first=2000)[0]))
                assert await bot.tenants.count(TENANT, author=str(USER)) == 0
                assert await bot.tenants.count(TENANT, author=str(OTHER)) == 60
                assert chains(state) == [TENANT]
                await bot.tenants.merge(TENANT)
                assert on_disk(state, USER) == []
                await learner.close()

    scene(run())


def test_what_was_looked_at_before_the_mark_is_not_learned_after_the_forgetting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chaffinch.chat.learning.learner import Learner

    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            await bot.book.set_channels(GUILD, [Channel(CHANNEL, listens=True)])
            learner = Learner(bot.book, bot.tenants, bot.measures, bot.settings, table(bot.settings))
            real, looked = Tenants.add, asyncio.Event()

            async def slow(self: Tenants, *args: Any, **more: Any) -> Any:
                looked.set()
                await asyncio.sleep(0.1)
                return await real(self, *args, **more)

            monkeypatch.setattr(Tenants, "add", slow)
            learns = asyncio.ensure_future(learner.learn(seen_of(said_by(USER, 1)[0])))
            await looked.wait()
            assert await privacy.forget_user(bot.book, bot.tenants, GUILD, USER) == 1
            await learns
            assert await bot.tenants.count(TENANT, author=str(USER)) == 0
            assert on_disk(tmp_path, USER) == []
            await learner.close()

    scene(run())


def test_a_training_that_ends_between_two_steps_brings_nothing_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            await settle(bot)
            real, times = Tenants.merge, [0]

            async def merging(self: Tenants, *args: Any, **more: Any) -> Any:
                merged = await real(self, *args, **more)
                times[0] += 1
                if times[0] == 1:
                    await self.publish(TENANT)
                return merged

            monkeypatch.setattr(Tenants, "merge", merging)
            await privacy.forget_user(bot.book, bot.tenants, GUILD, USER)
            assert times[0] >= 2
            assert {path.split("/")[1] for path in on_disk(tmp_path, USER)} == {f"guild-{ELSEWHERE}"}
            assert await bot.tenants.count(TENANT, author=str(OTHER)) == 12

    scene(run())


def test_a_chain_that_another_process_writes_puts_it_off_and_the_keeper_ends_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        now = [10**12]
        async with bot_on(tmp_path) as bot:
            await settle(bot)
        async with bot_on(tmp_path) as bot:
            keeper = Keeper(bot.book, bot.tenants, bot.settings, bot.measures, now_ms=lambda: now[0])
            with Chain.open(tmp_path / "chains" / TENANT, write=True):
                with pytest.raises(privacy.PutOffError) as raised:
                    await privacy.forget_user(bot.book, bot.tenants, GUILD, USER)
                assert str(tmp_path) not in str(raised.value), "a member is not told where the state is"
                assert "is tried again until" in str(raised.value)
                assert (await privacy.kept(bot.book, bot.tenants, GUILD, USER)).is_due
                assert bot.book.is_out(GUILD, USER)
                await keeper.keep()
                assert len(bot.book.forgettings()) == 1
                with pytest.raises(privacy.PutOffError):
                    await privacy.remember_user(bot.book, bot.tenants, GUILD, USER)
                assert bot.book.is_out(GUILD, USER), "what they wrote before is not forgotten yet"
            await keeper.keep()
            assert len(bot.book.forgettings()) == 1, "it waits a minute first"
            now[0] += 60_000
            await asyncio.sleep(1.1)  # for as long a chain that was read beside a writer is not looked at again
            await keeper.keep()
            await check_forgotten(bot, tmp_path)
            assert bot.registry.snapshot().total("bot_duties_put_off") >= 1
            assert bot.registry.snapshot().total("bot_forgotten") == 35
        assert "bot.put_off duty=forgetting" in caplog.text

    scene(run())


def test_what_fails_before_it_is_marked_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(self: Book, *args: object, **more: object) -> None:
        raise RunError(f"{tmp_path}/bot/bot.sqlite3 cannot grow, the disk is full: free room")

    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            await settle(bot)
            with monkeypatch.context() as patched:
                patched.setattr(Book, "_change", full)
                with pytest.raises(RunError, match="nothing was changed: try again later") as raised:
                    await commands.forget(Given(), bot)
                assert str(tmp_path) not in str(raised.value)
            assert not bot.book.is_out(GUILD, USER)
            assert await bot.tenants.count(TENANT, author=str(USER)) == 35

    scene(run())


STEPS = ("forget", "remove", "merge", "end_forgetting")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_step_that_fails_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    """Each step, each time that it is taken."""

    async def run() -> None:
        owner: Any = Book if step == "end_forgetting" else Tenants
        real, left, state = getattr(owner, step), [0], tmp_path

        async def failing(self: Any, *args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and when == "before":
                raise LockedError("somebody has it")
            result = await real(self, *args, **more)
            if left[0] == 0:
                raise LockedError("somebody has it")
            return result

        for number in range(1, 4):
            state = tmp_path / str(number)
            async with bot_on(state) as bot:
                await settle(bot)
                left[0] = number
                with monkeypatch.context() as patched:
                    patched.setattr(owner, step, failing)
                    try:
                        await privacy.forget_user(bot.book, bot.tenants, GUILD, USER)
                    except privacy.PutOffError:
                        assert len(bot.book.forgettings()) == (0 if (step, when) == (STEPS[-1], "after") else 1)
                    else:
                        assert left[0] > 0, "it was taken less often"
                        return
            async with bot_on(state) as bot:
                await Keeper(bot.book, bot.tenants, bot.settings, bot.measures).keep()
                await check_forgotten(bot, state)
        raise AssertionError("a step is taken more often than that")

    scene(run())


_FORGETTING = """
import asyncio, sys
from pathlib import Path
from chaffinch.chat import privacy
from tests.chat.keeping import GUILD, USER, bot_on

async def main():
    async with bot_on(Path(sys.argv[1])) as bot:
        print("open", flush=True)
        print(await privacy.forget_user(bot.book, bot.tenants, GUILD, USER), flush=True)

asyncio.run(main())
"""


def test_a_kill_at_any_moment_loses_no_forgetting(tmp_path: Path) -> None:
    async def begin(state: Path) -> None:
        async with bot_on(state) as bot:
            await settle(bot)

    async def end(state: Path, told: list[str], seconds: float) -> None:
        async with bot_on(state) as bot:
            if not bot.book.is_out(GUILD, USER):
                assert told == [], "what was acknowledged is done"
                assert await bot.tenants.count(TENANT, author=str(USER)) == 35
                assert bot.book.has_own(GUILD, USER)
                moments.came(seconds, "before")
                return
            was_due = bool(bot.book.forgettings())
            assert was_due or told in ([], ["35"])
            moments.came(seconds, "between" if was_due else "after")
            await Keeper(bot.book, bot.tenants, bot.settings, bot.measures).keep()
            await check_forgotten(bot, state)

    moments = Moments(0.0012, 14)
    for number, seconds in enumerate(moments):
        state = tmp_path / str(number)
        scene(begin(state))
        scene(end(state, killed(_FORGETTING, state, seconds), seconds))
    assert moments.met, "no kill came in between"


def test_who_is_remembered_is_learned_from_again_and_what_was_forgotten_is_not_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            await settle(bot)
            assert not await privacy.remember_user(bot.book, bot.tenants, GUILD, USER)
            await privacy.forget_user(bot.book, bot.tenants, GUILD, USER)
            assert await privacy.remember_user(bot.book, bot.tenants, GUILD, USER)
            assert not bot.book.is_out(GUILD, USER)
            assert not bot.book.has_own(GUILD, USER), "that is agreed to anew, or not"
            await bot.tenants.add(TENANT, said_by(USER, 2, first=100))
            await Keeper(bot.book, bot.tenants, bot.settings, bot.measures).keep()
            assert await bot.tenants.count(TENANT, author=str(USER)) == 2

    scene(run())


def test_an_own_chain_is_there_for_who_agreed_and_goes_when_they_do_not_any_more(tmp_path: Path) -> None:
    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            await settle(bot)
            assert await privacy.deny_own(bot.book, bot.tenants, GUILD, USER)
            assert not await privacy.deny_own(bot.book, bot.tenants, GUILD, USER)
            assert OWN not in chains(tmp_path)
            assert not bot.book.has_own(GUILD, USER)
            assert not bot.book.is_out(GUILD, USER)
            assert await bot.tenants.count(TENANT, author=str(USER)) == 35, "the guild's chain stays"
            await privacy.allow_own(bot.book, bot.tenants, GUILD, USER, 1)
            await privacy.allow_own(bot.book, bot.tenants, GUILD, USER, 1)
            assert bot.book.has_own(GUILD, USER)
            with pytest.raises(InputError, match="no more than 1 members of this server can have a chain"):
                await privacy.allow_own(bot.book, bot.tenants, GUILD, OTHER, 1)
            await bot.book.set_out(GUILD, OTHER, True, by_role=True)
            with pytest.raises(InputError, match="nothing is learned from you here"):
                await privacy.allow_own(bot.book, bot.tenants, GUILD, OTHER, 9)

    scene(run())


def test_an_own_chain_that_is_locked_is_removed_later(tmp_path: Path) -> None:
    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            await settle(bot)
        async with bot_on(tmp_path) as bot:
            with Chain.open(tmp_path / "chains" / OWN, write=True):
                with pytest.raises(privacy.PutOffError, match="your own chain could not be forgotten just now"):
                    await privacy.deny_own(bot.book, bot.tenants, GUILD, USER)
                assert not bot.book.has_own(GUILD, USER)
                with pytest.raises(privacy.PutOffError):
                    await privacy.allow_own(bot.book, bot.tenants, GUILD, USER, 9)
        async with bot_on(tmp_path) as bot:
            await Keeper(bot.book, bot.tenants, bot.settings, bot.measures).keep()
            assert OWN not in chains(tmp_path)
            assert await bot.tenants.count(TENANT, author=str(USER)) == 35
            assert bot.book.forgettings() == []

    scene(run())


# Commands -----------------------------------------------------------------------------------------------------------


def test_privacy_tells_what_is_kept_and_what_can_be_done(tmp_path: Path) -> None:
    async def run() -> None:
        async with bot_on(tmp_path, leave_days=3.0) as bot:
            await settle(bot)
            call = Given()
            await commands.show(call, bot)
            shown = {field.name: field.value for field in call.shown_embed.fields}
            assert shown["Learned from"] == f"<#{CHANNEL}>, with their threads."
            for what in ("text", "its id", "your id", "channel's id", "time", "addresses of its attachments"):
                assert what in shown["Kept of each message there"]
            assert shown["Of yours"] == "35 messages."
            assert "it has 9 messages" in shown["A chain of your own"]
            assert shown["For how long"].startswith("Until you delete it or ask to be forgotten")
            assert "off the disk after the next merge" in shown["For how long"]
            assert "3 days after the bot has left" in shown["For how long"]
            assert "`/forgetme`" in shown["If you do not want that"]
            assert "off the disk at once" in shown["If you do not want that"]
            await bot.book.set_settings(GUILD, GuildSettings(retention_days=30, opt_out_role=77))
            await bot.book.set_out(GUILD, OTHER, True, by_role=True)
            call = Given(OTHER)
            await commands.show(call, bot)
            shown = {field.name: field.value for field in call.shown_embed.fields}
            assert shown["For how long"].startswith("30 days, and until you delete it")
            assert shown["Of yours"] == "25 messages. You are not learned from, by your role."
            assert shown["A chain of your own"] == "None. `/mychain allow` makes one."
            assert "<@&77>" in shown["If you do not want that"]
            await privacy.forget_user(bot.book, bot.tenants, GUILD, USER)
            call = Given()
            await commands.show(call, bot)
            shown = {field.name: field.value for field in call.shown_embed.fields}
            assert shown["Of yours"] == "0 messages. You are not learned from."
            assert "`/rememberme`" in shown["If you do not want that"]
            assert "That you are out is noted" in shown["If you do not want that"]

    scene(run())


def test_privacy_fits_what_discord_takes_where_all_channels_are_learned_from(tmp_path: Path) -> None:
    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            await bot.book.set_channels(GUILD, [Channel(2**63 - n, listens=True) for n in range(1, 501)])
            await bot.book.set_settings(GUILD, GuildSettings(retention_days=36_500, opt_out_role=2**63 - 1))
            call = Given()
            await commands.show(call, bot)
            ((reply, _),) = call.answers
            assert "and 460 more" in call.shown_embed.fields[0].value
            for field in call.shown_embed.fields:
                assert 1 <= len(field.name) <= 256
                assert 1 <= len(field.value) <= 1024
            body = body_of(reply, hidden=True)
            assert body["flags"] == 1 << 6
            assert len(json.dumps(body["embeds"])) < 6000

    scene(run())


def test_the_commands_do_what_they_say(tmp_path: Path) -> None:
    async def run() -> None:
        async with bot_on(tmp_path, own_chains=1) as bot:
            await settle(bot)

            async def told(path: str, user: int = USER) -> str:
                call = Given(user)
                with contextlib.suppress(InputError):
                    await table.leaves[path].run(call, bot)
                    return call.told
                return "refused"

            table = Table(commands.COMMANDS)
            assert {leaf.command.who for leaf in table.leaves.values()} == {"anyone"}
            assert "never out" in await told("rememberme")
            assert "removed" in await told("mychain deny")
            assert "no chain of your own" in await told("mychain deny")
            assert "in a chain of your own as well" in await told("mychain allow")
            assert await told("mychain allow", OTHER) == "refused"
            said = await told("forgetme")
            assert said.startswith("35 messages of yours are forgotten and off the disk, and nothing")
            assert "`/rememberme`" in said
            await check_forgotten(bot, tmp_path)
            assert await told("mychain allow") == "refused"
            assert (await told("forgetme")).startswith("0 messages of yours are forgotten")
            assert "from now on is learned again" in await told("rememberme")
            await bot.book.set_settings(GUILD, GuildSettings(opt_out_role=77))
            await bot.book.set_out(GUILD, USER, True, by_role=True)
            assert "while you have the role <@&77>" in await told("rememberme")
            await bot.tenants.add(TENANT, said_by(USER, 1, first=500))
            assert (await told("forgetme")).startswith("1 message of yours is forgotten")
            assert bot.registry.snapshot().total("bot_forgotten") == 36

    scene(run())


def test_who_could_not_be_forgotten_at_once_is_told_so(tmp_path: Path) -> None:
    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            await settle(bot)
        async with bot_on(tmp_path) as bot:
            with Chain.open(tmp_path / "chains" / TENANT, write=True):
                call = Given()
                await commands.forget(call, bot)
            assert call.told.startswith("All that you wrote could not be forgotten just now")
            assert "Nothing that you write is learned any more." in call.told
            assert str(tmp_path) not in call.told

    scene(run())


def test_nobodys_text_is_in_the_book_or_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with bot_on(tmp_path) as bot:
            await settle(bot)
            await privacy.forget_user(bot.book, bot.tenants, GUILD, OTHER)
            for path in (tmp_path / "bot").iterdir():
                assert b"word" not in path.read_bytes()
        assert "word" not in caplog.text

    caplog.set_level("DEBUG")
    scene(run())
