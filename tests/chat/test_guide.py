"""The guide of the bot says what the code does: commands, settings, where the token is looked for, metrics."""

import re
from pathlib import Path

from chaffinch import config
from chaffinch.chat import invite, token
from chaffinch.chat.commands.table import table
from chaffinch.config import BotSettings
from chaffinch.metrics.catalogue import METRICS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "bot.md").read_text(encoding="utf-8")

OF_ALL = "| anybody |"
OF_MODERATORS = "| moderators |"


def test_each_command_stands_with_those_who_may_give_it() -> None:
    lines = {
        line[: line.index("|", 1) + 1]: line for line in GUIDE.splitlines() if line.startswith((OF_ALL, OF_MODERATORS))
    }
    for path, leaf in table(BotSettings()).leaves.items():
        name, _, below = path.partition(" ")
        line = lines[OF_MODERATORS if leaf.command.who == "moderator" else OF_ALL]
        assert f"`/{name}`" in line or f"`/{path}`" in line or (f"`/{name} " in line and f"`{below}`" in line), path


def test_each_setting_that_it_names_exists_with_that_default() -> None:
    known = {one.path: one for one in config.settings()}
    named = set(re.findall(r"`((?:bot|chain|metrics|fleet)\.[a-z_.]+)`", GUIDE))
    assert named
    assert named <= known.keys()
    for path, default in re.findall(r"`(bot\.[a-z_]+)` \((\d+)\b", GUIDE):
        assert known[path].default == int(default), path


def test_places_of_the_token_and_permissions_are_those_of_the_code() -> None:
    for name in (token.VARIABLE, token.OLDER_VARIABLE, token.FILE):
        assert f"`{name}`" in GUIDE
    for name in invite.NAMES:
        assert name in GUIDE


def test_each_metric_that_it_names_exists() -> None:
    known = {metric.exposed for metric in METRICS}
    named = set(re.findall(r"`(chaffinch_bot_[a-z_]+)`", GUIDE))
    assert named
    assert named <= known


def test_each_bound_is_where_the_page_of_limits_says() -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8").partition("\n## Of the bot\n")[2]
    named = re.findall(r"\| `(\w+)\.(\w+)`(?:, `\w+\.\w+`)? \|$", page.partition("\n## ")[0], re.MULTILINE)
    assert len(named) > 10
    for module, name in named:
        files = [*(ROOT / "src" / "chaffinch" / "chat").rglob(f"{module}.py")]
        folders = (ROOT / "src" / "chaffinch" / "chat" / module / f"{name}.py").exists()
        has = rf"^(?:class |(?:async )?def )?{name}\b"
        assert folders or any(re.search(has, one.read_text(), re.MULTILINE) for one in files), f"{module}.{name}"
