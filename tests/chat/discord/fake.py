"""The whole of it, on the running loop."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Self, TypeVar

from aiohttp import web

from tests.chat.discord.acting import Acting
from tests.chat.discord.cdn import Cdn
from tests.chat.discord.commands import Commands
from tests.chat.discord.control import Control
from tests.chat.discord.faults import Faults
from tests.chat.discord.gateway import Gateway
from tests.chat.discord.limits import Limits
from tests.chat.discord.redirecting import redirected
from tests.chat.discord.refusals import UNKNOWN_CHANNEL, UNKNOWN_GUILD, missing_access, unknown
from tests.chat.discord.rest import Rest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractContextManager

    import discord

    Client = TypeVar("Client", bound=discord.Client)

    from tests.chat.discord.interactions import Asked
    from tests.chat.discord.messages import Message
    from tests.chat.discord.places import Channel, Guild
    from tests.chat.discord.received import Received
    from tests.chat.discord.world import World

WAIT_SECONDS = 10.0
"""How long tests wait for what should come at once: machines are busy."""


class Fake(Acting):
    """See the package's example. `faults`, `limits`, `gateway` and `cdn` may be changed at any time."""

    def __init__(self, world: World, *, limits: Limits | None = None) -> None:
        self.world = world
        self.limits = limits or Limits()
        self.faults = Faults()
        self.commands = Commands()
        self.interactions: dict[str, Asked] = {}
        self.gateway = Gateway(world)
        self.cdn = Cdn(world)
        self.rest = Rest(self)
        self.url = ""
        """Of everything: `http://127.0.0.1:port`."""
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        application = web.Application(client_max_size=64 << 20)
        application.router.add_get("/", self.gateway.handle)
        self.rest.add_to(application)
        self.cdn.add_to(application)
        Control(self).add_to(application)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = self.world.cdn = f"http://{host}:{port}"
        self.gateway.url = f"ws://{host}:{port}/"

    async def stop(self) -> None:
        """Every connection ends."""
        self.gateway.drop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def redirect(self) -> AbstractContextManager[None]:
        """Point discord.py here instead of at Discord, until the block ends."""
        return redirected(self.url)

    @asynccontextmanager
    async def connected(self, client: Client, seconds: float = WAIT_SECONDS) -> AsyncIterator[Client]:
        """Log a client in and wait until it is ready; what ends it early is raised.

        discord.py calls itself ready some time after the last guild came: give the client `guild_ready_timeout=0.05`.
        """
        running = asyncio.create_task(client.start(self.world.token), name="discord client")
        try:
            await self.wait_for(lambda: client.is_ready() or running.done(), seconds)
            if running.done():
                running.result()
            yield client
        finally:
            await client.close()
            with suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(running, 2.0)
            await asyncio.sleep(0)

    async def wait_for(self, predicate: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
        """Wait until it is true; `TimeoutError` if it does not become so."""
        ends = time.monotonic() + seconds
        while not predicate():
            if time.monotonic() > ends:
                raise TimeoutError(f"not within {seconds} s; last requests: {[one.path for one in self.requests[-5:]]}")
            await asyncio.sleep(0.005)

    # What tests look at.

    @property
    def requests(self) -> list[Received]:
        """REST requests so far, oldest first; the last ones, if there were very many."""
        return list(self.rest.requests)

    def requested(self, route: str) -> list[Received]:
        """Requests of one route: `GET /channels/{channel_id}/messages`."""
        return [one for one in self.rest.requests if one.route == route]

    def posted(self, channel: Channel) -> list[Message]:
        """What the bot said in a channel that everybody sees, oldest first."""
        return [one for one in channel.history.kept() if one.author is self.world.bot and not one.is_loading]

    def answers(self, asked: Asked) -> Sequence[Message]:
        """What the bot answered to an interaction and did not delete, hidden ones too."""
        return tuple(asked.answers)

    # What routes look up.

    def guild_of(self, received: Received) -> Guild:
        """The guild of a request, in which the bot has to be."""
        guild = self.world.guilds.get(received.number("guild_id"))
        if guild is None:
            raise unknown(UNKNOWN_GUILD, "Guild")
        if guild.me is None:
            raise missing_access()
        return guild

    def channel_of(self, received: Received) -> Channel:
        channel = self.world.channels.get(received.number("channel_id"))
        if channel is None:
            raise unknown(UNKNOWN_CHANNEL, "Channel")
        if channel.guild is not None and channel.guild.me is None:
            raise missing_access()
        return channel
