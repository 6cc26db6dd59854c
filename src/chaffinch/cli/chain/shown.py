"""What commands print: text of messages without a control character, whoever wrote the message, and JSON.

What a command prints with `--json` is a struct that `prints` declares, so that `docs/commands.md` lists its fields.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec

from chaffinch.cli import options

Command = TypeVar("Command", bound=Callable[..., Any])

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

PRINTED = "printed"
"""The attribute of a command's function that has its `Printed`."""

_encode = msgspec.json.Encoder().encode


class Printed(NamedTuple):
    """The JSON of a command."""

    struct: type[msgspec.Struct]
    shape: str
    """What of it is printed: one object, an array, one object a line."""


def prints(struct: type[msgspec.Struct], shape: str = "one object") -> Callable[[Command], Command]:
    """Gives a command `--json`, and says what that prints."""

    def declared(command: Command) -> Command:
        setattr(command, PRINTED, Printed(struct, shape))
        return options.as_json(command)

    return declared


def line(text: str) -> str:
    """The text on one line, with what would drive a terminal or turn the text around it escaped.

    A chain learns no such character, but an archive may bring one, and names are kept as they came.
    """
    return _CONTROLS.sub(_escaped, text) if _CONTROLS.search(text) else text


def counted(count: int, thing: str, things: str = "") -> str:
    """A number of things: `1 message`, `2,000 messages`."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def as_json(value: object) -> str:
    """The value as one line of JSON, with the same characters escaped as JSON does it."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", _encode(value).decode())


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
