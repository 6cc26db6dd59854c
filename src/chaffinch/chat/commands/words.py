"""Commands by prefix: what the words of a message mean, by the table. Pure.

A message is a command if it begins with the prefix as a word of its own and either ends there (the bot is to talk) or
goes on with the name of a command, or with an option of the one that talks; anything else is a message as all others.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from chaffinch.chat.calls.call import Value
from chaffinch.chat.commands.table import Command, Leaf, Option, Table
from chaffinch.chat.seen import Attached

_PIECE: Final = re.compile(r'[“”„"]([^“”„"]*)(?:[“”„"]|$)|([^\s“”„"]+)')
"""What is quoted, or what has neither quotes nor spaces. Telephones write the curved ones."""

_MENTIONS: Final = {
    "channel": re.compile(r"<#(\d{1,20})>|(\d{15,20})"),
    "user": re.compile(r"<@!?(\d{1,20})>|(\d{15,20})"),
    "role": re.compile(r"<@&(\d{1,20})>|(\d{15,20})"),
}
_NUMBER: Final = re.compile(r"([-+]?\d{1,15}(?:\.\d{1,15})?)%?", re.ASCII)
_SWITCH: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_POSITIONAL: Final = frozenset(("channel", "user", "role", "whole", "number"))
"""Kinds whose values need no name before them: a text could be anything, so it does."""


class Parsed(msgspec.Struct, frozen=True):
    """A command in words; with `why`, one that cannot be carried out, and the sentence that says so."""

    path: str
    leaf: Leaf | None = None
    options: Mapping[str, Value] = {}
    why: str = ""


class _UnfitError(Exception):
    """A word is no value of an option; the text says what one is, as `... takes THIS`."""


def is_command(text: str, prefix: str, table: Table) -> bool:
    """Whether a message is a command, also one that is wrong."""
    rest = _after(text, prefix)
    return rest is not None and _begins(split(rest), table)


def parse(text: str, prefix: str, table: Table, attached: Sequence[Attached] = ()) -> Parsed | None:
    """The command that a message is, with the files that came with it; None: it is none."""
    rest = _after(text, prefix)
    if rest is None:
        return None
    words = split(rest)
    if not _begins(words, table):
        return None
    path, known = "", table.commands
    while words and (command := _named(words[0], known)) is not None:
        path, known, words = f"{path} {command.name}".strip(), command.commands, words[1:]
        if not known:
            break
    if path and path not in table.leaves:
        names = ", ".join(f"`{one.name}`" for one in known)
        return Parsed(path, why=f"`{prefix} {path}` is followed by one of {names}.")
    leaf = table.leaves[path or table.talk]
    try:
        return Parsed(leaf.path, leaf, _options(leaf, words, attached))
    except _UnfitError as error:
        return Parsed(leaf.path, leaf, why=f"{error} `{prefix} help` shows what there is.")


def split(text: str) -> list[str]:
    """The words of a text, without quotes; what is quoted is one word, also with `name:` before it."""
    words: list[str] = []
    end = -1
    for piece in _PIECE.finditer(text):
        word = piece[1] if piece[1] is not None else piece[2]
        if piece.start() == end:
            words[-1] += word
        else:
            words.append(word)
        end = piece.end()
    return words


def value_of(option: Option, word: str) -> Value | None:
    """What a word means as the value of an option; None: it is none. Bounds and choices are looked at."""
    match option.kind:
        case "text":
            fits = word in option.choices if option.choices else _within(len(word), option)
            return word if fits else None
        case "whole" | "number":
            number = _NUMBER.fullmatch(word)
            if number is None or not _within(float(number[1]), option):
                return None
            return float(number[1]) if option.kind == "number" else _whole(number[1])
        case "switch":
            return _SWITCH.get(word.lower())
        case "channel" | "user" | "role":
            mention = _MENTIONS[option.kind].fullmatch(word)
            return None if mention is None else int(mention[1] or mention[2])
        case "attachment":
            return None


def _after(text: str, prefix: str) -> str | None:
    """What follows the prefix, in whatever case; None where it is not there, or goes on as another word."""
    begin, rest = text[: len(prefix)], text[len(prefix) :]
    if begin.casefold() != prefix.casefold() or (rest and not rest[0].isspace()):
        return None
    return rest


def _begins(words: Sequence[str], table: Table) -> bool:
    if not words or _named(words[0], table.commands) is not None:
        return True
    options = table.leaves[table.talk].command.options
    name, colon, _ = words[0].lower().partition(":")
    return any(one.name == name and (colon or one.kind == "switch") for one in options)


def _named(word: str, commands: Sequence[Command]) -> Command | None:
    return next((one for one in commands if one.name == word.lower()), None)


def _options(leaf: Leaf, words: Sequence[str], attached: Sequence[Attached]) -> dict[str, Value]:
    options: dict[str, Value] = {}
    for word in words:
        option, value = _meant(leaf, word, options)
        if option.name in options:
            raise _UnfitError(f"`{option.name}` stands there twice.")
        options[option.name] = value
    files = [one for one in leaf.command.options if one.kind == "attachment"]
    if files and len(attached) > len(files):
        raise _UnfitError(f"`{leaf.path}` takes {len(files)} file at most.")
    options |= {option.name: file for option, file in zip(files, attached, strict=False)}
    for option in leaf.command.options:
        if option.is_required and option.name not in options:
            raise _UnfitError(f"`{leaf.path}` needs `{option.name}`, {taken(option)}.")
    return options


def _meant(leaf: Leaf, word: str, given: Mapping[str, Value]) -> tuple[Option, Value]:
    """The option that a word is for, and its value there."""
    name, colon, rest = word.partition(":")
    for option in leaf.command.options:
        if option.name == name.lower() and (colon or option.kind == "switch"):
            value = value_of(option, rest) if colon else True
            if value is None:
                raise _UnfitError(f"`{option.name}` takes {taken(option)}.")
            return option, value
    for option in leaf.command.options:
        if option.kind in _POSITIONAL and option.name not in given:
            value = value_of(option, word)
            if value is not None:
                return option, value
    shown = word.replace("`", "'")[:50]
    raise _UnfitError(f"`{leaf.path}` takes no `{shown}`.")


def taken(option: Option) -> str:
    """What an option takes, in words."""
    if option.choices:
        return "one of " + ", ".join(f"`{one}`" for one in option.choices)
    match option.kind:
        case "text":
            return f"{_bounds(option, ' characters')} of text".strip() if _bounds(option) else "text"
        case "whole":
            return f"a whole number {_bounds(option)}".strip()
        case "number":
            return f"a number {_bounds(option)}".strip()
        case "switch":
            return "`true` or `false`"
        case "attachment":
            return "a file"
        case kind:
            return f"a {kind}"


def _bounds(option: Option, unit: str = "") -> str:
    if option.least is None and option.most is None:
        return ""
    if option.most is None:
        return f"of at least {option.least:g}{unit}"
    if option.least is None:
        return f"of at most {option.most:g}{unit}"
    return f"from {option.least:g} to {option.most:g}{unit}"


def _within(value: float, option: Option) -> bool:
    return (option.least is None or value >= option.least) and (option.most is None or value <= option.most)


def _whole(number: str) -> int | None:
    return int(number) if number.lstrip("+-").isdigit() else None
