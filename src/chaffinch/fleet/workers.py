"""The worker table: which workers there are, what each one needs, and which group it runs in by default."""

import importlib
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, cast

import msgspec

from chaffinch import plugins
from chaffinch.config import Groups
from chaffinch.decoys.worker import PREFIX
from chaffinch.errors import InputError

if TYPE_CHECKING:
    from chaffinch.fleet.context import Context

Run = Callable[["Context"], Awaitable[None]]

DECOYS, BACK = "decoys", "back"
"""The default groups: what faces attackers, and what reads what they left."""


class Worker(msgspec.Struct, frozen=True):
    """One row: the module holds `async def run(context)`. `faces_attackers` workers get no outbound network."""

    name: str
    module: str
    group: str
    does: str
    faces_attackers: bool = False


BEHIND = (
    Worker("retention", "chaffinch.journal.worker", BACK, "keeps the journal within its bounds of bytes and age"),
    Worker("sessions", "chaffinch.store.collect", BACK, "derives the list of sessions from the journal"),
    Worker("metrics", "chaffinch.fleet.metrics_page", BACK, "serves the OpenMetrics page"),
)
"""The workers that every fleet has, beside one for each decoy service."""


def decoy_worker(service: str) -> Worker:
    """The row of a decoy service's worker."""
    return Worker(
        f"{PREFIX}{service}",
        "chaffinch.decoys.worker",
        DECOYS,
        f"serves {service} on every decoy host that runs it",
        True,
    )


def table(services: Iterable[str], added: Iterable[str] = ()) -> tuple[Worker, ...]:
    """All workers of a fleet with these services, and those that other packages add by name.

    Raises `InputError` for a name that no package has, or that is taken.
    """
    rows = [*(decoy_worker(service) for service in services), *BEHIND]
    for name in added:
        taken = next((row.module for row in rows if row.name == name), None)
        found = plugins.modules(plugins.WORKERS)
        if taken is not None:
            raise InputError(
                f"two modules claim the worker {name!r}: {taken} and {found.get(name)}; rename or remove one"
            )
        if name not in found:
            raise InputError(f"no package has a worker named {name!r}; there are: {', '.join(found) or 'none'}")
        rows.append(Worker(name, found[name], BACK, "another package's"))
    return tuple(rows)


def faces_only_attackers(workers: Iterable[Worker]) -> bool:
    """Whether a group of these workers can do without outbound connections and the store."""
    return all(worker.faces_attackers for worker in workers)


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
