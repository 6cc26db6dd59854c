"""What is learned and unlearned: by real chains and a real book."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from chaffinch.chain import Chain, Message, Pool, Tenants, directory_of
from chaffinch.chain.errors import LockedError, UnknownTenantError
from chaffinch.chat.book.book import Book, Training
from chaffinch.chat.book.unlearnings import Unlearning
from chaffinch.chat.commands.table import table
from chaffinch.chat.guild import Channel, GuildSettings
from chaffinch.chat.learning.learner import Learner, message_of
from chaffinch.chat.measures import Measures
from chaffinch.chat.names import own_of, tenant_of
from chaffinch.chat.seen import Seen
from chaffinch.config import ChainSettings
from chaffinch.config.tree import BotSettings
from chaffinch.errors import InputError
from chaffinch.metrics.registry import Registry

GUILD, LISTENED, OTHER, ANN, BEN, BOT = 1, 10, 11, 100, 101, 17
CLEAN = Training(GUILD, True, 0, LISTENED, 1, 10**18, "", "reading")


class Parts:
    """A book, chains, and who learns. `LISTENED` is listened to."""

    def __init__(self, state: Path, book: Book, tenants: Tenants, settings: BotSettings) -> None:
        self.state = state
        self.book = book
        self.tenants = tenants
        self.settings = settings
        self.registry = Registry()
        self.measures = Measures(self.registry, settings)
        self.learner = Learner(book, tenants, self.measures, settings, table(settings), bot_id=BOT)
        self._ids = 0

    def seen(self, text: str, **more: object) -> Seen:
        """A new message of Ann's in the channel that is listened to."""
        self._ids += 1
        fields = {"id": self._ids, "channel": LISTENED, "author": ANN, "time_ms": self._ids, **more}
        fields.setdefault("parent", fields["channel"])
        return Seen(guild=GUILD, text=text, **fields)  # type: ignore[arg-type]

    async def say(self, text: str, **more: object) -> Seen:
        """One that is learned."""
        seen = self.seen(text, **more)
        await self.learner.learn(seen)
        return seen

    async def texts(self, tenant: str = tenant_of(GUILD), *, anew: bool = False) -> dict[str, str]:
        """What a chain holds, by id."""
        return await held(self.tenants, tenant, anew=anew)

    def count(self, name: str) -> float:
        return self.registry.snapshot().total(name)


async def held(tenants: Tenants, tenant: str, *, anew: bool = False) -> dict[str, str]:
    """All messages of a chain. Each has the words `the chaffinch`, so that every one shares something with that."""
    try:
        total = (await tenants.stats(tenant, anew=anew, wait=True)).messages
    except UnknownTenantError:
        return {}
    if not total:
        return {}

    def look(chain: Chain) -> dict[str, str]:
        return {one.id: one.text for one in chain.references("the chaffinch sings", 10_000)}

    found = await tenants._run(tenant, "references", look, anew=anew, wait=True)
    assert len(found) == total
    return found


@asynccontextmanager
async def parts(state: Path, **settings: object) -> AsyncIterator[Parts]:
    async with (
        await Book.open(state) as book,
        Pool(2) as pool,
        Tenants(state, pool, ChainSettings()) as tenants,
    ):
        one = Parts(state, book, tenants, BotSettings(**settings))  # type: ignore[arg-type]
        await book.set_channels(GUILD, [Channel(LISTENED, listens=True)])
        try:
            yield one
        finally:
            await one.learner.close()


def play(state: Path, act: Callable[[Parts], Awaitable[None]], **settings: object) -> None:
    async def run() -> None:
        async with parts(state, **settings) as one:
            await act(one)

    asyncio.run(asyncio.wait_for(run(), 60))


def song(text: str) -> str:
    return f"the chaffinch sings {text}"


# What is learned ------------------------------------------------------------------------------------------------------


def test_people_are_learned_from_where_the_bot_listens(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.say(song("at dawn"))
        await one.say(song("in a thread"), channel=77, parent=LISTENED)
        await one.say(song("elsewhere"), channel=OTHER)
        await one.say(song("as a bot"), is_human=False)
        await one.say(f'!mark seed:"{song("by prefix")}"')
        await one.say("!MARK")
        await one.say("<@17>")
        await one.say("  ")
        assert await one.texts() == {"1": song("at dawn"), "2": song("in a thread")}
        assert one.count("bot_learned") == 2
        assert one.book.threads_of(GUILD, LISTENED) == [77]

    play(tmp_path, act)


def test_the_bots_mention_is_not_learned_and_others_are(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.say("<@17> " + song("to <@99>"))
        assert await one.texts() == {"1": song("to <@99>")}

    play(tmp_path, act)


def test_a_message_is_learned_with_all_that_is_known_of_it() -> None:
    seen = Seen(1, 5, 2, 3, 4, "<@17> hello", 1234, attachments=("https://h/a.png",))
    assert message_of(seen, 17) == Message("hello", "3", "4", "5", 1234, ("https://h/a.png",))
    assert message_of(seen).text == "<@17> hello"


def test_attachments_alone_are_learned_and_taken_back_as_any_message(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        picture = ("https://h/a.png",)
        first = await one.say("", attachments=picture)
        second = await one.say("<@17>", attachments=picture)
        await one.say("")
        assert await one.tenants.count(tenant_of(GUILD), author=str(ANN)) == 2
        found = await one.tenants.illustration(tenant_of(GUILD), "anything")
        assert found is not None
        assert found.attachments == picture
        await one.learner.deleted(GUILD, [first.id])
        await one.learner.edited(msgspec.structs.replace(second, text=song("with words now")))
        assert await one.texts() == {str(second.id): song("with words now")}

    play(tmp_path, act)


def test_a_message_that_comes_twice_is_learned_once(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        seen = await one.say(song("once"))
        await one.learner.learn(seen)
        assert len(await one.texts()) == 1
        assert one.count("bot_learned") == 1

    play(tmp_path, act)


def test_the_chain_of_a_guild_that_wants_it_can_be_asked_for_words_anywhere(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.book.set_settings(GUILD, GuildSettings(backward=True))
        await one.say(song("at dawn"))
        assert (await one.tenants.stats(tenant_of(GUILD))).options.backward

    play(tmp_path, act)


# What is unlearned ----------------------------------------------------------------------------------------------------


def test_what_is_deleted_is_unlearned_one_or_many(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        for number in range(5):
            await one.say(song(f"verse {number}"))
        await one.learner.deleted(GUILD, [2])
        assert set(await one.texts()) == {"1", "3", "4", "5"}
        await one.learner.deleted(GUILD, (1, 3, 4, 99))
        assert set(await one.texts()) == {"5"}
        await one.learner.deleted(GUILD, [])
        await one.learner.deleted(2, [5])
        assert set(await one.texts()) == {"5"}
        assert one.count("bot_forgotten") == 4

    play(tmp_path, act)


def test_what_is_edited_is_learned_anew_under_its_id(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        seen = await one.say(song("at dawn"))
        await one.learner.edited(msgspec.structs.replace(seen, text=song("at noon")))
        assert await one.texts() == {"1": song("at noon")}
        assert one.count("bot_edited") == 1
        await one.learner.deleted(GUILD, [1])
        assert await one.texts() == {}

    play(tmp_path, act)


def test_an_edit_that_changes_no_text_costs_nothing(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        seen = await one.say(song("https://example.org"))
        before = one.tenants._measures.registry.snapshot().total("chain_forgotten")
        await one.learner.edited(seen)
        assert one.count("bot_edited") == 0
        assert one.tenants._measures.registry.snapshot().total("chain_forgotten") == before

    play(tmp_path, act)


def test_the_last_of_several_edits_stands_also_if_it_is_the_first_text_again(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        first = await one.say(song("first"))
        second = msgspec.structs.replace(first, text=song("second"))
        command = msgspec.structs.replace(first, text="!mark")
        for edits in ([second, first], [second, first, second], [command, first], [first, second]):
            async with one.book.turn(GUILD):
                waiting = [asyncio.create_task(one.learner.edited(edit)) for edit in edits]
                await asyncio.sleep(0)
            await asyncio.gather(*waiting)
            assert await one.texts() == {"1": edits[-1].text}

    play(tmp_path, act)


def test_an_edit_of_a_message_that_was_never_learned_teaches_it_where_the_bot_listens(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.learner.edited(one.seen(song("edited")))
        await one.learner.edited(one.seen(song("elsewhere"), channel=OTHER))
        await one.learner.edited(one.seen(song("by a bot"), is_human=False))
        assert await one.texts() == {"1": song("edited")}
        assert one.count("bot_learned") == 1

    play(tmp_path, act)


@pytest.mark.parametrize("text", [f'!mark seed:"{song("now")}"', "", "<@17>"])
def test_an_edit_into_what_is_not_learned_unlearns(tmp_path: Path, text: str) -> None:
    async def act(one: Parts) -> None:
        seen = await one.say(song("at dawn"))
        await one.learner.edited(msgspec.structs.replace(seen, text=text))
        assert await one.texts() == {}

    play(tmp_path, act)


def test_an_edit_where_the_bot_listens_no_more_unlearns(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        seen = await one.say(song("at dawn"))
        await one.book.set_channels(GUILD, [Channel(LISTENED)])
        assert len(await one.texts()) == 1
        await one.learner.edited(msgspec.structs.replace(seen, text=song("at noon")))
        assert await one.texts() == {}

    play(tmp_path, act)


def test_what_counts_is_whether_the_bot_listened_when_a_message_came(tmp_path: Path) -> None:
    """Not whether it does once its turn has come: a training may hold that up."""

    async def act(one: Parts) -> None:
        before = await one.say(song("before"))
        early = await one.say(song("early"))
        turn = one.book.turn(GUILD)
        await turn.acquire()
        listened = [
            asyncio.create_task(one.say(song("while it listened"))),
            asyncio.create_task(one.learner.edited(msgspec.structs.replace(before, text=song("edited in time")))),
        ]
        await asyncio.sleep(0)
        await one.book.set_channels(GUILD, [Channel(LISTENED)])
        deaf = [
            asyncio.create_task(one.say(song("while it did not"))),
            asyncio.create_task(one.learner.edited(msgspec.structs.replace(early, text=song("edited late")))),
        ]
        await asyncio.sleep(0)
        await one.book.set_channels(GUILD, [Channel(LISTENED, listens=True)])
        turn.release()
        await asyncio.gather(*listened, *deaf)
        assert await one.texts() == {"1": song("edited in time"), "3": song("while it listened")}

    play(tmp_path, act)


def test_who_is_out_counts_when_it_is_learned(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        async with one.book.turn(GUILD):
            waits = asyncio.create_task(one.say(song("at dawn")))
            await asyncio.sleep(0)
            await one.book.set_out(GUILD, ANN, True)
        await waits
        assert await one.texts() == {}

    play(tmp_path, act)


def test_with_a_thread_its_messages_go(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.say(song("in the channel"))
        await one.say(song("in the thread"), channel=77, parent=LISTENED)
        await one.learner.thread_deleted(GUILD, 77)
        assert set(await one.texts()) == {"1"}
        assert one.book.threads_of(GUILD, LISTENED) == []

    play(tmp_path, act)


def test_with_a_channel_its_messages_go_and_those_of_its_threads(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.book.set_channels(GUILD, [Channel(OTHER, listens=True)])
        await one.say(song("in the channel"))
        await one.say(song("in a thread"), channel=77, parent=LISTENED)
        await one.say(song("in another"), channel=78, parent=LISTENED)
        await one.say(song("elsewhere"), channel=OTHER)
        await one.learner.channel_deleted(GUILD, LISTENED)
        assert set(await one.texts()) == {"4"}
        assert not one.book.channel(GUILD, LISTENED).listens

    play(tmp_path, act)


# Who is out, and who has a chain of their own -------------------------------------------------------------------------


def test_nothing_is_learned_from_who_is_out(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.book.set_out(GUILD, ANN, True)
        seen = await one.say(song("at dawn"))
        await one.learner.edited(seen)
        await one.say(song("at dawn"), author=BEN)
        assert set(await one.texts()) == {"2"}

    play(tmp_path, act)


def test_who_is_seen_with_the_opt_out_role_is_unlearned_and_learned_from_without_it(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.book.set_settings(GUILD, GuildSettings(opt_out_role=9))
        await one.book.set_own(GUILD, ANN, True)
        await one.say(song("before"), roles=frozenset())
        await one.say(song("by ben"), author=BEN, roles=frozenset())
        await one.say(song("with it"), roles=frozenset({8, 9}))
        assert set(await one.texts()) == {"2"}
        assert await one.texts(own_of(GUILD, ANN)) == {}
        await one.learner.edited(one.seen(song("with it still")))
        assert set(await one.texts()) == {"2"}
        await one.say(song("after"), roles=frozenset({8}))
        assert set(await one.texts()) == {"2", "5"}
        await one.learner.roles_seen(GUILD, BEN, frozenset({9}))
        assert set(await one.texts()) == {"5"}
        assert one.book.out_by_role(GUILD) == {BEN}

    play(tmp_path, act)


def test_the_role_is_seen_in_channels_that_are_not_listened_to(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.book.set_settings(GUILD, GuildSettings(opt_out_role=9))
        await one.say(song("before"))
        await one.say("hello", channel=OTHER, roles=frozenset({9}))
        assert await one.texts() == {}

    play(tmp_path, act)


def test_who_agreed_to_a_chain_of_their_own_has_what_they_say_in_it(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.say(song("before"))
        await one.book.set_own(GUILD, ANN, True)
        first = await one.say(song("first"))
        await one.say(song("second"))
        await one.say(song("third"), channel=77, parent=LISTENED)
        await one.say(song("by ben"), author=BEN)
        own = own_of(GUILD, ANN)
        assert set(await one.texts(own)) == {"2", "3", "4"}
        await one.learner.edited(msgspec.structs.replace(first, text=song("first and better")))
        assert (await one.texts(own))["2"] == song("first and better")
        await one.learner.deleted(GUILD, [3])
        await one.learner.thread_deleted(GUILD, 77)
        assert set(await one.texts(own)) == {"2"}
        assert own_of(GUILD, BEN) not in await one.tenants.list()

    play(tmp_path, act)


# Beside a training ----------------------------------------------------------------------------------------------------


def test_while_a_chain_is_made_anew_all_changes_are_made_in_both(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        old = [await one.say(song(f"verse {number}")) for number in range(4)]
        await one.book.set_training(CLEAN)
        await one.say(song("meanwhile"))  # the chain anew begins with it
        assert set(await one.texts(anew=True)) == {"5"}
        with one.learner.in_flight(GUILD) as flight:
            added = await one.learner.learn_page(GUILD, flight, old, True)
        assert added.learned == 4
        await one.learner.deleted(GUILD, [1])
        await one.learner.edited(msgspec.structs.replace(old[1], text=song("another verse")))
        await one.say(song("in a thread"), channel=77, parent=LISTENED)
        await one.learner.thread_deleted(GUILD, 77)
        for anew in (False, True):
            assert await one.texts(anew=anew) == {
                "2": song("another verse"),
                "3": song("verse 2"),
                "4": song("verse 3"),
                "5": song("meanwhile"),
            }

    play(tmp_path, act)


def test_after_it_took_its_place_no_other_chain_is_begun(tmp_path: Path) -> None:
    """A bot that was killed between publishing and noting that has the training in its book still."""

    async def act(one: Parts) -> None:
        await one.book.set_training(CLEAN)
        await one.say(song("before"))
        await one.book.set_training(msgspec.structs.replace(CLEAN, state="publishing"))
        await one.say(song("while it is put in its place"))
        assert len(await one.texts(anew=True)) == 2
        await one.tenants.publish(tenant_of(GUILD))
        await one.say(song("after"))
        assert not await one.tenants.is_anew(tenant_of(GUILD))
        assert set(await one.texts()) == {"1", "2", "3"}

    play(tmp_path, act)


def test_what_happens_to_a_page_on_its_way_is_not_undone_by_learning_it(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.book.set_channels(GUILD, [Channel(OTHER, listens=True)])
        page = [one.seen(song(f"verse {number}")) for number in range(4)]
        page.append(one.seen(song("by ben"), author=BEN))
        page.append(one.seen(song("in a thread"), channel=77, parent=LISTENED))
        page.append(one.seen(song("in another channel"), channel=OTHER))
        page.append(one.seen(song("in its thread"), channel=78, parent=OTHER))
        page.append(one.seen(song("by a bot"), is_human=False))
        page.append(one.seen(song("what is a command now")))
        with one.learner.in_flight(GUILD) as flight:
            await one.learner.deleted(GUILD, [1, 2])
            await one.learner.edited(msgspec.structs.replace(page[2], text=song("another verse")))
            await one.learner.edited(msgspec.structs.replace(page[9], text="!mark help"))
            await one.book.set_out(GUILD, BEN, True)
            await one.learner.thread_deleted(GUILD, 77)
            await one.learner.channel_deleted(GUILD, OTHER)
            await one.learner.learn_page(GUILD, flight, page, False)
            assert await one.texts() == {"3": song("another verse"), "4": song("verse 3")}
        with one.learner.in_flight(GUILD) as flight:
            assert not flight.gone
            assert not flight.gone_channels

    play(tmp_path, act)


def test_a_page_teaches_chains_of_their_own_and_notes_threads(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.book.set_own(GUILD, ANN, True)
        page = [one.seen(song("by ann"), channel=77, parent=LISTENED), one.seen(song("by ben"), author=BEN)]
        with one.learner.in_flight(GUILD) as flight:
            added = await one.learner.learn_page(GUILD, flight, page, False)
            again = await one.learner.learn_page(GUILD, flight, page, False)
        assert (added.learned, again.learned, again.duplicates) == (2, 0, 2)
        assert set(await one.texts(own_of(GUILD, ANN))) == {"1"}
        assert one.book.threads_of(GUILD, LISTENED) == [77]

    play(tmp_path, act)


def test_a_message_that_is_deleted_while_it_is_answered_is_not_learned(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        gone, edited, stays = (one.seen(song(text)) for text in ("gone", "before", "stays"))
        with one.learner.in_flight(GUILD) as flight:
            await one.learner.deleted(GUILD, [gone.id])
            await one.learner.edited(msgspec.structs.replace(edited, text=song("after")))
            for seen in (gone, edited, stays):
                await one.learner.learn(seen, flight)
        assert await one.texts() == {"2": song("after"), "3": song("stays")}

    play(tmp_path, act)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_in_whatever_order_the_chain_holds_what_stands(tmp_path: Path, seed: int) -> None:
    """Messages, edits, deletes and pages at once: what is learned is what is there in the end."""
    chance = random.Random(seed)

    async def act(one: Parts) -> None:
        stands: dict[int, Seen] = {}
        if seed % 2:
            await one.book.set_training(CLEAN)
        tasks: list[asyncio.Task[object]] = []

        def go(doing: Awaitable[object]) -> None:
            async def wrapped() -> object:
                return await doing

            tasks.append(asyncio.create_task(wrapped()))

        async def bring(flight_page: list[Seen]) -> None:
            await asyncio.sleep(chance.random() / 200)
            await one.learner.learn_page(GUILD, flight, flight_page, bool(seed % 2))

        history = [one.seen(song(f"long ago {number}")) for number in range(60)]
        stands.update((seen.id, seen) for seen in history)
        with one.learner.in_flight(GUILD) as flight:
            for _ in range(150):
                match chance.randrange(5):
                    case 0 | 1:
                        seen = one.seen(song(f"now {chance.random()}"))
                        stands[seen.id] = seen
                        go(one.learner.learn(seen))
                    case 2 if stands:
                        old = stands[chance.choice(list(stands))]
                        stands[old.id] = msgspec.structs.replace(old, text=song(f"edited {chance.random()}"))
                        go(one.learner.edited(stands[old.id]))
                    case 3 if stands:
                        gone = chance.sample(list(stands), min(len(stands), chance.choice([1, 1, 5])))
                        for id_ in gone:
                            del stands[id_]
                        go(one.learner.deleted(GUILD, gone))
                    case 4 if history:
                        page, history = history[:10], history[10:]
                        go(bring(page))
                if chance.random() < 0.2:
                    await asyncio.sleep(chance.random() / 500)
            await asyncio.gather(*tasks)
            for rest in (history[at : at + 10] for at in range(0, len(history), 10)):
                await bring(rest)
        expected = {str(seen.id): seen.text for seen in stands.values()}
        assert await one.texts(anew=bool(seed % 2)) == expected

    play(tmp_path, act)


# What cannot be written now -------------------------------------------------------------------------------------------


def test_while_another_process_writes_the_chain_changes_wait_in_their_order(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        one.learner.postponed._again_seconds = 0.1
        first = await one.say(song("first"))
        await one.tenants.close()
        async with Pool(1) as pool, Tenants(tmp_path, pool, ChainSettings()) as tenants:
            one.tenants = one.learner._tenants = tenants
            with Chain.open(directory_of(tmp_path, tenant_of(GUILD)), write=True):
                with pytest.raises(LockedError):
                    await tenants.add(tenant_of(GUILD), [Message("x")])
                second = await one.say(song("second"))
                await one.learner.deleted(GUILD, [2])
                await one.learner.edited(msgspec.structs.replace(first, text=song("first and better")))
                await one.learner.edited(msgspec.structs.replace(first, text=song("first and best")))
                third = await one.say(song("third"))
                await one.learner.learn(second)
                assert one.count("bot_changes_waiting") == 6
                await asyncio.sleep(0.25)
                assert one.count("bot_changes_waiting") == 6
            # Before the next try: what comes now goes behind what waits.
            await one.learner.deleted(GUILD, [third.id])
            while len(one.learner.postponed):
                await asyncio.sleep(0.02)
            assert await one.texts() == {"1": song("first and best"), "2": song("second")}
            await one.learner.deleted(GUILD, [2])
            assert await one.texts() == {"1": song("first and best")}
            assert one.count("bot_changes_lost") == 0
            await one.learner.close()

    play(tmp_path, act)


def test_past_the_bound_what_was_to_be_learned_goes_first_and_all_of_it_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(one: Parts) -> None:
        for number in range(20):
            await one.say(song(f"verse {number}"))
        await one.tenants.close()
        async with Pool(1) as pool, Tenants(tmp_path, pool, ChainSettings()) as tenants:
            one.tenants = one.learner._tenants = tenants
            with Chain.open(directory_of(tmp_path, tenant_of(GUILD)), write=True):
                for _ in range(16):
                    await one.say(song("waits"))
                await one.say(song("has no room"))
                assert one.count("bot_changes_lost") == 1
                for number in range(1, 17):
                    await one.learner.deleted(GUILD, [number])
                assert one.count("bot_changes_lost") == 17
                await one.learner.deleted(GUILD, [17])
                assert one.count("bot_changes_lost") == 17, "the book has what is to be unlearned"
                assert len(one.learner.postponed) == 16
            await one.learner.postponed.close()
            assert set(await one.texts()) == {"18", "19", "20"}
            assert one.book.unlearnings.guilds() == []

    with caplog.at_level(logging.INFO, "chaffinch.bot"):
        play(tmp_path, act, waiting_changes=16)
    assert "bot.changes_lost guild=1" in caplog.text
    assert "the chaffinch" not in caplog.text


def test_what_still_waits_at_the_end_is_counted_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def act(one: Parts) -> None:
        await one.say(song("first"))
        await one.tenants.close()
        async with Pool(1) as pool, Tenants(tmp_path, pool, ChainSettings()) as tenants:
            one.learner._tenants = tenants
            with Chain.open(directory_of(tmp_path, tenant_of(GUILD)), write=True):
                await one.say(song("second"))
                await one.learner.deleted(GUILD, [1])
                await one.learner.close()
        assert one.count("bot_changes_lost") == 1
        assert one.count("bot_changes_waiting") == 0

    play(tmp_path, act)
    assert "bot.changes_lost guild=1 changes=1 why=not_written" in caplog.text


@pytest.mark.parametrize("is_killed", [True, False])
def test_what_is_to_be_unlearned_and_waits_is_unlearned_by_the_next_start(tmp_path: Path, is_killed: bool) -> None:
    async def before(one: Parts) -> None:
        await one.book.set_settings(GUILD, GuildSettings(opt_out_role=77))
        await one.book.set_own(GUILD, BEN, True)
        for number in range(4):
            await one.say(song(f"verse {number}"))
        old = await one.say(song("before the edit"))
        await one.say(song("in a thread"), channel=30, parent=LISTENED)
        await one.say(song("in another channel's thread"), channel=31, parent=LISTENED)
        await one.say(song("of Ben"), author=BEN)
        await one.say(song("of who has the role soon"), author=102)
        await one.tenants.close()
        async with Pool(1) as pool, Tenants(tmp_path, pool, ChainSettings()) as tenants:
            one.learner._tenants = tenants
            with Chain.open(directory_of(tmp_path, tenant_of(GUILD)), write=True):
                await one.learner.deleted(GUILD, [1])
                await one.learner.deleted(GUILD, [2, 3, 8])
                await one.learner.edited(msgspec.structs.replace(old, text=song("after it")))
                await one.learner.thread_deleted(GUILD, 30)
                await one.say("seen with it", author=102, roles=frozenset({77}))
                if is_killed:
                    one.learner.postponed._of.clear()
                else:
                    await one.learner.close()

    async def after(one: Parts) -> None:
        await one.learner.begin()
        assert set((await one.texts()).values()) == {song("verse 3"), song("in another channel's thread")}
        assert await one.texts(own_of(GUILD, BEN)) == {}
        assert one.book.out_by_role(GUILD) == {102}
        assert one.book.unlearnings.guilds() == []
        again = await one.say(song("later"))
        assert again.text in (await one.texts()).values()

    play(tmp_path, before)
    play(tmp_path, after)


def test_what_an_earlier_start_left_waits_where_it_cannot_be_unlearned_yet(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        one.learner.postponed._again_seconds = 0.05
        first = await one.say(song("first"))
        await one.book.unlearnings.owe(GUILD, [Unlearning("message", first.id)])
        await one.tenants.close()
        async with Pool(1) as pool, Tenants(tmp_path, pool, ChainSettings()) as tenants:
            one.tenants = one.learner._tenants = tenants
            with Chain.open(directory_of(tmp_path, tenant_of(GUILD)), write=True):
                await one.learner.begin()
                second = await one.say(song("second"))
                assert one.book.unlearnings.guilds() == [GUILD]
            while GUILD in one.learner.postponed:
                await asyncio.sleep(0.01)
            assert await one.texts() == {str(second.id): second.text}
            assert one.book.unlearnings.guilds() == []
            await one.learner.close()

    play(tmp_path, act)


def test_what_can_never_be_unlearned_keeps_no_bot_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(one: Parts) -> None:
        first = await one.say(song("first"))
        await one.book.unlearnings.owe(GUILD, [Unlearning("message", first.id)])
        with monkeypatch.context() as patch:

            async def fails(*_: object, **__: object) -> int:
                raise ValueError(song("quoted"))

            patch.setattr(one.tenants, "forget", fails)
            await one.learner.begin()
        assert GUILD not in one.learner.postponed
        assert one.book.unlearnings.guilds() == [GUILD], "the next start tries again"
        await one.learner.begin()
        assert await one.texts() == {}

    play(tmp_path, act)
    assert "bot.unlearning_refused guild=1 error=ValueError" in caplog.text
    assert "chaffinch sings" not in caplog.text


def test_nothing_is_learned_of_a_guild_that_was_deleted_since_the_message_came(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        async with one.book.turn(GUILD):
            learning = asyncio.create_task(one.say(song("late")))
            await asyncio.sleep(0.01)
            await one.book.drop_guild(GUILD)
        await learning
        assert await one.tenants.list() == []
        assert one.book.guilds() == []

    play(tmp_path, act)


def test_what_waits_for_one_guild_holds_up_no_other(tmp_path: Path) -> None:
    async def act(one: Parts) -> None:
        await one.say(song("first"))
        await one.book.set_channels(2, [Channel(20, listens=True)])
        await one.tenants.close()
        async with Pool(1) as pool, Tenants(tmp_path, pool, ChainSettings()) as tenants:
            one.tenants = one.learner._tenants = tenants
            with Chain.open(directory_of(tmp_path, tenant_of(GUILD)), write=True):
                await one.say(song("waits"))
                await one.learner.learn(Seen(2, 20, 20, 5, ANN, song("of another guild"), 0))
                assert await one.texts(tenant_of(2)) == {"5": song("of another guild")}
            await one.learner.close()

    play(tmp_path, act)


def test_a_change_that_can_never_be_made_holds_up_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def act(one: Parts) -> None:
        one.learner.postponed._again_seconds = 0.05
        made = []

        async def fails() -> None:
            raise ValueError(song("quoted"))

        async def refused() -> None:
            raise InputError(song("quoted"))

        async def works() -> None:
            made.append(1)

        for change in (fails, refused, works):
            one.learner.postponed.put(GUILD, change, unlearns=True)
        while len(one.learner.postponed):
            await asyncio.sleep(0.01)
        assert made == [1]
        assert one.count("bot_changes_lost") == 2
        await one.learner.close()
        one.learner.postponed.put(GUILD, works, unlearns=True)
        assert one.count("bot_changes_lost") == 3

    play(tmp_path, act)
    assert "chaffinch sings" not in caplog.text


def test_what_a_chain_refuses_is_counted_and_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def act(one: Parts) -> None:
        await one.say(song("half \ud83d of a bird"))
        await one.say(song("a whole one"))
        assert await one.texts() == {"2": song("a whole one")}
        assert one.count("bot_changes_lost") == 1

    play(tmp_path, act)
    assert "bot.change_refused guild=1 error=InputError" in caplog.text
    assert "chaffinch sings" not in caplog.text
