"""What members do while a page is on its way: the page undoes none of it, in a chain made anew or added to."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaffinch.chat import privacy
from chaffinch.chat.names import tenant_of
from tests.chat.training.guilds import GUILD, Discord, Stage, id_at, raw, seen
from tests.chat.training.test_trainer import play

Act = Callable[[Stage, Discord], Awaitable[None]]
TARGET = id_at(650)
"""On the fourth page of the only channel."""


async def delete(on: Stage, discord: Discord) -> None:
    discord.messages[10] = [one for one in discord.messages[10] if int(one["id"]) != TARGET]
    await on.learner.deleted(GUILD, [TARGET])


async def bulk_delete(on: Stage, discord: Discord) -> None:
    gone = {id_at(number) for number in range(600, 700)}
    discord.messages[10] = [one for one in discord.messages[10] if int(one["id"]) not in gone]
    await on.learner.deleted(GUILD, list(gone))


async def edit(on: Stage, discord: Discord) -> None:
    for number, one in enumerate(discord.messages[10]):
        if int(one["id"]) == TARGET:
            changed = discord.messages[10][number] = one | {"content": "what it says now"}
            await on.learner.edited(seen(changed))


async def edit_twice(on: Stage, discord: Discord) -> None:
    await edit(on, discord)
    for one in discord.messages[10]:
        if int(one["id"]) == TARGET:
            one["content"] = "and what it says at last"
            await on.learner.edited(seen(one))


async def forget_me(on: Stage, discord: Discord) -> None:
    author = 9000 + 650 % 7
    for rows in discord.messages.values():
        rows[:] = [one for one in rows if one["author"]["id"] != str(author)]
    await privacy.forget_user(on.book, on.tenants, GUILD, author)


async def delete_thread(on: Stage, discord: Discord) -> None:
    discord.messages.pop(20, None)
    discord.active_threads.clear()
    await on.learner.thread_deleted(GUILD, 20)


async def delete_channel(on: Stage, discord: Discord) -> None:
    for channel in (11, 20):
        discord.messages.pop(channel, None)
    discord.active_threads.clear()
    await on.learner.channel_deleted(GUILD, 11)


async def say(on: Stage, discord: Discord) -> None:
    number = 60_000_000 + len(discord.messages[10])
    discord.messages[10].append(raw(number, 10, author={"id": "9000"}))
    await on.learner.learn(seen(discord.messages[10][-1]))


ACTS = [delete, bulk_delete, edit, edit_twice, forget_me, delete_thread, delete_channel, say]


def world() -> Discord:
    """Ten pages of a channel, three of another with a thread of three."""
    discord = Discord()
    discord.add(10, range(1000))
    discord.add(11, range(2000, 2300))
    discord.add_thread(discord.active_threads, 20, 11, range(3000, 3300))
    return discord


def at_page(discord: Discord, when: str, channel: int, page: int, act: Callable[[], Awaitable[None]]) -> None:
    """Have something happen when a page of a channel is asked for, or once it was read."""
    count = 0

    async def meet(asked: int, before: int) -> None:
        nonlocal count
        if asked == channel:
            count += 1
            if count == page:
                await act()

    setattr(discord, when, meet)


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("when", ["before_page", "after_page"])
@pytest.mark.parametrize("page", [1, 4, 5])
@pytest.mark.parametrize("act", ACTS)
def test_what_happens_while_a_page_is_read_is_as_if_it_had_happened_before(
    tmp_path: Path, act: Act, when: str, page: int, clean: bool
) -> None:
    discord = world()

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        at_page(discord, when, 10, page, lambda: act(on, discord))
        await on.train(clean=clean)
        await on.over()
        assert await on.rows() == discord.rows()

    play(scene, tmp_path, discord)


@pytest.mark.parametrize("act", ACTS)
def test_what_happens_while_a_page_is_learned(tmp_path: Path, act: Act) -> None:
    """The event comes while the chain's add runs on its thread."""
    discord = world()

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        add, acting = on.tenants.add, []

        async def slow_add(tenant: str, messages: list, **how: object) -> object:
            if not acting and any(message.id == str(TARGET) for message in messages):
                acting.append(asyncio.create_task(act(on, discord)))
                await asyncio.sleep(0.01)
            return await add(tenant, messages, **how)

        on.tenants.add = slow_add  # type: ignore[method-assign]
        await on.train()
        await on.over()
        await asyncio.gather(*acting)
        assert acting
        assert await on.rows() == discord.rows()

    play(scene, tmp_path, discord)


@pytest.mark.parametrize("act", ACTS)
def test_what_happens_while_the_new_chain_takes_its_place(tmp_path: Path, act: Act) -> None:
    discord = world()

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        publish, acting = on.tenants.publish, []

        async def slow_publish(tenant: str) -> None:
            acting.append(asyncio.create_task(act(on, discord)))
            await asyncio.sleep(0.01)
            await publish(tenant)

        on.tenants.publish = slow_publish  # type: ignore[method-assign]
        await on.train()
        await on.over()
        await asyncio.gather(*acting)
        assert await on.rows() == discord.rows()
        assert not await on.tenants.is_anew(tenant_of(GUILD))

    play(scene, tmp_path, discord)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    acts=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(1, 16), st.booleans(), st.booleans()), max_size=8),
    clean=st.booleans(),
)
def test_any_acts_at_any_pages(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[Act, int, bool, bool]], clean: bool
) -> None:
    """Several acts, awaited by the page or beside it."""
    discord, beside = world(), []

    async def scene(on: Stage) -> None:
        await on.listen(10, 11)
        pages = 0

        async def meet(is_after: bool) -> None:
            nonlocal pages
            pages += not is_after
            for act, page, after, waits in acts:
                if page == pages and after == is_after:
                    if waits:
                        await act(on, discord)
                    else:
                        beside.append(asyncio.create_task(act(on, discord)))

        async def before(channel: int, before: int) -> None:
            await meet(False)

        async def after(channel: int, before: int) -> None:
            await meet(True)

        discord.before_page, discord.after_page = before, after
        await on.train(clean=clean)
        await on.over()
        await asyncio.gather(*beside)
        assert await on.rows() == discord.rows()

    play(scene, tmp_path_factory.mktemp("races"), discord)
