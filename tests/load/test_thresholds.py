"""Thresholds as people write them, and what a run says of them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.errors import InputError
from chaffinch.load.error_classes import CLASSES
from chaffinch.load.latencies import Corrected, Latencies, Phases
from chaffinch.load.polls import Folded, Histograms, Label
from chaffinch.load.results import Result
from chaffinch.load.thresholds import Threshold, evaluate, judged, parse_threshold, parse_thresholds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p99<200ms", Threshold("p99<200ms", "p99", "<", 200, "ms")),
        ("p(99.9)<1s", Threshold("p(99.9)<1s", "p999", "<", 1000, "ms")),
        (" P99.9 <= 1.5s ", Threshold("P99.9 <= 1.5s", "p999", "<=", 1500, "ms")),
        ("p999<1s", Threshold("p999<1s", "p999", "<", 1000, "ms")),
        ("p95<=300", Threshold("p95<=300", "p95", "<=", 300, "ms")),
        ("p95{shop/cart}<500us", Threshold("p95{shop/cart}<500us", "p95", "<", 0.5, "ms", "shop/cart")),
        ("max<1m", Threshold("max<1m", "max", "<", 60_000, "ms")),
        ("mean<50ms", Threshold("mean<50ms", "mean", "<", 50, "ms")),
        ("avg<50ms", Threshold("avg<50ms", "mean", "<", 50, "ms")),
        ("med<50ms", Threshold("med<50ms", "p50", "<", 50, "ms")),
        ("errors<1%", Threshold("errors<1%", "errors", "<", 0.01, "share")),
        ("errors==0", Threshold("errors==0", "errors", "==", 0, "count")),
        ("errors[timeout]<5", Threshold("errors[timeout]<5", "errors", "<", 5, "count", of="timeout")),
        ("rate>=1000/s", Threshold("rate>=1000/s", "rate", ">=", 1000, "rate")),
        ("requests>100", Threshold("requests>100", "requests", ">", 100, "count")),
        ("status[5xx]<0.1%", Threshold("status[5xx]<0.1%", "status", "<", 0.001, "share", of="5xx")),
        ("uncorrected.p99<1s", Threshold("uncorrected.p99<1s", "p99", "<", 1000, "ms", series="uncorrected")),
        ("first_byte.p90<1s", Threshold("first_byte.p90<1s", "p90", "<", 1000, "ms", series="first_byte")),
        (
            "label[shop/login].p99<500ms",
            Threshold("label[shop/login].p99<500ms", "p99", "<", 500, "ms", "shop/login"),
        ),
        (
            "label[GET /a[1].b?c<2].uncorrected.max<1s",
            Threshold(
                "label[GET /a[1].b?c<2].uncorrected.max<1s", "max", "<", 1000, "ms", "GET /a[1].b?c<2", "uncorrected"
            ),
        ),
        (
            "label[x].status[404]==0",
            Threshold("label[x].status[404]==0", "status", "==", 0, "count", "x", of="404"),
        ),
    ],
)
def test_thresholds(text: str, expected: Threshold) -> None:
    assert parse_threshold(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a threshold: write it like p99<200ms"),
        ("<5", "is not a threshold"),
        ("p99", "is not a threshold"),
        ("p99=200ms", r'^"=" compares nothing: use one of <, <=, >, >=, ==, != \(character 4 of the threshold'),
        ("p99<", r"is not a duration.*\(character 5 of"),
        ("p99<2oms", r'^"2oms" is not a duration: write it like .*\(character 5 of the threshold "p99<2oms"\)$'),
        ("p98<1s", '^"p98" is not kept by results: use p50, p90, p95, p99, p99.9 or max'),
        ("p101<1s", '"p101" is not kept'),
        ("eror<1%", "did you mean 'errors'"),
        ("errors<200%", r"is not a percentage.*\(character 8 of"),
        ("errors<0.01", "use a share like 1%, or a number of requests like 5"),
        ("requests>1.5", '"1.5" is not what requests is compared with: use a number'),
        ("requests>1%", "is not what requests is compared with"),
        ("status[6xx]<1%", r'"6xx" is not a status: write it like 503 or 5xx \(character 8 of'),
        ("errors[timeot]<1%", r"did you mean 'timeout'\? \(character 8 of"),
        ("uncorrected.rate>1", "uncorrected goes with latencies alone"),
        ("label[a].tls.p99<1s", "leave the label out"),
        ("label[a].unsent<1", "leave the label out"),
        ("p99<" + "9" * 3000, "has 3,004 characters: at most 2,000"),
    ],
)
def test_what_is_no_threshold(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_threshold(text)


@given(st.text(max_size=60) | st.from_regex(r"(label\[.{0,5}\]\.)?(p9+|errors|status\[.{3}\])(<|==|=).{0,5}"))
def test_any_text_is_a_threshold_or_a_sentence(text: str) -> None:
    said = "a threshold"
    try:
        parse_threshold(text)
    except ValueError as error:
        said = str(error)
    assert said
    assert "\n" not in said


def test_a_wrong_one_on_the_command_line_is_bad_input() -> None:
    assert len(parse_thresholds(["p99<1s", "errors==0"])) == 2
    with pytest.raises(InputError, match="is not kept by results"):
        parse_thresholds(["p99<1s", "p42<1s"])


LATENCIES = Latencies(p50=1.0, p90=5.0, p95=10.0, p99=150.0, p999=900.0, max=2000.0, mean=4.5, count=1000)
UNCORRECTED = msgspec.structs.replace(LATENCIES, p99=20.0)


def ran(**fields: Any) -> Result:
    base: dict[str, Any] = {
        "version": 1,
        "requests": 1000,
        "passed": 990,
        "failed": 10,
        "duration_s": 10.0,
        "rate": 100.0,
        "errors": {"status": 8, "timeout": 2},
        "statuses": {"200": 990, "500": 5, "503": 3},
        "latency_ms": Corrected(LATENCIES, UNCORRECTED),
        "phases_ms": Phases(first_byte=LATENCIES),
        "labels": {"shop/login": Label(requests=100, latency_ms=Corrected(LATENCIES, None))},
    }
    return Result(**(base | fields))


@pytest.mark.parametrize(
    ("text", "verdict", "said"),
    [
        ("p99<200ms", "passed", "it is 150 ms"),
        ("p99<150", "failed", "it is 150 ms, and should be < 150"),
        ("p99<=150", "passed", "it is 150 ms"),
        ("uncorrected.p99<50ms", "passed", "it is 20.0 ms"),
        ("first_byte.max<2s", "failed", "it is 2.00 s, and should be < 2s"),
        ("tls.p99<2s", "undecided", "no TLS handshake was measured: undecided, which counts as failed"),
        ("errors<1%", "failed", "it is 1.00%, and should be < 1%"),
        ("errors<=1%", "passed", "it is 1.00%"),
        ("errors<11", "passed", "it is 10"),
        ("errors[timeout]<0.2%", "failed", "it is 0.20%, and should be < 0.2%"),
        ("errors[dns]==0", "passed", "it is 0"),
        ("status[5xx]<0.9%", "passed", "it is 0.80%"),
        ("status[503]==3", "passed", "it is 3"),
        ("rate>=100/s", "passed", "it is 100/s"),
        ("requests>1000", "failed", "it is 1,000, and should be > 1000"),
        ("unsent==0", "passed", "it is 0"),
        ("label[shop/login].p99<1s", "passed", "it is 150 ms"),
        ("label[shop/login].rate>=10/s", "passed", "it is 10/s"),
        ("label[shop/login].uncorrected.p99<1s", "undecided", "no latency was measured: undecided"),
        (
            "label[shop/logon].p99<1s",
            "undecided",
            "no request had the label \"shop/logon\": did you mean 'shop/login'?",
        ),
    ],
)
def test_what_a_run_says_of_it(text: str, verdict: str, said: str) -> None:
    found = evaluate(parse_threshold(text), ran())
    assert found.verdict == verdict
    assert found.said.startswith(said)
    assert found.expression == text


def test_a_run_without_a_request_keeps_to_nothing_but_counts() -> None:
    empty = ran(requests=0, failed=0, errors={}, statuses={}, rate=0.0, latency_ms=Corrected(), duration_s=0.0)
    wanted = parse_thresholds(["p99<1s", "errors==0", "errors<1%", "status[5xx]==0", "rate>=0/s", "requests>0"])
    result = judged(empty, wanted)
    assert [one.verdict for one in result.thresholds] == [*["undecided"] * 4, "passed", "failed"]
    assert "no request was made" in result.thresholds[1].said
    assert result.crossed
    assert not judged(empty, []).crossed


def test_what_is_in_no_figure_is_told_where_a_threshold_passed() -> None:
    left = ran(unsent=3, unanswered=2)
    for text in ("p99<1s", "errors<2%", "label[shop/login].status[404]==0"):
        found = evaluate(parse_threshold(text), left)
        assert found.verdict == "passed"
        assert found.said.endswith("; 5 requests that never began or had no answer are not in it")
    assert evaluate(parse_threshold("unsent==0"), left).verdict == "failed"
    assert evaluate(parse_threshold("rate>1"), left).said == "it is 100/s"


def test_percentiles_that_were_off_are_told() -> None:
    off = ran(
        labels={"a": Label(requests=5)}, histograms=Histograms(percentiles=False), folded=Folded(labels=3, records=10)
    )
    assert "percentiles were off" in evaluate(parse_threshold("label[a].p99<1s"), off).said
    assert "folded into __other__" in evaluate(parse_threshold("label[b].p99<1s"), off).said


def test_every_class_can_be_bounded() -> None:
    for name in CLASSES:
        assert evaluate(parse_threshold(f"errors[{name}]<1000"), ran()).verdict == "passed"
