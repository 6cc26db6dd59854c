"""What went wrong with the bots that it replaces does not with this one, where no other file shows that."""

import time
import tomllib
from pathlib import Path

import msgspec

from chaffinch.chain.engine import Chain
from chaffinch.chain.names import directory_of
from chaffinch.chat.guild import Channel, GuildSettings
from chaffinch.chat.names import tenant_of
from chaffinch.config import CandidateSettings, Config
from tests.chat.connected import Connected, connected, run
from tests.chat.discord.fake import Fake
from tests.chat.discord.places import Guild
from tests.chat.discord.world import World
from tests.chat.running import bot, discord, until
from tests.chat.test_run import FREELY, count, free_port, guild_of, page, slash


def test_of_two_servers_that_talk_at_once_nothing_of_one_comes_out_in_the_other(tmp_path: Path) -> None:
    world = World.many(2)
    here, there = world.guilds.values()
    words = {
        guild.id: [
            f"{kind} {one} {two} {end}"
            for first, one in enumerate(ones)
            for second, two in enumerate(twos)
            for third, end in enumerate(ends)
            if (first + second + third) % 2
        ]
        for guild, kind, ones, twos, ends in (
            (here, "ant", "abcd", "efgh", ("hill", "nest", "trail", "leaf")),
            (there, "bee", "stuv", "wxyz", ("hive", "comb", "swarm", "bloom")),
        )
    }

    def is_own(guild: Guild, text: str) -> bool:
        return set(text.split()) <= {word for one in words[guild.id] for word in one.split()}

    async def test() -> None:
        async with connected(tmp_path, world) as one:
            for guild in (here, there):
                await one.book.set_settings(guild.id, GuildSettings(image_chance=0))
                await one.book.set_channels(guild.id, [Channel(guild.channel("general").id, True, True)])
            for number in range(len(words[here.id])):
                for guild in (here, there):
                    one.fake.say(guild.member("member"), guild.channel("general"), words[guild.id][number])
            await one.fake.wait_for(lambda: one.counted("bot_learned") == 2 * len(words[here.id]))
            for _ in range(12):
                asked = [
                    (guild, one.fake.slash(guild.member("moderator"), guild.channel("talk"), "mark", options))
                    for options in ({}, {"debug": True}, {"seed": "bee"}, {"seed": "ant"})
                    for guild in (here, there)
                ]
                for guild in (here, there):
                    one.fake.say(guild.member("member"), guild.channel("talk"), f"<@{world.bot.id}>")
                for guild, call in asked:
                    assert is_own(guild, (await one.answered(call)).content)
            await one.fake.wait_for(lambda: not one.client._events)
            for guild in (here, there):
                said = [
                    message.content for name in ("general", "talk") for message in one.fake.posted(guild.channel(name))
                ]
                assert sum(bool(text) for text in said) >= 12 * 5
                assert [text for text in said if not is_own(guild, text) and "Nothing" not in text] == []

    run(test)


def test_what_is_said_begins_and_ends_as_messages_do(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            for _ in range(20):
                first, *_, last = (await one.asked("member", "mark")).content.split()
                assert first == "the"
                assert last in ("dawn", "noon", "night")

    run(test)


def test_a_server_that_is_named_tries_the_candidate_alone(tmp_path: Path) -> None:
    """Its next clean training makes the chain as the candidate says, as the guide has it."""
    world = World.many(2)
    here, there = world.guilds.values()
    said = (Path(__file__).parents[2] / "docs" / "bot.md").read_text().split("```toml\n")[1].split("```")[0]
    read = tomllib.loads(said.replace("82684276755136512", str(here.id)))
    settings = msgspec.convert(read, Config).chain
    assert settings.candidate == CandidateSettings(tenants=(tenant_of(here.id),), order=3)

    async def orders(one: Connected) -> list[int]:
        return [(await one.tenants.stats(tenant_of(guild.id))).options.order for guild in (here, there)]

    async def test() -> None:
        async with Fake(world) as fake:
            async with connected(tmp_path, fake=fake) as one:
                for guild in (here, there):
                    await one.book.set_channels(guild.id, [Channel(guild.channel("general").id, listens=True)])
                    fake.say(guild.member("member"), guild.channel("general"), "the finch sings over the hill")
                await fake.wait_for(lambda: one.counted("bot_learned") == 2)
                assert await orders(one) == [2, 2]
            async with connected(tmp_path, fake=fake, chain=settings) as one:
                for guild in (here, there):
                    fake.slash(guild.member("moderator"), guild.channel("talk"), "train")
                    await fake.wait_for(lambda guild=guild: one.book.training(guild.id))  # type: ignore[misc]
                await fake.wait_for(lambda: not any(one.book.training(guild.id) for guild in (here, there)))
                assert await orders(one) == [3, 2]

    run(test)


def test_steady_talk_keeps_nothing_from_the_disk(tmp_path: Path) -> None:
    """One message follows the other at once; what is counted as learned outlives a kill at that moment."""
    state, port = tmp_path / "state", free_port()
    with discord("--small") as fake, bot(fake, state, "--metrics-port", str(port), **FREELY) as one:
        guild = guild_of(fake)
        one.ready()
        slash(fake, "listen add", **{"channel-1": {"channel": "general"}})
        end = time.monotonic() + 3
        number, learned = 0, 0.0
        while time.monotonic() < end:
            number += 1
            fake.ask("/say", {"member": "talker", "channel": "general", "text": f"word{number} follows upon the other"})
            if number % 50 == 0:
                learned = count(page(port), f'bot_learned_total{{guild="{guild}"}}')
        until(lambda: count(page(port), f'bot_learned_total{{guild="{guild}"}}') > max(learned, number - 100))
        learned = count(page(port), f'bot_learned_total{{guild="{guild}"}}')
        one.process.kill()
        one.ended()
    with Chain.open(directory_of(state, f"guild-{guild}")) as chain:
        assert learned <= chain.stats().messages <= number


def test_a_chain_that_cannot_be_read_is_left_as_it_is(tmp_path: Path) -> None:
    """It is not begun anew over what is there; the other commands work."""

    async def learn() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            await one.book.set_channels(one.world.guild.id, [Channel(one.channel("general").id, True, True)])

    run(learn)
    (directory,) = (tmp_path / "chains").iterdir()
    manifest = next(path for path in directory.iterdir() if path.name.lower().startswith("manifest"))
    manifest.write_bytes(manifest.read_bytes()[:-7] + b"damaged")
    before = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}

    async def go_on() -> None:
        async with connected(tmp_path) as one:
            answer = await one.asked("member", "mark")
            assert answer.is_ephemeral
            one.fake.say(one.member("member"), one.channel("general"), "something that is not to be learned over it")
            await one.settled()
            assert (await one.asked("member", "listen list")).embeds
            assert one.counted("bot_learned") == 0

    run(go_on)
    after = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    assert {name: after.get(name) for name in before} == before
