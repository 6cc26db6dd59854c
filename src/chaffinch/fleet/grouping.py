"""Groups as a table in the file: each group names its workers, and what no group names goes to its default group.

[fleet.groups]
front = ["decoy-ssh", "decoy-http"]
shells = ["decoy-tel*"]
"""

import difflib
import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from chaffinch.errors import SettingError
from chaffinch.fleet.workers import Worker

PATH = "fleet.groups"

NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
"""What a group may be called: the name stands in `ps`, in metrics and on command lines."""

PATTERN = re.compile(r"[*?\[]")
"""What makes a pattern of a name, as in the shell."""


def arrange_by(groups: Mapping[str, Sequence[str]], workers: Sequence[Worker]) -> dict[str, tuple[Worker, ...]]:
    """The groups of the table, then the default groups of what it does not name; workers are in the worker table's
    order.

    A name goes before a pattern: `shells = ["decoy-ssh"]` and `front = ["decoy-*"]` fit together. Raises
    `SettingError` for a group that cannot be, for names and patterns that no worker has, and for a worker that two
    groups claim.
    """
    rows = {worker.name: worker for worker in workers}
    home: dict[str, str] = {}
    for group, named in groups.items():
        _refuse_group(group, named, rows)
        for name in named:
            if not PATTERN.search(name):
                if name not in rows:
                    _refuse_unknown(group, name, rows)
                _claim(home, name, group, name)
    by_name = frozenset(home)
    for group, named in groups.items():
        for pattern in (name for name in named if PATTERN.search(name)):
            found = fnmatch.filter(rows, pattern)
            if not found:
                _refuse_unknown(group, pattern, rows)
            for name in found:
                if name not in by_name:
                    _claim(home, name, group, pattern)
    arranged: dict[str, list[Worker]] = {group: [] for group in groups}
    for worker in workers:
        arranged.setdefault(home.get(worker.name, worker.group), []).append(worker)
    _refuse_empty(arranged)
    return {group: tuple(members) for group, members in arranged.items()}


def _claim(home: dict[str, str], name: str, group: str, said: str) -> None:
    """The worker is the group's."""
    other = home.setdefault(name, group)
    if other != group:
        by = "" if said == name else f" (by {said!r})"
        raise SettingError(
            f"{PATH}.{group}",
            f"{PATH} names the worker {name!r} in the group {other!r} and again in {group!r}{by}; keep one",
        )


def _refuse_group(group: str, named: Sequence[str], rows: Mapping[str, Worker]) -> None:
    if not NAME.fullmatch(group):
        why = "cannot be a group's name; write up to 32 of a-z, 0-9 and -, a letter first"
    elif group in rows:
        why = "is a worker's name; call the group something else, so that `chaffinch stop` knows what is meant"
    elif not named:
        why = "names no worker; name some, or remove the group"
    else:
        return
    raise SettingError(f"{PATH}.{group}", f"{PATH}: {group!r} {why}")


def _refuse_unknown(group: str, name: str, rows: Mapping[str, Worker]) -> NoReturn:
    close = difflib.get_close_matches(name, rows, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(rows)}"
    what = "no worker of this fleet fits" if PATTERN.search(name) else "this fleet has no worker called"
    raise SettingError(f"{PATH}.{group}", f"{PATH}: {what} {name!r}, which the group {group!r} names; {hint}")


def _refuse_empty(arranged: Mapping[str, Sequence[Worker]]) -> None:
    for group, members in arranged.items():
        if not members:
            raise SettingError(
                f"{PATH}.{group}", f"{PATH}: other groups name every worker of {group!r} themselves; remove the group"
            )
