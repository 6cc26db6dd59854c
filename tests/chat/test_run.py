"""The bot as its user runs it, against the fake Discord: it trains, talks, and ends when it is told to."""

import asyncio
import contextlib
import gc
import json
import re
import signal
import socket
import time
import urllib.error
import urllib.request
import weakref
from pathlib import Path
from typing import Any

import pytest

from chaffinch.chain.engine import Chain
from chaffinch.chain.names import directory_of
from chaffinch.chat import run as bot_run
from chaffinch.chat.book.book import Book
from chaffinch.chat.client import Client
from chaffinch.chat.token import Token
from chaffinch.config import Config
from chaffinch.metrics.registry import Registry
from tests.chat.discord.fake import Fake
from tests.chat.discord.world import World
from tests.chat.running import Discord, bot, discord, until
from tests.chat.test_token import OTHER, TEXT

FREELY = {"CHAFFINCH_BOT_MIN_SCORE": "0"}
"""A small corpus has few successors."""

UNHEARD = "something peculiar that nobody anywhere has said before"


def guild_of(fake: Discord) -> int:
    return int(fake.ask("")["guilds"][0]["id"])


def slash(fake: Discord, command: str, member: str = "admin", **options: Any) -> list[dict[str, Any]]:
    """Give a command as soon as Discord offers it, and wait for its answers."""
    body = {"member": member, "channel": "general", "command": command, "options": options}

    def given() -> Any:
        try:
            return fake.ask("/slash", body)["interaction"]
        except urllib.error.HTTPError:  # not deployed yet
            return None

    interaction = until(given)
    answers: list[dict[str, Any]] = until(lambda: fake.ask(f"/interactions/{interaction}")["answers"])
    return answers


def posted(fake: Discord, channel: str = "general", after: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = fake.ask(f"/posted?channel={channel}&after={after}")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


def page(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def count(text: str, sample: str) -> float:
    found = re.search(rf"^chaffinch_{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def trained(fake: Discord) -> int:
    """Have it learn the channel `general`; how many messages it then says it has learned."""
    slash(fake, "listen add", **{"channel-1": {"channel": "general"}})
    (progress,) = slash(fake, "train")
    done = until(lambda: [one for one in posted(fake) if one["reply_to"] == progress["id"]])
    fields = {field["name"]: field["value"] for field in done[0]["embeds"][0]["fields"]}
    return int(fields["Learned"].split()[0])


def test_it_trains_talks_forgets_and_ends_in_order(tmp_path: Path) -> None:
    state, port = tmp_path / "state", free_port()
    with discord("--small") as fake, bot(fake, state, "--metrics-port", str(port), **FREELY) as one:
        guild, me = guild_of(fake), fake.ask("")["bot"]
        one.ready()
        learned = trained(fake)
        assert learned >= 200
        (answer,) = slash(fake, "mark", "talker")
        assert not answer["is_ephemeral"], answer
        said = fake.ask("/say", {"member": "talker", "channel": "general", "text": f"<@{me}> {UNHEARD}"})
        (reply,) = until(lambda: posted(fake, after=int(said["message"])))
        assert reply["reply_to"] == said["message"]
        until(lambda: count(page(port), f'bot_learned_total{{guild="{guild}"}}') == 1)
        fake.ask("/delete", {"channel": "general", "message": said["message"]})
        until(lambda: count(page(port), f'bot_forgotten_total{{guild="{guild}"}}') == 1)
        shown = page(port)
        began = time.monotonic()
        assert one.end() == 0
        assert time.monotonic() - began < 5
    assert count(shown, f'bot_trained_total{{guild="{guild}"}}') == learned
    assert count(shown, 'bot_answers_total{cause="mention"}') == 1
    assert count(shown, 'bot_answers_total{cause="command"}') == 1
    assert count(shown, f'bot_reply_seconds_count{{guild="{guild}"}}') == 2
    assert count(shown, "bot_connected") == 1
    assert count(shown, "bot_guilds") == 1
    assert count(shown, 'bot_commands_total{command="train",outcome="done"}') == 1
    assert not re.search(r"^chaffinch_bot_events_failed_total\{", shown, re.MULTILINE)
    with Chain.open(directory_of(state, f"guild-{guild}")) as chain:
        assert chain.stats().messages == learned
    assert TEXT not in one.said
    assert UNHEARD not in one.said
    assert one.said.rstrip().endswith("bot.stopped")


def page_after_some_talk(fake: Discord, state: Path) -> str:
    """The metrics page of a bot that has done most of what it does."""
    port, environment = free_port(), FREELY | {"CHAFFINCH_BOT_SLOW_MS": "0.001"}
    with bot(fake, state, "--metrics-port", str(port), **environment) as one:
        one.ready()
        trained(fake)
        slash(fake, "mark", "talker")
        said = fake.ask("/say", {"member": "talker", "channel": "general", "text": UNHEARD})
        until(lambda: "chaffinch_bot_learned_total" in page(port))
        fake.ask("/edit", {"channel": "general", "message": said["message"], "text": UNHEARD[::-1]})
        until(lambda: "chaffinch_bot_edited_total" in page(port))
        shown = page(port)
        assert one.end() == 0
    return shown


def test_what_it_learned_is_there_when_it_starts_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with discord("--small") as fake:
        with bot(fake, state, **FREELY) as one:
            one.ready()
            trained(fake)
            one.process.kill()
            one.ended()
        with bot(fake, state, **FREELY) as one:
            one.ready()
            (answer,) = slash(fake, "mark", "talker")
            assert not answer["is_ephemeral"], answer
            assert one.end(signal.SIGINT) == 0


def test_the_token_is_on_no_command_line_and_in_no_environment_of_children(tmp_path: Path) -> None:
    with discord("--small") as fake, bot(fake, tmp_path / "state", CHAFFINCH_BOT_TOKEN=TEXT) as one:
        one.ready()
        assert TEXT.encode() not in Path(f"/proc/{one.process.pid}/cmdline").read_bytes()
        assert "token=the environment variable CHAFFINCH_BOT_TOKEN" in one.said
        assert one.end() == 0
    assert TEXT not in one.said


def test_at_the_most_it_logs_there_is_no_text_of_a_message_and_no_token(tmp_path: Path) -> None:
    with discord("--small") as fake, bot(fake, tmp_path / "state", "--log-level", "debug", **FREELY) as one:
        one.ready()
        trained(fake)
        me = fake.ask("")["bot"]
        said = fake.ask("/say", {"member": "talker", "channel": "general", "text": f"<@{me}> {UNHEARD}"})
        until(lambda: posted(fake, after=int(said["message"])))
        texts = {one["content"] for one in posted(fake) if len(one["content"]) > 12}
        assert one.end() == 0
    assert UNHEARD not in one.said
    assert TEXT not in one.said
    assert not [text for text in texts if text in one.said]


def test_a_state_directory_that_is_not_there_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    arguments = ("--state", str(state))
    with discord("--small") as fake, bot(fake, tmp_path / "else", *arguments, CHAFFINCH_BOT_TOKEN=TEXT) as one:
        one.ready()
        slash(fake, "listen add", **{"channel-1": {"channel": "general"}})
        assert one.end() == 0
    assert (state / "bot" / "bot.sqlite3").stat().st_mode & 0o077 == 0
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "bot").stat().st_mode & 0o777 == 0o700


def test_a_token_that_discord_refuses_is_one_sentence(tmp_path: Path) -> None:
    with discord("--small") as fake, bot(fake, tmp_path / "state", CHAFFINCH_BOT_TOKEN=OTHER) as one:
        assert one.ended() == 2
    (line,) = [line for line in one.said.splitlines() if line.startswith("chaffinch: ")]
    assert "Discord refuses the token" in line
    assert "Traceback" not in one.said
    assert OTHER not in one.said


def test_without_a_token_it_says_how_to_get_one(tmp_path: Path) -> None:
    environment = {"TOKEN": "", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    with discord("--small") as fake, bot(fake, tmp_path / "state", **environment) as one:
        assert one.ended() == 2
    assert "`chaffinch bot discord --setup` asks for one" in one.said


def test_a_second_one_on_the_same_state_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with discord("--small") as fake, bot(fake, state) as one:
        one.ready()
        with bot(fake, state) as second:
            assert second.ended() == 1
        assert "bot" in second.said.splitlines()[-1]
        assert one.end() == 0


def test_a_metrics_port_that_is_taken_is_said_with_its_setting(tmp_path: Path) -> None:
    with (
        discord("--small") as fake,
        socket.create_server(("127.0.0.1", 0)) as taken,
        bot(fake, tmp_path / "state", "--metrics-port", str(taken.getsockname()[1])) as one,
    ):
        assert one.ended() == 1
    assert "set bot.metrics_port" in one.said


def test_settings_of_an_older_bot_hold_and_are_said(tmp_path: Path) -> None:
    file = tmp_path / "config.json5"
    file.write_text(f"{{token: '{TEXT}', slashCommandName: 'sing', stateSize: 3, /* theirs */ batchSize: 5000}}")
    file.chmod(0o600)
    environment = {"TOKEN": "", "MESSAGE_COMMAND_PREFIX": "!sing", "LOG_LEVEL": "debug"} | FREELY
    state = tmp_path / "state"
    with discord("--small") as fake, bot(fake, state, "--older-settings", str(file), **environment) as one:
        one.ready()
        trained(fake)
        (answer,) = slash(fake, "sing", "talker")
        assert not answer["is_ephemeral"], answer
        guild = guild_of(fake)
        assert one.end() == 0
    assert "taken from an older bot: bot.command (slashCommandName), bot.log_level (LOG_LEVEL), " in one.said
    assert f"{file}: batchSize sets nothing here" in one.said
    assert f"token={file}" in one.said
    assert TEXT not in one.said
    with Chain.open(directory_of(state, f"guild-{guild}")) as chain:
        assert chain.options.order == 3


def test_a_service_manager_is_told_when_it_is_ready_and_when_it_ends(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "4000000"}
        with discord("--small") as fake, bot(fake, tmp_path / "state", **environment) as one:
            told = ""
            while "READY=1" not in told or "WATCHDOG=1" not in told:
                told += manager.recv(4096).decode() + "\n"
            assert "STATUS=in 1 guilds" in told
            assert one.end() == 0
            manager.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    told += manager.recv(4096).decode() + "\n"
        assert "STOPPING=1" in told


def test_what_an_import_brought_is_spoken_from(tmp_path: Path) -> None:
    """A channel that the older bot listened to is listened to at once."""
    from tests.chat.older.made import Row, database
    from tests.cli.bot.test_bring import run

    state = tmp_path / "state"
    with discord("--small") as fake:
        found = fake.ask("")["guilds"][0]
        guild, general = int(found["id"]), int(found["channels"]["general"])
        words = ("the", "quick", "brown", "fox", "sees", "lazy", "dogs", "and", "slow", "cats")
        rows = [
            Row(guild, " ".join(words[(n * k + k) % 10] for k in range(3, 9)), 175928847299117063 + n, general)
            for n in range(200)
        ]
        run(
            database(tmp_path / "db.sqlite3", rows, [(guild, general, True, False)]), "--guild", guild, "--state", state
        )
        with bot(fake, state, **FREELY) as one:
            one.ready()
            (answer,) = slash(fake, "mark", "talker")
            assert not answer["is_ephemeral"], answer
            assert set(answer["content"].split()) <= set(words)
            (listed,) = slash(fake, "listen list", "talker")
            assert str(general) in json.dumps(listed)
            assert one.end() == 0


def test_a_zone_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    with discord("--small") as fake, bot(fake, tmp_path / "state", CHAFFINCH_BOT_TIMEZONE="Nowhere/At-All") as one:
        assert one.ended() == 2
    assert "bot.timezone cannot be used: 'Nowhere/At-All' is no time zone" in one.said


def test_what_ended_in_this_process_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a worker that its owner lets begin anew again and again."""
    made: list[weakref.ref[Client]] = []

    class Noted(Client):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given, guild_ready_timeout=0.05)
            made.append(weakref.ref(self))

    monkeypatch.setattr(bot_run, "Client", Noted)
    monkeypatch.setattr(bot_run, "LOOK_SECONDS", 0.01)

    async def once(fake: Fake) -> None:
        stopping = asyncio.Event()
        serving = asyncio.create_task(
            bot_run.serve(Config(), tmp_path, Token(TEXT, "a test"), Registry(), stopping, None)
        )
        await fake.wait_for(lambda: serving.done() or (made and (one := made[-1]()) and one.is_deployed))
        await fake.wait_for(lambda: serving.done() or gc.get_freeze_count())
        stopping.set()
        await serving

    async def test() -> None:
        world = World.small()
        world.token = TEXT
        async with Fake(world) as fake:
            with fake.redirect():
                for _ in range(3):
                    await once(fake)

    asyncio.run(test())
    gc.collect()
    assert [one() for one in made] == [None] * 3


@pytest.mark.parametrize("fault", ["drop", "reconnect"])
def test_a_lost_connection_is_made_again(tmp_path: Path, fault: str) -> None:
    with discord("--small") as fake, bot(fake, tmp_path / "state", **FREELY) as one:
        one.ready()
        slash(fake, "help", "talker")
        fake.ask("/gateway", {"do": fault})
        until(lambda: fake.ask("/counts")["sessions"] == 1)
        assert slash(fake, "help", "talker")
        assert one.end() == 0


def test_while_discord_is_gone_the_log_has_a_line_for_each_try(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        with discord("--small") as fake:
            one = stack.enter_context(bot(fake, tmp_path / "state"))
            one.ready()
        until(lambda: one.said.count("Attempting a reconnect") >= 2)
        assert one.end() == 0
    assert "Traceback" not in one.said
    assert re.search(r"WARNING discord\.client Attempting a reconnect in [\d.]+s \(ClientConnectorError\)", one.said)


def test_the_book_is_whole_after_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with discord("--small") as fake, bot(fake, state) as one:
        guild = guild_of(fake)
        one.ready()
        slash(fake, "listen add", **{"channel-1": {"channel": "general"}})
        one.process.kill()
        one.ended()

    async def kept() -> bool:
        async with await Book.open(state) as book:
            return any(channel.listens for channel in book.channels(guild))

    assert asyncio.run(kept())
