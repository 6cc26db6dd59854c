"""Who else speaks to the control socket: other users, garbage, and callers that say nothing."""

import contextlib
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.errors import InputError
from chaffinch.fleet import control
from tests.fleet.running import Fleet, running
from tests.fleet.test_deeds import pids
from tests.fleet.test_fleet import ping

NOBODY = 65534


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with running(tmp_path) as one:
        yield one


def call(path: Path, data: bytes) -> bytes:
    """What is answered; who is refused unread is reset after the answer."""
    got = bytearray()
    with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.settimeout(10)
        sock.connect(str(path))
        with contextlib.suppress(BrokenPipeError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        while more := sock.recv(65536):
            got += more
    return bytes(got)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize("words", ["status", "stop", "stop decoy-redis", "restart decoys", "reload", "reloading"])
def test_another_user_is_refused_where_it_can_reach_the_socket(words: str) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name, running(Path(name)) as fleet:
        Path(name).chmod(0o711)
        (fleet.state / "control.sock").chmod(0o666)
        do, _, about = words.partition(" ")
        before = fleet.status()["groups"]
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.write(
                writing, call(fleet.state / "control.sock", json.dumps({"do": do, "name": about}).encode() + b"\n")
            )
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as pipe:
            assert json.loads(pipe.read()) == {"error": "this fleet belongs to another user"}
        assert [one["pid"] for one in fleet.status()["groups"]] == [one["pid"] for one in before]
        assert fleet.worker("decoy-redis")["state"] == "running"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"status\n",
        b"\xff\x00\xfe\n",
        b"[" * 3000 + b"\n",
        b"x" * 1_000_000,
        b'{"do":"status"}',
        b'{"do":7}\n',
        b'{"do":"status","name":"x","more":1}\n',
        b'{"do":"start"}\n',
        b'{"do":"reload","name":"decoys"}\n',
        b'{"do":"fly","name":"decoys"}\n',
        b'{"do":"stop","name":"' + b"x" * 3000 + b'"}\n',
    ],
)
def test_garbage_is_refused(fleet: Fleet, data: bytes) -> None:
    before = pids(fleet)
    said = call(fleet.state / "control.sock", data)
    assert said == b"" or json.loads(said)["error"]
    assert pids(fleet) == before
    assert fleet.process is not None
    assert fleet.process.poll() is None


def test_callers_that_say_nothing_hold_nobody_up_for_long(fleet: Fleet) -> None:
    before = pids(fleet)
    with contextlib.ExitStack() as held:
        for _ in range(5):
            one = held.enter_context(socket.socket(socket.AF_UNIX))
            one.connect(str(fleet.state / "control.sock"))
        began = time.monotonic()
        assert ping(fleet) == b"+PONG\r\n"
        assert time.monotonic() - began < 3, "who serves attackers does not wait for callers"
        assert pids(fleet) == before
        assert time.monotonic() - began < 2 + 5 * control.ANSWER_SECONDS, "each has a second to say what it wants"


def test_a_caller_that_trickles_is_cut(fleet: Fleet) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(fleet.state / "control.sock"))
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 10:
                sock.sendall(b" ")
                time.sleep(0.2)
        assert time.monotonic() - began < 3 * control.ANSWER_SECONDS
    assert fleet.status()["hosts"] == 65536


class Untouched:
    """A fleet of which garbage asks nothing."""

    def status(self) -> Any:
        raise AssertionError("garbage is no question")

    measured = stop = reload = reloading = status

    def act(self, do: control.Deed, name: str) -> tuple[str, ...]:
        raise InputError(f"no worker or group of this fleet is called {name!r}")


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.binary(max_size=5000), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
)
def test_whatever_is_asked_is_answered_or_cut(data: str | bytes) -> None:
    text = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    with tempfile.TemporaryDirectory() as name, control.listen(Path(name)) as listener:
        said: list[bytes] = []
        caller = threading.Thread(target=lambda: said.append(call(Path(name) / control.NAME, text + b"\n")))
        caller.start()
        while caller.is_alive():
            control.answer(listener, Untouched())
            caller.join(0.002)
    assert said == [b""] or json.loads(said[0])["error"]
