"""The server in a process of its own: its start, its end, what it says."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load.serve.target import Target, scenario, target

CODE = """
import sys
from pathlib import Path
import msgspec
from chaffinch.errors import ChaffinchError
from chaffinch.load import load_file
from chaffinch.load.loaded import Control
from chaffinch.load.serve.serve import serve, serving_of
file = Path(sys.argv[1])
loaded = load_file(file)
control = Control(sys.argv[2], int(sys.argv[3]))
serving = msgspec.structs.replace(serving_of(loaded), control=control, log_format=sys.argv[4])
try:
    sys.exit(serve(serving, loaded, file=file))
except ChaffinchError as error:
    print("Error:", error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@pytest.fixture
def site() -> Iterator[Target]:
    with target() as one:
        yield one


class Process:
    """It, with what it said."""

    def __init__(self, process: subprocess.Popen[str], port: int, said: str) -> None:
        self.process = process
        self.port = port
        self.said = said

    def get(self, path: str, data: bytes | None = None) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", data, 20) as answer:
            text: str = answer.read().decode()
            return text

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        assert self.process.stderr is not None
        said = self.process.stderr.read()
        return self.process.wait(20), said


@contextlib.contextmanager
def served(file: Path, log_format: str = "text") -> Iterator[Process]:
    command = [sys.executable, "-c", CODE, str(file), "127.0.0.1", "0", log_format]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        try:
            assert process.stderr is not None
            said = ""
            while "control API on" not in (line := process.stderr.readline()):
                assert line, said
                said += line
            yield Process(process, int(line.partition(";")[0].rpartition(":")[2]), said)
        finally:
            process.kill()


def test_it_answers_real_clients_and_drains_at_the_end(site: Target, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(scenario(site, rate=40), encoding="utf-8")
    site.wait = 0.5
    with served(file) as one:
        while site.requests < 4:
            time.sleep(0.01)
        assert '"state":"running"' in one.get("/health")
        with pytest.raises(urllib.error.HTTPError) as told:
            one.get("/config", b"version: '9'")
        assert told.value.code == 400
        told.value.close()
        code, said = one.end()
        assert code == 0
        assert "outcome=stopped requests=" in said
        assert "failed=0" in said
        assert "Traceback" not in said


def test_a_second_signal_waits_for_no_answers(site: Target, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(scenario(site), encoding="utf-8")
    site.wait = 60
    with served(file) as one:
        while site.requests < 4:
            time.sleep(0.01)
        one.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        began = time.monotonic()
        code, said = one.end(signal.SIGINT)
        assert (code, time.monotonic() - began < 10) == (0, True)
        assert "Traceback" not in said


def test_the_log_is_json_if_it_is_told_to(site: Target, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(scenario(site), encoding="utf-8")
    with served(file, "json") as one:
        lines = [line for line in (one.said + one.end()[1]).splitlines() if line.startswith("{")]
        assert len(lines) >= 3
        assert all(line.startswith('{"time":"') and line.endswith('"}') for line in lines)


def refused(file: Path, host: str = "127.0.0.1", port: int = 0) -> tuple[int, str]:
    command = [sys.executable, "-c", CODE, str(file), host, str(port), "text"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=dict(os.environ))
    return done.returncode, done.stderr


def test_what_cannot_be_is_one_sentence(site: Target, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(scenario(site), encoding="utf-8")
    code, said = refused(file, "0.0.0.0")
    assert code == 2
    assert said.startswith("Error: 0.0.0.0 can be reached from other machines")
    assert said.count("\n") == 1
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = refused(file, port=taken.getsockname()[1])
    assert code == 1
    assert "Address already in use" in said
    assert site.requests == 0


def test_a_first_test_that_cannot_begin_ends_the_server(site: Target, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(scenario(site, more="memory: {limit: 20MB}\n"), encoding="utf-8")
    code, said = refused(file)
    assert code == 2
    assert "20.0 MB cannot hold this run" in said
