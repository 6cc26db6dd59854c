"""What discord.py keeps and hands on: guilds, channels, threads and roles, and of everything else the JSON.

A message, a member or an interaction of discord.py's costs more than all that is done with it here, so none is made.
Overriding the `parse_` methods is how discord.py itself makes one state of another (`AutoShardedConnectionState`).
"""

from typing import Any

from discord.state import ConnectionState

Json = Any


class State(ConnectionState[Any]):
    """Dispatches `told`, `edited`, `deleted`, `thread_gone`, `channel_gone`, `asked` and `members`, each with Discord's
    JSON.
    """

    def parse_message_create(self, data: Json) -> None:
        """A message."""
        self.dispatch("told", data)

    def parse_message_update(self, data: Json) -> None:
        """A message was edited, or Discord has found something out about it."""
        self.dispatch("edited", data)

    def parse_message_delete(self, data: Json) -> None:
        """One message is gone."""
        self.dispatch("deleted", data, [int(data["id"])])

    def parse_message_delete_bulk(self, data: Json) -> None:
        """Many are gone."""
        self.dispatch("deleted", data, [int(one) for one in data["ids"]])

    def parse_thread_delete(self, data: Json) -> None:
        """A thread is gone, also one that was archived."""
        super().parse_thread_delete(data)
        self.dispatch("thread_gone", data)

    def parse_channel_delete(self, data: Json) -> None:
        """A channel is gone, and its threads with it."""
        super().parse_channel_delete(data)
        self.dispatch("channel_gone", data)

    def parse_interaction_create(self, data: Json) -> None:
        """A slash command, a button or a menu."""
        self.dispatch("asked", data)

    def parse_guild_members_chunk(self, data: Json) -> None:
        """Members that were asked for."""
        self.dispatch("members", data)
