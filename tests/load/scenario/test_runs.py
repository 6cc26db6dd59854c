"""Scenario files as runs: what each key does to what a server is sent, and what the run makes of its answers."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.errors import InputError
from chaffinch.load import Result, Runner, load_text
from tests.load.recording import Recording, Reply, Sent, recording

SEEN = '{"token": "t-1", "items": [{"id": 7}], "ok": true}'


@pytest.fixture
def site() -> Iterator[Recording]:
    with recording() as one:
        yield one


def ran(
    site: Recording, scenarios: str, *, requests: int = 12, config: str = "", directory: Path | None = None
) -> Result:
    """A run of one user; `scenarios` are the lines of the list."""
    own = f'config: {{baseUrl: "{site.url}/base", workers: 1, requests: {requests}{config}}}'
    text = f'version: "1.0"\n{own}\nscenarios:\n{scenarios}'
    return Runner(load_text(text, "page.yaml", directory)).run()


def step(request: str, more: str = "", name: str = "a") -> str:
    return f"      - {{name: {name}, request: {{{request}}}{more}}}\n"


def scenario(*steps: str, name: str = "s", more: str = "") -> str:
    return f"  - name: {name}\n{more}    steps:\n{''.join(steps)}"


def test_a_request_is_put_together_as_it_is_written(site: Recording) -> None:
    headers = 'headers: {X-A: own, X-B: "2"}, queryParams: {q: "a b&c=d", tag: [x, "é"]}'
    ran(site, scenario(step(f'method: POST, path: "/p?x=1", {headers}, body: {{n: 1.50, s: "ä"}}')),
        requests=1, config=", customHeaders: {X-A: common, X-C: common}")  # fmt: skip
    (one,) = site.sent
    # The tool that users come from does not encode query parameters.
    assert (one.method, one.target) == ("POST", "/base/p?x=1&q=a%20b%26c%3Dd&tag=x&tag=%C3%A9")
    assert [one.header(name) for name in ("X-A", "X-B", "X-C")] == [["own"], ["2"], ["common"]]
    assert one.header("Content-Type") == ["application/json"]
    assert one.body == '{"n":1.50,"s":"ä"}'


def test_a_full_url_and_a_body_of_a_size(site: Recording) -> None:
    ran(site, scenario(step(f'method: PUT, path: "{site.url}/whole", bodySize: 10KB')), requests=1)
    (one,) = site.sent
    assert (one.target, len(one.body)) == ("/whole", 10 << 10)


def test_what_is_extracted_is_sent_on(site: Recording) -> None:
    def reply(one: Sent) -> Reply:
        if not one.target.startswith("/base/login"):
            return Reply()
        return Reply(headers=(("X-Trace", "tr"), ("Set-Cookie", "sid=s1; Path=/")), body=SEEN + " csrf=abc")

    site.reply = reply
    extract = (
        ", extract: [{type: header, name: trace, header: x-trace}, {type: cookie, name: sid, cookie: sid}, "
        "{type: regex, name: csrf, pattern: 'csrf=(\\w+)'}, {type: regex, name: all, pattern: 'csrf=\\w+', group: 0}, "
        '{type: regex, name: none, pattern: "nothing(.)", default: no}]'
    )
    sent = 'path: "/next/$trace/${csrf}", headers: {X-All: "$all", X-None: "${none}", X-Sid: "$sid"}'
    result = ran(site, scenario(step("path: /login", extract), step(sent, name="b")), requests=2)
    assert result.failed == 0
    second = site.sent[1]
    assert second.target == "/base/next/tr/abc"
    assert [second.header(name) for name in ("X-All", "X-None", "X-Sid")] == [["csrf=abc"], ["no"], ["s1"]]


def test_json_is_looked_into_by_paths(site: Recording) -> None:
    site.reply = lambda _: Reply(body=SEEN)
    extract = (
        ", extract: [{type: jsonPath, name: id, path: '$.items[0].id'}, {type: jsonPath, name: idx, path: $.token}]"
    )
    # The tool that users come from finds `$id` in `$idx`.
    ran(site, scenario(step("path: /a", extract), step('path: "/b/$idx/$id/${id}x"')), requests=2)
    assert site.sent[1].target == "/base/b/t-1/7/7x"


def test_a_failed_extraction_fails_its_step_and_ends_the_iteration(site: Recording) -> None:
    extract = ", extract: [{type: regex, name: x, pattern: 'nothing(.)'}]"
    result = ran(site, scenario(step("path: /a", extract), step('path: "/b/$x"', name="b")), requests=3)
    assert result.errors == {"extraction": 3}
    assert {one.target for one in site.sent} == {"/base/a"}


@pytest.mark.parametrize(
    ("assertion", "holds"),
    [
        ("{type: statusCode, expected: 201}", True),
        ("{type: statusCode, expected: [4xx, 200]}", False),
        ("{type: responseTime, max: 5s}", True),
        ("{type: responseTime, max: 1ms}", False),
        ("{type: jsonPath, path: $.ok, expected: true}", True),
        ("{type: jsonPath, path: '$.items[0].id', expected: 8}", False),
        ("{type: jsonPath, path: $.token}", True),
        ("{type: jsonPath, path: $.none}", False),
        ("{type: bodyContains, text: t-1}", True),
        ("{type: bodyContains, text: t-2}", False),
        ("{type: bodyMatches, pattern: 't-\\d'}", True),
        ("{type: bodyMatches, pattern: '^t-'}", False),
        ("{type: headerExists, header: etag}", True),
        ("{type: headerExists, header: Location}", False),
    ],
)
def test_assertions_hold_or_fail_the_step_and_end_the_iteration(site: Recording, assertion: str, holds: bool) -> None:
    site.reply = lambda _: Reply(201, (("ETag", "x"),), SEEN, wait_s=0.01)
    steps = (step("path: /a", f", assertions: [{assertion}]"), step("path: /b", name="b"))
    result = ran(site, scenario(*steps), requests=2)
    assert result.errors == ({} if holds else {"assertion": 2})
    assert [one.target for one in site.sent] == ["/base/a", "/base/b" if holds else "/base/a"]


@pytest.mark.parametrize(("status", "passes"), [(200, True), (204, True), (302, True), (400, False), (503, False)])
def test_without_an_assertion_a_step_passes_on_2xx_and_3xx(site: Recording, status: int, passes: bool) -> None:
    site.reply = lambda _: Reply(status, body="")
    result = ran(site, scenario(step("path: /a"), step("path: /b", name="b")), requests=2)
    assert result.failed == (0 if passes else 2)
    assert site.sent[1].target == ("/base/b" if passes else "/base/a")


def test_cookies_come_back_until_the_iteration_ends(site: Recording) -> None:
    """One jar a user, empty when an iteration begins: each is another visitor. The tool that users come from has one
    jar a worker.
    """
    site.reply = lambda one: Reply(headers=(("Set-Cookie", f"last={one.target[-1]}"),))
    ran(site, scenario(step("path: /a"), step("path: /b", name="b")), requests=6)
    seen = [(one.target, one.header("Cookie")) for one in site.sent]
    assert seen == [("/base/a", []), ("/base/b", ["last=a"])] * 3


def test_what_is_cached_is_not_sent_again_while_it_is_fresh(site: Recording) -> None:
    steps = (step("path: /a", ", cache: {ttl: 400ms}"), step("path: /b", ", thinkTime: 100ms", "b"))
    result = ran(site, scenario(*steps), requests=10)
    found = Counter(one.target for one in site.sent)
    assert found["/base/b"] > 3 * found["/base/a"] > 0
    assert result.cached > 0


@pytest.mark.parametrize(("think", "least", "most"), [("200ms", 0.2, 0.3), ("{min: 100ms, max: 300ms}", 0.1, 0.4)])
def test_a_user_thinks_after_a_step(site: Recording, think: str, least: float, most: float) -> None:
    ran(site, scenario(step("path: /a", f", thinkTime: {think}"), step("path: /b", name="b")), requests=8)
    waits = [b.at - a.at for a, b in zip(site.sent, site.sent[1:], strict=False) if a.target == "/base/a"]
    assert all(least <= wait for wait in waits)
    assert min(waits) < most
    assert "{" not in think or max(waits) - min(waits) > 0.01


@pytest.mark.parametrize(
    ("strategy", "rows"),
    [
        ("sequential", ["1", "2", "3"] * 4),
        ("cycle", ["1", "2", "3"] * 4),
        ("unique", ["1", "2", "3"]),
        ("random", None),
    ],
)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_rows_of_a_data_file_are_taken_by_its_strategy(
    site: Recording, tmp_path: Path, strategy: str, rows: list[str] | None, form: str
) -> None:
    data = "id,name\n1,a\n2,b\n3,c\n" if form == "csv" else json.dumps([{"id": n, "name": "x"} for n in (1, 2, 3)])
    (tmp_path / "users.data").write_text(data)
    file = f"    dataFile: {{path: users.data, format: {form}, strategy: {strategy}}}\n"
    config = ", duration: 1s" if strategy == "unique" else ""
    result = ran(site, scenario(step('path: "/${id}"'), more=file), directory=tmp_path, config=config)
    found = [one.target.removeprefix("/base/") for one in site.sent]
    assert result.failed == 0
    assert set(found) <= {"1", "2", "3"}
    assert found == (rows or found)
    assert rows is not None or len(found) == 12


def test_a_step_that_failed_is_sent_again_after_a_wait(site: Recording) -> None:
    site.reply = lambda _: Reply(503 if len(site.sent) % 3 else 200)
    own = "    config: {timeout: 2s, retryCount: 2, retryDelay: 100ms}\n"
    result = ran(site, scenario(step('path: "/${iteration}"'), more=own), requests=6)
    assert [one.target for one in site.sent] == ["/base/1"] * 3 + ["/base/2"] * 3
    assert (result.requests, result.failed) == (6, 4)
    assert site.sent[1].at - site.sent[0].at >= 0.1


@pytest.mark.parametrize("where", ["config", "scenario", "step"])
def test_a_timeout_may_stand_in_three_places(site: Recording, where: str) -> None:
    site.reply = lambda _: Reply(0)
    given = {one: "timeout: 300ms" if one == where else "" for one in ("config", "scenario", "step")}
    own = f"    config: {{{given['scenario']}}}\n"
    steps = step("path: /a", given["step"] and f", {given['step']}")
    began = time.monotonic()
    result = ran(site, scenario(steps, more=own), requests=1, config=f", {given['config']}")
    assert result.errors == {"timeout": 1}
    assert time.monotonic() - began < 3


def test_scenarios_are_chosen_by_weight_for_each_iteration(site: Recording) -> None:
    """The tool that users come from picks one for each worker."""
    both = scenario(step("path: /a"), more="    weight: 3\n") + scenario(step("path: /b"), name="t")
    ran(site, both, requests=400, config=", seed: 5")
    found = Counter(one.target for one in site.sent)
    assert 240 < found["/base/a"] < 340
    assert found["/base/a"] + found["/base/b"] == 400


def test_the_variables_that_are_always_there(site: Recording) -> None:
    before = time.time() * 1000
    path = 'path: "/${timestamp}/${user}/${iteration}/${random}/$$x"'
    ran(site, scenario(step(path)), requests=2)
    found = [re.fullmatch(r"/base/(\d{13})/(\d+)/(\d+)/(\w+)/\$x", one.target) for one in site.sent]
    assert all(found)
    first, second = (one.groups() for one in found if one)
    assert before - 1 <= int(first[0]) <= time.time() * 1000
    assert (first[1], first[2], second[2]) == (second[1], "1", "2")
    assert first[3] != second[3]


def test_more_workers_than_the_format_has_are_refused() -> None:
    with pytest.raises(InputError, match="workers"):
        load_text('version: "1.0"\nconfig: {workers: 10001}\nscenarios: []\n', "page.yaml")
