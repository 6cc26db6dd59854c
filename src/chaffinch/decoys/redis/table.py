"""The commands of Redis 7.0: names, arity and keys, read once; their documentation, read when asked for."""

from pathlib import Path
from typing import Any

import msgspec

_DATA = Path(__file__).parent


class CommandSpec(msgspec.Struct, frozen=True, gc=False):
    """One command or, as `container|name`, one subcommand. A negative arity is a minimum; the command's words count."""

    name: bytes
    arity: int
    first: int
    last: int
    step: int
    flags: frozenset[str]

    def takes(self, count: int) -> bool:
        """Whether a request of `count` words, the command's own included, fits."""
        return count == self.arity if self.arity > 0 else count >= -self.arity

    def keys(self, args: list[bytes]) -> list[bytes]:
        """The keys that a request names, where their places are fixed."""
        if not self.first:
            return []
        last = self.last if self.last >= 0 else len(args) + self.last
        return args[self.first : last + 1 : self.step]


class Documented(msgspec.Struct, frozen=True):
    """What COMMAND INFO and COMMAND DOCS say of one command, as the trees that become their replies."""

    name: str
    info: list[Any]
    docs: dict[str, Any]


def _load() -> tuple[dict[bytes, CommandSpec], frozenset[bytes]]:
    specs: dict[bytes, CommandSpec] = {}
    sets: dict[str, frozenset[str]] = {}
    for line in _DATA.joinpath("commands.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        name, arity, first, last, step, flags = line.split()
        kept = sets.setdefault(flags, frozenset(flags.split(",")))
        specs[name.encode()] = CommandSpec(name.encode(), int(arity), int(first), int(last), int(step), kept)
    return specs, frozenset(name.partition(b"|")[0] for name in specs if b"|" in name)


SPECS, CONTAINERS = _load()

COUNT = sum(b"|" not in name for name in SPECS)
"""What COMMAND COUNT answers."""


def documented(names: list[bytes] | None = None) -> list[Documented]:
    """The documentation of these commands, or of all, by name. Decoded anew each time: few ask, and it is large."""
    wanted = None if names is None else {name.decode("latin-1").lower() for name in names}
    decoder = msgspec.json.Decoder(Documented)
    lines = _DATA.joinpath("documentation.jsonl").read_bytes().splitlines()
    found = (decoder.decode(line) for line in lines if wanted is None or _named(line) in wanted)
    return list(found)


def _named(line: bytes) -> str:
    return line[9 : line.index(b'"', 9)].decode()


def help_of(container: str) -> list[str]:
    """The lines that a container's HELP answers."""
    lines = _DATA.joinpath("help.txt").read_text().splitlines()
    at = lines.index(container) + 1
    end = next((number for number in range(at, len(lines)) if not lines[number].startswith("\t")), len(lines))
    return [line[1:] for line in lines[at:end]]
