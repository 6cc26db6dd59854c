"""Settings added to a configuration file: all that was there stays, letter by letter, or nothing is changed."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch import config as configuration
from chaffinch.chat import settings_file
from chaffinch.cli.init import commented
from chaffinch.errors import InputError

ADDED = {"prefix": "!bot", "owners": (82684276755136512, 7), "activity": 'a "b" \\ ü \x7f 🐦'}


def added(path: Path, before: str | None) -> str:
    if before is not None:
        path.write_text(before, encoding="utf-8")
    settings_file.write(path, ADDED)
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "before",
    [
        None,
        "",
        "# only a comment",
        "[fleet]\nseed = 'x' # keep me\n",
        "[bot] # mine\nmax_tries = 5 # five\n\n[fleet]\nseed = 'x'\n",
        "[fleet]\nseed = '''\n[bot]\n'''\n\n  [ bot ]\nmin_score = 3",
        "[chain]\norder = 3\n[chain.serve]\nport = 1\n",
    ],
)
def test_what_was_there_stays_and_the_file_loads(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "new" / "chaffinch.toml"
    path.parent.mkdir()
    try:
        after = added(path, before)
    except InputError as error:
        assert "in a way that is not added to" in str(error)  # noqa: PT017
        assert before is not None
        assert path.read_text(encoding="utf-8") == before
        return
    was = tomllib.loads(before or "")
    now = tomllib.loads(after)
    assert now.pop("bot") == was.pop("bot", {}) | {**ADDED, "owners": [82684276755136512, 7]}
    assert now == was
    for line in (before or "").splitlines():
        assert line in after.splitlines()
    loaded = configuration.load(path, {}, {}).bot
    assert (loaded.prefix, loaded.owners, loaded.activity) == tuple(ADDED.values())


def test_the_file_of_init_takes_them(tmp_path: Path) -> None:
    path = tmp_path / "chaffinch.toml"
    after = added(path, commented())
    assert configuration.load(path, {}, {}).bot.prefix == "!bot"
    assert after.replace("\n".join(settings_file.lines(ADDED)) + "\n", "") == commented()


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("[bot]\nprefix = '!old'\n", "says prefix already, and stays as it is"),
        ("[bot]\nprefix = '!old'\nactivity = ''\n", "says activity and prefix already"),
        ("bot = 5", "says bot already"),
        ("bot = {max_tries = 5}", "not added to by itself"),
        ("[bot\n", "is not TOML"),
    ],
)
def test_a_file_that_cannot_take_them_stays_as_it_is(tmp_path: Path, before: str, said: str) -> None:
    path = tmp_path / "chaffinch.toml"
    with pytest.raises(InputError, match=said):
        added(path, before)
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_keeps_its_mode_and_its_place(tmp_path: Path) -> None:
    real, path = tmp_path / "real.toml", tmp_path / "chaffinch.toml"
    real.write_text("[fleet]\n")
    real.chmod(0o640)
    path.symlink_to(real)
    added(path, None)
    assert path.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "!bot" in real.read_text()


@given(st.text(), st.lists(st.integers(0, 2**63 - 1)))
def test_any_text_comes_back_as_it_was(text: str, ids: list[int]) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return  # no such character can be in a file
    found = tomllib.loads("\n".join(settings_file.lines({"activity": text, "owners": tuple(ids)})))
    assert found == {"activity": text, "owners": ids}
