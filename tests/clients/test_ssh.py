"""Real clients talk to the ssh decoy, and the real sshd answers the same bytes beside it."""

import asyncio
import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from chaffinch.decoys.overlay import Overlays
from chaffinch.decoys.ssh.algorithms import RELEASES
from chaffinch.decoys.ssh.sftp import SftpServer
from chaffinch.decoys.ssh.wire import Reader, packet, parse_kexinit, string
from chaffinch.decoys.view import View
from chaffinch.events import Command, Credential, SessionClosed, Upload
from chaffinch.personas.files import Files
from tests.decoys.harness import PRODUCTS, Decoy, decoy, persona, read_quietly
from tests.decoys.test_ssh_preamble import kexinit, message, sent

pytestmark = pytest.mark.clients

QUIET = ("-F", "/dev/null", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR")
IDENT = b"SSH-2.0-x\r\n"


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None and not Path(f"/usr/sbin/{program}").exists():
            pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real sshd with Debian's configuration; its keys are made for this run."""
    need("sshd", "ssh-keygen")
    directory = tmp_path_factory.mktemp("sshd")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = [f"Port={port}", "ListenAddress=127.0.0.1", f"PidFile={directory}/pid", "MaxStartups=100"]
    for kind in ("rsa", "ecdsa", "ed25519"):
        key = str(directory / kind)
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", key], check=True)
        options.append(f"HostKey={key}")
    Path("/run/sshd").mkdir(exist_ok=True)
    flags = [flag for option in options for flag in ("-o", option)]
    config = "/etc/ssh/sshd_config"
    with subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config, *flags], stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()


@contextlib.asynccontextmanager
async def served(address: str = "127.77.3.9", **options: str) -> AsyncIterator[Decoy]:
    async with decoy("ssh", persona("ssh", address=address, **{"fail_delay": "0", **options})) as running:
        yield running


async def run(*command: str, given: bytes = b"", seconds: float = 30.0) -> tuple[int, str]:
    """A program's exit status and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(given), seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode("utf-8", "replace")


def ssh(running: Decoy, *rest: str, password: str = "letmein") -> tuple[str, ...]:
    return ("sshpass", "-p", password, "ssh", *QUIET, f"-p{running.port}", f"root@{running.address}", *rest)


# Against the real sshd


BYTES = [
    b"",
    b"SSH-1337-OpenSSH_9.0\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"\n",
    b"SSH-1.5-x\r\n",
    b"SSH-1.99-x\r\n",
    b"SSH-2.0-x\n",
    b"SSH-2.0-\r\n",
    b"A" * 300,
    b"A" * 9000,
    b"SSH-2.0-x\0\r\n",
    IDENT + b"GET / HTTP/1.0\r\n\r\n",
    IDENT + message(2, string(b"x")) + sent(kexinit()),
    IDENT + message(5, string(b"ssh-userauth")),
    IDENT + message(192),
    IDENT + message(50),
    IDENT + b"\0\0\0\x0c\x03\x02" + bytes(64),
    IDENT + sent(kexinit((b"nope",))),
    IDENT + sent(kexinit()) + message(5),
    IDENT + sent(kexinit()) + message(30, string(b"short")),
    IDENT + sent(kexinit()) + message(30, string(bytes([9]) + bytes(31)) + b"zz"),
    IDENT + sent(kexinit((b"curve25519-sha256", b"kex-strict-c-v00@openssh.com"))) + message(2),
    IDENT + sent(kexinit((b"diffie-hellman-group-exchange-sha256",))) + message(30, bytes(4)),
]


async def answers(address: str, port: int, data: bytes) -> tuple[bytes, list[bytes], bool]:
    """The identification line and text before packets, the payloads of the packets, and whether the server closed."""
    reader, writer = await asyncio.open_connection(address, port)
    with contextlib.suppress(OSError):
        writer.write(data)
        await writer.drain()
        # It says its last only when what it said before was acknowledged, and a reset takes that away.
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    got = await read_quietly(reader, 3)
    closed = reader.at_eof() or reader.exception() is not None
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    first, end, rest = got.partition(b"\r\n")
    payloads = []
    while len(rest) > 4 and rest[0] == 0:
        length = int.from_bytes(rest[:4], "big")
        payloads.append(rest[5 : 4 + length - rest[4]])
        rest = rest[4 + length :]
    return first + end + rest, payloads, closed


def without_cookie(payloads: list[bytes]) -> list[bytes]:
    return [payload[:1] + payload[17:] if payload[:1] == b"\x14" else payload for payload in payloads]


def test_the_same_bytes_get_the_same_answers(sshd: int) -> None:
    async def compare() -> None:
        async with served() as running:
            where = (("127.0.0.1", sshd), (running.address, running.port))
            asked = [answers(*one, data) for data in BYTES for one in where]
            answered = await asyncio.gather(*asked)
            for data, real, ours in zip(BYTES, answered[::2], answered[1::2], strict=True):
                assert (ours[0], without_cookie(ours[1]), ours[2]) == (real[0], without_cookie(real[1]), real[2]), data
            await running.settled()
            assert {fact.reason for fact in running.recorded.of(SessionClosed)} <= {"peer", "service"}

    if PRODUCTS["ssh"][2] not in subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr:
        pytest.skip("the OpenSSH of this machine is not the one that the persona claims")
    asyncio.run(compare())


def test_what_is_offered_is_what_the_real_server_offers(sshd: int) -> None:
    async def compare() -> None:
        async with served() as running:
            where = ("127.0.0.1", sshd), (running.address, running.port)
            real, ours = (said[1][0] for said in await asyncio.gather(*(answers(*one, IDENT) for one in where)))
            assert parse_kexinit(ours) == parse_kexinit(real)
            assert ours[17:] == real[17:]
            assert Reader(ours).take(1) == b"\x14"

    asyncio.run(compare())


def test_ssh_sees_the_same_handshake(sshd: int) -> None:
    """What `ssh -vv` tells of extensions and methods, line by line."""
    need("ssh")

    async def handshake(address: str, port: int) -> list[str]:
        quiet = [flag for flag in QUIET if "LogLevel" not in flag]
        _, out = await run("ssh", "-vv", *quiet, "-oPreferredAuthentications=none", f"-p{port}", f"nobody@{address}")
        told = re.findall(r"(?:kex: |kex_input_ext_info: |Authentications that can|peer server|debug2: \w+ ).*", out)
        return [line for line in told if "fd " not in line and "set_newkeys" not in line]

    async def compare() -> None:
        async with served() as running:
            assert await handshake(running.address, running.port) == await handshake("127.0.0.1", sshd)

    asyncio.run(compare())


def test_nmap_sees_the_claimed_product_and_no_difference(sshd: int) -> None:
    need("nmap")
    scripts = "ssh2-enum-algos,sshv1,ssh-auth-methods"

    async def scan(address: str, port: int) -> list[str]:
        _, out = await run("nmap", "-n", "-Pn", "-sV", f"-p{port}", "--script", scripts, address)
        lines = [re.sub(rf"\b{port}\b|{re.escape(address)}", "", line).strip() for line in out.splitlines()]
        return sorted(line for line in lines if not re.search(r"latency|scanned|Starting|^$", line))

    async def compare() -> None:
        async with served() as running:
            ours, real = await asyncio.gather(scan(running.address, running.port), scan("127.0.0.1", sshd))
            assert any("OpenSSH 9.2p1 Debian 2+deb12u10 (protocol 2.0)" in line for line in ours)
            assert not any("chaffinch" in line.lower() for line in ours)
            assert ours == real

    asyncio.run(compare())


# Real clients


def test_sftp_begins_as_the_real_server_does() -> None:
    server = Path("/usr/lib/openssh/sftp-server")
    if not server.exists():
        pytest.skip(f"{server} is not installed")
    hello = string(b"\x01\0\0\0\x03")
    with subprocess.Popen([server], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(hello)
        process.stdin.flush()
        length = process.stdout.read(4)
        real = length + process.stdout.read(int.from_bytes(length, "big"))
    host = persona("ssh")
    view = View(Files(host), Overlays().of(host.address, "127.0.0.1"), host.users[0])
    ours = SftpServer(view, "/root", None, lambda *_: 0, lambda _: None)  # type: ignore[arg-type]
    assert ours.feed(hello) == [real]


@pytest.mark.parametrize(
    "option",
    [
        "KexAlgorithms=sntrup761x25519-sha512@openssh.com",
        "KexAlgorithms=curve25519-sha256",
        "KexAlgorithms=ecdh-sha2-nistp384",
        "KexAlgorithms=diffie-hellman-group-exchange-sha256",
        "KexAlgorithms=diffie-hellman-group16-sha512",
        "HostKeyAlgorithms=rsa-sha2-512",
        "HostKeyAlgorithms=ecdsa-sha2-nistp256",
        "Ciphers=aes256-gcm@openssh.com",
        "Ciphers=aes128-ctr",
        "MACs=hmac-sha2-256",
        "Compression=yes",
        "RekeyLimit=16K",
    ],
)
def test_ssh_runs_a_command_with_each_algorithm(option: str) -> None:
    need("ssh", "sshpass")

    async def talk() -> None:
        async with served() as running:
            ciphers = ("-oCiphers=aes256-ctr",) if option.startswith("MACs") else ()
            assert await run(*ssh(running, f"-o{option}", *ciphers, "echo hello; exit 3")) == (3, "hello\n")

    asyncio.run(talk())


@pytest.mark.parametrize("version", [name for name, _ in RELEASES])
def test_every_release_can_be_talked_to(version: str) -> None:
    need("ssh", "sshpass")

    async def talk() -> None:
        host = persona("ssh", fail_delay="0")
        service = msgspec.structs.replace(host.services[0], version=version)
        async with decoy("ssh", msgspec.structs.replace(host, services=(service,))) as running:
            assert await run(*ssh(running, "echo hello")) == (0, "hello\n")

    asyncio.run(talk())


def test_an_interactive_session_is_a_terminal() -> None:
    need("ssh", "sshpass")

    async def talk() -> None:
        async with served() as running:
            status, out = await run(*ssh(running, "-tt"), given=b"echo $((6*7))\nexit 4\n")
            assert status == 4
            assert "42\r\n" in out
            assert "root@atlas:~#" in out
            assert [fact.line for fact in running.recorded.of(Command)] == ["echo $((6*7))", "exit 4"]

    asyncio.run(talk())


@pytest.mark.parametrize("flags", [(), ("-O",)])
def test_scp_brings_and_fetches(tmp_path: Path, flags: tuple[str, ...]) -> None:
    need("scp", "sshpass")
    content = bytes(range(256)) * 300
    (tmp_path / "tool").write_bytes(content)
    scp = ("sshpass", "-p", "letmein", "scp", *flags, *QUIET)

    async def talk() -> None:
        async with served() as running:
            remote = f"root@{running.address}"
            port = ("-P", str(running.port))
            assert await run(*scp, *port, str(tmp_path / "tool"), f"{remote}:/tmp/tool") == (0, "")
            assert await run(*scp, *port, f"{remote}:/etc/passwd", str(tmp_path / "passwd")) == (0, "")
            status, out = await run(*scp, *port, f"{remote}:/nope", str(tmp_path / "nope"))
            assert (status, out.strip()) == (1, "scp: /nope: No such file or directory")
            (upload,) = running.recorded.of(Upload)
            assert (upload.name, upload.size, upload.via) == ("/tmp/tool", len(content), "scp" if flags else "sftp")
            assert running.recorded.files[upload.sha256] == content

    asyncio.run(talk())
    assert (tmp_path / "passwd").read_text().startswith("root:x:0:0:root:/root:/bin/bash\n")


def test_sftp_walks_the_files(tmp_path: Path) -> None:
    need("sftp", "sshpass")
    (tmp_path / "up").write_bytes(b"content")
    moves = "mkdir /tmp/d\nrename /tmp/up /tmp/d/x\nls -l /tmp/d"
    script = f"pwd\nput {tmp_path}/up /tmp/up\n{moves}\nget /tmp/d/x {tmp_path}/x\n"

    async def talk() -> None:
        async with served() as running:
            sftp = ("sshpass", "-p", "letmein", "sftp", *QUIET, f"-P{running.port}", f"root@{running.address}")
            status, out = await run(*sftp, given=f"{script}rm /tmp/d/x\nrmdir /tmp/d\nls /nope\n".encode())
            assert status == 0
            assert "Remote working directory: /root" in out
            assert re.search(r"-rw-r--r--\s+\?? ?1? ?root\s+root\s+7 .*/tmp/d/x", out)
            assert 'Can\'t ls: "/nope" not found' in out

    asyncio.run(talk())
    assert (tmp_path / "x").read_bytes() == b"content"


def test_host_keys_are_learned_once_and_stay(tmp_path: Path) -> None:
    need("ssh", "sshpass", "ssh-keyscan")

    async def keys(address: str) -> list[str]:
        async with served(address) as running:
            _, out = await run("ssh-keyscan", "-p", str(running.port), address)
            return sorted(line.split(" ", 1)[1] for line in out.splitlines() if not line.startswith("#"))

    async def talk() -> None:
        first = await keys("127.77.3.9")
        assert [line.split()[0] for line in first] == ["ecdsa-sha2-nistp256", "ssh-ed25519", "ssh-rsa"]
        assert await keys("127.77.3.9") == first
        assert not set(await keys("127.77.3.10")) & set(first)
        async with served() as running:
            known = tmp_path / "known"
            flags = ("-oUpdateHostKeys=yes", f"-oUserKnownHostsFile={known}", "sleep 1")
            command = [flag for flag in ssh(running, *flags) if flag != "-oUserKnownHostsFile=/dev/null"]
            await run(*command)  # ssh asks a host for its other keys once it knows one
            await run(*command)
            learned = {line.split()[1] for line in known.read_text().splitlines()}
            assert learned == {"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"}  # the two others were proved to ssh

    asyncio.run(talk())


def test_hydra_finds_the_password_and_each_guess_is_recorded(tmp_path: Path) -> None:
    need("hydra")
    guesses = ["root", "123456", "admin", "toor", "letmein"]
    (tmp_path / "wrong").write_text("\n".join(guesses[:-1]) + "\n")
    (tmp_path / "right").write_text("\n".join(guesses) + "\n")

    async def talk() -> None:
        async with served() as running:
            hydra = ("hydra", "-I", "-t", "4", "-l", "root", "-s", str(running.port))
            _, out = await run(*hydra, "-P", str(tmp_path / "wrong"), running.address, "ssh")
            assert "0 valid password" in out
            assert {fact.secret for fact in running.recorded.of(Credential)} >= set(guesses[:-1])
            _, out = await run(*hydra, "-P", str(tmp_path / "right"), running.address, "ssh")
            assert "login: root   password: letmein" in out

    asyncio.run(talk())


def test_forwarding_leads_nowhere() -> None:
    need("ssh", "sshpass")

    async def talk() -> None:
        async with served() as running:
            status, out = await run(*ssh(running, "-W", "127.0.0.1:9"))
            assert status == 255
            assert out == "stdio forwarding failed\r\n"
            assert [fact.line for fact in running.recorded.of(Command)] == ["direct-tcpip 127.0.0.1:9"]

    asyncio.run(talk())


def test_a_stranger_is_told_what_sshd_would_say() -> None:
    need("ssh", "sshpass")

    async def talk() -> None:
        async with served() as running:
            status, out = await run(*ssh(running, "id", password="wrong"))
            assert status == 5  # sshpass: a wrong password
            assert "Permission denied" in out
            _, out = await run("ssh", *QUIET, "-oBatchMode=yes", f"-p{running.port}", f"x@{running.address}")
            assert out == f"x@{running.address}: Permission denied (publickey,password).\r\n"

    asyncio.run(talk())


def test_a_packet_of_ours_is_one_that_the_real_server_reads(sshd: int) -> None:
    async def talk() -> None:
        payloads = (await answers("127.0.0.1", sshd, IDENT + packet(kexinit().encode(bytes(16)))))[1]
        assert [payload[0] for payload in payloads] == [20]

    asyncio.run(talk())
