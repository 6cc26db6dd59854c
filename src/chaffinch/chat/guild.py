"""What a guild's moderators chose, and what its members did."""

from typing import Annotated

import msgspec
from msgspec import Meta

MOST_CHARACTERS = 2000
"""The longest message that Discord takes from a bot."""


class GuildSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A guild's settings: options of `/settings`, with the same names."""

    image_chance: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """How often an attachment goes with what is said, if a source message has one."""
    cooldown_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    """After an answer that nobody asked for by name, none follows in the same channel for that long."""
    quiet_from: str = ""
    """From this time of day (`HH:MM`) until `quiet_until` only commands are answered; empty: no quiet hours."""
    quiet_until: str = ""
    timezone: str = ""
    """The zone of the two; empty: `bot.timezone`."""
    max_length: Annotated[int, Meta(ge=1, le=MOST_CHARACTERS)] = MOST_CHARACTERS
    """Characters of what is said."""
    retention_days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    """Messages that are older are forgotten, each day; 0: they stay."""
    opt_out_role: int = 0
    """Who has this role is not learned from; 0: none is."""
    backward: bool = False
    """Whether the chain that the next clean training makes can be asked for words anywhere (`contains`)."""


class Channel(msgspec.Struct, frozen=True):
    """What a channel of a guild is used for; its threads count as it."""

    id: int
    listens: bool = False
    """It is learned from."""
    responds: bool = False
    """People's messages there are answered."""
    chance: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """How often they are."""
    images: Annotated[float, Meta(ge=0, le=1)] | None = None
    """How often an attachment goes with what is said there; None: as `image_chance` of the guild says."""
