"""The report: one file, nothing from outside, everything escaped, and as large as it may be."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.load import polls, results
from chaffinch.load.error_classes import CLASSES, explain
from chaffinch.load.latencies import IntervalLatencies, Percentiles
from chaffinch.load.polls import Interval, Label
from chaffinch.load.report.html import render
from chaffinch.load.results import GuardAction, Memory, Result
from chaffinch.load.thresholds import judged, parse_thresholds
from tests.load import running

VOID = {"meta", "br", "img", "link", "input", "hr"}
ALLOWED_ATTRIBUTES = re.compile(
    r"class|lang|charset|name|content|http-equiv|scope|type|role|viewbox|d|dy|text-anchor|"
    r"x|y|x1|x2|y1|y2|aria-label|data-[a-z]+"
)


class Checked(HTMLParser):
    """A document's elements, text and code; fails on elements that do not close and on attributes that act."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.cells: list[str] = []
        self.rows = 0
        self.code: dict[str, str] = {}
        self.policy = ""
        self.text: list[str] = []
        self.feed(document)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        for name, value in attrs:
            assert ALLOWED_ATTRIBUTES.fullmatch(name), (tag, name, value)
        given = dict(attrs)
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):  # type: ignore[union-attr]
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.get_starttag_text() and self.open[-1:] != [tag]:
            assert tag in {"path", "line"}, (tag, self.open)
            return
        self.open.pop()

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside in {"script", "style"}:
            self.code[inside] = self.code.get(inside, "") + data
            return
        self.text.append(data)
        if inside == "td":
            self.cells.append(data)


def full(**fields: Any) -> Result:
    """A run of which there is everything to tell."""
    labels = {name: running.label(10 + number, number) for number, name in enumerate(running.HOSTILE)}
    body: dict[str, Any] = {
        "labels": labels,
        "failed": 30,
        "errors": {"timeout": 20, "status": 9, "<b>new</b>": 1},
        "statuses": {"200": 970, "503": 9},
        "unsent": 3,
        "unanswered": 2,
        "folded": {"labels": 7, "records": 99},
        "histograms": {"labels": 5, "bytes": 5000, "cap_bytes": 1 << 20, "resolution": 16, "percentiles": False},
        "cached": 6,
        "generator": {"saturated": True, "why": ["<i>busy</i>"], "cpu_share": [0.99], "late": 3, "late_ms": 5.0,
                      "starved": 1, "bound": 2, "again": 4, "unasked": 5},
    }  # fmt: skip
    memory = Memory(
        peak_rss_bytes=70 << 20, bound_bytes=64 << 20, guard=(GuardAction(3.0, "halve", "<u>RSS</u> at 81%"),)
    )
    result = running.ran(memory=memory, **(body | fields))
    hostile = running.HOSTILE[0]
    run = msgspec.structs.replace(
        result.run, target=hostile, model=hostile, name=hostile, source=hostile, scenarios=(hostile,), http=hostile
    )
    return msgspec.structs.replace(result, run=run, notes=running.HOSTILE, complete=False)


def test_a_report_tells_it_all() -> None:
    text = " ".join(Checked(render(full())).text)
    for part in (
        "The generator was the limit, not the target",
        "It was stopped after 10s",
        "3 arrivals never began",
        "2 requests had no answer",
        "7 labels did not fit and count under __other__ (99 records)",
        "Percentiles of labels were off.",
        "Corrected latencies count from the moment a request should have begun",
        "70.0 MB of 64.0 MB promised (109.38%): NOT KEPT",
        "at 3s: halve (<u>RSS</u> at 81%)",
        "3 arrivals, by 5.00 ms in the mean",
        "5 connections, because the target sent what no request had asked for",
        "percentiles of labels are off by 3.12% at most",
        "6 steps",
        explain("timeout").meaning,
        explain("timeout").advice,
        "A class that this version does not know.",
        "p99.9 corrected",
        "p99.9 uncorrected",
        "asked",
    ):
        assert part in text, part


def test_nothing_comes_from_outside_and_nothing_else_runs() -> None:
    document = render(full())
    seen = Checked(document)
    assert seen.count["script"] == 1
    assert seen.count["style"] == 1
    assert not {"img", "link", "iframe", "object", "embed", "a", "form", "base", "i><b"} & seen.count.keys()
    assert "url(" not in document
    assert "@import" not in document
    addresses = set(re.findall(r"[a-z]+://[^\s\"'<)]*", document))
    assert all(one.startswith("http://127.0.0.1") for one in addresses), addresses
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(seen.code[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in seen.policy, f"write {digest} into chaffinch/load/report/page.py"
    assert seen.policy.startswith("default-src 'none'")
    assert "unsafe" not in seen.policy


def test_hostile_text_is_text() -> None:
    """Whatever labels, targets, notes and classes have in them, the elements of the page are the same."""
    hostile = Checked(render(full()))
    labels = {f"label {number}": running.label(10 + number, number) for number in range(len(running.HOSTILE))}
    harmless = full(labels=labels, errors={"timeout": 20, "status": 9, "new": 1})
    assert hostile.count == Checked(render(harmless)).count
    text = "".join(hostile.text)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "<img src=x onerror=alert(2)>" in hostile.cells
    assert "日本語のラベル\U0001f426" in hostile.cells
    assert "line\\nbreak\\rand\\ttab" in hostile.cells


def test_ten_thousand_labels_are_told_within_a_megabyte() -> None:
    labels = {f"shop/{'long name ' * 20}{number}": Label(requests=10_000 - number) for number in range(10_000)}
    labels["shop/broken"] = Label(requests=1, failed=1)
    labels["__other__"] = Label(requests=2)
    intervals = tuple(
        Interval(
            n=number, at_s=1.0 * number, seconds=1.0, requests=1000 + number % 37, failed=90, in_flight=number % 991,
            errors=dict.fromkeys(CLASSES, 3 + number % 7), asked=1000.123 + number % 3,
            latency_ms=IntervalLatencies(
                Percentiles(*(1.2345 * number + 0.01 * p for p in range(1, 7))),
                Percentiles(*(1.1234 * number + 0.02 * p for p in range(1, 7))),
            ),
        )
        for number in range(86_400)
    )  # fmt: skip
    result = msgspec.structs.replace(running.ran(), labels=labels, intervals=intervals)
    document = render(result)
    assert len(document.encode()) < 1_000_000
    seen = Checked(document)
    text = " ".join(seen.text)
    assert "shop/broken" in seen.cells
    assert "__other__" in seen.cells
    assert sum(cell.startswith("shop/") for cell in seen.cells) == 199
    hidden = sum(sorted((one.requests for one in labels.values()), reverse=True)[198:]) - 3
    assert f"9,802 more labels with {hidden:,} requests, 0 of them failed" in " ".join(text.split())
    assert "A step stands for up to 128 intervals" in text
    longest = max(drawn.count("H") for drawn in re.findall(r' d="([^"]*)"', document))
    assert 600 < longest <= 1000


RAN = running.ran()
NUMBER = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1, 10**18).map(float)
FIVE = st.tuples(*[st.none() | NUMBER] * 6).map(lambda values: Percentiles(*values))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(NUMBER, NUMBER, FIVE, st.none() | NUMBER, st.integers(-5, 10**18)), max_size=5))
def test_a_file_with_absurd_figures_has_a_report(
    absurd: list[tuple[float, float, Percentiles, float | None, int]],
) -> None:
    intervals = tuple(
        Interval(
            n=number, at_s=at, seconds=seconds, requests=count, failed=count, in_flight=count,
            errors={"timeout": count}, latency_ms=IntervalLatencies(of, None), asked=asked,
        )
        for number, (at, seconds, of, asked, count) in enumerate(absurd)
    )  # fmt: skip
    document = render(msgspec.structs.replace(RAN, intervals=intervals))
    assert len(document) < 200_000


@pytest.mark.parametrize("labels", [{}, {"a": running.label(0)}])
def test_a_run_without_anything_has_a_report(labels: dict[str, Any]) -> None:
    empty = polls.Poll(labels=msgspec.convert(labels, dict[str, Label]))
    document = render(results.finished(empty, results.Run(), Memory()))
    text = " ".join(Checked(document).text)
    assert "No request was made: there is nothing to measure." in text
    assert "No interval was kept" in text
    assert "This is a closed model" in text
    assert "nan" not in text.lower()


def test_a_run_of_one_interval_has_lines() -> None:
    one = Interval(n=0, at_s=0.0, seconds=0.4, requests=1, latency_ms=IntervalLatencies(Percentiles(p50=1.0), None))
    document = render(msgspec.structs.replace(running.ran(), intervals=(one,)))
    assert re.search(r'data-n="p50 corrected" data-v="1" d="M64\.0 [\d.]+H880\.0"', document)


def test_thresholds_are_told_with_their_verdicts() -> None:
    result = judged(running.ran(), parse_thresholds(["p99<200ms", "errors==0", "label[<b>].max<1s"]))
    text = " ".join(Checked(render(result)).text)
    assert "1 of 3 thresholds kept." in text
    assert "it is 1.90 s, and should be < 200ms" in text
    assert "undecided, which counts as failed" in text
    assert "label[<b>].max<1s" in text


def test_every_class_of_the_engine_is_explained() -> None:
    for name, about in CLASSES.items():
        assert about.meaning.endswith("."), name
        assert about.advice.endswith("."), name
