"""Who else speaks to the control socket: other users, garbage, and callers that say nothing."""

import contextlib
import errno
import json
import os
import resource
import selectors
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.errors import InputError, RunError
from chaffinch.fleet import asking, callers, control
from tests.fleet.running import Fleet, config_file, eventually, running
from tests.fleet.test_deeds import pids
from tests.fleet.test_fleet import ping
from tests.fleet.test_notify import Manager

NOBODY = 65534


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with running(tmp_path) as one:
        yield one


def call(path: Path, *parts: bytes) -> bytes:
    """What is answered to what is sent in parts; who is refused unread is reset after the answer."""
    got = bytearray()
    with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.settimeout(10)
        sock.connect(str(path))
        with contextlib.suppress(BrokenPipeError):
            for part in parts:
                sock.sendall(part)
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


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize(("mode", "named"), [(0o755, "control.sock"), (0o700, "state")])
def test_another_user_is_told_whose_the_fleet_is(mode: int, named: str) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        state = Path(name) / "state"
        state.mkdir()
        Path(name).chmod(0o711)
        reading, writing = os.pipe()
        with control.listen(state):
            state.chmod(mode)
            child = os.fork()
            if child == 0:
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                try:
                    control.ask(state, "status", patience=1)
                except RunError as error:
                    os.write(writing, str(error).encode())
                os._exit(0)
            os.close(writing)
            os.waitpid(child, 0)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
    assert said.endswith(f"{named} may not be used by this user; ask as the fleet's own user, or as root")


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


@contextlib.contextmanager
def silent(fleet: Fleet, count: int) -> Iterator[None]:
    """So many callers who say nothing, and others in their place as soon as one is let go."""
    over = threading.Event()

    def call_again() -> None:
        while not over.is_set():
            with socket.socket(socket.AF_UNIX) as one:
                one.settimeout(0.1)
                with contextlib.suppress(OSError):
                    one.connect(str(fleet.state / "control.sock"))
                    while not over.is_set():
                        with contextlib.suppress(TimeoutError):
                            one.recv(1)
                            break

    callers = [threading.Thread(target=call_again) for _ in range(count)]
    for each in callers:
        each.start()
    time.sleep(0.2)
    try:
        yield
    finally:
        over.set()
        for each in callers:
            each.join()


def status_seconds(fleet: Fleet) -> float:
    began = time.monotonic()
    control.ask(fleet.state, "status")
    return time.monotonic() - began


def begun_again_seconds(fleet: Fleet) -> float:
    """How long a group that is killed has no process."""
    before = pids(fleet)["back"]
    began = time.monotonic()
    os.kill(before, signal.SIGKILL)
    eventually(lambda: pids(fleet)["back"] not in (0, before))
    return time.monotonic() - began


def test_fifty_callers_that_say_nothing_hold_nobody_up(tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
    file = config_file(tmp_path, "[fleet]\nbackoff_seconds = 0.2\n")
    with (
        Manager(environment["NOTIFY_SOCKET"]) as manager,
        running(tmp_path / "state", "--config", str(file), environment=environment) as fleet,
    ):
        undisturbed = begun_again_seconds(fleet)
        with silent(fleet, 50):
            took = [status_seconds(fleet) for _ in range(20)]
            assert max(took) < 0.2, took
            fed = manager.hear().count("WATCHDOG=1")
            began = time.monotonic()
            assert ping(fleet) == b"+PONG\r\n"
            assert begun_again_seconds(fleet) < undisturbed + 1
            time.sleep(max(0.0, began + 3 - time.monotonic()))
            # Due each half second, which a turn of as long may double.
            assert manager.hear().count("WATCHDOG=1") - fed >= 3
            assert status_seconds(fleet) < 0.2
            descriptors = len(os.listdir(f"/proc/{pids(fleet)['back']}/fd"))
        assert fleet.process is not None
        before = pids(fleet)["back"]
        os.kill(before, signal.SIGKILL)
        eventually(lambda: fleet.worker("sessions")["state"] == "running" and pids(fleet)["back"] not in (0, before))
        assert abs(len(os.listdir(f"/proc/{pids(fleet)['back']}/fd")) - descriptors) <= 3, "no group keeps a caller"


def test_a_caller_that_trickles_is_cut(fleet: Fleet) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(fleet.state / "control.sock"))
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 10:
                sock.sendall(b" ")
                time.sleep(0.2)
        assert time.monotonic() - began < 3 * callers.ANSWER_SECONDS
    assert fleet.status()["hosts"] == 65536


class Untouched:
    """A fleet of which garbage asks nothing."""

    def status(self) -> Any:
        raise AssertionError("garbage is no question")

    def measured(self) -> control.Measured:
        return self.status()

    def stop(self) -> None:
        self.status()

    def reload(self) -> control.Reloading:
        return self.status()

    def reloading(self) -> control.Reloading:
        return self.status()

    def act(self, do: control.Deed, name: str) -> tuple[str, ...]:
        raise InputError(f"no worker or group of this fleet is called {name!r}")


@contextlib.contextmanager
def answering(folder: Path, fleet: control.Owned, only: str = "") -> Iterator[callers.Callers]:
    """A loop as the supervisor's, in a thread."""
    over = threading.Event()
    selector = selectors.DefaultSelector()
    taker = callers.Callers(control.listen(folder, only), selector, fleet)

    def loop() -> None:
        while not over.is_set():
            for key, _ in selector.select(0.01):
                key.data()
            taker.look(time.monotonic())

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield taker
    finally:
        over.set()
        thread.join()
        taker.close()
        selector.close()


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.binary(max_size=5000), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps)),
    st.integers(1, 5000),
)
def test_whatever_is_asked_is_answered_or_cut(data: str | bytes, at: int) -> None:
    text = (data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data) + b"\n"
    with tempfile.TemporaryDirectory() as name, answering(Path(name), Untouched()):
        said = call(Path(name) / control.NAME, text[:at], text[at:])
    assert said == b"" or json.loads(said)["error"]


class Large(Untouched):
    """Its answer is larger than what a socket holds."""

    def __init__(self) -> None:
        self.stopped = 0

    def measured(self) -> control.Measured:
        return control.Measured(b"m" * 700_000)

    def stop(self) -> None:
        self.stopped += 1


def connected(folder: Path, asks: bytes) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(5)
    one.connect(str(folder / control.NAME))
    one.sendall(asks)
    return one


def test_slow_readers_of_a_large_answer_hold_nobody_up_and_are_cut(tmp_path: Path) -> None:
    with answering(tmp_path, Large()), contextlib.ExitStack() as held:
        slow = [held.enter_context(connected(tmp_path, b'{"do":"metrics"}\n')) for _ in range(50)]
        time.sleep(0.1)
        took = []
        for _ in range(3):  # who is held up is so each time; a machine that does something else holds up one
            began = time.monotonic()
            whole = control.ask(tmp_path, "metrics")
            took.append(time.monotonic() - began)
        assert min(took) < 0.2
        assert len(msgspec.json.decode(whole, type=control.Measured).snapshot) == 700_000
        time.sleep(callers.ANSWER_SECONDS + 0.3)
        got = [len(b"".join(iter(lambda one=one: one.recv(1 << 20), b""))) for one in slow]  # type: ignore[misc]
        assert max(got) < 700_000


def test_who_waits_longest_makes_room(tmp_path: Path) -> None:
    with answering(tmp_path, Large()), contextlib.ExitStack() as held:
        first = held.enter_context(connected(tmp_path, b""))
        time.sleep(0.05)
        for _ in range(callers.MOST_CALLERS):
            held.enter_context(connected(tmp_path, b""))
        assert first.recv(1) == b""
        assert control.ask(tmp_path, "metrics").startswith(b"{")


def test_who_has_hung_up_is_not_obeyed(tmp_path: Path) -> None:
    fleet = Large()
    listener = control.listen(tmp_path)
    connected(tmp_path, b'{"do":"stop"}\n').close()
    with selectors.DefaultSelector() as selector:
        taker = callers.Callers(listener, selector, fleet)
        for key, _ in selector.select(1):
            key.data()
        assert fleet.stopped == 0, "a command that gave up is not carried out later"
        with connected(tmp_path, b'{"do":"stop"}\n') as one:
            one.shutdown(socket.SHUT_WR)
            for key, _ in selector.select(1):
                key.data()
            assert json.loads(one.recv(100))["stopping"]
        assert fleet.stopped == 1
        taker.close()


def test_without_a_descriptor_callers_wait_and_the_loop_does_not_spin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = control.listen(tmp_path)
    with selectors.DefaultSelector() as selector, connected(tmp_path, b'{"do":"metrics"}\n') as one:
        taker = callers.Callers(listener, selector, Large())
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            for key, _ in selector.select(1):
                key.data()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert selector.select(0.01) == []
        taker.look(time.monotonic() + 1)
        for key, _ in selector.select(1):
            key.data()
        assert one.recv(10) == b'{"snapshot'
        taker.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_whatever_accept_lacks_the_loop_does_not_spin(tmp_path: Path, number: int) -> None:
    class Short(socket.socket):
        def accept(self) -> tuple[socket.socket, Any]:
            raise OSError(number, os.strerror(number))

    with Short(fileno=control.listen(tmp_path).detach()) as listener, selectors.DefaultSelector() as selector:
        taker = callers.Callers(listener, selector, Large())
        with connected(tmp_path, b""):
            for key, _ in selector.select(1):
                key.data()
            assert selector.select(0.01) == []
        taker.close()


class Short(Untouched):
    """The machine gives it nothing."""

    def status(self) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def act(self, do: control.Deed, name: str) -> tuple[str, ...]:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (("status",), "Too many open files"),
        (("stop",), "Too many open files"),
        (("reload",), "Too many open files"),
        (("restart", "decoys"), "Resource temporarily unavailable"),
    ],
)
def test_what_fails_in_the_fleet_is_said_at_once_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, ask: tuple[str, ...], why: str
) -> None:
    said = rf"^the supervisor could not answer \({why}\); look at its log with `chaffinch logs`$"
    with answering(tmp_path, Short()), pytest.raises(RunError, match=said):
        control.ask(tmp_path, *ask)
    assert [record.message for record in caplog.records] == ["control.failed"], "and it is not asked again"


def test_a_question_waits_for_room_and_for_whoever_begins(tmp_path: Path) -> None:
    """Nobody takes callers for a while, and more come than may wait."""
    listener = control.listen(tmp_path)
    with contextlib.ExitStack() as held:
        for _ in range(control.BACKLOG + 1):
            held.enter_context(connected(tmp_path, b""))
        with pytest.raises(control.UnansweredError, match=r"the supervisor did not answer within 0\.3 s"):
            control.ask(tmp_path, "status", patience=0.3)
        listener.close()
        with answering(tmp_path, Large()):
            assert control.ask(tmp_path, "metrics", patience=5).startswith(b"{")


def test_the_limits_page_has_these_bounds() -> None:
    page = (Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## Of the supervisor")
    for number in (
        f"{callers.MOST_CALLERS} at once",
        f"{control.BACKLOG} wait",
        f"{callers.ANSWER_SECONDS:.0f} s to ask",
        f"{callers.ASKED_BYTES >> 10} KiB",
        f"{control.MOST_BYTES >> 20} MiB",
        f"{control.PATIENCE_SECONDS:.0f} s, where one supervisor is asked; {asking.ROUND_SECONDS:.0f} s where all are",
        f"{asking.GLANCE_SECONDS} s for all together",
    ):
        assert number in section, number
