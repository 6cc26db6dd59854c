"""What each entry point may add to a fresh interpreter, in bytes, and what must not come with it. A data table.

`test_floor.py` holds every entry to it; docs/floors.md shows it. A fresh interpreter itself takes 8 to 9 MB.
"""

from typing import NamedTuple

# `ssl` is not among them: asyncio itself imports it.
HEAVY = ("asyncssh", "cryptography", "ctypes", "email", "http", "unittest", "importlib.metadata", "numpy", "pyroute2")


class Floor(NamedTuple):
    """One entry point: the code that brings it in, how much memory it may add, what must not come with it."""

    name: str
    code: str
    grows_by: float
    forbidden: tuple[str, ...]


MB = 1_000_000

QUICK = (*HEAVY, "asyncio", "apsw", "yaml", "h11", "ssl", "tomllib", "chaffinch._core")
"""Not for what only asks, draws or writes a file."""

CHAIN = (*HEAVY, "asyncio", "apsw", "yaml", "h11", "ssl", "logging", "socket")
LOAD = (*HEAVY, "asyncio", "apsw", "yaml", "h11", "ssl", "socket")

BOT = (*QUICK, "discord", "aiohttp", "json5", "keyring")

COMMANDS = {
    "up": (24, HEAVY),
    "status": (9, QUICK),
    "stop": (9, QUICK),
    "start": (9, QUICK),
    "restart": (9, QUICK),
    "reload": (9, QUICK),
    "logs": (8, QUICK),
    "init": (9, QUICK),
    "floor": (11, QUICK),
    "hosts": (23, HEAVY),
    "sessions": (19, HEAVY),
    "events": (19, HEAVY),
    "doctor": (24, HEAVY),
    "chain train": (16, CHAIN),
    **dict.fromkeys(
        ("chain generate", "chain stats", "chain list", "chain forget", "chain merge", "chain verify", "chain export",
         "chain import", "chain remove", "chain serve"), (11.5, CHAIN)),
    "bot discord": (11, BOT),
    "bot import": (11, BOT),
    "load run": (14, LOAD),
    "load plan": (13.5, LOAD),
    "load compare": (9.5, (*LOAD, "logging", "chaffinch._core")),
    "load import": (9, (*LOAD, "logging", "chaffinch._core")),
    "load serve": (9.5, (*LOAD, "logging", "chaffinch._core")),
}  # fmt: skip
"""Each command, as far as it is there before it does anything: MB, and what must not be there."""

GROUP = (*HEAVY, "click", "yaml", "h11", "tomllib", "discord", "aiohttp")

WORKERS = {
    **dict.fromkeys(("decoy-ftp", "decoy-http", "decoy-memcached", "decoy-mysql", "decoy-smtp", "decoy-ssh",
                     "decoy-telnet"), 22.5),
    "decoy-redis": 23,
    "retention": 22,
    "sessions": 22,
    "metrics": 22,
    "capture": 22.5,
    "bot": 22.5,
}  # fmt: skip
"""Each worker alone in a process that was not forked, with what a group needs: MB. `GROUP` must not be there."""

GROUPS = {"decoys": 24.5, "back": 22.5, "out": 22.5, "fleet": 25}
"""Each group of `default`, and that of `one`: MB."""

IMPORTS = (
    Floor("chaffinch", "import chaffinch", 1 * MB, (*HEAVY, "asyncio", "msgspec", "apsw", "click", "tomllib")),
    Floor("the core", "import chaffinch._core", 3 * MB, (*HEAVY, "asyncio", "msgspec", "apsw", "click")),
    Floor("command line", "import chaffinch.cli", 7 * MB, (*HEAVY, "asyncio", "msgspec", "apsw")),
    Floor("configuration", "import chaffinch.config; chaffinch.config.load(None, None, {})", 9 * MB, (*HEAVY, "asyncio", "apsw", "tomllib")),
    Floor("events", "import chaffinch.events", 9 * MB, (*HEAVY, "asyncio", "apsw")),
    Floor("journal", "import chaffinch.journal.sqlite", 18 * MB, (*HEAVY, "click")),
    Floor("store", "import chaffinch.store.sqlite", 18 * MB, (*HEAVY, "click")),
    Floor("personas", "import chaffinch.personas.build, chaffinch.personas.archetypes as a; a.archetypes()", 12 * MB, (*HEAVY, "asyncio", "apsw", "click")),
    Floor("chains", "import chaffinch.chain", 1 * MB, (*HEAVY, "asyncio", "msgspec", "apsw", "click", "chaffinch._core")),
    Floor("a chain", "import chaffinch.chain.engine", 9 * MB, (*HEAVY, "asyncio", "apsw", "click", "logging")),
    Floor("many chains", "import chaffinch.chain.tenants", 21 * MB, (*HEAVY, "apsw", "click", "tomllib")),
    Floor("chain API", "import chaffinch.chain.http.serve", 25 * MB, (*(name for name in HEAVY if name not in ("http", "email")), "apsw", "click")),
    Floor("a session", "import chaffinch.decoys.session", 18 * MB, (*HEAVY, "apsw", "click")),
    *(
        Floor(f"decoy {name}", f"from chaffinch.decoys import registry; registry.load({name!r})", 20 * MB, (*HEAVY, "apsw", "click"))
        for name in ("ftp", "http", "memcached", "mysql", "redis", "smtp", "ssh", "telnet")
    ),
    Floor("supervisor", "import chaffinch.fleet.supervisor, chaffinch.fleet.assemble", 24 * MB, (*HEAVY, "click", "chaffinch.capture")),
    Floor("network namespace", "import chaffinch.network.netns.namespace", 16 * MB, (*HEAVY, "asyncio", "apsw", "click")),
    Floor("capture's socket", "import chaffinch.capture.tap", 15 * MB, (*HEAVY, "asyncio", "apsw", "click")),
    Floor("capture", "import chaffinch.capture.worker", 18 * MB, (*HEAVY, "apsw", "click")),
    Floor("bot", "import chaffinch.chat.run", 47 * MB, ("asyncssh", "click", "json5", "keyring", "numpy", "pyroute2", "yaml")),
    Floor("load API", "from chaffinch.load import Runner, plan_for_url", 14 * MB, (*HEAVY, "asyncio", "apsw", "click", "yaml", "ssl", "socket")),
    Floor("load", "import chaffinch.load", 1 * MB, (*HEAVY, "asyncio", "apsw", "click", "msgspec", "yaml")),
    Floor("memory guard", "import chaffinch.metrics.guard", 9 * MB, (*HEAVY, "asyncio", "apsw", "click", "yaml")),
    Floor("load serve's API", "import chaffinch.load.serve.serve", 25 * MB, (*(n for n in HEAVY if n not in ("http", "email")), "apsw", "click", "yaml")),
    Floor("load capacity", "import chaffinch.load.capacity", 9 * MB, (*HEAVY, "asyncio", "apsw", "click", "yaml")),
)  # fmt: skip


def _command(name: str, bound: tuple[float, tuple[str, ...]]) -> Floor:
    steps = "".join(f"command = command.get_command(None, {part!r})\n" for part in name.split())
    code = f"from chaffinch.cli import cli\ncommand = cli\n{steps}assert command is not None"
    return Floor(f"chaffinch {name}", code, bound[0] * MB, bound[1])


def _workers(name: str, names: str, megabytes: float) -> Floor:
    """The workers of these names in one process, as a group brings them in."""
    code = f"""
    import chaffinch.fleet.group
    from chaffinch.decoys import registry
    from chaffinch.fleet import workers
    rows = [*workers.table(registry.BUILT_IN), workers.CAPTURE, workers.BOT]
    rows = [row for row in rows if {names}]
    assert rows
    for row in rows:
        workers.run_of(row)
        if row.name.startswith("decoy-"):
            registry.load(row.name.removeprefix("decoy-"))
    """
    return Floor(name, code, megabytes * MB, GROUP)


FLOORS = (
    *IMPORTS,
    *(_command(name, bound) for name, bound in COMMANDS.items()),
    *(_workers(f"worker {name}", f"row.name == {name!r}", bound) for name, bound in WORKERS.items()),
    *(_workers(f"group {name}", f"{name!r} in (row.group, 'fleet')", bound) for name, bound in GROUPS.items()),
)
