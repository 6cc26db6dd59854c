"""The telnet decoy beside the real inetutils-telnetd on the same bytes, and real clients talking to the decoy."""

import asyncio
import contextlib
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import msgspec
import pytest

from chaffinch.events import Command, Credential
from chaffinch.personas.persona import Persona, Service
from tests.decoys.harness import decoy, persona

pytestmark = pytest.mark.clients

TELNETD = "/usr/sbin/telnetd"
REFUSED = bytes.fromhex("fffe25 fffe26 fffc18 fffc20 fffc23 fffc27 fffc24")
AGREED = bytes.fromhex("fffd03 fffc01 fffc22 fffb1f fffd05 fffc21")


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def inetutils() -> Persona:
    return msgspec.structs.replace(persona("telnet"), services=(Service("telnet", 23, "inetutils telnetd", "2.4"),))


@pytest.fixture
def real() -> Iterator[int]:
    """The real daemon behind a loop that accepts and starts it, as inetd does; its port."""
    if not os.access(TELNETD, os.X_OK):
        pytest.skip(f"{TELNETD} is not installed")
    listener = socket.create_server(("127.0.0.1", 0))
    children: list[subprocess.Popen[bytes]] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = listener.accept()
                with accepted:
                    children.append(subprocess.Popen([TELNETD], stdin=accepted, stdout=accepted, stderr=accepted))

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for child in children:
        child.terminate()
        child.wait()


def ask(address: str, port: int, parts: list[bytes], wait: float) -> list[bytes]:
    """What comes after each part within `wait` seconds of silence."""
    with socket.create_connection((address, port)) as connection:
        answers = [heard(connection, wait)]
        for part in parts:
            connection.sendall(part)
            answers.append(heard(connection, wait))
        return answers


def heard(connection: socket.socket, wait: float) -> bytes:
    got = b""
    while select.select([connection], [], [], wait)[0]:
        data = connection.recv(4096)
        if not data:
            return got + b"<closed>"
        got += data
    return got


def neutral(answers: list[bytes]) -> list[bytes]:
    """Answers without what names the machine: kernel, client, terminal, hostname."""
    found = [re.sub(rb"Linux \S+ \([^)]*\) \(pts/\d+\)", b"Linux KERNEL (CLIENT) (TTY)", answer) for answer in answers]
    return [re.sub(rb"\S+ login: ", b"HOST login: ", answer) for answer in found]


PLAYBOOKS = {
    "login": ([REFUSED, AGREED, b"root\r\0", b"wrong\r\0"], 0.5),
    "silence": ([b""], 0.3),
    "http": ([b"GET / HTTP/1.0\r\n\r\n"], 0.3),
    "options": ([REFUSED, AGREED, b"\xff\xfb\x63\xff\xfd\x63", b"\xff\xfd\x06", b"\xff\xf6"], 0.4),
    "half refused": ([REFUSED[6:]], 0.3),
    "offers": ([bytes.fromhex("fffe25 fffe26 fffb18 fffb20 fffb23 fffb27 fffc24")], 0.4),
    "editing": ([REFUSED, AGREED, b"ro\x7f\x7fab\x15cd\r\0"], 0.4),
}


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_the_decoy_answers_as_the_real_daemon(name: str, real: int) -> None:
    parts, wait = PLAYBOOKS[name]

    async def both() -> tuple[list[bytes], list[bytes]]:
        async with decoy("telnet", inetutils()) as running:
            where = ("127.0.0.1", real), (running.address, running.port)
            return await asyncio.gather(*(asyncio.to_thread(ask, *one, parts, wait) for one in where))

    expected, got = asyncio.run(both())
    assert neutral(got) == neutral(expected)


def drive(address: str, port: int, script: list[tuple[bytes, bytes]]) -> bytes:
    """Run the telnet client on a terminal: wait for each text, then type what goes with it; all that was shown."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvp("telnet", ["telnet", address, str(port)])
    shown, at, deadline = b"", 0, time.monotonic() + 20
    try:
        for expected, keys in [*script, (b"closed by foreign host", b"")]:
            while expected not in shown[at:] and time.monotonic() < deadline:
                if select.select([terminal], [], [], 0.2)[0]:
                    try:
                        shown += os.read(terminal, 4096)
                    except OSError:
                        return shown
            at = shown.find(expected, at) + len(expected)
            os.write(terminal, keys)
        return shown
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


@needs("telnet")
@pytest.mark.parametrize("host", [persona("telnet"), inetutils()], ids=["netkit", "inetutils"])
def test_the_telnet_client_logs_in(host: Persona) -> None:
    script = [
        (b"login: ", b"root\r"),
        (b"Password: ", b"letmein\r"),
        (b"# ", b"cd /tmp; echo in $PWD\r"),
        (b"/tmp# ", b"exit\r"),
    ]

    async def scenario() -> None:
        async with decoy("telnet", host) as running:
            shown = await asyncio.to_thread(drive, running.address, running.port, script)
            assert b"in /tmp\r\n" in shown
            assert b"letmein" not in shown
            await running.settled()
            assert running.recorded.of(Credential) == [Credential("root", "letmein", accepted=True)]
            assert [fact.line for fact in running.recorded.of(Command)] == ["cd /tmp; echo in $PWD", "exit"]

    asyncio.run(scenario())


@needs("hydra")
def test_hydra_finds_the_weak_password() -> None:
    async def scenario() -> None:
        async with decoy("telnet", persona("telnet")) as running:
            command = [
                "hydra",
                "-I",
                "-t",
                "1",
                "-l",
                "root",
                "-p",
                "letmein",
                "-s",
                str(running.port),
                running.address,
                "telnet",
            ]
            process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
            out, _ = await asyncio.wait_for(process.communicate(), 60)
            assert b"password: letmein" in out, out.decode()
            assert Credential("root", "letmein", accepted=True) in running.recorded.of(Credential)

    asyncio.run(scenario())


@needs("nmap")
@pytest.mark.parametrize(
    ("product", "named"), [("Linux telnetd", b"Linux telnetd"), ("BusyBox telnetd", b"BusyBox telnetd")]
)
def test_nmap_names_the_product(product: str, named: bytes) -> None:
    async def scenario() -> None:
        host = msgspec.structs.replace(persona("telnet"), services=(Service("telnet", 23, product, ""),))
        async with decoy("telnet", host) as running:
            command = ["nmap", "-sV", "-Pn", "-n", "-p", str(running.port), running.address]
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            out, _ = await asyncio.wait_for(process.communicate(), 60)
            assert named in out, out.decode()
            assert b"chaffinch" not in out.lower()

    asyncio.run(scenario())
