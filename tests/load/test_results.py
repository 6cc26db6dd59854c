"""Polls are read as they come, and results are what is left of them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chaffinch.errors import InputError, RunError
from chaffinch.load import plan, results
from chaffinch.load.report.stalled import Stall
from tests.load import running


def test_a_view_reads_a_poll_without_its_labels() -> None:
    labels = {f"label {number}": running.label(10) for number in range(1000)}
    data = running.poll(labels=labels)
    seen = results.decode_progress(data)
    assert not hasattr(seen, "labels")
    assert seen.requests == 1000
    assert len(results.decode_poll(data).labels) == 1000


def test_what_is_not_there_is_null_or_missing() -> None:
    bare = results.decode_poll(b'{"state":"running","elapsed_s":0.0,"latency_ms":{"corrected":null}}')
    assert bare.requests == 0
    assert bare.latency_ms.corrected is None
    nothing = json.loads(running.poll())["latency_ms"]["corrected"] | {"p50": None, "count": 0}
    found = results.decode_poll(running.poll(latency_ms={"corrected": nothing, "uncorrected": None}))
    assert found.latency_ms.corrected is not None
    assert found.latency_ms.corrected.p50 is None


def test_a_paced_run_has_the_rate_that_was_asked_however_long_answers_were_waited_for() -> None:
    result = running.ran(elapsed_s=12.5)
    assert result.duration_s == 10.0
    assert result.drain_s == 2.5
    assert result.rate == 100.0
    assert result.asked_rate == 100.0
    assert result.iteration_rate == 100.0


def test_a_run_that_never_was_has_no_absurd_figures() -> None:
    empty = results.Poll()
    result = results.finished(empty, running.run_of(), results.Memory())
    assert (result.rate, result.duration_s, result.asked_rate) == (0.0, 0.0, None)
    assert results.decode(result.to_json(), "itself") == result


def test_results_have_the_names_of_the_contract() -> None:
    body = json.loads(running.ran().to_json())
    assert body["requests"] == 1000
    assert set(body["latency_ms"]["corrected"]) >= {"p50", "p90", "p95", "p99", "p999", "max"}
    assert set(body["latency_ms"]["uncorrected"]) >= {"p50", "p90", "p95", "p99", "p999", "max"}
    assert body["memory"]["peak_rss_bytes"] == 30 << 20
    assert body["memory"]["bound_bytes"] == 64 << 20
    assert body["generator"]["saturated"] is False
    assert body["generator"]["why"] == []
    assert body["folded"] == {"labels": 0, "requests": 0, "records": 0}
    assert body["errors"] == {}
    assert body["labels"]["url/GET /"]["requests"] == 1000
    assert body["run"]["target"] == "http://127.0.0.1:8080/"
    assert body["run"]["model"] == "constant: 100/s; at most 10 users"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    labels = {name: running.label(5, 1) for name in running.HOSTILE}
    result = running.ran(labels=labels)
    file = tmp_path / "a.json"
    results.write(file, result.to_json())
    assert results.read(file) == result
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_fields_of_a_newer_version_pass(tmp_path: Path) -> None:
    body: dict[str, Any] = json.loads(running.ran().to_json())
    body["planet"] = {"name": "Earth"}
    body["latency_ms"]["corrected"]["p9999"] = 3.0
    del body["phases_ms"]
    found = results.decode(json.dumps(body).encode(), "b.json")
    assert msgspec.structs.replace(found, phases_ms=running.ran().phases_ms) == running.ran()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "x.json is not JSON"),
        (b"{", "x.json is not JSON"),
        (b"\xff\xfe", "x.json is not JSON"),
        (b"[]", "x.json has no results of a load run"),
        (b"{}", "x.json has no results of a load run: .*missing required field `version`"),
        (b'{"version":1,"requests":"many"}', r"has no results of a load run: .*\$.requests"),
        (b'{"version":9,"planet":1}', "x.json has results of format 9, and this version of chaffinch reads up to 1"),
    ],
)
def test_what_is_no_result_is_told_in_a_sentence(data: bytes, why: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(data)
    with pytest.raises(InputError, match=why) as error:
        results.read(file)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(No such file or directory\): name a file that"):
        results.read(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be read"):
        results.read(tmp_path)


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot be written \(No such file or directory\)"):
        results.write(tmp_path / "no" / "a.json", b"{}")
    with pytest.raises(RunError, match=r"/dev/full cannot be written \(No space left on device\)"):
        results.write(Path("/dev/full"), b"{}" * 10)
    old = tmp_path / "old.json"
    old.write_bytes(b"old")
    code = (
        "import resource, sys, pathlib\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "from chaffinch.load import results\n"
        "try: results.write(pathlib.Path(sys.argv[1]), b'x' * 1000)\n"
        "except Exception as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code, str(old)], capture_output=True, text=True, check=True)
    assert "cannot be written (File too large)" in said.stdout
    assert old.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["old.json"]


def test_a_link_stays_one_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    file, link = tmp_path / "a.json", tmp_path / "link.json"
    file.write_bytes(b"old")
    link.symlink_to(file)
    results.write(link, b"new")
    assert file.read_bytes() == b"new"
    assert link.is_symlink()
    reading, writing = os.pipe()
    results.write(Path(f"/dev/fd/{writing}"), b"through")
    assert os.read(reading, 100) == b"through"
    os.close(reading)
    os.close(writing)


def test_a_plan_in_words() -> None:
    step = plan.Step(name="a", path="/a?token=secret")
    shop = plan.Scenario(name="shop", weight=3, steps=(step, step, step))
    look = plan.Scenario(name="look", weight=1, steps=(step,))
    both = plan.Plan(base_url="https://a.test", scenarios=(shop, look), duration_ms=None, requests=5, users=3)
    found = results.describe(both, name="n", source="s.yaml")
    assert found.target == "https://a.test"
    assert found.model == "closed: 3 users, each begins again when it is done"
    assert found.kind == "closed"
    assert found.requests_an_iteration == 2.5
    assert found.steps == 4
    assert found.scenarios == ("shop", "look")
    one = results.describe(plan.Plan(base_url="https://a.test", scenarios=(look,)))
    assert one.target == "https://a.test/a"
    assert "secret" not in str(one)


def test_a_stopped_run_is_told_by_its_own_time() -> None:
    stopped = results.finished(
        results.decode_poll(running.poll(Stall(), at=3.0)), running.run_of(), results.Memory(), complete=False
    )
    assert stopped.duration_s == 3.0
    assert stopped.rate == pytest.approx(100.0)
    assert not stopped.complete
