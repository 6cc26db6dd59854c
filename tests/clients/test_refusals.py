"""Decoys that are short of memory beside real servers that are full: the same bytes, the same words in real clients."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.clients import test_smtp
from tests.clients.wire import ask, free_port, need, run
from tests.decoys.accepting import Accepting, accepting
from tests.decoys.harness import persona

pytestmark = pytest.mark.clients

LOCAL = "127.0.0.1"
HELD = 2
"""Connections that each real server takes before it is full."""

NGINX = """daemon off; master_process off; pid {root}/pid; error_log {root}/error.log;
events {{ worker_connections 4; }}
http {{ access_log off; client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f;
uwsgi_temp_path {root}/u; scgi_temp_path {root}/s; server {{ listen 127.0.0.1:{port}; }} }}
"""
VSFTPD = """listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
max_clients=2
secure_chroot_dir={root}/empty
"""

Full = Callable[[Path], contextlib.AbstractContextManager[int]]
"""Starts a real server and fills it; the port that has no more room."""


@contextlib.contextmanager
def filled(port: int, count: int, sent: bytes = b"") -> Iterator[None]:
    """As many connections as the server takes, each of which has said something."""
    with contextlib.ExitStack() as held:
        until = time.monotonic() + 15
        while time.monotonic() < until:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection((LOCAL, port), 5).close()
                break
            time.sleep(0.05)
        time.sleep(0.3)  # what only looked whether it listens is forgotten
        for _ in range(count):
            sock = held.enter_context(socket.create_connection((LOCAL, port), 5))
            sock.sendall(sent)
            time.sleep(0.02)
        time.sleep(0.5)
        yield


@contextlib.contextmanager
def started(*command: str, port: int, count: int, sent: bytes = b"") -> Iterator[int]:
    """A server's process, filled."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([need(command[0]), *command[1:]], **quiet)  # type: ignore[call-overload]
    try:
        with filled(port, count, sent):
            yield port
    finally:
        server.terminate()
        server.wait(20)


def redis(root: Path) -> contextlib.AbstractContextManager[int]:
    port = free_port()
    limits = ("--port", str(port), "--bind", LOCAL, "--save", "", "--maxclients", str(HELD), "--dir", str(root))
    return started("redis-server", *limits, port=port, count=HELD)


def memcached(root: Path) -> contextlib.AbstractContextManager[int]:
    port = free_port()
    # Its own descriptors count, too.
    limits = ("-u", "nobody", "-l", LOCAL, "-p", str(port), "-U", "0", "-c", "16", "-t", "1")
    return started("memcached", *limits, port=port, count=16)


def nginx(root: Path) -> contextlib.AbstractContextManager[int]:
    port = free_port()
    (root / "nginx.conf").write_text(NGINX.format(root=root, port=port))
    where = ("-p", str(root), "-e", str(root / "error.log"), "-c", str(root / "nginx.conf"))
    return started("nginx", *where, port=port, count=3, sent=b"GET / HT")


def vsftpd(root: Path) -> contextlib.AbstractContextManager[int]:
    need("vsftpd")
    if os.geteuid() != 0:
        pytest.skip("vsftpd needs root to change to the user it serves")
    port = free_port()
    (root / "empty").mkdir()
    (root / "conf").write_text(VSFTPD.format(root=root, port=port))
    return started("vsftpd", str(root / "conf"), port=port, count=HELD)


def mariadb(root: Path) -> contextlib.AbstractContextManager[int]:
    port, data = free_port(), root / "data"
    user = ("--user=root",) if os.geteuid() == 0 else ()
    made = (need("mariadb-install-db"), "--no-defaults", f"--datadir={data}", *user)
    subprocess.run(made, check=True, capture_output=True, timeout=120)
    where = (
        f"--datadir={data}",
        f"--socket={root}/s",
        f"--pid-file={root}/p",
        f"--port={port}",
        f"--bind-address={LOCAL}",
    )
    # It takes one more than it says, for an administrator.
    return started("mariadbd", "--no-defaults", *user, *where, "--max-connections=10", port=port, count=11)


def sshd(root: Path) -> contextlib.AbstractContextManager[int]:
    if shutil.which("sshd") is None:
        pytest.skip("sshd is not installed")
    port = free_port()
    subprocess.run([need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", root / "key"], check=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    options = (f"Port={port}", f"ListenAddress={LOCAL}", f"PidFile={root}/pid", f"MaxStartups={HELD}:100:{HELD}")
    flags = [flag for option in options for flag in ("-o", option)]
    # It wants to be called by its whole name.
    return started("/usr/sbin/sshd", "-D", "-h", str(root / "key"), *flags, port=port, count=HELD)


@contextlib.contextmanager
def postfix(root: Path) -> Iterator[int]:
    limited = test_smtp.MAIN.replace("connection_count_limit = 0", f"connection_count_limit = {HELD}")
    assert limited != test_smtp.MAIN
    limited += "smtpd_client_event_limit_exceptions =\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_smtp, "MAIN", limited)
        with test_smtp.postfix(root) as (_, port), filled(port, HELD):
            yield port


REAL: dict[str, Full] = {
    "redis": redis,
    "memcached": memcached,
    "http": nginx,
    "ftp": vsftpd,
    "mysql": mariadb,
    "ssh": sshd,
    "smtp": postfix,
}

CLIENTS: dict[str, tuple[str, ...]] = {
    "redis": ("redis-cli", "-h", LOCAL, "-p", "{port}", "ping"),
    "http": ("curl", "-sS", "--max-time", "5", "http://127.0.0.1:{port}/"),
    "ftp": ("curl", "-sS", "--max-time", "5", "ftp://127.0.0.1:{port}/"),
    "mysql": ("mariadb", "--no-defaults", "-h", LOCAL, "-P", "{port}", "-u", "root", "--skip-ssl", "-e", "select 1"),
    "ssh": (
        *("ssh", "-F", "/dev/null", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oBatchMode=yes"),
        *("-p", "{port}", "root@127.0.0.1", "true"),
    ),
    "smtp": (
        "swaks",
        "--server",
        LOCAL,
        "--port",
        "{port}",
        "--to",
        "root@atlas.corp.example",
        "--from",
        "a@b.example",
    ),
}

PROBES = {"nothing": b"", "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "line": b"QUIT\r\n"}


async def probed(port: int) -> dict[str, tuple[bytes, str]]:
    return {name: await ask((LOCAL, port), sent, wait=3) for name, sent in PROBES.items()}


CURL_EMPTY, CURL_RESET = 52, 56
"""What curl ends with when a server closes without an answer (libcurl-errors(3))."""


async def said(name: str, port: int) -> tuple[int, str]:
    """What the product's own client makes of it, without the port.

    A server that closes before it has read what the client sent resets the connection, and it is a matter of
    microseconds whether it has: the client may say either, of the product as of a decoy.
    """
    command = [part.format(port=port) for part in CLIENTS[name]]
    status, text = await run(*command, timeout=20)
    text = text.replace("read: Connection reset by peer", "Connection closed by remote host")
    text = text.replace("(56) Recv failure: Connection reset by peer", "(52) Empty reply from server")
    status = CURL_EMPTY if status == CURL_RESET else status
    return status, re.sub(rf"\b{port}\b", "PORT", text.replace("Connection reset by", "Connection closed by"))


@contextlib.asynccontextmanager
async def short_of_memory(name: str) -> AsyncIterator[Accepting]:
    async with accepting(name, persona(name, address=LOCAL)) as running:
        running.relief.refuse()
        yield running


@pytest.mark.parametrize("name", REAL)
def test_a_refusal_is_that_of_the_full_product(name: str, tmp_path: Path) -> None:
    async def ours() -> tuple[dict[str, tuple[bytes, str]], tuple[int, str]]:
        async with short_of_memory(name) as running:
            answers = await probed(running.port)
            assert running.acceptor.refused == len(PROBES)
            return answers, await said(name, running.port) if name in CLIENTS else (0, "")

    with REAL[name](tmp_path) as port:
        answers = asyncio.run(probed(port))
        client = asyncio.run(said(name, port)) if name in CLIENTS else (0, "")
    assert {end for _, end in answers.values()} == {"closed"}, "the real server is not full"
    assert asyncio.run(ours()) == (answers, client)


def test_telnet_shows_what_the_daemon_says() -> None:
    async def scenario() -> None:
        async with short_of_memory("telnet") as running:
            texts = []
            for _ in range(5):  # the client does not always print what comes together with the end
                texts.append((await run("telnet", LOCAL, str(running.port), timeout=10))[1])
                assert "Connection closed by foreign host." in texts[-1]
            assert any("telnetd: All network ports in use." in text for text in texts)

    asyncio.run(scenario())


def test_nmap_still_names_the_database() -> None:
    """`Too many connections` is an answer that scanners know: a full host is no stranger than an empty one."""

    async def scenario() -> None:
        async with short_of_memory("mysql") as running:
            command = ("nmap", "-Pn", "-n", "-sV", "-p", str(running.port), LOCAL)
            _, text = await run(*command, timeout=110)
            assert re.search(r"open +mysql +M(ariaDB|ySQL)", text), text

    asyncio.run(scenario())
