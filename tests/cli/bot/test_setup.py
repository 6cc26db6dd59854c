"""`chaffinch bot discord --setup` on a terminal, with the fake Discord on the other side."""

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaffinch import config as configuration
from chaffinch.chat.invite import PERMISSIONS
from chaffinch.chat.token import found
from chaffinch.config import BotSettings
from tests.chat.discord.fake import Fake
from tests.chat.discord.intents import Intent
from tests.chat.discord.world import World
from tests.chat.test_token import OTHER, TEXT
from tests.cli.bot.terminal import Terminal

ROOT = Path(__file__).parents[3]

RUN = """
import os, sys
from tests.chat.discord.redirecting import point_at
point_at(os.environ["CHAFFINCH_TEST_DISCORD"])
from chaffinch.cli import main
main(sys.argv[1:])
"""
"""The command line, with Discord's addresses pointed at the fake."""

NO_KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "PYTHONPATH": str(ROOT)}


@contextmanager
def discord() -> Iterator[Fake]:
    """A fake on a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> Fake:
        world = World.small()
        world.token = TEXT
        made = Fake(world)
        await made.start()
        return made

    try:
        fake = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
        yield fake
        asyncio.run_coroutine_threadsafe(fake.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def setting_up(fake: Fake, tmp_path: Path, *more: str, **environment: str) -> Iterator[Terminal]:
    arguments = ["bot", "discord", "--setup", "--state", str(tmp_path / "state"), "--config", str(tmp_path / "c.toml")]
    environment = NO_KEYRING | {"CHAFFINCH_TEST_DISCORD": fake.url} | environment
    with Terminal(RUN, [*arguments, *more], environment) as terminal:
        yield terminal


def test_from_nothing_to_a_bot_that_can_be_started(tmp_path: Path) -> None:
    with discord() as fake, setting_up(fake, tmp_path) as terminal:
        said = terminal.until("Token .*: ")
        assert "https://discord.com/developers/applications" in said
        assert "Message Content Intent" in said
        terminal.answer(TEXT)
        terminal.until(rf"This is {fake.world.bot.name}.*, in 1 servers now")
        terminal.until("The Message Content Intent is on")
        terminal.until("What begins a command.* \\[!mark\\]: ")
        terminal.answer("!bot")
        terminal.until("slash command.* \\[mark\\]: ")
        terminal.answer("")
        terminal.until("listen to \\[!mark help\\]: ")
        terminal.answer("!bot help")
        terminal.until(rf"Who may do everything.*\[{fake.world.owner.id}\]: ")
        terminal.answer("")
        link = terminal.until("Start it with:")
        assert f"client_id={fake.world.bot.id}" in link
        assert f"permissions={PERMISSIONS}" in link
        assert "Anybody who knows the link can invite it" in link
        start = terminal.until("chaffinch bot discord .*\n")
        assert start.endswith(f"--state={tmp_path / 'state'} --config={tmp_path / 'c.toml'}\n")
        assert terminal.ended() == 0
    assert TEXT not in terminal.said
    path = tmp_path / "state" / "discord-token"
    assert path.stat().st_mode & 0o777 == 0o600
    assert found(BotSettings(), path.parent).reveal() == TEXT
    bot = configuration.load(tmp_path / "c.toml", {}, {}).bot
    assert (bot.prefix, bot.command, bot.activity, bot.owners) == (
        "!bot", "mark", "!bot help", (fake.world.owner.id,)
    )  # fmt: skip


def test_wrong_tokens_and_answers_are_asked_again(tmp_path: Path) -> None:
    with discord() as fake, setting_up(fake, tmp_path) as terminal:
        terminal.until("Token .*: ")
        terminal.answer("82684276755136512")
        terminal.until("looks like the application's id")
        terminal.until("Token .*: ")
        terminal.answer(OTHER)
        terminal.until("Discord does not take the token from this terminal")
        terminal.until("Token .*: ")
        terminal.answer(TEXT)
        terminal.until("What begins a command.*: ")
        terminal.answer("x" * 33)
        terminal.until("bot.prefix is wrong: .*length <= 32")
        terminal.until("What begins a command.*: ")
        terminal.answer("")
        terminal.until("slash command.*: ")
        terminal.answer("Not A Name")
        terminal.until("bot.command is wrong")
        for _ in range(3):
            terminal.until(": $")
            terminal.answer("")
        terminal.until("Start it with")
        assert terminal.ended() == 0
    assert TEXT not in terminal.said
    assert OTHER not in terminal.said


def test_a_token_that_stays_wrong_ends_it(tmp_path: Path) -> None:
    with discord() as fake, setting_up(fake, tmp_path) as terminal:
        for _ in range(3):
            terminal.until("Token .*: ")
            terminal.answer(OTHER)
        assert terminal.ended() == 2
    assert not (tmp_path / "state" / "discord-token").exists()
    assert not (tmp_path / "c.toml").exists()
    assert re.search(r"chaffinch: Discord does not take the token", terminal.said)


def test_an_intent_that_is_off_is_named_and_looked_at_again(tmp_path: Path) -> None:
    with discord() as fake, setting_up(fake, tmp_path) as terminal:
        fake.gateway.allowed &= ~Intent.MESSAGE_CONTENT
        terminal.until("Token .*: ")
        terminal.answer(TEXT)
        said = terminal.until("write `later`: ")
        assert f"applications/{fake.world.bot.id}/bot, switch on Message Content Intent" in said
        terminal.answer("")
        terminal.until("The Message Content Intent is off")
        fake.gateway.allowed |= Intent.MESSAGE_CONTENT
        terminal.until("write `later`: ")
        terminal.answer("")
        terminal.until("The Message Content Intent is on")


def test_what_the_file_says_is_not_changed_but_shown(tmp_path: Path) -> None:
    before = "# mine\n[bot]\nprefix = '!mine'\n"
    (tmp_path / "c.toml").write_text(before)
    with discord() as fake, setting_up(fake, tmp_path) as terminal:
        terminal.until("Token .*: ")
        terminal.answer(TEXT)
        terminal.until("What begins a command.* \\[!mine\\]: ")
        terminal.answer("!other")
        for _ in range(3):
            terminal.until(": $")
            terminal.answer("")
        terminal.until("says prefix already, and stays as it is: put this into its \\[bot\\] table yourself")
        terminal.until('prefix = "!other"')
        assert terminal.ended() == 0
    assert (tmp_path / "c.toml").read_text() == before


def test_a_keyring_is_asked_about_and_keeps_the_token(tmp_path: Path) -> None:
    backend = tmp_path / "on_disk.py"
    backend.write_text(
        "import json, os, keyring.backend\n"
        "class Keyring(keyring.backend.KeyringBackend):\n"
        "    priority = 5\n"
        "    def set_password(self, service, name, password):\n"
        f"        open({str(tmp_path / 'kept')!r}, 'w').write(json.dumps([service, name, password]))\n"
        "    def get_password(self, service, name): return None\n"
    )
    environment = {"PYTHON_KEYRING_BACKEND": "on_disk.Keyring", "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    with discord() as fake, setting_up(fake, tmp_path, **environment) as terminal:
        terminal.until("Token .*: ")
        terminal.answer(TEXT)
        terminal.until("Store the token in your keyring.*: ")
        terminal.answer("")
        terminal.until("The token is in your keyring")
    assert (tmp_path / "kept").read_text() == f'["chaffinch", "discord", "{TEXT}"]'
    assert not (tmp_path / "state" / "discord-token").exists()


@pytest.mark.parametrize("environment", [{}, {"CHAFFINCH_BOT_TOKEN": TEXT}])
def test_without_a_terminal_it_says_what_to_do_instead(tmp_path: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chaffinch", "bot", "discord", "--setup", "--state", str(tmp_path)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == 2
    assert f"needs a terminal; without one put the token into {tmp_path / 'discord-token'} (chmod 600)" in done.stderr
