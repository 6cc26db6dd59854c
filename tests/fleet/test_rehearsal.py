"""What is rehearsed before the fork leaves nothing behind."""

import os
import signal
import subprocess
import threading
from pathlib import Path

from chaffinch.config import Config
from chaffinch.fleet import assemble
from chaffinch.fleet.parts import Parts
from chaffinch.fleet.rehearsal import rehearse


def parts_of(state: Path) -> Parts:
    """Of a fleet that has no port open."""
    draft = assemble.draft(Config(), b"test")
    return Parts(draft.config, draft.stated, draft.seed, state, draft.plan, draft.personas, ())


def test_a_signal_that_comes_meanwhile_is_heard_after(tmp_path: Path) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _: heard.append(number))
    try:
        with subprocess.Popen(["sh", "-c", f"sleep 0.03; kill -HUP {os.getpid()}"]) as sender:
            while sender.poll() is None:
                rehearse(parts_of(tmp_path))
        assert heard == [signal.SIGHUP]
    finally:
        signal.signal(signal.SIGHUP, before)


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def test_nothing_stays(tmp_path: Path) -> None:
    parts = parts_of(tmp_path)
    rehearse(parts)
    before, threads = descriptors(), threading.active_count()
    rehearse(parts)
    assert descriptors() == before
    assert threading.active_count() == threads
    assert list(tmp_path.iterdir()) == []
