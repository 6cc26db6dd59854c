"""Polls of runs that never were, in the engine's JSON: a target that stalls, seen every second."""

import json
from collections.abc import Sequence
from typing import Any

from chaffinch.load import plan, polls, results
from chaffinch.load.report.stalled import Answered, Stall, percentile, requests

GOOD = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p999": 99.9, "max": 100.0}

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "\" onmouseover='alert(3)' x=\"",
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred",
    "line\nbreak\rand\ttab",
    "\u202egnp.exe \u2066isolated",
    "&amp;&lt;--><!-- ]]>",
    "日本語のラベル\U0001f426",
    "=cmd|' /C calc'!A0",
    "nul\x00and\x85next",
    "x" * 5000,
)


def percentiles(values: Sequence[float], *, whole: bool = False) -> dict[str, Any] | None:
    if not values:
        return None
    found: dict[str, Any] = {name: percentile(values, percent) for name, percent in GOOD.items()}
    if whole:
        found |= {"mean": sum(values) / len(values), "count": len(values)}
    return found


def latencies(ran: Sequence[Answered], *, whole: bool = False) -> dict[str, Any]:
    return {
        "corrected": percentiles([one.corrected_ms for one in ran], whole=whole),
        "uncorrected": percentiles([one.uncorrected_ms for one in ran], whole=whole),
    }


def interval(number: int, ran: Sequence[Answered], failed: int = 0) -> dict[str, Any]:
    ended = [one for one in ran if number <= one.ended < number + 1]
    return {
        "n": number,
        "at_s": float(number),
        "seconds": 1.0,
        "requests": len(ended),
        "failed": min(failed, len(ended)),
        "errors": {"timeout": min(failed, len(ended))} if failed and ended else {},
        "asked": sum(1 for one in ran if number <= one.intended < number + 1),
        "in_flight": sum(1 for one in ran if one.sent < number + 1 <= one.ended),
        "bytes_in": 100 * len(ended),
        "bytes_out": 50 * len(ended),
        "latency_ms": latencies(ended),
    }


def label(requests_: int, failed: int = 0) -> dict[str, Any]:
    return {
        "requests": requests_,
        "failed": failed,
        "errors": {"status": failed} if failed else {},
        "statuses": {"200": requests_ - failed, "500": failed},
        "bytes_in": 100 * requests_,
        "bytes_out": 50 * requests_,
        "latency_ms": {
            "corrected": {"count": requests_, "mean": 2.0, **dict.fromkeys(GOOD, 3.0)},
            "uncorrected": None,
        },
    }


def poll(stall: Stall | None = None, *, at: float | None = None, since: int = 0, **fields: Any) -> bytes:
    """What a poll says at a moment of a run against a target that stalls; `fields` stand in place of its own."""
    asked = stall or Stall()
    ran = requests(asked)
    end = asked.duration if at is None else at
    done = [one for one in ran if one.ended <= end]
    body: dict[str, Any] = {
        "state": "ended" if at is None else "running",
        "elapsed_s": end,
        "requests": len(done),
        "passed": len(done),
        "failed": 0,
        "errors": {},
        "statuses": {"200": len(done)},
        "bytes_in": 100 * len(done),
        "bytes_out": 50 * len(done),
        "iterations": len(done),
        "in_flight": sum(1 for one in ran if one.sent < end < one.ended),
        "asked": sum(1 for one in ran if one.intended < end),
        "unsent": 0,
        "unanswered": 0,
        "latency_ms": latencies(done, whole=True),
        "phases_ms": {
            "connect": percentiles([0.1, 0.2], whole=True), "tls": None, "first_byte": None, "iteration": None,
        },
        "labels": {"url/GET /": label(len(done))},
        "folded": {"labels": 0, "requests": 0, "records": 0},
        "histograms": {
            "labels": 1, "most_labels": 1000, "bytes": 40_000, "cap_bytes": 16 << 20, "resolution": 128, "halvings": 0,
            "folded_records": 0, "percentiles": True, "sampling": 1.0, "intervals": 3, "intervals_dropped": 0,
        },
        "generator": {
            "saturated": False, "why": [], "cpu_share": [0.02], "late": 0, "late_ms": 0.0,
            "starved": 0, "bound": 0, "again": 0, "unasked": 0,
        },
        "intervals": [interval(number, ran) for number in range(since, int(end))],
        "something_newer": {"that": ["nobody knows"]},
    }  # fmt: skip
    return json.dumps(body | fields).encode()


def run_of(stall: Stall | None = None, **fields: Any) -> results.Run:
    asked = stall or Stall()
    base: dict[str, Any] = {
        "base_url": "http://127.0.0.1:8080",
        "model": plan.Constant(asked.rate),
        "users": asked.connections,
        "duration_ms": round(asked.duration * 1000),
        "scenarios": (plan.Scenario(name="url", steps=(plan.Step(name="GET /", path="/"),)),),
    }
    return results.describe(plan.Plan(**(base | fields)), started="2026-01-02T03:04:05.000Z")


def ran(stall: Stall | None = None, memory: results.Memory | None = None, **fields: Any) -> results.Result:
    """A finished run; `fields` stand in the last poll."""
    held = memory or results.Memory(peak_rss_bytes=30 << 20, bound_bytes=64 << 20, rss_bytes=29 << 20)
    return results.finished(polls.decode_poll(poll(stall, **fields)), run_of(stall), held)
