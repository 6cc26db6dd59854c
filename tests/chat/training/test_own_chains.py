"""Members' own chains, which a clean training makes anew: exact, and whole after a kill at any step."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chaffinch.chain import Message, directory_of, places
from chaffinch.chain.errors import UnknownTenantError
from chaffinch.chat import privacy
from chaffinch.chat.book.writer import Writer
from chaffinch.chat.measures import Measures
from chaffinch.chat.names import own_of, tenant_of
from chaffinch.chat.retention import Keeper
from chaffinch.chat.training import anew
from chaffinch.config import BotSettings
from chaffinch.metrics.registry import Registry
from tests.chat.training.guilds import GUILD, Discord, Row, Stage, raw, row, rows_of, seen, stage

WRITES, GONE = 9003, 5555
"""Members with a chain of their own: of the second nothing is in the history any more."""

_STALE = (
    (WRITES, Message("what was deleted while the bot was away", id="1", author=str(WRITES), channel="10")),
    (GONE, Message("what was deleted, too", id="2", author=str(GONE), channel="10")),
)


def play(scene: Callable[[Stage], Awaitable[None]], state: Path, discord: Discord) -> None:
    async def begin() -> None:
        async with stage(state, discord) as on:
            await scene(on)

    asyncio.run(asyncio.wait_for(begin(), 60))


def history(messages: int = 150) -> Discord:
    discord = Discord()
    discord.add(10, range(messages))
    return discord


async def agreed(on: Stage) -> None:
    """Both have a chain, with a message that is nowhere else; so has the guild."""
    await on.listen(10)
    await on.tenants.add(tenant_of(GUILD), [_STALE[0][1]])
    for user, message in _STALE:
        await on.book.set_own(GUILD, user, True)
        await on.tenants.add(own_of(GUILD, user), [message])


async def own(on: Stage, user: int) -> set[Row]:
    path = on.state / "own"
    path.unlink(missing_ok=True)
    await on.tenants.export(own_of(GUILD, user), path)
    return rows_of(path)


def by(discord: Discord, user: int) -> set[Row]:
    return {one for one in discord.rows() if one[1] == str(user)}


def beside(state: Path) -> list[str]:
    """What stands beside chains: what is being made anew, or was replaced."""
    return [path.name for path in (state / "chains").iterdir() if path.name.startswith(".") and path.name != ".placing"]


def test_a_clean_training_makes_them_exact_and_others_add_to_them(tmp_path: Path) -> None:
    discord = history()

    async def scene(on: Stage) -> None:
        await agreed(on)
        await on.book.set_own_lost(GUILD, WRITES, True)
        await on.train(clean=False)
        await on.over()
        assert await own(on, WRITES) == by(discord, WRITES) | {("1", "9003", "10", _STALE[0][1].text)}
        assert on.book.is_own_lost(GUILD, WRITES)
        await on.train()
        await on.over()
        assert await own(on, WRITES) == by(discord, WRITES)
        assert await own(on, GONE) == set()
        assert not on.book.is_own_lost(GUILD, WRITES)
        assert beside(tmp_path) == []

    play(scene, tmp_path, discord)


def test_what_happens_meanwhile_is_so_in_both(tmp_path: Path) -> None:
    discord = history(400)
    said, back, mine = raw(900, 10), raw(901, 10), raw(902, 10)
    for message in (said, back, mine):
        message["author"]["id"] = str(WRITES)
    old = next(one for one in reversed(discord.messages[10]) if one["author"]["id"] == str(WRITES))

    async def scene(on: Stage) -> None:
        await agreed(on)

        async def meanwhile(channel: int, before: int) -> None:
            if len(discord.asked) == 3:
                while not on.trainer.progress(GUILD).learned:  # type: ignore[union-attr]
                    await asyncio.sleep(0.001)
                for message in (said, back):
                    await on.learner.learn(seen(message))
                await on.learner.deleted(GUILD, [int(back["id"]), int(old["id"])])
                discord.messages[10].remove(old)
                assert row(said) in await own(on, WRITES)
                await privacy.deny_own(on.book, on.tenants, GUILD, GONE)

        discord.before_page = meanwhile
        await on.train()
        await on.over()
        assert await own(on, WRITES) == by(discord, WRITES) | {row(said)}
        with pytest.raises(UnknownTenantError):
            await own(on, GONE)
        assert beside(tmp_path) == []
        await on.learner.learn(seen(mine))
        assert await own(on, WRITES) == by(discord, WRITES) | {row(said), row(mine)}

    play(scene, tmp_path, discord)


def test_one_that_is_damaged_meanwhile_costs_nothing_of_what_was_read(tmp_path: Path) -> None:
    discord = history(400)

    async def scene(on: Stage) -> None:
        await agreed(on)

        async def meanwhile(channel: int, before: int) -> None:
            if len(discord.asked) == 3:
                while not await on.tenants.is_anew(own_of(GUILD, WRITES)):
                    await asyncio.sleep(0.001)
                on.tenants._chains.readmit(await on.tenants._chains.seclude(own_of(GUILD, WRITES)))
                (directory_of(tmp_path, own_of(GUILD, WRITES)) / "manifest.json").write_bytes(b"spoilt")
                await on.learner.deleted(GUILD, [4711])
                assert on.book.is_own_lost(GUILD, WRITES)

        discord.before_page = meanwhile
        await on.train()
        await on.over()
        assert await own(on, WRITES) == by(discord, WRITES)
        assert not on.book.is_own_lost(GUILD, WRITES)

    play(scene, tmp_path, discord)


@pytest.mark.parametrize("how", ["stopped", "nothing", "left"])
def test_a_training_that_comes_to_nothing_leaves_them_and_nothing_beside(tmp_path: Path, how: str) -> None:
    discord = history(400)

    async def scene(on: Stage) -> None:
        await agreed(on)

        async def meanwhile(channel: int, before: int) -> None:
            if len(discord.asked) == 3:
                while not await on.tenants.is_anew(own_of(GUILD, WRITES)):
                    await asyncio.sleep(0.001)
                if how == "stopped":
                    await on.trainer.cancel(GUILD)
                elif how == "left":
                    await on.book.left(GUILD, 1)
                    for user, message in _STALE:  # neither is in a listing
                        await on.tenants.remove(own_of(GUILD, user))
                        await on.tenants.add(own_of(GUILD, user), [message], anew=True)
                    await on.book.owe_forgetting(GUILD, GONE, own_only=True)
                    settings = BotSettings()
                    keeper = Keeper(on.book, on.tenants, settings, Measures(Registry(), settings))
                    await keeper._delete(GUILD)

        if how == "nothing":
            discord.messages[10] = []
            await on.tenants.add(tenant_of(GUILD), [Message("what the guild knows", id="3")])
        else:
            discord.before_page = meanwhile
        await on.train()
        await on.over()
        assert beside(tmp_path) == []
        if how == "left":
            assert await on.tenants.list() == []
        else:
            assert {one[0] for one in await own(on, WRITES) | await own(on, GONE)} == {"1", "2"}

    play(scene, tmp_path, discord)


def test_what_a_kill_left_of_them_is_thrown_away(tmp_path: Path) -> None:
    async def scene(on: Stage) -> None:
        await agreed(on)
        await on.tenants.add(own_of(GUILD, WRITES), [Message("half of a history", id="5")], anew=True)
        await on.trainer.go_on()
        assert beside(tmp_path) == []
        await on.tenants.add(own_of(GUILD, WRITES), [Message("half of a history", id="5")], anew=True)
        await on.train()
        await on.over()
        assert "5" not in {one[0] for one in await own(on, WRITES)}

    play(scene, tmp_path, history())


# Kills ----------------------------------------------------------------------------------------------------------------


def died(run: Callable[[], None]) -> bool:
    """Whether a forked child that runs this was killed in it."""
    child = os.fork()
    if not child:
        status = 1
        with contextlib.suppress(BaseException):
            run()
            status = 0
        os._exit(status)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, KILLED)
    return code == KILLED


KILLED = 9


@contextlib.contextmanager
def dying(at: int) -> Iterator[None]:
    """From when all is read: the process ends before its step of that number on the disk; 0 is the first."""
    steps = -1

    def step() -> None:
        nonlocal steps
        if steps >= 0:
            if steps == at:
                os._exit(KILLED)
            steps += 1

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **more: Any) -> Any:
            step()
            return call(*args, **more)

        return stepped

    complete = anew.complete

    async def begun(*args: Any) -> None:
        nonlocal steps
        steps = max(steps, 0)
        step()
        await complete(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anew, "complete", begun)
        for name in ("rename", "throw_away", "write"):
            patch.setattr(places, name, counted(getattr(places, name)))
        patch.setattr(Writer, "write", counted(Writer.write))
        yield


def test_killed_at_any_step_of_putting_them_in_their_places_all_come_to_be_whole(tmp_path: Path) -> None:
    discord = history()
    said = raw(900, 10)
    said["author"]["id"] = str(WRITES)

    async def trains(on: Stage) -> None:
        if on.book.training(GUILD) is None:
            await agreed(on)
            await on.train()
        else:
            await on.trainer.go_on()
        await on.over()

    async def goes_on(on: Stage) -> None:
        await on.learner.learn(seen(said))
        await trains(on)
        assert await own(on, WRITES) == by(discord, WRITES) | {row(said)}
        assert await own(on, GONE) == set()
        assert await on.rows() == discord.rows() | {row(said)}
        assert beside(on.state) == []
        assert on.book.training(GUILD) is None

    def begin(at: int, state: Path) -> bool:
        def run() -> None:
            with dying(at):
                play(trains, state, discord)

        return died(run)

    read = tmp_path / "read"
    assert begin(0, read)
    kills = 0
    for at in range(1, 200):
        state = tmp_path / str(at)
        shutil.copytree(read, state)
        if not begin(at, state):
            break
        kills += 1
        play(goes_on, state, discord)
        shutil.rmtree(state)
    assert 12 < kills < 60
