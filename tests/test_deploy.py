"""What is shipped for Prometheus and Grafana parses, and names metrics, labels and settings that there are."""

import contextlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from chaffinch import config
from chaffinch.chat.measures import Measures
from chaffinch.config import BotSettings
from chaffinch.metrics import exposition
from chaffinch.metrics.catalogue import METRICS, PREFIX
from chaffinch.metrics.registry import Registry
from tests.chat.running import discord
from tests.chat.test_measures import everything
from tests.chat.test_run import page_after_some_talk
from tests.load.serve import target as targets
from tests.load.serve.running import running

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
RULES = sorted((DEPLOY / "prometheus").glob("*.yml"))
BOARDS = sorted((DEPLOY / "grafana").glob("*.json"))

ADDED_BY_PROMETHEUS = {"job", "instance"}
MATCHERS = re.compile(rf"\b({PREFIX}[a-z0-9_]+)\{{(.*?)\}}")


def samples() -> dict[str, set[str]]:
    """By the name of its samples, the labels that each metric has."""
    names = {}
    for metric in METRICS:
        labels = {*metric.labels, *ADDED_BY_PROMETHEUS}
        names[metric.exposed] = labels | ({"quantile"} if metric.kind == "latency" else set())
        if metric.kind == "histogram":
            names[f"{metric.exposed}_bucket"] = labels | {"le"}
        if metric.kind in ("latency", "histogram"):
            names |= {f"{metric.exposed}_sum": labels, f"{metric.exposed}_count": labels}
    return names


def rules(path: Path) -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
        yield from group["rules"]


def panels(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["panels"]
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression, and where it stands."""
    for path in RULES:
        for rule in rules(path):
            yield f"{path.name}: {rule.get('alert') or rule['record']}", rule["expr"]
    for path in BOARDS:
        for panel in panels(path):
            for target in panel["targets"]:
                yield f"{path.name}: {panel['title']}", target["expr"]


def test_there_are_rules_and_boards() -> None:
    assert RULES
    assert BOARDS


@pytest.mark.parametrize("path", [*RULES, *BOARDS], ids=lambda path: path.name)
def test_every_metric_is_in_the_catalogue(path: Path) -> None:
    recorded = {rule["record"] for rules_of in RULES for rule in rules(rules_of) if "record" in rule}
    text = path.read_text(encoding="utf-8")
    for name in recorded:
        text = text.replace(name, "")
    named = set(re.findall(rf"\b{PREFIX}[a-z0-9_]+", text))
    assert named
    assert named - samples().keys() == set()


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_is_closed_and_uses_labels_that_its_metrics_have(where: str, expression: str) -> None:
    for opening, closing in ("()", "[]", "{}"):
        assert expression.count(opening) == expression.count(closing), where
    known = samples()
    for name, matchers in MATCHERS.findall(expression):
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= known[name], where
    of_all = set().union(*(known.get(name, set()) for name in re.findall(rf"\b{PREFIX}[a-z0-9_]+", expression)))
    for grouped in re.findall(r"\b(?:by|on|without|ignoring) \((.*?)\)", expression):
        assert set(grouped.split(", ")) <= of_all | ADDED_BY_PROMETHEUS, where


def test_every_metric_and_label_value_is_shown_by_a_server_that_works(tmp_path: Path) -> None:
    page = page_of_a_server(tmp_path) + page_of_a_load_server(tmp_path / "scenario.yaml")
    page += page_of_a_bot(tmp_path / "bot") + page_of_what_went_wrong()
    labels: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for name, inside in re.findall(r"^(\w+)(?:\{(.*?)\})? ", page, re.MULTILINE):
        labels[name] |= set(re.findall(r'(\w+)="(.*?)"', inside))
    for where, expression in expressions():
        for name in re.findall(rf"(?<![\w:]){PREFIX}[a-z0-9_]+", expression):
            assert name in labels, f"{where}: {name}"
        for name, matchers in MATCHERS.findall(expression):
            for label, value in re.findall(r'(\w+)="([^$]*?)"', matchers):
                assert (label, value) in labels[name], where


def page_of_a_server(state: Path) -> str:
    """What Prometheus reads after a tenant was asked for everything once, and too many connections were made."""
    config = state / "config.toml"
    config.write_text("[chain]\nslow_ms = 0.001\n[chain.serve]\nport = 0\nconnections = 2\n", encoding="utf-8")
    command = [sys.executable, "-m", "chaffinch", "chain", "serve", "--state", str(state), "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            port = port_of(process)
            token = (state / "chain-token").read_text(encoding="ascii").strip()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)  # one for all: two are let in

            def ask(method: str, path: str, body: str | None = None, kind: str = "application/json") -> str:
                connection.request(method, path, body, {"Authorization": f"Bearer {token}", "Content-Type": kind})
                answer = connection.getresponse()
                text = answer.read().decode()
                assert answer.status == 200, text
                return text

            learned = '{"text": "some words to say", "author": "ann"}\n{"text": "other words to say"}\n'
            ask("POST", "/v1/chains/room/messages", learned, "application/x-ndjson")
            ask("POST", "/v1/chains/room/generate", '{"novel": false}')
            ask("DELETE", "/v1/chains/room/messages?author=ann")
            ask("POST", "/v1/chains/room/merge")
            with contextlib.closing(connection), contextlib.ExitStack() as opened:
                crowd = [opened.enter_context(socket.create_connection(("127.0.0.1", port), 10)) for _ in range(3)]
                with contextlib.suppress(ConnectionResetError):
                    crowd[-1].recv(1024)  # until it is told, or closed
                return ask("GET", "/metrics")
        finally:
            process.kill()


def page_of_a_load_server(file: Path) -> str:
    """The same of a control API while a test runs."""
    with targets.target() as site:
        file.write_text(targets.scenario(site), encoding="utf-8")
        with running(file.read_text(encoding="utf-8"), file=file) as server:
            server.until(lambda: "load_label_latency" in server.page)
            return server.page


def page_of_a_bot(state: Path) -> str:
    """The same of a Discord bot that trained, talked, learned and forgot."""
    with discord("--small") as fake:
        return page_after_some_talk(fake, state)


def page_of_what_went_wrong() -> str:
    """What a bot shows of faults that it does not have here, and of all else that it counts."""
    registry = Registry()
    measures = Measures(registry, BotSettings())
    everything(measures)
    measures.command("train", "failed")
    return exposition.render(registry.snapshot()).decode()


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if found := re.search(r"serving chains on http://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError(said)


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    alerts = [rule for path in RULES for rule in rules(path) if "alert" in rule]
    assert len({alert["alert"] for alert in alerts}) == len(alerts)
    for alert in alerts:
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert alert["annotations"].keys() == {"summary", "description"}
        assert all(text.endswith(".") for text in alert["annotations"].values())


@pytest.mark.parametrize("path", [*RULES, *BOARDS], ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    known = {f"{setting.section}.{setting.key}" for setting in config.settings()}
    assert set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", path.read_text(encoding="utf-8"))) <= known


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.name)
def test_a_board_has_its_panels_beside_each_other(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(path):
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + right, place["y"] + down) for right in range(place["w"]) for down in range(place["h"])}
        assert not taken & cells, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels(path)}) == len(panels(path))


STEADY: dict[str, str] = {
    "chain_cache_hits_total": "0+600x60",
    "chain_cache_misses_total": "0+60x60",
    'chain_cache_evictions_total{cause="room"}': "0+60x60",
    "chain_queue_refused_total": "0x60",
    "chain_wait_seconds_sum": "0+1x60",
    "chain_wait_seconds_count": "0+600x60",
    'chain_generation_seconds_sum{configuration="default"}': "0+1x60",
    'chain_generation_seconds_count{configuration="default"}': "0+600x60",
    "chain_merge_failed_total": "0x60",
    'chain_http_requests_total{path="generate",status="200"}': "0+600x60",
    'chain_http_requests_total{path="generate",status="500"}': "0x60",
    'chain_http_connections_refused_total{reason="connections"}': "0x60",
    'load_info{node="one",region="default",version="1"}': "1x60",
    'load_requests_total{status="2xx"}': "0+60000x60",
    'load_errors_total{error="status"}': "0+60x60",
    "load_asked_total": "0+60000x60",
    "load_iterations_total": "0+60000x60",
    "load_saturated": "0x60",
    "load_folded_requests_total": "0x60",
    "load_folded_records_total": "0x60",
    "load_histograms_error_ratio": "0.00390625x60",
    "bot_connected": "1x60",
    "bot_gateway_latency_seconds": "0.04x60",
    'bot_reply_seconds_sum{guild="7"}': "0+6x60",
    'bot_reply_seconds_count{guild="7"}': "0+60x60",
    'bot_events_failed_total{event="told"}': "0x60",
    'bot_commands_total{command="mark",outcome="done"}': "0+60x60",
    'bot_commands_total{command="mark",outcome="failed"}': "0x60",
    "bot_changes_waiting": "0x60",
    'bot_changes_lost_total{guild="7"}': "0x60",
    "bot_forgettings_due": "0x60",
    "memory_guard_state": "0x60",
    "memory_guard_exhausted": "0x60",
    "memory_guard_unread_total": "0x60",
    'load_reloads_total{outcome="refused"}': "0x60",
    'load_runs_total{outcome="failed"}': "0x60",
    'load_runs_total{outcome="memory"}': "0x60",
}
"""A value a minute for an hour, of chains on which nothing is wrong, and a load test."""

TROUBLE = {
    "ChaffinchChainCacheThrashing": {
        "chain_cache_misses_total": "0+400x60",
        'chain_cache_evictions_total{cause="room"}': "0+400x60",
    },
    "ChaffinchChainQueueFull": {"chain_queue_refused_total": "0+1x60"},
    "ChaffinchChainQueueSlow": {"chain_wait_seconds_sum": "0+90x60"},
    "ChaffinchChainGenerationSlow": {'chain_generation_seconds_sum{configuration="default"}': "0+45x60"},
    "ChaffinchChainMergeFailing": {"chain_merge_failed_total": "0x30 1x30"},
    "ChaffinchChainRequestsFail": {'chain_http_requests_total{path="generate",status="500"}': "0+60x60"},
    "ChaffinchChainConnectionsRefused": {'chain_http_connections_refused_total{reason="connections"}': "0+6x60"},
    "ChaffinchBotDisconnected": {"bot_connected": "0x60"},
    "ChaffinchBotGatewaySlow": {"bot_gateway_latency_seconds": "3x60"},
    "ChaffinchBotAnswersSlow": {'bot_reply_seconds_sum{guild="7"}': "0+180x60"},
    "ChaffinchBotEventsFail": {'bot_events_failed_total{event="told"}': "0+6x60"},
    "ChaffinchBotCommandsFail": {'bot_commands_total{command="mark",outcome="failed"}': "0+60x60"},
    "ChaffinchBotChangesWait": {"bot_changes_waiting": "3x60"},
    "ChaffinchBotChangesLost": {'bot_changes_lost_total{guild="7"}': "0+6x60"},
    "ChaffinchBotForgettingOverdue": {"bot_forgettings_due": "2x60"},
    "ChaffinchLoadRequestsFail": {'load_errors_total{error="status"}': "0+6000x60"},
    "ChaffinchLoadGeneratorIsTheLimit": {"load_saturated": "1x60"},
    "ChaffinchLoadIsBehindItsSchedule": {"load_iterations_total": "0+50000x60"},
    "ChaffinchLoadMemoryWarning": {"memory_guard_state": "1x60"},
    "ChaffinchLoadMemoryCritical": {"memory_guard_exhausted": "1x60"},
    "ChaffinchLoadMemoryUnwatched": {"memory_guard_unread_total": "0+1x60"},
    "ChaffinchLoadLabelsFold": {"load_folded_requests_total": "0+6x60"},
    "ChaffinchLoadLabelsLoseDetail": {"load_histograms_error_ratio": "0.0078125x60"},
    "ChaffinchLoadScenarioRefused": {'load_reloads_total{outcome="refused"}': "0x30 1x30"},
    "ChaffinchLoadRunFailed": {'load_runs_total{outcome="memory"}': "0x30 1x30"},
}
"""By the name of the alert, what is different then."""


def series(values: dict[str, str]) -> list[dict[str, str]]:
    """As promtool reads them, of two processes: the second one is always steady."""
    made = []
    for instance, those in (("one", values), ("two", STEADY)):
        for name, value in those.items():
            bare, _, labels = name.rstrip("}").partition("{")
            inside = ",".join(filter(None, (labels, f'job="chain",instance="{instance}"')))
            made.append({"series": f"{PREFIX}{bare}{{{inside}}}", "values": value})
    return made


def fired(alert: str, times: int) -> dict[str, Any]:
    """That at minute 50 the alert is given so often, each time for the first process."""
    expression = f'count by (instance) (ALERTS{{alertname="{alert}",alertstate="firing"}})'
    samples = [{"labels": '{instance="one"}', "value": times}] if times else []
    return {"expr": expression, "eval_time": "50m", "exp_samples": samples}


def promtool(*arguments: str | Path) -> str:
    """What promtool says; the test is skipped with a reason where it is not installed."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool (Debian: prometheus) is not installed")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_trouble_is_given_for_every_alert() -> None:
    assert TROUBLE.keys() == {rule["alert"] for path in RULES for rule in rules(path) if "alert" in rule}
    assert all(changed.keys() <= STEADY.keys() for changed in TROUBLE.values())


@pytest.mark.clients
@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_promtool_reads_the_rules(path: Path) -> None:
    assert f"{len(list(rules(path)))} rules found" in promtool("check", "rules", path)


@pytest.mark.clients
def test_each_alert_is_given_in_its_trouble_and_in_no_other(tmp_path: Path) -> None:
    cases = [
        {
            "interval": "1m",
            "input_series": series(STEADY | changed),
            "promql_expr_test": [fired(alert, int(alert == trouble)) for alert in TROUBLE],
        }
        for trouble, changed in {"none": {}, **TROUBLE}.items()
    ]
    file = tmp_path / "cases.yml"
    file.write_text(
        json.dumps({"rule_files": [str(path) for path in RULES], "evaluation_interval": "1m", "tests": cases}),
        encoding="utf-8",
    )
    promtool("test", "rules", file)
