"""The plan of a URL, and options over a plan."""

from pathlib import Path

import pytest

from chaffinch.errors import InputError
from chaffinch.load import plan
from chaffinch.load.target import Options, parse_model, plan_for_url, with_options


def test_a_url_alone() -> None:
    made = plan_for_url("http://127.0.0.1:8080/a?b=$c#d")
    assert made.base_url == "http://127.0.0.1:8080"
    assert made.model == plan.Closed()
    assert (made.users, made.duration_ms, made.requests) == (10, 10_000, None)
    (scenario,) = made.scenarios
    assert scenario.steps == (plan.Step(name="GET /a", method="GET", path="/a?b=$$c"),)


def test_what_is_sent() -> None:
    made = plan_for_url("https://ann:p$w@a.test/", headers=[("X-A", "$1"), ("X-A", "2")], body="a=$b")
    (step,) = made.scenarios[0].steps
    assert step.method == "POST"
    assert step.body == "a=$$b"
    assert step.headers == (("X-A", "$$1"), ("X-A", "2"), ("Authorization", "Basic YW5uOnAkdw=="))
    assert plan_for_url("http://a.test", method="purge").scenarios[0].steps[0].method == "PURGE"


def test_options() -> None:
    made = plan_for_url(
        "http://a.test",
        Options(
            rate=500, requests=100, http2=True, threads=2, seed=3, labels=5, verify=False, resolve=("a.test:::1",) * 0
        ),
    )
    assert made.model == plan.Constant(500)
    assert (made.users, made.requests, made.duration_ms, made.http, made.threads, made.seed) == (
        1000,
        100,
        None,
        "2",
        2,
        3,
    )
    assert made.percentiles.labels == 5
    assert not made.tls.verify
    changed = with_options(made, Options(concurrency=7, duration_ms=5, resolve=("a.test:127.0.0.1:81",)))
    assert changed.model == plan.Constant(500)
    assert (changed.users, changed.duration_ms, changed.requests, changed.http) == (7, 5, 100, "2")
    assert changed.resolve == (plan.Resolve("a.test", None, "127.0.0.1", 81),)


@pytest.mark.parametrize(
    ("url", "options", "sentence"),
    [
        ("a.test", Options(), '"a.test" is not a URL: write it like http://127.0.0.1:8080/path'),
        ("http://$a/", Options(), '"http://$a/" has a variable in its host: only hosts that are named are contacted'),
        ("http://a/", Options(concurrency=0), "concurrency is 0: it must be from 1 to 1,000,000"),
        ("http://a/", Options(rate=-1), "rate is -1: it must be from 0 to 10,000,000.0"),
        ("http://a/", Options(rate=float("nan")), "rate is nan: it must be from 0 to 10,000,000.0"),
        (
            "http://a/",
            Options(key="x"),
            "a client certificate needs its key, and a key its certificate: give both or neither",
        ),
        ("http://a/", Options(resolve=("x",)), '"x" is not host:address:port, such as example.test:127.0.0.1:8443'),
        (
            "http://a/",
            Options(rate=1, model=plan.Closed()),
            "a rate goes with no model but constant: the others have their own rates",
        ),
    ],
)
def test_what_cannot_be(url: str, options: Options, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        plan_for_url(url, options)
    assert str(error.value) == sentence


def test_what_cannot_be_sent() -> None:
    for given in (
        {"headers": [("X Y", "a")]},
        {"headers": [("Content-Length", "5")]},
        {"method": "G T"},
        {"body": "a", "body_size": 1},
    ):
        with pytest.raises(InputError):
            plan_for_url("http://a/", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("closed", plan.Closed()),
        ("constant:500", plan.Constant(500)),
        ("constant", plan.Constant(9)),
        ("ramp:10-500:1m:5m:30s", plan.Ramp(start=10, to=500, over_ms=60_000, hold_ms=300_000, back_ms=30_000)),
        ("daily:1-2-3:24h", plan.Daily(1, 2, 3, 86_400_000)),
        ("steps:100/s*30s,200*1m", plan.Steps((plan.RateStep(100, 30_000), plan.RateStep(200, 60_000)))),
    ],
)
def test_models(text: str, model: plan.Model) -> None:
    assert parse_model(text, 9) == model


def test_a_ramp_without_a_way_back_stays_up() -> None:
    model = parse_model("ramp:0-100:10s")
    assert isinstance(model, plan.Ramp)
    assert model.hold_ms > 365 * 86_400_000


def test_a_replay(tmp_path: Path) -> None:
    (tmp_path / "rates").write_text("1\n2\n")
    assert parse_model(f"replay:{tmp_path}/rates:1s") == plan.Replay(1000, (1.0, 2.0))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rmp:1",
        "constant",
        "ramp",
        "ramp:1-2",
        "ramp:1-2:0x",
        "daily:1-2:1h",
        "daily:3-2-1:1h",
        "steps:",
        "steps:1*0s",
    ],
)
def test_what_is_no_model(text: str) -> None:
    with pytest.raises(InputError, match="model"):
        parse_model(text)
