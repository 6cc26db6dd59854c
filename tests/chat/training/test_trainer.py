"""Trainings as members of a guild notice them: what the chain knows afterwards, and what was said."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from chaffinch.chain import Chain, Message, UnknownTenantError
from chaffinch.chat.guild import Channel, GuildSettings
from chaffinch.chat.names import own_of, tenant_of
from chaffinch.chat.payloads import EPOCH_MS
from chaffinch.chat.training import patience, run, trainer
from chaffinch.chat.training.source import Archived, FaultError, RefusedError
from chaffinch.errors import InputError, RunError
from tests.chat.training.guilds import GUILD, Discord, Given, Stage, id_at, raw, row, stage

Scene = Callable[[Stage], Awaitable[None]]
TENANT = tenant_of(GUILD)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_SECONDS", 0.001)


def play(scene: Scene, state: Path, discord: Discord | None = None, **settings: object) -> None:
    async def begin() -> None:
        async with stage(state, discord or Discord(), **settings) as on:
            await scene(on)

    asyncio.run(asyncio.wait_for(begin(), 20))


def two_channels() -> Discord:
    discord = Discord()
    discord.add(10, range(0, 1000, 2))
    discord.add(11, range(1, 1000, 2))
    return discord


def held(discord: Discord) -> asyncio.Event:
    """Pages below the 600th message are not given before this is set."""
    go = asyncio.Event()

    async def hold(channel: int, before: int) -> None:
        if before < id_at(600):
            await go.wait()

    discord.before_page = hold
    return go


def test_the_whole_history_is_learned_with_every_thread(tmp_path: Path) -> None:
    discord = Discord()
    discord.add(10, range(0, 1050, 3))
    discord.add(11, range(1, 1050, 3))
    discord.add(12, (), forum=True)
    discord.add(13, range(5000, 5100))  # nobody chose it
    discord.add_thread(discord.active_threads, 20, 10, range(2000, 2250))
    for number in range(5):
        posts = discord.public.setdefault(12, [])
        discord.add_thread(posts, 30 + number, 12, range(3000 + number * 10, 3010 + number * 10))
    discord.add_thread(discord.private.setdefault(11, []), 40, 11, range(4000, 4100))
    discord.add_thread(discord.active_threads, 50, 13, range(6000, 6010))
    discord.public[10] = [discord.active_threads[0]]  # archived while the threads were listed

    async def scene(on: Stage) -> None:
        await on.listen(10, 11, 12)
        await on.train()
        await on.over()
        wanted = {one for one in discord.rows() if one[2] not in ("13", "50")}
        assert await on.rows() == wanted
        assert f"Learned: {len(wanted):,} messages" in on.told()
        assert "The new chain has taken the old one's place" in on.told()
        assert on.book.training(GUILD) is None
        assert on.book.cursors(GUILD) == []
        assert sorted(on.book.threads_of(GUILD, 12)) == [30, 31, 32, 33, 34]

    play(scene, tmp_path, discord)
    assert len({asked for asked in discord.asked if asked[0] == 20}) == 3  # 250 messages, each page once
    assert len(discord.asked) == len(set(discord.asked))


def test_bots_system_messages_and_commands_are_not_learned(tmp_path: Path) -> None:
    discord = Discord()
    discord.add(10, range(5))
    odd = discord.messages[10]
    odd[0]["author"]["bot"] = True
    odd[1]["type"] = 7
    odd[2]["webhook_id"] = "5"
    odd[3]["type"] = 19  # a reply

    async def scene(on: Stage) -> None:
        await on.listen(10)
        await on.train()
        await on.over()
        assert await on.rows() == {row(odd[3]), row(odd[4])}

    play(scene, tmp_path, discord)


def test_a_clean_training_replaces_and_another_adds(tmp_path: Path) -> None:
    discord = two_channels()
    old = Message("something from long ago", id="5", author="6", channel="7")

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.tenants.add(TENANT, [old])
        await on.train(clean=False)
        await on.over()
        assert await on.rows() == discord.rows() | {("5", "6", "7", old.text)}
        await on.train(clean=False)
        await on.over()
        assert "Learned: 0 messages\nKnown already: 1,000" in on.told()
        await on.train(clean=True)
        await on.over()
        assert await on.rows() == discord.rows()

    play(scene, tmp_path, discord)


def test_the_old_chain_speaks_until_the_new_one_is_whole(tmp_path: Path) -> None:
    discord = two_channels()
    seen = []

    async def scene(on: Stage) -> None:
        async def look(channel: int, before: int) -> None:
            seen.append(await on.rows())

        await on.listen(10, 11)
        await on.tenants.add(TENANT, [Message("the old chain", id="5", author="6", channel="7")])
        discord.before_page = look
        await on.train()
        await on.over()
        assert await on.rows() == discord.rows()

    play(scene, tmp_path, discord)
    assert seen
    assert all(rows == {("5", "6", "7", "the old chain")} for rows in seen)


@pytest.mark.parametrize("status", [403, 404])
def test_a_channel_that_is_refused_is_passed_over_and_shown(tmp_path: Path, status: int) -> None:
    discord = two_channels()

    async def refuse(channel: int, before: int) -> None:
        if channel == 11 and before < id_at(700):
            raise RefusedError(status)

    discord.before_page = refuse

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        await on.over()
        assert f"Passed over: <#11>: {status}, " in on.told()
        assert {one for one in await on.rows() if one[2] == "10"} == {one for one in discord.rows() if one[2] == "10"}
        assert len({one for one in await on.rows() if one[2] == "11"}) in (200, 250)

    play(scene, tmp_path, discord)


def test_where_nothing_can_be_read_the_old_chain_stays(tmp_path: Path) -> None:
    discord = two_channels()

    async def refuse(channel: int, before: int) -> None:
        raise RefusedError(403)

    discord.before_page = refuse

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.tenants.add(TENANT, [Message("the old chain", id="5", author="6", channel="7")])
        await on.train()
        await on.over()
        assert await on.rows() == {("5", "6", "7", "the old chain")}
        assert "the chain stays as it was" in on.told()
        assert "<#10>: 403, the bot may not read its history" in on.told()
        assert not await on.tenants.is_anew(TENANT)

    play(scene, tmp_path, discord)


def test_messages_without_their_text_are_told_from_none(tmp_path: Path) -> None:
    discord = Discord()
    discord.add(10, range(150))
    for message in discord.messages[10]:
        message["content"] = ""

    async def scene(on: Stage) -> None:
        await on.listen(10)
        await on.train()
        await on.over()
        assert "is the Message Content intent switched on?" in on.told()
        assert "Without words: 150" in on.told()

    play(scene, tmp_path, discord)


def test_faults_are_waited_for_and_nothing_is_missing(tmp_path: Path) -> None:
    discord = two_channels()
    failed: dict[tuple[int, int], int] = {}

    async def fail(channel: int, before: int) -> None:
        failed[channel, before] = failed.get((channel, before), 0) + 1
        if failed[channel, before] <= 3:
            raise FaultError("Discord answers 503")

    discord.before_page = fail

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        await on.over()
        assert await on.rows() == discord.rows()
        assert "Passed over" not in on.told()

    play(scene, tmp_path, discord)


def test_what_is_waited_for_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SHOWN_SECONDS", 0.01)
    discord = two_channels()
    is_up = asyncio.Event()

    async def fail(channel: int, before: int) -> None:
        if not is_up.is_set():
            raise FaultError("no connection to Discord")

    discord.before_page = fail

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        while not any("no connection to Discord" in str(reply) for reply in on.wall.edits):
            await asyncio.sleep(0.005)
        is_up.set()
        await on.over()
        assert await on.rows() == discord.rows()
        assert "no connection" not in str(on.wall.edits[-1])

    play(scene, tmp_path, discord)


def test_a_guild_that_listens_nowhere_is_told_so(tmp_path: Path) -> None:
    async def scene(on: Stage) -> None:
        with pytest.raises(InputError, match="No channel is listened to here"):
            await on.train()
        assert on.book.training(GUILD) is None

    play(scene, tmp_path)


def test_a_second_training_is_refused_with_the_progress_of_the_first(tmp_path: Path) -> None:
    discord = two_channels()
    go = held(discord)

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        while (on.trainer.progress(GUILD) or pytest.fail("it is over")).learned < 400:
            await asyncio.sleep(0.005)
        with pytest.raises(InputError, match=r"A training runs here already: \d+% done, \d+ messages learned"):
            await on.train()
        go.set()
        await on.over()
        assert await on.rows() == discord.rows()

    play(scene, tmp_path, discord)


def test_guilds_beyond_the_bound_wait_and_are_told_their_place(tmp_path: Path) -> None:
    discord = two_channels()
    go = asyncio.Event()

    async def hold(channel: int, before: int) -> None:
        await go.wait()

    discord.before_page = hold
    guilds = [GUILD + number for number in range(3)]

    async def scene(on: Stage) -> None:
        for guild in guilds:
            await on.listen(10, guild=guild)
            await on.train(guild=guild)
        while [(on.trainer.progress(guild) or pytest.fail("none")).place for guild in guilds] != [0, 1, 2]:
            await asyncio.sleep(0.005)
        with pytest.raises(InputError, match="waits for its turn here already: 2 trainings before it"):
            await on.train(guild=guilds[2])
        go.set()
        for guild in guilds:
            await on.over(guild)
            assert len(await on.rows(guild)) == 500

    play(scene, tmp_path, discord, trainings_at_once=1)


def test_it_learns_no_more_while_a_merge_is_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    merging, original = threading.Event(), Chain.merge

    def merge(chain: Chain, **values: Any) -> object:
        assert merging.wait(10)
        return original(chain, **values)

    monkeypatch.setattr(Chain, "merge", merge)
    monkeypatch.setattr(Chain, "wants_merge", property(lambda chain: chain.stats().delta_messages > 0))
    monkeypatch.setattr("chaffinch.chain.running.BEHIND", 0.0)

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        while not (first := (on.trainer.progress(GUILD) or pytest.fail("it is over")).learned):
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.2)
        assert (on.trainer.progress(GUILD) or pytest.fail("it is over")).learned == first < 1000
        merging.set()
        await on.over()
        assert len(await on.rows()) == 1000

    play(scene, tmp_path, two_channels())


@pytest.mark.parametrize("clean", [True, False])
def test_stop_throws_away_what_a_clean_one_learned_and_says_so(tmp_path: Path, clean: bool) -> None:
    discord = two_channels()
    held(discord)

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.tenants.add(TENANT, [Message("the old chain", id="5", author="6", channel="7")])
        await on.train(clean=clean)
        while (on.trainer.progress(GUILD) or pytest.fail("it is over")).learned < 600:
            await asyncio.sleep(0.005)
        assert await on.trainer.cancel(GUILD)
        await on.over()
        rows = await on.rows()
        assert ("5", "6", "7", "the old chain") in rows
        assert len(rows) == (1 if clean else 601)
        assert ("thrown away" if clean else "stays") in on.told()
        assert on.book.training(GUILD) is None
        assert not await on.tenants.is_anew(TENANT)
        assert not await on.trainer.cancel(GUILD)
        discord.before_page = None
        await on.train()  # nothing is locked
        await on.over()
        assert await on.rows() == discord.rows()

    play(scene, tmp_path, discord)


def test_a_stopped_bot_goes_on_where_it_was(tmp_path: Path) -> None:
    discord = two_channels()
    stops = [id_at(800), id_at(400), id_at(150)]

    async def hold(channel: int, before: int) -> None:
        if stops and before < stops[0]:
            await asyncio.sleep(60)

    discord.before_page = hold

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        await asyncio.sleep(0.2)

    async def next_scene(on: Stage) -> None:
        await on.trainer.go_on()
        await on.trainer.go_on()  # ready comes again with every new connection
        await asyncio.sleep(0.2 if stops else 0)
        if not stops:
            await on.over()
            assert await on.rows() == discord.rows()
            assert "Learned: 1,000 messages" in on.told()
        begun = time.perf_counter()
        await on.trainer.stop()
        assert time.perf_counter() - begun < 1.2

    play(scene, tmp_path, discord)
    while stops:
        stops.pop(0)
        play(next_scene, tmp_path, discord)
    assert len(discord.asked) <= 10 + 2 + 2 * 4  # the pages, and those that were asked for when it stopped


def test_authors_with_the_opt_out_role_are_looked_up_once_and_not_learned(tmp_path: Path) -> None:
    discord = two_channels()
    discord.roles_of = {9003: frozenset({77}), 9004: frozenset({78})}

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        await on.over()
        assert discord.asked_of == []
        await on.book.set_settings(GUILD, GuildSettings(opt_out_role=77))
        await on.train()
        await on.over()
        assert [sorted(asked) for asked in discord.asked_of] == [[9000 + number for number in range(7)]]
        assert discord.looked_up == []
        assert await on.rows() == {one for one in discord.rows() if one[1] != "9003"}

    play(scene, tmp_path, discord)


def test_of_whom_the_gateway_says_nothing_each_is_looked_up_before_anything_of_them_is_learned(tmp_path: Path) -> None:
    discord = two_channels()
    discord.roles_of = {9003: frozenset({77}), 9004: frozenset({77})}
    discord.unanswered = lambda user: user % 2 == 1

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.book.set_settings(GUILD, GuildSettings(opt_out_role=77))
        await on.train()
        await on.over()
        assert sorted(discord.looked_up) == [9001, 9003, 9005]
        assert await on.rows() == {one for one in discord.rows() if one[1] not in ("9003", "9004")}

    play(scene, tmp_path, discord)


def test_another_opt_out_role_in_the_middle_has_everybody_looked_up_anew(tmp_path: Path) -> None:
    discord = Discord()
    discord.add(10, range(300))
    for number, message in enumerate(discord.messages[10]):
        message["author"]["id"] = str(9000 + number)
    discord.roles_of = {9004: frozenset({77}), 9299: frozenset({78})}

    async def scene(on: Stage) -> None:
        await on.listen(10)
        await on.book.set_settings(GUILD, GuildSettings(opt_out_role=77))
        asked = discord.members

        async def ask(guild: int, users: Collection[int]) -> dict[int, frozenset[int] | None]:
            if not discord.asked_of:
                await on.book.set_settings(GUILD, GuildSettings(opt_out_role=78))
            return await asked(guild, users)

        discord.members = ask  # type: ignore[method-assign]
        await on.train()
        await on.over()
        assert on.book.out_by_role(GUILD) == {9299}
        assert await on.rows() == {one for one in discord.rows() if one[1] != "9299"}

    play(scene, tmp_path, discord)


def test_own_chains_learn_too(tmp_path: Path) -> None:
    discord = two_channels()

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.book.set_own(GUILD, 9003, True)
        await on.train()
        await on.over()
        stats = await on.tenants.stats(own_of(GUILD, 9003))
        assert stats.messages == len({one for one in discord.rows() if one[1] == "9003"})

    play(scene, tmp_path, discord)


def test_what_is_older_than_the_retention_is_not_asked_for(tmp_path: Path) -> None:
    discord = Discord()
    discord.add(10, range(600))
    now = time.time()
    for age, message in enumerate(reversed(discord.messages[10])):  # one a day
        message["id"] = str((int((now - (age + 0.5) * 86_400) * 1000) - EPOCH_MS << 22) + 1)

    async def scene(on: Stage) -> None:
        await on.listen(10)
        await on.book.set_settings(GUILD, GuildSettings(retention_days=150))
        await on.train()
        await on.over()
        assert len(await on.rows()) == 150

    play(scene, tmp_path, discord)
    assert len(discord.asked) == 2


def test_a_deleted_progress_message_is_posted_anew_and_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SHOWN_SECONDS", 0.01)
    discord = two_channels()
    go = held(discord)

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        on.wall.gone = {1}
        while (on.book.training(GUILD) or pytest.fail("it is over")).message == 1:
            await asyncio.sleep(0.005)
        assert (on.book.training(GUILD) or pytest.fail("it is over")).message == 2
        go.set()
        await on.over()
        _, answered = on.wall.answers[-1]
        assert answered is not None
        assert answered.message == 2
        assert on.wall.posts[2].buttons == ()  # there is nothing to stop any more

    play(scene, tmp_path, discord)


def test_without_its_channel_a_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SHOWN_SECONDS", 0.001)
    discord = two_channels()

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        on.wall.is_closed = True
        await on.over()
        assert await on.rows() == discord.rows()
        assert on.book.training(GUILD) is None

    play(scene, tmp_path, discord)


def test_a_fault_of_ours_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "AGAIN_SECONDS", 0.01)
    discord = two_channels()
    faults = [KeyError("no text of messages here"), ZeroDivisionError()]

    async def fail(channel: int, before: int) -> None:
        if faults and before < id_at(700):
            raise faults.pop()

    discord.before_page = fail

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        await on.over()
        assert await on.rows() == discord.rows()

    play(scene, tmp_path, discord)
    assert not faults


def test_what_comes_during_a_clean_training_is_in_the_new_chain(tmp_path: Path) -> None:
    discord = two_channels()
    late = raw(60_000_000, 10)

    async def scene(on: Stage) -> None:
        from tests.chat.training.guilds import seen

        async def say(channel: int, before: int) -> None:
            discord.before_page = None
            await on.learner.learn(seen(late))

        await on.listen(10, 11)
        discord.before_page = say
        await on.train()
        await on.over()
        assert await on.rows() == discord.rows() | {row(late)}

    play(scene, tmp_path, discord)


def test_a_guild_that_was_left_ends_its_training(tmp_path: Path) -> None:
    discord = two_channels()

    async def scene(on: Stage) -> None:
        async def leave(channel: int, before: int) -> None:
            if before < id_at(700):
                async with on.book.turn(GUILD):
                    with contextlib.suppress(UnknownTenantError):
                        await on.tenants.remove(TENANT)
                    await on.book.drop_guild(GUILD)

        await on.listen(10, 11)
        discord.before_page = leave
        await on.train()
        await on.over()
        assert await on.tenants.list() == []
        assert not await on.tenants.is_anew(TENANT)
        assert on.book.guilds() == []

    play(scene, tmp_path, discord)


def test_a_channel_that_nobody_listens_to_any_more_is_passed_over(tmp_path: Path) -> None:
    discord = two_channels()

    async def scene(on: Stage) -> None:
        async def unlisten(channel: int, before: int) -> None:
            if channel == 11 and before < id_at(700):
                await on.book.set_channels(GUILD, [Channel(11)])

        await on.listen(10, 11)
        discord.before_page = unlisten
        await on.train()
        await on.over()
        assert "<#11>: it is not listened to any more" in on.told()
        rows = await on.rows()
        assert {one for one in rows if one[2] == "10"} == {one for one in discord.rows() if one[2] == "10"}
        assert len(rows) < 900

    play(scene, tmp_path, discord)


@pytest.mark.parametrize("backward", [True, False])
def test_a_clean_training_makes_the_chain_as_the_guild_wants_it(tmp_path: Path, backward: bool) -> None:
    discord = two_channels()

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.tenants.add(TENANT, [Message("the old chain", id="5", author="6", channel="7")])
        await on.book.set_settings(GUILD, GuildSettings(backward=backward))
        await on.train()
        await on.over()
        assert (await on.tenants.stats(TENANT)).options.backward is backward

    play(scene, tmp_path, discord)


def test_what_a_kill_left_of_an_ended_training_is_thrown_away(tmp_path: Path) -> None:
    async def scene(on: Stage) -> None:
        await on.listen(10)
        await on.tenants.add(TENANT, [Message("half of a history", id="5", author="6", channel="7")], anew=True)
        for name in ("train-5.json", "train-6.part"):
            (on.state / "bot" / name).write_text("[]")
        await on.trainer.go_on()
        assert not await on.tenants.is_anew(TENANT)
        assert list((on.state / "bot").glob("train-*")) == []

    play(scene, tmp_path, two_channels())


def test_a_channel_that_can_have_no_threads_is_none_that_is_passed_over(tmp_path: Path) -> None:
    discord = two_channels()
    listed = discord.archived

    async def archived(channel: int, *, private: bool, before: str = "") -> Archived:
        if channel == 10:
            raise RefusedError(400 if private else 404)
        if not private:
            raise RefusedError(403)
        return await listed(channel, private=private, before=before)

    discord.archived = archived  # type: ignore[method-assign]

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        await on.over()
        assert await on.rows() == discord.rows()
        assert "Passed over: <#11>: 403 for its archived threads" in on.told()
        assert "<#10>" not in on.told()

    play(scene, tmp_path, discord)


def test_a_chain_anew_that_was_removed_meanwhile_is_made_from_the_start(tmp_path: Path) -> None:
    discord = two_channels()
    held(discord)

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        while (on.trainer.progress(GUILD) or pytest.fail("it is over")).learned < 600:
            await asyncio.sleep(0.005)
        await on.trainer.stop()
        await on.tenants.abandon(TENANT)

    async def go_on(on: Stage) -> None:
        discord.before_page = None
        await on.trainer.go_on()
        await on.over()
        assert await on.rows() == discord.rows()

    play(scene, tmp_path, discord)
    play(go_on, tmp_path, discord)


def test_who_is_put_out_of_the_guild_passes_nothing_over(tmp_path: Path) -> None:
    """Every channel is refused then as one is that may not be read: half a chain would take the old one's place."""
    discord = two_channels()
    old = Message("the old chain", id="5", author="6", channel="7")

    async def leave(channel: int, before: int) -> None:
        discord.is_here = before >= id_at(700)

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.tenants.add(TENANT, [old])
        discord.before_page = leave
        await on.train()
        await on.over()
        assert await on.rows() == {("5", "6", "7", old.text)}
        assert on.wall.answers == []
        await on.book.left(GUILD, 1)
        await on.trainer.go_on()
        assert on.trainer.progress(GUILD) is None
        discord.before_page, discord.is_here = None, True
        await on.book.joined(GUILD)
        await on.trainer.go_on()
        await on.over()
        assert await on.rows() == discord.rows()

    play(scene, tmp_path, discord)


def test_who_was_out_by_their_role_and_went_stays_out(tmp_path: Path) -> None:
    discord = two_channels()
    discord.went = {9003, 9005}

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.book.set_settings(GUILD, GuildSettings(opt_out_role=77))
        await on.book.set_out(GUILD, 9003, True, by_role=True)
        await on.train()
        await on.over()
        assert await on.rows() == {one for one in discord.rows() if one[1] != "9003"}
        assert on.book.out_by_role(GUILD) == {9003}

    play(scene, tmp_path, discord)


def test_half_a_character_stops_no_training(tmp_path: Path) -> None:
    discord = two_channels()
    discord.messages[10][3]["content"] = "half of it \ud83d is here"

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        await on.over()
        texts = {one[3] for one in await on.rows()}
        assert "half of it \ufffd is here" in texts
        assert len(texts) == 1000

    play(scene, tmp_path, discord)


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_is_wrong_misses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    """What was said in the last minutes was learned by the old chain, and is to be in the one made anew."""
    discord = Discord()
    now_ms = int(time.time() * 1000)
    discord.add(10, range(100))
    for number in range(100):
        discord.messages[10][number]["id"] = str(now_ms - 5000 * (100 - number) - EPOCH_MS << 22)

    async def scene(on: Stage) -> None:
        await on.listen(10)
        on.wall.is_closed = True  # the bot may not post there: no message of its own tells the time
        call = Given(on.wall)
        call.answers = False
        wrong = time.time() + 60 * minutes
        monkeypatch.setattr(trainer.time, "time", lambda: wrong)
        await on.trainer.start(call, clean=True)
        monkeypatch.undo()
        await on.over()
        assert await on.rows() == discord.rows()

    play(scene, tmp_path, discord)


def test_the_result_is_posted_where_the_bot_may_write_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SHOWN_SECONDS", 0.001)
    discord = two_channels()
    go = asyncio.Event()

    async def wait(channel: int, before: int) -> None:
        if before < id_at(700):
            await go.wait()

    discord.before_page = wait

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        await on.train()
        await asyncio.sleep(0.02)
        on.wall.is_closed = True
        await asyncio.sleep(0.1)
        training = on.book.training(GUILD)
        assert training is not None
        assert training.channel == 42  # the next start shows it there, if it may
        on.wall.is_closed = False
        go.set()
        await on.over()
        assert "It is done." in on.told()

    play(scene, tmp_path, discord)


def test_where_it_is_shown_is_not_noted_of_a_training_that_ends_just_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be there again, and the next start would go on with it."""
    monkeypatch.setattr(run, "SHOWN_SECONDS", 0.001)
    discord = two_channels()

    async def wait(channel: int, before: int) -> None:
        await asyncio.sleep(60)

    async def scene(on: Stage) -> None:
        ending, posting = asyncio.Event(), asyncio.Event()
        end, post = on.book.end_training, on.wall.post

        async def end_training(guild: int) -> None:
            ending.set()
            await end(guild)

        async def slow_post(*given: Any) -> Any:
            posting.set()
            await ending.wait()
            return await post(*given)

        await on.listen(10, 11)
        discord.before_page = wait
        await on.train()
        monkeypatch.setattr(on.book, "end_training", end_training)
        monkeypatch.setattr(on.wall, "post", slow_post)
        on.wall.gone = {1}
        await posting.wait()
        await on.trainer.cancel(GUILD)
        await on.over()
        assert on.book.training(GUILD) is None

    play(scene, tmp_path, discord)


def test_what_it_waits_for_names_no_path_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    discord = two_channels()

    async def scene(on: Stage) -> None:
        async def full(*_: object, **__: object) -> None:
            raise RunError(f"{on.state}/chains/x cannot grow, the disk is full: free room")

        await on.listen(10, 11)
        add = on.tenants.add
        monkeypatch.setattr(on.tenants, "add", full)
        await on.train()
        while not (on.trainer.progress(GUILD) or pytest.fail("it is over")).waiting:
            await asyncio.sleep(0.001)
        said = on.trainer.progress(GUILD)
        assert said is not None
        assert said.waiting == {0: "chains/x cannot grow, the disk is full: free room"}
        monkeypatch.setattr(on.tenants, "add", add)
        await on.over()
        assert await on.rows() == discord.rows()

    play(scene, tmp_path, discord)
