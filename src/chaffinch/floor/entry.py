"""What is measured: modules, a command of ours, a worker of ours, or a piece of code; each as code for the probe."""

import re
from collections.abc import Sequence

import msgspec

from chaffinch.errors import InputError

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


class Entry(msgspec.Struct, frozen=True):
    """An entry point: how it is called, the code that brings it in, the packages whose imports can be deferred."""

    title: str
    code: str
    own: tuple[str, ...] = ()


def of_modules(names: Sequence[str]) -> Entry:
    """Modules, imported in that order."""
    for name in names:
        if not _MODULE.fullmatch(name):
            raise InputError(f"{name!r} is no module's name; name one such as json.decoder, or use --code")
    tops = tuple(dict.fromkeys(name.partition(".")[0] for name in names))
    return Entry(", ".join(names), "\n".join(f"import {name}" for name in names), tops)


def of_code(code: str) -> Entry:
    """Python code."""
    try:
        compile(code, "<entry>", "exec")
    except (SyntaxError, ValueError) as error:
        raise InputError(f"--code is no Python: {error}") from None
    first = code.strip().partition("\n")[0]
    return Entry(first if len(first) <= 60 else first[:57] + "...", code)


def of_command(words: str) -> Entry:
    """A command of `chaffinch`, as far as `chaffinch COMMAND` comes before it does anything."""
    from chaffinch.cli import LazyGroup, cli

    names = words.split()
    here: object = cli
    for name in names:
        known = tuple(here.commands_of) if isinstance(here, LazyGroup) else ()
        if name not in known:
            there = f"there are: {', '.join(known)}" if known else "it has no commands below it"
            raise InputError(f"chaffinch has no command {words!r}: {name!r} is unknown; {there}")
        assert isinstance(here, LazyGroup)
        here = here.load(name)
    if not names:
        raise InputError("--command names no command; give one such as 'status' or 'chain train'")
    code = "from chaffinch.cli import cli as command\n"
    code += "".join(f"command = command.get_command(None, {name!r})\n" for name in names)
    return Entry(f"chaffinch {' '.join(names)}", code, ("chaffinch",))


def of_worker(name: str) -> Entry:
    """A worker of the fleet, and for a decoy its service, as a process has them that serves nothing yet."""
    from chaffinch.decoys.registry import BUILT_IN
    from chaffinch.decoys.worker import PREFIX
    from chaffinch.fleet.workers import table

    rows = {row.name: row for row in table(BUILT_IN)}
    if name not in rows:
        raise InputError(f"the fleet has no worker {name!r}; there are: {', '.join(rows)}")
    code = f"import {rows[name].module}\n"
    service = name.removeprefix(PREFIX)
    if service in BUILT_IN and service != name:
        code += f"from chaffinch.decoys import registry\nregistry.load({service!r})\n"
    return Entry(f"worker {name}", code, ("chaffinch",))
