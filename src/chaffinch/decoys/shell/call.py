"""One call of a command: what it is given, and how it answers."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from chaffinch.decoys.shell.streams import Input, Output
from chaffinch.decoys.view import View, absolute, why
from chaffinch.personas.files import FileError

if TYPE_CHECKING:
    from chaffinch.decoys.shell.shell import Shell


class Call:
    """A command's arguments and streams. `called` is the word it was called by, `name` its last part."""

    __slots__ = ("args", "called", "err", "name", "out", "shell", "stdin")

    def __init__(self, shell: "Shell", name: str, args: list[str], stdin: Input, out: Output, err: Output) -> None:
        self.shell = shell
        self.called = name
        self.name = name.rpartition("/")[2] or name
        self.args = args
        self.stdin = stdin
        self.out = out
        self.err = err

    @property
    def view(self) -> View:
        return self.shell.view

    def path(self, path: str) -> str:
        """A path that an argument names, seen from the working directory."""
        return absolute(path, self.shell.cwd)

    def write(self, data: bytes) -> None:
        """To standard output."""
        self.out.write(data)

    def print(self, text: str = "", end: str = "\n") -> None:
        """A line to standard output."""
        self.out.write(encode(text + end))

    def complain(self, text: str) -> None:
        """A line to standard error."""
        self.err.write(encode(text + "\n"))

    def fail(self, text: str, status: int = 1) -> int:
        """A line to standard error under the command's name; gives `status` back."""
        self.complain(f"{self.name}: {text}")
        return status

    def fail_at(self, path: str, error: FileError, status: int = 1) -> int:
        """`name: path: No such file or directory`."""
        return self.fail(f"{path}: {why(error)}", status)

    def builtin_fault(self, text: str, status: int = 1) -> int:
        """A line to standard error as one of the shell's own commands says it."""
        self.complain(f"{self.shell.speaker()}{self.name}: {text}")
        return status

    async def read(self) -> bytes:
        """All of standard input; at a terminal, lines up to Ctrl-D."""
        if not self.stdin.interactive:
            return self.stdin.rest()
        data = bytearray()
        while len(data) < 64 << 10:
            line = await self.shell.ask(b"", echo=True)
            if line is None:
                break
            data += line + b"\n"
        return bytes(data)

    async def sources(self, paths: list[str]) -> list[tuple[str, bytes]]:
        """The contents of the files named (`-` and none: standard input); complains of each that cannot be read."""
        found: list[tuple[str, bytes]] = []
        for path in paths or ["-"]:
            if path == "-":
                found.append((path, await self.read()))
                continue
            try:
                found.append((path, self.view.read(self.path(path))))
            except FileError as error:
                self.fail_at(path, error)
        return found


Command: TypeAlias = Callable[[Call], Awaitable[int]]
"""Every command: takes its call, gives the exit status."""


def encode(text: str) -> bytes:
    """Text as the peer's bytes: what was not UTF-8 goes back as it came."""
    return text.encode("utf-8", "surrogateescape")


def quoted(text: str) -> str:
    """Text in the quotation marks that GNU's messages have in a UTF-8 locale."""
    return f"\u2018{text}\u2019"


def decode(data: bytes) -> str:
    """The peer's bytes as text; what is not UTF-8 is carried along."""
    return data.decode("utf-8", "surrogateescape")


def options(args: list[str], flags: str, valued: str = "") -> tuple[dict[str, str], list[str], str]:
    """Split arguments as getopt(3) does: options with their values (empty for a flag), the rest, and the first
    option that is not known (`-x`, `--long`) or lacks its value (`-x:`), else an empty string. Long options stand in
    `flags` as given by `_LONG`; unknown ones are reported."""
    found: dict[str, str] = {}
    rest: list[str] = []
    at = 0
    while at < len(args):
        arg = args[at]
        at += 1
        if arg == "--":
            return found, rest + args[at:], ""
        if arg.startswith("--"):
            name, _, value = arg[2:].partition("=")
            found["--" + name] = value
        elif arg.startswith("-") and len(arg) > 1:
            for i, letter in enumerate(arg[1:], 2):
                if letter in valued:
                    if not arg[i:] and at >= len(args):
                        return found, rest, f"-{letter}:"
                    found[letter] = arg[i:] or args[at]
                    at += not arg[i:]
                    break
                if letter not in flags:
                    return found, rest, f"-{letter}"
                found[letter] = ""
        else:
            rest.append(arg)
    return found, rest, ""


def bad_usage(call: Call, unknown: str) -> int:
    """GNU's answer to an option that is not known, or that lacks its value."""
    if unknown.endswith(":"):
        words = f"option requires an argument -- '{unknown[1]}'"
    else:
        words = f"invalid option -- '{unknown[1]}'"
    return call.fail(f"{words}\nTry '{call.name} --help' for more information.")


def missing(call: Call, what: str = "missing operand") -> int:
    """GNU's answer to too few arguments."""
    return call.fail(f"{what}\nTry '{call.name} --help' for more information.")
