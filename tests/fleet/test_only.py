"""Groups with a supervisor each (`up --only`): one state directory, one picture, one sentence for each conflict."""

import os
import signal
import socket
from pathlib import Path
from urllib.request import urlopen

import msgspec
import pytest

from chaffinch.errors import RunError
from chaffinch.fleet import control
from chaffinch.fleet.state import StateLock
from tests.fleet.running import Fleet, eventually


class Split:
    """The default groups, each under its own supervisor."""

    def __init__(self, state: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.metrics = free.getsockname()[1]
        flags = ("--metrics-port", str(self.metrics))
        self.decoys = Fleet(state, "--only", "decoys", *flags)
        self.back = Fleet(state, "--only", "back", *flags, offset=self.decoys.offset)

    def start_back(self) -> None:
        """Start it, and wait for it: to `status`, the decoys alone are a fleet that serves."""
        self.back.start()
        eventually(lambda: self.groups() == ["back", "decoys"])
        eventually(lambda: {one["state"] for one in self.back.status()["workers"]} == {"running"})

    def groups(self) -> list[str]:
        return [one["name"] for one in self.decoys.status()["groups"]]

    def page(self) -> str:
        """The metrics page, which the back group has."""
        with urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    def end(self) -> None:
        for one in (self.decoys, self.back):
            if one.process is not None and one.process.poll() is None:
                one.stop()


def greeted(fleet: Fleet, service: str = "memcached") -> None:
    with fleet.connect(service) as session:
        session.sendall(b"version\r\n")
        assert session.recv(100).startswith(b"VERSION")


def test_two_supervisors_are_one_fleet_to_their_owner(split: Split) -> None:
    assert len(split.back.status()["workers"]) == 11
    alone = msgspec.json.decode(control.ask(split.decoys.state, "status", socket_name="control-decoys.sock"))
    assert {name: split.back.status()[name] for name in ("silent", "stack", "hosts", "port_offset")} == {
        name: alone[name] for name in ("silent", "stack", "hosts", "port_offset")
    }
    greeted(split.decoys)
    eventually(lambda: split.back.status()["sessions_seen"] == 1)
    rows = eventually(lambda: split.back.json("sessions"))
    assert [row["service"] for row in rows] == ["memcached"], "one group records it, the other one derives it"
    assert 20e6 < split.back.status()["pss_bytes"] < 120e6

    counted = 'chaffinch_sessions_opened_total{service="memcached"} 1'
    eventually(lambda: counted in split.page())
    assert split.decoys.process is not None
    os.kill(split.decoys.process.pid, signal.SIGSTOP)
    try:
        assert counted in split.page(), "what is silent for a while stays counted"
    finally:
        os.kill(split.decoys.process.pid, signal.SIGCONT)


def test_deeds_find_whoever_has_the_worker(split: Split) -> None:
    before = {one["name"]: one["pid"] for one in split.back.status()["groups"]}
    assert split.back.call("stop", "decoy-redis").stdout == "decoy-redis: stopped\n"
    with pytest.raises(ConnectionRefusedError):
        split.back.connect("redis")
    assert split.back.call("start", "decoy-redis").stdout == "decoy-redis: started\n"
    assert split.decoys.call("restart", "back").returncode == 0
    after = {one["name"]: one["pid"] for one in split.back.status()["groups"]}
    assert (after["decoys"], after["back"] != before["back"]) == (before["decoys"], True)
    done = split.back.call("stop", "decoy-reddis")
    assert done.returncode == 1
    assert "is called 'decoy-reddis'; did you mean 'decoy-redis'?" in done.stderr


def test_one_that_dies_leaves_the_other_and_comes_back(split: Split) -> None:
    assert split.back.process is not None
    split.back.process.send_signal(signal.SIGKILL)
    split.back.process.communicate()
    eventually(lambda: split.groups() == ["decoys"])
    greeted(split.decoys)
    split.start_back()
    eventually(lambda: len(split.back.json("sessions")) == 1)


def test_stop_ends_all_of_them(split: Split) -> None:
    done = split.back.call("stop")
    assert (done.returncode, done.stdout) == (0, "stopped\n")
    for one in (split.decoys, split.back):
        assert one.process is not None
        one.process.communicate(timeout=10)
        assert one.process.returncode == 0
    assert not list(split.back.state.glob("control*.sock"))
    assert "no fleet runs on the state directory" in split.back.call("status").stderr


def test_conflicts_are_one_sentence_each(split: Split, tmp_path: Path) -> None:
    whole = split.back.call("up")
    assert whole.returncode == 1
    assert "a fleet of single groups (back, decoys) runs on the state directory" in whole.stderr
    again = split.back.call("up", "--only", "decoys")
    assert again.returncode == 1
    assert split.decoys.process is not None
    assert f"the group 'decoys' runs already (pid {split.decoys.process.pid}) on the state directory" in again.stderr
    unknown = split.back.call("up", "--only", "front")
    assert unknown.returncode == 2
    assert "the configuration has no group 'front'; there are: decoys, back" in unknown.stderr
    for done in (whole, again, unknown):
        assert done.stderr.count("\n") == 1
    assert {one["name"] for one in split.back.status()["groups"]} == {"back", "decoys"}


def test_a_whole_fleet_and_a_group_shut_each_other_out(tmp_path: Path) -> None:
    whole, group, other = StateLock(tmp_path), StateLock(tmp_path, "back"), StateLock(tmp_path, "decoys")
    whole.take()
    whole.sign()
    with pytest.raises(RunError, match=rf"another fleet \(pid {os.getpid()}\) runs on the state directory"):
        group.take()
    whole.release()
    group.take()
    other.take()
    with pytest.raises(RunError, match=r"single groups \(back, decoys\)"):
        whole.take()
    group.release()
    with pytest.raises(RunError, match=r"single groups \(decoys\)"):
        whole.take()
    other.release()
    whole.take()
    whole.release()


def test_a_group_binds_the_ports_of_its_own_services_alone(tmp_path: Path) -> None:
    back = Fleet(tmp_path, "--only", "back")
    back.start()
    try:
        with pytest.raises(ConnectionRefusedError):
            back.connect("memcached")
        assert back.call("up", "--only", "decoys", "--detach", *back.flags[:4]).stdout.startswith("the group 'decoys'")
        greeted(back)
        assert back.call("stop").returncode == 0
    finally:
        back.call("stop")
        assert back.process is not None
        back.process.communicate(timeout=10)


def test_a_budget_is_divided_between_supervisors(tmp_path: Path) -> None:
    back = Fleet(tmp_path, "--only", "back", "--memory", "128M")
    back.start()
    try:
        status = back.status()
        assert status["pss_bytes"] < status["budget_bytes"] < 64 << 20
        assert 10e6 < status["groups"][0]["budget_bytes"] < status["budget_bytes"]
        done = back.call("up", "--only", "decoys", "--memory", "64M")
        assert done.returncode == 2
        assert "cannot hold a supervisor for each group, which takes at least" in done.stderr
        assert "MB decoys + " in done.stderr
    finally:
        back.stop()
