"""A chain whose files are damaged: a member's is begun anew, a guild's waits for `/train`, and nobody else waits."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from chaffinch.chain import directory_of
from chaffinch.chain.errors import DamagedError
from chaffinch.chain.places import held as writing
from chaffinch.chat import privacy
from chaffinch.chat.guild import Channel
from chaffinch.chat.names import own_of, tenant_of
from chaffinch.chat.retention import Keeper
from chaffinch.chat.seen import Seen
from tests.chat.learning.test_learner import ANN, BEN, GUILD, LISTENED, Parts, play, song

OWN = own_of(GUILD, ANN)
OTHER_GUILD = GUILD + 1


async def spoil(one: Parts, tenant: str, pattern: str = "manifest.json") -> None:
    """Damage files of a chain, as a disk does while nobody has it open."""
    slot = await one.tenants._chains.seclude(tenant)
    one.tenants._chains.readmit(slot)
    for file in directory_of(one.state, tenant).glob(pattern):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content)


async def lose(one: Parts, tenant: str) -> None:
    slot = await one.tenants._chains.seclude(tenant)
    one.tenants._chains.readmit(slot)
    for file in directory_of(one.state, tenant).glob("*.segment"):
        file.unlink()


async def taught(one: Parts) -> Seen:
    """Ann has a chain of her own with a message, which is merged; so is the guild's."""
    await one.book.set_own(GUILD, ANN, True)
    seen = await one.say(song("before"))
    await one.say(song("as another"), author=BEN)
    for tenant in (OWN, tenant_of(GUILD)):
        await one.tenants.merge(tenant, wait=True)
    return seen


async def forgets(one: Parts, seen: Seen) -> None:
    await one.learner.deleted(GUILD, [seen.id])


async def edits(one: Parts, seen: Seen) -> None:
    await one.learner.edited(one.seen(song("edited"), id=seen.id))


async def learns(one: Parts, seen: Seen) -> None:
    await one.learner.thread_deleted(GUILD, 99)


async def trains(one: Parts, seen: Seen) -> None:
    with one.learner.in_flight(GUILD) as flight:
        await one.learner.learn_page(GUILD, flight, [one.seen(song("of old"))], False)


@pytest.mark.parametrize("change", [forgets, edits, learns, trains])
@pytest.mark.parametrize("damage", ["manifest", "segment"])
def test_a_members_damaged_chain_is_begun_anew_and_holds_nobody_up(
    tmp_path: Path, damage: str, change: Callable[[Parts, Seen], object], caplog: pytest.LogCaptureFixture
) -> None:
    async def act(one: Parts) -> None:
        seen = await taught(one)
        await (spoil(one, OWN) if damage == "manifest" else lose(one, OWN))
        await change(one, seen)  # type: ignore[misc]
        await one.learner.deleted(GUILD, [4711])
        assert len(one.learner.postponed) == 0
        ours = await one.say(song("after"))
        theirs = await one.say(song("after, too"), author=BEN)
        assert {str(ours.id), str(theirs.id)} <= set(await one.texts())
        assert (str(seen.id) in await one.texts()) == (change is not forgets)
        assert str(ours.id) in await one.texts(OWN)
        assert str(seen.id) not in await one.texts(OWN) or change is edits
        assert one.count("bot_own_chains_damaged") == 1
        assert (await privacy.kept(one.book, one.tenants, GUILD, ANN)).is_own_lost
        await one.book.set_own(GUILD, ANN, True)
        assert not (await privacy.kept(one.book, one.tenants, GUILD, ANN)).is_own_lost

    with caplog.at_level(logging.INFO):
        play(tmp_path, act)
    assert caplog.text.count(f"bot.own_chain_damaged guild={GUILD} user={ANN}") == 1
    assert "chaffinch sings" not in caplog.text


def test_nothing_of_a_damaged_chain_stays_on_the_disk(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.book.set_own(GUILD, ANN, True)
        await one.say(song("brontosaurus"))
        await spoil(one, OWN)
        await one.learner.deleted(GUILD, [4711])
        assert [path for path in (tmp_path / "chains").iterdir() if "user" in path.name] == []

    play(tmp_path, act)


def test_the_keeper_begins_it_anew_where_its_member_says_nothing(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await taught(one)
        await one.book.joined(GUILD)
        await spoil(one, OWN)
        keeper = Keeper(one.book, one.tenants, one.settings, one.measures)
        assert (await privacy.kept(one.book, one.tenants, GUILD, ANN)).is_own_lost
        assert one.count("bot_own_chains_damaged") == 0
        await keeper.keep()
        assert one.count("bot_own_chains_damaged") == 1
        assert one.count("bot_duties_put_off") == 0
        assert OWN not in await one.tenants.list()

    play(tmp_path, act)


def test_what_the_machine_does_not_let_be_read_is_not_taken_for_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(one: Parts) -> None:
        seen = await taught(one)
        forget = one.tenants.forget
        tries: list[str] = []

        async def fails_once(tenant: str, **what: object) -> int:
            tries.append(tenant)
            if tries == [OWN]:
                raise DamagedError("opening 000003.segment: Too many open files (os error 24)")
            return await forget(tenant, **what)  # type: ignore[arg-type]

        monkeypatch.setattr(one.tenants, "forget", fails_once)
        await one.learner.deleted(GUILD, [4711])
        assert tries == [OWN, OWN, tenant_of(GUILD)]
        assert str(seen.id) in await one.texts(OWN)
        assert one.count("bot_own_chains_damaged") == 0
        assert not one.book.is_own_lost(GUILD, ANN)

    play(tmp_path, act)


def test_a_guilds_damaged_chain_costs_other_guilds_nothing(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.book.set_channels(OTHER_GUILD, [Channel(LISTENED, listens=True)])
        one.learner.postponed._again_seconds = 0.05
        await one.say(song("before"))
        await one.learner.learn(elsewhere(one, song("before")))
        await spoil(one, tenant_of(GUILD))
        for number in range(40):
            await one.say(song(f"number {number}"))
        slot = await one.tenants._chains.seclude(tenant_of(OTHER_GUILD))
        one.tenants._chains.readmit(slot)
        with writing(directory_of(one.state, tenant_of(OTHER_GUILD))):  # as another process does, for a moment
            said = [elsewhere(one, song(f"of the other, {number}")) for number in range(3)]
            for seen in said:
                await one.learner.learn(seen)
        while OTHER_GUILD in one.learner.postponed:
            await asyncio.sleep(0.01)
        assert {str(seen.id) for seen in said} <= set(await one.texts(tenant_of(OTHER_GUILD)))
        assert GUILD in one.learner.postponed

    play(tmp_path, act, waiting_changes=16)


def elsewhere(one: Parts, text: str) -> Seen:
    return msgspec.structs.replace(one.seen(text), guild=OTHER_GUILD)


def test_what_a_damaged_chain_is_still_to_unlearn_is_said_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def before(one: Parts) -> None:
        seen = await one.say(song("before"))
        await spoil(one, tenant_of(GUILD))
        await one.learner.deleted(GUILD, [seen.id])

    async def after(one: Parts) -> None:
        await one.learner.begin()
        assert GUILD in one.learner.postponed

    play(tmp_path, before)
    caplog.clear()
    play(tmp_path, after)
    assert f"bot.unlearning_waits guild={GUILD}" in caplog.text
    assert "manifest.json is damaged" in caplog.text
