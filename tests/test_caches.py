"""Caches that shrink: all of them are known, none grows back before it may, and no result changes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch import caches
from chaffinch.caches import Recent, Remembered, remembered

SOURCE = Path(caches.__file__).parent
ONE_VALUE = {"_table", "_hints"}
"""Functions with arguments that only code gives: files of a package, types. Their results are few, whoever comes."""


@pytest.fixture(autouse=True)
def grown() -> Iterator[None]:
    yield
    caches.grow()


@given(st.lists(st.one_of(st.integers(0, 40), st.sampled_from(["shrink", "grow"])), max_size=200))
def test_results_are_those_of_the_function_and_bounded(steps: list[int | str]) -> None:
    kept = Remembered(lambda number: number * number, 32)
    room = 32
    for step in steps:
        if step == "shrink":
            kept.shrink()
            room = 2
        elif step == "grow":
            kept.grow()
            room = 32
        else:
            assert kept(step) == step * step  # type: ignore[operator]
        assert len(kept) <= room


@given(st.lists(st.one_of(st.integers(0, 40), st.sampled_from(["shrink", "grow"])), max_size=200))
def test_the_most_recent_are_held_and_bounded(steps: list[int | str]) -> None:
    held = Recent[int, str](32)
    by_use: list[int] = []
    room = 32
    for step in steps:
        if step == "shrink":
            assert held.shrink() == max(0, len(by_use) - 2)
            room = 2
        elif step == "grow":
            held.grow()
            room = 32
        else:
            number = int(step)
            assert held.get(number) == (str(number) if number in by_use else None)
            held.put(number, str(number))
            by_use = [*(one for one in by_use if one != number), number]
        by_use = by_use[-room:]
        assert len(held) == len(by_use)


def test_a_cache_made_while_memory_is_short_begins_small() -> None:
    caches.shrink()

    @remembered(32)
    def late(number: int) -> int:
        return -number

    for number in range(32):
        late(number)
    assert len(late) == 2
    caches.grow()
    for number in range(40):
        late(number)
    assert len(late) == 32


def decorators(path: Path) -> Iterator[tuple[str, str, bool]]:
    """Functions of a module with a decorator: its text, and whether the function has parameters."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                yield node.name, ast.unparse(decorator), bool(node.args.args or node.args.kwonlyargs)


def test_no_cache_of_decoys_and_personas_escapes() -> None:
    """`functools.cache` is for one value that code makes; what peers and hosts make different uses `remembered`."""
    seen = 0
    for path in [*(SOURCE / "decoys").rglob("*.py"), *(SOURCE / "personas").rglob("*.py")]:
        assert "lru_cache" not in path.read_text(encoding="utf-8"), f"{path.name}: use caches.remembered"
        assert "fnmatchcase" not in path.read_text(encoding="utf-8").replace("`fnmatch.fnmatchcase`", ""), path.name
        for name, decorator, takes in decorators(path):
            seen += "remembered" in decorator
            if decorator in ("cache", "functools.cache"):
                assert not takes or name in ONE_VALUE, f"{path.name}: {name} keeps a result for each argument"
    assert seen >= 5
