"""`chaffinch init`: the files that it writes are read by those that they are for."""

from pathlib import Path

import pytest

from chaffinch.cli.init import _of_the_bot
from chaffinch.config import BotSettings, Config, load
from tests.cli.test_commands import call


def test_the_commented_file_is_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "chaffinch.toml"
    done = call("init", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert load(file, None, {}) == Config()


def test_a_unit_is_written_for_the_file_and_not_for_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "chaffinch.toml"
    file.write_text("[fleet]\nmemory = '96M'\n", encoding="utf-8")
    done = call(
        "init", "--systemd", "--config", str(file), "--output", str(tmp_path / "units"),
        CHAFFINCH_NETWORK_PORT_OFFSET="0", CHAFFINCH_FLEET_MEMORY="64M",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "units" / "chaffinch.service").read_text(encoding="utf-8")
    assert f"up --state %S/chaffinch --config {file}\n" in text
    assert "(96 MiB)" in text
    assert "AmbientCapabilities" not in text
    assert "enable --now chaffinch.service" in done.stdout
    assert f"note: {file} is in a directory for temporary files" in done.stderr
    by_variable = call("init", "--systemd", "--output", str(tmp_path / "more"), CHAFFINCH_CONFIG=str(file))
    assert by_variable.returncode == 0, by_variable.stderr
    assert (tmp_path / "more" / "chaffinch.service").read_text(encoding="utf-8") == text


def test_units_of_groups(tmp_path: Path) -> None:
    done = call("init", "--systemd", "--split", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "enable --now chaffinch.target chaffinch@decoys.service chaffinch@back.service" in done.stdout
    assert {one.name for one in tmp_path.iterdir()} == {"chaffinch@.service", "chaffinch.slice", "chaffinch.target"}


def test_what_the_bot_needs_is_said(tmp_path: Path) -> None:
    file = tmp_path / "chaffinch.toml"
    file.write_text("[bot]\nenabled = true\n", encoding="utf-8")

    def said(*flags: str) -> tuple[str, str]:
        done = call("init", "--systemd", "--force", "--config", str(file), "--output", str(tmp_path / "units"), *flags)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    shown, notes = said()
    assert "put the Discord bot's token into /etc/chaffinch/discord-token (chmod 600)" in shown
    assert "all groups are one user, also those that face attackers, and could read the bot's token: --split" in notes
    shown, notes = said("--split")
    assert "chaffinch@out.service\nbefore that: put the Discord bot's token" in shown
    assert (tmp_path / "units" / "chaffinch@out.service.d" / "discord-token.conf").exists()
    assert "read the bot's token" not in notes
    (note,) = _of_the_bot(Config(bot=BotSettings(enabled=True, token_file="/srv/token")), split=True)
    assert note.startswith("/srv/token (bot.token_file) can be read by the service's user only if it is that user's")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--split",), "--split and --output are for --systemd"),
        (("--output", "."), "--split and --output are for --systemd"),
        (("file.toml", "--systemd"), "write --config file.toml"),
        (("--systemd", "--config", "/nonexistent.toml"), "/nonexistent.toml cannot be read"),
        (("--systemd", "--output", "/dev/null/units"), "cannot be written (Not a directory); name another place"),
    ],
)
def test_what_goes_wrong_is_one_sentence(arguments: tuple[str, ...], part: str) -> None:
    done = call("init", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert part in done.stderr
    assert done.stderr.count("\n") == 1


def test_nothing_is_replaced_unless_it_is_to_be(tmp_path: Path) -> None:
    kept = tmp_path / "chaffinch.target"
    kept.write_text("mine")
    done = call("init", "--systemd", "--split", "--output", str(tmp_path))
    assert done.returncode == 2
    assert f"{kept} is there already; name another place, or replace it with --force" in done.stderr
    assert list(tmp_path.iterdir()) == [kept]
    assert kept.read_text() == "mine"
    assert call("init", "--systemd", "--split", "--output", str(tmp_path), "--force").returncode == 0
    assert kept.read_text() != "mine"
