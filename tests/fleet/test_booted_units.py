"""The units under a real systemd: the fleet serves with all that they deny, and they do what they say."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from chaffinch.config import Config
from chaffinch.fleet.cgroups import SUPERVISOR
from chaffinch.fleet.units import TOKEN
from tests.chat.test_token import TEXT
from tests.fleet.booted import SYSTEMD, WHERE, Machine, booted, discord_in
from tests.fleet.running import eventually
from tests.fleet.test_kernel_cgroups import is_counted
from tests.fleet.test_units import PAGE, settings, unit_of_the_guide, written

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0 or not SYSTEMD, reason="needs root and systemd"),
]


def status(machine: Machine) -> dict[str, Any]:
    done = machine.chaffinch("status", "--json")
    return json.loads(done.stdout) if done.returncode == 0 else {"groups": [], "workers": []}


def capabilities(machine: Machine, pid: object) -> str:
    """Those in effect, as the kernel shows them."""
    text = machine.run("cat", f"/proc/{pid}/status").stdout
    return next(line.split()[1] for line in text.splitlines() if line.startswith("CapEff"))


def place(machine: Machine, service: str, port: int) -> str:
    """A host that has the service on that port; others may have it elsewhere."""
    rows = json.loads(machine.chaffinch("hosts", "--service", service, "--limit", "200", "--json").stdout)
    return next(
        str(row["address"])
        for row in rows
        if any((one["name"], one["port"]) == (service, port) for one in row["services"])
    )


def visited(machine: Machine, offset: int) -> None:
    """Real clients find the services, ssh up to its key exchange, and what they did is recorded."""
    web, shell, store = (
        place(machine, name, offset + port) for name, port in (("http", 80), ("ssh", 22), ("redis", 6379))
    )
    page = machine.run(
        "curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", f"http://{web}:{offset + 80}/"
    )
    assert page.stdout in ("200", "301", "302", "401", "403"), page
    keys = machine.run("ssh-keyscan", "-T", "20", "-p", str(offset + 22), shell)
    assert "ssh-" in keys.stdout, keys
    pong = machine.run("redis-cli", "-h", store, "-p", str(offset + 6379), "ping")
    assert "PONG" in pong.stdout or "NOAUTH" in pong.stdout, pong
    seen = eventually(
        lambda: (
            {row["service"] for row in json.loads(machine.chaffinch("sessions", "--json").stdout or "[]")}
            >= {"http", "ssh", "redis"}
        )
    )
    assert seen


def with_environment(texts: dict[str, str], *variables: str) -> dict[str, str]:
    """The units with what their configuration files would say."""
    lines = "".join(f"Environment={variable}\n" for variable in variables)
    return {name: text.replace("[Service]\n", f"[Service]\n{lines}") for name, text in texts.items()}


def test_the_fleet_serves_within_its_unit(tmp_path: Path) -> None:
    texts = written(settings(tmp_path, "[fleet]\nmemory = '128M'\n"), WHERE)
    with booted(tmp_path, with_environment(texts, "CHAFFINCH_FLEET_MEMORY=128M")) as machine:
        began = time.monotonic()
        done = machine.run("systemctl", "start", "chaffinch")
        took = time.monotonic() - began
        assert done.returncode == 0, (done, machine.run("cat", "/var/lib/chaffinch/fleet.log").stdout)
        assert took < 10, "systemctl returns when the fleet has said that it serves"
        assert machine.shows("chaffinch", "StatusText") == "65536 decoy hosts"
        visited(machine, 20000)
        main = machine.shows("chaffinch", "MainPID")
        groups = {one["name"]: one for one in status(machine)["groups"]}
        assert capabilities(machine, main) == "0" * 16
        assert "landlock" in str(groups["decoys"]["confined"]), "what the unit denies leaves Landlock to the groups"
        limits = machine.run("cat", f"/proc/{groups['decoys']['pid']}/limits").stdout
        bound = next(line.split()[3] for line in limits.splitlines() if line.startswith("Max data size"))
        assert int(bound) > int(str(groups["decoys"]["budget_bytes"])) > 0, "nor do they lose their own last bound"
        machine.run("kill", "-9", str(groups["decoys"]["pid"]))
        eventually(lambda: any(one["name"] == "decoys" and one["restarts"] for one in status(machine)["groups"]))
        assert machine.shows("chaffinch", "MainPID") == main
        machine.run("kill", "-9", main)
        eventually(lambda: machine.shows("chaffinch", "NRestarts") == "1", 15)
        eventually(lambda: machine.shows("chaffinch", "ActiveState") == "active", 15)
        visited(machine, 20000)
        assert machine.run("systemctl", "stop", "chaffinch").returncode == 0
        assert machine.shows("chaffinch", "Result") == "success"
        log = machine.run("cat", "/var/lib/chaffinch/fleet.log").stdout
        assert "beat.stale" not in log
        assert "Traceback" not in log


def cgroups(machine: Machine, unit: str) -> dict[str, list[str]]:
    """The processes of each cgroup below the unit's."""
    folder = f"/sys/fs/cgroup{machine.shows(unit, 'ControlGroup')}"
    each = "for one in $(find . -mindepth 2 -name cgroup.procs); do echo $one $(cat $one); done"
    found = machine.run("sh", "-c", f"cd {folder} && {each}")
    return {line.split()[0].split("/")[1]: line.split()[1:] for line in found.stdout.splitlines()}


@pytest.mark.skipif(not is_counted(), reason="needs cgroup v2 with memory")
def test_each_group_has_a_cgroup_below_the_units(tmp_path: Path) -> None:
    texts = written(settings(tmp_path, "[fleet]\nmemory = '128M'\n"), WHERE)
    with booted(tmp_path, with_environment(texts, "CHAFFINCH_FLEET_MEMORY=128M")) as machine:
        done = machine.run("systemctl", "start", "chaffinch")
        assert done.returncode == 0, (done, machine.run("cat", "/var/lib/chaffinch/fleet.log").stdout)
        for begun in (1, 2):
            groups = {one["name"]: one for one in status(machine)["groups"]}
            expected = {name: [str(one["pid"])] for name, one in groups.items()}
            main = machine.shows("chaffinch", "MainPID")
            assert cgroups(machine, "chaffinch") == expected | {SUPERVISOR: [main]}
            log = machine.run("cat", "/var/lib/chaffinch/fleet.log").stdout
            assert log.count("cgroup.used") == begun, "a fleet that was killed leaves nothing in the way"
            assert "cgroup.not_entered" not in log
            if begun == 1:
                machine.run("kill", "-9", main)
                eventually(lambda: machine.shows("chaffinch", "NRestarts") == "1", 15)
                eventually(lambda: machine.shows("chaffinch", "ActiveState") == "active", 15)
        mount = machine.run("grep", "/sys/fs/cgroup", f"/proc/{main}/mountinfo").stdout.splitlines()
        writable = [line.split()[4] for line in mount if "rw" in line.split()[5].split(",")]
        assert writable == [f"/sys/fs/cgroup{machine.shows('chaffinch', 'ControlGroup')}"], "all else is read-only"
        machine.run("systemctl", "daemon-reload")
        assert cgroups(machine, "chaffinch").keys() == expected.keys() | {SUPERVISOR}
        folder = f"/sys/fs/cgroup{machine.shows('chaffinch', 'ControlGroup')}"
        assert machine.run("systemctl", "stop", "chaffinch").returncode == 0
        assert machine.run("ls", folder).returncode != 0
        assert "cgroup.left" not in machine.run("cat", "/var/lib/chaffinch/fleet.log").stdout


@pytest.mark.skipif(not is_counted(), reason="needs cgroup v2 with memory")
def test_the_units_limit_is_the_budget_where_none_is_stated(tmp_path: Path) -> None:
    texts = written(Config(), WHERE)
    texts["chaffinch.service"] = texts["chaffinch.service"].replace("[Service]\n", "[Service]\nMemoryMax=128M\n")
    with booted(tmp_path, texts) as machine:
        assert machine.run("systemctl", "start", "chaffinch").returncode == 0
        assert status(machine)["budget_bytes"] == 128 << 20
        assert cgroups(machine, "chaffinch").keys() == {SUPERVISOR, "decoys", "back"}
        visited(machine, 20000)
        machine.run("systemctl", "set-property", "--runtime", "chaffinch", "MemoryMax=160M")
        eventually(lambda: status(machine)["budget_bytes"] == 160 << 20)


@pytest.mark.skipif(not is_counted(), reason="needs cgroup v2 with memory")
def test_without_delegation_groups_have_no_cgroups(tmp_path: Path) -> None:
    text = written(Config(), WHERE)["chaffinch.service"]
    lines = [line for line in text.splitlines() if not line.startswith(("Delegate=", "ReadWritePaths="))]
    text = "\n".join(lines).replace("[Service]\n", "[Service]\nMemoryMax=128M\n")
    with booted(tmp_path, {"chaffinch.service": text}) as machine:
        assert machine.run("systemctl", "start", "chaffinch").returncode == 0
        assert status(machine)["budget_bytes"] == 128 << 20
        assert cgroups(machine, "chaffinch") == {}
        log = machine.run("cat", "/var/lib/chaffinch/fleet.log").stdout
        assert log.count("cgroup.") == log.count("cgroup.not_used") == 1
        visited(machine, 20000)


def test_real_ports_are_bound_and_the_groups_give_the_capability_up(tmp_path: Path) -> None:
    config = settings(tmp_path, "[network]\nport_offset = 0\n")
    with booted(tmp_path, with_environment(written(config, WHERE), "CHAFFINCH_NETWORK_PORT_OFFSET=0")) as machine:
        done = machine.run("systemctl", "start", "chaffinch")
        assert done.returncode == 0, (done, machine.run("cat", "/var/lib/chaffinch/fleet.log").stdout)
        visited(machine, 0)
        assert capabilities(machine, machine.shows("chaffinch", "MainPID")) == f"{1 << 10:016x}"
        for group in status(machine)["groups"]:
            assert capabilities(machine, group["pid"]) == "0" * 16, group


def test_capture_sees_a_scan_and_the_groups_give_the_capability_up(tmp_path: Path) -> None:
    config = settings(tmp_path, "[capture]\nenabled = true\n")
    with booted(tmp_path, with_environment(written(config, WHERE), "CHAFFINCH_CAPTURE_ENABLED=true")) as machine:
        done = machine.run("systemctl", "start", "chaffinch")
        assert done.returncode == 0, (done, machine.run("cat", "/var/lib/chaffinch/fleet.log").stdout)
        machine.run("bash", "-c", "echo > /dev/tcp/127.77.3.9/81")
        shown = eventually(lambda: machine.chaffinch("events", "--kind", "packet.probe", "--json").stdout)
        assert json.loads(shown.splitlines()[0])["ports"] == "81"
        for group in status(machine)["groups"]:
            assert capabilities(machine, group["pid"]) == "0" * 16, group


def test_silence_is_what_the_page_says_to_add(tmp_path: Path) -> None:
    drop_in = PAGE.read_text(encoding="utf-8").split("```ini\n[Service]\n")[1].split("```")[0]
    assert "CAP_NET_ADMIN" in drop_in
    text = written(Config(), WHERE)["chaffinch.service"].replace("\n[Install]", f"{drop_in}\n[Install]")
    with booted(tmp_path, {"chaffinch.service": text}) as machine:
        assert machine.run("systemctl", "start", "chaffinch").returncode == 0
        shown = status(machine)
        assert shown["silent"]
        for group in shown["groups"]:
            assert capabilities(machine, group["pid"]) == "0" * 16, group


def test_what_cannot_be_is_not_tried_again(tmp_path: Path) -> None:
    texts = with_environment(written(Config(), WHERE), "CHAFFINCH_NETWORK_HOSTS=10.0.0.0/8")
    with booted(tmp_path, texts) as machine:
        assert machine.run("systemctl", "start", "chaffinch").returncode == 1
        time.sleep(2)
        assert machine.shows("chaffinch", "ActiveState") == "failed"
        assert machine.shows("chaffinch", "NRestarts") == "0"
        assert machine.shows("chaffinch", "ExecMainStatus") == "2"


def test_each_group_is_a_unit_of_its_own(tmp_path: Path) -> None:
    with booted(tmp_path, written(Config(), WHERE, split=True)) as machine:
        decoys, back = "chaffinch@decoys.service", "chaffinch@back.service"
        done = machine.run("systemctl", "start", decoys, back)
        assert done.returncode == 0, (done, machine.run("cat", "/var/lib/chaffinch/fleet.log").stdout)
        visited(machine, 20000)
        page = ("curl", "-s", "-m", "10", "http://127.0.0.1:9477/metrics")
        # What the other unit counts is in it.
        eventually(lambda: 'chaffinch_sessions_opened_total{service="http"} 1' in machine.run(*page).stdout)
        main = machine.shows(decoys, "MainPID")
        assert machine.run("systemctl", "restart", back).returncode == 0
        assert machine.shows(decoys, "MainPID") == main
        machine.run("kill", "-9", main)
        eventually(lambda: machine.shows(decoys, "NRestarts") == "1", 15)
        eventually(lambda: machine.shows(decoys, "ActiveState") == "active", 15)
        assert machine.shows(back, "NRestarts") == "0"
        assert {one["name"] for one in status(machine)["groups"]} == {"decoys", "back"}
        assert machine.chaffinch("stop").stdout == "stopped\n"
        eventually(lambda: machine.shows(decoys, "ActiveState") == machine.shows(back, "ActiveState") == "inactive")


def test_the_bots_token_is_in_its_own_unit_alone(tmp_path: Path) -> None:
    """Of the fleet's instances, and of the service that the guide writes down for a bot without a fleet."""
    texts = written(settings(tmp_path, "[bot]\nenabled = true\n"), WHERE, split=True)
    texts["bot.service"] = unit_of_the_guide().replace("/usr/local/bin/chaffinch", " ".join(WHERE.program))
    texts = {name: text.replace(str(TOKEN), "/run/discord-token") for name, text in texts.items()}
    units = ("chaffinch@decoys", "chaffinch@out", "bot")
    texts = with_environment(texts, "CHAFFINCH_BOT_ENABLED=true")
    with booted(tmp_path, texts) as machine, discord_in(machine) as fake:
        machine.run("sh", "-c", f"umask 077; echo {TEXT} > /run/discord-token")
        done = machine.run("systemctl", "start", *units)
        assert done.returncode == 0, (done, machine.run("cat", "/var/lib/chaffinch/fleet.log").stdout)
        eventually(lambda: json.loads(machine.run("curl", "-s", f"{fake}/_world/counts").stdout)["sessions"] == 2)
        bot = next(one for one in status(machine)["workers"] if one["name"] == "bot")
        assert (bot["state"], bot["restarts"]) == ("running", 0)
        for unit in units:
            seen = ("nsenter", "-t", machine.shows(unit, "MainPID"), "-m", "find", "/run/credentials", "-type", "f")
            assert len(machine.run(*seen).stdout.splitlines()) == (unit != "chaffinch@decoys"), unit
        assert machine.run("systemctl", "stop", *units).returncode == 0
        assert machine.shows("bot", "ExecMainStatus") == "0"
