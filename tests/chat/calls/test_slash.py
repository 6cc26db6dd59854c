"""How an interaction is answered, through the fake Discord: what was announced, and what comes in its place."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chaffinch.chat.bot import Bot
from chaffinch.chat.calls.call import Call, Embed, File, Posted, Reply
from chaffinch.chat.commands.table import Leaf
from chaffinch.errors import InputError
from tests.chat.connected import Connected, connected, run
from tests.chat.discord.interactions import Asked

Steps = Callable[[Call], Awaitable[Any]]


async def give(one: Connected, steps: Steps) -> Asked:
    """Give `/help`, which does something else."""

    async def instead(call: Call, _: Bot) -> None:
        await steps(call)

    leaf = one.bot.table.leaves["help"]
    one.bot.table.leaves["help"] = Leaf("help", msgspec.structs.replace(leaf.command, run=instead))
    ended = one.counted("bot_commands", command="help")
    asked = one.slash("member", "help")
    await one.fake.wait_for(lambda: one.counted("bot_commands", command="help") > ended)
    return asked


@pytest.mark.parametrize("announced", [None, False, True])
@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("spoken", [False, True])
def test_an_answer_is_as_it_was_meant(tmp_path: Path, announced: bool | None, hidden: bool, spoken: bool) -> None:
    posted: list[Posted | None] = []

    async def steps(call: Call) -> None:
        if announced is not None:
            await call.think(hidden=announced)
            await call.think(hidden=announced)
        posted.append(await call.answer(Reply("words", is_spoken=spoken), hidden=hidden))

    async def test() -> None:
        async with connected(tmp_path) as one:
            asked = await give(one, steps)
            (answer,) = one.fake.answers(asked)
            assert answer.content == "words"
            assert answer.is_ephemeral is hidden
            assert answer.tts is spoken
            assert not answer.is_loading
            assert posted == [None if hidden else Posted(asked.channel.id, answer.id)]
            stays = announced is not None and announced is hidden and not spoken
            assert (answer is asked.original) is (stays or announced is None)
            assert asked.original in asked.removed or answer is asked.original, "nothing goes on thinking"

    run(test)


@pytest.mark.parametrize("announced", [None, False, True])
def test_a_refusal_is_hidden_and_leaves_nothing(tmp_path: Path, announced: bool | None) -> None:
    async def steps(call: Call) -> None:
        if announced is not None:
            await call.think(hidden=announced)
        raise InputError("this cannot be")

    async def test() -> None:
        async with connected(tmp_path) as one:
            asked = await give(one, steps)
            (answer,) = one.fake.answers(asked)
            assert answer.is_ephemeral
            assert answer.content == "This cannot be."
            assert not one.fake.posted(asked.channel)
            await one.fake.wait_for(lambda: one.counted("bot_commands", command="help", outcome="refused") == 1)

    run(test)


def test_more_than_one_answer(tmp_path: Path) -> None:
    async def steps(call: Call) -> None:
        await call.think()
        await call.answer(Reply("first"))
        await call.answer(Reply("second", Embed("title")), hidden=True)
        await call.answer(Reply("third"))

    async def test() -> None:
        async with connected(tmp_path) as one:
            asked = await give(one, steps)
            assert [(one.content, one.is_ephemeral) for one in one.fake.answers(asked)] == [
                ("first", False),
                ("second", True),
                ("third", False),
            ]

    run(test)


@pytest.mark.parametrize("announced", [None, False])
def test_files_go_along(tmp_path: Path, announced: bool | None) -> None:
    async def steps(call: Call) -> None:
        if announced is not None:
            await call.think()
        await call.answer(Reply("see", files=(File("a.png", b"\x89PNG\0\xff"), File("b.txt", b"b"))))
        await call.answer(Reply("", files=(File("c.png", b"c"),)))

    async def test() -> None:
        async with connected(tmp_path) as one:
            first, second = one.fake.answers(await give(one, steps))
            assert [(file.name, file.content) for file in first.attachments] == [
                ("a.png", b"\x89PNG\0\xff"),
                ("b.txt", b"b"),
            ]
            assert [file.name for file in second.attachments] == ["c.png"]
            assert first.content == "see"

    run(test)


def test_a_slash_command_has_nothing_to_update(tmp_path: Path) -> None:
    async def steps(call: Call) -> None:
        await call.update(Reply("x"))

    async def test() -> None:
        async with connected(tmp_path) as one:
            answer = one.fake.answers(await give(one, steps))[0]
            assert "went wrong" in answer.content

    run(test)
