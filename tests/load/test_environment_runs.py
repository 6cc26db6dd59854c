"""`--from-env` as a run: what each variable does to what is sent, counted and shown."""

import shutil
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.load import Result, Runner, from_environment, load_text
from chaffinch.load.serve import serve as serving_module
from tests.load.recording import Recording, Reply, Sent, recording
from tests.load.serve.running import running, values

FILE = """\
version: "1.0"
config: {baseUrl: "http://nobody.test", workers: 1, duration: 1h}
percentiles: {labels: 1000, intervals: 1000}
scenarios: [{name: s, steps: [{label: "${random}", request: {path: "/p/${iteration}"}}]}]
"""


@pytest.fixture
def site() -> Iterator[Recording]:
    with recording() as one:
        yield one


def ran(url: str, **variables: str) -> Result:
    return Runner(from_environment({"TARGET_URL": url, "TEST_DURATION": "300ms"} | variables)).run()


def over_a_file(site: Recording, **variables: str) -> Result:
    given = {"TARGET_URL": site.url, "TEST_DURATION": "500ms"} | variables
    return Runner(load_text(FILE, "page.yaml", Path(), given)).run()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_the_request_is_the_one_that_was_asked_for(site: Recording, method: str) -> None:
    result = ran(f"{site.url}/a?b=$c&d=%20", REQUEST_TYPE=method, NUM_CONCURRENT_TASKS="1")
    assert result.requests == len(site.sent) > 0
    assert {(one.method, one.target, one.body) for one in site.sent} == {(method, "/a?b=$c&d=%20", "")}


def test_a_json_body_is_sent_as_it_is_if_it_is_asked_for(site: Recording) -> None:
    payload = '{"user": "$id", "n": [1, 2.50]}'
    ran(site.url, REQUEST_TYPE="POST", SEND_JSON="true", JSON_PAYLOAD=payload)
    assert {one.body for one in site.sent} == {payload}
    assert site.sent[0].header("Content-Type") == ["application/json"]
    site.sent.clear()
    ran(site.url, REQUEST_TYPE="POST", JSON_PAYLOAD=payload)
    assert {one.body for one in site.sent} == {""}


def test_headers_have_their_commas_and_are_sent_with_each_request(site: Recording) -> None:
    ran(site.url, CUSTOM_HEADERS=r"Accept:text/html\,text/plain, X-A: b:c ,Host:shop.test")
    for one in site.sent:
        assert one.header("Accept") == ["text/html,text/plain"]
        assert one.header("X-A") == ["b:c"]
        assert one.header("Host") == ["shop.test"]


def test_so_many_workers_and_so_long(site: Recording) -> None:
    site.reply = lambda _: Reply(wait_s=0.05)
    result = ran(site.url, NUM_CONCURRENT_TASKS="7", TEST_DURATION="1s")
    assert site.connections == 7
    assert 60 < result.requests <= 147
    assert 0.9 < result.duration_s < 1.3


def shares(site: Recording, parts: int, seconds: float) -> list[int]:
    """How many requests came in each part of the run."""
    begun = site.sent[0].at
    found = Counter(min(parts - 1, int((one.at - begun) / seconds * parts)) for one in site.sent)
    return [found[part] for part in range(parts)]


def test_a_rate_is_kept_that_no_whole_milliseconds_make(site: Recording) -> None:
    """The tool that users come from sends 10,000/s with 10 workers at 7,000/s: here a rate of 700, with cycles of
    14.3 ms.
    """
    result = ran(site.url, LOAD_MODEL_TYPE="Rps", TARGET_RPS="700", TEST_DURATION="1s")
    assert (result.asked, result.requests + result.unsent) == (700, 700)


def test_a_ramp_goes_up_stays_goes_down_and_stays_low(site: Recording) -> None:
    given = {"MIN_RPS": "0", "MAX_RPS": "200", "RAMP_DURATION": "1500ms", "TEST_DURATION": "2s"}
    result = ran(site.url, LOAD_MODEL_TYPE="RampRps", **given)
    up, high, down, low = shares(site, 4, 2.0)
    assert result.asked == 200  # 50 on the way up, 100 at the top, 50 on the way down
    assert low <= 10 < min(up, down) <= max(up, down) < high


def test_a_day_has_its_night_its_peak_and_its_afternoon(site: Recording) -> None:
    given = {
        "DAILY_MIN_RPS": "0", "DAILY_MID_RPS": "100", "DAILY_MAX_RPS": "400", "DAILY_CYCLE_DURATION": "2s",
        "MORNING_RAMP_RATIO": "0", "PEAK_SUSTAIN_RATIO": "0.25", "MID_DECLINE_RATIO": "0", "MID_SUSTAIN_RATIO": "0.5",
        "EVENING_DECLINE_RATIO": "0", "TEST_DURATION": "2s",
    }  # fmt: skip
    result = ran(site.url, LOAD_MODEL_TYPE="DailyTraffic", **given)
    assert result.asked == pytest.approx(200 + 100, abs=2)
    peak, first, second, night = shares(site, 4, 2.0)
    assert peak > 2 * first > 50
    assert second > 25
    assert night < 20


def test_a_rate_of_0_sends_nothing_and_ends_in_time(site: Recording) -> None:
    """The tool that users come from sleeps for an hour."""
    result = ran(site.url, LOAD_MODEL_TYPE="Rps", TARGET_RPS="0", TEST_DURATION="300ms")
    assert (result.requests, result.asked, site.sent) == (0, 0, [])
    assert result.duration_s < 1


def test_a_name_is_looked_up_where_it_is_told_to(site: Recording) -> None:
    entries = f"shop.test:127.0.0.1:{site.port},other.test:[::1]:1"
    result = ran("http://shop.test/", RESOLVE_TARGET_ADDR=entries)
    assert result.failed == 0 < result.requests
    assert {tuple(one.header("Host")) for one in site.sent} == {("shop.test",)}


def test_idle_connections_are_kept_as_long_and_as_many_as_is_said(site: Recording) -> None:
    slow = {"LOAD_MODEL_TYPE": "Rps", "TARGET_RPS": "8", "NUM_CONCURRENT_TASKS": "1", "TEST_DURATION": "1s"}
    ran(site.url, **slow)
    assert site.connections == 1
    ran(site.url, POOL_MAX_IDLE_PER_HOST="0", **slow)
    assert site.connections == 1 + 8
    slow |= {"TARGET_RPS": "40/m", "TEST_DURATION": "4s"}  # one in 1.5 s
    ran(site.url, POOL_IDLE_TIMEOUT_SECS="1", **slow)
    assert site.connections > 1 + 8 + 1


@pytest.mark.parametrize("nodelay", ["true", "false"])
def test_without_nodelay_requests_are_sent_as_well(site: Recording, nodelay: str) -> None:
    assert ran(site.url, TCP_NODELAY=nodelay).requests > 0


def test_an_answer_is_waited_for_as_long_as_is_said(site: Recording) -> None:
    site.reply = lambda _: Reply(0)
    result = ran(site.url, REQUEST_TIMEOUT_SECS="1", NUM_CONCURRENT_TASKS="3")
    assert result.errors == {"timeout": 3}
    assert result.latency_ms.corrected is not None
    assert result.latency_ms.corrected.max is not None
    assert 990 < result.latency_ms.corrected.max < 1900


def test_percentiles_go_off_and_are_sampled(site: Recording) -> None:
    off = ran(site.url, PERCENTILE_TRACKING_ENABLED="false")
    assert not off.histograms.percentiles
    assert off.labels["url/GET /"].latency_ms.corrected is None
    few = ran(site.url, PERCENTILE_SAMPLING_RATE="10", TEST_DURATION="1s")
    recorded = few.labels["url/GET /"].latency_ms.corrected
    assert recorded is not None
    assert 0 < recorded.count < 0.3 * few.requests
    assert few.latency_ms.corrected is not None
    assert few.latency_ms.corrected.count == few.requests  # the sums of a run are never sampled


def test_labels_are_bounded_and_what_is_over_is_counted(site: Recording) -> None:
    result = over_a_file(site, MAX_HISTOGRAM_LABELS="5")
    assert len(result.labels) <= 6
    assert result.folded.labels > 0
    assert sum(one.requests for one in result.labels.values()) == result.requests


def test_intervals_are_as_long_as_is_said(site: Recording) -> None:
    result = over_a_file(site, HISTOGRAM_ROTATION_INTERVAL="100ms")
    assert [round(one.seconds, 1) for one in result.intervals[:4]] == [0.1] * 4
    assert len(over_a_file(site, HISTOGRAM_ROTATION_INTERVAL="off").intervals) == 1


def test_the_guard_acts_where_is_said(site: Recording) -> None:
    """Of this machine's memory a run holds more than a hundredth of a percent, and less than the default."""
    low = {"MEMORY_WARNING_THRESHOLD_PERCENT": "0.01", "MEMORY_CRITICAL_THRESHOLD_PERCENT": "99"}
    assert over_a_file(site, TEST_DURATION="2s", **low).memory.guard
    assert over_a_file(site, TEST_DURATION="1s").memory.guard == ()


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """A server's and a client's certificate, each signed by itself, in a directory."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    for name in ("server", "client"):
        made = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        files = ["-keyout", f"{tmp_path}/{name}.key", "-out", f"{tmp_path}/{name}.pem", "-days", "2"]
        subprocess.run([*made, *files, "-subj", f"/CN={name}"], check=True, capture_output=True, timeout=30)
    return tmp_path


def context(papers: Path, *, asks: bool = False) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(papers / "server.pem", papers / "server.key")
    if asks:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(papers / "client.pem")
    return made


def test_a_certificate_is_verified_unless_it_is_said_otherwise(papers: Path) -> None:
    with recording(tls=context(papers)) as site:
        refused = ran(site.url)
        assert set(refused.errors) == {"tls"}
        assert site.sent == []
        taken = ran(site.url, SKIP_TLS_VERIFY="true")
        assert taken.failed == 0 < taken.requests == len(site.sent)


def test_a_client_shows_its_certificate(papers: Path) -> None:
    own = {"CLIENT_CERT_PATH": str(papers / "client.pem"), "CLIENT_KEY_PATH": str(papers / "client.key")}
    with recording(tls=context(papers, asks=True)) as site:
        assert ran(site.url, SKIP_TLS_VERIFY="true").passed == 0
        shown = ran(site.url, SKIP_TLS_VERIFY="true", **own)
        assert shown.failed == 0 < shown.requests
        # The tool that users come from drops it, with headers and pool settings, where a file has scenarios.
        given = {"SKIP_TLS_VERIFY": "true", "CUSTOM_HEADERS": "X-A:b", "POOL_MAX_IDLE_PER_HOST": "3", **own}
        over = over_a_file(site, **given)
        assert over.failed == 0 < over.requests
        assert site.sent[-1].header("X-A") == ["b"]
        assert site.sent[-1].target.startswith("/p/")


def test_what_is_of_the_control_api_is_on_its_pages(site: Recording) -> None:
    given = {
        "TARGET_URL": site.url, "CLUSTER_NODE_ID": "gen-1", "CLUSTER_REGION": "west", "TENANT": "web",
        "METRIC_NAMESPACE": "mine", "CLUSTER_HEALTH_ADDR": "127.0.0.1:0", "API_AUTH_TOKEN": "sesame",
        "HEALTH_AUTH_ENABLED": "true", "LOG_FORMAT": "json", "NUM_CONCURRENT_TASKS": "2",
    }  # fmt: skip
    own = serving_module.serving_from(given)
    assert own.log_format == "json"
    with running(control=own.control, node=own.node, namespace=own.namespace) as server:
        for path in ("/health", "/ready", "/metrics"):
            assert server.ask("GET", path, token="").status == 401
        health = server.health
        assert (health["node"], health["region"], health["tenant"]) == ("gen-1", "west", "web")
        info = values(server.page, "mine_cluster_node_info")
        assert info == {'node_id="gen-1",region="west",tenant="web"': 1}
        assert server.port != 0


def test_a_step_that_is_sent_to_nobody_has_no_class_of_its_own(site: Recording) -> None:
    """The tool that users come from records no classes of errors for scenarios."""
    site.reply = lambda one: Reply(503 if one.target.endswith("1") else 200)
    result = over_a_file(site, NUM_CONCURRENT_TASKS="1")
    assert set(result.errors) == {"status"}
    assert result.statuses["503"] == result.failed > 0


def test_what_came_is_what_was_counted(site: Recording) -> None:
    def reply(one: Sent) -> Reply:
        return Reply(404 if one.header("X-A") else 200)

    site.reply = reply
    assert ran(site.url).passed == len(site.sent)
    assert ran(site.url, CUSTOM_HEADERS="X-A:b").statuses.keys() == {"404"}
