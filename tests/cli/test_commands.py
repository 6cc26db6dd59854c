"""Commands as a user calls them: their exit codes, their sentences, their JSON, their view on a terminal."""

import contextlib
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fleet.running import Fleet, eventually


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CHAFFINCH_")}
    return subprocess.run(
        [sys.executable, "-m", "chaffinch", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean | environment,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("status",), 1, "no fleet runs on the state directory"),
        (("stop",), 1, "no fleet runs on the state directory"),
        (("logs",), 1, "there is no log at"),
        (("events",), 2, "there is no journal at"),
        (("sessions",), 2, "there are no sessions in"),
        (("events", "--kind", "sesion"), 2, "there is no event kind 'sesion'; there are:"),
        (("hosts", "--service", "gopher"), 2, "no host has the service 'gopher'; there are: ftp, http"),
        (("hosts", "10.0.0.1"), 2, "10.0.0.1 is no decoy host; the plan has 127.77.0.0/16"),
        (("hosts", "somewhere"), 2, "'somewhere' is not an IPv4 address"),
        (("up", "--hosts", "127.77.0.1/16"), 2, "write 127.77.0.0/16"),
        (("up", "--hosts", "::1/128"), 2, "IPv6"),
        (("up", "--hosts", "192.168.0.0/24"), 2, "not on loopback"),
        (("up", "--groups", "many"), 2, "one of 'one', 'default', 'split'"),
        (("up", "--memory", "lots"), 2, "'lots' is not a size"),
        (("up", "--port-offset", "60000"), 2, "choose an offset up to"),
        (("up", "--device", "nonesuch0"), 1, "there is no network device 'nonesuch0'"),
        (("up", "--config", "/nonexistent.toml"), 2, "/nonexistent.toml cannot be read"),
        (("upp",), 2, "did you mean 'up'?"),
    ],
)
def test_what_goes_wrong_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...], code: int, part: str) -> None:
    done = call(*arguments, "--state", str(tmp_path))
    assert done.returncode == code, done.stderr
    assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_options_stand_before_or_after_the_command(tmp_path: Path) -> None:
    before = call("--state", str(tmp_path), "hosts", "--limit", "3", "--json")
    after = call("hosts", "--limit", "3", "--json", "--state", str(tmp_path))
    by_variable = call("hosts", "--limit", "3", "--json", CHAFFINCH_STATE=str(tmp_path))
    assert before.stdout == after.stdout == by_variable.stdout
    assert len(json.loads(before.stdout)) == 3


def test_hosts_are_the_same_for_a_seed_and_differ_between_seeds(tmp_path: Path) -> None:
    first = call("hosts", "--limit", "50", "--json", "--state", str(tmp_path / "a"), CHAFFINCH_FLEET_SEED="one")
    again = call("hosts", "--limit", "50", "--json", "--state", str(tmp_path / "b"), CHAFFINCH_FLEET_SEED="one")
    other = call("hosts", "--limit", "50", "--json", "--state", str(tmp_path / "a"), CHAFFINCH_FLEET_SEED="two")
    assert first.stdout == again.stdout
    assert first.stdout != other.stdout
    host = json.loads(first.stdout)[0]
    assert {"address", "hostname", "archetype", "os", "services"} <= host.keys()


def test_every_host_is_listed(tmp_path: Path) -> None:
    listed = json.loads(call("hosts", "--json", "--state", str(tmp_path)).stdout)
    assert len(listed) == 65536
    assert len({host["hostname"] for host in listed}) == 65536
    assert len({host["archetype"] for host in listed}) == 15
    services = {service["name"] for host in listed for service in host["services"]}
    assert services == {"ftp", "http", "memcached", "mysql", "redis", "smtp", "ssh", "telnet"}


def test_init_writes_a_file_that_loads_and_keeps_one_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "c" / "chaffinch.toml"
    assert call("init", str(file)).returncode == 0
    kept = call("init", str(file))
    assert (kept.returncode, "is there already" in kept.stderr) == (2, True)
    assert call("init", str(file), "--force").returncode == 0
    assert call("hosts", "--limit", "1", "--config", str(file), "--state", str(tmp_path)).returncode == 0


def test_doctor_says_what_the_machine_allows(tmp_path: Path) -> None:
    done = call("doctor", "--json", "--state", str(tmp_path), CHAFFINCH_NETWORK_PORT_OFFSET="13131")
    assert done.returncode == 0, done.stdout
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert {
        "python",
        "root",
        "landlock",
        "descriptors",
        "memory",
        "state",
        "plan",
        "device",
        "ports",
    } <= findings.keys()
    assert findings["filter"]["state"] == ("ok" if os.geteuid() == 0 else "note")
    bad = call("doctor", "--state", str(tmp_path), CHAFFINCH_NETWORK_DEVICE="nonesuch0")
    assert bad.returncode == 1
    assert "there is no 'nonesuch0'" in bad.stdout


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m chaffinch hosts --json --state {tmp_path} | head -c 100"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""


def test_the_view_on_a_terminal(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    child, terminal = pty.fork()
    if child == 0:
        os.execve(
            sys.executable,
            [sys.executable, "-m", "chaffinch", "up", "--state", str(tmp_path), *fleet.flags],
            fleet.environment,
        )
    seen = bytearray()

    def shows(pattern: bytes) -> bool:
        with contextlib.suppress(OSError):  # a terminal whose program has ended says EIO
            while select.select([terminal], [], [], 0)[0]:
                seen.extend(os.read(terminal, 65536))
        return re.search(pattern, seen) is not None

    eventually(lambda: shows(rb"65536 decoy hosts on 127\.77\.0\.0/16"), 20)
    eventually(lambda: shows(rb"sessions 0 \(0 open\)   events 0 \(0/s\)   memory \d+\.\d MB"))
    eventually(lambda: shows(rb"decoys +running +\d+\.\d MB"))
    with fleet.connect("redis") as sock:
        sock.sendall(b"PING\r\n")
        assert sock.recv(64) == b"+PONG\r\n"
    eventually(lambda: shows(rb"sessions 1 \("))
    os.write(terminal, b"\x03")
    eventually(lambda: shows(rb"stopped"))
    until = time.monotonic() + 10
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        assert time.monotonic() < until
        time.sleep(0.05)
    os.close(terminal)


def test_help_of_every_command() -> None:
    from chaffinch.cli import COMMANDS

    for command in COMMANDS:
        done = call(command, "--help")
        assert done.returncode == 0
        assert "--state DIR" in done.stdout
    assert call("--version").stdout.startswith("chaffinch 0.")
