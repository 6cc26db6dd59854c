"""A training whose process is killed again and again, against the fake Discord: the chain is as if it had not been."""

import asyncio
import contextlib
import json
import random
import sys
from pathlib import Path

import pytest

from chaffinch.chain import Chain, directory_of
from chaffinch.chat.names import tenant_of
from chaffinch.chat.training.job import PAGES_AHEAD, PAGES_LEARNED
from chaffinch.chat.training.source import PAGE
from tests.chat.discord.fake import Fake
from tests.chat.discord.world import World
from tests.chat.training.guilds import Row, rows_of

PAGES = "GET /channels/{channel_id}/messages"
MESSAGES = 12_000
CHANNELS = 3
KILLS = 6
ON_THEIR_WAY = 4 * (PAGES_AHEAD + 1) + PAGES_LEARNED
"""Pages that are read again after a kill, at most: those that wait, of four channels, and those learned last."""


async def start(fake: Fake, state: Path) -> asyncio.subprocess.Process:
    """One start of the bot."""
    channels = [str(fake.world.guild.channel(f"channel{number}").id) for number in range(CHANNELS)]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chat.training.walker", str(state), fake.url),
        *(fake.world.token, str(fake.world.guild.id), *channels),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def finish(process: asyncio.subprocess.Process) -> dict[str, object]:
    said, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    return json.loads(said)


async def kill_at_page(fake: Fake, state: Path, page: int, after_ms: float) -> bool:
    """Start it, and kill it so long after the page was asked for; whether the training was not over."""
    asked = asyncio.Event()
    fault = fake.faults.add(PAGES, after=page, act=asked.set)
    process = await start(fake, state)
    ended, met = asyncio.create_task(process.wait()), asyncio.create_task(asked.wait())
    await asyncio.wait((ended, met), return_when=asyncio.FIRST_COMPLETED, timeout=60)
    met.cancel()
    fake.faults.clear()
    if fault.met:
        await asyncio.sleep(after_ms / 1000)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await ended
    said, _ = await process.communicate()
    return not said


def known(state: Path, guild: int) -> set[Row]:
    """Every message of the guild's chain, which nothing stands beside."""
    directory = directory_of(state, tenant_of(guild))
    assert sorted(path.name for path in directory.parent.iterdir() if path.is_dir()) == [directory.name]
    with Chain.open(directory) as chain:
        assert chain.verify().damage == ()
        chain.export(state / "archive")
    return rows_of(state / "archive")


def expected(world: World) -> set[Row]:
    return {
        (str(one.id), str(one.author.id), str(one.channel.id), " ".join(one.content.split()))
        for channel in world.guild.channels.values()
        for one in channel.history.all()
        if one.content and not one.author.is_bot
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(1))
def test_killed_at_random_points_a_training_comes_to_the_same_chain(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    world = World.large(MESSAGES, channels=CHANNELS)

    async def scene() -> None:
        async with Fake(world) as fake:
            undisturbed = tmp_path / "undisturbed"
            await finish(await start(fake, undisturbed))
            pages = len(fake.requested(PAGES))
            kills = 0
            for _ in range(KILLS):
                kills += await kill_at_page(fake, tmp_path / "killed", dice.randrange(40), dice.uniform(0, 30))
            await finish(await start(fake, tmp_path / "killed"))
            assert kills >= 3
            rows = known(tmp_path / "killed", world.guild.id)
            assert rows == known(undisturbed, world.guild.id)
            assert rows == expected(world)
            begun_anew = KILLS - kills  # the bot began another training, since that before was over
            assert len(fake.requested(PAGES)) <= (2 + begun_anew) * pages + KILLS * ON_THEIR_WAY

    assert MESSAGES > 100 * PAGE
    asyncio.run(scene())


@pytest.mark.timeout(300)
def test_killed_while_the_chain_is_put_in_its_place(tmp_path: Path) -> None:
    """From the last page on, a little later each time."""
    world = World.large(2000, channels=CHANNELS)

    async def scene() -> None:
        async with Fake(world) as fake:
            await finish(await start(fake, tmp_path / "undisturbed"))
            pages = len(fake.requested(PAGES))
            for after_ms in (5, 20, 40):
                state = tmp_path / f"killed-{after_ms}"
                await kill_at_page(fake, state, pages - 1, after_ms)
                await finish(await start(fake, state))
                assert known(state, world.guild.id) == expected(world)

    asyncio.run(scene())


@pytest.mark.timeout(120)
def test_faults_of_every_kind_come_to_the_same_chain(tmp_path: Path) -> None:
    """Server errors, rate limits, cut off and reset answers, one after the other."""
    world = World.large(4000, channels=CHANNELS)

    async def scene() -> None:
        async with Fake(world) as fake:
            fake.faults.refuse(PAGES, 503, after=3, times=2)
            fake.faults.limit(PAGES, 0.2, after=4, times=2)
            fake.faults.add(PAGES, cuts=True, after=5, times=3)
            fake.faults.add(PAGES, resets=True, after=6, times=2)
            fake.faults.refuse(PAGES, 500, after=4, times=1)
            await finish(await start(fake, tmp_path))
            assert known(tmp_path, world.guild.id) == expected(world)

    asyncio.run(scene())
