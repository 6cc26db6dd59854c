"""The ssh decoy over a socket, asked by asyncssh's client and by raw bytes."""

import asyncio
import contextlib
import hashlib
import sys
from collections.abc import AsyncIterator

import asyncssh
import pytest

from chaffinch.decoys.ssh import uploads
from chaffinch.events import Command, Credential, Fingerprint, Probe, SessionClosed, Terminal, Upload
from tests.decoys.harness import Decoy, decoy, persona

IDENT = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"


@contextlib.asynccontextmanager
async def served(**options: str) -> AsyncIterator[Decoy]:
    async with decoy("ssh", persona("ssh", fail_delay="0", **options)) as running:
        yield running


@contextlib.asynccontextmanager
async def logged_in(
    running: Decoy, username: str = "root", password: str = "letmein"
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    async with asyncssh.connect(
        running.address,
        running.port,
        username=username,
        password=password,
        known_hosts=None,
        config=None,
        client_keys=None,
        agent_path=None,
    ) as connection:
        yield connection


def test_the_version_line_comes_at_once_and_the_kexinit_after_the_clients() -> None:
    async def talk() -> None:
        async with served() as running:
            assert await running.talk(b"") == IDENT
            answer = await running.talk(b"SSH-2.0-x\r\n")
            assert answer.startswith(IDENT)
            assert answer[len(IDENT) + 5] == 20
            assert await running.talk(b"SSH-1337-OpenSSH_9.0\r\n") == IDENT + b"Invalid SSH identification string.\r\n"
            assert await running.talk(b"SSH-1.5-x\r\n") == IDENT + b"Protocol major versions differ.\r\n"
            assert len(await running.talk(b"SSH-2.0-x\r\nGET / HTTP/1.0\r\n\r\n")) == len(answer)
            await running.settled()
            assert {fact.reason for fact in running.recorded.of(SessionClosed)} <= {"peer", "service"}
            assert running.recorded.of(Probe)[0].data == "SSH-1337-OpenSSH_9.0\\r\\n"

    asyncio.run(talk())


def test_asyncssh_is_not_imported_for_a_banner() -> None:
    code = """
import asyncio, sys
from tests.decoys.harness import decoy, persona
async def main():
    async with decoy("ssh", persona("ssh")) as running:
        await running.talk(b"SSH-2.0-x\\r\\n")
        await running.talk(b"GET / HTTP/1.0\\r\\n\\r\\n")
        assert not {"asyncssh", "cryptography"} & set(sys.modules)
asyncio.run(main())
"""

    async def run() -> int:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
        return await process.wait()

    assert asyncio.run(run()) == 0


def test_a_login_runs_a_command_and_is_recorded() -> None:
    async def talk() -> None:
        async with served() as running:
            async with logged_in(running) as connection:
                result = await connection.run("echo hello; exit 3", check=False)
                assert (result.stdout, result.exit_status) == ("hello\n", 3)
            await running.settled()
            facts = running.recorded
            assert facts.of(Credential) == [Credential("root", "letmein", "password", True)]
            assert [fact.line for fact in facts.of(Command)] == ["echo hello; exit 3"]
            assert [fact.method for fact in facts.of(Fingerprint)] == ["client", "hassh"]
            assert [fact.reason for fact in facts.of(SessionClosed)] == ["peer"]

    asyncio.run(talk())


def test_passwords_and_keys_are_recorded_and_the_sixth_failure_ends_it() -> None:
    async def talk() -> None:
        async with served() as running:
            key = asyncssh.generate_private_key("ssh-ed25519")
            with pytest.raises(asyncssh.PermissionDenied):
                await asyncssh.connect(
                    running.address, running.port, username="admin", password="secret", client_keys=[key],
                    known_hosts=None, config=None, agent_path=None,
                )  # fmt: skip
            attempts = running.recorded.of(Credential)
            assert attempts == [
                Credential("admin", f"ssh-ed25519 {key.get_fingerprint()}", "publickey"),
                Credential("admin", "secret"),
            ]

            class Stubborn(asyncssh.SSHClient):
                def password_auth_requested(self) -> str:
                    return "again"

            with pytest.raises(asyncssh.ProtocolError, match="Too many authentication failures"):
                await asyncssh.connect(
                    running.address, running.port, username="admin", client_factory=Stubborn, client_keys=None,
                    known_hosts=None, config=None, agent_path=None,
                )  # fmt: skip
            assert len(running.recorded.of(Credential)) == 2 + 6
            await running.settled()
            assert {fact.reason for fact in running.recorded.of(SessionClosed)} <= {"service", "peer"}

    asyncio.run(talk())


def test_forwarding_is_refused_and_recorded() -> None:
    async def talk() -> None:
        async with served() as running:
            async with logged_in(running) as connection:
                with pytest.raises(asyncssh.ChannelOpenError) as refused:
                    await connection.open_connection("192.0.2.7", 80)
                assert (refused.value.code, refused.value.reason) == (1, "open failed")
                with pytest.raises(asyncssh.ChannelListenError):
                    await connection.forward_remote_port("", 8080, "localhost", 80)
            lines = [fact.line for fact in running.recorded.of(Command)]
            assert lines == ["direct-tcpip 192.0.2.7:80", "tcpip-forward :8080"]

    asyncio.run(talk())


def test_an_interactive_shell_is_recorded_both_ways() -> None:
    async def talk() -> None:
        async with served() as running:
            async with logged_in(running) as connection:
                shell = await connection.create_process(term_type="xterm")
                await shell.stdout.readuntil("# ")
                shell.stdin.write("echo $((6 * 7))\r")
                assert "42\r\n" in await shell.stdout.readuntil("# ")
                shell.stdin.write("exit 5\r")
                assert (await shell.wait()).exit_status == 5
            directions = {fact.direction for fact in running.recorded.of(Terminal)}
            assert directions == {"in", "out"}
            assert [fact.line for fact in running.recorded.of(Command)] == ["echo $((6 * 7))", "exit 5"]

    asyncio.run(talk())


def test_an_upload_is_kept_by_its_hash_and_can_be_read_back() -> None:
    content = bytes(range(256)) * 2000

    async def talk() -> None:
        async with served() as running:
            async with logged_in(running) as connection, connection.start_sftp_client() as sftp:
                async with sftp.open("/tmp/tool", "wb") as file:
                    await file.write(content)
                assert (await sftp.stat("/tmp/tool")).size == len(content)
                async with sftp.open("/tmp/tool", "rb") as file:
                    assert await file.read(uploads.SHOWN_BYTES) == content[: uploads.SHOWN_BYTES]
                assert "passwd" in await sftp.listdir("/etc")
                with pytest.raises(asyncssh.SFTPNoSuchFile):
                    await sftp.stat("/nope")
            digest = hashlib.sha256(content).hexdigest()
            assert running.recorded.of(Upload) == [Upload("/tmp/tool", len(content), digest, True, "sftp")]
            assert running.recorded.files[digest] == content

    asyncio.run(talk())


def test_a_file_that_is_too_long_fills_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "FILE_BYTES", 100_000)

    async def talk() -> None:
        async with served() as running:
            async with logged_in(running) as connection, connection.start_sftp_client() as sftp:
                with pytest.raises(asyncssh.SFTPFailure):
                    async with sftp.open("/tmp/big", "wb") as file:
                        await file.write(bytes(200_000))
            assert all(fact.size <= 100_000 for fact in running.recorded.of(Upload))

    asyncio.run(talk())


def test_what_a_command_reads_is_kept() -> None:
    async def talk() -> None:
        async with served() as running:
            async with logged_in(running) as connection:
                result = await connection.run("cat > /tmp/x; cat /tmp/x", input="#!/bin/sh\n")
                assert result.stdout == "#!/bin/sh\n"
            assert [(fact.via, fact.size) for fact in running.recorded.of(Upload)] == [("exec", 10)]

    asyncio.run(talk())


def test_a_session_that_ends_leaves_nothing_behind() -> None:
    async def talk() -> None:
        async with served() as running:
            async with logged_in(running) as connection:
                shell = await connection.create_process(term_type="xterm")
                await shell.stdout.readuntil("# ")
                for session in list(running.sessions.values()):
                    session.expire(session.last_read + session.idle)
                await running.settled()
            await asyncio.sleep(0.05)
            assert [fact.reason for fact in running.recorded.of(SessionClosed)] == ["idle"]
            left = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("ssh ")]
            assert left == []

    asyncio.run(talk())


def test_who_does_not_log_in_is_cut_off_in_two_minutes() -> None:
    async def talk() -> None:
        async with served() as running:
            _reader, writer = await asyncio.open_connection(running.address, running.port)
            await asyncio.sleep(0.1)
            (session,) = running.sessions.values()
            assert 119 < session.deadline - session.opened < 121
            session.expire(session.opened + 121)
            await running.settled()
            assert [fact.reason for fact in running.recorded.of(SessionClosed)] == ["time"]
            writer.close()

    asyncio.run(talk())
