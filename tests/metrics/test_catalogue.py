"""The table of metrics, and the page of the guide that lists them."""

import re
from pathlib import Path

from chaffinch.metrics.catalogue import METRICS

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_names_are_whole_words_with_their_unit_and_stand_once() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", metric.name)
        assert not metric.name.endswith("_total")
        assert metric.name.endswith("_" + metric.unit) or not metric.unit
        assert metric.kind != "latency" or metric.unit == "seconds"
        assert metric.help.endswith(".")


def test_the_guide_lists_every_metric_and_no_other() -> None:
    rows = re.findall(r"^\| `(chaffinch_\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE)
    expected = [
        (metric.exposed, metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.help)
        for metric in METRICS
    ]
    assert rows == expected
