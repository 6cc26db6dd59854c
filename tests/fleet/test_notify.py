"""What a service manager hears: from the part that speaks, and from a whole fleet."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Self

import pytest

from chaffinch.fleet.notify import Notifier
from tests.fleet.running import eventually, running


class Manager:
    """The socket of a service manager, open inside a `with` block."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.heard: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def hear(self) -> list[str]:
        """All that was said so far."""
        try:
            while True:
                self.heard.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return self.heard


@pytest.mark.parametrize("name", ["notify", "@chaffinch-test"])
def test_what_is_said(tmp_path: Path, name: str) -> None:
    address = name if name.startswith("@") else str(tmp_path / name)
    with Manager("\0" + address[1:] if name.startswith("@") else address) as manager:
        one = Notifier.of({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": str(os.getpid())})
        one.ready("16 decoy hosts")
        one.ready("again")
        one.alive()
        one.alive()
        time.sleep(0.06)
        one.alive()
        one.stopping()
        ready = f"READY=1\nMAINPID={os.getpid()}\nSTATUS=16 decoy hosts"
        assert manager.hear() == [ready, "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "1"},
        {"NOTIFY_SOCKET": "x" * 200},
        {"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "soon"},
    ],
)
def test_nobody_who_listens_is_no_fault(environment: dict[str, str]) -> None:
    one = Notifier.of(environment)
    one.ready("")
    one.alive()
    one.stopping()


def test_the_watchdog_of_another_process_is_not_fed(tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}
    with Manager(environment["NOTIFY_SOCKET"]) as manager:
        Notifier.of(environment).alive()
        assert manager.hear() == []


def test_a_fleet_says_when_it_serves_lives_and_stops(tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
    with Manager(environment["NOTIFY_SOCKET"]) as manager, running(tmp_path / "s", environment=environment) as fleet:
        assert fleet.process is not None
        eventually(lambda: any("READY=1" in one for one in manager.hear()))
        assert any(f"MAINPID={fleet.process.pid}" in one for one in manager.heard)
        fed = manager.hear().count("WATCHDOG=1")
        eventually(lambda: manager.hear().count("WATCHDOG=1") > fed + 1)
        # A supervisor that does not turn feeds nobody, and whoever started it acts.
        os.kill(fleet.process.pid, signal.SIGSTOP)
        time.sleep(0.5)
        fed = manager.hear().count("WATCHDOG=1")
        time.sleep(2.5)
        assert manager.hear().count("WATCHDOG=1") <= fed + 1
        os.kill(fleet.process.pid, signal.SIGCONT)
        assert fleet.stop() == 0
        assert "STOPPING=1" in manager.hear()
        assert sum("READY=1" in one for one in manager.heard) == 1
