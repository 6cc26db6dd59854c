"""What a file, an environment or a command line comes to: the plan for the engine, and what stays in Python."""

import re
from pathlib import Path
from typing import Final, Literal

import msgspec

from chaffinch.load.plan import Plan
from chaffinch.load.thresholds import Threshold

DEFAULT_NAMESPACE: Final = "rust_loadtest"
"""The prefix of metric names under `--from-env`, as users' dashboards have it."""


_SAID: Final = re.compile(r'scenario ("(?:[^"\\]|\\.)*")(?:, step ("(?:[^"\\]|\\.)*"))?, ')


class Guard(msgspec.Struct, frozen=True):
    """When the memory guard acts."""

    limit: int | None = None
    """Bytes that the process may hold; none: the cgroup's, or the machine's memory."""
    warning: float = 0.80
    """The share of it at which resolution is given up."""
    critical: float = 0.90
    auto_disable_percentiles: bool = True


class Control(msgspec.Struct, frozen=True):
    """Where the control API listens and whom it lets in."""

    host: str = "127.0.0.1"
    port: int = 8080
    token: str = ""
    """Empty: none is asked for."""
    health_needs_token: bool = False


class Standby(msgspec.Struct, frozen=True):
    """What is sent between tests."""

    users: int = 2
    rate: float = 0.0


class Node(msgspec.Struct, frozen=True):
    """Labels of who sends."""

    name: str = ""
    """Empty: the host's name."""
    region: str = "default"
    tenant: str = ""


class About(msgspec.Struct, frozen=True):
    """What a report calls the run."""

    name: str = ""
    description: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    run_id: str = ""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A run that can begin."""

    plan: Plan
    about: About = About()
    thresholds: tuple[Threshold, ...] = ()
    guard: Guard = Guard()
    standby: Standby | None = None
    control: Control = Control()
    node: Node = Node()
    namespace: str = ""
    """The prefix of the metric names that are kept as aliases; empty: there are none."""
    log_format: Literal["text", "json"] = "text"
    notes: tuple[str, ...] = ()
    """What was given and plays no part, a sentence each."""
    source: str = ""
    """The file, or `the environment`."""
    files: tuple[Path, ...] = ()
    """Those that the source names and whose rows or rates are read."""
    lines: dict[str, int] = {}
    """The lines of scenarios by name and of steps by `scenario/step`."""

    def located(self, said: str) -> str:
        """What the engine says of a scenario or a step, with the file and line where that stands."""
        match = _SAID.match(said)
        if match is None:
            return said
        names = [_unquoted(name) for name in match.groups() if name]
        line = self.lines.get("/".join(names))
        return f"{self.source}:{line}: {said}" if line else said


def _unquoted(text: str) -> str:
    """A name as the engine quotes it."""
    try:
        return msgspec.json.decode(text, type=str)
    except msgspec.DecodeError:
        return text[1:-1]
