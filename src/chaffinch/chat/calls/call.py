"""A command that somebody gave, whichever way: as a slash command, by prefix, or by a button or menu of the bot's."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from chaffinch.chat.seen import Attached, Member

Value: TypeAlias = str | int | float | bool | Attached
"""Of an option: text, a number, a switch, an attachment; of channels, users and roles the id."""


class Field(msgspec.Struct, frozen=True):
    """One line of an embed."""

    name: str
    value: str
    inline: bool = False


class Embed(msgspec.Struct, frozen=True):
    """A framed message."""

    title: str = ""
    text: str = ""
    fields: tuple[Field, ...] = ()


class Choice(msgspec.Struct, frozen=True):
    """One line of a menu."""

    label: str
    value: str
    chosen: bool = False


class Menu(msgspec.Struct, frozen=True):
    """A menu of at most 25 choices, any number of which may be taken; `id` says what it is for."""

    id: str
    hint: str
    choices: tuple[Choice, ...]


class Button(msgspec.Struct, frozen=True):
    """`id` says what it does."""

    id: str
    label: str
    is_danger: bool = False
    is_off: bool = False


class File(msgspec.Struct, frozen=True):
    """Something to post."""

    name: str
    content: bytes


class Reply(msgspec.Struct, frozen=True):
    """What is said to somebody. It never pings anyone."""

    text: str = ""
    embed: Embed | None = None
    files: tuple[File, ...] = ()
    is_spoken: bool = False
    """Discord reads it aloud (tts)."""
    menu: Menu | None = None
    buttons: tuple[Button, ...] = ()


class Posted(msgspec.Struct, frozen=True):
    """Where an answer stands: by this it can be edited for as long as it is there, with the bot's own token."""

    channel: int
    message: int


class Call(Protocol):
    """One command given. Options have the names of the command table; those that were not given are not there."""

    guild: int
    channel: int
    """Where it was given: a channel or a thread."""
    parent: int
    """The channel that counts for."""
    member: Member
    options: Mapping[str, Value]
    chosen: Sequence[str]
    """For a menu: the values that were taken."""
    shown: Sequence[str]
    """For a menu: the values that it had."""
    hides: bool
    """Whether what is `hidden` is seen by the caller alone: not by prefix, where all of the channel see it."""

    async def think(self, *, hidden: bool = False) -> None:
        """Tell Discord, within three seconds of the command, that an answer follows; `hidden`: to the caller alone."""
        ...

    async def answer(self, reply: Reply, *, hidden: bool = False) -> Posted | None:
        """Answer; after `think` in its place. What is `hidden` only the caller sees; by prefix it is a reply.

        Where the answer stands, unless nobody but Discord can edit it.
        """
        ...

    async def refuse(self, why: str) -> None:
        """Say, to the caller alone where that can be, why nothing is done; what `think` had shown goes."""
        ...

    async def update(self, reply: Reply) -> None:
        """For a menu or button: put this in the place of the message that it stood in."""
        ...
