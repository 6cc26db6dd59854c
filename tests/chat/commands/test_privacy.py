"""What members say of themselves, through Discord: the real client, the fake's gateway and REST, real chains."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from chaffinch.chat import retention
from chaffinch.chat.guild import Channel
from chaffinch.chat.names import own_of, tenant_of
from chaffinch.config import BotSettings
from tests.chat.connected import Connected, connected, run
from tests.chat.discord.messages import Message

HISTORY = "GET /channels/{channel_id}/messages"


async def listen(one: Connected, *names: str) -> None:
    channels = [Channel(one.channel(name).id, listens=True) for name in names]
    await one.book.set_channels(one.world.guild.id, channels)


async def count(one: Connected, member: str) -> int:
    """Messages of somebody in the guild's chain."""
    tenant = tenant_of(one.world.guild.id)
    if tenant not in await one.tenants.list():
        return 0
    return await one.tenants.count(tenant, author=str(one.member(member).id))


async def until(one: Connected, member: str, messages: int) -> None:
    for _ in range(500):
        if await count(one, member) == messages:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{await count(one, member)} messages of {member}, not {messages}")


async def asked(one: Connected, member: str, command: str) -> Message:
    """The whole answer, which comes in the place of the one that said that one follows."""
    given = one.slash(member, command)
    await one.fake.wait_for(lambda: one.fake.answers(given) and not one.fake.answers(given)[0].is_loading)
    (answer,) = one.fake.answers(given)
    assert answer.is_ephemeral
    return answer


def files_with(state: Path, word: str) -> list[Path]:
    return [path for path in state.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def test_somebody_is_told_forgotten_and_remembered(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one, "general")
            general = one.channel("general")
            for number in range(6):
                one.fake.say(one.member("member"), general, f"brontosaurus number {number} walks")
                one.fake.say(one.member("other"), general, f"ichthyosaurus number {number} swims")
            await until(one, "member", 6)
            await until(one, "other", 6)
            shown = str((await asked(one, "member", "privacy")).embeds)
            assert "6 messages." in shown
            assert f"<#{general.id}>" in shown
            assert "brontosaurus" not in shown
            answer = await asked(one, "member", "forgetme")
            assert answer.content.startswith("6 messages of yours are forgotten and off the disk")
            assert files_with(tmp_path, "brontosaurus") == []
            one.fake.say(one.member("member"), general, "brontosaurus once more")
            one.fake.say(one.member("other"), general, "ichthyosaurus once more")
            await until(one, "other", 7)
            assert await count(one, "member") == 0
            assert "0 messages. You are not learned from." in str((await asked(one, "member", "privacy")).embeds)
            assert "learned again" in (await asked(one, "member", "rememberme")).content
            one.fake.say(one.member("member"), general, "a triceratops instead")
            await until(one, "member", 1)
            assert files_with(tmp_path, "brontosaurus") == []
            assert one.counted("bot_commands", outcome="failed") == 0
            await one.fake.wait_for(lambda: one.counted("bot_forgotten") == 6)

    run(test)


def test_the_same_by_prefix(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one, "general")
            one.fake.say(one.member("member"), one.channel("general"), "brontosaurus walks there")
            await until(one, "member", 1)
            assert "1 message." in str((await one.told("member", "!mark privacy")).embeds)
            said = await one.told("member", "!mark forgetme")
            assert said.content.startswith("1 message of yours is forgotten")
            assert await count(one, "member") == 0
            assert "`mychain allow`" not in said.content
            refused = await one.told("member", "!mark mychain allow")
            assert "nothing is learned from you here" in refused.content.lower()
            assert (await one.told("member", "!mark rememberme")).content.startswith("What you write from now on")

    run(test)


@pytest.mark.parametrize("pages", [1, 3])
def test_who_is_forgotten_while_a_training_goes_on_is_not_in_what_it_makes(tmp_path: Path, pages: int) -> None:
    """The training reads what they wrote before and after that, in pages that are on their way."""

    async def test() -> None:
        async with connected(tmp_path) as one:
            guild, general = one.world.guild.id, one.channel("general")
            await listen(one, "general", "talk", "quiet")
            for number in range(600):
                one.fake.say(one.member("member" if number % 3 else "other"), general, f"number {number} of many")
            await one.fake.wait_for(lambda: not one.client._events)
            one.fake.faults.add(HISTORY, delay=0.08)
            before = len(one.fake.requested(HISTORY))
            one.slash("admin", "train")
            await one.fake.wait_for(lambda: len(one.fake.requested(HISTORY)) >= before + pages)
            assert one.book.training(guild) is not None
            answer = await asked(one, "member", "forgetme")
            assert "forgotten" in answer.content
            await one.fake.wait_for(lambda: one.book.training(guild) is None, 30)
            assert await count(one, "member") == 0
            assert await count(one, "other") >= 200
            assert not await one.tenants.is_anew(tenant_of(guild))

    run(test)


def test_an_own_chain_is_taught_by_who_agreed_alone(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path, settings=BotSettings(min_score=0, own_chains=1)) as one:
            await listen(one, "general")
            guild, general = one.world.guild.id, one.channel("general")
            own = own_of(guild, one.member("member").id)

            async def give(member: str, name: str) -> Message:
                given = one.slash(member, f"mychain {name}")
                await one.fake.wait_for(lambda: one.fake.answers(given) and not one.fake.answers(given)[0].is_loading)
                return one.fake.answers(given)[0]

            assert "in a chain of your own as well" in (await give("member", "allow")).content
            refused = await give("other", "allow")
            assert refused.is_ephemeral
            assert "o more than 1 members" in refused.content
            one.fake.say(one.member("member"), general, "brontosaurus walks there")
            one.fake.say(one.member("other"), general, "ichthyosaurus swims there")
            await until(one, "other", 1)
            await until(one, "member", 1)
            assert (await one.tenants.stats(own)).messages == 1
            assert own_of(guild, one.member("other").id) not in await one.tenants.list()
            assert "removed" in (await give("member", "deny")).content
            assert own not in await one.tenants.list()
            assert await count(one, "member") == 1

    run(test)


def test_what_is_known_of_a_guild_goes_some_time_after_the_bot_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOK_SECONDS", 0.05)

    async def test() -> None:
        settings = msgspec.structs.replace(BotSettings(), min_score=0, leave_days=0.3 / 86_400)
        async with connected(tmp_path, settings=settings) as one:
            await listen(one, "general")
            one.fake.say(one.member("member"), one.channel("general"), "brontosaurus walks there")
            await until(one, "member", 1)
            guild = one.world.guild
            one.fake.outage(guild)
            await asyncio.sleep(0.6)
            assert guild.id in one.book.guilds(), "Discord could not reach it: that is no leaving"
            one.fake.end_outage(guild)
            one.fake.kick_bot(guild)
            await one.fake.wait_for(lambda: guild.id not in one.book.guilds())
            assert tenant_of(guild.id) not in await one.tenants.list()
            assert files_with(tmp_path, "brontosaurus") == []
            await one.fake.wait_for(lambda: one.counted("bot_guilds_deleted") == 1)

    run(test)


def test_who_asks_again_while_it_is_being_done_is_told_so(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            async with one.book.turn(one.world.guild.id, one.member("member").id):
                for command in ("forgetme", "rememberme", "mychain allow", "mychain deny"):
                    answer = await one.asked("member", command)
                    assert answer.is_ephemeral
                    assert "is being changed just now" in answer.content
                assert "0 messages" in (await asked(one, "other", "forgetme")).content
            assert "0 messages" in (await asked(one, "member", "forgetme")).content

    run(test)
