"""The command: what it refuses to start with, and how it is stopped."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chaffinch.chain.http.auth import hash_of, load_tokens, new_token
from chaffinch.chain.http.serve import TOKENS_FILE, bound
from chaffinch.config import ServeSettings
from chaffinch.errors import InputError, RunError
from tests.chain.http.process import ENVIRONMENT, answer_of, command, served
from tests.chain.http.running import lines
from tests.http.client import request

HEALTH = request("GET", "/healthz")


def refused(state: Path, *arguments: str, code: int = 2) -> str:
    """What the command says when it does not start: one sentence."""
    done = subprocess.run(
        command(state, *arguments), capture_output=True, text=True, timeout=20, env=ENVIRONMENT, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("chaffinch: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_it_makes_a_token_serves_and_ends_at_sigterm(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        token = server.token
        assert token not in server.said
        assert server.ask(HEALTH).json == {"status": "ok"}
        sent = lines(["one two three", "four five six"])
        path = "/v1/chains/room/messages"
        learned = server.ask(request("POST", path, sent, token, {"Content-Type": "application/x-ndjson"}))
        assert learned.json["learned"] == 2
        with server.connect():
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(5) == 0
        assert token not in server.process.stderr.read()  # type: ignore[union-attr]
    with served(tmp_path) as server:
        assert server.said == ""
        assert server.ask(request("GET", "/v1/chains/room/stats", token=token)).json["messages"] == 2


def test_a_request_that_runs_is_answered_before_the_end_and_no_other_is_taken(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        token = server.token
        headers = {"Content-Type": "application/x-ndjson", "Content-Length": "100"}
        with server.connect() as peer, server.connect() as idle:
            peer.sendall(request("POST", "/v1/chains/room/messages", token=token, headers=headers) + lines(["one two"]))
            idle.sendall(HEALTH)
            assert answer_of(idle).status == 200
            server.process.send_signal(signal.SIGTERM)
            assert idle.recv(1) == b""
            with pytest.raises(ConnectionError):
                server.connect().close()
            assert server.process.poll() is None
            peer.sendall(lines(["three four"]).ljust(100 - len(lines(["one two"]))))
            answer = answer_of(peer)
            assert (answer.status, answer.json["learned"], answer.headers["connection"]) == (200, 2, "close")
        assert server.process.wait(5) == 0


@pytest.mark.parametrize("twice", [False, True])
def test_what_does_not_end_is_interrupted_and_told_so(tmp_path: Path, twice: bool) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"[chain.serve]\ndrain_seconds = {60 if twice else 0.3}\n")
    with served(tmp_path, "--config", str(config)) as server:
        token = server.token
        headers = {"Content-Type": "application/x-ndjson", "Content-Length": "100000"}
        with server.connect() as peer:
            peer.sendall(request("POST", "/v1/chains/room/messages", token=token, headers=headers) + lines(["a"] * 600))
            stats = request("GET", "/v1/chains/room/stats", token=token)
            while server.ask(stats).json.get("messages") != 512:
                assert server.process.poll() is None
            server.process.send_signal(signal.SIGTERM)
            if twice:
                with pytest.raises(subprocess.TimeoutExpired):
                    server.process.wait(0.3)
                server.process.send_signal(signal.SIGINT)
            answer = answer_of(peer)
            assert (answer.status, answer.json["code"]) == (503, "stopping")
            assert answer.headers["retry-after"] == "5"
            assert answer.json["learned"]["learned"] == 512
        assert server.process.wait(5) == 0


def test_its_log_has_times_and_its_metrics_its_memory(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        sent = lines(["one two three"])
        kind = {"Content-Type": "application/x-ndjson"}
        assert server.ask(request("POST", "/v1/chains/room/messages", sent, server.token, kind)).status == 200
        assert server.ask(request("DELETE", "/v1/chains/room", token=server.token)).status == 200
        said = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ INFO chaffinch\.chain\.http http\.removed token='admin' .*\n"
        assert re.fullmatch(said, server.line())
        page = server.ask(request("GET", "/metrics", token=server.token)).body.decode()
        resident = re.search(r"^chaffinch_process_resident_memory_bytes(?:\{.*\})? (\d+)$", page, re.MULTILINE)
        assert resident is not None
        assert 5 << 20 < int(resident[1]) < 500 << 20


def test_tokens_are_read_again_when_told(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        old, new = server.token, new_token()
        asks = [request("GET", "/v1/chains", token=token) for token in (old, new)]
        path = tmp_path / TOKENS_FILE
        assert [server.ask(one).status for one in asks] == [200, 401]
        path.write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        assert server.line().startswith("the tokens stay as they were: ")
        assert [server.ask(one).status for one in asks] == [200, 401]
        path.write_text(f'[[token]]\nname = "n"\nsha256 = "{hash_of(new)}"\ntenants = "*"\nrights = ["read"]\n')
        server.process.send_signal(signal.SIGHUP)
        assert server.line() == f"read {path} again; tokens: 1\n"
        assert [server.ask(one).status for one in asks] == [401, 200]
        path.write_text("token = []\n")
        server.process.send_signal(signal.SIGHUP)
        assert server.line() == f"read {path} again; tokens: 0\n"
        assert [server.ask(one).status for one in asks] == [401, 401]


def test_what_it_cannot_start_with_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(tmp_path, "--port", port, code=1)
        assert f"cannot listen on 127.0.0.1 port {port} (Address already in use)" in said
    assert not (tmp_path / TOKENS_FILE).exists()
    assert "0.0.0.0 can be reached from other machines, and there are no tokens" in refused(
        tmp_path, "--address", "0.0.0.0"
    )
    assert not (tmp_path / TOKENS_FILE).exists()
    assert "is no address here" in refused(tmp_path, "--address", "no such host")
    assert "cannot listen on 192.0.2.1" in refused(tmp_path, "--address", "192.0.2.1", code=1)
    assert "cannot be read" in refused(tmp_path, "--tokens-file", str(tmp_path / "none.toml"))
    (tmp_path / TOKENS_FILE).write_text("token = []\n")
    assert "chmod 600" in refused(tmp_path)
    (tmp_path / TOKENS_FILE).chmod(0o600)
    assert "has no token: add one" in refused(tmp_path)


def test_with_tokens_it_serves_other_machines_and_warns(tmp_path: Path) -> None:
    path = tmp_path / TOKENS_FILE
    path.touch(0o600)
    path.write_text(f'[[token]]\nname = "n"\nsha256 = "{hash_of(new_token())}"\ntenants = ["a"]\nrights = ["read"]\n')
    with served(tmp_path, "--address", "0.0.0.0") as server:
        assert server.line().startswith("warning: 0.0.0.0 can be reached from other machines")
        assert server.ask(HEALTH).status == 200
    assert len(load_tokens(path)) == 1


def test_too_few_descriptors_are_said_before_they_run_out(tmp_path: Path) -> None:
    limit = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))"
    arguments = [sys.executable, "-c", f"{limit}; os.execv(sys.argv[1], sys.argv[1:])", *command(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=20, env=ENVIRONMENT, check=False)
    assert done.returncode == 2
    assert "this process may open 256 files and needs 1152: lower chain.serve.connections" in done.stderr


def test_an_address_of_either_kind_is_bound() -> None:
    with bound(ServeSettings(address="localhost", port=0)) as listener:
        assert listener.getsockname()[0] in ("127.0.0.1", "::1")
        with pytest.raises(RunError, match="Address already in use"):
            bound(ServeSettings(address=listener.getsockname()[0], port=listener.getsockname()[1]))
    if os.path.exists("/proc/net/if_inet6"):
        with bound(ServeSettings(address="::1", port=0)) as listener:
            assert listener.getsockname()[0] == "::1"
    with pytest.raises(InputError, match="is no address here"):
        bound(ServeSettings(address="x" * 300, port=0))
