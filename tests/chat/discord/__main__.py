"""A Discord as a process of its own: prints one line of JSON with its address and token, then serves until it is ended.

A bench acts as people by `/_world` (see `control`); the bot's process points discord.py here by `redirecting.point_at`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from tests.chat.discord import growing
from tests.chat.discord.fake import Fake
from tests.chat.discord.limits import Limits
from tests.chat.discord.world import World


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chat.discord", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0: any")
    parser.add_argument("--small", action="store_true", help="the guild `meadow` with every kind of channel")
    parser.add_argument("--messages", type=int, default=0, help="of the guild `city`; 0: there is none")
    parser.add_argument("--channels", type=int, default=8, help="of that guild")
    parser.add_argument("--guilds", type=int, default=0, help="more guilds, `town0` and on")
    parser.add_argument("--limits", action="store_true", help="rate limits as Discord's")
    parser.add_argument("--token", default="a.bot.token", help="that the bot has to have")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    world = World(token=arguments.token)
    if arguments.small:
        growing.small(world)
    if arguments.messages:
        growing.large(world, arguments.messages, arguments.channels)
    growing.many(world, arguments.guilds)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    fake = Fake(world, limits=Limits.real() if arguments.limits else None)
    await fake.start(arguments.port)
    ready = {"url": fake.url, "port": int(fake.url.rpartition(":")[2]), "token": world.token}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await ended.wait()
    await fake.stop()


if __name__ == "__main__":
    asyncio.run(_serve(_arguments()))
