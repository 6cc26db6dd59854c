"""The page of scenario files, `docs/load-scenarios.md`: its files are read, its bounds and faults are the code's."""

import re
from pathlib import Path

import pytest

from chaffinch.errors import InputError
from chaffinch.load import load_text, parse_threshold
from chaffinch.load.plan import Constant, Daily, Ramp
from chaffinch.load.scenario import build, data, nodes, steps, units

PAGE = (Path(__file__).parents[2] / "docs" / "load-scenarios.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_files_are_read(tmp_path: Path) -> None:
    (csv,) = blocks("csv")
    (tmp_path / "users.csv").write_text(csv)
    page, shop, day = (load_text(text, "page.yaml", tmp_path) for text in blocks("yaml"))
    assert page.plan.model == Constant(500)
    assert [one.text for one in page.thresholds] == ["p99<200ms", "errors<1%"]
    assert isinstance(shop.plan.model, Ramp)
    buy, look = shop.plan.scenarios
    assert buy.data is not None
    assert buy.data.columns == ("user", "password")
    assert (buy.weight, look.weight) == (1, 3)
    assert buy.steps[1].headers[0] == ("Authorization", "Bearer ${token}")
    assert isinstance(day.plan.model, Daily)
    assert day.guard.limit == 64 << 20
    assert (day.plan.http, day.plan.percentiles.bytes) == ("2", 8 << 20)
    assert page.notes == shop.notes == day.notes == ()


def test_the_faults_are_told_so() -> None:
    text = "version: '1.0'\n\nconfig:\n  timeot: 1s\n" + "\n" * 7 + "scenarios:\n  - name: s\n    steps:\n"
    text += "    - request: {path: http://a/}\n" * 2
    text = text.replace("\n" * 8, "\n" * 7) + "    - request: {path: http://a/, method: FETCH}\n"
    with pytest.raises(InputError) as error:
        load_text(text, "shop.yaml")
    assert f"```text\n{error.value}\n```" in PAGE


def test_the_bounds_are_those_of_the_code() -> None:
    for bound in (
        f"{nodes.MOST_BYTES >> 20} MiB, {nodes.MOST_NODES:,} values",
        f"{nodes.MOST_DEPTH} deep",
        f"{data.MOST_BYTES >> 20} MiB, {data.MOST_ROWS:,} rows, {data.MOST_COLUMNS} columns",
        f"1,000; 1,000; {build.MOST_STEPS:,}",
        f"(`bodySize`) | {steps.MOST_BODY >> 20} MiB",
        f"{units.HIGHEST_RATE:,.0f} a second",
        f"{units.LONGEST_MS // 86_400_000} days",
    ):
        assert bound in PAGE


def test_the_thresholds_can_be_given() -> None:
    assert parse_threshold("p99{buy/login}<1s").label == "buy/login"
    assert "`p99{buy/login}<1s`" in PAGE
