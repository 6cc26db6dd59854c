"""`--from-env`: every variable, alone and over a file."""

from pathlib import Path

import msgspec
import pytest

from chaffinch.errors import InputError
from chaffinch.load import plan
from chaffinch.load.environment import from_environment
from chaffinch.load.loaded import Control, Guard, Node
from chaffinch.load.scenario.files import load_text
from chaffinch.load.variables import VARIABLES, headers

URL = {"TARGET_URL": "http://127.0.0.1:8080/a?b=$c"}

FILE = """\
version: "1.0"
metadata: {tenant: blue}
config: {baseUrl: "http://a.test/api", workers: 3, duration: 5m, customHeaders: {x-a: file, X-B: file}}
load: {model: ramp, min: 1, max: 2}
scenarios: [{name: s, steps: [{request: {path: /x}}]}]
"""


def refused(environment: dict[str, str]) -> list[str]:
    with pytest.raises(InputError) as error:
        from_environment(environment)
    return str(error.value).splitlines()


def test_the_defaults() -> None:
    loaded = from_environment(URL)
    assert loaded.plan == plan.Plan(
        base_url="http://127.0.0.1:8080",
        idle_per_host=32,
        idle_ms=30_000,
        users=10,
        duration_ms=7_200_000,
        percentiles=plan.Percentiles(labels=100),
        scenarios=(
            plan.Scenario(
                name="url", steps=(plan.Step(name="GET /a", method="GET", path="http://127.0.0.1:8080/a?b=$$c"),)
            ),
        ),
    )
    assert loaded.control == Control("127.0.0.1", 8080, "", health_needs_token=False)
    assert loaded.node == Node("", "default", "")
    assert loaded.guard == Guard(None, 0.8, 0.9, auto_disable_percentiles=True)
    assert loaded.namespace == "rust_loadtest"
    assert loaded.log_format == "text"
    assert loaded.notes == ()


def test_every_variable_has_its_effect(tmp_path: Path) -> None:
    for name in ("me.pem", "me.key"):
        (tmp_path / name).write_text("")
    plain = from_environment(URL)
    given = {
        "TARGET_URL": "https://other.test/", "REQUEST_TYPE": "put", "CUSTOM_HEADERS": r"A:1\,2,B: c:d ",
        "NUM_CONCURRENT_TASKS": "500", "TEST_DURATION": "24h", "SKIP_TLS_VERIFY": "true",
        "RESOLVE_TARGET_ADDR": "other.test:127.0.0.1:81,other.test:[::1]:81", "POOL_MAX_IDLE_PER_HOST": "0",
        "POOL_IDLE_TIMEOUT_SECS": "5", "TCP_NODELAY": "false", "REQUEST_TIMEOUT_SECS": "7",
        "PERCENTILE_TRACKING_ENABLED": "false", "PERCENTILE_SAMPLING_RATE": "25", "MAX_HISTOGRAM_LABELS": "7",
        "HISTOGRAM_ROTATION_INTERVAL": "15m", "MEMORY_WARNING_THRESHOLD_PERCENT": "60",
        "MEMORY_CRITICAL_THRESHOLD_PERCENT": "70", "AUTO_DISABLE_PERCENTILES_ON_WARNING": "false",
        "METRIC_NAMESPACE": "mine", "LOG_FORMAT": "JSON", "CLUSTER_NODE_ID": "n1", "CLUSTER_REGION": "eu",
        "TENANT": "red",
        "CLUSTER_HEALTH_ADDR": "[::1]:9090", "API_AUTH_TOKEN": "t", "HEALTH_AUTH_ENABLED": "true",
    }  # fmt: skip
    before = msgspec.to_builtins(plain, enc_hook=str)
    for name, value in given.items():
        after = msgspec.to_builtins(from_environment(URL | {name: value}), enc_hook=str)
        assert after != before, name
    loaded = from_environment(
        given | {"SEND_JSON": "true", "JSON_PAYLOAD": '{"a": "$b"}', "CLIENT_CERT_PATH": str(tmp_path / "me.pem"),
                 "CLIENT_KEY_PATH": str(tmp_path / "me.key")}
    )  # fmt: skip
    (step,) = loaded.plan.scenarios[0].steps
    assert (step.method, step.path, step.body) == ("PUT", "https://other.test/", '{"a": "$$b"}')
    assert step.headers == (("A", "1,2"), ("B", "c:d"), ("Content-Type", "application/json"))
    assert loaded.plan.tls == plan.Tls(verify=False, certificate=str(tmp_path / "me.pem"), key=str(tmp_path / "me.key"))
    assert loaded.plan.percentiles == plan.Percentiles(enabled=False, sampling=0.25, labels=7, interval_ms=900_000)
    assert loaded.plan.resolve[1] == plan.Resolve("other.test", None, "::1", 81)
    assert loaded.control == Control("::1", 9090, "t", health_needs_token=True)
    assert loaded.node == Node("n1", "eu", "red")
    modelled = {"LOAD_MODEL_TYPE", "TARGET_RPS", "MIN_RPS", "MAX_RPS", "RAMP_DURATION"}
    modelled |= {one.name for one in VARIABLES if one.name.startswith("DAILY_") or one.name.endswith("_RATIO")}
    sent = {"SEND_JSON", "JSON_PAYLOAD", "CLIENT_CERT_PATH", "CLIENT_KEY_PATH"}
    assert {one.name for one in VARIABLES} == set(given) | modelled | sent


@pytest.mark.parametrize(
    ("given", "model"),
    [
        ({"LOAD_MODEL_TYPE": "Concurrent"}, plan.Closed()),
        ({"LOAD_MODEL_TYPE": "Rps", "TARGET_RPS": "7000"}, plan.Constant(7000)),
        (
            {"LOAD_MODEL_TYPE": "ramprps", "MIN_RPS": "10", "MAX_RPS": "100", "RAMP_DURATION": "10s"},
            plan.Ramp(start=10, to=100, over_ms=3333, hold_ms=3334, back_ms=3333),
        ),
        (
            {"LOAD_MODEL_TYPE": "RampRps", "MIN_RPS": "10", "MAX_RPS": "100", "TEST_DURATION": "30m"},
            plan.Ramp(start=10, to=100, over_ms=600_000, hold_ms=600_000, back_ms=600_000),
        ),
        (
            {
                "LOAD_MODEL_TYPE": "DailyTraffic", "DAILY_MIN_RPS": "1", "DAILY_MID_RPS": "2", "DAILY_MAX_RPS": "3",
                "DAILY_CYCLE_DURATION": "1d", "MORNING_RAMP_RATIO": "0.1", "PEAK_SUSTAIN_RATIO": "0.2",
                "MID_DECLINE_RATIO": "0.3", "MID_SUSTAIN_RATIO": ".1", "EVENING_DECLINE_RATIO": "0.05",
            },
            plan.Daily(1, 2, 3, 86_400_000, 0.1, 0.2, 0.3, 0.1, 0.05),
        ),
    ],
)  # fmt: skip
def test_models(given: dict[str, str], model: plan.Model) -> None:
    assert from_environment(URL | given).plan.model == model


def test_each_fault_names_its_variable_its_value_and_what_is_allowed() -> None:
    assert refused(
        {
            "TARGET_URL": "ftp://x",
            "REQUEST_TYPE": "FETCH",
            "NUM_CONCURRENT_TASKS": "many",
            "TEST_DURATION": "2 weeks",
            "SKIP_TLS_VERIFY": "perhaps",
            "LOAD_MODEL_TYPE": "Fast",
            "CUSTOM_HEADERS": "secret",
            "API_AUTH_TOKEN": "a\x01b",
            "PERCENTILE_SAMPLING_RATE": "101",
            "MORNING_RAMP_RATIO": "nan",
            "CLUSTER_HEALTH_ADDR": "8080",
        }
    ) == [
        'TARGET_URL: "ftp://x" is not a URL: write it like http://127.0.0.1:8080/path',
        'REQUEST_TYPE: it is "FETCH", but it must be one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS',
        r"CUSTOM_HEADERS: header 1 is not Name:Value; write a comma in a value as \,",
        'NUM_CONCURRENT_TASKS: it is "many", but it must be a whole number from 1 to 1,000,000',
        'TEST_DURATION: "2 weeks" is not a duration: write it like 500ms, 30s, 5m, 1h30m or 2d',
        'LOAD_MODEL_TYPE: it is "Fast", but it must be one of Concurrent, Rps, RampRps, DailyTraffic',
        'MORNING_RAMP_RATIO: it is "nan", but it must be a share from 0 to 1, such as 0.125',
        'SKIP_TLS_VERIFY: it is "perhaps", but it must be true or false',
        'PERCENTILE_SAMPLING_RATE: "101" is not a percentage from 0 to 100',
        'CLUSTER_HEALTH_ADDR: it is "8080", but it must be address:port, such as 127.0.0.1:8080',
        "API_AUTH_TOKEN: it must be a text without control characters, at most 65,536 long",
    ]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"TARGET_URL": ""}, "TARGET_URL: it is missing: give it a URL such as http://127.0.0.1:8080/, or name a file"),
        ({"LOAD_MODEL_TYPE": "Rps"}, "TARGET_RPS: it is missing: LOAD_MODEL_TYPE is Rps, which needs it"),
        (
            {"MEMORY_WARNING_THRESHOLD_PERCENT": "80", "MEMORY_CRITICAL_THRESHOLD_PERCENT": "70"},
            (
                "MEMORY_WARNING_THRESHOLD_PERCENT, MEMORY_CRITICAL_THRESHOLD_PERCENT: field warning: "
                "the warning at 80% comes after the critical threshold at 70%: lower it"
            ),
        ),
        ({"SEND_JSON": "true"}, "JSON_PAYLOAD: it is missing: SEND_JSON is true, so give it a body"),
        (
            {"CLIENT_KEY_PATH": "/dev/null"},
            "CLIENT_CERT_PATH, CLIENT_KEY_PATH: field key: a key needs its certificate: give both or neither",
        ),
        ({"RESOLVE_TARGET_ADDR": "a:b"}, 'RESOLVE_TARGET_ADDR: it is "a:b", but "b" is not an IP address'),
        (
            {"HISTOGRAM_ROTATION_INTERVAL": "20ms"},
            "HISTOGRAM_ROTATION_INTERVAL: field interval: an interval of 20 ms is too short: give at least 100ms",
        ),
        ({"CUSTOM_HEADERS": "A B:c"}, 'CUSTOM_HEADERS: "A B" is not a header\'s name: use letters, digits and hyphens'),
    ],
)
def test_what_is_missing_or_wrong(given: dict[str, str], sentence: str) -> None:
    assert sentence in refused(URL | given)


def test_headers_with_escapes() -> None:
    assert headers(r"A:1,B:2\,3,,C:d\\,D:\x") == (("A", "1"), ("B", "2,3"), ("C", "d\\"), ("D", r"\x"))


def test_variables_go_over_a_file() -> None:
    loaded = load_text(
        FILE,
        "shop.yaml",
        None,
        {
            "TARGET_URL": "http://b.test/v2", "NUM_CONCURRENT_TASKS": "9", "MAX_RPS": "50", "CUSTOM_HEADERS": "X-A:env",
            "TARGET_RPS": "3", "REQUEST_TYPE": "POST", "PERCENTILE_SAMPLING_RATE": "10", "HOME": "/root",
        },
    )  # fmt: skip
    assert loaded.plan.base_url == "http://b.test/v2"
    assert loaded.plan.scenarios[0].steps[0].path == "/x"
    assert (loaded.plan.users, loaded.plan.duration_ms) == (9, 300_000)
    assert loaded.plan.headers == (("X-B", "file"), ("X-A", "env"))
    assert loaded.plan.model == plan.Ramp(start=1, to=50, over_ms=100_000, hold_ms=100_000, back_ms=100_000)
    assert loaded.plan.percentiles.sampling == 0.1
    assert loaded.node.tenant == "blue"
    assert loaded.notes == (
        "REQUEST_TYPE plays no part where a file says what is sent",
        "TARGET_RPS plays no part in the model ramp",
    )


def test_a_model_of_the_environment_takes_the_place_of_the_files() -> None:
    given = {"LOAD_MODEL_TYPE": "Rps", "TARGET_RPS": "5"}
    assert load_text(FILE, "shop.yaml", None, given).plan.model == plan.Constant(5)
    with pytest.raises(InputError, match="TARGET_RPS: it is missing"):
        load_text(FILE, "shop.yaml", None, {"LOAD_MODEL_TYPE": "Rps"})


def test_faults_of_the_file_stay_those_of_the_file() -> None:
    with pytest.raises(InputError, match=r"^shop.yaml:5: field scenarios\[0\].steps\[0\].request.path"):
        load_text(FILE.replace("path: /x", "path: x"), "shop.yaml", None, {"NUM_CONCURRENT_TASKS": "9"})
