"""Where the token is found, what is refused, and that nothing shows it."""

import io
import logging
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import keyring.core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat import token as tokens
from chaffinch.chat.token import Hiding, Token, found
from chaffinch.config import BotSettings
from chaffinch.errors import ChaffinchError, InputError

TEXT = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs_abcdefg"
OTHER = "MTk4NjIyNDgzNDcxOTI1MjQ5.Cl2FMR.anotherXVW7vRze4b7Cq4se7kKWs_zzzzz"


IN_KEYRING = tokens._in_keyring


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHAFFINCH_BOT_TOKEN", "TOKEN", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tokens, "_in_keyring", lambda: None)


def stored(path: Path, text: str = TEXT, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_places_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is found once those before it are gone."""
    mine, named, passed = tmp_path / "state", tmp_path / "named", tmp_path / "credentials"
    mine.mkdir()
    passed.mkdir()
    texts = [f"{'A' * 20}.{number}aaaaa.{'b' * 30}" for number in range(7)]
    monkeypatch.setenv("CHAFFINCH_BOT_TOKEN", texts[0])
    stored(named, texts[1])
    stored(passed / "discord-token", texts[2], 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(passed))
    stored(mine / "discord-token", texts[3])
    older = Token(texts[5], "config.json")
    monkeypatch.setattr(tokens, "_in_keyring", lambda: texts[6])

    def now(settings: BotSettings = BotSettings(), older: Token | None = older) -> str:  # noqa: B008
        monkeypatch.setenv("TOKEN", texts[4])
        return found(settings, mine, older=older).reveal()

    with_file = BotSettings(token_file=str(named))
    assert now(with_file) == texts[0]
    assert now(with_file) == texts[1]  # the variable was read once, and is gone
    assert now() == texts[2]
    (passed / "discord-token").unlink()
    assert now() == texts[3]
    (mine / "discord-token").unlink()
    assert now() == texts[4]
    assert found(BotSettings(), mine, older=older).reveal() == texts[5]
    assert found(BotSettings(), mine).reveal() == texts[6]


def test_without_any_the_sentence_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bot discord --setup.*discord-token \(chmod 600\).*CHAFFINCH_BOT_TOKEN"):
        found(BotSettings(), tmp_path)


def test_who_is_started_later_does_not_inherit_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAFFINCH_BOT_TOKEN", TEXT)
    monkeypatch.setenv("TOKEN", OTHER)
    found(BotSettings(), tmp_path)
    seen = subprocess.run(["env"], capture_output=True, text=True, check=True, timeout=10).stdout
    assert "TOKEN" not in seen


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_can_read_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = stored(tmp_path / "discord-token", mode=mode)
    with pytest.raises(InputError, match=f"others than its owner can read it: chmod 600 {path}"):
        found(BotSettings(), tmp_path)
    with pytest.raises(InputError, match="chmod 600"):
        tokens.refuse_missing(BotSettings(), tmp_path)


@pytest.mark.parametrize("name", ["absent", "directory", "fifo"])
def test_a_named_file_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(InputError, match=r"bot\.token_file"):
        found(BotSettings(token_file=str(tmp_path / name)), tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("198622483471925248", "looks like the application's id"),
        ("0123456789abcdef" * 4, "looks like the application's public key"),
        ("abcdefghijklmnopqrstuvwxyz012345", "looks like the client secret"),
        ("hello", "does not look like one"),
        (f"{TEXT} {TEXT}", "does not look like one"),
        ("a.b.c", "does not look like one"),
    ],
)
def test_what_cannot_be_a_token_is_refused_before_anybody_is_asked(tmp_path: Path, text: str, said: str) -> None:
    stored(tmp_path / "discord-token", text)
    with pytest.raises(InputError, match=said) as refused:
        found(BotSettings(), tmp_path)
    assert len(text) < 5 or text not in str(refused.value)


@pytest.mark.parametrize("text", [f" {TEXT}\n", f"Bot {TEXT}", f"Bot  {TEXT}\r\n"])
def test_what_comes_with_copying_is_dropped(text: str) -> None:
    assert Token(text, "here").reveal() == TEXT


@given(st.text(max_size=200))
def test_any_text_is_a_token_or_refused_without_saying_it(text: str) -> None:
    said = ""
    try:
        revealed = Token(text, "here").reveal()
    except InputError as error:
        revealed, said = "", str(error)
    assert revealed in text
    assert bool(revealed) != bool(said)
    assert len(text) < 40 or text not in said


def test_nothing_that_prints_it_shows_it() -> None:
    token = Token(TEXT, "a file")
    shown = [repr(token), str(token), f"{token}", f"{token!r:>50}", repr([token]), repr({"token": token})]
    assert all(TEXT not in one for one in shown)
    with pytest.raises(TypeError):
        pickle.dumps(token)
    with pytest.raises(RuntimeError) as raised:
        raise RuntimeError(token)
    assert TEXT not in "".join(traceback.format_exception(raised.value))


def test_a_library_that_logs_it_is_filtered() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(Hiding(Token(TEXT, "a file")))
    log = logging.Logger("library")
    log.addHandler(handler)
    log.info("header %s", {"Authorization": f"Bot {TEXT}"})
    log.info(f"in the text {TEXT}")
    log.info("as it is %s %d", TEXT, 5)
    try:
        raise ValueError(f"refused {TEXT}")
    except ValueError:
        log.exception("in a traceback", stack_info=True)
    log.info("nothing %s", "secret")
    said = written.getvalue()
    assert TEXT not in said
    assert said.count("<the token>") >= 4
    assert "ValueError: refused <the token>" in said
    assert "nothing secret" in said


def test_it_is_stored_so_that_it_is_found_and_nobody_else_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "discord-token"
    old = os.umask(0)
    try:
        tokens.keep_in_file(Token(TEXT, "here"), path)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert found(BotSettings(), path.parent).reveal() == TEXT
    tokens.refuse_missing(BotSettings(), path.parent)


def test_a_keyring_keeps_it(tmp_path: Path) -> None:
    """With a keyring of the library's own interface, in a process of its own."""
    code = f"""
import keyring, keyring.backend
class Memory(keyring.backend.KeyringBackend):
    priority = 5
    held = {{}}
    def set_password(self, service, name, password): self.held[service, name] = password
    def get_password(self, service, name): return self.held.get((service, name))
    def delete_password(self, service, name): del self.held[service, name]
keyring.set_keyring(Memory())
from pathlib import Path
from chaffinch.chat import token
from chaffinch.config import BotSettings
assert token.has_keyring()
token.keep_in_keyring(token.Token({TEXT!r}, "here"))
assert Memory.held == {{("chaffinch", "discord"): {TEXT!r}}}
assert token.found(BotSettings(), Path({str(tmp_path)!r})).reveal() == {TEXT!r}
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


RINGS = f"""
import time, keyring.backend, keyring.errors
class Ring(keyring.backend.KeyringBackend):
    priority = 5
    def get_password(self, service, name): return self.read()
    def set_password(self, service, name, password): raise ValueError("no room for " + password)
class Locked(Ring):
    def read(self): raise keyring.errors.KeyringLocked("Failed to unlock the collection!")
class Broken(Ring):
    def read(self): raise OSError("found {TEXT}")
class Slow(Ring):
    def read(self): time.sleep(5)
class Empty(Ring):
    def read(self): return ""
"""
"""Keyrings of packages of others, as there are."""


@pytest.fixture
def rings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the library use another keyring."""
    (tmp_path / "rings.py").write_text(RINGS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "rings", raising=False)

    def use(ring: str) -> None:
        monkeypatch.setattr(keyring.core, "_keyring_backend", None)
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", ring)

    return use


@pytest.mark.parametrize(
    ("ring", "code", "said"),
    [
        ("rings.Locked", 1, "the keyring is locked: unlock it and start again, or `chaffinch bot discord --setup`"),
        ("rings.Broken", 1, "the keyring cannot be read (OSError): unlock it"),
        ("rings.Slow", 1, "the keyring has not answered for 0.1 seconds: unlock it"),
        ("rings.Empty", 2, "the bot's token from the keyring is empty: a token is three parts"),
        ("rings.None", 2, "cannot be used (module 'rings' has no attribute 'None'): name another"),
        ("nowhere.Ring", 2, "cannot be used (No module named 'nowhere'): name another one, or put the token into a"),
        ("", 2, "cannot be used (Empty module name): name another"),
        ("keyring.backends.fail.Keyring", 2, "there is no token for the bot: `chaffinch bot discord --setup` asks"),
        ("keyring.backends.null.Keyring", 2, "there is no token for the bot: `chaffinch bot discord --setup` asks"),
    ],
)
def test_a_keyring_that_gives_no_token_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rings: Callable[[str], None], ring: str, code: int, said: str
) -> None:
    rings(ring)
    monkeypatch.setattr(tokens, "_in_keyring", IN_KEYRING)
    monkeypatch.setattr(tokens, "KEYRING_SECONDS", 0.1)
    with pytest.raises(ChaffinchError) as refused:
        found(BotSettings(), tmp_path)
    assert said in str(refused.value)
    assert refused.value.exit_code == code
    assert TEXT not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("ring", "is_there", "why"),
    [
        ("rings.Slow", True, "no room for <the token>"),
        ("nowhere.Ring", False, "No module named 'nowhere'"),
    ],
)
def test_a_keyring_that_takes_no_token_does_not_show_it(
    rings: Callable[[str], None], ring: str, is_there: bool, why: str
) -> None:
    rings(ring)
    assert tokens.has_keyring() is is_there
    with pytest.raises(InputError) as refused:
        tokens.keep_in_keyring(Token(TEXT, "here"))
    assert str(refused.value) == f"the keyring does not take the token ({why}); store it in a file"


def test_keyring_is_imported_only_where_nothing_else_has_it(tmp_path: Path) -> None:
    stored(tmp_path / "discord-token")
    code = (
        "import sys; from pathlib import Path; from chaffinch.chat.token import found; "
        f"from chaffinch.config import BotSettings; found(BotSettings(), Path({str(tmp_path)!r})); "
        "assert not {'keyring', 'discord', 'aiohttp'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
