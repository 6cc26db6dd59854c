"""Real programs against a whole fleet, and the account of every connection that they make."""

import hashlib
import json
import os
import resource
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.running import SEED, Fleet, eventually, network_namespace, running

pytestmark = pytest.mark.clients

SERVICES = ("ftp", "http", "memcached", "mysql", "redis", "smtp", "ssh", "telnet")
OURS = ("chaffinch", "honeypot", "decoy", "python", "asyncssh", "twisted", "cowrie")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running(tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


def run(*command: str, timeout: float = 60, **more: Any) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **more)


def hosts(fleet: Fleet, service: str, *, system: str = "Debian") -> list[dict[str, Any]]:
    found = fleet.json("hosts", "--service", service, "--limit", "400")
    return [host for host in found if system in host["os"]]


def sessions(fleet: Fleet, service: str) -> int:
    return sum(row["count"] for row in fleet.json("sessions", "--service", service))


@pytest.fixture(scope="module")
def real_ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet on the real ports: nmap sends some of its probes to a product's usual port only."""
    if os.geteuid() != 0:
        pytest.skip("a network namespace needs root")
    with (
        network_namespace() as prefix,
        running(tmp_path_factory.mktemp("real"), offset=0, prefix=prefix) as fleet,
    ):
        yield fleet


def test_nmap_names_the_claimed_products_and_nothing_of_ours(real_ports: Fleet) -> None:
    with ThreadPoolExecutor(len(SERVICES)) as at_once:  # nmap waits most of its time
        found = at_once.map(lambda service: identified(real_ports, service), SERVICES)
    for line, out, one in found:
        assert one["product"].split()[0].lower() in line.lower(), out
        assert one["version"].split("-")[0].split(" ")[0] in line, out
        assert not [word for word in OURS if word in out.lower()]
        assert "service unrecognized" not in out


def identified(fleet: Fleet, service: str) -> tuple[str, str, dict[str, Any]]:
    """What nmap says of one service on the first host that lets it look: its line, all of it, what `hosts` claims."""
    for host in hosts(fleet, service)[:6]:
        one = next(one for one in host["services"] if one["name"] == service)
        command = (*fleet.prefix, "nmap", "-Pn", "-n", "-sV", "-p", str(one["port"]), host["address"])
        done = run(*command, timeout=110)
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"{one['port']}/tcp"))
        assert " open " in line, done.stdout
        if not (
            (service == "redis" and "authentication required" in done.stdout.lower()) or line.endswith("value store")
        ):
            break  # a redis with a password tells nobody its version
    return line, done.stdout, one


@pytest.mark.parametrize("service", SERVICES)
def test_connects_and_sessions_are_all_accounted_for(fleet: Fleet, service: str) -> None:
    before = sessions(fleet, service)
    where = fleet.endpoint(service)
    for _ in range(1000):
        socket.create_connection(where, timeout=5).close()
    for _ in range(1000):
        with socket.create_connection(where, timeout=5) as sock:
            sock.sendall(b"HELP\r\n\x00\x01garbage\r\n")
    eventually(lambda: sessions(fleet, service) - before == 2000, 20)
    rows = fleet.json("sessions", "--service", service)
    eventually(lambda: not [row for row in fleet.json("sessions", "--service", service) if row["ended"] is None], 20)
    assert {row["reason"] for row in rows} <= {"peer", "service", ""}


def test_a_password_guesser_finds_the_weak_account(fleet: Fleet, tmp_path: Path) -> None:
    greeting = fleet_greeting(fleet)
    line = next(line for line in greeting if " ssh " in f" {line.strip()} ")
    target, password = line.split("#")[0].split()[-1], line.rpartition("password: ")[2].strip()
    user, _, address = target.partition("@")
    words = tmp_path / "words"
    words.write_text(f"nope\n{password}\nnever\n", encoding="utf-8")
    port = str(22 + fleet.offset)
    done = run("hydra", "-I", "-t", "1", "-l", user, "-P", str(words), "-s", port, f"ssh://{address}", timeout=100)
    assert f"login: {user}   password: {password}" in done.stdout, done.stdout + done.stderr
    guessed = eventually(lambda: [e for e in fleet.events("--kind", "credential") if e["username"] == user])
    assert ("nope", False) in {(event["secret"], event["accepted"]) for event in guessed}
    assert (password, True) in {(event["secret"], event["accepted"]) for event in guessed}


def fleet_greeting(fleet: Fleet) -> list[str]:
    """The three commands that `up` prints, computed again."""
    from chaffinch.cli.live import to_try
    from chaffinch.config import Config, NetworkSettings
    from chaffinch.fleet import assemble

    settings = Config(network=NetworkSettings(port_offset=fleet.offset))
    described = assemble.describe(settings, SEED.encode())
    return to_try(described.plan, described.personas)


def test_the_three_printed_commands_work(fleet: Fleet) -> None:
    lines = [line.split("#") for line in fleet_greeting(fleet)]
    assert len(lines) == 3
    for line in lines:
        command = line[0].split()
        if command[0] == "ssh":
            if shutil.which("sshpass") is None:
                pytest.skip("sshpass is not installed")
            password = line[1].partition("password: ")[2].strip()
            quiet = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
            command = ["sshpass", "-p", password, "ssh", *quiet, *command[1:], "id"]
        done = run(*command)
        assert done.returncode == 0, done.stderr
        expected = {"curl": "HTTP/1.1", "redis-cli": "redis_version:", "sshpass": "uid="}
        assert expected[command[0]] in done.stdout


def weak_ssh(fleet: Fleet) -> tuple[str, str, str]:
    """A user, a password and an address that let in, from the printed command."""
    line = next(line for line in fleet_greeting(fleet) if line.startswith("ssh "))
    user, _, address = line.split("#")[0].split()[-1].partition("@")
    return user, line.rpartition("password: ")[2].strip(), address


def test_scp_and_sftp_bring_files_that_are_kept_by_their_hash(fleet: Fleet, tmp_path: Path) -> None:
    user, password, address = weak_ssh(fleet)
    quiet = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")
    port = ("-P", str(22 + fleet.offset))
    brought = tmp_path / "brought"
    brought.write_bytes(os.urandom(5000))
    name = hashlib.sha256(brought.read_bytes()).hexdigest()
    done = run("sshpass", "-p", password, "scp", *quiet, *port, str(brought), f"{user}@{address}:/tmp/x")
    assert done.returncode == 0, done.stderr
    command = ("sshpass", "-p", password, "sftp", *quiet, *port, f"{user}@{address}")
    done = run(*command, input=f"get /tmp/x {tmp_path}/back\nls /etc\n")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back").read_bytes() == brought.read_bytes()
    assert "/etc/passwd" in done.stdout
    assert (fleet.state / "quarantine" / name).read_bytes() == brought.read_bytes()
    upload = eventually(lambda: fleet.events("--kind", "upload"))[0]
    assert (upload["sha256"], upload["size"], upload["kept"]) == (name, 5000, True)


def test_mysql_lftp_and_telnet_are_refused_as_the_products_refuse(fleet: Fleet) -> None:
    address, port = fleet.endpoint("mysql")
    where = ("-h", address, "-P", str(port), "-u", "nobody-here", "-pguess", "--protocol=tcp")
    done = run("mysql", *where, "-e", "select 1")
    assert "ERROR 1045 (28000): Access denied for user 'nobody-here'@" in done.stderr
    address, port = fleet.endpoint("ftp")
    script = f"set net:max-retries 1; set ftp:ssl-allow no; open -u nobody-here,guess -p {port} {address}; ls"
    done = run("lftp", "-c", script)
    assert "530" in done.stderr
    address, port = fleet.endpoint("telnet")
    done = run("telnet", address, str(port), input="")
    assert f"Connected to {address}" in done.stdout
    eventually(
        lambda: (
            {"mysql", "ftp"}
            <= {e["service"] for e in fleet.events("--kind", "credential") if e["username"] == "nobody-here"}
        )
    )


def test_swaks_hands_over_a_mail_that_goes_nowhere(fleet: Fleet) -> None:
    host = fleet.json("hosts", "--service", "smtp", "--limit", "1")[0]
    port = next(one["port"] for one in host["services"] if one["name"] == "smtp")
    to = f"root@{host['domain']}"
    command = ("swaks", "--server", host["address"], "--port", str(port), "--from", "a@example.org", "--to", to)
    done = run(*command, "--header", "Subject: hello there")
    assert "queued as" in done.stdout, done.stdout
    mail = eventually(lambda: fleet.events("--kind", "mail"))[0]
    assert (mail["sender"], tuple(mail["recipients"]), mail["subject"]) == ("a@example.org", (to,), "hello there")


def test_five_thousand_silent_connections_leave_room(fleet: Fleet) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 6000:
        pytest.skip(f"this process may open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    where = fleet.endpoint("http")
    before = fleet.status()["pss_bytes"]
    held = []
    try:
        for _ in range(5000):
            sock = socket.create_connection(where, timeout=5)
            sock.sendall(b"GET / HTTP/1.1\r\nX-")
            held.append(sock)
        eventually(lambda: fleet.status()["sessions_open"] >= 5000)
        with socket.create_connection(where, timeout=5) as newcomer:
            newcomer.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert newcomer.recv(64).startswith(b"HTTP/1.1 200")
        grown = fleet.status()["pss_bytes"] - before
        assert grown < 5000 * 16 * 1024
    finally:
        for sock in held:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    eventually(lambda: fleet.status()["sessions_open"] == 0, 20)


def test_the_decoy_group_has_given_up_its_privileges(fleet: Fleet) -> None:
    status = Path(f"/proc/{fleet.group('decoys')['pid']}/status").read_text(encoding="ascii")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == 0
    assert int(fields["CapPrm"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    if os.geteuid() == 0:
        assert int(fields["CapBnd"], 16) == 0


def test_events_follow_shows_what_comes(fleet: Fleet) -> None:
    import sys

    command = [sys.executable, "-m", "chaffinch", "events", "--follow", "--json", "--kind", "command", "--last", "1"]
    follower = subprocess.Popen([*command, "--state", str(fleet.state)], stdout=subprocess.PIPE, text=True)
    try:
        with fleet.connect("redis") as sock:
            sock.sendall(b"ECHO over-here\r\n")
            assert b"over-here" in sock.recv(64)
        assert follower.stdout is not None
        for line in follower.stdout:
            event = json.loads(line)
            if event["line"] == "ECHO over-here":
                break
        assert event["service"] == "redis"
        assert event["address"] == fleet.address("redis")
    finally:
        follower.kill()
        follower.communicate()
