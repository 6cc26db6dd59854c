"""A plain client, for the fake's own tests: keeps every event that it is told of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import discord

from tests.chat.discord.fake import Fake
from tests.chat.discord.limits import Limits
from tests.chat.discord.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

CONTENT = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True)


class Listening(discord.Client):
    """`seen` has the name of every event of the gateway and what discord.py made of it, in order."""

    def __init__(self, intents: discord.Intents = CONTENT, **options: Any) -> None:
        none = discord.AllowedMentions.none()
        super().__init__(intents=intents, guild_ready_timeout=0.05, allowed_mentions=none, **options)
        self.seen: list[tuple[str, Any]] = []

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        self.seen.append((event, args[0] if args else None))
        super().dispatch(event, *args, **kwargs)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """discord.py would wait 5 s before it identifies again."""

    def of(self, event: str) -> list[Any]:
        """Of one kind."""
        return [what for name, what in self.seen if name == event]

    def texts(self) -> list[str]:
        """Of messages that came, in order."""
        return [message.content for message in self.of("message")]


def with_client(
    world: Callable[[], World] = World.small, *, limits: Callable[[], Limits] = Limits, **options: Any
) -> Callable[[Callable[[Fake, Listening], Coroutine[Any, Any, None]]], Callable[[], None]]:
    """Of a test that takes a started fake and a client that is ready; both are ended afterwards."""

    def wrap(test: Callable[[Fake, Listening], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        async def run() -> None:
            async with Fake(world(), limits=limits()) as fake:
                with fake.redirect():
                    async with fake.connected(Listening(**options)) as client:
                        await test(fake, client)
                assert fake.rest.unknown == []

        def run_all() -> None:
            asyncio.run(run())

        run_all.__name__, run_all.__doc__ = test.__name__, test.__doc__
        return run_all

    return wrap
