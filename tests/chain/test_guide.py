"""The Python guide, `docs/chain.md`: its examples run and print what it says, and it names all there is."""

import contextlib
import inspect
import io
import os
import re
from pathlib import Path

import pytest

import chaffinch.chain
from chaffinch.chain import Ask, Chain, Tenants, errors
from chaffinch.chain.engine import AskKeywords
from chaffinch.config import CandidateSettings, ChainSettings
from chaffinch.errors import ChaffinchError

PAGE = (Path(__file__).parents[2] / "docs" / "chain.md").read_text(encoding="utf-8")

EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def test_the_examples_run_and_print_what_the_guide_says(tmp_path: Path) -> None:
    scope: dict[str, object] = {}
    examples = EXAMPLE.findall(PAGE)
    assert len(examples) == PAGE.count("```python") >= 8
    with contextlib.chdir(tmp_path):
        for code, expected in examples:
            line = PAGE[: PAGE.index(code)].count("\n")
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * line + code, "docs/chain.md", "exec"), scope)
            assert printed.getvalue() == expected
    assert {"office", "lures", "state"} <= set(os.listdir(tmp_path))


@pytest.mark.parametrize("owner", [Chain, Tenants])
def test_every_method_is_named(owner: type) -> None:
    for name in vars(owner):
        if not name.startswith("_") and callable(getattr(owner, name)):
            assert re.search(rf"`(Chain\.)?{name}\b|\.{name}\(", PAGE), name


def test_every_error_keyword_and_setting_is_named() -> None:
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, ChaffinchError) and value is not ChaffinchError:
            assert f"| `{name}`" in PAGE, name
    for keyword in AskKeywords.__annotations__:
        assert f"`{keyword}`" in PAGE, keyword
    for name in ("threads", "queue", "memory", "open_chains", "idle_seconds", "slow_ms"):
        assert f"`chain.{name}`" in PAGE, name
    for name in CandidateSettings.__struct_fields__:
        assert f"`{name}`" in PAGE or f"`chain.candidate.{name}`" in PAGE, name


def test_the_bounds_are_the_defaults() -> None:
    settings = ChainSettings()
    for row in (
        f"`chain.queue` ({settings.queue})",
        f"`chain.threads` ({settings.threads})",
        f"`chain.open_chains` ({settings.open_chains})",
        f"`chain.memory` ({settings.memory >> 20} MiB)",
        f"`chain.idle_seconds` ({settings.idle_seconds:.0f})",
    ):
        assert row in PAGE, row


def test_the_keywords_are_those_of_the_core() -> None:
    assert set(AskKeywords.__annotations__) == set(inspect.signature(Ask).parameters)
    for name, parameter in inspect.signature(Ask).parameters.items():
        if isinstance(parameter.default, int) and not isinstance(parameter.default, bool):
            row = next(row for row in PAGE.splitlines() if row.startswith("|") and f"`{name}`" in row)
            assert str(parameter.default) in row, row


def test_every_name_comes_when_it_is_asked_for() -> None:
    named = {name for names in chaffinch.chain._HOMES.values() for name in names}
    assert named == set(chaffinch.chain.__all__) == set(dir(chaffinch.chain))
    for name in named:
        assert getattr(chaffinch.chain, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'chain'"):
        chaffinch.chain.chain  # noqa: B018 - it is looked up
