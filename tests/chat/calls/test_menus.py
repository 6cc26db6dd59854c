"""Buttons and menus that were used."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chaffinch.chat.bot import Bot
from chaffinch.chat.calls.call import Call, Reply
from chaffinch.chat.commands.table import Component
from chaffinch.errors import InputError
from tests.chat.connected import Connected, connected, run
from tests.chat.discord.interactions import Asked
from tests.chat.discord.messages import Message

Steps = Callable[[Call], Awaitable[Any]]


async def press(one: Connected, steps: Steps) -> tuple[Asked, Message]:
    """Press a button of a menu's message, which does something else."""

    async def instead(call: Call, _: Bot, rest: str) -> None:
        assert rest == "0"
        await steps(call)

    menu = await one.asked("moderator", "listen modify")
    one.bot.table.components["listen/pick"] = Component("listen/pick", instead, "moderator")
    asked = one.fake.choose(one.member("moderator"), menu, "listen/pick:0", [])
    await one.fake.wait_for(lambda: one.counted("bot_commands", command="listen/pick") == 1)
    return asked, menu


@pytest.mark.parametrize("announced", [None, False])
def test_the_message_is_changed(tmp_path: Path, announced: bool | None) -> None:
    async def steps(call: Call) -> None:
        if announced is not None:
            await call.think()
        await call.update(Reply("changed"))

    async def test() -> None:
        async with connected(tmp_path) as one:
            _, menu = await press(one, steps)
            assert menu.content == "changed"
            assert not menu.components, "nothing of the old one is left"

    run(test)


@pytest.mark.parametrize("announced", [None, False, True])
@pytest.mark.parametrize("hidden", [False, True])
def test_an_answer_leaves_the_message_as_it_was(tmp_path: Path, announced: bool | None, hidden: bool) -> None:
    async def steps(call: Call) -> None:
        if announced is not None:
            await call.think(hidden=announced)
        await call.answer(Reply("words"), hidden=hidden)

    async def test() -> None:
        async with connected(tmp_path) as one:
            asked, menu = await press(one, steps)
            answer = next(answer for answer in one.fake.answers(asked) if answer is not menu)
            assert (answer.content, answer.is_ephemeral, answer.is_loading) == ("words", hidden, False)
            assert menu.components
            assert "Channels that I learn from" in menu.content

    run(test)


@pytest.mark.parametrize("announced", [None, False, True])
def test_a_refusal_is_told_to_who_used_it_alone(tmp_path: Path, announced: bool | None) -> None:
    async def steps(call: Call) -> None:
        if announced is not None:
            await call.think(hidden=announced)
        raise InputError("no")

    async def test() -> None:
        async with connected(tmp_path) as one:
            asked, menu = await press(one, steps)
            answer = next(answer for answer in one.fake.answers(asked) if answer is not menu)
            assert (answer.content, answer.is_ephemeral) == ("No.", True)
            assert menu.components

    run(test)


def test_a_button_of_a_release_before_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            menu = await one.asked("moderator", "listen modify")
            del one.bot.table.components["listen/pick"]
            answer = await one.answered(one.fake.choose(one.member("moderator"), menu, "listen/pick:0", []))
            assert answer.content == "I do not know that any more: give the command again."

    run(test)
