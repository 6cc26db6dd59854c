"""Worlds that tests begin with: always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chat.discord.generated import Generated
from tests.chat.discord.permissions import Permission
from tests.chat.discord.places import Channel, Guild, Kind

if TYPE_CHECKING:
    from tests.chat.discord.people import User
    from tests.chat.discord.world import World

DAY_MS = 24 * 3600 * 1000
BEGAN_MS = 1_735_776_000_000
"""When the first message was written: the second day of 2025."""


def write(channel: Channel, count: int, *, days: float = 100, robot: User, seed: int = 0) -> None:
    """Give a channel `count` generated messages of its guild's people, over `days`."""
    guild = channel.guild
    assert guild is not None
    channel.history.generated = Generated(
        channel,
        count=count,
        first_ms=BEGAN_MS,
        step_ms=max(1, int(days * DAY_MS / max(1, count))),
        authors=[member.user for member in guild.members.values() if not member.user.is_bot],
        robot=robot,
        seed=seed,
    )


def people(world: World, name: str) -> Guild:
    """A guild with an owner, a moderator, one who may talk, two members, another bot."""
    guild = world.add_guild(name, world.add_user("owner"))
    world.add_member(guild, "admin", [world.add_role(guild, "admins", Permission.ADMINISTRATOR)])
    world.add_member(guild, "moderator", [world.add_role(guild, "moderators", Permission.KICK_MEMBERS)])
    world.add_member(guild, "talker", [world.add_role(guild, "talkers")])
    world.add_role(guild, "unlearned")
    world.add_member(guild, "member")
    world.add_member(guild, "other")
    world.add_member(guild, world.add_user("robot", is_bot=True))
    return guild


def small(world: World) -> World:
    """One guild with every kind of channel, threads of every state, and some hundred messages."""
    guild = people(world, "meadow")
    robot = guild.member("robot").user
    place = world.add_channel(guild, "place", Kind.CATEGORY)
    channels = {
        name: world.add_channel(guild, name, kind, parent=place)
        for name, kind in [
            ("general", Kind.TEXT),
            ("talk", Kind.TEXT),
            ("quiet", Kind.TEXT),
            ("news", Kind.NEWS),
            ("voice", Kind.VOICE),
            ("forum", Kind.FORUM),
            ("hidden", Kind.TEXT),
        ]
    }
    assert guild.me is not None
    channels["hidden"].overwrites[guild.me.roles[0].id] = (0, int(Permission.VIEW_CHANNEL))
    for name, kind, parent, archived_days, count in [
        ("plans", Kind.PUBLIC_THREAD, "general", None, 120),
        ("old plans", Kind.PUBLIC_THREAD, "general", 50, 150),
        ("older plans", Kind.PUBLIC_THREAD, "general", 40, 5),
        ("oldest plans", Kind.PUBLIC_THREAD, "general", 30, 3),
        ("whispers", Kind.PRIVATE_THREAD, "general", None, 7),
        ("old whispers", Kind.PRIVATE_THREAD, "general", 20, 4),
        ("question", Kind.PUBLIC_THREAD, "forum", None, 9),
        ("old question", Kind.PUBLIC_THREAD, "forum", 60, 8),
    ]:
        thread = world.add_channel(guild, name, kind, parent=channels[parent], made_ms=BEGAN_MS)
        thread.archived_ms = None if archived_days is None else BEGAN_MS + archived_days * DAY_MS
        write(thread, count, days=10, robot=robot)
    for name, count in [("general", 250), ("talk", 30), ("news", 20), ("voice", 12), ("hidden", 40)]:
        write(channels[name], count, robot=robot)
    return world


def large(world: World, messages: int, channels: int) -> World:
    """One guild with `messages` over `channels` and two threads of each, one archived."""
    guild = people(world, "city")
    for number in range(45):
        world.add_member(guild, f"member{number}")
    robot = guild.member("robot").user
    share = messages // channels
    for number in range(channels):
        channel = world.add_channel(guild, f"channel{number}")
        threads = [world.add_channel(guild, f"thread{number}{end}", Kind.PUBLIC_THREAD, parent=channel) for end in "ab"]
        threads[1].archived_ms = BEGAN_MS + (number + 1) * DAY_MS
        count = share if number else messages - share * (channels - 1)
        for thread in threads:
            write(thread, count // 20, days=10, robot=robot)
        write(channel, count - 2 * (count // 20), days=600, robot=robot)
    return world


def many(world: World, guilds: int) -> World:
    """Many guilds, each with a few channels and messages."""
    for number in range(guilds):
        guild = people(world, f"town{number}")
        for name in ("general", "talk", "news"):
            write(world.add_channel(guild, name), 500, robot=guild.member("robot").user)
    return world
