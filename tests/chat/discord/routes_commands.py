"""The bot's commands: for everybody, or for one guild."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chat.discord.refusals import UNKNOWN_COMMAND, Refused, missing_access, unknown

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake
    from tests.chat.discord.received import Received


def _guild(fake: Fake, received: Received) -> int:
    """0 for everybody."""
    if received.number("application_id") != fake.world.bot.id:
        raise Refused(403, 20012, "You are not authorized to perform this action on this application")
    if "guild_id" not in received.parameters:
        return 0
    guild = fake.world.guilds.get(received.number("guild_id"))
    if guild is None or guild.me is None:
        raise missing_access()
    return guild.id


async def commands(fake: Fake, received: Received) -> Any:
    return fake.commands.by_guild.get(_guild(fake, received), [])


async def deploy(fake: Fake, received: Received) -> Any:
    return fake.commands.deploy(fake, _guild(fake, received), received.body)


async def add(fake: Fake, received: Received) -> Any:
    guild = _guild(fake, received)
    others = [one for one in fake.commands.by_guild.get(guild, []) if one["name"] != received.body["name"]]
    return fake.commands.deploy(fake, guild, [*others, received.body])[-1]


async def remove(fake: Fake, received: Received) -> Any:
    guild = _guild(fake, received)
    found = fake.commands.by_guild.get(guild, [])
    left = [one for one in found if one["id"] != received.parameters["command_id"]]
    if len(left) == len(found):
        raise unknown(UNKNOWN_COMMAND, "application command")
    fake.commands.by_guild[guild] = left


_ALL = "/applications/{application_id}/commands"
_GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"
ROUTES = {
    f"{method} {base}{end}": handler
    for base in (_ALL, _GUILD)
    for method, end, handler in (
        ("GET", "", commands),
        ("PUT", "", deploy),
        ("POST", "", add),
        ("DELETE", "/{command_id}", remove),
    )
}
