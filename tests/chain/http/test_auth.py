"""Tokens: what a file may say, and what is known of a stranger."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaffinch.chain.http.auth import (
    MOST_BYTES,
    Token,
    Tokens,
    hash_of,
    load_tokens,
    make_tokens_file,
    new_token,
    require,
)
from chaffinch.errors import ChaffinchError, InputError
from chaffinch.http.problem import RefusalError


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def entry(name: str, token: str, tenants: str = '"*"', rights: str = '["read"]') -> str:
    return f'[[token]]\nname = "{name}"\nsha256 = "{hash_of(token)}"\ntenants = {tenants}\nrights = {rights}\n'


def test_a_made_file_is_private_and_holds_no_token(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tokens.toml"
    plain = tmp_path / "new" / "token"
    make_tokens_file(path, plain)
    token = plain.read_text().strip()
    assert path.stat().st_mode & 0o777 == plain.stat().st_mode & 0o777 == 0o600
    assert token not in path.read_text()
    assert load_tokens(path).of(f"Bearer {token}").rights == ("admin", "metrics")
    with pytest.raises(ChaffinchError, match="cannot be written"):
        make_tokens_file(path, plain)


class KilledError(BaseException):
    """Where a process would end."""


@pytest.mark.parametrize("survived", range(11))
def test_whenever_it_is_killed_no_file_is_left_whose_token_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    path, plain = tmp_path / "tokens.toml", tmp_path / "token"
    plain.write_text("of a tokens file that was removed")
    left = survived
    with monkeypatch.context() as patched:
        for name in ("open", "fsync", "unlink", "replace"):
            real = getattr(os, name)

            def counted(*args: Any, real: Callable[..., Any] = real, **more: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise KilledError
                return real(*args, **more)

            patched.setattr(os, name, counted)
        with contextlib.suppress(KilledError):
            make_tokens_file(path, plain)
    if not path.exists():
        make_tokens_file(path, plain)
    assert load_tokens(path).of(f"Bearer {plain.read_text().strip()}").name == "admin"
    assert {one.name for one in tmp_path.iterdir()} == {"tokens.toml", "token"}
    assert (survived == 10) == (left >= 0)  # the last one is not killed at all: every step was


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "tokens.toml", entry("a", new_token()), mode)
    with pytest.raises(InputError, match="chmod 600"):
        load_tokens(path)


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        "",
        "[[token]]\nname = 'a'\n",
        entry("a", "x", rights='["everything"]'),
        entry("a", "x", rights="[]"),
        entry("a", "x", tenants='["../up"]'),
        entry("a", "x", tenants='"one"'),
        entry("a", "x") + entry("a", "y"),
        entry("a", "x") + entry("b", "x"),
        entry("a", "x") + "colour = 'red'\n",
    ],
)
def test_a_file_that_says_something_else_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as refused:
        load_tokens(write(tmp_path / "tokens.toml", text))
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_tokens(tmp_path / "none.toml")
    path = tmp_path / "bytes.toml"
    path.write_bytes(os.urandom(100))
    path.chmod(0o600)
    with pytest.raises(InputError, match="cannot be used"):
        load_tokens(path)


@pytest.mark.parametrize("presented", ["", "Bearer", "Bearer ", "Basic {}", "Bearer {}x", "Bearer password", "{}"])
def test_what_is_no_known_token_is_refused_alike(presented: str) -> None:
    token = new_token()
    tokens = Tokens([Token("a", hash_of(token), "*", ("read",)), Token("b", hash_of("password"), "*", ("read",))])
    assert tokens.of(f"Bearer {token}").name == "a"
    assert tokens.of(f"bearer  {token} ").name == "a"
    with pytest.raises(RefusalError) as refused:
        tokens.of(presented.format(token))
    assert refused.value.status == 401
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer")


def test_rights_reach_as_far_as_they_say() -> None:
    token = Token("a", "", ("one", "two"), ("read",))
    require(token, "read", ["one", "two"])
    for right, tenants in (("write", ["one"]), ("read", ["three"]), ("read", ["one", "three"]), ("admin", ["one"])):
        with pytest.raises(RefusalError) as refused:
            require(token, right, tenants)  # type: ignore[arg-type]
        assert refused.value.status == 403
    admin = Token("b", "", "*", ("admin",))
    assert admin.may("read")
    assert admin.may("write")
    assert not admin.may("metrics")


def test_a_file_whose_token_nobody_could_know_is_not_left(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    with pytest.raises(ChaffinchError, match="cannot be written"):
        make_tokens_file(tmp_path / "tokens.toml", tmp_path / "token")
    assert not (tmp_path / "tokens.toml").exists()


def test_what_is_no_readable_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "long").touch(0o600)
    os.truncate(tmp_path / "long", MOST_BYTES + 1)
    for name, why in (("pipe", "no file"), ("", "no file"), ("missing", "cannot be read"), ("long", "has more than")):
        with pytest.raises(InputError, match=why):
            load_tokens(tmp_path / name)


def test_a_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "tokens.toml", entry("a", new_token()))
    os.chown(path, 1, -1) if os.geteuid() == 0 else monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(InputError, match="make it your own"):
        load_tokens(path)
