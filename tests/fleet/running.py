"""A whole fleet in processes of its own, started and stopped by a test, and plug-ins for it."""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tests.fleet import commands

T = TypeVar("T")

PATIENCE = float(os.environ.get("CHAFFINCH_TEST_PATIENCE", "1"))
"""How much longer than usual to wait for what has to come: for machines that are emulated."""

SEED = "test"
"""The same hosts in every run: with this seed the first redis asks for no password."""

_offsets = itertools.cycle(range(12000 + os.getpid() % 97, 21000, 97))
"""Every port stays below the ephemeral ones (32768), which clients of other tests hold for a while."""


class Fleet:
    """`chaffinch` on one state directory, with an offset of its own so that fleets do not meet."""

    def __init__(
        self,
        state: Path,
        *flags: str,
        environment: dict[str, str] | None = None,
        offset: int | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.state = state
        self.prefix = prefix
        self.offset = next(_offsets) if offset is None else offset
        self.flags = ("--port-offset", str(self.offset), "--metrics-port", "0", *flags)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CHAFFINCH_")}
        self.environment = clean | {"CHAFFINCH_FLEET_SEED": SEED} | (environment or {})
        self.process: subprocess.Popen[str] | None = None

    def call(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        line = [*arguments, "--state", str(self.state)]
        if arguments[0] in commands.ASKING:  # its fleet is found by the state directory, wherever that runs
            return commands.asked(line, self.environment, timeout * PATIENCE)
        return subprocess.run(
            [*self.prefix, sys.executable, "-m", "chaffinch", *line],
            capture_output=True,
            text=True,
            timeout=timeout * PATIENCE,
            env=self.environment,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        """What one command says with `--json`."""
        done = self.call(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def events(self, *arguments: str) -> list[dict[str, Any]]:
        done = self.call("events", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def start(self, wait: float = 30) -> None:
        """Bring it up in the foreground of a process of its own, and wait until it greets."""
        self.process = subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "chaffinch", "up", "--state", str(self.state), *self.flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        eventually(self._greeted, wait)

    def _greeted(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the fleet ended: {self.process.stderr.read() if self.process.stderr else ''}")
        done = self.call("status", "--json")
        if done.returncode != 0:
            return False
        states = {row["name"]: row["state"] for row in json.loads(done.stdout)["workers"]}
        decoys = {state for name, state in states.items() if name.startswith("decoy-")}
        return decoys <= {"running"} and "starting" not in states.values()

    def status(self) -> Any:
        return self.json("status")

    def group(self, name: str) -> Any:
        return next(group for group in self.status()["groups"] if group["name"] == name)

    def worker(self, name: str) -> Any:
        return next(worker for worker in self.status()["workers"] if worker["name"] == name)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30 * PATIENCE)
        return self.process.returncode

    def address(self, service: str) -> str:
        """A decoy host that runs the service on its usual port."""
        return str(self.json("hosts", "--service", service, "--limit", "1")[0]["address"])

    def endpoint(self, service: str) -> tuple[str, int]:
        host = self.json("hosts", "--service", service, "--limit", "1")[0]
        return host["address"], next(one["port"] for one in host["services"] if one["name"] == service)

    def connect(self, service: str, timeout: float = 5) -> socket.socket:
        return socket.create_connection(self.endpoint(service), timeout=timeout)


def eventually(check: Callable[[], T], seconds: float = 10) -> T:
    """What `check` returns as soon as it is true. Fails with its last answer after that time."""
    until = time.monotonic() + seconds * PATIENCE
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < until, f"not within {seconds} s: {check} says {answer!r}"
        time.sleep(0.03)


@contextlib.contextmanager
def network_namespace() -> Iterator[tuple[str, ...]]:
    """A network of its own, where every port is free; the command prefix that enters it. Needs root."""
    holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
    prefix = ("nsenter", "--target", str(holder.pid), "--net")
    try:
        eventually(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        subprocess.run([*prefix, "ip", "link", "set", "lo", "up"], check=True)
        yield prefix
    finally:
        holder.kill()
        holder.wait()


@contextlib.contextmanager
def running(
    state: Path,
    *flags: str,
    environment: dict[str, str] | None = None,
    offset: int | None = None,
    prefix: tuple[str, ...] = (),
) -> Iterator[Fleet]:
    """A fleet that is up inside the block."""
    fleet = Fleet(state, *flags, environment=environment, offset=offset, prefix=prefix)
    try:
        fleet.start()
        yield fleet
    finally:
        if fleet.process is not None and fleet.process.poll() is None:
            fleet.stop()


def plug_in(folder: Path, name: str, source: str, group: str = "services") -> dict[str, str]:
    """Install a package with one service (or worker) into `folder`; the environment in which it is found."""
    package = folder / "plugins"
    info = package / f"plug_{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (package / f"plug_{name}.py").write_text(source, encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plug-{name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[chaffinch.{group}]\n{name} = plug_{name}\n", encoding="utf-8")
    return {"PYTHONPATH": str(package)}


def config_file(folder: Path, text: str) -> Path:
    """A configuration file in that folder."""
    path = folder / "chaffinch.toml"
    path.write_text(text, encoding="utf-8")
    return path
