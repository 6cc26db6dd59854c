"""`chaffinch load run` from its start to its exit code."""

import contextlib
import csv
import fcntl
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from chaffinch.load import result_files
from tests.cli.load.calling import Caller, call, command, environment

SCENARIO = """
version: "1.0"
config: {{baseUrl: "{url}", workers: 5, duration: {duration}}}
load: {{model: rps, target: 100}}
percentiles: {{interval: 100ms}}
thresholds: ["errors<1%"]
scenarios:
  - name: shop
    steps:
      - {{name: front, request: {{path: /}}}}
      - {{name: cart, request: {{path: /cart}}}}
"""


def test_a_url_is_summed_up_in_eighty_columns(load: Caller, server: str) -> None:
    done = load("run", f"{server}/page?key=secret", "--rate", "200", "--duration", "500ms")
    assert done.err == ""
    assert max(map(len, done.out.splitlines())) <= 80
    assert f"{server}/page, HTTP/1.1" in done.out
    assert "secret" not in done.out
    assert re.search(r"^requests +100 in 0\.5 s$", done.out, re.MULTILINE)
    assert re.search(r"^rate +200/s, asked 200/s$", done.out, re.MULTILINE)
    assert re.search(r"^latency +p50 +p90 +p95 +p99 +p99\.9 +max$", done.out, re.MULTILINE)
    assert re.search(r"^corrected( +[\d.]+ (us|ms|s)){6}$", done.out, re.MULTILINE)
    assert re.search(r"^uncorrected( +[\d.]+ (us|ms|s)){6}$", done.out, re.MULTILINE)
    assert re.search(r"^memory +\d+\.\d MB at most$", done.out, re.MULTILINE)
    assert re.search(r"^generator +(not the limit; its busiest|it was the limit)", done.out, re.MULTILINE)


def test_errors_are_told_with_what_to_do(load: Caller, server: str) -> None:
    done = load("run", f"{server}/missing", "-n", "20")
    assert re.search(r"^failed +(\d+) \(100%\)$", done.out, re.MULTILINE)
    assert "status 20 (100%): The status is 400 or more" in done.out
    assert "4xx is mostly the request's fault" in done.out
    assert "statuses    404 20" in done.out


def test_the_reports_are_those_of_the_run(load: Caller, server: str, tmp_path: Path) -> None:
    page = tmp_path / "page.yaml"
    page.write_text(SCENARIO.format(url=server, duration="1s"))
    files = {kind: tmp_path / f"out.{kind}" for kind in ("json", "html", "csv")}
    done = load("run", page, *(word for kind, file in files.items() for word in (f"--{kind}", file)))
    result = result_files.read(files["json"])
    assert result.requests == 200
    assert result.run.source == str(page)
    assert set(result.labels) >= {"shop/front", "shop/cart"}
    rows = list(csv.DictReader(files["csv"].read_text().splitlines()))
    assert sum(int(row["requests"]) for row in rows) == 200
    assert files["html"].read_text().startswith("<!DOCTYPE html>")
    assert "shop/front" in done.out
    assert "thresholds  kept  errors<1%" in done.out
    assert "asked 100/s iterations" in done.out
    assert sorted(os.listdir(tmp_path)) == ["out.csv", "out.html", "out.json", "page.yaml", "state"]


def test_json_alone_goes_to_stdout(load: Caller, server: str) -> None:
    done = load("run", server, "-n", "5", "--json", "-")
    assert result_files.decode(done.out.encode(), "stdout").requests == 5
    assert "requests    5 in" in done.err
    assert load("run", server, "-n", "5", "--json", "-", "--quiet").err == ""


def test_the_json_has_the_names_of_the_contract(load: Caller, server: str) -> None:
    found = load.json("run", server, "-n", "5", "--rate", "100", "--json", "-", "--memory", "1T")
    assert found.keys() >= {"requests", "errors", "duration_s", "rate", "asked_rate", "labels", "folded"}
    for series in ("corrected", "uncorrected"):
        assert found["latency_ms"][series].keys() >= {"p50", "p90", "p95", "p99", "p999", "max"}
    assert found["memory"]["peak_rss_bytes"] > 1 << 20
    assert found["memory"]["bound_bytes"] > 1 << 30
    assert found["generator"].keys() >= {"saturated", "why"}


def test_a_crossed_threshold_is_99(load: Caller, server: str) -> None:
    done = load("run", server, "-n", "5", "--threshold", "p99<1us", "--threshold", "errors<1%", code=99)
    assert "thresholds  CROSSED  p99<1us: it is " in done.out
    assert "            kept  errors<1%: it is 0%" in done.out
    # Where nothing was measured it is undecided, and that counts as crossed.
    assert "undecided" in load("run", server, "-n", "0", "--threshold", "p99<1s", code=99).out


def test_what_is_sent_is_what_was_given(load: Caller, server: str, tmp_path: Path) -> None:
    (tmp_path / "body").write_text("many words " * 1000)
    little = load.json("run", server, "-n", "10", "--json", "-", "-q")
    given = ("-X", "PUT", "-H", "X-Long: " + "y" * 1000, "--body-file", tmp_path / "body", "--no-keepalive")
    much = load.json("run", server, "-n", "10", "--json", "-", "-q", "-c", "1", *given)
    assert much["bytes_out"] - little["bytes_out"] > 10 * 12_000
    assert list(much["labels"]) == ["url/PUT /"]
    assert much["phases_ms"]["connect"]["count"] == 10


def test_the_environment_says_it_alone_or_over_a_file(
    load: Caller, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET_URL", server)
    monkeypatch.setenv("TEST_DURATION", "1s")
    monkeypatch.setenv("LOAD_MODEL_TYPE", "Rps")
    monkeypatch.setenv("TARGET_RPS", "50")
    alone = load.json("run", "--from-env", "--json", "-", "-q")
    assert (alone["requests"], alone["run"]["kind"]) == (50, "constant")
    page = tmp_path / "page.yaml"
    page.write_text(SCENARIO.format(url="http://127.0.0.1:1", duration="5m"))
    over = load.json("run", page, "--from-env", "--json", "-", "-q", "--rate", "20")
    assert (over["requests"], over["run"]["duration_s"]) == (40, 1.0)


def test_nothing_answered_is_a_failed_run(load: Caller) -> None:
    done = load("run", "http://127.0.0.1:1/", "-d", "200ms", code=1)
    assert "errors      connect" in done.out
    assert re.match(r"chaffinch: not one of \d[\d,]* requests was answered \(connect ", done.err)


def test_runs_of_nothing_are_no_failure(load: Caller, server: str) -> None:
    for given in (("--rate", "0", "-d", "200ms"), ("-n", "0"), ("-d", "1ms")):
        assert "requests    " in load("run", server, *given).out


def test_the_note_of_the_first_run_is_said_once(load: Caller, server: str, tmp_path: Path) -> None:
    other = Caller(tmp_path / "another" / "state", load._capsys)
    assert "docs/acceptable-use.md" in other("run", server, "-n", "1").err
    assert other("run", server, "-n", "1").err == ""
    (tmp_path / "file").write_text("")
    nowhere = Caller(tmp_path / "file" / "state", load._capsys)
    assert "docs/acceptable-use.md" in nowhere("run", server, "-n", "1").err


def test_what_held_the_bytes(load: Caller, server: str) -> None:
    out = load("run", server, "-n", "100", "--profile-memory").out
    for part in ("Python and its modules", "the engine, when it was made", "the core", "heap", "together"):
        assert re.search(rf"^{part} +\d", out, re.MULTILINE), part


# In a process of its own ---------------------------------------------------------------------------------------------


def test_a_plain_run_takes_little_memory(server: str, tmp_path: Path) -> None:
    done = call(tmp_path, "run", server, "-d", "1s", "--json", "-", "-q")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["memory"]["peak_rss_bytes"] < 40e6


def test_a_bound_is_kept_with_thousands_of_labels(server: str, tmp_path: Path) -> None:
    page = tmp_path / "labels.yaml"
    page.write_text(
        f'version: "1.0"\nconfig: {{baseUrl: "{server}", workers: 20, duration: 2s}}\n'
        "percentiles: {labels: 4000}\n"
        'scenarios: [{name: s, steps: [{name: a, label: "${random}", request: {path: "/${random}"}}]}]\n'
    )
    report = tmp_path / "report.html"
    done = call(tmp_path, "run", page, "--memory", "64M", "--json", "-", "-q", "--html", report)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["requests"] > 4000
    assert found["memory"]["bound_bytes"] == 64 << 20
    assert found["memory"]["peak_rss_bytes"] < 64 << 20
    assert sum(one["requests"] for one in found["labels"].values()) == found["requests"]
    assert found["folded"]["labels"] > 0


def test_what_cannot_fit_is_refused_with_the_arithmetic(tmp_path: Path) -> None:
    done = call(tmp_path, "run", "http://127.0.0.1:1/", "--memory", "20M")
    assert done.returncode == 2
    assert b"--memory of 20.0 MB cannot hold this run, which takes " in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_reports_what_ran(server: str, tmp_path: Path, number: signal.Signals, code: int) -> None:
    with running(tmp_path, server, "-d", "60s", "--csv", tmp_path / "out.csv", "--json", tmp_path / "out.json") as run:
        eventually((tmp_path / "out.csv").exists)
        time.sleep(0.5)
        run.send_signal(number)
        out, err = run.communicate(timeout=10)
    assert run.returncode == code, err
    assert "these are the figures of what ran" in out
    result = result_files.read(tmp_path / "out.json")
    assert not result.complete
    assert result.requests > 0


def test_a_crossed_threshold_decides_over_a_signal(server: str, tmp_path: Path) -> None:
    with running(tmp_path, server, "-d", "60s", "--csv", tmp_path / "out.csv", "--threshold", "p50<1us") as run:
        eventually((tmp_path / "out.csv").exists)
        time.sleep(0.5)
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=10)
    assert run.returncode == 99
    assert "CROSSED" in out


def test_a_kill_leaves_whole_rows(server: str, tmp_path: Path) -> None:
    page, out = tmp_path / "page.yaml", tmp_path / "out.csv"
    page.write_text(SCENARIO.format(url=server, duration="60s"))
    with running(tmp_path, page, "--csv", out) as run:
        eventually(lambda: out.exists() and out.read_bytes().count(b"\n") > 5)
        run.kill()
        run.communicate(timeout=10)
    text = out.read_text()
    assert text.endswith("\n")
    heads, *rows = csv.reader(text.splitlines())
    assert len(rows) >= 5
    assert {len(row) for row in rows} == {len(heads)}
    assert [int(row[0]) for row in rows] == list(range(len(rows)))


def test_a_terminal_is_shown_the_run_and_given_back(server: str, tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        os.execve(sys.executable, command(tmp_path, "run", server, "-d", "2s", "-r", "100"), environment(TERM="xterm"))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))
    seen = bytearray()
    with contextlib.suppress(OSError):  # a terminal whose program has ended says EIO
        while select.select([terminal], [], [], 20)[0]:
            seen.extend(os.read(terminal, 65536))
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    before, _, after = seen.decode().partition("\x1b[?1049h")
    frames, _, summary = after.partition("\x1b[?1049l")
    assert "acceptable-use" in before
    assert re.search(r"\[#+\.*\] +\d+%", frames)
    assert re.search(r"\b(9\d\.\d|10\d)/s asked", frames)
    assert re.search(r"^requests +200 in 2\.0 s", summary, re.MULTILINE)
    assert "\x1b" not in summary


def test_a_reader_that_leaves_and_a_full_disk_change_no_exit_code(server: str, tmp_path: Path) -> None:
    line = shlex.join(command(tmp_path, "run", server, "-n", "5", "--threshold", "p99<1us"))
    piped = subprocess.run(
        ["bash", "-c", f"{line} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, timeout=60, check=True, env=environment(),
    )  # fmt: skip
    assert piped.stdout.strip() == "99"
    with open("/dev/full", "wb") as full:
        done = call(tmp_path, "run", server, "-n", "5", stdout=full)
    assert done.returncode == 0
    assert b"requests    5 in" in done.stderr
    assert b"standard output takes nothing (No space left on device)" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_a_real_server(load: Caller, tmp_path: Path) -> None:
    with nginx(tmp_path) as url:
        found = load.json("run", f"{url}/", "-d", "1s", "--json", "-", "-q", "-c", "20")
    assert found["requests"] > 2000
    assert found["failed"] == 0
    assert found["latency_ms"]["corrected"]["p50"] < 50


@contextlib.contextmanager
def nginx(directory: Path) -> Iterator[str]:
    port = 18_900 + os.getpid() % 90
    config = directory / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/log;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; server {{ listen 127.0.0.1:{port}; return 200 'ok'; }} }}\n"
    )
    with subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            eventually((directory / "pid").exists)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@contextlib.contextmanager
def running(state: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command(state, "run", *arguments),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def eventually(is_so: object, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    assert callable(is_so)
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_changed_file_is_taken_over(server: str, tmp_path: Path) -> None:
    page = tmp_path / "page.yaml"
    text = SCENARIO.format(url=server, duration="6s")
    page.write_text(text)
    rows = tmp_path / "out.csv"
    with running(tmp_path, page, "--watch", "--json", tmp_path / "out.json", "--csv", rows) as run:
        while not rows.exists() or len(rows.read_bytes().splitlines()) < 2:
            assert run.poll() is None
            time.sleep(0.05)
        page.write_text(text.replace("target: 100", "target: 500"))
        _, err = run.communicate(timeout=20)
    assert "the load is now constant: 500/s" in err
    assert msgspec.json.decode((tmp_path / "out.json").read_bytes())["requests"] > 1500


def test_a_run_never_takes_the_last_file(server: str, tmp_path: Path) -> None:
    line = shlex.join(command(tmp_path, "run", server, "-d", "500ms", "-c", "200", "--json", tmp_path / "out.json"))
    done = subprocess.run(
        ["bash", "-c", f"ulimit -n 100; {line}"], capture_output=True, text=True, timeout=60, check=True,
        env=environment(),
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "so at most 36 connections will be made" in " ".join(done.stdout.split())
    assert result_files.read(tmp_path / "out.json").failed == 0
