"""Threads that discord.py does not know: what is written, changed and taken back there counts for their channels."""

from pathlib import Path

import pytest

from chaffinch.chat.book.book import Book
from chaffinch.chat.guild import Channel
from chaffinch.chat.names import tenant_of
from tests.chat.connected import Connected, connected, run
from tests.chat.test_client import learned, listen, until_learned

ASK = "GET /channels/{channel_id}"


async def texts(one: Connected, like: str) -> list[str]:
    """Of the messages that are like it, by what they say."""
    return [found.text for found in await one.tenants.references(tenant_of(one.world.guild.id), like)]


def test_what_changes_in_an_archived_thread_stays_learned(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one, "general")
            member, plans = one.member("member"), one.channel("plans")
            said = [one.fake.say(member, plans, f"number {number} of what is planned") for number in range(3)]
            await until_learned(one, 3)
            one.fake.archive_thread(plans)
            one.bot.learner._recent.clear()  # as after a start
            one.fake.embed(said[0])
            one.fake.edit(said[1], "another plan for everybody")
            await one.settled()
            assert await learned(one) == 3
            assert "another plan for everybody" in await texts(one, "another plan for everybody")
            one.fake.delete(said[2])
            await until_learned(one, 2)
            assert not one.fake.requested(ASK), "the book knows the thread"

    run(test)


def test_a_message_that_comes_before_word_of_its_thread_is_learned(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one, "general")
            one.fake.tells_of_waking = False
            one.fake.say(one.member("member"), one.channel("old plans"), "said in one that was archived")
            await until_learned(one, 1)
            assert len(one.fake.requested(ASK)) == 1

    run(test)


def test_while_discord_is_asked_all_of_a_thread_waits_in_order(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one, "general")
            one.fake.tells_of_waking = False
            one.fake.faults.add(ASK, delay=0.2)
            member, old = one.member("member"), one.channel("old plans")
            first = one.fake.say(member, old, "said in one that was archived")
            for text in ("changed once after that", "changed a second time then"):
                one.fake.edit(first, text)
            second = one.fake.say(member, old, "said and taken back at once")
            one.fake.edit(second, "changed and taken back at once")
            one.fake.delete(second)
            await until_learned(one, 1)
            await one.settled()
            assert await texts(one, "changed a second time then") == ["changed a second time then"]
            assert len(one.fake.requested(ASK)) == 1

    run(test)


@pytest.mark.parametrize("status", [403, 404, 400])
def test_a_channel_of_which_discord_tells_nothing_is_asked_for_once(tmp_path: Path, status: int) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one, "general")
            one.fake.faults.refuse(ASK, status)
            member, old = one.member("member"), one.channel("old plans")
            one.fake.tells_of_waking = False
            for number in range(3):
                one.fake.say(member, old, f"nobody knows where, number {number}")
            await one.settled()
            assert await learned(one) == 0
            assert len(one.fake.requested(ASK)) == 1
            assert one.counted("bot_events_failed", event="parent") == (status == 400)

    run(test)


def test_a_moderator_may_command_in_a_thread_that_just_woke(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            one.fake.tells_of_waking = False
            old = one.channel("old plans")
            before = len(one.fake.posted(old))
            one.fake.say(one.member("moderator"), old, f"!mark listen add {one.channel('general').mention}")
            answer = await one.said(old, before)
            assert "I learn from" in answer.content
            assert one.book.channel(one.world.guild.id, one.channel("general").id).listens

    run(test)


def test_the_book_tells_the_channel_of_a_thread(tmp_path: Path) -> None:
    async def test() -> None:
        async with await Book.open(tmp_path) as book:
            await book.note_thread(1, 22, 2)
            assert (book.parent_of(1, 22), book.parent_of(2, 22), book.parent_of(1, 23)) == (2, None, None)
            await book.set_channels(1, [Channel(2, listens=True)])
            await book.drop_channel(1, 2)
            assert book.parent_of(1, 22) is None

    run(test)
