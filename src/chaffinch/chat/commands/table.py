"""The table of commands: what Discord is told, what a prefix is parsed by, `/help` and the docs page derive from it."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from chaffinch.config import BotSettings
from chaffinch.errors import InputError

if TYPE_CHECKING:
    from chaffinch.chat.bot import Bot
    from chaffinch.chat.calls.call import Call

Kind: TypeAlias = Literal["text", "whole", "number", "switch", "channel", "user", "role", "attachment"]
"""What an option takes. A call has text as str, whole numbers, channels, users and roles (their ids) as int, numbers as
float, a switch as bool, an attachment as `seen.Attached`."""

Who: TypeAlias = Literal["anyone", "moderator", "speaker"]
"""Who may give a command; `moderators` has the rules. A speaker has one of the roles of `bot.user_roles`."""

Run: TypeAlias = "Callable[[Call, Bot], Awaitable[None]]"
"""Carries a command out. Raises `ChaffinchError` for what the caller is to be told; anything else is a fault."""

Press: TypeAlias = "Callable[[Call, Bot, str], Awaitable[None]]"
"""Carries out what a button or menu is for, given what its id says after the name (`train/stop:17` gives `17`)."""

MODULES: Final = ("mark", "listen", "settings", "train", "privacy", "help")
"""Of this package: those that have commands, in the order of `/help`."""

MOST_OPTIONS: Final = 25
"""Options of one command, subcommands of another, choices of a menu: what Discord takes."""


class Option(msgspec.Struct, frozen=True):
    """One option of a command. `about` has at most 100 characters."""

    name: str
    kind: Kind
    about: str
    is_required: bool = False
    least: float | None = None
    """Of a number the least value, of text the least length; None: no bound."""
    most: float | None = None
    choices: tuple[str, ...] = ()
    """Of text: nothing else is taken."""


class Command(msgspec.Struct, frozen=True):
    """One command, or one with subcommands, which itself is not run."""

    name: str
    about: str
    """A sentence of at most 100 characters."""
    run: "Run | None" = None
    who: Who = "anyone"
    options: tuple[Option, ...] = ()
    commands: "tuple[Command, ...]" = ()


class Component(msgspec.Struct, frozen=True):
    """What happens when a button or menu of the bot's is used whose id is `name`, or begins with `name:`."""

    name: str
    run: Press
    who: Who = "anyone"


class Leaf(msgspec.Struct, frozen=True):
    """A command that can be given, with its whole name, such as `listen add`."""

    path: str
    command: Command

    @property
    def run(self) -> Run:
        """What carries it out."""
        assert self.command.run is not None
        return self.command.run


class Table:
    """All commands and components. `talk` is the name of the one that a bare prefix means."""

    def __init__(self, commands: Sequence[Command], components: Sequence[Component] = (), *, talk: str = "") -> None:
        self.commands = tuple(commands)
        self.leaves = {leaf.path: leaf for command in commands for leaf in _leaves(command, "")}
        self.components = {component.name: component for component in components}
        self.talk = talk
        for kind, names, all_of_them in (
            ("command", self.leaves, [leaf.path for command in commands for leaf in _leaves(command, "")]),
            ("component", self.components, [component.name for component in components]),
        ):
            if len(names) != len(all_of_them):
                twice = sorted({name for name in all_of_them if all_of_them.count(name) > 1})
                raise ValueError(f"there are two {kind}s of the name {', '.join(twice)}")

    def component(self, id: str) -> tuple[Component, str] | None:  # noqa: A002 - as Discord has it
        """What the id of a button or menu means, and what it says after the name; None: it is none of ours."""
        name, _, rest = id.partition(":")
        found = self.components.get(name)
        return None if found is None else (found, rest)


def table(settings: BotSettings) -> Table:
    """The bot's table: what each module of `MODULES` has. The command that talks has the name of `bot.command`.

    Raises `InputError` if that is another command's.
    """
    commands: list[Command] = []
    components: list[Component] = []
    for name in MODULES:
        module = import_module(f"chaffinch.chat.commands.{name}")
        commands += module.COMMANDS
        components += getattr(module, "COMPONENTS", ())
    if any(command.name == settings.command for command in commands[1:]):
        raise InputError(f"bot.command cannot be {settings.command}: another command has that name, so choose one")
    commands[0] = msgspec.structs.replace(commands[0], name=settings.command)
    return Table(commands, components, talk=settings.command)


def _leaves(command: Command, before: str) -> Iterator[Leaf]:
    path = f"{before} {command.name}".strip()
    if not command.commands:
        yield Leaf(path, command)
    for one in command.commands:
        yield from _leaves(one, path)
