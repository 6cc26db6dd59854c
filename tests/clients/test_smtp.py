"""The smtp decoy beside the real Postfix on the same bytes, and real clients against it."""

import asyncio
import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.decoys.smtp import dialogue
from chaffinch.events import Credential, Mail
from tests.clients.smtp_probes import PROBES
from tests.clients.wire import ask_all, free_port, need, run
from tests.decoys.harness import decoy, persona

pytestmark = pytest.mark.clients

SMTPD = Path("/usr/lib/postfix/sbin/smtpd")
MAIN = """compatibility_level = 3.6
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no
append_dot_mydomain = no
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = atlas.corp.example
mydomain = corp.example
mydestination = $myhostname, atlas, corp.example, localhost.corp.example, localhost
mynetworks = 10.255.255.0/30
alias_maps = hash:{root}/etc/aliases
local_recipient_maps = hash:{root}/etc/users $alias_maps
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
recipient_delimiter = +
mailbox_size_limit = 0
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {root}/log
maillog_file_prefixes = {root}
default_transport = discard
local_transport = discard
"""
MASTER = """127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@contextlib.contextmanager
def postfix(root: Path) -> Iterator[tuple[str, int]]:
    """The real server with Debian's default configuration, minus its certificate, for clients outside its networks."""
    program = need("postfix")
    if not SMTPD.exists() or os.geteuid() != 0:
        pytest.skip("Postfix's master needs root")
    port = free_port()
    for name in ("etc", "queue", "data"):
        (root / name).mkdir()
    for directory in (root, *root.parents):
        if directory == root or directory.name.startswith("pytest"):
            directory.chmod(0o755)  # its daemons are not root
    subprocess.run(["chown", "postfix", root / "data"], check=True)
    (root / "etc/main.cf").write_text(MAIN.format(root=root))
    (root / "etc/master.cf").write_text(MASTER.format(port=port))
    (root / "etc/dynamicmaps.cf").touch()
    (root / "etc/aliases").write_text("postmaster: root\nabuse: root\n")
    (root / "etc/users").write_text("root x\nmdavis x\nbackup x\nnobody x\n")
    configuration = str(root / "etc")
    for table in ("postalias", "postmap"):
        source = "aliases" if table == "postalias" else "users"
        subprocess.run([table, "-c", configuration, f"hash:{configuration}/{source}"], check=True)
    with (root / "said").open("wb") as said:  # and no pipe, which the daemons would hold
        done = subprocess.run([program, "-c", configuration, "start"], check=False, stderr=said)
    assert done.returncode == 0, (root / "said").read_text()
    try:
        wait_for(port)
        yield "127.0.0.1", port
    finally:
        subprocess.run([program, "-c", configuration, "stop"], check=True, stderr=subprocess.DEVNULL)


def wait_for(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail("Postfix did not start")


Answers = dict[str, tuple[bytes, str]]


def comparable(answer: tuple[bytes, str]) -> tuple[bytes, str]:
    """An answer without the queue's own name for the message."""
    return re.sub(rb"queued as [0-9A-F]+", b"queued as ID", answer[0]), answer[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    with postfix(tmp_path_factory.mktemp("postfix")) as address:
        yield address


@pytest.fixture(scope="module")
def both(server: tuple[str, int]) -> tuple[Answers, Answers]:
    """What Postfix and the decoy answer to every probe."""

    async def asked() -> tuple[Answers, Answers]:
        async with decoy("smtp", persona("smtp", address="127.0.0.1")) as ours:
            there = (ours.address, ours.port)
            return await asyncio.gather(ask_all(server, PROBES, wait=2), ask_all(there, PROBES, wait=2))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialogue, "ERROR_SECONDS", 0.0)
        return asyncio.run(asked())


@pytest.mark.parametrize("name", PROBES)
def test_answers_every_probe_as_postfix(both: tuple[Answers, Answers], name: str) -> None:
    real, ours = both
    assert comparable(ours[name]) == comparable(real[name])


def test_nmap_names_postfix(server: tuple[str, int]) -> None:
    async def scan(address: str, port: int) -> list[str]:
        _, out = await run("nmap", "-Pn", "-n", "-sV", "-sC", "-p", str(port), address, timeout=110)
        seen = out[out.index("PORT") : out.index("Service detection performed")].replace(str(port), "PORT")
        return sorted(line.strip("|_ ") for line in re.sub(" +", " ", seen).splitlines())

    async def both_scans() -> tuple[list[str], list[str]]:
        async with decoy("smtp", persona("smtp")) as ours:
            return await asyncio.gather(scan(*server), scan(ours.address, ours.port))

    real, ours = asyncio.run(both_scans())
    assert "PORT/tcp open smtp Postfix smtpd" in ours
    assert ours == real


def test_swaks() -> None:
    async def drive() -> None:
        async with decoy("smtp", persona("smtp", auth="yes")) as ours:
            to = ("--server", ours.address, "--port", str(ours.port), "--helo", "client")
            code, out = await run(
                "swaks", *to, "--from", "a@example.net", "--to", "mdavis@corp.example", "--header", "Subject: hello",
                "--body", "one\n.two\n",
            )  # fmt: skip
            assert code == 0, out
            (mail,) = ours.recorded.of(Mail)
            assert (mail.sender, mail.recipients, mail.subject) == ("a@example.net", ("mdavis@corp.example",), "hello")
            assert b"\r\n.two\r\n" in ours.recorded.files[mail.sha256]
            code, out = await run("swaks", *to, "--from", "a@example.net", "--to", "victim@example.org")
            assert code == 24, out
            assert "454 4.7.1 <victim@example.org>: Relay access denied" in out
            login = ("--auth", "LOGIN", "--auth-user", "info", "--auth-password", "summer24")
            code, out = await run("swaks", *to, "--to", "root@corp.example", *login)
            assert code == 28, out
            assert "535 5.7.8 Error: authentication failed" in out
            assert ours.recorded.of(Credential) == [Credential("info", "summer24", "login")]

    asyncio.run(drive())


def test_curl_sends_mail(tmp_path: Path) -> None:
    letter = tmp_path / "letter"
    letter.write_bytes(b"Subject: from curl\r\n\r\n" + b"line\r\n" * 20_000)

    async def drive() -> None:
        async with decoy("smtp", persona("smtp", relay="open")) as ours:
            code, out = await run(
                "curl", "-s", "--url", f"smtp://{ours.address}:{ours.port}/client", "--mail-from", "a@b.c",
                "--mail-rcpt", "victim@example.org", "-T", str(letter),
            )  # fmt: skip
            assert code == 0, out
            (mail,) = ours.recorded.of(Mail)
            assert (mail.subject, mail.kept) == ("from curl", True)
            assert ours.recorded.files[mail.sha256] == letter.read_bytes()

    asyncio.run(drive())


def test_hydra_finds_the_weak_password(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("123456\nletmein\n")

    async def drive() -> None:
        async with decoy("smtp", persona("smtp", auth="yes")) as ours:
            _, out = await run(
                "hydra", "-I", "-t", "1", "-l", "root", "-P", str(words), "-s", str(ours.port), ours.address, "smtp"
            )
            assert "login: root   password: letmein" in out
            assert [fact.secret for fact in ours.recorded.of(Credential)] == ["123456", "letmein"]

    asyncio.run(drive())
