"""The worker table: which workers there are, what each one needs, what it may hold, and which group it runs in.

A row without a module is a place that is kept: its name, group, needs and share stand, and nothing runs.
"""

import importlib
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec

from chaffinch import plugins
from chaffinch.config import Config, Groups
from chaffinch.decoys.worker import PREFIX
from chaffinch.errors import ChaffinchError, InputError

if TYPE_CHECKING:
    from chaffinch.fleet.context import Context

Run = Callable[["Context"], Awaitable[None]]

DECOYS, BACK, OUT, FRONT = "decoys", "back", "out", "front"
"""The default groups: what faces attackers; what reads what they left; what may connect to hosts that the owner named;
what the owner's own people connect to.
"""

Need = Literal["decoy ports", "own port", "outbound", "raw packets"]
"""What a worker needs of the machine, beside the journal and the store: ports of decoy hosts, a port of its own,
connections to others, packets that no port gets.
"""

MB: Final = 1_000_000


class Worker(msgspec.Struct, frozen=True):
    """One row: the module holds `async def run(context)`.

    `idle_bytes` is the private memory that it adds to its process before anybody comes (measured: bench.fleet), and
    `weight` its part of what a budget leaves beyond that (`fleet.budget`).
    """

    name: str
    module: str
    group: str
    does: str
    needs: tuple[Need, ...] = ()
    idle_bytes: int = 500_000
    weight: int = 1
    writes: tuple[str, ...] = ()
    """Directories of the state directory that nobody else may write to; they are made for it."""
    prepares: bool = False
    """Whether its module has `prepare(config, state)`, which is called in its process while that has all rights, and
    whose result is the context's `prepared`.
    """
    working_bytes: int = 0
    """What it takes beyond that for a while, whatever the guard gives up (measured): a share holds that, too."""
    native: bool = False
    """Whether native code does its work: files of any size are mapped, and memory that is not there ends the process
    (`fleet.holdings`).
    """

    @property
    def faces_attackers(self) -> bool:
        """Strangers choose what it reads: it gets no outbound network, and no file but the journal and uploads."""
        return "decoy ports" in self.needs or "raw packets" in self.needs

    @property
    def connects(self) -> bool:
        """Whether it may open connections."""
        return "outbound" in self.needs


BEHIND: Final = (
    Worker("retention", "chaffinch.journal.worker", BACK, "keeps the journal within its bounds of bytes and age"),
    Worker("sessions", "chaffinch.store.collect", BACK, "derives the list of sessions from the journal", weight=3),
    Worker("metrics", "chaffinch.fleet.metrics_page", BACK, "serves the OpenMetrics page", ("own port",), 1_500_000),
)
"""The workers that every fleet has, beside one for each decoy service."""

CAPTURE: Final = Worker(
    "capture", "chaffinch.capture.worker", DECOYS,
    "tells what no listener gets: port scans, ICMP, ARP (with `capture.enabled`)", ("raw packets",), 400_000,
)  # fmt: skip
"""With `capture.enabled`. It has packets in memory, and no socket: that is the supervisor's."""

BOT: Final = Worker(
    "bot", "chaffinch.chat.worker", OUT, "the Discord bot (with `bot.enabled`)", ("outbound",), 32 * MB, 2,
    ("bot", "chains"), prepares=True, working_bytes=26 * MB, native=True,
)  # fmt: skip
"""With `bot.enabled`. It reads its token before it gives up the right to."""

KEPT: Final = (
    Worker("canary", "", DECOYS, "hears canary tokens being used, by HTTP and DNS", ("decoy ports",), 800_000, 2),
    Worker("enrich", "", BACK, "adds networks, names and feeds to sources, from the owner's files", (), 4 * MB, 3),
    Worker("profile", "", BACK, "says of each source how it works: its timing, its tools, scan or person", weight=3),
    Worker("techniques", "", BACK, "matches events with rules; ATT&CK techniques, kill-chain phases", weight=3),
    Worker("campaigns", "", BACK, "joins sources to attackers and attackers to campaigns, with the evidence", weight=3),
    Worker("reuse", "", BACK, "finds credentials that came back, and sources that moved between decoy hosts", weight=3),
    Worker("mutate", "", BACK, "lets decoy hosts change over time, rarely, as machines do"),
    Worker("reconcile", "", BACK, "brings what runs to what was declared, on this machine and on enrolled ones"),
    Worker("life", "", OUT, "traffic between decoy hosts in working hours", ("outbound",), 4 * MB, 2),
    Worker("alerts", "", OUT, "tells whom the owner named: webhook, syslog, chat, mail", ("outbound",), 2 * MB),
    Worker("forward", "", OUT, "ships the journal to the machine that the owner named", ("outbound",)),
    Worker("listen", "", OUT, "takes the journals of enrolled machines", ("own port", "outbound"), 2 * MB, 2),
    Worker("api", "", FRONT, "the HTTP API, its event stream and the dashboard", ("own port",), 12 * MB, 3),
    Worker("chain", "", FRONT, "the HTTP API of chains", ("own port",), 4 * MB, 4),
)  # fmt: skip
"""Places that are kept for workers to come: nobody else may take their names."""

DECOY_IDLE: Final = {"redis": 1_800_000}
"""Of services whose workers hold more than others before anybody comes: redis has a table of all its commands."""

_STRANGER_NEEDS: Final[tuple[Need, ...]] = ("own port", "outbound")
"""What another package's worker may need: nothing is known of it."""


def decoy_worker(service: str) -> Worker:
    """The row of a decoy service's worker."""
    does = f"serves {service} on every decoy host that runs it"
    idle = DECOY_IDLE.get(service, 800_000)
    return Worker(f"{PREFIX}{service}", "chaffinch.decoys.worker", DECOYS, does, ("decoy ports",), idle, 4)


def table(services: Iterable[str], added: Iterable[str] = (), opted: Iterable[Worker] = ()) -> tuple[Worker, ...]:
    """All workers of a fleet with these services, those that settings ask for (`opted`), and those of other packages.

    Raises `InputError` for a name that no package has, or that is taken.
    """
    rows = [*(decoy_worker(service) for service in services), *BEHIND, *opted]
    for name in added:
        found = plugins.modules(plugins.WORKERS)
        taken = next((row.module or "this project" for row in (*rows, CAPTURE, BOT, *KEPT) if row.name == name), None)
        if taken is not None and name in found:
            raise InputError(f"two modules claim the worker {name!r}: {taken} and {found[name]}; rename or remove one")
        if name not in found:
            raise InputError(f"no package has a worker named {name!r}; there are: {', '.join(found) or 'none'}")
        rows.append(Worker(name, found[name], BACK, "another package's", _STRANGER_NEEDS))
    return tuple(rows)


def allowed(workers: Iterable[Worker]) -> tuple[bool, bool]:
    """Whether a group of these workers may write to the store, and whether it may connect: what its least strict one
    needs.
    """
    rows = tuple(workers)
    return not all(worker.faces_attackers for worker in rows), any(worker.connects for worker in rows)


def own_directories(workers: Iterable[Worker]) -> tuple[str, ...]:
    """What of the state directory a group of these workers may write to that no other group may."""
    return tuple(dict.fromkeys(name for worker in workers for name in worker.writes))


def opted(config: Config) -> tuple[Worker, ...]:
    """The workers that settings ask for."""
    asked = ((config.capture.enabled, CAPTURE), (config.bot.enabled, BOT))
    return tuple(worker for is_asked, worker in asked if is_asked)


def arrange(workers: Iterable[Worker], groups: Groups) -> dict[str, tuple[Worker, ...]]:
    """Which workers share a process: `one`, `default`, `split`, or as a table says.

    Raises `SettingError` for a table that the workers do not fit.
    """
    if not isinstance(groups, str):
        from chaffinch.fleet.grouping import arrange_by

        return arrange_by(groups, tuple(workers))
    arranged: dict[str, list[Worker]] = {}
    for worker in workers:
        name = {"one": "fleet", "default": worker.group, "split": worker.name}[groups]
        arranged.setdefault(name, []).append(worker)
    return {name: tuple(rows) for name, rows in arranged.items()}


def run_of(worker: Worker) -> Run:
    """Import the worker's module and return its `run`."""
    return cast(Run, importlib.import_module(worker.module).run)


def prepared(workers: Iterable[Worker], config: Config, state: Path) -> dict[str, Callable[[], object]]:
    """What the workers prepared that do so, by name. What one could not prepare fails when it is asked for: that is the
    fault of this worker, and not of its group.
    """
    return {worker.name: _prepared(worker, config, state) for worker in workers if worker.prepares}


def _prepared(worker: Worker, config: Config, state: Path) -> Callable[[], object]:
    try:
        made: object = importlib.import_module(worker.module).prepare(config, state)
    except ChaffinchError as error:
        fault = error

        def fail() -> object:
            raise fault

        return fail
    return lambda: made
