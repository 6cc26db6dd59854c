"""`docs/load-results.md` says what the code does."""

import re
from pathlib import Path

from chaffinch.load import compare, figures, view
from chaffinch.load.error_classes import CLASSES
from chaffinch.load.latencies import PERCENTILES
from chaffinch.load.report import charts, csv, schema, stalled, tables
from chaffinch.load.thresholds import parse_threshold
from chaffinch.load.timeline import MOST

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "load-results.md").read_text(encoding="utf-8")


def test_the_figures_of_the_stall_are_computed() -> None:
    for one in stalled.table(stalled.Stall()):
        name = {"p999": "p99.9"}.get(one.name, one.name)
        assert f"| {name} | {figures.latency(one.uncorrected)} | {figures.latency(one.corrected)} |" in PAGE
    assert "(load-stall.svg)" in PAGE
    stall = stalled.Stall()
    assert (stall.rate, stall.duration, stall.lasts, stall.service, stall.connections) == (100, 10, 2, 0.001, 10)


def test_the_fields_are_those_of_the_structs() -> None:
    told = "put what `python -m chaffinch.load.report.schema reference` prints at the end of docs/load-results.md"
    assert PAGE.endswith(schema.reference().rstrip() + "\n"), told


def test_every_class_of_errors_is_there() -> None:
    for name, about in CLASSES.items():
        assert f"| `{name}` | {about.meaning} | {about.advice} |" in PAGE


def test_every_column_of_the_csv_is_there() -> None:
    assert ", ".join(csv.COLUMNS) in PAGE


def test_the_thresholds_can_be_given() -> None:
    block = PAGE.split("## Thresholds")[1].split("```text")[1].split("```")[0]
    written = [one for line in block.strip().splitlines() for one in re.split(r"   +", line) if re.search("[<>=]", one)]
    assert len(written) == 15
    for one in written:
        assert parse_threshold(one).text == one
    assert {"p50", "p90", "p95", "p99", "p999"} == set(PERCENTILES)


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"{MOST:,} steps at most" in PAGE
    assert f"{tables.LABELS} labels are listed" in PAGE
    assert f"differ by up to {100 * compare.NOISE:.0f}%" in PAGE
    assert f"less than {1000 * compare.LEAST_MS:.0f} us" in PAGE
    assert compare.SURE == 3
    assert view.REDRAW_SECONDS == 0.5
    assert view.LINE_SECONDS == 5
    assert charts.WIDTH == 900
