"""How a run ends when not all goes well: a full disk, signals, no time. Nothing of its figures is lost silently."""

import csv
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from chaffinch.load import result_files
from tests.cli.load.calling import Caller, call, command, environment
from tests.cli.load.test_run import eventually, running

FULL = "/dev/full"


def limited(kibibytes: int, state: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A command that no file of its can grow past so much, as on a disk that becomes full."""
    line = f"ulimit -f {kibibytes}; exec {shlex.join(command(state, *arguments))}"
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False, env=environment()
    )


@pytest.mark.parametrize("name", ["json", "html"])
def test_a_report_that_does_not_fit_is_told_and_its_figures_are_printed(load: Caller, server: str, name: str) -> None:
    done = load("run", server, "-n", "5", "-q", f"--{name}", FULL, code=1)
    assert done.err == f"chaffinch: {FULL} cannot be written (No space left on device): name a file that can\n"
    assert "requests    5 in" in done.out


def test_intervals_that_do_not_fit_are_told_and_counted(load: Caller, server: str) -> None:
    done = load("run", server, "-n", "5", "--csv", FULL, code=1)
    assert done.err.startswith(f"chaffinch: {FULL} takes no more intervals (No space left on device): ")
    assert done.err.count("\n") == 1
    assert "note        1 interval could not be written to /dev/full" in done.out


def test_on_a_disk_that_becomes_full_what_is_there_is_whole(server: str, tmp_path: Path) -> None:
    page, rows, report = tmp_path / "page.yaml", tmp_path / "out.csv", tmp_path / "out.json"
    page.write_text(
        f'version: "1.0"\nconfig: {{baseUrl: "{server}", workers: 2, duration: 3s}}\n'
        "load: {model: rps, target: 100}\n"
        "percentiles: {interval: 100ms}\nscenarios: [{name: s, steps: [{request: {path: /}}]}]\n"
    )
    report.write_text("the last report")
    done = limited(2, tmp_path / "state", "run", page, "--csv", rows, "--json", report)
    assert done.returncode == 1
    assert f"{rows} takes no more intervals (File too large)" in done.stderr
    assert f"{report} cannot be written (File too large): name a file that can" in done.stderr
    assert "requests    300 in 3.0 s" in done.stdout
    heads, *whole = csv.reader(rows.read_text().splitlines())
    assert rows.read_text().endswith("\n")
    assert 0 < len(whole) < 30
    assert {len(row) for row in whole} == {len(heads)}
    assert report.read_text() == "the last report"
    assert sorted(os.listdir(tmp_path)) == ["out.csv", "out.json", "page.yaml", "state"]


def test_what_was_imported_and_does_not_fit_is_told(load: Caller, tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("curl http://127.0.0.1:1/\n")
    told = load.refused("import", "curl", tmp_path / "a.sh", "-o", FULL, code=1)
    assert told == f"{FULL} cannot be written (No space left on device): name a file that can"


@pytest.mark.parametrize("signals", [(signal.SIGINT,) * 2, (signal.SIGTERM, signal.SIGINT)])
def test_a_second_signal_waits_for_no_answer(server: str, tmp_path: Path, signals: tuple[int, int]) -> None:
    report, rows = tmp_path / "out.json", tmp_path / "out.csv"
    first, second = signals
    asked = (f"{server}/silent", "-c", "3", "-d", "60s", "--timeout", "50s", "--json", report, "--csv", rows)
    with running(tmp_path, *asked) as run:
        eventually(rows.exists)
        time.sleep(0.5)
        run.send_signal(first)
        time.sleep(0.5)
        assert run.poll() is None  # it waits for three answers
        began = time.monotonic()
        run.send_signal(second)
        out, err = run.communicate(timeout=10)
    assert run.returncode == 128 + first, err
    assert time.monotonic() - began < 3
    assert "Traceback" not in err
    assert "given up    3 had no answer when the run ended" in out
    result = result_files.read(report)
    assert (result.requests, result.unanswered, result.complete) == (0, 3, False)


def test_one_signal_waits_five_seconds_and_no_longer(server: str, tmp_path: Path) -> None:
    with running(tmp_path, f"{server}/silent", "-c", "1", "--csv", tmp_path / "out.csv", "--timeout", "50s") as run:
        eventually((tmp_path / "out.csv").exists)
        time.sleep(0.5)
        began = time.monotonic()
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=20)
    assert run.returncode == 130
    assert 4 < time.monotonic() - began < 9


def test_a_run_shorter_than_a_tick_has_its_figures(load: Caller, server: str, tmp_path: Path) -> None:
    rows = tmp_path / "out.csv"
    for given in (("-d", "1ms"), ("-d", "5ms", "--rate", "1000"), ("-n", "1")):
        found = load.json("run", server, *given, "--json", "-", "-q", "--csv", rows)
        counted = list(csv.DictReader(rows.read_text().splitlines()))
        assert sum(int(row["requests"]) for row in counted) == found["requests"]
        assert found["complete"]
        assert sum(found["statuses"].values()) == found["requests"]


def test_a_run_of_nothing_says_that_it_was_nothing(load: Caller, server: str) -> None:
    for given in (("--rate", "0", "-d", "200ms"), ("-n", "0")):
        found = load.json("run", server, *given, "--json", "-", "-q")
        assert (found["requests"], found["failed"], found["unsent"], found["unanswered"]) == (0, 0, 0, 0)
        assert found["latency_ms"]["corrected"] is None or found["latency_ms"]["corrected"]["count"] == 0


def test_no_signal_leaves_half_a_report(server: str, tmp_path: Path) -> None:
    """Reports are put in their places whole: one that a kill interrupts is not there."""
    report = tmp_path / "out.json"
    with running(tmp_path, server, "-d", "60s", "--json", report, "--csv", tmp_path / "out.csv") as run:
        eventually((tmp_path / "out.csv").exists)
        run.kill()
        run.communicate(timeout=10)
    assert run.returncode == -signal.SIGKILL
    assert not report.exists()


def test_a_full_standard_output_takes_no_report(server: str, tmp_path: Path) -> None:
    with open(FULL, "wb") as full:
        done = call(tmp_path, "run", server, "-n", "5", "--json", "-", stdout=full)
    assert done.returncode == 1
    assert b"standard output takes no results (No space left on device): name a file" in done.stderr
    assert b"requests    5 in" in done.stderr
