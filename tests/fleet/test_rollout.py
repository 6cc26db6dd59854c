"""A reload as a user sees it: what begins anew, what goes on, and what is taken back. Each kind of setting in turn."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.reloading import Reloadable, answers, free_port, page, refuses, reloadable
from tests.fleet.running import eventually, plug_in

GOPHER = """
from chaffinch.decoys.registry import service


@service("gopher", tcp=7070)
async def serve(session):
    session.write(b"3gopher\\r\\n")
"""

IDLE = """
async def run(context):
    await context.stopping.wait()
"""

UNLUCKY = """
async def run(context):
    raise ValueError("no luck")
"""

BACK = ("retention", "sessions", "metrics")

WITH_MULE = "[fleet]\nworkers = ['mule']\n"

FTP_HOST = "127.77.0.0/24"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Reloadable]:
    with reloadable(tmp_path) as one:
        yield one


def test_a_configuration_as_it_was_touches_nothing(fleet: Reloadable) -> None:
    before = fleet.since(), fleet.pids()
    assert fleet.reload() == ["nothing to do: the configuration is as it was"]
    assert (fleet.since(), fleet.pids()) == before


def test_the_metrics_page_moves_and_nothing_else(fleet: Reloadable) -> None:
    before, processes = fleet.since("metrics"), fleet.pids()
    first, second = free_port(), free_port()
    assert fleet.reload(metrics=first) == ["metrics: restarted"]
    assert "chaffinch_" in page(first)
    assert fleet.reload(metrics=second) == ["metrics: restarted"]
    assert "chaffinch_" in page(second)
    with pytest.raises(urllib.error.URLError):
        page(first)
    assert (fleet.since("metrics"), fleet.pids()) == (before, processes)
    assert fleet.effective()["metrics"]["port"] == second


def test_bounds_of_decoys(fleet: Reloadable) -> None:
    before, processes = fleet.since(), fleet.pids()
    said = fleet.reload("[decoys]\nsessions = 16\noverlay_bytes = '1M'\n")
    assert {line.split(": ")[1] for line in said} == {"restarted"}
    assert {line.split(": ")[0] for line in said} == {name for name in before if name.startswith("decoy-")}
    after = fleet.since()
    assert {name for name in after if after[name] == before[name]} == {"retention", "sessions", "metrics"}
    assert fleet.pids() == processes
    sessions = [fleet.connect("memcached") for _ in range(18)]
    try:
        eventually(lambda: fleet.status()["sessions_open"] == 16)
    finally:
        for one in sessions:
            one.close()


def test_a_service_goes_and_comes_back(fleet: Reloadable) -> None:
    address, port = fleet.endpoint("telnet")
    before, processes = fleet.since("decoy-telnet"), fleet.pids()
    with fleet.connect("memcached") as session:
        assert fleet.reload("[services.telnet]\nenabled = false\n") == ["decoy-telnet: stopped"]
        assert refuses(address, port)
        assert fleet.since() == before
        assert all(one["name"] != "telnet" for host in fleet.json("hosts", "--limit", "50") for one in host["services"])
        assert fleet.reload() == ["decoy-telnet: started"]
        assert answers(address, port)
        session.sendall(b"version\r\n")
        assert session.recv(100).startswith(b"VERSION"), "a session that the change does not concern stays open"
    assert (fleet.since("decoy-telnet"), fleet.pids()) == (before, processes)
    assert fleet.worker("decoy-telnet")["restarts"] == 0


def test_a_service_of_a_plug_in_comes_changes_its_port_and_goes(tmp_path: Path) -> None:
    with reloadable(tmp_path, environment=plug_in(tmp_path, "gopher", GOPHER)) as fleet:
        before, processes = fleet.since(), fleet.pids()
        assert fleet.reload("[services.gopher]\n") == ["decoy-gopher: started"]
        address, port = fleet.endpoint("gopher")
        assert answers(address, port) == b"3gopher\r\n"
        assert fleet.reload("[services.gopher]\nproduct = 'gopherd'\n") == ["decoy-gopher: restarted"]
        assert answers(address, port) == b"3gopher\r\n"
        assert fleet.reload("[services.gopher]\nproduct = 'gopherd'\nport = 7071\n") == ["decoy-gopher: restarted"]
        assert answers(address, port + 1) == b"3gopher\r\n"
        assert refuses(address, port)
        assert fleet.reload() == ["decoy-gopher: stopped"]
        assert refuses(address, port + 1)
        assert (fleet.since(), fleet.pids()) == (before, processes)


def test_other_prefixes_and_the_hosts_that_stay_are_the_same(fleet: Reloadable) -> None:
    rows = fleet.json("hosts", "--service", "ftp", "--limit", "400")
    near = [row["address"] for row in rows if row["address"].startswith("127.77.0.")][:3]
    far = [row["address"] for row in rows if not row["address"].startswith("127.77.0.")][:3]
    port = fleet.endpoint("ftp")[1]
    greetings = {address: answers(address, port) for address in near}
    assert len(set(greetings.values())) > 1
    processes = fleet.pids()
    said = fleet.reload(network=f"hosts = ['{FTP_HOST}', '127.88.0.0/24']")
    assert "decoy-ftp: restarted" in said
    assert not {"sessions: restarted", "retention: restarted"} & set(said)
    assert fleet.pids() == processes
    assert {address: answers(address, port) for address in near} == greetings
    assert fleet.status()["hosts"] == 512
    new = next(
        row["address"] for row in fleet.json("hosts", "--service", "ftp") if row["address"].startswith("127.88.")
    )
    assert answers(new, port).startswith(b"220")
    silent = fleet.status()["silent"]
    for address in far:
        try:
            assert answers(address, port, timeout=1) == b""
            assert not silent
        except TimeoutError:
            assert silent, "the kernel keeps what is no host any more silent"


def is_free(port: int) -> bool:
    """Whether another program may have the port: nobody has it bound, listening or not."""
    with socket.socket() as other:
        try:
            other.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.mark.parametrize("shift", [1, 400])
def test_other_ports_even_where_they_change_hands(fleet: Reloadable, shift: int) -> None:
    """One further, ssh's port (22) is what ftp's (21) becomes."""
    old = {name: fleet.endpoint(name) for name in ("ftp", "ssh", "memcached")}
    processes, back = fleet.pids(), fleet.worker("sessions")["since"]
    said = fleet.reload(offset=fleet.offset + shift)
    assert {line.split(": ")[1] for line in said} == {"restarted"}
    assert len(said) == 8
    address, port = old["ftp"]
    assert answers(address, port + shift).startswith(b"220")
    address, port = old["ssh"]
    assert answers(address, port + shift).startswith(b"SSH-2.0")
    address, port = old["memcached"]
    assert answers(address, port + shift, b"version\r\n").startswith(b"VERSION")
    assert refuses(address, port)
    assert (fleet.pids(), fleet.worker("sessions")["since"]) == (processes, back)
    eventually(lambda: is_free(fleet.offset + 25))  # no process holds what the fleet left
    assert len(fleet.reload()) == 8
    assert answers(address, port, b"version\r\n").startswith(b"VERSION")
    assert refuses(address, port + shift)


def test_what_nobody_begins_anew_for(fleet: Reloadable) -> None:
    before, processes = fleet.since(), fleet.pids()
    said = fleet.reload(
        "[fleet]\nmemory = '300M'\nhealthy_seconds = 50\n[chain]\nthreads = 3\n", network="backlog = 77"
    )
    assert said == [
        f"{path}: taken over" for path in ("fleet.memory", "fleet.healthy_seconds", "network.backlog", "chain.threads")
    ]
    assert fleet.status()["budget_bytes"] == 300 << 20
    assert all(group["budget_bytes"] > 0 for group in fleet.status()["groups"])
    listening = subprocess.run(
        ["ss", "-Hltn", f"sport = :{fleet.endpoint('ftp')[1]}"], capture_output=True, text=True, check=True
    )
    assert listening.stdout.split()[2] == "77"
    assert (fleet.since(), fleet.pids()) == (before, processes)


def test_what_concerns_nobody_that_runs_is_said(fleet: Reloadable) -> None:
    before = fleet.since()
    assert fleet.reload("[capture]\nwindows = 99\nbuffer_bytes = '64K'\n") == [
        "capture.buffer_bytes: taken over",
        "capture.windows: taken over",
    ]
    assert fleet.since() == before


def test_how_a_worker_is_watched_changes_at_once(tmp_path: Path) -> None:
    environment = plug_in(tmp_path, "shaky", UNLUCKY, "workers")
    fails = "[fleet]\nworkers = ['shaky']\nbackoff_seconds = 0.1\nbackoff_limit_seconds = 0.1\ncrash_limit = "
    with reloadable(tmp_path, f"{fails}100000\n", environment=environment) as fleet:
        eventually(lambda: fleet.worker("shaky")["restarts"] > 5)
        before = fleet.since("shaky")
        assert fleet.reload(f"{fails}4\n") == ["fleet.crash_limit: taken over"]
        eventually(lambda: fleet.worker("shaky")["state"] == "failed")
        assert fleet.since("shaky") == before


def test_what_a_process_makes_once_takes_a_new_process(fleet: Reloadable) -> None:
    fleet.connect("redis").close()
    seen = eventually(lambda: fleet.json("sessions"))
    processes = fleet.pids()
    assert len(fleet.reload("[store]\nmax_age_days = 3\n")) == 3
    after = fleet.pids()
    assert after["decoys"] == processes["decoys"]
    assert after["back"] != processes["back"]
    assert len(fleet.reload("[store]\nmax_age_days = 3\n[journal]\nflush_ms = 20\n")) == 11
    assert not set(fleet.pids().values()) & set(after.values())
    assert fleet.json("sessions") == seen
    assert {group["restarts"] for group in fleet.status()["groups"]} == {0}
    fleet.connect("redis").close()
    eventually(lambda: len(fleet.json("sessions")) == len(seen) + 1)


def test_groups_and_what_was_stopped_stays_so(fleet: Reloadable) -> None:
    assert fleet.call("stop", "decoy-redis").returncode == 0
    address, port = fleet.endpoint("redis")
    said = fleet.reload("[fleet.groups]\nfront = ['decoy-ssh', 'decoy-redis']\nback = ['metrics']\n")
    assert "decoy-redis: stopped as before" in said
    assert "decoy-ssh: restarted" in said
    assert set(fleet.pids()) == {"front", "decoys", "back"}
    assert not any("sessions" in line for line in said), "the group back has the workers that it had"
    assert refuses(address, port)
    assert answers(*fleet.endpoint("ssh")).startswith(b"SSH-2.0")
    same = fleet.pids()["decoys"]
    fleet.reload("[fleet.groups]\nfront = ['decoy-redis']\nshells = ['decoy-ssh']\n")
    assert set(fleet.pids()) == {"front", "shells", "decoys", "back"}
    assert fleet.pids()["decoys"] == same
    fleet.reload("[fleet]\ngroups = 'one'\n")
    assert set(fleet.pids()) == {"fleet"}
    assert refuses(address, port)
    assert fleet.call("start", "decoy-redis").returncode == 0
    assert not refuses(address, port)
    assert answers(*fleet.endpoint("ssh")).startswith(b"SSH-2.0")
    assert fleet.states() == {"running"}


def test_a_worker_comes_and_goes(tmp_path: Path) -> None:
    plug_in(tmp_path, "mule", IDLE, "workers")
    both = "[fleet]\nworkers = ['mule', 'donkey']\n"
    with reloadable(tmp_path, environment=plug_in(tmp_path, "donkey", IDLE, "workers")) as fleet:
        decoys, first = fleet.since(*BACK), fleet.pids()
        # Of others' workers nothing is known: they may connect, and what confined their group's process cannot go.
        said = fleet.reload("[fleet]\nworkers = ['mule']\n")
        assert said == ["fleet.workers: taken over", *(f"{name}: restarted" for name in BACK), "mule: started"]
        before, processes = fleet.since(), fleet.pids()
        assert (processes["decoys"], fleet.since(*BACK, "mule")) == (first["decoys"], decoys)
        assert fleet.reload(both) == ["fleet.workers: taken over", "donkey: started"]
        assert fleet.worker("donkey")["state"] == "running"
        assert fleet.since("donkey") == before
        assert fleet.reload("[fleet]\nworkers = ['mule']\n") == ["fleet.workers: taken over", "donkey: stopped"]
        assert (fleet.since(), fleet.pids()) == (before, processes)
        assert "mule: stopped" in fleet.reload()
        assert "mule" not in fleet.since()
        assert fleet.pids()["back"] != processes["back"]


def test_in_split_groups_come_and_go_with_their_workers(tmp_path: Path) -> None:
    with reloadable(tmp_path, "[fleet]\ngroups = 'split'\n") as fleet:
        before, processes = fleet.since("decoy-telnet"), fleet.pids()
        said = fleet.reload("[fleet]\ngroups = 'split'\n[services.telnet]\nenabled = false\n")
        assert said == ["decoy-telnet: stopped"]
        assert fleet.since() == before
        assert "decoy-telnet" not in fleet.pids()
        assert fleet.reload("[fleet]\ngroups = 'split'\n") == ["decoy-telnet: started"]
        assert answers(*fleet.endpoint("telnet"))
        assert fleet.pids() | {"decoy-telnet": 0} == processes | {"decoy-telnet": 0}


def test_a_worker_that_does_not_start_takes_all_of_it_back(tmp_path: Path) -> None:
    for name, source in (("mule", IDLE), ("shaky", UNLUCKY)):
        plug_in(tmp_path, name, source, "workers")
    with reloadable(tmp_path, WITH_MULE, environment=plug_in(tmp_path, "gopher", GOPHER)) as fleet:
        before, processes, written = fleet.since(), fleet.pids(), fleet.effective()
        fleet.write("[fleet]\nworkers = ['mule', 'shaky']\n[services.gopher]\nport = 7070\n[decoys]\nsessions = 99\n")
        done = fleet.call("reload")
        assert (done.returncode, done.stdout) == (1, "")
        assert "shaky does not start: ValueError: no luck; the fleet runs on with the configuration" in done.stderr
        after = fleet.since()
        assert set(after) == set(before)
        assert {name for name in after if after[name] != before[name]} == {n for n in before if n.startswith("decoy-")}
        assert (fleet.pids(), fleet.states(), fleet.effective()) == (processes, {"running"}, written)
        assert refuses(fleet.address("ftp"), 7070 + fleet.offset)
        assert answers(*fleet.endpoint("ssh")).startswith(b"SSH-2.0")
        assert fleet.reload(WITH_MULE) == ["nothing to do: the configuration is as it was"]


def test_back_from_other_ports_and_groups(tmp_path: Path) -> None:
    environment = plug_in(tmp_path, "shaky", UNLUCKY, "workers")
    with reloadable(tmp_path, environment=environment) as fleet:
        ssh = fleet.endpoint("ssh")
        fleet.write("[fleet]\nworkers = ['shaky']\n[fleet.groups]\nfront = ['decoy-ssh']\n", offset=fleet.offset + 1)
        assert fleet.call("reload").returncode == 1
        assert set(fleet.pids()) == {"decoys", "back"}
        assert fleet.states() == {"running"}
        assert answers(*ssh).startswith(b"SSH-2.0")
        assert refuses(fleet.address("memcached"), fleet.endpoint("memcached")[1] + 1)
        fleet.reload("[fleet.groups]\nfront = ['decoy-ssh']\n", offset=fleet.offset + 1)
        assert answers(ssh[0], ssh[1] + 1).startswith(b"SSH-2.0")


def test_a_group_that_is_killed_meanwhile_comes_back_with_the_new_configuration(fleet: Reloadable) -> None:
    fleet.write(offset=fleet.offset + 1)
    decoys, back = fleet.pids()["decoys"], fleet.pids()["back"]
    address, port = fleet.endpoint("memcached")
    with subprocess.Popen(
        [sys.executable, "-m", "chaffinch", "reload", "--state", str(fleet.state)], stdout=subprocess.PIPE, text=True
    ) as one:
        eventually(lambda: b"reload.began" in (fleet.state / "fleet.log").read_bytes())
        os.kill(decoys, signal.SIGKILL)
        os.kill(back, signal.SIGKILL)
        said, _ = one.communicate(timeout=60)
    assert one.returncode == 0
    assert "decoy-memcached: restarted" in said
    eventually(lambda: fleet.states() == {"running"})
    assert answers(address, port + 1, b"version\r\n").startswith(b"VERSION")
    assert refuses(address, port)
    assert fleet.group("decoys")["restarts"] == 1


@pytest.mark.root
def test_the_tap_follows_the_plan(tmp_path: Path) -> None:
    """What no listener gets of the new hosts is seen, and of what is no host any more it is not."""
    if os.geteuid() != 0:
        pytest.skip("a packet socket needs root")
    tap = "[capture]\nenabled = true\nwindow_seconds = 1\n"
    with reloadable(tmp_path, tap) as fleet:

        def probed() -> set[str]:
            return {row["address"] for row in fleet.events("--kind", "packet.probe")}

        closed = fleet.offset + 7
        assert refuses("127.77.0.9", closed)
        eventually(lambda: "127.77.0.9" in probed())
        back = fleet.pids()["back"]
        assert "capture: restarted" in fleet.reload(tap, network="hosts = ['127.88.0.0/24']")
        assert fleet.pids()["back"] == back
        assert refuses("127.77.0.10", closed)
        assert refuses("127.88.0.9", closed)
        eventually(lambda: "127.88.0.9" in probed())
        assert "127.77.0.10" not in probed()
        said = fleet.reload(f"{tap}windows = 64\n", network="hosts = ['127.88.0.0/24']")
        assert said == ["capture: restarted"]


def test_a_supervisor_for_each_group_reloads_in_its_turn(tmp_path: Path) -> None:
    whole = Reloadable(tmp_path)
    whole.write("[fleet]\nmemory = '200M'\n")
    parts = [Reloadable(tmp_path) for _ in range(2)]
    for one, group in zip(parts, ("decoys", "back"), strict=True):
        one.offset = whole.offset
        one.flags = ("--only", group, *whole.flags)
    whole.write("[fleet]\nmemory = '200M'\n")
    decoys, back = parts
    try:
        decoys.start()
        back.start()
        eventually(lambda: len(whole.pids()) == 2 and whole.states() == {"running"})
        before, processes = whole.since("metrics", "decoy-telnet"), whole.pids()
        budgets = {group["name"]: group["budget_bytes"] for group in whole.status()["groups"]}
        metrics = free_port()
        said = whole.reload("[fleet]\nmemory = '260M'\n[services.telnet]\nenabled = false\n", metrics=metrics)
        assert said == ["fleet.memory: taken over", "metrics: restarted", "decoy-telnet: stopped"]
        assert (whole.since("metrics"), whole.pids()) == (before, processes)
        assert all(group["budget_bytes"] > budgets[group["name"]] for group in whole.status()["groups"])
        assert whole.effective()["fleet"]["memory"] == 260 << 20
        assert "chaffinch_" in page(metrics)
        whole.write("[fleet]\nmemory = '260M'\ngroups = 'one'\n")
        done = whole.call("reload")
        assert done.returncode == 2
        assert "fleet.groups" in done.stderr
        assert whole.pids() == processes
    finally:
        for one in parts:
            if one.process is not None and one.process.poll() is None:
                one.stop()
