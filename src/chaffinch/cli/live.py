"""What `up` shows: a view that redraws itself on a terminal, plain lines in a pipe, one word to who detached it."""

import itertools
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from chaffinch import config as configuration
from chaffinch.cli import text
from chaffinch.fleet.control import Status
from chaffinch.fleet.supervisor import Supervisor
from chaffinch.network.addresses import to_text
from chaffinch.network.plan import Plan
from chaffinch.personas.build import Personas
from chaffinch.personas.persona import Persona

if TYPE_CHECKING:
    from chaffinch.fleet.parts import Parts

REDRAW_SECONDS = 1.0
LINE_SECONDS = 10.0

SERVES = "ok\n"
END = b"\0"
"""How the word of a detached fleet begins and ends."""

LOOKED_AT = 4096
"""Of the first so many hosts, three are named to be tried."""


class Watcher(Protocol):
    """Looks at the supervisor after each of its turns. `quiet`: the log goes to its file alone."""

    quiet: bool

    def turn(self, supervisor: Supervisor) -> None: ...

    def ended(self) -> None: ...


def watcher() -> Watcher:
    """The view for this standard output."""
    return Screen() if text.on_terminal() else Lines()


def serves(supervisor: Supervisor) -> bool:
    """Whether every decoy worker has begun to accept; of a supervisor without any, whether every worker runs."""
    rows = [row for one in supervisor.groups.values() if one.beat is not None for row in one.beat.workers]
    decoys = [row for row in rows if row.name.startswith("decoy-")]
    if not decoys and supervisor.parts.listeners:
        return False  # their group has not spoken
    return bool(rows) and all(row.state == "running" for row in decoys or rows)


def given_up(supervisor: Supervisor) -> str:
    """Why the fleet will not serve all that it should; empty while it may."""
    status = supervisor.status()
    failed = [f"{row.name}: {row.error or 'given up'}" for row in status.workers if row.state == "failed"]
    return f"started, but not whole: {'; '.join(failed)}; see `chaffinch status`" if failed else ""


def greeting(supervisor: Supervisor) -> list[str]:
    """What the fleet is, and three commands to try."""
    plan = supervisor.parts.plan
    if only := supervisor.parts.only:
        workers = ", ".join(worker.name for worker in supervisor.groups[only].workers)
        return [f"the group {only!r} of a fleet of {plan.hosts} decoy hosts: {workers}"]
    ports: dict[str, list[str]] = {}
    for port in plan.ports:
        ports.setdefault(port.service, []).append(str(port.listen))
    silent = all(listener.silent for listener in supervisor.parts.listeners)
    quiet = "do not answer" if silent else "reset the connection (silent needs root)"
    state = supervisor.parts.state
    where = "" if state == configuration.state_directory() else f" --state {state}"
    return [
        f"{plan.hosts} decoy hosts on {', '.join(map(str, plan.prefixes))}",
        "ports: " + ", ".join(f"{name} {' '.join(numbers)}" for name, numbers in ports.items()),
        f"addresses that do not run a service {quiet}",
        "try, in another terminal:",
        *(f"  {line}" for line in to_try(plan, supervisor.parts.personas)),
        f"and then: {program()} events --follow{where}",
    ]


def program() -> str:
    """How this program is called from where the user stands."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m chaffinch"
    return called.name if shutil.which(called.name) == str(called) else os.path.relpath(called)


def to_try(plan: Plan, personas: Personas) -> list[str]:
    """Three commands that real decoy hosts of this plan answer: a web page, a database, a shell with a password."""
    found: dict[str, str] = {}
    for number in itertools.islice(plan.addresses(), LOOKED_AT):
        for name, line in _invitations(personas.of(to_text(number)), plan.port_offset):
            found.setdefault(name, line)
        if len(found) == 3:
            break
    return list(found.values())


def _invitations(persona: Persona, offset: int) -> Iterator[tuple[str, str]]:
    """What may be tried on one host, by service."""
    for service in persona.services:
        port = service.port + offset
        if service.name == "http" and service.port == 80:
            yield "http", f"curl -i http://{persona.address}:{port}/"
        elif service.name == "redis" and not service.option("requirepass"):
            yield "redis", f"redis-cli -h {persona.address} -p {port} INFO server"
        elif service.name == "ssh" and persona.os.family == "linux":
            for user in persona.users:
                if user.password:
                    yield "ssh", f"ssh -p {port} {user.name}@{persona.address}    # password: {user.password}"


class Lines:
    """Plain lines: the greeting once the fleet serves, then a line now and then."""

    quiet = False

    def __init__(self) -> None:
        self._greeted = False
        self._next = 0.0

    def turn(self, supervisor: Supervisor) -> None:
        now = time.monotonic()
        if not self._greeted and serves(supervisor):
            self._greeted = True
            self._next = now + LINE_SECONDS
            print("\n".join(greeting(supervisor)), flush=True)
        elif self._greeted and now >= self._next:
            self._next = now + LINE_SECONDS
            status = supervisor.status()
            print(
                f"sessions={status.sessions_seen} open={status.sessions_open} events={status.events} "
                f"lost={status.journal_lost} memory={text.size(status.pss_bytes)}",
                flush=True,
            )

    def ended(self) -> None:
        if self._greeted:
            print("stopped", flush=True)


class Announcer:
    """Says once that the fleet serves, to the process that started it in the background."""

    quiet = True

    def __init__(self, word: TextIO) -> None:
        self._word = word

    def turn(self, supervisor: Supervisor) -> None:
        if self._word.closed:
            return
        failure = given_up(supervisor)
        if failure or serves(supervisor):
            self._word.write((failure or SERVES + "\n".join(greeting(supervisor))) + END.decode())
            self._word.close()

    def ended(self) -> None:
        """Whoever waits hears of a failure from the exception."""


class Screen:
    """A view on a terminal that redraws itself in place."""

    quiet = True

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._next = 0.0
        self._drawn = 0
        self._events = 0
        self._at = time.monotonic()
        self._greeting: list[str] | None = None
        self._greeted: Parts | None = None

    def turn(self, supervisor: Supervisor) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + REDRAW_SECONDS
        if self._greeted is not supervisor.parts and serves(supervisor):  # at first, and after a reload
            self._greeted, self._greeting = supervisor.parts, greeting(supervisor)
        status = supervisor.status()
        rate = (status.events - self._events) / max(0.001, now - self._at)
        self._events, self._at = status.events, now
        self._draw([*(self._greeting or ["starting ..."]), "", *view(status, max(0.0, rate)), "", "^C stops the fleet"])

    def _draw(self, lines: list[str]) -> None:
        width, height = shutil.get_terminal_size()
        shown = [line[: width - 1] for line in lines[: height - 1]]
        up = f"\x1b[{self._drawn}F" if self._drawn else ""
        self._out.write(up + "".join(f"\x1b[2K{line}\n" for line in shown) + "\x1b[J")
        self._out.flush()
        self._drawn = len(shown)

    def ended(self) -> None:
        self._out.write("stopped\n")
        self._out.flush()


def view(status: Status, events_a_second: float) -> list[str]:
    """The lines under the greeting: sessions, events, and the memory of each group."""
    budget = f" of {text.size(status.budget_bytes)}" if status.budget_bytes else ""
    seen = f"sessions {status.sessions_seen} ({status.sessions_open} open)"
    recorded = f"events {status.events} ({events_a_second:.0f}/s)"
    memory = f"memory {text.size(status.pss_bytes)}{budget}"
    lines = [f"{seen}   {recorded}   {memory}   up {text.ago(status.since)}"]
    if status.journal_full:
        lines.append(text.FULL)
    if status.journal_lost:
        lines.append(f"LOST: {status.journal_lost} events could not be stored; look at `chaffinch logs`")
    for group in status.groups:
        again = f"   restarts {group.restarts}" if group.restarts else ""
        lines.append(f"  {group.name:<16} {group.state:<9} {text.size(group.pss_bytes):>9}{again}")
    lines += [f"  {w.name} is {w.state}: {w.error}" for w in status.workers if w.state in ("waiting", "failed")]
    return lines
