"""The file of intervals has whole rows, whatever happens to the process or the disk."""

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaffinch.errors import RunError
from chaffinch.load import polls
from chaffinch.load.latencies import IntervalLatencies, Percentiles
from chaffinch.load.polls import Interval
from chaffinch.load.report.csv import COLUMNS, IntervalFile, row
from tests.load import running

FULL = Interval(
    n=7, at_s=7.0, seconds=0.5, requests=50, failed=3, errors={"timeout": 2, "new": 1}, in_flight=4, bytes_in=999,
    latency_ms=IntervalLatencies(Percentiles(1.25, 2.0, 3.0, 4.0, 5.0, 6.123456789), None), asked=51.0,
)  # fmt: skip


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def test_a_row_has_everything_of_its_interval(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    with IntervalFile(file) as intervals:
        assert intervals.write([FULL, Interval()]) is None
        assert len(rows_of(file)) == 2, "rows are there at once"
    first, empty = rows_of(file)
    assert tuple(first) == COLUMNS
    assert first["interval"] == "7"
    assert first["rate"] == "100"
    assert first["asked_rate"] == "102"
    assert first["corrected_p50_ms"] == "1.25"
    assert first["corrected_max_ms"] == "6.123457"
    assert first["uncorrected_p50_ms"] == ""
    assert first["error_timeout"] == "2"
    assert first["error_other"] == "1"
    assert first["in_flight"] == "4"
    assert empty["rate"] == ""
    assert empty["requests"] == "0"


def test_each_row_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    real = os.write

    def write(file: int, data: bytes) -> int:
        written.append(data)
        return real(file, data)

    monkeypatch.setattr("os.write", write)
    with IntervalFile(tmp_path / "a.csv") as intervals:
        intervals.write(polls.decode_progress(running.poll()).intervals)
    assert len(written) == 11
    assert all(data.endswith(b"\n") and data.count(b"\n") == 1 for data in written)


def test_a_killed_run_leaves_whole_rows(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    code = (
        "import sys, pathlib\n"
        "from chaffinch.load.report.csv import IntervalFile\n"
        "from chaffinch.load.polls import Interval\n"
        "out = IntervalFile(pathlib.Path(sys.argv[1]))\n"
        "number = 0\n"
        "while True:\n"
        "    out.write([Interval(n=number, at_s=float(number), seconds=1.0, requests=number)])\n"
        "    number += 1\n"
        "    if number % 100 == 0: print(number, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE, text=True) as writing:
        assert writing.stdout is not None
        for _ in range(20):
            told = int(writing.stdout.readline())
        time.sleep(0.013)
        writing.kill()
    text = file.read_text()
    assert text.endswith("\n")
    rows = rows_of(file)
    assert len(rows) >= told
    assert [one["interval"] for one in rows] == [str(number) for number in range(len(rows))]
    assert all(one["error_other"] == "0" for one in rows)


def test_a_full_disk_is_told_once_and_counted() -> None:
    with IntervalFile(Path("/dev/full")) as intervals:
        said = [intervals.write([FULL]), intervals.write([FULL, FULL])]
        assert intervals.lost == 3
        assert intervals.written == 0
    assert said == [
        "/dev/full takes no more intervals (No space left on device): those that it lacks are counted",
        None,
    ]


def test_a_disk_that_takes_half_a_row_keeps_none_of_it_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """A limit on the file's size stands for the disk: the write that reaches it is cut short."""
    file = tmp_path / "a.csv"
    code = (
        "import resource, sys, pathlib\n"
        "from chaffinch.load.report.csv import IntervalFile\n"
        "from chaffinch.load.polls import Interval\n"
        "out = IntervalFile(pathlib.Path(sys.argv[1]))\n"
        "room = pathlib.Path(sys.argv[1]).stat().st_size\n"
        "def limit(n): resource.setrlimit(resource.RLIMIT_FSIZE, (n, resource.RLIM_INFINITY))\n"
        "limit(room + 250)\n"
        "said = [out.write([Interval(n=number)]) for number in range(10)]\n"
        "limit(resource.RLIM_INFINITY)\n"
        "said += [out.write([Interval(n=number)]) for number in range(10, 12)]\n"
        "print(out.written, out.lost, sum(one is not None for one in said))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    written, lost, said = map(int, ran.stdout.split())
    rows = rows_of(file)
    assert written == len(rows)
    assert (lost, said) == (12 - written, 1)
    assert 3 <= written < 12
    assert [one["interval"] for one in rows][-2:] == ["10", "11"]
    assert all(one["error_other"] == "0" for one in rows)


def test_a_file_that_had_no_room_for_its_heads_gets_them_with_the_first_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.csv"
    with monkeypatch.context() as full:
        full.setattr("os.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        intervals = IntervalFile(file)
        assert "No space left" in (intervals.write([FULL]) or "")
    intervals.write([FULL])
    intervals.close()
    intervals.close()
    assert [one["interval"] for one in rows_of(file)] == ["7"]


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot be written \(No such file or directory\): name a file that can"):
        IntervalFile(tmp_path / "no" / "a.csv")


def test_every_column_is_a_number_or_empty() -> None:
    assert all(cell == "" or float(cell) >= 0 for cell in row(FULL).strip().split(","))
