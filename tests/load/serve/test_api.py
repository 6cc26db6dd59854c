"""The control API as programs use it: what runs when, who may, what is refused."""

import contextlib
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from chaffinch.errors import InputError
from chaffinch.http.limits import Bounds
from chaffinch.load.loaded import Control, Node
from chaffinch.load.serve.serve import bound
from chaffinch.metrics import memory
from tests.load.serve.running import running, values
from tests.load.serve.target import Target, scenario, target


@pytest.fixture
def site() -> Iterator[Target]:
    with target() as one:
        yield one


def test_a_test_goes_from_its_configuration_to_its_result(site: Target) -> None:
    with running() as server:
        assert server.ask("GET", "/ready").json == {"ready": True}
        health = server.health
        assert (health["state"], health["node"], health["region"]) == ("idle", "here", "west")
        assert server.ask("GET", "/result").status == 404
        assert server.ask("POST", "/start").status == 409
        site.wait = 0.02
        text = scenario(site, requests=30, more="metadata: {name: Shop, tenant: web}\n")
        assert server.ask("POST", "/config", text).json == {"run": "1", "state": "running"}
        health = server.health
        assert (health["state"], health["run"], health["tenant"], health["workers"]) == ("running", "1", "web", 1)
        assert health["asked_rate"] is health["time_left_s"] is None
        server.until_state("ready")
        result = server.ask("GET", "/result").json
        assert result["complete"]
        assert result["run"]["name"] == "Shop"
        assert result["requests"] == 30 == site.requests
        assert server.ask("POST", "/start").json == {"run": "2", "state": "running"}
        server.until_state("ready")
        assert site.requests == 60


def test_a_broken_scenario_is_refused_whole_and_what_runs_goes_on(site: Target) -> None:
    with running(scenario(site)) as server:
        for text, told in (
            (scenario(site).replace("duration", "durration"), "durration"),
            (scenario(site, rate=-1), "the request:3: field load.target"),
            (scenario(site, steps="      - {name: a, request: {path: '/${nobody}'}}\n"), "nobody"),
            (scenario(site, more="scenarios: []\n"), "scenarios"),
            ("version: '7'\n", "version"),
            ("[1, 2", "not YAML"),
            ("", "empty"),
        ):
            answer = server.ask("POST", "/config", text)
            assert answer.status == 400, answer
            assert told in answer.json["detail"]
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json.keys() == {"title", "status", "code", "detail", "type"}
        assert server.ask("POST", "/config", b"\xff\xfe").json["detail"] == "the body is not UTF-8 (byte 0)"
        assert server.health["run"] == "1"
        before = site.requests
        server.until(lambda: site.requests > before)


def test_a_scenario_that_came_over_the_network_reads_no_files(site: Target) -> None:
    with running() as server:
        data = scenario(site).replace("name: page", "name: page\n    dataFile: {path: /etc/passwd, format: csv}")
        for text in (
            data,
            scenario(site).replace("{model: rps, target: 50}", "{model: replay, path: /etc/passwd, interval: 1s}"),
        ):
            answer = server.ask("POST", "/config", text)
            assert answer.status == 400
            assert "no file can be named here" in answer.json["detail"]
            assert "root" not in answer.json["detail"]


def test_another_scenario_takes_over_when_the_answers_of_the_first_have_come(site: Target) -> None:
    site.wait = 0.5
    with running(scenario(site, rate=20)) as server:
        server.until(lambda: site.requests > 3)
        began = time.monotonic()
        assert server.ask("POST", "/config", scenario(site, duration="200ms")).json["run"] == "2"
        assert time.monotonic() - began < 4.5
        first = server.ask("GET", "/result").json
        assert not first["complete"]
        assert first["unanswered"] == first["failed"] == 0
        server.until_state("ready")
        second = server.ask("GET", "/result").json
        assert second["requests"] + second["unsent"] == 10


def test_a_test_of_another_client_is_replaced_and_both_sides_are_told(
    site: Target, caplog: pytest.LogCaptureFixture
) -> None:
    """As in the tool that users come from: whoever sends a scenario replaces what runs. Here that is said."""
    caplog.set_level(logging.INFO)
    with running(scenario(site, more="metadata: {tenant: web, run_id: first}\n")) as server:
        answer = server.ask("POST", "/config", scenario(site, more="metadata: {tenant: mail}\n"))
        assert answer.json == {"run": "2", "state": "running", "replaced": {"run": "first", "tenant": "web"}}
        assert "load.replaced run=first tenant=web by=2 by_tenant=mail" in caplog.messages
        server.until(lambda: any("load.ended run=first outcome=stopped" in said for said in caplog.messages))
        assert not server.ask("GET", "/result").json["complete"]
        assert server.health["tenant"] == "mail"
        # A start replaces nothing, and what is refused neither.
        answer = server.ask("POST", "/start")
        assert (answer.status, "the test 2 runs already" in answer.json["detail"]) == (409, True)
        assert server.ask("POST", "/config", "version: '7'").status == 400
        assert server.health["run"] == "2"
        server.ask("POST", "/stop")
        assert "replaced" not in server.ask("POST", "/config", scenario(site)).json
        assert len([said for said in caplog.messages if said.startswith("load.replaced")]) == 1


def test_answers_that_do_not_come_are_given_up_after_five_seconds(site: Target) -> None:
    site.wait = 60
    with running(scenario(site, rate=20)) as server:
        server.until(lambda: site.requests == 4)
        began = time.monotonic()
        assert server.ask("POST", "/stop").json == {"stopped": True, "state": "ready"}
        assert 4 < time.monotonic() - began < 15
        assert server.ask("GET", "/result").json["unanswered"] == 4


def test_a_test_of_another_tenant_is_not_stopped(site: Target) -> None:
    with running(scenario(site, more="metadata: {tenant: web}\n")) as server:
        answer = server.ask("POST", "/stop", json.dumps({"tenant": "mail"}))
        assert (answer.status, answer.json["code"]) == (409, "conflict")
        assert "'web'" in answer.json["detail"]
        assert server.health["state"] == "running"
        for bad in ("[]", '{"tenant": 5}', '{"who": "web"}', "{", '"web"', "[" * 20000):
            assert server.ask("POST", "/stop", bad).status == 400
        assert server.ask("POST", "/stop", json.dumps({"tenant": "web"})).json["stopped"]
        assert server.ask("POST", "/stop", "").json == {"stopped": False, "state": "ready"}


def test_a_stop_that_comes_while_a_test_waits_for_the_one_before_wins(site: Target) -> None:
    site.wait = 1.5
    with running(scenario(site)) as server:
        server.until(lambda: site.requests > 1)
        answers = []
        asking = threading.Thread(target=lambda: answers.append(server.ask("POST", "/config", scenario(site))))
        asking.start()
        server.until(lambda: server.health["draining"])
        assert server.ask("POST", "/stop").json["stopped"]
        asking.join()
        assert answers[0].status == 409
        assert "a stop came" in answers[0].json["detail"]
        assert server.health["state"] == "ready"


def test_the_load_changes_live(site: Target) -> None:
    with running(scenario(site, rate=10)) as server:
        server.until(lambda: site.requests > 1)
        changed = server.ask("POST", "/load", json.dumps({"rate": 400, "users": 9})).json
        assert changed == {"run": "1", "model": {"kind": "constant", "rate": 400.0}, "users": 9}
        before, began = site.requests, time.monotonic()
        time.sleep(1)
        assert site.requests - before == pytest.approx(400 * (time.monotonic() - began), rel=0.4)
        assert server.health["workers"] == 9
        assert 20 < server.health["time_left_s"] < 30
        assert server.health["asked_rate"] == 400
        ramp = "load: {model: ramp, min: 5, max: 20, rampDuration: 3s}\n"
        assert server.ask("POST", "/load", ramp).json["model"]["kind"] == "ramp"
        assert server.health["asked_rate"] is None
        assert server.ask("POST", "/load", "{load: {model: concurrent}, workers: 2}").json["model"] == {
            "kind": "closed"
        }
        assert server.health["run"] == "1"
        asked = values(server.page, "chaffinch_load_asked_total")[""]
        time.sleep(0.3)
        assert values(server.page, "chaffinch_load_asked_total")[""] >= asked
        server.ask("POST", "/stop")
        notes = server.ask("GET", "/result").json["notes"]
        assert len([note for note in notes if "the load was changed" in note]) == 3


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{}", "nothing is to be changed"),
        ("{rate: 5, load: {model: concurrent}}", "give one of them"),
        ("{rate: -5}", "rate"),
        ("{workers: 0}", "workers"),
        ("{wrokers: 3}", "did you mean"),
        ("{load: {model: replay, path: /etc/passwd, interval: 1s}}", "no file can be named here"),
        ("{load: {model: rps}}", "target"),
        ("just words", "send a mapping"),
        ("{rate: [", "not YAML"),
    ],
)
def test_a_load_that_cannot_be_is_refused(body: str, told: str, site: Target) -> None:
    with running(scenario(site)) as server:
        answer = server.ask("POST", "/load", body)
        assert answer.status == 400
        assert told in answer.json["detail"]
        assert server.health["asked_rate"] == 50


def test_there_is_no_load_to_change_while_nothing_runs(site: Target) -> None:
    with running(scenario(site), begin=False) as server:
        assert server.health["state"] == "ready"
        assert server.ask("POST", "/load", "{rate: 5}").status == 409
    assert site.requests == 0


def test_a_change_of_the_load_that_does_not_fit_into_the_bound_is_refused_with_the_arithmetic(site: Target) -> None:
    with running(scenario(site), memory=memory.resident_bytes() + (48 << 20)) as server:
        steps = "      - {name: a, request: {path: /}, assertions: [{type: jsonPath, path: $.a}]}\n"
        big = scenario(site, steps=steps).replace("workers: 4", "workers: 10000")
        answer = server.ask("POST", "/config", big)
        assert answer.status == 400
        assert "10,000 users" in answer.json["detail"]
        assert server.health["run"] == "1"
        assert server.ask("POST", "/load", "{workers: 10000}").status == 200  # users without answers to look into fit


def test_standby_users_without_a_rate_send_nothing_and_keep_nobody_waiting(site: Target) -> None:
    """The tool that users come from sleeps for an hour at the rate 0."""
    with running(scenario(site, more="standby: {workers: 3, rps: 0}\n"), begin=False) as server:
        assert (server.health["state"], server.health["workers"]) == ("standby", 3)
        time.sleep(0.5)
        assert site.requests == 0
        began = time.monotonic()
        assert server.ask("POST", "/config", scenario(site, requests=10)).status == 200
        server.until(lambda: site.requests == 10)
        assert time.monotonic() - began < 10


def test_a_rate_of_0_can_be_raised_at_once(site: Target) -> None:
    with running(scenario(site, rate=0)) as server:
        time.sleep(0.5)
        assert site.requests == 0
        assert server.ask("POST", "/load", "{rate: 100}").status == 200
        server.until(lambda: site.requests > 50, 10)


def test_standby_users_send_between_tests_and_stop_for_them(site: Target) -> None:
    more = "standby: {workers: 2, rps: 40}\n"
    with running(scenario(site, requests=1, more=more), begin=False) as server:
        server.until(lambda: site.requests > 5)
        assert (server.health["state"], server.health["run"]) == ("standby", "")
        assert server.ask("GET", "/result").status == 404
        server.ask("POST", "/start")
        server.until(lambda: server.ask("GET", "/result").status == 200)
        assert server.ask("GET", "/result").json["requests"] == 1
        before = site.requests
        server.until(lambda: site.requests > before + 5)
        assert server.ask("POST", "/stop").json == {"stopped": False, "state": "standby"}


def test_nothing_of_a_finished_run_stays_on_the_page_but_its_totals(site: Target) -> None:
    """The tool that users come from keeps the series of finished runs for ever."""
    steps = "      - {name: a, request: {path: /}}\n      - {name: b, request: {path: /missing}}\n"
    site.wait = 0.05
    text = scenario(site, requests=40, steps=steps, more="metadata: {tenant: web, run_id: nightly}\n")
    with running(text, namespace="rust_loadtest") as server:
        label = 'run="nightly",tenant="web",label="page/a",status="2xx"'
        server.until(lambda: label in values(server.page, "chaffinch_load_label_requests_total"))
        during = server.page
        assert values(during, "rust_loadtest_scenario_requests_total")['scenario="page"'] > 0
        server.until_state("ready")
        after = server.page
        assert "nightly" not in after
        assert '"page' not in after
        assert values(after, "chaffinch_load_requests_total")['status="2xx"'] == 20
        assert values(after, "chaffinch_load_errors_total")['error="status"'] == 20
        assert values(after, "rust_loadtest_requests_total") == {"": 40.0}
        server.ask("POST", "/start")
        server.until_state("ready")
        assert values(server.page, "chaffinch_load_requests_total")['status="4xx"'] == 40
        assert values(server.page, "chaffinch_load_runs_total")['outcome="completed"'] == 2


def test_a_threshold_that_is_crossed_is_counted(site: Target) -> None:
    with running(scenario(site, duration="300ms", more='thresholds: ["p99<0.001ms"]\n')) as server:
        server.until_state("ready")
        assert server.ask("GET", "/result").json["thresholds"][0]["verdict"] == "failed"
        assert values(server.page, "chaffinch_load_runs_total")['outcome="crossed"'] == 1


def test_a_client_that_goes_away_gets_what_it_asked_for(site: Target) -> None:
    with running(scenario(site)) as server:
        body = scenario(site, more="metadata: {run_id: second}\n")
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("POST", "/config", body)
        time.sleep(0.1)
        connection.close()
        server.until(lambda: server.health["run"] == "second")


def test_many_at_once_are_answered_and_one_of_them_runs(site: Target) -> None:
    with running(scenario(site)) as server:
        answers: list[int] = []

        def ask(number: int) -> None:
            text = scenario(site, more=f"metadata: {{run_id: r{number}}}\n")
            answers.append(server.ask("POST", "/config", text).status)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(answers) <= {200, 503}
        assert 200 in answers
        assert server.health["run"].startswith("r")
        assert values(server.page, "chaffinch_load_runs_total")['outcome="stopped"'] == answers.count(200)


def test_only_who_has_the_token_is_let_in(site: Target) -> None:
    with running(scenario(site), control=Control(port=0, token="sesame, not cf_")) as server:
        for path in ("/metrics", "/result"):
            for shown in ("", "wrong", "sesame"):
                answer = server.ask("GET", path, token=shown)
                assert (answer.status, answer.json["code"]) == (401, "unauthorized")
                assert answer.headers["www-authenticate"].startswith("Bearer")
        for path in ("/config", "/stop", "/start", "/load"):
            assert server.ask("POST", path, "", token="wrong").status == 401
        assert server.ask("GET", "/health", token="").status == 200
        assert server.ask("GET", "/metrics").status == 200
        assert server.ask("GET", "/metrics", headers={"Origin": "https://a.test", "Host": "b.test"}).status == 200


def test_health_asks_for_the_token_if_it_is_told_to() -> None:
    with running(control=Control(port=0, token="sesame", health_needs_token=True)) as server:
        assert server.ask("GET", "/health", token="").status == 401
        assert server.ask("GET", "/ready", token="").status == 401
        assert server.ask("GET", "/ready").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.test"},
        {"Host": "127.0.0.1.evil.test:80"},
        {"Host": "[::2]"},
    ],
)
def test_without_a_token_no_web_page_can_start_a_test(headers: dict[str, str], site: Target) -> None:
    with running() as server:
        answer = server.ask("POST", "/config", scenario(site), headers=headers)
        assert (answer.status, answer.json["code"]) == (403, "forbidden")
        assert server.health["state"] == "idle"
        for host in ("localhost", "127.0.0.1:1", "[::1]:8080", "LOCALHOST:8080"):
            assert server.ask("GET", "/metrics", headers={"Host": host}).status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_address_that_strangers_reach_is_refused_without_a_token(host: str) -> None:
    with pytest.raises(InputError, match="set a token") as told:
        bound(Control(host, 0))
    assert "\n" not in str(told.value)


def test_such_an_address_is_taken_with_one() -> None:
    with contextlib.closing(bound(Control("0.0.0.0", 0, "sesame"))) as listener:
        assert listener.getsockname()[0] == "0.0.0.0"


def test_no_address_is_told_so() -> None:
    with pytest.raises(InputError, match="no address here"):
        bound(Control("no such host", 0))


def test_what_is_not_there_is_told_in_the_same_shape() -> None:
    with running() as server:
        for method, path, status, code in (
            ("GET", "/live.js", 404, "no_such_path"),
            ("POST", "/", 405, "method"),
            ("GET", "/?token=sesame", 400, "bad_query"),
            ("GET", "/v1/chains", 404, "no_such_path"),
            ("GET", "/config", 405, "method"),
            ("POST", "/health", 405, "method"),
            ("DELETE", "/stop", 405, "method"),
            ("GET", "/health?a=1", 400, "bad_query"),
        ):
            answer = server.ask(method, path)
            assert (answer.status, answer.json["code"], answer.json["status"]) == (status, code, status)
        assert server.ask("DELETE", "/stop").headers["allow"] == "POST"
        assert server.ask("HEAD", "/health").status == 200


def test_bodies_and_connections_are_bounded() -> None:
    with running(connections=2, bounds=Bounds(quiet_seconds=0.3, sweep_seconds=0.1)) as server:
        with socket.create_connection(("127.0.0.1", server.port), 10) as large:
            large.sendall(b"POST /config HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4194305\r\n\r\n#")
            assert b"413" in large.recv(4096)
        assert server.ask("POST", "/load", b"#" * ((64 << 10) + 1)).status == 413
        assert server.ask("POST", "/stop", b" " * ((64 << 10) + 1)).status == 413
        assert server.ask("POST", "/config", b"x", headers={"Content-Encoding": "gzip"}).status == 415
        with socket.create_connection(("127.0.0.1", server.port), 10) as slow:
            slow.sendall(b"POST /config HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nversion")
            assert b"408" in slow.recv(4096)
        with contextlib.ExitStack() as opened:
            for _ in range(2):
                opened.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
            time.sleep(0.1)
            assert server.ask("GET", "/health").status == 503


def test_it_says_that_it_is_not_ready_while_it_stops(site: Target) -> None:
    site.wait = 1.0
    with running(scenario(site)) as server:
        server.until(lambda: site.requests > 1)
        server.call(lambda served: served.stop())
        server.until(lambda: server.ask("GET", "/ready").status == 503)
        assert server.health["draining"]
        assert server.ask("POST", "/config", scenario(site)).status == 503
        server.thread.join(10)
        assert not server.thread.is_alive()


def test_who_sends_is_on_the_page(site: Target) -> None:
    with running(scenario(site), node=Node("n1", "east", "shop"), namespace="rust_loadtest") as server:
        page = server.page
        assert values(page, "rust_loadtest_cluster_node_info") == {'node_id="n1",region="east",tenant="shop"': 1.0}
        assert server.health["tenant"] == "shop"
