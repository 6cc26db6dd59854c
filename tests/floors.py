"""The numbers of `test_floor.py`: what each entry point may add to a fresh interpreter, in bytes. A data table."""

from typing import NamedTuple

# `ssl` is not among them: asyncio itself imports it.
HEAVY = ("asyncssh", "cryptography", "ctypes", "email", "http", "unittest", "importlib.metadata", "numpy")


class Floor(NamedTuple):
    """One entry point: the code that brings it in, how much memory it may add, what must not come with it."""

    name: str
    code: str
    grows_by: float
    forbidden: tuple[str, ...]


MB = 1_000_000

FLOORS = (
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
    Floor("capture's socket", "import chaffinch.capture.tap", 15 * MB, (*HEAVY, "asyncio", "apsw", "click")),
    Floor("capture", "import chaffinch.capture.worker", 18 * MB, (*HEAVY, "apsw", "click")),
    Floor("up", "from chaffinch.cli import cli; cli.get_command(None, 'up')", 28 * MB, HEAVY),
    Floor("status", "from chaffinch.cli import cli; cli.get_command(None, 'status')", 13 * MB, (*HEAVY, "asyncio", "apsw")),
    Floor("stop", "from chaffinch.cli import cli; cli.get_command(None, 'stop')", 13 * MB, (*HEAVY, "asyncio", "apsw")),
    Floor("start", "from chaffinch.cli import cli; cli.get_command(None, 'start')", 14 * MB, (*HEAVY, "asyncio", "apsw")),
    Floor("restart", "from chaffinch.cli import cli; cli.get_command(None, 'restart')", 14 * MB, (*HEAVY, "asyncio", "apsw")),
    Floor("reload", "from chaffinch.cli import cli; cli.get_command(None, 'reload')", 13 * MB, (*HEAVY, "asyncio", "apsw", "chaffinch.personas")),
    Floor("logs", "from chaffinch.cli import cli; cli.get_command(None, 'logs')", 13 * MB, (*HEAVY, "asyncio", "apsw")),
    Floor("init", "from chaffinch.cli import cli; cli.get_command(None, 'init')", 13 * MB, (*HEAVY, "asyncio", "apsw")),
    Floor("chain train", "from chaffinch.cli.chain import command; command.get_command(None, 'train')", 20 * MB, (*HEAVY, "asyncio", "apsw", "logging")),
    Floor("chain generate", "from chaffinch.cli.chain import command; command.get_command(None, 'generate')", 15 * MB, (*HEAVY, "asyncio", "apsw", "logging")),
    Floor("load run", "from chaffinch.cli.load import command; command.get_command(None, 'run')", 18 * MB, (*HEAVY, "asyncio", "apsw", "yaml", "ssl", "socket")),
    Floor("load compare", "from chaffinch.cli.load import command; command.get_command(None, 'compare')", 15 * MB, (*HEAVY, "asyncio", "apsw", "logging", "yaml")),
    Floor("load API", "from chaffinch.load import Runner, plan_for_url", 14 * MB, (*HEAVY, "asyncio", "apsw", "click", "yaml", "ssl", "socket")),
    Floor("events command", "from chaffinch.cli import cli; cli.get_command(None, 'events')", 24 * MB, HEAVY),
    Floor("sessions command", "from chaffinch.cli import cli; cli.get_command(None, 'sessions')", 24 * MB, HEAVY),
    Floor("hosts command", "from chaffinch.cli import cli; cli.get_command(None, 'hosts')", 26 * MB, HEAVY),
    Floor("load", "import chaffinch.load", 1 * MB, (*HEAVY, "asyncio", "apsw", "click", "msgspec", "yaml")),
    Floor("memory guard", "import chaffinch.metrics.guard", 9 * MB, (*HEAVY, "asyncio", "apsw", "click", "yaml")),
    Floor("load API", "import chaffinch.load.serve.serve", 25 * MB, (*(n for n in HEAVY if n not in ("http", "email")), "apsw", "click", "yaml")),
    Floor("load capacity", "import chaffinch.load.capacity", 9 * MB, (*HEAVY, "asyncio", "apsw", "click", "yaml")),
    Floor("floor", "from chaffinch.cli import cli; cli.get_command(None, 'floor')", 14 * MB, (*HEAVY, "asyncio", "apsw", "logging")),
    Floor("doctor", "from chaffinch.cli import cli; cli.get_command(None, 'doctor')", 26 * MB, HEAVY),
)  # fmt: skip
