"""`chaffinch status`: each column against what the kernel and the journal say."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from chaffinch.metrics import memory
from tests.fleet.running import Fleet, eventually, running
from tests.fleet.test_fleet import ping

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")

CLOSE_BYTES = 1 << 20
"""What PSS and private memory of an idle process may differ by between a beat and a look a second later."""

PROCESSES = {"one": 1, "default": 2, "split": 11}


def measured(pid: int) -> memory.Memory:
    try:
        return memory.read(pid)
    except PermissionError:
        pytest.skip("the memory of a process that is not dumpable is root's to read")


def cpu_seconds(pid: int) -> float:
    """User and system time, fields 14 and 15 of proc(5)'s stat."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_SECONDS


def is_true(status: Any) -> bool:
    """Memory and processor time of each process are what the kernel says."""
    for group in status["groups"]:
        now = measured(group["pid"])
        if abs(group["pss_bytes"] - now.pss_bytes) > CLOSE_BYTES:
            return False
        if abs(group["private_bytes"] - now.private_bytes) > CLOSE_BYTES:
            return False
        if not -TICK_SECONDS * 2 <= cpu_seconds(group["pid"]) - group["cpu_seconds"] < 0.5:
            return False
    return abs(status["supervisor_pss_bytes"] - measured(status["pid"]).pss_bytes) <= CLOSE_BYTES


@pytest.mark.parametrize("arrangement", PROCESSES)
def test_memory_and_cpu_are_what_the_kernel_says(tmp_path: Path, arrangement: str) -> None:
    began = time.time()
    with running(tmp_path, "--groups", arrangement) as fleet:
        for _ in range(3):
            ping(fleet)
        eventually(lambda: is_true(fleet.status()), 20)
        status = fleet.status()
        assert len(status["groups"]) == PROCESSES[arrangement]
        assert status["pss_bytes"] == status["supervisor_pss_bytes"] + sum(one["pss_bytes"] for one in status["groups"])
        assert all(0 < one["private_bytes"] < one["pss_bytes"] for one in status["groups"])
        homes = {one["name"] for one in status["groups"]}
        for worker in status["workers"]:
            assert worker["group"] in homes
            assert began < worker["since"] < time.time()
            assert (worker["state"], worker["wanted"], worker["restarts"], worker["error"]) == (
                "running", "running", 0, "",
            )  # fmt: skip
        if arrangement == "split":
            assert homes == {worker["name"] for worker in status["workers"]}, "each worker's process is its own"


def test_the_text_says_whose_memory_it_is_and_the_units(tmp_path: Path) -> None:
    with running(tmp_path, "--memory", "128M") as fleet:
        text = fleet.call("status").stdout.splitlines()
        status = fleet.status()
    assert "65536 decoy hosts" in text[0]
    assert " MB of 128.0 MB, " in text[0]
    groups = text.index(next(line for line in text if line.startswith("GROUP ")))
    assert text[groups].endswith("  LAST ERROR")
    row = text[groups + 1].split()
    assert row[:2] == ["decoys", str(status["groups"][0]["pid"])]
    assert f"{status['groups'][0]['budget_bytes'] / (1 << 20):.1f} MB" in text[groups + 1]
    assert text[groups + 1].count(" MB") == 3
    said = "PSS, PRIVATE, BUDGET and CPU are those of a group's process, which its workers share; the supervisor has "
    assert text[groups + 3].startswith(said)
    workers = text.index(next(line for line in text if line.startswith("WORKER ")))
    assert "LAG (EVENTS)" in text[workers]
    assert not {"PSS", "CPU", "PRIVATE"} & set(text[workers].split()), "nobody adds up what workers share"
    assert len(text) - workers - 1 == len(status["workers"]) == 11


def test_restarts_and_last_errors(tmp_path: Path) -> None:
    with running(tmp_path) as fleet:
        before = fleet.group("back")
        os.kill(before["pid"], signal.SIGKILL)
        eventually(lambda: fleet.worker("sessions")["state"] == "running" and fleet.group("back")["restarts"] == 1)
        after = fleet.group("back")
        assert after["error"] == "it ended with SIGKILL"
        assert after["since"] > before["since"]
        assert 0 < after["cpu_seconds"] < cpu_seconds(after["pid"]) + 2 * TICK_SECONDS, "of this process alone"
        assert fleet.worker("sessions")["restarts"] == 0, "it did not fail itself"
        neighbour = fleet.group("decoys")
        assert (neighbour["restarts"], neighbour["error"]) == (0, "")


def test_lag_is_what_a_stopped_worker_has_not_read(tmp_path: Path) -> None:
    with running(tmp_path) as fleet:
        ping(fleet)
        eventually(lambda: settled(fleet) and fleet.worker("sessions")["lag"] == 0)
        assert fleet.call("stop", "sessions").returncode == 0
        before = len(fleet.events())
        for _ in range(5):
            ping(fleet)
        eventually(lambda: settled(fleet))
        new = len(fleet.events()) - before
        assert new >= 15, "each an opening, a command and an end"
        eventually(lambda: fleet.worker("sessions")["lag"] == new)
        assert {one["lag"] for one in fleet.status()["workers"] if one["name"] != "sessions"} == {0}
        assert fleet.call("start", "sessions").returncode == 0
        eventually(lambda: fleet.worker("sessions")["lag"] == 0)


def settled(fleet: Fleet) -> bool:
    return bool(fleet.status()["sessions_open"] == 0)
