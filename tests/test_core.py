"""The bindings: what Python sees of the histograms, and a process that confines itself."""

import math
import os
import random
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from chaffinch import _core

CAP = 1 << 20


def test_quantiles_are_within_a_bucket_of_the_sorted_list() -> None:
    chance = random.Random(5)
    values = sorted(int(chance.lognormvariate(15, 1)) for _ in range(5000))
    histograms = _core.Histograms(CAP, 4)
    label = histograms.label("GET /")
    for ns in values:
        histograms.record(label, ns)
    shares = [0.0, 0.5, 0.9, 0.99, 0.999, 1.0]
    for share, got in zip(shares, histograms.quantiles(label, shares), strict=True):
        exact = values[max(0, math.ceil(share * len(values)) - 1)]
        assert abs(got - exact) <= exact * 0.0079
    totals = histograms.totals(label)
    assert (totals.count, totals.sum, totals.min, totals.max) == (5000, sum(values), values[0], values[-1])
    assert totals.mean == pytest.approx(sum(values) / 5000)


def test_a_snapshot_merges_exactly_and_a_damaged_one_is_one_clear_error() -> None:
    one, two, both = (_core.Histograms(CAP, 8) for _ in range(3))
    for number in range(3000):
        for histograms in (one if number % 2 else two, both):
            histograms.record(histograms.label(f"step {number % 5}"), number * number, number % 7)
    merged = _core.Histograms(CAP, 8)
    merged.merge_bytes(one.to_bytes())
    merged.merge_bytes(two.to_bytes())
    shares = [share / 100 for share in range(101)]
    for label, name in both.labels():
        assert merged.quantiles(merged.label(name), shares) == both.quantiles(label, shares)
    data = both.to_bytes()
    for damaged in (b"", data[:-1], data[:40], data[:50] + b"x" + data[51:], b"{}"):
        with pytest.raises(ValueError, match="histogram snapshot"):
            merged.merge_bytes(damaged)


def test_labels_fold_visibly_at_the_bound() -> None:
    histograms = _core.Histograms(CAP, 10)
    for number in range(500):
        histograms.record(histograms.label(f"/item/{number}"), 1000)
    assert len(histograms.labels()) == 10
    assert histograms.folded_records == histograms.totals(0).count == 490
    assert abs(histograms.folded_labels - 490) < 50
    assert histograms.memory_bytes < histograms.cap_bytes == CAP
    histograms.fold(1)
    assert (histograms.folded_records, len(histograms.labels())) == (491, 9)
    histograms.reset()
    assert (histograms.folded_records, histograms.labels(), histograms.label("/item/3")) == (0, [], 4)
    histograms.clear()
    assert histograms.label("new") == 1


@pytest.mark.parametrize("cap", [0, 1000, 1 << 62])
def test_a_cap_that_cannot_be_is_refused(cap: int) -> None:
    with pytest.raises(ValueError, match=f"a cap of {cap} bytes"):
        _core.Histograms(cap, 10)


def test_threads_may_share_histograms() -> None:
    histograms = _core.Histograms(CAP, 4)
    label = histograms.label("x")

    def work() -> None:
        for number in range(2000):
            histograms.record(label, number)
            if number % 200 == 0:
                _core.Histograms(CAP, 4).merge_bytes(histograms.to_bytes())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert histograms.totals(label).count == 8000


def in_a_child(case: Callable[[], None]) -> None:
    """Run the case in a forked process, which gives its rights up for good."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            case()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_confined_process_writes_only_where_it_may(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    listener = socket.create_server(("127.0.0.1", 0))

    def case() -> None:
        applied = _core.confine([inside], allow_bind=True)
        assert applied.abi == _core.landlock_abi()
        assert bool(applied) == (applied.abi > 0)
        (inside / "file").write_text("kept")
        assert Path(__file__).read_text()
        if applied.abi >= 1:
            with pytest.raises(PermissionError):
                (tmp_path / "file").write_text("not kept")
        if applied.abi >= 4:
            assert str(applied) == f"{applied.abi}, no connect"
            with pytest.raises(PermissionError):
                socket.create_connection(listener.getsockname())
        socket.create_server(("127.0.0.1", 0)).close()

    with listener:
        in_a_child(case)
    assert (inside / "file").read_text() == "kept"
    assert not (tmp_path / "file").exists()


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    def case() -> None:
        if _core.landlock_abi():
            with pytest.raises(FileNotFoundError, match="nowhere"):
                _core.confine([str(tmp_path / "nowhere")])

    in_a_child(case)


def test_a_process_gives_up_its_privileges_and_takes_a_name() -> None:
    def case() -> None:
        if os.geteuid() == 0:
            assert _core.drop_bounding_set() > 30
        _core.drop_capabilities()
        _core.no_new_privs()
        _core.set_dumpable(False)
        _core.set_parent_death_signal(signal.SIGTERM)
        _core.set_process_name("chaffinch decoys")
        lines = Path("/proc/self/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert status["Name"] == "chaffinch decoy"
        assert status["CapEff"] == status["CapPrm"] == "0" * 16
        assert status["NoNewPrivs"] == "1"

    in_a_child(case)
