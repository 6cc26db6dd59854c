"""What a terminal shows while a run goes on."""

import io
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.load import polls, results, view
from chaffinch.load.polls import Progress
from chaffinch.load.report.stalled import Stall
from chaffinch.load.results import GuardAction, Memory
from tests.load import running

MEMORY = Memory(peak_rss_bytes=31 << 20, bound_bytes=64 << 20, rss_bytes=30 << 20)
SATURATED = {"saturated": True, "why": ["Thread 1 was busy for 99% of the time \x1b[31m: give it another core."]}


def progress(at: float | None = 5.0, **fields: Any) -> Progress:
    return polls.decode_progress(running.poll(at=at, **fields))


def shown(columns: int = 80, rows: int = 24, memory: Memory = MEMORY, **fields: Any) -> list[str]:
    return view.frame(progress(**fields), running.run_of(), memory, columns, rows).split("\n")


def test_a_frame_has_what_matters() -> None:
    lines = shown()
    text = "\n".join(lines)
    assert lines[0] == "http://127.0.0.1:8080/"
    assert lines[1] == "constant: 100/s; at most 10 users, HTTP/1.1"
    assert "[############............]  50%  5s running, 5s left" in text
    assert re.search(r"rate +0/s now +80/s mean +100/s asked", text)
    assert re.search(r"requests +400 +10 in flight", text)
    assert re.search(r"latency +p50 +p90 +p95 +p99 +p99.9 +max", text)
    assert re.search(r"overall +1.00 ms", text)
    assert re.search(r"uncorrected +1.00 ms", text)
    assert "errors    none" in text
    assert "30.0 MB of 64.0 MB (46.9%), peak 31.0 MB" in text
    assert "^C ends the run" in lines[-1]


def test_errors_by_class_and_warnings() -> None:
    guarded = Memory(rss_bytes=1, guard=(GuardAction(3.0, "halve"), GuardAction(61.0, "fold_cold")))
    lines = shown(
        failed=12, errors={"timeout": 10, "bad\x1b[2Jclass": 2}, generator=SATURATED, unsent=4, unanswered=2,
        folded={"labels": 3, "records": 40}, histograms={"percentiles": False}, memory=guarded,
    )  # fmt: skip
    text = "\n".join(lines)
    assert "12 of 400 requests, 3.00%" in text
    assert "timeout 10  bad\\x1b[2Jclass 2" in text
    assert "4 not sent   2 given up" in text
    assert "! the generator is the limit, not the target" in text
    assert "!   Thread 1 was busy for 99% of the time \\x1b[31m: give it another core." in text
    assert "! 3 labels did not fit and count as __other__ (40 records)" in text
    assert "! percentiles of labels are off" in text
    assert "! the memory guard acted 2 times, last: fold_cold at 1m01s" in text


def test_a_run_at_its_ends() -> None:
    begins = view.frame(Progress(), results.Run(), Memory(), 80, 24)
    assert "0s running, until it is stopped" in begins
    assert view.frame(progress(None), running.run_of(), MEMORY, 80, 24).count("100%") == 1
    draining = "\n".join(shown(state="draining", elapsed_s=11.0))
    assert "11s waiting for answers" in draining
    counted = running.run_of(requests=1000, duration_ms=None)
    assert "600 requests left" in view.frame(progress(), counted, MEMORY, 80, 24)


HOSTILE_POLL: dict[str, Any] = {
    "errors": {"\x1b[2J" + "e" * 300: 5, "b\n\n\nb": 2, "日本語" * 40: 1},
    "failed": 8,
    "generator": {"saturated": True, "why": ["\x1b]0;x\x07" * 50, "w " * 900, "漢" * 500]},
}


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 250), st.integers(1, 60), st.sampled_from(running.HOSTILE), st.booleans())
def test_a_frame_fits_any_terminal_and_drives_none(columns: int, rows: int, name: str, hostile: bool) -> None:
    plan = results.Run(target=name, model=name, name=name, http=name, duration_s=10)
    poll = POLLS[hostile]
    lines = view.frame(poll, plan, MEMORY, columns, rows).split("\n")
    assert len(lines) <= rows
    for line in lines:
        assert line.isprintable()
        assert sum(map(view.columns_of, line)) < max(columns, view.LEAST_COLUMNS)


POLLS = {False: progress(), True: progress(**HOSTILE_POLL)}


def test_what_matters_least_goes_first_where_there_is_no_room() -> None:
    for rows in (24, 16, 12, 8):
        text = "\n".join(shown(rows=rows, failed=3, errors={"timeout": 3}, generator=SATURATED))
        assert "rate " in text, rows
        assert ("^C" in text) == (rows == 24), rows
    assert "!" in "\n".join(shown(rows=12, failed=3, errors={"timeout": 3}, generator=SATURATED))


def test_a_narrow_terminal_goes_without_some_percentiles() -> None:
    assert re.search(r"^latency +p50 +p95 +p99 +p99.9 +max$", "\n".join(shown(columns=70)), re.MULTILINE)
    assert re.search(r"^latency +p99 +max$", "\n".join(shown(columns=40)), re.MULTILINE)


class Terminal(io.StringIO):
    """A stream that says that it is one."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_terminal_is_drawn_in_place_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    size = [(80, 24)]
    monkeypatch.setattr("shutil.get_terminal_size", lambda: size[0])
    with view.View(running.run_of(), out) as seen:
        seen.show(progress(3.0), MEMORY, now=1.0)
        first = out.getvalue()
        seen.show(progress(3.1), MEMORY, now=1.1)
        assert out.getvalue() == first, "too soon to draw again"
        size[0] = (40, 10)
        seen.show(progress(4.0, intervals=[]), MEMORY, now=2.0)
        second = out.getvalue()[len(first) :]
    assert first.startswith("\x1b[?1049h\x1b[?25l\x1b[H")
    assert second.startswith("\x1b[H")
    assert second.endswith("\x1b[J")
    assert second.count("\n") < 10
    assert "100/s now" in second, "the last interval is shown until the next one comes"
    seen.close()
    assert out.getvalue().endswith("\x1b[?25h\x1b[?1049l")
    assert out.getvalue().count("\x1b[?1049l") == 1


def test_a_pipe_gets_a_line_now_and_then() -> None:
    out = io.StringIO()
    with view.View(running.run_of(), out) as seen:
        for second in range(10):
            seen.show(progress(second + 0.5, failed=2, errors={"timeout": 2}), MEMORY, now=100.0 + second)
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert "\x1b" not in out.getvalue()
    assert re.fullmatch(
        r"5\.5s requests=400 rate=0/s failed=2 in_flight=10 p50=1\.00ms p99=1\.00ms max=1\.00ms "
        r"memory=30\.0MB error_timeout=2",
        lines[1],
    ), lines[1]


def test_a_terminal_that_knows_ascii_alone_is_no_reason_to_fail() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", newline="")
    seen = view.View(results.Run(target="http://漢.test/"), out, terminal=True)
    with seen:
        seen.show(progress(), MEMORY)
    assert b"http://?.test/" in raw.getvalue()


def test_a_poll_with_ten_thousand_labels_is_shown_in_no_time() -> None:
    labels = {f"label {number}": running.label(10) for number in range(10_000)}
    data = running.poll(Stall(), labels=labels)
    assert json.loads(data)["labels"]
    poll = polls.decode_progress(data)
    assert len(view.frame(poll, running.run_of(), MEMORY, 80, 24).split("\n")) <= 24
