"""One supervisor of several hangs: what its owner sees of the others, may do with them, and is told of it."""

import contextlib
import json
import os
import resource
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.cli.reload import all_reloaded, reloaded
from chaffinch.errors import ChaffinchError, InputError, RunError
from chaffinch.fleet import asking, control
from chaffinch.fleet.state import StateLock
from tests.fleet.reloading import Reloadable
from tests.fleet.running import Fleet, eventually
from tests.fleet.test_control_callers import Untouched, answering
from tests.fleet.test_only import Split, greeted

A_FEW_SECONDS = asking.ROUND_SECONDS + 4
"""The patience of the commands, and starting them on a machine that does something else."""


@contextlib.contextmanager
def hung(fleet: Fleet) -> Iterator[str]:
    """Its supervisor does nothing inside the block; the sentence about it."""
    assert fleet.process is not None
    os.kill(fleet.process.pid, signal.SIGSTOP)
    try:
        yield f"chaffinch: the supervisor of the group 'back' (pid {fleet.process.pid}) did not answer within 5 s; "
    finally:
        os.kill(fleet.process.pid, signal.SIGCONT)


def timed(fleet: Fleet, *words: str) -> tuple[float, Any]:
    began = time.monotonic()
    done = fleet.call(*words)
    return time.monotonic() - began, done


def all_timed(fleet: Fleet, *commands: tuple[str, ...]) -> list[tuple[float, Any]]:
    """Commands given at once: each waits for itself."""
    with ThreadPoolExecutor(len(commands)) as at_once:
        return list(at_once.map(lambda words: timed(fleet, *words), commands))


def test_status_shows_the_others_and_names_the_one(split: Split) -> None:
    assert split.decoys.status()["unanswered"] == []
    with hung(split.back) as sentence:
        (took, done), (_, as_json) = all_timed(split.decoys, ("status",), ("status", "--json"))
        assert took < A_FEW_SECONDS
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.startswith(sentence)
        assert "decoy-redis" in done.stdout
        assert "metrics" not in done.stdout
        assert as_json.returncode == 1
        seen = msgspec.json.decode(as_json.stdout, type=control.Status)
        assert [one.name for one in seen.groups] == ["decoys"]
        assert [(one.group, one.pid) for one in seen.unanswered] == [("back", split.back.process.pid)]  # type: ignore[union-attr]
        assert as_json.stderr == f"chaffinch: {seen.unanswered[0].error}\n"
        greeted(split.decoys)
    eventually(lambda: split.groups() == ["back", "decoys"])


def test_when_all_hang_there_is_a_sentence_and_no_picture(split: Split) -> None:
    with hung(split.back), hung(split.decoys):
        took, done = timed(split.decoys, "status")
    assert took < A_FEW_SECONDS, "they are asked at once"
    assert (done.returncode, done.stdout) == (1, "")
    assert "did not answer within 5 s" in done.stderr


def test_deeds_with_the_others_do_not_wait_for_it(split: Split) -> None:
    with hung(split.back) as sentence:
        took, done = timed(split.decoys, "restart", "decoy-redis")
        assert (done.returncode, done.stdout) == (0, "decoy-redis: restarted\n")
        assert took < asking.ROUND_SECONDS
        asked = (("restart", "metrics"), ("stop", "back"))
        for words, (took, done) in zip(asked, all_timed(split.decoys, *asked), strict=True):
            assert took < A_FEW_SECONDS
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
            assert f"nobody who answers has {words[1]!r}" in done.stderr
            assert sentence.removeprefix("chaffinch: ") in done.stderr
    assert {one["state"] for one in split.back.status()["workers"]} == {"running"}, "and nothing of it is done later"


def test_stop_ends_the_others_and_names_the_one(split: Split) -> None:
    with hung(split.back) as sentence:
        took, done = timed(split.decoys, "stop")
        assert took < A_FEW_SECONDS + 4
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.startswith(sentence)
        assert done.stderr.endswith("; all others have stopped\n")
        assert split.decoys.process is not None
        split.decoys.process.communicate(timeout=10)
    assert split.groups() == ["back"], "a command that gave up is not carried out later"
    assert split.back.call("stop").stdout == "stopped\n"
    assert split.back.process is not None
    split.back.process.communicate(timeout=10)


@pytest.mark.parametrize(("left", "code", "printed"), [((), 0, "stopped\n"), (("b",), 1, "")])
def test_who_did_not_hear_it_and_ended_meanwhile_has_stopped(
    tmp_path: Path, left: tuple[str, ...], code: int, printed: str
) -> None:
    """The processes of a supervisor that was killed may hold its socket for a while."""
    with contextlib.ExitStack() as held:
        for name in ("a", "b"):
            held.enter_context(control.listen(tmp_path, name))
        for name in left:
            lock = StateLock(tmp_path, name)
            lock.take()
            held.callback(lock.release)
        done = Fleet(tmp_path).call("stop")
    assert (done.returncode, done.stdout) == (code, printed)
    assert [f"the group '{name}'" in done.stderr for name in ("a", "b")] == [False, bool(left)]
    assert done.stderr.endswith("; all others have stopped\n") == bool(left)


def test_a_reload_changes_nothing_while_one_does_not_answer(tmp_path: Path) -> None:
    parts = {name: Reloadable(tmp_path) for name in ("decoys", "back")}
    for name, one in parts.items():
        one.offset = parts["decoys"].offset
        one.flags = ("--only", name, *one.flags)
    decoys, back = parts.values()
    decoys.write()
    try:
        decoys.start()
        back.start()
        eventually(lambda: len(decoys.pids()) == 2 and decoys.states() == {"running"})
        before = decoys.since()
        decoys.write("[decoys]\nsession_bytes = '8M'\n[journal]\nqueue_events = 100000")
        with hung(back):
            took, done = timed(decoys, "reload")
            assert took < A_FEW_SECONDS
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
            assert done.stderr.endswith("; nothing was changed\n")
        assert decoys.since() == before
        time.sleep(1)
        assert decoys.since() == before, "nor later"
        done = decoys.call("reload")
        assert (done.returncode, done.stderr) == (0, "")
        assert "sessions: restarted" in done.stdout
        assert "decoy-ssh: restarted" in done.stdout
    finally:
        for one in parts.values():
            if one.process is not None:
                one.stop()


def test_of_a_whole_fleet_too(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.start()
    assert fleet.process is not None
    os.kill(fleet.process.pid, signal.SIGSTOP)
    try:
        for took, done in all_timed(fleet, ("status",), ("stop",), ("reload",)):
            assert took < A_FEW_SECONDS
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
            assert f"the supervisor (pid {fleet.process.pid}) did not answer within 5 s" in done.stderr
    finally:
        os.kill(fleet.process.pid, signal.SIGCONT)
    assert fleet.stop() == 0


def test_metrics_are_not_waited_for_longer_than_a_glance(tmp_path: Path) -> None:
    """However many others there are."""
    with contextlib.ExitStack() as held:
        for name in ("a", "b", "c", "d"):
            held.enter_context(control.listen(tmp_path, name))
        began = time.monotonic()
        assert asking.snapshots(tmp_path, "a") == {}
        assert asking.GLANCE_SECONDS <= time.monotonic() - began < 2 * asking.GLANCE_SECONDS
        with pytest.raises(RunError, match=r"the supervisor of the group 'b' \(pid \d+\) did not answer within 0\.1 s"):
            raise next(
                reply
                for name, reply in control.ask_each(tmp_path, ["control-b.sock"], "status", patience=0.1)
                if isinstance(reply, RunError)
            )


def test_without_descriptors_others_are_not_heard_and_nothing_raises(tmp_path: Path) -> None:
    with control.listen(tmp_path, "b"):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        try:
            for spare in range(4):
                resource.setrlimit(resource.RLIMIT_NOFILE, (highest + spare, limits[1]))
                assert asking.snapshots(tmp_path, "a") == {}
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_one_of_another_version_is_one_sentence(tmp_path: Path) -> None:
    """Its answers lack what this version wants to show."""
    listener = control.listen(tmp_path)
    thread = threading.Thread(target=lambda: [answer_once(listener, b'{"pid":1}\n') for _ in range(3)])
    thread.start()
    try:
        for call in (
            lambda: asking.status(tmp_path),
            lambda: asking.find(tmp_path, "decoys"),
            lambda: reloaded(tmp_path),
        ):
            with pytest.raises(RunError, match="the fleet that runs is of another version of chaffinch"):
                call()
    finally:
        thread.join()
        listener.close()


class Reloading(Untouched):
    """A supervisor that reloads, or refuses."""

    def __init__(
        self, refusal: ChaffinchError | None = None, error: str = "", workers: tuple[control.Reloaded, ...] = ()
    ) -> None:
        self._refusal = refusal
        self._done = control.Reloading(
            1, True, ("decoys.sessions", "network.backlog"), ("network.backlog",), workers=workers, error=error
        )

    def reload(self) -> control.Reloading:
        if self._refusal is not None:
            raise self._refusal
        return self._done

    def reloading(self) -> control.Reloading:
        return self._done


@pytest.mark.parametrize(
    ("second", "raised", "said"),
    [
        (Reloading(InputError("no")), InputError, "no; taken over before by a"),
        (Reloading(RunError("no")), RunError, "no; taken over before by a"),
        (Reloading(error="back"), None, "back; taken over before by a"),
        (Reloading(), None, ""),
    ],
)
def test_a_refusal_in_the_middle_says_who_has_reloaded(
    tmp_path: Path, second: Reloading, raised: type[Exception] | None, said: str
) -> None:
    with answering(tmp_path, Reloading(), "a"), answering(tmp_path, second, "b"):
        if raised is None:
            assert all_reloaded(tmp_path).error == said
        else:
            with pytest.raises(raised, match=said):
                all_reloaded(tmp_path)


@pytest.mark.parametrize(
    ("workers", "printed"),
    [
        ((control.Reloaded("decoy-ssh", "restarted"),), "network.backlog: taken over\ndecoy-ssh: restarted\n"),
        ((), ""),
    ],
)
def test_what_was_taken_over_is_shown_although_not_all_could_be_done(
    tmp_path: Path, workers: tuple[control.Reloaded, ...], printed: str
) -> None:
    """Only a fleet that went back has no workers to tell of, and has taken nothing over."""
    with answering(tmp_path, Reloading(error="it cannot be written", workers=workers)):
        done = Fleet(tmp_path).call("reload")
    assert (done.returncode, done.stdout, done.stderr) == (1, printed, "chaffinch: it cannot be written\n")


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.builds(lambda rest: b'{"error"' + rest + b"\n", st.binary(max_size=100)),
        st.recursive(st.none() | st.text() | st.booleans(), lambda inner: st.dictionaries(st.text(), inner)).map(
            lambda value: json.dumps({"error": value}).encode() + b"\n"
        ),
    )
)
def test_whatever_is_answered_is_an_answer_or_a_sentence(line: bytes) -> None:
    """A supervisor asks others for their metrics, and must not fall over what they say."""
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        with control.listen(state, "b") as listener:
            thread = threading.Thread(target=answer_once, args=(listener, line))
            thread.start()
            with contextlib.suppress(RunError, InputError):
                assert control.ask(state, "status", socket_name="control-b.sock", patience=0.3) == line
            thread.join()


def answer_once(listener: socket.socket, line: bytes) -> None:
    listener.setblocking(True)
    caller, _ = listener.accept()
    with caller:
        caller.recv(4096)
        caller.sendall(line)
