"""The command that has the bot talk."""

from pathlib import Path
from typing import Any

import pytest

from chaffinch.chain.results import Reference
from chaffinch.chat.commands.mark import told
from chaffinch.chat.talking.talker import Spoken
from chaffinch.config import BotSettings
from tests.chat.connected import CORPUS, connected, run
from tests.chat.discord.world import World

CALLBACK = "POST /interactions/{interaction_id}/{token}/callback"


def test_it_says_something_new_in_place_of_what_was_announced(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            asked = one.slash("member", "mark")
            answer = await one.answered(asked)
            assert asked.callback == 5, "announced before anything slow"
            assert answer is asked.original
            assert answer.content
            assert answer.content not in CORPUS
            assert answer.allowed_mentions == {"parse": [], "replied_user": False}
            await one.fake.wait_for(lambda: one.counted("bot_answers", cause="command") == 1)
            await one.fake.wait_for(lambda: one.counted("bot_commands", command="mark", outcome="done") == 1)

    run(test)


@pytest.mark.parametrize(
    ("options", "begins"), [({"seed": "the wren"}, "the wren"), ({"seed": "nothing of that kind"}, "the")]
)
def test_a_seed_begins_it_unless_nothing_goes_with_it(tmp_path: Path, options: dict[str, Any], begins: str) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            assert (await one.asked("member", "mark", options)).content.startswith(begins)

    run(test)


def test_what_is_spoken_is_a_new_message(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            asked = one.slash("member", "mark", {"tts": True})
            answer = await one.answered(asked)
            assert answer.tts
            assert answer is not asked.original
            assert asked.original in asked.removed, "an edit would not be heard"
            assert not answer.is_ephemeral
            spoken = await one.told("member", "!mark tts")
            assert spoken.tts

    run(test)


def test_where_nothing_was_learned_the_caller_alone_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            asked = one.slash("member", "mark")
            answer = await one.answered(asked)
            assert asked.original in asked.removed
            assert answer.is_ephemeral
            assert answer.content.endswith(".")
            assert not one.fake.posted(one.channel("general"))
            await one.fake.wait_for(lambda: one.counted("bot_commands", command="mark", outcome="refused") == 1)

    run(test)


def test_sources_are_shown_to_moderators_alone(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            refused = await one.asked("member", "mark", {"debug": True})
            assert refused.is_ephemeral
            assert "moderators" in refused.content
            assert "the finch" not in str(refused.embeds)
            asked = one.slash("moderator", "mark", {"debug": True})
            await one.fake.wait_for(lambda: len(one.fake.answers(asked)) == 2)
            said, sources = one.fake.answers(asked)
            assert not said.is_ephemeral
            assert said.content
            assert sources.is_ephemeral
            shown = {field["name"]: field["value"] for field in sources.embeds[0]["fields"]}
            assert int(shown["Score"]) >= 0
            assert int(shown["Tries"]) >= 1
            assert any(text in shown["Source 1"] for text in CORPUS)
            assert f"/channels/{one.world.guild.id}/2/" in shown["Source 1"]

    run(test)


def test_by_prefix_sources_are_links_which_open_to_who_may_read_them(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path) as one:
            await one.teach()
            general = one.channel("general")
            one.fake.say(one.member("moderator"), general, "!mark debug")
            await one.fake.wait_for(lambda: len(one.fake.posted(general)) == 2)
            shown = str(one.fake.posted(general)[1].embeds)
            assert f"https://discord.com/channels/{one.world.guild.id}/2/" in shown
            assert not any(text in shown for text in CORPUS)
            assert "moderators" in (await one.told("member", "!mark debug")).content

    run(test)


def test_who_has_none_of_the_roles_has_it_say_nothing(tmp_path: Path) -> None:
    world = World.small()
    settings = BotSettings(
        min_score=0, user_roles=(world.guild.role("talkers").id,), owners=(world.guild.member("other").id,)
    )

    async def test() -> None:
        async with connected(tmp_path, world, settings) as one:
            await one.teach()
            for name in ("member", "moderator", "admin", "owner", "other"):
                refused = await one.asked(name, "mark")
                assert refused.is_ephemeral, name
                assert "roles" in refused.content
                assert "roles" in (await one.told(name, "!mark")).content
            assert not (await one.asked("talker", "mark")).is_ephemeral
            assert "roles" not in (await one.told("talker", "!mark")).content

    run(test)


def test_another_name_and_another_prefix(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected(tmp_path, settings=BotSettings(min_score=0, command="song", prefix="(.*)")) as one:
            await one.teach()
            assert (await one.asked("member", "song")).content
            assert (await one.told("member", "(.*)")).content

    run(test)


def source(**changes: Any) -> Reference:
    given = {"id": "9", "author": "1", "channel": "2", "time_ms": 0, "attachments": (), "text": "words", "shared": 3}
    return Reference(**(given | changes))


def test_a_source_of_an_imported_file_has_no_link() -> None:
    spoken = Spoken("new", 3, 4, (source(id="", channel=""), source(id="x9")), seed_dropped=True)

    hidden, seen = told(spoken, 7, shows_text=True), told(spoken, 7, shows_text=False)

    assert "words" in str(hidden)
    assert "https" not in str(hidden)
    assert "words" not in str(seen)
    assert any(field.name == "Seed" for field in seen.fields)
