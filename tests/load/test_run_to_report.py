"""What the engine really says becomes results, verdicts, intervals, a report: nothing here is written by hand."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from chaffinch import _core
from chaffinch.load import compare, plan, polls, result_files, results, view
from chaffinch.load.error_classes import CLASSES
from chaffinch.load.report import schema
from chaffinch.load.report.csv import IntervalFile
from chaffinch.load.report.html import render
from chaffinch.load.results import Memory, Result
from chaffinch.load.thresholds import judged, parse_thresholds
from chaffinch.load.timeline import Timeline

ENGINE = Path(__file__).resolve().parents[2] / "crates" / "load" / "src"


class Shop(BaseHTTPRequestHandler):
    """200, but for `/broken`."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        self.send_response(503 if self.path == "/broken" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


def ran(target: str, csv: Path, **fields: object) -> Result:
    steps = (plan.Step(name="front", path="/"), plan.Step(name="broken", path="/broken"))
    base = plan.Plan(
        base_url=target,
        scenarios=(plan.Scenario(name="shop", steps=steps),),
        duration_ms=1000,
        users=5,
        percentiles=plan.Percentiles(interval_ms=250),
    )
    wanted = msgspec.structs.replace(base, **fields)
    run = _core.LoadRun(wanted.to_json())
    described = results.describe(wanted)
    timeline = Timeline()
    with IntervalFile(csv) as intervals:
        run.start()
        while not run.wait(0.1):
            progress = polls.decode_progress(run.poll(timeline.next, labels=False))
            assert intervals.write(timeline.add(progress)) is None
            assert "rate" in view.frame(progress, described, Memory(), 80, 24)
        last = polls.decode_poll(run.poll(timeline.next))
        intervals.write(timeline.add(last))
        assert intervals.written == len(timeline.intervals)
    return results.finished(last, described, Memory(peak_rss_bytes=1), timeline.intervals)


def test_a_paced_run(target: str, tmp_path: Path) -> None:
    result = ran(target, tmp_path / "a.csv", model=plan.Constant(50.0))
    assert result.asked == 50
    assert result.asked_rate == 50.0
    assert result.iteration_rate == pytest.approx(50.0, rel=0.05)
    assert result.requests == 100
    assert result.failed == 50
    assert result.errors == {"status": 50}
    assert result.statuses == {"200": 50, "503": 50}
    assert set(result.labels) == {"shop", "shop/front", "shop/broken"}
    assert result.labels["shop"].iterations == 50
    assert result.labels["shop/broken"].failed == 50
    assert result.latency_ms.corrected is not None
    assert result.latency_ms.corrected.count == 100
    assert result.phases_ms.iteration is not None
    assert result.run.requests_an_iteration == 2
    assert sum(one.requests for one in result.intervals) == 100
    assert sum(one.asked or 0 for one in result.intervals) == pytest.approx(50, rel=0.2)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + len(result.intervals)
    verdicts = judged(
        result,
        parse_thresholds(
            ["p99<10s", "errors<1%", "status[5xx]<=50%", "label[shop/front].errors==0", "requests>=100",
             "first_byte.p50<10s", "tls.p99<1s"]
        ),
    )  # fmt: skip
    kinds = [one.verdict for one in verdicts.thresholds]
    assert kinds == ["passed", "failed", "passed", "passed", "passed", "passed", "undecided"]
    jsonschema_rs.validator_for(schema.document()).validate(msgspec.json.decode(verdicts.to_json()))
    document = render(verdicts)
    assert "shop/broken" in document
    assert "whole iterations" in document
    assert "<h2>Scenarios</h2>" in document
    assert result_files.decode(verdicts.to_json(), "it") == verdicts
    assert not compare.compare(verdicts, verdicts).is_worse


def test_a_closed_run_that_is_shorter_than_an_interval(target: str, tmp_path: Path) -> None:
    result = ran(target, tmp_path / "a.csv", duration_ms=None, requests=10)
    assert result.asked_rate is None
    assert result.requests >= 10
    assert result.rate == pytest.approx(result.requests / result.duration_s)
    assert "This is a closed model" in render(result)


def test_a_target_that_is_down(tmp_path: Path) -> None:
    result = ran("http://127.0.0.1:1", tmp_path / "a.csv", model=plan.Constant(50.0), duration_ms=300)
    assert result.errors.keys() <= CLASSES.keys()
    assert result.errors["connect"] > 0
    assert "The target accepted no connection." in render(result)
    assert judged(result, parse_thresholds(["errors<1%"])).crossed


def test_the_engine_has_no_class_that_is_not_explained() -> None:
    source = (ENGINE / "record" / "class.rs").read_text()
    names = source.split("pub const fn name")[1].split("}\n    }")[0]
    assert {line.split('"')[1] for line in names.splitlines() if '=> "' in line} == set(CLASSES)
