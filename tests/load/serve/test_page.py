"""The page of metrics, read by promtool and by a real Prometheus."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaffinch.load.metrics.exposition import TEXT
from chaffinch.metrics.exposition import CONTENT_TYPE as OPENMETRICS
from tests.clients.wire import free_port
from tests.load.serve.running import Running, running
from tests.load.serve.target import Target, scenario, target
from tests.metrics.openmetrics import parse

STEPS = (
    "      - {name: a, request: {path: /}, assertions: [{type: statusCode, expected: 200}]}\n"
    "      - {name: 'b\"\\\\', request: {path: /missing}}\n"
)


@pytest.fixture
def site() -> Iterator[Target]:
    with target() as one:
        yield one


def under_way(site: Target, server: Running) -> None:
    server.until(lambda: "load_label_latency" in server.page)
    assert site.requests


def test_it_is_openmetrics_to_the_letter(site: Target) -> None:
    with running(scenario(site, steps=STEPS), namespace="rust_loadtest") as server:
        under_way(site, server)
        answer = server.ask("GET", "/metrics")
        assert answer.headers["content-type"] == OPENMETRICS
        families = parse(answer.body)
        assert "rust_loadtest_scenario_step_duration_seconds" in families
        latency = families["chaffinch_load_latency_seconds"]
        assert (latency.kind, latency.unit) == ("summary", "seconds")
        labels = {dict(at).get("label") for _, at in families["chaffinch_load_label_requests"].samples}
        assert labels == {"page/a", 'page/b"\\\\'}
        assert all(family.help for name, family in families.items())


def test_the_text_format_is_there_for_who_asks_for_it(site: Target) -> None:
    with running(scenario(site)) as server:
        answer = server.ask("GET", "/metrics", headers={"Accept": "text/plain;version=0.0.4"})
        assert answer.headers["content-type"] == TEXT
        assert b"# TYPE chaffinch_load_requests_total counter\n" in answer.body
        assert b"# EOF" not in answer.body
        both = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
        assert server.ask("GET", "/metrics", headers={"Accept": both}).headers["content-type"] == OPENMETRICS


@pytest.mark.clients
def test_promtool_finds_nothing_to_say_of_our_names(site: Target) -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool (Debian: prometheus) is not installed")
    with running(scenario(site, steps=STEPS)) as server:
        under_way(site, server)
        page = server.ask("GET", "/metrics", headers={"Accept": "text/plain"}).body
    done = subprocess.run([program, "check", "metrics"], input=page, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, "", "")


@pytest.mark.clients
def test_a_real_prometheus_reads_all_of_it(site: Target, tmp_path: Path) -> None:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed")
    with running(scenario(site, steps=STEPS), namespace="rust_loadtest") as server:
        under_way(site, server)
        own = {"scrape_interval": "500ms", "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}]}
        jobs = {"global": {"scrape_interval": "1s"}, "scrape_configs": [{"job_name": "load", **own}]}
        config = tmp_path / "prometheus.yml"
        config.write_text(json.dumps(jobs), encoding="utf-8")
        listen = f"127.0.0.1:{free_port()}"
        command = [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address={listen}",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                assert until_there(listen, "up{job='load'}") == 1
                assert until_there(listen, "chaffinch_load_requests_total{status='2xx'}") > 0
                labels = "chaffinch_load_label_latency_seconds{label='page/a',counted='corrected',quantile='0.99'}"
                assert 0 < until_there(listen, labels) < 10
                assert until_there(listen, "rust_loadtest_requests_total") > 0
                assert until_there(listen, "rate(chaffinch_load_requests_total{status='2xx'}[30s])") > 0
            finally:
                process.kill()


def until_there(listen: str, query: str) -> float:
    """The value, once Prometheus has one."""
    url = f"http://{listen}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    end = time.monotonic() + 20
    while True:
        found: Any = []
        try:
            with urllib.request.urlopen(url, None, 5) as answer:
                found = json.load(answer)["data"]["result"]
        except OSError:
            pass
        if found:
            return float(found[0]["value"][1])
        assert time.monotonic() < end, query
        time.sleep(0.1)
