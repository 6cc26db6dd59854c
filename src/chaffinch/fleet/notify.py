"""What systemd is told: that the fleet serves, that it is alive, that it stops (sd_notify(3)).

The protocol is a datagram of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names. Without one nothing is said.
"""

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

SHARE: Final = 0.5
"""Of the watchdog's time after which it is fed, as sd_watchdog_enabled(3) advises."""


EXTENSION_SECONDS: Final = 30.0
"""By how much a start that waits is extended each time that it says so."""


class Notifier:
    """Speaks to the service manager that started this process, if one did."""

    def __init__(self, address: str = "", watchdog_seconds: float = 0.0) -> None:
        # "@" stands for the zero byte of an abstract socket.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every = watchdog_seconds * SHARE
        self._fed = 0.0
        self._is_ready = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Notifier":
        """From `NOTIFY_SOCKET` and `WATCHDOG_USEC`; the latter only where `WATCHDOG_PID` is this process."""
        usec = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog = int(usec) / 1e6 if usec.isdecimal() and is_ours else 0.0
        return cls(environment.get("NOTIFY_SOCKET", ""), watchdog)

    def ready(self, status: str) -> None:
        """The fleet serves: said once, and once after each reload. `status` is a sentence for `systemctl status`."""
        if not self._is_ready:
            self._is_ready = True
            self._say(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={status}")

    def waiting(self, status: str) -> None:
        """The start takes longer, for a reason that is none of ours: the manager is not to end it for that."""
        if not self._is_ready:
            self._say(f"EXTEND_TIMEOUT_USEC={int(EXTENSION_SECONDS * 1e6)}\nSTATUS={status}")

    def reloading(self) -> None:
        """The fleet takes over another configuration; `ready` is said anew when that is done."""
        self._is_ready = False
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def alive(self) -> None:
        """To be called each turn: feeds the watchdog when it is time."""
        now = time.monotonic()
        if self._every and now - self._fed >= self._every:
            self._fed = now
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """The fleet has begun to end."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        # A manager that does not listen is no reason to stop: it acts on its own timeouts.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one,
        ):
            one.setblocking(False)
            one.sendto(text.encode(), self._address)
