"""What an SSH session counts for goes up and down with what it holds: packets, shells, input, uploads."""

import asyncio

import asyncssh

from chaffinch.decoys.ssh.handover import CONNECTION_BYTES
from tests.decoys.accepting import Accepting, accepting
from tests.decoys.harness import persona


async def logged_in(running: Accepting) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        running.address, running.port, username="root", password="letmein", known_hosts=None, config=None
    )


def test_every_part_of_a_session_is_counted_and_given_back() -> None:
    async def scenario() -> None:
        async with accepting("ssh", persona("ssh", fail_delay="0")) as running:
            client, room = await logged_in(running), running.room
            await running.until(lambda: room.held == CONNECTION_BYTES)
            shell = await client.create_process(term_type="xterm")
            await running.until(lambda: room.held > CONNECTION_BYTES)
            at_prompt = room.held
            shell.stdin.write(f"X={'a' * 3000}\n")
            await running.until(lambda: room.held >= at_prompt + 3000)
            with_variable = room.held
            assert len((await client.run("yes | head -c 300000")).stdout or "") == 300_000
            await running.until(lambda: room.held == with_variable)
            async with client.start_sftp_client() as files:
                file = await files.open("/tmp/upload", "wb")
                await file.write(b"x" * 500_000)
                await running.until(lambda: room.held >= with_variable + 500_000)
                await file.close()
                await running.until(lambda: room.held == with_variable)
            shell.stdin.write("exit\n")
            await running.until(lambda: room.held == CONNECTION_BYTES)
            client.close()
            await client.wait_closed()
            await running.until(lambda: room.held == 0)

    asyncio.run(scenario())


def test_a_packet_that_never_ends_is_counted_before_the_key_exchange() -> None:
    async def scenario() -> None:
        async with accepting("ssh") as running:
            _, writer = await asyncio.open_connection(running.address, running.port)
            writer.write(b"SSH-2.0-x\r\n" + (200_004).to_bytes(4, "big") + bytes(150_000))
            await running.until(lambda: running.room.held >= 150_000)
            writer.close()
            await running.until(lambda: running.room.held == 0)

    asyncio.run(scenario())


def test_output_that_is_not_taken_is_counted() -> None:
    async def scenario() -> None:
        async with accepting("ssh", persona("ssh", fail_delay="0")) as running:
            client = await logged_in(running)
            process = await client.create_process("yes | head -c 900000", encoding=None, window=4096)
            await running.until(lambda: running.room.held >= 600_000, 10)
            process.close()
            client.close()
            await client.wait_closed()
            await running.until(lambda: running.room.held == 0)

    asyncio.run(scenario())
