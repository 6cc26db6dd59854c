"""A whole file to the plan that the engine reads."""

import textwrap
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chaffinch.errors import InputError
from chaffinch.load.loaded import About, Guard, Loaded, Standby
from chaffinch.load.scenario.files import load_file, load_text

WHOLE = """\
version: "1.0"
metadata: {name: Shop, description: The shop, author: team, tags: [a, b], tenant: blue, run_id: r1}
config:
  baseUrl: https://shop.test:8443/api/
  timeout: 20s
  workers: 50
  duration: 1h30m
  skipTlsVerify: true
  customHeaders: {X-Run: r1}
  resolveTargetAddr: ["shop.test:127.0.0.1:8443", "shop.test:[::1]:8443"]
  pool: {maxIdlePerHost: 64, idleTimeoutSecs: 15, metricsReuseThresholdMs: 100}
  http: 2
  streams: 8
  connections: 500
  connectTimeout: 5s
  keepAlive: false
  tcpNodelay: false
  compression: true
  threads: 2
  seed: 7
  drain: 1s
  requests: 1000
  tls: {ca: ca.pem, certificate: me.pem, key: me.key}
load: {model: ramp, min: 10, max: 100/s, rampDuration: 10s}
standby: {workers: 3, rps: 1}
thresholds: ["p99<200ms", "errors<1%"]
percentiles: {enabled: true, sampling: 50%, labels: 20, memory: 8MiB, interval: 2s, intervals: 30}
memory: {limit: 64MB, warning: 70, critical: 85%, autoDisablePercentiles: false}
scenarios:
  - name: buy
    weight: 3
    config: {timeout: 10s, retryCount: 2, retryDelay: 250ms, keepCookies: true}
    dataFile: {path: users.csv, format: csv, strategy: unique}
    steps:
      - name: login
        request:
          method: post
          path: /login
          queryParams: {next: "/a b", tag: [x, y]}
          headers: {X-User: "${id}"}
          body: {user: "${id}"}
        extract:
          - {type: jsonPath, name: token, path: $.token, default: none}
          - {type: regex, name: csrf, pattern: 'csrf=(\\w+)'}
          - {type: header, name: trace, header: X-Trace}
          - {type: cookie, name: sid, cookie: session}
        assertions:
          - {type: statusCode, expected: [200, 3xx]}
          - {type: responseTime, max: 500ms}
          - {type: jsonPath, path: $.ok, expected: true}
          - {type: jsonPath, path: $.token}
          - {type: bodyContains, text: ok}
          - {type: bodyMatches, pattern: 'o.'}
          - {type: headerExists, header: ETag}
        cache: {ttl: 5m}
        thinkTime: {min: 1s, max: 2s}
        timeout: 2s
        label: "login"
  - name: look
    steps:
      - request: {path: "http://127.0.0.1:8081/x?${user}", bodySize: 10KB}
        thinkTime: 2s
"""


def run(text: str, directory: Path | None = None) -> Loaded:
    return load_text(textwrap.dedent(text), "shop.yaml", directory)


def sentence(text: str, directory: Path | None = None) -> str:
    with pytest.raises(InputError) as error:
        run(text, directory)
    return str(error.value)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(WHOLE)
    for name in ("ca.pem", "me.pem", "me.key"):
        (tmp_path / name).write_text("")
    (tmp_path / "users.csv").write_text("id\n1\n2\n")
    return file


def test_everything_arrives_in_the_plan(shop: Path) -> None:
    loaded = load_file(shop)
    plan: dict[str, Any] = msgspec.json.decode(loaded.plan.to_json())
    scenarios = plan.pop("scenarios")
    directory = str(shop.parent)
    assert plan == {
        "base_url": "https://shop.test:8443/api",
        "resolve": [
            {"host": "shop.test", "port": None, "address": "127.0.0.1", "to_port": 8443},
            {"host": "shop.test", "port": None, "address": "::1", "to_port": 8443},
        ],
        "tls": {
            "verify": False,
            "ca": f"{directory}/ca.pem",
            "certificate": f"{directory}/me.pem",
            "key": f"{directory}/me.key",
        },
        "http": "2", "streams": 8, "connections": 500, "idle_per_host": 64, "idle_ms": 15_000, "nodelay": False,
        "keep_alive": False, "connect_timeout_ms": 5000, "timeout_ms": 20_000, "headers": [["X-Run", "r1"]],
        "compression": True,
        "model": {"kind": "ramp", "from": 10.0, "to": 100.0, "over_ms": 3333, "hold_ms": 3334, "back_ms": 3333},
        "users": 50, "duration_ms": 5_400_000, "requests": 1000, "drain_ms": 1000, "threads": 2, "seed": 7,
        "percentiles": {
            "enabled": True, "sampling": 0.5, "labels": 20, "bytes": 8 << 20, "interval_ms": 2000, "intervals": 30,
        },
    }  # fmt: skip
    assert scenarios[0] == {
        "name": "buy", "weight": 3.0, "timeout_ms": 10_000, "retries": 2, "retry_delay_ms": 250, "keep_cookies": True,
        "data": {"columns": ["id"], "rows": [["1"], ["2"]], "strategy": "unique"},
        "steps": [
            {
                "name": "login", "method": "POST", "path": "/login",
                "query": [["next", "/a b"], ["tag", "x"], ["tag", "y"]],
                "headers": [["X-User", "${id}"], ["Content-Type", "application/json"]],
                "body": '{"user":"${id}"}', "body_size": None, "label": "login",
                "extract": [
                    {"from": "json", "name": "token", "path": "$.token", "default": "none"},
                    {"from": "regex", "name": "csrf", "pattern": "csrf=(\\w+)", "group": 1, "default": None},
                    {"from": "header", "name": "trace", "header": "X-Trace", "default": None},
                    {"from": "cookie", "name": "sid", "cookie": "session", "default": None},
                ],
                "assert": [
                    {"what": "status", "between": [[200, 200], [300, 399]]},
                    {"what": "time", "below_ms": 500},
                    {"what": "json", "path": "$.ok", "is": True},
                    {"what": "json", "path": "$.token", "is": None},
                    {"what": "body", "contains": "ok"},
                    {"what": "body", "matches": "o."},
                    {"what": "header", "header": "ETag", "contains": None},
                ],
                "cache_ttl_ms": 300_000, "think_ms": [1000, 2000], "timeout_ms": 2000,
            }
        ],
    }  # fmt: skip
    assert scenarios[1]["steps"][0] == {
        "name": "GET /x", "method": "GET", "path": "http://127.0.0.1:8081/x?${user}", "query": [], "headers": [],
        "body": None, "body_size": 10_240, "label": None, "extract": [], "assert": [], "cache_ttl_ms": None,
        "think_ms": [2000, 2000], "timeout_ms": None,
    }  # fmt: skip


def test_what_stays_in_python(shop: Path) -> None:
    loaded = load_file(shop)
    assert loaded.about == About("Shop", "The shop", "team", ("a", "b"), "r1")
    assert [one.text for one in loaded.thresholds] == ["p99<200ms", "errors<1%"]
    assert loaded.standby == Standby(3, 1.0)
    assert loaded.guard == Guard(64 << 20, 0.7, 0.85, auto_disable_percentiles=False)
    assert loaded.node.tenant == "blue"
    assert loaded.namespace == ""
    assert loaded.lines == {"buy": 30, "buy/login": 35, "look": 59, "look/GET /x": 61}


def test_what_the_engine_says_is_found_in_the_file(shop: Path) -> None:
    loaded = load_file(shop)
    assert loaded.located('scenario "look", step "GET /x", path: no') == (
        f'{shop}:61: scenario "look", step "GET /x", path: no'
    )
    assert loaded.located('scenario "buy", weight: no') == f'{shop}:30: scenario "buy", weight: no'
    assert loaded.located("base_url: no") == "base_url: no"
    assert loaded.located('scenario "other", weight: no') == 'scenario "other", weight: no'


MINIMAL = """\
version: "1.0"
config: {baseUrl: "http://127.0.0.1:8080"}
scenarios: [{name: s, steps: [{request: {path: /}}]}]
"""


def test_the_defaults_of_a_minimal_file() -> None:
    plan = run(MINIMAL).plan
    assert plan.users == 10
    assert plan.duration_ms == 2 * 3600 * 1000
    assert plan.timeout_ms == 30_000
    assert msgspec.to_builtins(plan.model) == {"kind": "closed"}
    assert plan.percentiles == msgspec.structs.replace(plan.percentiles, enabled=True, sampling=1.0)
    assert run(MINIMAL.replace('8080"', '8080", requests: 5')).plan.duration_ms is None


@pytest.mark.parametrize(
    ("load", "model"),
    [
        ("{model: concurrent}", {"kind": "closed"}),
        ("{model: Rps, target: 500}", {"kind": "constant", "rate": 500.0}),
        ("{model: constant, rate: 5}", {"kind": "constant", "rate": 5.0}),
        ("{model: closed}", {"kind": "closed"}),
        ("{model: rps, target: 0}", {"kind": "constant", "rate": 0.0}),
        (
            "{model: ramp, min: 1, max: 2}",
            {"kind": "ramp", "from": 1.0, "to": 2.0, "over_ms": 2_400_000, "hold_ms": 2_400_000, "back_ms": 2_400_000},
        ),
        (
            "{model: dailytraffic, min: 1, mid: 2, max: 3, cycleDuration: 1d, morningRampRatio: 0.25}",
            {
                "kind": "daily", "min": 1.0, "mid": 2.0, "max": 3.0, "cycle_ms": 86_400_000, "morning": 0.25,
                "peak": 0.167, "decline": 0.125, "sustain": 0.167, "evening": 0.167,
            },
        ),
        (
            "{model: steps, steps: [{rate: 10, duration: 1s}, {target: 20, for: 2s}]}",
            {"kind": "steps", "steps": [{"rate": 10.0, "for_ms": 1000}, {"rate": 20.0, "for_ms": 2000}]},
        ),
        (
            "{model: replay, interval: 1s, rates: [1, 30/m], repeat: true}",
            {"kind": "replay", "interval_ms": 1000, "rates": [1.0, 0.5], "repeat": True},
        ),
    ],
)  # fmt: skip
def test_load_models(load: str, model: dict[str, object]) -> None:
    assert msgspec.json.decode(run(f"{MINIMAL}load: {load}\n").plan.to_json())["model"] == model


def test_a_replay_reads_its_file(tmp_path: Path) -> None:
    (tmp_path / "rates.txt").write_text("5\n6\n")
    plan = run(f"{MINIMAL}load: {{model: replay, interval: 1m, path: rates.txt}}\n", tmp_path).plan
    assert msgspec.to_builtins(plan.model)["rates"] == (5.0, 6.0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("http://127.0.0.1:8080", "ftp://x"), 'shop.yaml:2: field config.baseUrl: "ftp://x" is not a URL'),
        (("http://127.0.0.1:8080", "http://${h}"), "shop.yaml:2: field config.baseUrl: "),
        (("http://127.0.0.1:8080", "http://a/?b"), "shop.yaml:2: field config.baseUrl: a base URL has no query"),
        (("path: /", "path: x"), "shop.yaml:3: field scenarios[0].steps[0].request.path: a path begins with /"),
        (("path: /", 'path: "http://${h}/"'), "shop.yaml:3: field scenarios[0].steps[0].request.path: "),
        (("path: /", "path: /, body: x, bodySize: 1"), "shop.yaml:3: field scenarios[0].steps[0].request.bodySize: "),
        (("path: /", 'path: /, headers: {"X Y": a}'), "shop.yaml:3: field scenarios[0].steps[0].request.headers: "),
        (("name: s", "name: s, weight: 0"), "shop.yaml:3: field scenarios: every weight is 0"),
        (('8080"', '8080", tls: {key: a}'), "shop.yaml:2: field config.tls.key: a key needs its certificate"),
        (('8080"', '8080", resolveTargetAddr: a'), "shop.yaml:2: field config.resolveTargetAddr: "),
        (("scenarios", "thresholds: [p99<x]\nscenarios"), 'shop.yaml:3: field thresholds: "x" is not a duration'),
        (
            ("scenarios", "memory: {warning: 95, critical: 90}\nscenarios"),
            "shop.yaml:3: field memory.warning: the warning at 95%",
        ),
        (
            ("scenarios", "load: {model: dailytraffic, min: 3, mid: 2, max: 1, cycleDuration: 1h}\nscenarios"),
            "shop.yaml:3: field load: min, mid and max must not fall: they are 3, 2 and 1",
        ),
        (("scenarios", "load: {model: replay, interval: 1s}\nscenarios"), "shop.yaml:3: field load: give the recorded"),
        (
            ("scenarios", "memory: {warning: 0}\nscenarios"),
            "shop.yaml:3: field memory.warning: a threshold of 0% is always crossed: give more",
        ),
        (
            ("scenarios", "percentiles: {interval: 99ms}\nscenarios"),
            "shop.yaml:3: field percentiles.interval: an interval of 99 ms is too short: give at least 100ms",
        ),
        (
            ("name: s", "name: s, dataFile: {path: /a.csv}"),
            "shop.yaml:3: field scenarios[0].dataFile.path: no file",
        ),
    ],
)
def test_what_does_not_fit_together(change: tuple[str, str], expected: str) -> None:
    assert sentence(MINIMAL.replace(*change)).startswith(expected)


def test_a_relative_path_needs_a_host() -> None:
    text = MINIMAL.replace('baseUrl: "http://127.0.0.1:8080"', "")
    assert sentence(text).endswith("there is no host for this path: give config.baseUrl, or a full URL")
    whole = run(text.replace("path: /", "path: http://a.test/x"))
    assert whole.plan.base_url == "http://a.test"


def test_credentials_of_a_url_become_a_header() -> None:
    plan = run(MINIMAL.replace("http://127", "http://ann:secret@127")).plan
    assert plan.headers == (("Authorization", "Basic YW5uOnNlY3JldA=="),)
    assert "secret" not in plan.to_json()


def test_faults_of_a_data_file_have_both_places(tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text("a,b\n1\n")
    text = MINIMAL.replace("name: s", "name: s, dataFile: {path: u.csv}")
    assert sentence(text, tmp_path) == (
        f"shop.yaml:3: field scenarios[0].dataFile.path: {tmp_path}/u.csv:2: "
        "there are 1 values, where the first line names 2"
    )


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.yaml cannot be read \(No such file or directory\): name"):
        load_file(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(InputError, match=r"bad.yaml:2: this is not UTF-8 \(byte 8\)"):
        load_file(tmp_path / "bad.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * (5 << 20))
    with pytest.raises(InputError, match=r"large.yaml is larger than 4 MiB"):
        load_file(tmp_path / "large.yaml")


def test_headers_of_the_engine_are_left_out_and_said() -> None:
    loaded = run(MINIMAL.replace('8080"', '8080", customHeaders: {Connection: close, X: a}'))
    assert loaded.plan.headers == (("X", "a"),)
    assert loaded.notes == (
        "shop.yaml:2: field config.customHeaders: the header Connection plays no part: the engine writes it",
    )


def test_a_path_may_begin_with_a_variable() -> None:
    assert run(MINIMAL.replace("path: /", 'path: "${next}"')).plan.scenarios[0].steps[0].path == "${next}"


LONG = "a" * 5000


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('8080"', f'8080", tls: {{ca: {LONG}}}'),
        ('8080"', f'8080", tls: {{ca: {LONG[:400]}}}'),
        ('8080"', f'8080", resolveTargetAddr: "{LONG}:127.0.0.1:x"'),
        ('8080"', f'8080", customHeaders: {{"{LONG} b": c}}'),
        ('8080"', f'8080", {LONG}: 1'),
        ("name: s", f"name: s, dataFile: {{path: {LONG}.csv}}"),
        ("name: s", f"name: s, dataFile: {{path: {LONG[:400]}.csv}}"),
        ("scenarios", f"load: {{model: replay, interval: 1s, path: {LONG}}}\nscenarios"),
        ("scenarios", f"load: {{model: {LONG}}}\nscenarios"),
        ("scenarios", f"load: *{LONG}\nscenarios"),
        ("scenarios", f"load: !{LONG} x\nscenarios"),
        ("scenarios", f'thresholds: ["p99<{LONG}"]\nscenarios'),
        ("path: /}", f"path: /}}, extract: [{{type: {LONG}}}]"),
        ("path: /}", f"path: /}}, extract: [{{type: jsonPath, name: '{LONG}!', path: x}}]"),
    ],
)
def test_no_text_is_too_long_to_be_told_in_a_line(before: str, after: str, tmp_path: Path) -> None:
    assert before in MINIMAL
    said = sentence(MINIMAL.replace(before, after), tmp_path)
    assert said.startswith("shop.yaml:")
    assert max(map(len, said.split("\n"))) < 1000
