"""The ftp decoy beside the real vsftpd on the same bytes, and real clients against it."""

import asyncio
import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.events import Credential, Upload
from tests.clients.wire import PATIENCE_SECONDS, ask_all, free_port, need, run
from tests.decoys.harness import decoy, persona, read_quietly

pytestmark = pytest.mark.clients

LOCAL = "127.0.0.1"

CONFIG = """listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
local_enable=YES
dirmessage_enable=YES
use_localtime=YES
xferlog_enable=YES
xferlog_file={root}/log
connect_from_port_20=YES
secure_chroot_dir={root}/empty
pam_service_name=vsftpd
ssl_enable=NO
anon_root={root}/anonymous
anon_world_readable_only=NO
"""

BEFORE = {
    "nothing": b"",
    "http": b"GET / HTTP/1.0\r\n\r\n",
    "newlines": b"\r\n\n\r\r\n",
    "blanks": b"   \r\n",
    "features": b"FEAT\r\nfeat x\r\n",
    "options": b"OPTS UTF8 ON\r\nopts utf8 off\r\nOPTS\r\nOPTS MLST\r\n",
    "unknown": b"FOO\r\nAUTH TLS\r\nPBSZ 0\r\nHELP\r\nSYST\r\nSTAT\r\nNOOP\r\nPASV\r\nPORT 1,2,3,4,5,6\r\nMLSD\r\n",
    "password first": b"PASS x\r\n",
    "names": b"USER\r\nUSER a b c\r\nuser  root \r\nUSER \xff\xc3\xa9\r\nUSER ro\0ot\r\n",
    "telnet": b"\xff\xfb\x01USER root\r\n\xff\xf4\xff\xf2ABOR\r\n",
    "bare newlines": b"USER a\nFEAT\nQUIT\n",
    "long": b"A" * 4000 + b"\r\nQUIT\r\n",
    "too long": b"A" * 5000 + b"\r\n",
    "far too long": b"A" * 70000,
    "long name": b"USER " + b"a" * 4080 + b"\r\n",
    "no end": b"USER ro",
    "quit": b"quit now\r\n",
}

AFTER = (
    *("FEAT", "HELP", "HELP x", "SYST", "PWD", "XPWD", "TYPE", "TYPE I", "TYPE A", "TYPE X", "TYPE L 8", "type a n"),
    *(
        "MODE S",
        "MODE B",
        "STRU F",
        "STRU R",
        "NOOP",
        "ALLO 1",
        "ACCT x",
        "REIN",
        "SMNT x",
        "USER x",
        "PASS x",
        "CWD nope",
    ),
    *("CWD", "CDUP", "XCUP", "CWD /", "CWD ..", "SIZE nope", "SIZE", "MDTM nope", "MDTM", "LIST", "NLST", "RETR nope"),
    *(
        "REST 2",
        "REST x",
        "REST",
        "RNTO x",
        "ABOR",
        "STAT",
        "STAT nope",
        "PORT 8,8,8,8,4,1",
        "PORT x",
        "PORT 1,2,3,4,5,999",
    ),
    *(
        "PORT 127,0,0,1,200,10",
        "PORT 127,0,0,1,0,10",
        "EPRT |1|127.0.0.1|5555|",
        "EPRT |1|8.8.8.8|5555|",
        "EPRT x",
        "EPRT",
    ),
    *(
        "STOR x",
        "APPE x",
        "STOU",
        "MKD x",
        "XMKD x",
        "RMD x",
        "XRMD x",
        "DELE x",
        "RNFR x",
        "SITE HELP",
        "SITE CHMOD 777 x",
    ),
    *("EPSV 2", "EPSV ALL", "PASV", "PORT 127,0,0,1,200,10", "MLSD", "MLST", "AUTH TLS", "OPTS UTF8 ON", "OPTS MLST"),
    *("FOO bar", "", "CLNT x", "LANG en", "PBSZ 0", "PROT P", "QUIT"),
)


@pytest.fixture(scope="module")
def vsftpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The real server as Debian configures it, with an anonymous account so that it can be entered; its port."""
    program = need("vsftpd")
    if os.geteuid() != 0:
        pytest.skip("vsftpd needs root to change to the user it serves")
    root = tmp_path_factory.mktemp("vsftpd")
    for directory in (root, *root.parents):
        if directory == root or directory.name.startswith("pytest"):
            directory.chmod(0o755)
    (root / "empty").mkdir()
    (root / "anonymous").mkdir()
    port = free_port()
    (root / "conf").write_text(CONFIG.format(root=root, port=port))
    process = subprocess.Popen([program, str(root / "conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        assert process.poll() is None
        yield port
    finally:
        process.terminate()
        process.wait(10)


def test_before_a_login_the_decoy_says_what_the_product_says(vsftpd: int) -> None:
    async def both() -> None:
        async with decoy("ftp", persona("ftp", anonymous="yes")) as server:
            there = (server.address, server.port)
            theirs, ours = await asyncio.gather(ask_all((LOCAL, vsftpd), BEFORE), ask_all(there, BEFORE))
        assert {k: v for k, v in ours.items() if v != theirs[k]} == {k: v for k, v in theirs.items() if v != ours[k]}

    asyncio.run(both())


async def _said(reader: asyncio.StreamReader) -> bytes:
    """A whole reply (RFC 959, 4.2), however long it takes, and what follows it unasked."""
    said = line = await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)
    ends = said[:3] + (b"" if said[3:4] != b"-" else b" ")
    while line and not line.startswith(ends):
        line = await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)
        said += line
    return said + await read_quietly(reader, 0.04)


async def _dialogue(port: int, source: str) -> list[tuple[str, bytes]]:
    reader, writer = await asyncio.open_connection(source, port)
    await _said(reader)
    found: list[tuple[str, bytes]] = []
    for line in ("USER anonymous", "PASS me@here", *AFTER):
        writer.write(line.encode() + b"\r\n")
        said = await _said(reader) if line else await read_quietly(reader, 0.04)  # an empty line is passed over
        found.append((line, re.sub(rb"client count was \d+", b"client count was N", said)))
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return found


def test_after_a_login_the_decoy_says_what_the_product_says(vsftpd: int) -> None:
    async def both() -> None:
        async with decoy("ftp", persona("ftp", address=LOCAL, anonymous="yes")) as server:
            theirs, ours = await asyncio.gather(_dialogue(vsftpd, LOCAL), _dialogue(server.port, LOCAL))
        assert [pair for pair in ours if pair not in theirs] == [pair for pair in theirs if pair not in ours]

    asyncio.run(both())


def test_a_refused_login_takes_as_long_as_in_the_product(vsftpd: int) -> None:
    async def seconds(port: int) -> float:
        reader, writer = await asyncio.open_connection(LOCAL, port)
        writer.write(b"USER mdavis\r\nPASS x\r\n")
        began = time.monotonic()
        said = await asyncio.wait_for(reader.readuntil(b"incorrect.\r\n"), 10)
        writer.close()
        assert said.endswith(b"530 Login incorrect.\r\n")
        return time.monotonic() - began

    async def both() -> None:
        async with decoy("ftp", persona("ftp", address=LOCAL)) as server:
            theirs, ours = await asyncio.gather(seconds(vsftpd), seconds(server.port))
        assert abs(theirs - ours) < 2.5
        assert ours > 2

    asyncio.run(both())


def test_lftp_and_curl_use_the_files(tmp_path: Path) -> None:
    (tmp_path / "up.txt").write_text("brought\n")

    async def drive() -> None:
        async with decoy("ftp", persona("ftp", address=LOCAL, write="yes")) as server:
            script = (
                f"set net:timeout 5; lcd {tmp_path}; ls; put up.txt; cat up.txt; get /etc/hostname; rm up.txt; quit"
            )
            code, said = await run("lftp", "-u", "backup,backup123", "-p", str(server.port), LOCAL, "-e", script)
            assert code == 0, said
            assert "brought\n" in said, said
            assert (tmp_path / "hostname").read_text() == "atlas\n"
            url = f"ftp://backup:backup123@{LOCAL}:{server.port}"
            assert (await run("curl", "-s", f"{url}//etc/hostname"))[1] == "atlas\n"
            assert "passwd" in (await run("curl", "-s", f"{url}//etc/"))[1]
            await server.settled()
        (upload,) = server.recorded.of(Upload)
        assert server.recorded.files[upload.sha256] == b"brought\n"

    asyncio.run(drive())


def test_nmap_names_the_product(vsftpd: int) -> None:
    async def scanned(port: int) -> list[str]:
        _, said = await run("nmap", "-Pn", "-n", "-sV", "--script", "ftp-anon,ftp-syst", f"-p{port}", LOCAL)
        lines = [re.sub(r"^\|[ _] *", "", line) for line in said.replace(str(port), "PORT").splitlines()]
        return sorted(line for line in lines if not re.search(r"Nmap|latency|client count", line))

    async def both() -> None:
        async with decoy("ftp", persona("ftp", address=LOCAL, anonymous="yes")) as server:
            theirs, ours = await asyncio.gather(scanned(vsftpd), scanned(server.port))
        assert any("vsftpd 3.0.3" in line for line in ours)
        assert ours == theirs

    asyncio.run(both())


def test_hydra_finds_the_weak_password(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("123456\nbackup123\n")

    async def drive() -> None:
        async with decoy("ftp", persona("ftp", address=LOCAL)) as server:
            with contextlib.chdir(tmp_path):
                arguments = ("-I", "-l", "backup", "-P", str(words), "-t", "2", "-s", str(server.port), LOCAL, "ftp")
                _, said = await run("hydra", *arguments)
            assert "login: backup   password: backup123" in said
        assert {fact.accepted for fact in server.recorded.of(Credential)} == {True, False}

    asyncio.run(drive())
