"""What `load serve --memory` promises: runs one after another hold it, and one that cannot is refused."""

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from chaffinch.cli.load import notice
from chaffinch.load.results import Result
from chaffinch.load.serve.active import Active
from tests.load.serve.running import running, values
from tests.load.serve.target import Target, scenario, target

BOUND: Final = 72
"""MB."""

STEP: Final = '      - {name: get, label: "item ${random}", request: {path: /}}\n'


@pytest.fixture
def site() -> Iterator[Target]:
    with target() as one:
        yield one


class Server:
    """One in a process of its own."""

    def __init__(self, port: int, pid: int) -> None:
        self._port, self._pid = port, pid

    def ask(self, path: str, body: str | None = None) -> tuple[int, bytes]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}", None if body is None else body.encode()
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read()

    def state(self) -> Any:
        return json.loads(self.ask("/health")[1])["state"]

    def peak_mb(self) -> float:
        status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


@contextlib.contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Server]:
    notice.first_time(folder / "state")
    command = [sys.executable, "-m", "chaffinch", "--state", str(folder / "state"), "load", "serve"]
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", *arguments], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            yield Server(int(re.findall(r"127\.0\.0\.1:(\d+);", said)[0]), process.pid)
        finally:
            process.kill()


def test_the_process_holds_it_through_runs_one_after_another(site: Target, tmp_path: Path) -> None:
    asked = scenario(site, requests=2500, steps=STEP)
    with serving(tmp_path, "--memory", f"{BOUND}M") as server:
        for _ in range(3):
            assert server.ask("/config", asked)[0] == 200
            until = time.monotonic() + 20
            while server.state() == "running":
                assert time.monotonic() < until
                assert server.ask("/metrics")[0] == server.ask("/status")[0] == 200
                time.sleep(0.1)
            assert json.loads(server.ask("/result")[1])["histograms"]["labels"] == 1000
        assert server.peak_mb() <= BOUND
        status, body = server.ask("/config", asked + "percentiles: {labels: 100000}\n")
        assert status == 400
        assert re.search(
            rf"the server's memory bound of {BOUND}\.0 MB cannot hold this run, which takes [\d.]+ MB: "
            r".*labels in its metrics .*records of 100,000 labels .*; "
            r"give [\d.]+ MB, or ask for fewer than 100,000 labels$",
            json.loads(body)["detail"],
        )
        assert server.state() == "ready"
        assert server.peak_mb() <= BOUND


def test_what_comes_while_a_result_is_taken_neither_fails_nor_stops_what_has_ended(
    site: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With many labels that takes a while."""
    taken = Active.result
    began = threading.Event()

    def slowly(self: Active) -> Result:
        began.set()
        time.sleep(0.5)
        return taken(self)

    monkeypatch.setattr(Active, "result", slowly)
    with running(scenario(site, requests=10)) as server:
        assert began.wait(20)
        assert server.ask("POST", "/config", scenario(site, requests=10)).status == 200
        server.until_state("ready")
        assert values(server.page, "chaffinch_load_runs_total")['outcome="completed"'] == 2
