"""How many files a run may open, and the connections that this leaves it."""

import contextlib
import resource
from typing import Final

import msgspec

from chaffinch.load import figures
from chaffinch.load.plan import Plan

OTHER_FILES: Final = 64
"""Descriptors that a run needs besides its connections."""


def within_files(plan: Plan, notes: list[str]) -> Plan:
    """Let this process open as many files as the run wants, and the run want no more than it may.

    A process without a file left could neither read how much memory it holds nor write a report.
    """
    wanted = min(plan.connections, plan.users * _origins(plan))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted + OTHER_FILES:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    if soft == resource.RLIM_INFINITY or soft >= wanted + OTHER_FILES:
        return plan
    connections = max(1, soft - OTHER_FILES)
    notes.append(
        f"this process may open {soft:,} files, so at most {figures.counted(connections, 'connection')} will be made: "
        "raise `ulimit -Hn` for more"
    )
    return msgspec.structs.replace(plan, connections=connections)


def _origins(plan: Plan) -> int:
    """Hosts to which a user may have a connection, or more."""
    paths = {step.path.split("/", 3)[2] for one in plan.scenarios for step in one.steps if "://" in step.path}
    return 1 + len(paths)
