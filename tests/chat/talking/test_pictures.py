"""Attachments of source messages: new addresses, bounds, faults of the CDN, and what is never fetched."""

import asyncio
import gc
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.measures import Measures
from chaffinch.chat.poster import PostingError
from chaffinch.chat.posting import DiscordPoster, attachment_origins
from chaffinch.chat.talking import pictures
from chaffinch.chat.talking.pictures import Pictures, name_of
from chaffinch.config.tree import BotSettings
from chaffinch.metrics.registry import Registry
from tests.chat.discord.fake import Fake
from tests.chat.discord.places import Channel
from tests.chat.discord.received import File
from tests.chat.discord.world import World

REFRESH = "POST /attachments/refresh-urls"


class Scene:
    """A logged-in client, its pictures, and a channel with files in it."""

    def __init__(self, fake: Fake, poster: DiscordPoster, **settings: int) -> None:
        self.fake = fake
        self.time = 0.0
        self.registry = Registry()
        self.pictures = Pictures(
            poster.refreshed,
            BotSettings(**settings),  # type: ignore[arg-type]
            Measures(self.registry, BotSettings()),
            origins=attachment_origins(),
            clock=lambda: self.time,
        )

    @property
    def channel(self) -> Channel:
        return self.fake.world.guild.channel("general")

    def attach(self, content: bytes = b"picture", name: str = "cat.png") -> str:
        """The address of a file that somebody posted."""
        said = self.fake.say(
            self.fake.world.guild.member("member"), self.channel, "look", attachments=[File(name, content)]
        )
        return self.fake.world.signed(said.attachments[0])

    def counted(self, name: str) -> dict[str, float]:
        families = {family.name: family for family in self.registry.snapshot().families}
        return {dict(one.labels)["outcome"]: one.value for one in families[name].samples if one.value}


@asynccontextmanager
async def scene(**settings: int) -> AsyncIterator[Scene]:
    async with Fake(World.small()) as fake:
        with fake.redirect():
            client = discord.Client(intents=discord.Intents.none())
            await client.login(fake.world.token)
            one = Scene(fake, DiscordPoster(client), **settings)
            try:
                yield one
            finally:
                await one.pictures.close()
                await client.close()
                await asyncio.sleep(0)


def play(act: Callable[[Scene], Awaitable[None]], **settings: int) -> None:
    async def run() -> None:
        async with scene(**settings) as one:
            await act(one)

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_lapsed_address_is_made_new_and_the_file_fetched() -> None:
    async def act(one: Scene) -> None:
        address = one.attach(b"a cat")
        one.fake.world.clock.advance(3 * 86_400)
        picture = await one.pictures.fetch(1, address)
        assert picture is not None
        assert (picture.name, picture.content) == ("cat.png", b"a cat")
        assert one.fake.cdn.expired == 0
        assert one.fake.requested(REFRESH)[0].body == {"attachment_urls": [address]}
        assert one.counted("bot_pictures") == {"posted": 1}

    play(act)


def test_a_new_address_is_remembered_for_23_hours() -> None:
    async def act(one: Scene) -> None:
        address = one.attach()
        for hours, asked in [(0, 1), (22.9, 1), (23, 2), (24, 2), (46.1, 3)]:
            one.fake.world.clock.advance(hours * 3600 - one.time)
            one.time = hours * 3600
            assert await one.pictures.fetch(1, address) is not None
            assert len(one.fake.requested(REFRESH)) == asked
        assert one.fake.cdn.expired == 0
        assert one.counted("bot_refreshed_urls") == {"hit": 2, "miss": 3}

    play(act)


def test_no_more_addresses_are_remembered_than_the_setting_says() -> None:
    async def act(one: Scene) -> None:
        addresses = [one.attach(name=f"{number}.png") for number in range(20)]
        for address in addresses:
            await one.pictures.fetch(1, address)
        assert len(one.pictures._fresh) == 16
        await one.pictures.fetch(1, addresses[-1])
        assert len(one.fake.requested(REFRESH)) == 20

    play(act, refreshed_urls=16)


def test_a_file_that_is_too_large_is_left_where_it_is() -> None:
    async def act(one: Scene) -> None:
        assert await one.pictures.fetch(1, one.attach(bytes(1025))) is None
        assert await one.pictures.fetch(1, one.attach(bytes(1024))) is not None
        one.fake.cdn.is_endless = True
        assert await one.pictures.fetch(1, one.attach()) is None
        assert one.counted("bot_pictures") == {"posted": 1, "too_large": 2}

    play(act, attachment_bytes=1024)


@pytest.mark.parametrize(
    ("status", "outcome"), [(404, "gone"), (403, "gone"), (500, "failed"), (302, "failed"), (206, "failed")]
)
def test_what_the_cdn_does_not_give_is_counted(status: int, outcome: str) -> None:
    async def act(one: Scene) -> None:
        address = one.attach()
        one.fake.cdn.status = status
        assert await one.pictures.fetch(1, address) is None
        assert one.counted("bot_pictures") == {outcome: 1}
        one.fake.cdn.status = 0
        assert await one.pictures.fetch(1, address) is not None

    play(act)


def test_without_a_new_address_there_is_no_picture() -> None:
    async def act(one: Scene) -> None:
        one.fake.faults.refuse(REFRESH, 403, 50001)
        assert await one.pictures.fetch(1, one.attach()) is None
        assert one.counted("bot_pictures") == {"failed": 1}
        assert one.fake.cdn.asked == []

    play(act)


def test_a_slow_cdn_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "FETCHING_SECONDS", 0.3)

    async def act(one: Scene) -> None:
        for fault in ("is_silent", "delay"):
            address = one.attach(bytes(4096))
            setattr(one.fake.cdn, fault, 5 if fault == "delay" else True)
            assert await one.pictures.fetch(1, address) is None
            setattr(one.fake.cdn, fault, 0)
        assert one.counted("bot_pictures") == {"failed": 2}
        assert await one.pictures.fetch(1, one.attach()) is not None

    play(act)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/attachments/1/2/cat.png",
        "https://example.org/cat.png",
        "https://cdn.discordapp.com.example.org/attachments/1/2/cat.png",
        "https://cdn.discordapp.com@example.org/cat.png",
        "file:///etc/passwd",
        "cat.png",
        "",
        "https://[::1",
    ],
)
def test_nothing_but_discords_servers_is_asked(address: str) -> None:
    async def refresh(addresses: Sequence[str]) -> Mapping[str, str]:
        raise AssertionError(addresses)

    async def run() -> None:
        registry = Registry()
        one = Pictures(refresh, BotSettings(), Measures(registry, BotSettings()), origins=attachment_origins())
        assert await one.fetch(1, address) is None
        assert one._session is None
        assert registry.snapshot().total("bot_pictures") == 1

    asyncio.run(run())


def test_an_address_that_discord_makes_new_somewhere_else_is_not_asked() -> None:
    async def refresh(addresses: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(addresses, "http://169.254.169.254/latest")

    async def run() -> None:
        one = Pictures(refresh, BotSettings(), Measures(Registry(), BotSettings()), origins=attachment_origins())
        assert await one.fetch(1, "https://cdn.discordapp.com/attachments/1/2/cat.png") is None
        assert one._session is None

    asyncio.run(run())


def test_pictures_that_are_held_take_the_places_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "FETCHING_SECONDS", 0.3)

    async def act(one: Scene) -> None:
        address = one.attach()
        held = [await one.pictures.fetch(guild, address) for guild in range(pictures.AT_ONCE)]
        assert None not in held
        assert await one.pictures.fetch(99, address) is None
        assert one.counted("bot_pictures") == {"posted": pictures.AT_ONCE, "busy": 1}
        held.pop()
        gc.collect()
        await asyncio.sleep(0)
        assert await one.pictures.fetch(99, address) is not None

    play(act)


def test_one_guild_fetches_one_at_a_time() -> None:
    async def act(one: Scene) -> None:
        address = one.attach()
        one.fake.cdn.delay = 0.2
        at_once = most = 0
        read = one.pictures._read

        async def counting(address: str) -> bytes:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            try:
                return await read(address)
            finally:
                at_once -= 1

        one.pictures._read = counting  # type: ignore[method-assign]
        for guilds, expected in [((1, 1, 1), 1), ((1, 2, 3), 3)]:
            most = 0
            assert None not in await asyncio.gather(*(one.pictures.fetch(guild, address) for guild in guilds))
            assert most == expected

    play(act)


def test_an_answer_about_addresses_that_cannot_be_read_is_an_error() -> None:
    class Http:
        async def request(self, *_: object, **__: object) -> object:
            return {"refreshed_urls": [{"refreshed": 3}]}

    class Client:
        http = Http()

    async def run() -> None:
        with pytest.raises(PostingError, match="cannot be read"):
            await DiscordPoster(Client()).refreshed(["x"])  # type: ignore[arg-type]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://h/attachments/1/2/cat.png", "cat.png"),
        ("https://h/a/SPOILER_cat.png?ex=1", "SPOILER_cat.png"),
        ("https://h/a/my%20cat%2F..%2Fdog.jpeg", "my_cat_.._dog.jpeg"),
        ("https://h/a/%C3%A9t%C3%A9.gif", "t_.gif"),
        ("https://h/a/.bashrc", "bashrc"),
        ("https://h/a/", "file"),
        ("https://h/a/" + "x" * 300 + ".webm", "x" * 59 + ".webm"),
    ],
)
def test_names_are_their_own_as_far_as_that_is_harmless(address: str, name: str) -> None:
    assert name_of(address) == name


@given(st.text())
def test_any_name_is_harmless(text: str) -> None:
    from urllib.parse import quote

    name = name_of("https://h/a/" + quote(text, safe=""))
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}|[_-][A-Za-z0-9._-]{0,63}", name)
