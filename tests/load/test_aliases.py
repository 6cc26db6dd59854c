"""The names that dashboards of the tool that users come from query: each on the page of a real run, with its labels."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.load.loaded import Node
from tests.load.serve.running import Running, running, values
from tests.load.serve.target import Target, scenario, target
from tests.metrics.openmetrics import parse

DOCS = Path(__file__).parents[2] / "docs"

STEP = ("scenario", "step")
NAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "requests_total": ("counter", ()),
    "requests_status_codes_total": ("counter", ("status_code",)),
    "concurrent_requests": ("gauge", ()),
    "request_duration_seconds": ("histogram", ()),
    "request_errors_by_category": ("unknown", ("category",)),
    "scenario_executions_total": ("counter", ("scenario", "status")),
    "scenario_duration_seconds": ("summary", ()),
    "scenario_steps_total": ("counter", (*STEP, "status")),
    "scenario_step_duration_seconds": ("summary", STEP),
    "scenario_step_status_codes_total": ("counter", (*STEP, "status_code")),
    "scenario_assertions_total": ("counter", (*STEP, "result")),
    "scenario_requests_total": ("counter", ("scenario",)),
    "scenario_throughput_rps": ("gauge", ("scenario",)),
    "concurrent_scenarios": ("gauge", ()),
    "connection_pool_max_idle_per_host": ("gauge", ()),
    "connection_pool_idle_timeout_seconds": ("gauge", ()),
    "connection_pool_requests_total": ("counter", ()),
    "connection_pool_likely_reused_total": ("counter", ()),
    "connection_pool_likely_new_total": ("counter", ()),
    "connection_pool_reuse_rate_percent": ("gauge", ()),
    "process_memory_rss_bytes": ("gauge", ()),
    "process_memory_virtual_bytes": ("gauge", ()),
    "histogram_count": ("gauge", ()),
    "histogram_memory_estimate_bytes": ("gauge", ()),
    "percentile_tracking_active": ("gauge", ()),
    "percentile_sampling_rate_percent": ("gauge", ()),
    "memory_warning_threshold_exceeded_total": ("counter", ()),
    "memory_critical_threshold_exceeded_total": ("counter", ()),
    "histogram_labels_evicted_total": ("counter", ()),
    "workers_configured_total": ("gauge", ()),
    "cluster_node_info": ("gauge", ("node_id", "region", "tenant")),
}
"""As the samples are called; a histogram's and a summary's without `_bucket`, `_count` and `_sum`."""

CATEGORIES = {"client", "server", "network", "timeout", "tls", "other"}

STEPS = (
    "      - {name: a, request: {path: /}, assertions: [{type: statusCode, expected: 200}]}\n"
    "      - {name: b, label: shared, request: {path: /missing}}\n"
)
MORE = (
    "metadata: {tenant: web}\npercentiles: {sampling: 50%}\n"
    "config: {baseUrl: URL, workers: 3, duration: 60s, pool: {maxIdlePerHost: 7, idleTimeoutSecs: 11}}\n"
    "load: {model: rps, target: 100}\n"
)


@pytest.fixture
def site() -> Iterator[Target]:
    with target() as one:
        yield one


def text_of(site: Target, steps: str) -> str:
    own = f"scenarios:\n  - name: page\n    steps:\n{steps}"
    return f'version: "1.0"\n{MORE.replace("URL", site.url)}{own}'


def page_of(server: Running) -> str:
    """The page, once something of everything was answered."""
    server.until(lambda: values(server.page, "other_scenario_steps_total"))
    server.until(lambda: values(server.page, "other_requests_total")[""] > 20)
    return server.page


def test_every_name_is_there_with_its_type_and_labels(site: Target) -> None:
    with running(text_of(site, STEPS), namespace="other", node=Node("n1", "east")) as server:
        families = parse(page_of(server).encode())
    found = {}
    for name, family in families.items():
        if name.startswith("other_"):
            suffix = "_total" if family.kind == "counter" else ""
            own = {label for _, at in family.samples for label, _ in at} - {"le", "quantile"}
            assert all({label for label, _ in at} - {"le", "quantile"} == own for _, at in family.samples), name
            found[name.removeprefix("other_") + suffix] = (family.kind, own)
            assert family.help
    assert found == {name: (kind, set(labels)) for name, (kind, labels) in NAMES.items()}


def test_a_scenario_of_one_step_has_the_same_names(site: Target) -> None:
    with running(scenario(site, rate=100), namespace="other") as server:
        families = parse(page_of(server).encode())
    there = {name.removeprefix("other_") for name in families if name.startswith("other_")}
    assert {name.removesuffix("_total") for name in NAMES} - there - {"workers_configured"} == {"scenario_assertions"}
    assert families["other_scenario_duration_seconds"].samples[("_count", ())] > 0


def test_each_has_its_unit(site: Target) -> None:
    with running(text_of(site, STEPS), namespace="other", node=Node("n1", "east")) as server:
        page = page_of(server)
        server.ask("POST", "/stop")
        ended = server.page

    def one(name: str, at: str = "") -> float:
        return values(page, f"other_{name}")[at]

    assert one("connection_pool_max_idle_per_host") == 7
    assert one("connection_pool_idle_timeout_seconds") == 11
    assert one("workers_configured_total") == 3
    assert one("percentile_tracking_active") == 1
    assert one("percentile_sampling_rate_percent") == 50
    assert 0 < one("connection_pool_reuse_rate_percent") < 100
    assert one("process_memory_virtual_bytes") > one("process_memory_rss_bytes") > 10 << 20
    assert one("histogram_memory_estimate_bytes") > 10_000
    assert one("histogram_count") >= 3
    assert values(page, "other_cluster_node_info") == {'node_id="n1",region="east",tenant="web"': 1}
    for name in ("request_duration_seconds", "scenario_duration_seconds"):
        assert 0 < one(f"{name}_sum") / one(f"{name}_count") < 5
    assert 0 < one("scenario_step_duration_seconds", 'scenario="page",step="a",quantile="0.99"') < 5
    assert 50 < sum(values(page, "other_scenario_throughput_rps").values()) < 250
    # What is counted adds up, by whatever it is told apart.
    assert set(values(ended, "other_request_errors_by_category")) == {f'category="{one}"' for one in CATEGORIES}
    codes = values(ended, "other_requests_status_codes_total")
    assert sum(codes.values()) == values(ended, "other_requests_total")[""]
    assert codes['status_code="404"'] == values(ended, "other_request_errors_by_category")['category="client"']
    assert values(page, "other_scenario_step_status_codes_total").keys() == {
        'scenario="page",step="a",status_code="200"', 'scenario="shared",step="shared",status_code="404"',
    }  # fmt: skip
    assert {at.rpartition(",")[0] for at in values(page, "other_scenario_steps_total")} == {
        'scenario="page",step="a"', 'scenario="shared",step="shared"',
    }  # fmt: skip


def test_the_older_format_has_the_same_names(site: Target) -> None:
    with running(text_of(site, STEPS), namespace="other") as server:
        page_of(server)
        page = server.ask("GET", "/metrics", headers={"Accept": "text/plain"}).body.decode()
    types = dict(re.findall(r"^# TYPE other_(\S+) (\S+)$", page, re.MULTILINE))
    assert types == {name: kind.replace("unknown", "untyped") for name, (kind, _) in NAMES.items()}


def test_the_guide_has_each_name_with_its_labels() -> None:
    guide = (DOCS / "load-serve.md").read_text(encoding="utf-8")
    for name, (kind, labels) in NAMES.items():
        shown = ", ".join(f"`{label}`" for label in labels)
        assert f"| `{name}` | {kind} | {shown} |" in guide, name
