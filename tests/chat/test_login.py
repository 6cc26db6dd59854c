"""Logging in: what passes is waited for, and who is to stop does not wait."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from chaffinch.chat import login
from chaffinch.errors import InputError
from tests.chat.connected import connected, run
from tests.chat.discord.fake import Fake
from tests.chat.discord.world import World
from tests.chat.running import Discord, bot, until


def test_too_many_requests_pass(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of an address that it shuts out Discord's edge says so without `Via`, and in no JSON."""

    async def test() -> None:
        async with Fake(World.small()) as fake:
            fake.faults.add("GET /users/@me", status=429, body="shut out", headers={"Retry-After": "60"}, times=2)
            async with connected(tmp_path, fake=fake) as one:
                assert one.client.is_deployed
        assert caplog.text.count("bot.not_connected reason=status 429") == 2

    run(test)


def test_a_token_that_rest_takes_no_more_ends_the_bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the gateway says nothing of it."""
    monkeypatch.setattr(login, "CHECK_SECONDS", 0.01)

    async def test() -> None:
        async with Fake(World.small()) as fake, connected(tmp_path, fake=fake) as one:
            fake.faults.refuse("POST /channels/{channel_id}/messages", 401, message="about something else")
            one.fake.say(one.member("member"), one.channel("general"), "!mark help")
            await fake.wait_for(lambda: len(fake.requested("GET /users/@me")) == 2)
            await one.settled()
            assert not one.serving.done(), "the token is taken"
            fake.world.token = "another"
            one.fake.say(one.member("member"), one.channel("general"), "!mark help")
            await one.serving

    with pytest.raises(InputError, match="Discord refuses the token"):
        run(test)


def test_who_is_to_stop_does_not_wait_for_a_network_that_swallows_all(tmp_path: Path) -> None:
    async def test() -> None:
        came = asyncio.Event()
        writers: list[asyncio.StreamWriter] = []

        async def swallow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            came.set()
            writers.append(writer)

        async with await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with bot(Discord(f"http://127.0.0.1:{port}"), tmp_path / "state") as one:
                await asyncio.wait_for(came.wait(), 20)
                began = time.monotonic()
                assert await asyncio.to_thread(one.end) == 0
                assert time.monotonic() - began < 4
                assert "bot.cut_off" not in one.said
            for writer in writers:
                writer.close()
                await writer.wait_closed()

    run(test)


def test_a_service_manager_does_not_end_a_start_that_waits_for_the_network(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        with bot(Discord("http://127.0.0.1:9"), tmp_path / "state", NOTIFY_SOCKET=str(tmp_path / "notify")) as one:
            for _ in range(3):
                told = manager.recv(4096).decode()
                assert told == "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=not connected with Discord yet"
            assert one.end() == 0


def test_a_network_that_is_down_is_waited_for_in_one_line_a_time(tmp_path: Path) -> None:
    with bot(Discord("http://127.0.0.1:9"), tmp_path / "state") as one:
        until(lambda: one.said.count("bot.not_connected") >= 2)
        assert one.end() == 0
    assert "Traceback" not in one.said
