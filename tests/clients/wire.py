"""Asking a real server and a decoy the same bytes, and running client programs against a decoy."""

import asyncio
import contextlib
import shutil
import socket

import pytest

AT_ONCE = 64

PATIENCE_SECONDS = 20.0
"""For an answer that has to come: what is busy may take its time."""


async def ask(address: tuple[str, int], sent: bytes, *, wait: float = 0.5, half: bool = False) -> tuple[bytes, str]:
    """What a server answers until it closes or is silent for `wait` seconds, and `closed` or `open`.

    With `half` our side is closed after sending.
    """
    reader, writer = await asyncio.open_connection(*address)
    got = bytearray()
    end = "closed"
    try:
        with contextlib.suppress(OSError):
            writer.write(sent)
            await writer.drain()
            if half:
                writer.write_eof()
        try:
            while data := await asyncio.wait_for(reader.read(65536), wait):
                got += data
        except TimeoutError:
            end = "open"
        except ConnectionResetError:  # a client cannot tell a reset after the answer from a close
            got += reader._buffer  # came before it, after which a reader gives nothing any more
        return bytes(got), end
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def ask_all(
    address: tuple[str, int], probes: dict[str, bytes], *, wait: float = 0.5, half: bool = False
) -> dict[str, tuple[bytes, str]]:
    """Ask everything, `AT_ONCE` connections at a time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(sent: bytes) -> tuple[bytes, str]:
        async with room:
            return await ask(address, sent, wait=wait, half=half)

    answers = await asyncio.gather(*[one(sent) for sent in probes.values()])
    return dict(zip(probes, answers, strict=True))


def need(program: str) -> str:
    """The path of a program; the test is skipped with a reason where it is not installed."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


async def run(program: str, *arguments: str, timeout: float = 60.0, input: bytes = b"") -> tuple[int, str]:  # noqa: ASYNC109, A002
    """Run a client program; its exit code and what it wrote to both outputs."""
    process = await asyncio.create_subprocess_exec(
        need(program),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(input), timeout)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode("utf-8", "replace")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
