"""`/train` by the whole bot against the fake Discord: what members and moderators see of it."""

import asyncio
import json
from pathlib import Path

import pytest

from chaffinch.chat.guild import Channel
from chaffinch.chat.names import tenant_of
from chaffinch.chat.training import run as running
from tests.chat.connected import Connected, connected, run
from tests.chat.discord.messages import Message
from tests.chat.discord.permissions import Permission
from tests.chat.discord.received import File
from tests.chat.training.guilds import Row, rows_of

PAGES = "GET /channels/{channel_id}/messages"
LISTENED = ("general", "talk", "news", "voice", "forum", "hidden")
SEEN = (*LISTENED[:-1], "plans", "old plans", "older plans", "oldest plans", "question", "old question")
"""Channels and threads of the guild that the bot may read; it is in none of the private threads."""


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SHOWN_SECONDS", 0.02)


def text_of(message: Message) -> str:
    embed = message.embeds[0]
    fields = [f"{field['name']}: {field['value']}" for field in embed.get("fields", ())]
    return "\n".join([message.content, embed.get("description", ""), *fields])


async def listen(one: Connected) -> None:
    channels = [Channel(one.channel(name).id, listens=True) for name in LISTENED]
    await one.book.set_channels(one.world.guild.id, channels)


async def begin(one: Connected) -> Message:
    """A moderator's `/train`, until it runs: the message that shows it."""
    shown = await one.asked("moderator", "train")
    await one.fake.wait_for(lambda: one.bot.trainer.progress(one.world.guild.id) is not None)
    return shown


async def result(one: Connected, before: int = 0) -> Message:
    """The reply that says what the training came to."""
    results = []

    def look() -> bool:
        posted = one.fake.posted(one.channel("general"))
        results[:] = [message for message in posted if message.embeds and "Took: " in text_of(message)]
        return len(results) > before

    await one.fake.wait_for(look)
    return results[-1]


async def rows(one: Connected, tmp_path: Path, name: str = "archive") -> set[Row]:
    await one.tenants.export(tenant_of(one.world.guild.id), tmp_path / name)
    return rows_of(tmp_path / name)


def expected(one: Connected) -> set[Row]:
    return {
        (str(message.id), str(message.author.id), str(one.channel(name).id), " ".join(message.content.split()))
        for name in SEEN
        for message in one.channel(name).history.all()
        if message.content and not message.author.is_bot
    }


def test_a_training_from_its_command_to_its_result(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one)
            wanted = expected(one)
            shown = await one.asked("moderator", "train")
            said = await result(one)
            assert await rows(one, tmp_path) == wanted
            assert f"Learned: {len(wanted)} messages" in text_of(said)
            assert f"<#{one.channel('hidden').id}>: 403, the bot may not read its history" in text_of(said)
            assert said.reply_to is shown
            assert said.pinged == []
            final = one.channel("general").history.get(shown.id)
            assert final is not None
            assert "100%" in text_of(final)
            assert final.components == []
            assert {request.query["limit"] for request in one.fake.requested(PAGES)} == {"100"}
            assert all(request.status in (200, 403) for request in one.fake.requested(PAGES))

    run(test)


def test_channels_whose_history_is_closed_are_named_though_discord_gives_empty_pages(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one)
            closed = [one.channel(name) for name in ("general", "forum")]
            for channel in closed:
                channel.overwrites[one.world.bot.id] = (0, int(Permission.READ_MESSAGE_HISTORY))
            await one.asked("moderator", "train")
            said = await result(one)
            for channel in closed:
                assert f"<#{channel.id}>: 403, the bot may not read its history" in text_of(said)

    run(test)


def test_it_outlives_the_token_of_its_command(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one)
            fault = one.fake.faults.add(PAGES, delay=0.5, after=2, times=1)
            await one.asked("moderator", "train")
            await one.fake.wait_for(lambda: fault.met)
            one.world.clock.advance(16 * 60)
            said = await result(one)
            assert "It is done." in text_of(said)
            assert said.reply_to is not None

    run(test)


def test_members_may_not_train_nor_stop_a_training(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one)
            assert (await one.asked("member", "train")).is_ephemeral
            assert one.book.training(one.world.guild.id) is None
            one.fake.faults.add(PAGES, delay=0.5, times=20)
            shown = await begin(one)
            answer = await one.answered(one.fake.press(one.member("member"), shown, "train/stop"))
            assert answer.is_ephemeral
            assert one.bot.trainer.progress(one.world.guild.id) is not None

    run(test)


def test_the_button_stops_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one)
            await one.teach()
            before = await rows(one, tmp_path, "before")
            one.fake.faults.add(PAGES, delay=0.5, after=2, times=100)
            shown = await begin(one)
            again = await one.asked("admin", "train")
            assert "A training runs here already" in again.content
            assert again.is_ephemeral
            await one.answered(one.fake.press(one.member("admin"), shown, "train/stop"))
            assert "thrown away" in text_of(await result(one))
            assert await rows(one, tmp_path, "after") == before
            one.fake.faults.clear()
            await one.asked("moderator", "train")
            assert "It is done." in text_of(await result(one, 1))
            assert await rows(one, tmp_path, "again") == expected(one)

    run(test)


@pytest.mark.parametrize("clean", [True, False])
def test_a_file_is_learned(tmp_path: Path, clean: bool) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            taught = {row[3] for row in await rows(one, tmp_path, "before")}
            content = json.dumps([{"message": f"old words {number}", "attachments": []} for number in range(20)])
            file = File("old.json", content.encode())
            await one.asked("moderator", "train", {"json": file, "clean": clean})
            assert "Learned: 20 messages" in text_of(await result(one))
            texts = {row[3] for row in await rows(one, tmp_path)}
            assert texts == {f"old words {number}" for number in range(20)} | (set() if clean else taught)
            assert one.fake.requested(PAGES) == []

    run(test)


def test_a_bad_file_is_refused_or_told_and_the_next_one_is_learned(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            before = await rows(one, tmp_path, "before")
            no_json = await one.asked("moderator", "train", {"json": File("a.txt", b"hello")})
            assert "A.txt is no JSON" in no_json.content
            await one.asked("moderator", "train", {"json": File("a.json", b'[{"message": "one"},\n{"message": 2}]')})
            assert "A.json, line 2" in text_of(await result(one))
            assert await rows(one, tmp_path, "after") == before
            await one.asked("moderator", "train", {"json": File("a.json", b'[{"message": "one"}]')})
            assert "Learned: 1 message" in text_of(await result(one, 1))

    run(test)


@pytest.mark.parametrize(
    "text",
    [
        "{token: 'a.secret.token', prefix: '!mark'}",
        '{\n  "token": "a.secret.token",\n  "prefix": "!mark"\n}\n',
        '{"token": "a.secret.token", "ownerIds": []}\n',
    ],
)
def test_settings_that_are_attached_are_not_learned_and_the_chain_stays(tmp_path: Path, text: str) -> None:
    """They have a token: as lines the bot could say it."""

    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            before = await rows(one, tmp_path, "before")
            for number, clean in enumerate((True, False)):
                file = File("config.json", text.encode())
                await one.asked("moderator", "train", {"json": file, "clean": clean})
                said = text_of(await result(one, number))
                assert "Learned: 0 messages" in said
                assert "token" not in said
                assert await rows(one, tmp_path, f"after {number}") == before

    run(test)


def test_what_was_shown_last_says_what_became_of_the_chain(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            shown = await one.asked("moderator", "train", {"json": File("a.json", b'[{"message": "one"}]')})
            await result(one)
            last = one.channel("general").history.get(shown.id)
            assert last is not None
            assert "into a new chain" in text_of(last)

    run(test)


def test_by_prefix_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one)
            one.fake.say(one.member("moderator"), one.channel("general"), "!mark train")
            assert "It is done." in text_of(await result(one))

    run(test)


def test_what_members_do_meanwhile_is_in_the_new_chain(tmp_path: Path) -> None:
    """Messages are said, edited, deleted, one by one and many, and a thread goes, while pages are read."""

    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one)
            general, member = one.channel("general"), one.member("member")
            old = [message for message in general.history.all() if message.content and not message.author.is_bot]

            def act() -> None:
                one.fake.edit(old[5], "what it says now")
                one.fake.edit(old[-5], "what this one says now")
                one.fake.delete(old[6])
                one.fake.delete(old[-6])
                one.fake.bulk_delete(old[10:20] + old[-20:-10])
                one.fake.delete_thread(one.channel("plans"))
                one.fake.say(member, general, "said while the history is read")

            fault = one.fake.faults.add(PAGES, act=act, after=3)
            await one.asked("moderator", "train")
            await result(one)
            assert fault.met
            await one.settled()
            names = [name for name in SEEN if name != "plans"]
            wanted = {
                (str(message.id), str(message.author.id), str(one.channel(name).id), " ".join(message.content.split()))
                for name in names
                for message in one.channel(name).history.all()
                if message.content and not message.author.is_bot
            }
            assert await rows(one, tmp_path) == wanted

    run(test)


def test_a_bot_that_was_stopped_goes_on_when_it_is_ready(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one)
            wanted = expected(one)
            one.fake.faults.add(PAGES, delay=5, after=3, times=100)
            await one.asked("moderator", "train")
            await one.fake.wait_for(lambda: len(one.fake.requested(PAGES)) > 5)
            one.stopping.set()
            await asyncio.wait_for(one.serving, 5)
            one.fake.faults.clear()
            async with connected(tmp_path / "elsewhere", fake=one.fake):
                pass  # another bot's state has none of it
            again = one.fake
            await one.tenants.close()
            await one.book.close()
            async with connected(tmp_path, fake=again) as two:
                await result(two)
                assert await rows(two, tmp_path) == wanted

    run(test)


def test_roles_of_a_history_keep_people_out(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one)
            await one.asked("moderator", "settings set", {"opt_out_role": one.world.guild.role("unlearned")})
            out = one.member("member")
            out.roles.append(one.world.guild.role("unlearned"))
            await one.asked("moderator", "train")
            await result(one)
            assert await rows(one, tmp_path) == {row for row in expected(one) if row[1] != str(out.user.id)}

    run(test)


def test_private_threads_that_the_bot_may_see(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one)
            me = one.world.guild.me
            assert me is not None
            me.roles[0].permissions |= Permission.MANAGE_THREADS
            await one.asked("moderator", "train")
            await result(one)
            channels = {row[2] for row in await rows(one, tmp_path)}
            assert {str(one.channel(name).id) for name in ("whispers", "old whispers")} <= channels

    run(test)


def test_put_out_of_the_guild_meanwhile_it_goes_on_when_it_is_asked_back(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await listen(one)
            await one.teach()
            before, guild = await rows(one, tmp_path, "before"), one.world.guild
            fault = one.fake.faults.add(PAGES, act=lambda: one.fake.kick_bot(guild), after=3, times=1)
            await one.asked("moderator", "train")
            await one.fake.wait_for(lambda: fault.met and one.bot.trainer.progress(guild.id) is None)
            assert await rows(one, tmp_path, "away") == before
            one.fake.invite_bot(guild)
            assert "It is done." in text_of(await result(one))
            assert await rows(one, tmp_path) >= expected(one)  # asked back it may see what it did not before

    run(test)
