"""The live page: what it may do, what it reads, and what its script makes of real answers."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from chaffinch.load import figures
from chaffinch.load.loaded import Control
from chaffinch.load.report.charts import value_axis
from tests.load.running import HOSTILE
from tests.load.serve.browser import FIGURES, LIVE, browsed, node
from tests.load.serve.running import Running, running
from tests.load.serve.target import scenario, target

STEPS = "      - {name: a, request: {path: /}}\n      - {name: b, request: {path: /missing}}\n"


class Seen(HTMLParser):
    """The elements of a page with their attributes, and its code."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.code: dict[str, str] = {}
        self._inside = ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in {"script", "style"}:
            self.code[self._inside] = self.code.get(self._inside, "") + data


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    """A run that goes on, with failures."""
    with target() as site, running(scenario(site, steps=STEPS, more="metadata: {name: Shop}\n")) as server:
        yield server


@pytest.fixture(scope="module")
def answer(served: Running) -> dict[str, Any]:
    """What `/status` says of it."""
    served.until(lambda: len(served.ask("GET", "/status").json["progress"]["intervals"]) > 1)
    found: dict[str, Any] = served.ask("GET", "/status").json
    return found


def policy_of(served: Running) -> dict[str, str]:
    said = served.ask("GET", "/").headers["content-security-policy"]
    return {name: value for name, _, value in (one.strip().partition(" ") for one in said.split(";"))}


def test_nothing_but_its_own_code_may_run_and_nobody_keeps_it(served: Running) -> None:
    page = served.ask("GET", "/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    code = Seen(page.body.decode()).code
    hashes = {
        kind: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for kind, text in code.items()
    }
    assert policy_of(served) == {
        "default-src": "'none'",
        "script-src": hashes["script"],
        "style-src": hashes["style"],
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }
    assert served.ask("HEAD", "/").headers["content-length"] == page.headers["content-length"]


def test_it_is_one_document_without_anything_from_outside(served: Running) -> None:
    document = served.ask("GET", "/").body.decode()
    seen = Seen(document)
    names = [tag for tag, _ in seen.tags]
    assert (names.count("script"), names.count("style")) == (1, 1)
    assert not {"img", "link", "iframe", "object", "embed", "a", "base", "svg"} & set(names)
    for tag, attributes in seen.tags:
        assert not [
            name for name in attributes if name.startswith("on") or name in {"src", "href", "style", "action"}
        ], tag
    addresses = set(re.findall(r"\b[a-z]+://[^\s\"'<)]*", document))
    assert addresses == {"http://www.w3.org/2000/svg"}, "the name of SVG's elements, which nobody asks for"
    assert "url(" not in document
    assert "@import" not in document
    assert re.findall(r"\bfetch\(([^,]*),", document) == ['"status?since=" + (series ? series.next : 0)']


def test_what_it_shows_is_text(served: Running) -> None:
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
        "DOMParser",
        "localStorage",
        "cookie",
    ):
        assert way not in FIGURES + LIVE, way


def declared(name: str) -> dict[str, str]:
    """A table of fields in the script."""
    table = re.search(rf"^const {name} = {{(.*?)}};", FIGURES, re.MULTILINE | re.DOTALL)
    assert table is not None
    return dict(re.findall(r'(\w+): "([\w.]+)"', table[1]))


def missing(paths: dict[str, str], found: Any) -> list[str]:
    """Those that an answer does not have."""

    def has(path: str) -> bool:
        at = found
        for key in path.split("."):
            if not isinstance(at, dict) or key not in at:
                return False
            at = at[key]
        return True

    return [path for path in paths.values() if not has(path)]


def test_every_field_that_it_reads_is_there(answer: dict[str, Any]) -> None:
    assert missing(declared("STATUS"), answer) == []
    assert missing(declared("RUN"), answer) == []
    for interval in answer["progress"]["intervals"]:
        assert missing(declared("INTERVAL"), interval) == []
        assert missing({name: name for name in declared("PERCENTILES")}, interval["latency_ms"]["corrected"]) == []
    assert set(re.findall(r"\banswer\.(\w+)", LIVE)) == {"progress", "detail"}, "all others are read by the tables"
    tables = declared("STATUS") | declared("RUN") | declared("INTERVAL")
    read = set(re.findall(r"\b(?:status|run|one|last|before)\.(\w+)", FIGURES + LIVE))
    own = {
        "name",
        "path",
        "values",
        "id",
        "next",
        "intervals",
        "memory",
        "slice",
        "className",
        "colour",
        "dashed",
        "bound",
    }
    assert read - own <= tables.keys()


def test_the_page_is_for_everybody_and_its_figures_are_not() -> None:
    with running(control=Control(port=0, token="sesame")) as server:
        assert server.ask("GET", "/", token="").status == 200
        refused = server.ask("GET", "/status", token="wrong")
        assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Bearer realm="chaffinch"')
        # What a browser sends along with what the page asks.
        assert server.ask("GET", "/status?since=0", headers={"Sec-Fetch-Site": "same-origin"}).status == 200
    with running() as server:
        assert server.ask("GET", "/status", headers={"Sec-Fetch-Site": "same-origin"}).status == 200
        assert server.ask("GET", "/status", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
        assert server.ask("GET", "/status", headers={"Host": "evil.test"}).status == 403


# The script itself ---------------------------------------------------------------------------------------------------


def test_figures_read_as_in_the_terminal() -> None:
    milliseconds = [
        None,
        0,
        1e-6,
        0.00051,
        0.0853,
        0.99949,
        1.24,
        9.994,
        9.996,
        99.94,
        999.4,
        999.6,
        2010.3,
        99_999,
        2e5,
        1e9,
    ]
    rates = [None, 0, 0.333, 3, 9.996, 12.52, 99.94, 49_998.4, 1_234_567]
    sizes = [0, 1023, 1024, 1536, 31 << 20, 5 << 30, 7 << 40, 9 << 50]
    spans = [0, 0.5, 9.94, 42, 59.7, 190, 3600, 18_120, 300_000]
    shares = [[0, 0], [0, 9], [9, 9], [1, 1e6], [999_999, 1e6], [1, 80], [1, 3], [993, 1000]]
    script = """
    const given = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
    const said = {latency: given[0].map(latency), rate: given[1].map(rate), size: given[2].map(size)};
    said.span = given[3].map(span);
    said.share = given[4].map(([part, whole]) => share(part, whole));
    console.log(JSON.stringify(said))
    """
    said = node(FIGURES + script, json.dumps([milliseconds, rates, sizes, spans, shares]))
    assert said == {
        "latency": list(map(figures.latency, milliseconds)),
        "rate": list(map(figures.rate, rates)),
        "size": list(map(figures.size, sizes)),
        "span": list(map(figures.span, spans)),
        "share": [figures.share(part, whole) for part, whole in shares],
    }


def test_all_values_are_on_their_axis() -> None:
    ranges = [[0], [1], [0, 97], [0.5, 402], [1, 29], [0.2, 450], [0.001, 100_000], [1e-9, 5], [36_500_000, 67_108_864]]
    script = """
    const axes = {}, ranges = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
    for (const unit of ["rate", "ms", "count", "bytes"]) axes[unit] = ranges.map(one => axisOf(one, unit));
    console.log(JSON.stringify(axes))
    """
    for unit, axes in node(FIGURES + script, json.dumps(ranges)).items():
        for values, axis in zip(ranges, axes, strict=True):
            assert axis["high"] >= max(values), (unit, values)
            assert axis["low"] == axis["ticks"][0]
            assert axis["high"] == pytest.approx(axis["ticks"][-1])
            assert 2 <= len(axis["ticks"]) <= 10
            assert axis["isLog"] == (unit == "ms" and value_axis(values, linear=False).is_log)


def test_there_is_no_line_where_nothing_was_measured() -> None:
    script = """
    const starts = [0, 1, 7, 8, 9], lines = [{name: "a", colour: 1, values: [1, 2, 2, null, 4]}];
    const chart = {title: "t", unit: "rate", starts, ends: starts.map(one => one + 1), lines};
    const none = {...chart, lines: [{...lines[0], values: [null, null, null, null, null]}]};
    console.log(JSON.stringify([drawing(chart).lines[0].path, drawing(none)]))
    """
    path, nothing = node(FIGURES + script)
    assert re.fullmatch(r"M56\.0 [\d.]+H85\.6V[\d.]+H115\.2M263\.2 [\d.]+H292\.8M322\.4 8\.0H352\.0", path), path
    assert nothing is None


def test_a_run_is_shown(answer: dict[str, Any]) -> None:
    later = answer | {"progress": answer["progress"] | {"intervals": [], "state": "draining"}, "draining": True}
    told = browsed([(200, answer), (200, later)])
    first, second = told["seen"]
    said = first["said"]
    progress = answer["progress"]
    assert said["name"] == "Shop"
    assert re.fullmatch(r"run 1: [\d.]+s running, \d+s left", said["state"])
    assert f"{answer['about']['target']} - constant: 50/s; at most 4 users, HTTP/1.1" == said["about"]
    assert f"requests {progress['requests']:,} " in said["tiles"]
    share = figures.share(progress["failed"], progress["requests"])
    assert f"failed {progress['failed']:,} {share} of the requests" in said["tiles"]
    assert "iterations of 2 requests" in said["tiles"]
    assert "guard normal (" in said["tiles"]
    assert f"p99 {figures.latency(progress['intervals'][-1]['latency_ms']['corrected']['p99'])} " in said["latencies"]
    assert f" {figures.latency(progress['latency_ms']['uncorrected']['max'])}" in said["latencies"]
    assert said["errors"].startswith(f"status {progress['failed']:,} ")
    for title in ("Rate of requests", "Latency", "Errors a second", "In flight", "Memory"):
        assert title in said["charts"]
    assert first["charts"].count("svg") == 5
    assert first["ways"]
    assert all(re.fullmatch(r"(M[\d.]+ |V)?[\d.]+H[\d.]+((M[\d.]+ |V)[\d.]+H[\d.]+)*", way) for way in first["ways"])
    assert (said["lost"], said["asking"], said["over"]) == (None, None, None)
    assert told["asked"][0] == {"address": "status?since=0", "authorization": None}
    assert told["asked"][1]["address"] == f"status?since={progress['intervals'][-1]['n'] + 1}"
    assert "waiting for answers" in second["said"]["state"]
    assert second["said"]["latencies"] == said["latencies"], "what came before is kept"


def test_a_wrong_token_is_told_and_another_asked_for(answer: dict[str, Any]) -> None:
    with running(control=Control(port=0, token="sésame")) as server:
        refused = server.ask("GET", "/status", token="wrong")
    told = browsed([(401, refused.json), (401, refused.json)], typed="wrong")
    assert told["seen"][0]["said"]["why"] == "This server wants its token."
    assert told["asked"][1]["authorization"] == "Bearer wrong"
    assert told["stored"] == {}
    last = told["seen"][-1]["said"]
    assert last["why"] == "The token is wrong: give the token: `Authorization: Bearer ...`"
    assert (last["run"], last["state"]) == (None, "not signed in")
    told = browsed([(401, refused.json), (200, answer)], typed="sésame")
    assert told["stored"] == {"chaffinch-token": "sésame"}
    assert told["seen"][-1]["said"]["asking"] is None
    shown = told["asked"][1]["authorization"]
    with running(control=Control(port=0, token="sésame")) as server:
        headers = {"Authorization": shown}
        assert server.ask("GET", "/status", token="", headers=headers).status == 200
    assert browsed([(200, answer)], token="kept")["asked"][0]["authorization"] == "Bearer kept"


def test_a_lost_connection_is_told_and_found_again(answer: dict[str, Any]) -> None:
    full = (503, {"detail": "the server has all the connections that it takes: try again later"})
    told = browsed([(200, answer), None, full, (200, answer)])
    good, lost, busy, again = told["seen"]
    assert good["said"]["lost"] is again["said"]["lost"] is None
    assert re.fullmatch(r"The connection is lost\. These figures are \d+s old\. .*", lost["said"]["lost"])
    assert "stale" in lost["run"]
    assert lost["said"]["tiles"] == good["said"]["tiles"], "the figures stay"
    assert busy["said"]["lost"].startswith("The server refuses: the server has all the connections")
    assert "stale" not in again["run"]
    assert browsed([None])["seen"][0]["said"]["lost"].startswith("The connection is lost. It is tried again")
    for strange in ({"progress": {}}, [], None, 5):
        *_, after = browsed([(200, strange), (200, answer)])["seen"]
        assert after["said"]["lost"] is None
        assert after["said"]["name"] == "Shop"
    assert browsed([(200, None)])["seen"][0]["said"]["lost"].startswith("This page cannot show what came")


def test_what_has_ended_and_what_begins_are_told_apart(answer: dict[str, Any]) -> None:
    over = answer | {"state": "ready", "run": "", "about": None, "progress": None}
    about = answer["about"] | {"started": "2026-01-01T00:00:00Z"}
    begun = answer | {"run": "2", "about": about, "progress": answer["progress"] | {"intervals": []}}
    told = browsed([(200, over), (200, answer), (200, over), (200, begun), (200, begun)])
    idle, running_, ended, next_, _ = told["seen"]
    assert (idle["said"]["over"], idle["said"]["run"]) == (None, None)
    assert idle["said"]["state"] == ended["said"]["state"] == "a test is loaded and does not run"
    assert ended["said"]["over"].startswith("Run 1 is over.")
    assert ended["said"]["tiles"] == running_["said"]["tiles"]
    assert next_["said"]["over"] is None
    assert next_["said"]["state"].startswith("run 2: ")
    assert told["asked"][-1]["address"] == "status?since=0"
    assert "Nothing was measured yet." in next_["said"]["charts"]


def test_hostile_names_are_text_and_make_no_elements(answer: dict[str, Any]) -> None:

    def named(name: str) -> Any:
        progress = answer["progress"] | {"errors": {name: 3}}
        intervals = [one | {"errors": {name: 1}} for one in progress["intervals"]]
        about = answer["about"] | dict.fromkeys(("target", "model", "http"), name)
        bad = answer | {"name": name, "about": about, "progress": progress | {"intervals": intervals}}
        return browsed([(200, bad)])["seen"][0]

    harmless = named("timeout")
    for hostile in HOSTILE:
        seen = named(hostile)
        assert seen["said"]["name"] == hostile
        assert hostile in seen["said"]["errors"]
        assert seen["names"] == harmless["names"]
        assert seen["charts"] == harmless["charts"]


def test_what_it_keeps_is_bounded(answer: dict[str, Any]) -> None:
    script = """
    const answer = JSON.parse(require("node:fs").readFileSync(0, "utf8")), one = answer.progress.intervals[0];
    let series = null;
    for (let n = 0; n < 1000; n++) {
      answer.progress.intervals = [{...one, n, at_s: n}, {...one, n: n + 1, at_s: n + 1}];
      series = kept(series, told(STATUS, answer), told(RUN, answer));
    }
    const {intervals, memory, next} = series;
    console.log(JSON.stringify([intervals.length, memory.length, next, intervals.map(one => one.n)]))
    """
    intervals, memory, following, numbers = node(FIGURES + script, json.dumps(answer))
    assert (intervals, memory, following) == (300, 300, 1001)
    assert numbers == list(range(701, 1001)), "each once"


@pytest.mark.clients
def test_a_real_browser_shows_it(served: Running, answer: dict[str, Any], tmp_path: Path) -> None:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    command = [
        program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={tmp_path}", "--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom",
        f"http://127.0.0.1:{served.port}/",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    assert '<h1 id="name">Shop</h1>' in done.stdout
    assert re.search(r'<p id="state"[^>]*>run 1: [\d.]+s running, \d+s left</p>', done.stdout)
    assert done.stdout.count("<svg ") == 5
    assert "Content Security Policy" not in done.stderr
    assert "CONSOLE" not in done.stderr
