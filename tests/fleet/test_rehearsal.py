"""What is rehearsed before the fork leaves nothing behind."""

import os
import signal
import subprocess
import threading
from pathlib import Path

from chaffinch.config import Config
from chaffinch.fleet import assemble
from chaffinch.fleet.rehearsal import rehearse


def test_a_signal_that_comes_meanwhile_is_heard_after(tmp_path: Path) -> None:
    described = assemble.describe(Config(), b"test")
    heard: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _: heard.append(number))
    try:
        with subprocess.Popen(["sh", "-c", f"sleep 0.03; kill -HUP {os.getpid()}"]) as sender:
            while sender.poll() is None:
                rehearse(assemble.Parts(Config(), tmp_path, described.plan, described.personas, ()))
        assert heard == [signal.SIGHUP]
    finally:
        signal.signal(signal.SIGHUP, before)


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def test_nothing_stays(tmp_path: Path) -> None:
    described = assemble.describe(Config(), b"test")
    parts = assemble.Parts(Config(), tmp_path, described.plan, described.personas, ())
    rehearse(parts)
    before, threads = descriptors(), threading.active_count()
    rehearse(parts)
    assert descriptors() == before
    assert threading.active_count() == threads
    assert list(tmp_path.iterdir()) == []
