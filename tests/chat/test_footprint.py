"""What the bot's process holds while nothing happens, in fifty guilds of some size."""

import asyncio
from pathlib import Path

from chaffinch.metrics.memory import read
from tests.chat.discord import growing
from tests.chat.discord.fake import Fake
from tests.chat.discord.places import Kind
from tests.chat.discord.world import World
from tests.chat.running import Discord, bot
from tests.chat.test_token import TEXT

GUILDS, CATEGORIES, CHANNELS, ROLES = 50, 6, 9, 25
MOST_BYTES = 64_000_000
"""What the README states."""


def sizable() -> World:
    """Guilds with 60 channels and 30 roles each, three of which every channel has rules for."""
    world = World(token=TEXT)
    for number in range(GUILDS):
        guild = growing.people(world, f"town{number}")
        roles = [world.add_role(guild, f"role number {role}") for role in range(ROLES)]
        for place in range(CATEGORIES):
            category = world.add_channel(guild, f"category {place}", Kind.CATEGORY)
            for at in range(CHANNELS):
                channel = world.add_channel(guild, f"channel-{place}-{at}", parent=category)
                channel.overwrites.update({role.id: (1 << 10, 1 << 11) for role in roles[:3]})
    return world


def test_fifty_guilds_idle(tmp_path: Path) -> None:
    cleared = "GET /applications/{application_id}/guilds/{guild_id}/commands"

    async def test() -> None:
        async with Fake(sizable()) as fake:
            with bot(Discord(fake.url), tmp_path / "state") as one:
                await fake.wait_for(lambda: len(fake.requested(cleared)) == GUILDS, 60)
                await asyncio.sleep(2)
                held = read(one.process.pid).rss_bytes
                await asyncio.to_thread(one.end)
                assert held <= MOST_BYTES, f"{held / 1e6:.1f} MB"

    asyncio.run(test())
