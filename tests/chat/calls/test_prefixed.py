"""Commands by prefix: where their answers stand, and what does not keep them back."""

import asyncio
from pathlib import Path

import pytest

from chaffinch.chat.calls.call import Posted, Reply
from chaffinch.chat.calls.prefixed import PrefixCall
from chaffinch.chat.seen import Member, Seen
from tests.chat.connected import connected, run

TYPING = "POST /channels/{channel_id}/typing"


@pytest.mark.parametrize("fault", [None, {"status": 403, "body": {"message": "no", "code": 50013}}, {"resets": True}])
def test_the_bot_types_until_it_answers_and_answers_where_it_may_not_type(
    tmp_path: Path, fault: dict[str, object] | None
) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            if fault is not None:
                one.fake.faults.add(TYPING, **fault)
            answer = await one.told("member", "!mark")
            assert answer.content
            assert answer.reply_to is not None
            assert answer.reply_to.content == "!mark"
            assert len(one.fake.requested(TYPING)) == 1

    run(test)


def test_a_command_that_was_deleted_meanwhile_is_answered_without_a_reply(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            general = one.channel("general")
            one.fake.delete(one.fake.say(one.member("member"), general, "!mark help"))
            assert (await one.said(general, 0)).embeds

    run(test)


def test_all_of_a_channel_see_what_is_said_and_nothing_else_can_be_changed() -> None:
    replies: list[tuple[int, Reply, Posted | None]] = []

    class Posting:
        async def post(self, channel: int, reply: Reply, reply_to: Posted | None = None) -> Posted:
            replies.append((channel, reply, reply_to))
            return Posted(channel, 77)

        async def edit(self, posted: Posted, reply: Reply) -> None:
            raise NotImplementedError

    async def typing(_: int) -> None:
        """Nobody looks."""

    async def steps() -> None:
        call = PrefixCall(Seen(1, 2, 3, 4, 5, "!mark", 0), Member(5), {"debug": True}, Posting(), typing)
        assert (call.guild, call.channel, call.parent, call.hides) == (1, 2, 3, False)
        await call.think(hidden=True)
        assert await call.answer(Reply("words"), hidden=True) == Posted(2, 77)
        await call.refuse("no")
        with pytest.raises(NotImplementedError):
            await call.update(Reply("x"))

    asyncio.run(steps())
    assert replies == [(2, Reply("words"), Posted(2, 4)), (2, Reply("no"), Posted(2, 4))]
