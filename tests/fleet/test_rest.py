"""A group gives memory back when it took some and rests, and not before."""

from collections.abc import Iterable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.fleet.rest import REST_SECONDS, REST_SHARE, WORTH_BYTES, Rest
from tests.fleet.running import config_file, eventually, plug_in, running

BUSY, QUIET = 0.9, 0.01
SMALL, LARGE = 10 << 20, 40 << 20


def due(seconds: Iterable[tuple[float, int]]) -> list[int]:
    """When it was due, of a process that used so much of each second and held so many bytes at its end."""
    rest, cpu, found = Rest(0.0, 0.0), 0.0, []
    for second, (used, held) in enumerate(seconds, start=1):
        cpu += used
        if rest.is_due(float(second), cpu, held):
            found.append(second)
    return found


def test_once_after_it_took_memory_and_rests() -> None:
    assert due([(BUSY, SMALL)] * 5 + [(BUSY, LARGE)] * 55 + [(QUIET, LARGE)] * 60) == [60 + int(REST_SECONDS)]


def test_each_time() -> None:
    once = [(BUSY, LARGE)] * 20 + [(QUIET, LARGE)] * 20 + [(QUIET, SMALL)]
    assert len(due([(QUIET, SMALL), *once * 3])) == 3


def test_never_while_it_works_or_when_it_took_nothing() -> None:
    assert due([(BUSY, SMALL)] * 10 + [(BUSY, LARGE)] * 300) == []
    assert due([(QUIET, SMALL)] * 300) == []
    assert due([(QUIET, SMALL)] * 10 + [(QUIET, SMALL + WORTH_BYTES - 1)] * 300) == []


@given(st.lists(st.tuples(st.floats(min_value=0, max_value=1), st.integers(SMALL, LARGE)), max_size=200))
def test_whatever_it_does(seconds: list[tuple[float, int]]) -> None:
    for second in due(seconds):
        assert second >= REST_SECONDS
        assert all(used <= REST_SHARE + 1e-9 for used, _ in seconds[second - int(REST_SECONDS) : second])


HOARDER = """
import asyncio

async def run(context):
    held = [bytes(1000) for _ in range(20_000)]
    small = [bytes(1000) for _ in range(20)]  # above: what lies below it stays with the C library
    await asyncio.sleep(1.5)
    del held
    await context.stopping.wait()
"""


def test_what_a_worker_freed_goes_back_when_its_group_rests(tmp_path: Path) -> None:
    environment = plug_in(tmp_path, "hoarder", HOARDER, "workers")
    file = config_file(tmp_path, "[fleet]\nworkers = ['hoarder']\n")
    with running(tmp_path / "state", "--groups", "split", "--config", str(file), environment=environment) as fleet:
        eventually(lambda: fleet.group("hoarder")["private_bytes"] > 22_000_000)
        eventually(lambda: fleet.group("hoarder")["private_bytes"] < 9_000_000, seconds=30)
        assert fleet.group("hoarder")["restarts"] == 0
