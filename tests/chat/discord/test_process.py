"""The fake as a process of its own, and people who act by HTTP."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.chat.discord.listening import Listening
from tests.chat.discord.redirecting import redirected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def serving(*flags: str) -> AsyncIterator[dict[str, Any]]:
    """A process, and the line that it prints."""
    command = [sys.executable, "-m", "tests.chat.discord", *flags]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stdout is not None
        yield json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
    finally:
        process.terminate()
        assert await process.wait() == 0


class Answering(Listening):
    """Answers commands, and messages that ask."""

    async def on_interaction(self, interaction: Any) -> None:
        await interaction.response.send_message("answered")

    async def on_message(self, message: Any) -> None:
        if message.content == "ask":
            await message.reply("replied")


def test_another_process_acts_as_people_and_reads_how_long_answers_took() -> None:
    async def run() -> None:
        async with serving("--small", "--guilds", "2", "--messages", "5000") as served:
            client = Answering()
            with redirected(served["url"]):
                running = asyncio.create_task(client.start(served["token"]))
                try:
                    await asyncio.wait_for(act(client, served["url"]), 20)
                finally:
                    await client.close()
                    await running
                    await asyncio.sleep(0)

    async def act(client: Answering, url: str) -> None:
        while not client.is_ready():
            await asyncio.sleep(0.01)
        await client.http.bulk_upsert_global_commands(client.application_id, [{"name": "mark", "description": "talk"}])
        async with aiohttp.ClientSession(url) as session:

            async def post(path: str, **body: Any) -> Any:
                async with session.post(f"/_world/{path}", json=body) as answer:
                    return await answer.json()

            async def get(path: str) -> Any:
                async with session.get(f"/_world{path}") as answer:
                    return await answer.json()

            guilds = (await get(""))["guilds"]
            assert [(one["name"], one["messages"]) for one in guilds][1:] == [
                ("city", 5000),
                ("town0", 1500),
                ("town1", 1500),
            ]
            who = {"guild": "town1", "member": "member", "channel": "talk"}
            asked = await post("slash", command="mark", **who)
            said = await post("say", text="ask", **who)
            while not (await get("/posted?guild=town1&channel=talk"))[1:]:
                await asyncio.sleep(0.01)
            found = await get(f"/interactions/{asked['interaction']}")
            assert [one["content"] for one in found["answers"]] == ["answered"]
            assert 0 < found["callback_ns"] - found["sent_ns"] < 5e9
            (reply,) = [one for one in await get("/posted?guild=town1&channel=talk") if one["reply_to"]]
            assert (reply["content"], reply["reply_to"]) == ("replied", said["message"])
            assert 0 < reply["replied_ns"] < 5e9
            assert "NotOfferedError" in (await post("slash", command="other", **who))["error"]
            await post("gateway", do="drop")
            while not client.of("resumed"):
                await asyncio.sleep(0.01)
            assert (await get("/counts"))["unknown"] == []

    asyncio.run(run())


def test_who_is_pointed_here_loads_nothing_of_the_fake() -> None:
    """Benches measure the bot's memory in that process."""
    code = (
        "import sys; import tests.chat.discord.redirecting; print(*(one for one in sys.modules if '.discord.' in one))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["tests.chat.discord.redirecting"]
