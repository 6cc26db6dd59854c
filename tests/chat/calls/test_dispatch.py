"""Who may, and what they are told where it fails."""

import asyncio
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import pytest

from chaffinch.chat.bot import Bot
from chaffinch.chat.calls import dispatch
from chaffinch.chat.calls.call import Call
from chaffinch.chat.commands.table import Command, Component, Leaf
from chaffinch.chat.faults import log_fault
from chaffinch.chat.measures import Measures
from chaffinch.chat.seen import Member
from chaffinch.config import BotSettings
from chaffinch.errors import RunError
from chaffinch.metrics.registry import Registry


class Parts:
    """What of the bot a dispatch uses."""

    def __init__(self) -> None:
        self.settings = BotSettings(owners=(9,))
        self.registry = Registry()
        self.measures = Measures(self.registry, self.settings)

    def outcomes(self) -> dict[str, float]:
        families = {family.name: family for family in self.registry.snapshot().families}
        return {dict(sample.labels)["outcome"]: sample.value for sample in families["bot_commands"].samples}


class Given:
    """A call that remembers what was said."""

    hides = True
    channel = parent = 2
    options: Mapping[str, Any] = MappingProxyType({})
    chosen: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()

    def __init__(self, member: Member, guild: int = 1, *, is_lost: bool = False) -> None:
        self.guild = guild
        self.member = member
        self.refusals: list[str] = []
        self._is_lost = is_lost

    async def refuse(self, why: str) -> None:
        if self._is_lost:
            raise RunError("Discord does not answer")
        self.refusals.append(why)


def carry_out(member: Member, who: Any, error: Exception | None = None, **given: Any) -> tuple[Given, Parts, list[str]]:
    done: list[str] = []

    async def work(call: Call, bot: Bot, rest: str = "") -> None:
        done.append(rest)
        if error is not None:
            raise error

    call, parts = Given(member, **given), Parts()
    leaf = Leaf("x y", Command("y", "About.", work, who))
    asyncio.run(dispatch.command(cast(Call, call), cast(Bot, parts), leaf))
    return call, parts, done


def test_who_may_has_it_done() -> None:
    call, parts, done = carry_out(Member(9), "moderator")

    assert (call.refusals, done, parts.outcomes()) == ([], [""], {"done": 1})


def test_who_may_not_has_nothing_done() -> None:
    call, parts, done = carry_out(Member(8), "moderator")

    assert "moderators" in call.refusals[0]
    assert (done, parts.outcomes()) == ([], {"refused": 1})


def test_outside_of_servers_nothing_is_done() -> None:
    call, _, done = carry_out(Member(9), "anyone", guild=0)

    assert call.refusals == ["I work in servers only: give me this command in a channel of one."]
    assert done == []


@pytest.mark.parametrize(("text", "said"), [("no room: free some", "No room: free some."), ("Done?", "Done?")])
def test_an_error_is_a_sentence(text: str, said: str) -> None:
    call, parts, _ = carry_out(Member(9), "anyone", RunError(text))

    assert call.refusals == [said]
    assert parts.outcomes() == {"refused": 1}


def test_a_fault_goes_no_further(caplog: pytest.LogCaptureFixture) -> None:
    call, parts, _ = carry_out(Member(9), "anyone", ZeroDivisionError("text of somebody"))

    assert len(call.refusals) == 1
    assert parts.outcomes() == {"failed": 1}
    assert "error=ZeroDivisionError" in caplog.text
    assert "text of somebody" not in caplog.text


def test_who_cannot_be_told_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    _, parts, _ = carry_out(Member(9), "anyone", ZeroDivisionError(), is_lost=True)

    assert "bot.refusal_not_told" in caplog.text
    assert parts.outcomes() == {"failed": 1}


def test_a_component_is_given_what_its_id_says() -> None:
    rests: list[str] = []

    async def pressed(call: Call, bot: Bot, rest: str) -> None:
        rests.append(rest)

    parts = Parts()
    asyncio.run(
        dispatch.component(cast(Call, Given(Member(9))), cast(Bot, parts), Component("a/b", pressed, "moderator"), "17")
    )

    assert rests == ["17"]
    assert parts.outcomes() == {"done": 1}


def test_a_fault_in_the_log_has_what_discord_answered(caplog: pytest.LogCaptureFixture) -> None:
    class AnsweredError(Exception):
        status = 403
        code = 50013

    name = log_fault(logging.getLogger("x"), "what", AnsweredError("somebody's words"), guild=5)

    assert f"what id={name} error=AnsweredError status=403 code=50013 guild=5" in caplog.text
    assert "somebody's words" not in caplog.text
