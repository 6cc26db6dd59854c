"""The fleet's log: bounded in bytes and in lines a second, by whichever process writes."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.fleet.log_file import BEFORE, BURST, MOST_LINE, RATE, LogFile
from tests.fleet.running import config_file, eventually, plug_in, running
from tests.fleet.test_deeds import since
from tests.fleet.test_fleet import ping

MOST = 100_000


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[LogFile]:
    made = LogFile(tmp_path / "x.log", MOST, clock)
    yield made
    made.close()


def say(log: LogFile, text: str) -> None:
    log.handle(logging.LogRecord("x", logging.INFO, "x.py", 1, "%s", (text,), None))


def lines(folder: Path) -> list[str]:
    return (folder / "x.log").read_text(encoding="utf-8").splitlines()


def test_lines_past_the_rate_are_counted(tmp_path: Path, log: LogFile, clock: Clock) -> None:
    for number in range(BURST + 50):
        say(log, str(number))
    assert lines(tmp_path) == [str(number) for number in range(BURST)]
    clock.now += 2 / RATE
    say(log, "later")
    assert lines(tmp_path)[BURST:] == [
        f"log.left_out pid={os.getpid()} lines=50 why=they were more than {RATE:g} a second",
        "later",
    ]


def test_the_last_word_is_what_was_not_written(tmp_path: Path, log: LogFile) -> None:
    for number in range(BURST + 7):
        say(log, str(number))
    log.close()
    assert "lines=7 " in lines(tmp_path)[-1]


def test_it_begins_anew_at_its_size_and_keeps_what_it_held(tmp_path: Path, log: LogFile, clock: Clock) -> None:
    for number in range(400):
        clock.now += 1
        say(log, f"{number} {'x' * 1000}")
        sizes = [(tmp_path / name).stat().st_size for name in ("x.log", f"x.log{BEFORE}")]
        assert max(sizes) < MOST + 2000
    kept = (tmp_path / f"x.log{BEFORE}").read_text(encoding="utf-8").splitlines() + lines(tmp_path)
    numbers = [int(line.split(" ")[0]) for line in kept]
    assert numbers == list(range(numbers[0], 400)), "between the two files nothing is missing"
    assert len(numbers) > 90


def test_a_long_line_loses_its_middle(tmp_path: Path, log: LogFile) -> None:
    say(log, "a" + "\udce4" * 5 + "m" * (2 * MOST_LINE) + "z")
    text = (tmp_path / "x.log").read_text(encoding="utf-8")
    assert text.startswith("a\\udce4")
    assert text.endswith("mz\n")
    assert len(text) < MOST_LINE + 200
    assert " characters ..." in text


def test_who_may_read_it(tmp_path: Path, log: LogFile) -> None:
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("x.log", f"x.log{BEFORE}")} == {0o600}


def test_nobody_waits_for_a_pipe_that_nobody_reads(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    made = LogFile(tmp_path / "x.log", MOST, echo=writing)
    for number in range(45):
        say(made, f"{number} {'x' * 2000}")
    assert lines(tmp_path)[-1].startswith("44 ")
    assert os.read(reading, 100).startswith(b"0 xxx")
    made.close()
    os.close(reading)
    os.close(writing)


FLOODS = """
import asyncio, logging


async def run(context):
    while not context.stopping.is_set():
        for number in range(2000):
            logging.getLogger("mule").error("flood %d %s", number, "x" * 500)
        await asyncio.sleep(0.01)
"""


def test_a_worker_that_fills_the_log(tmp_path: Path) -> None:
    environment = plug_in(tmp_path, "mule", FLOODS, "workers")
    file = config_file(tmp_path, "[fleet]\nworkers = ['mule']\nlog_bytes = 100_000\n")
    with running(tmp_path / "state", "--config", str(file), environment=environment) as fleet:
        neighbours = since(fleet)
        eventually((tmp_path / "state" / f"fleet.log{BEFORE}").read_bytes)
        eventually(lambda: "log.left_out" in fleet.call("logs", "-n", "500").stdout)
        assert ping(fleet) == b"+PONG\r\n"
        for name in ("fleet.log", f"fleet.log{BEFORE}"):
            assert (tmp_path / "state" / name).stat().st_size < 300_000
        assert since(fleet) == neighbours
        assert len(fleet.call("logs", "-n", "120").stdout.splitlines()) == 120
        assert fleet.stop() == 0
