"""Bounds of a group that follow from its share: in its process, in a fleet that runs, and across a reload."""

import contextlib
import logging
import re
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaffinch import config as configuration
from chaffinch.config import Config
from chaffinch.decoys.fitting import FITTED, fitted, value
from chaffinch.decoys.registry import BUILT_IN
from chaffinch.fleet import budget, workers
from chaffinch.fleet.bounded import Bounded
from tests.fleet.reloading import Reloadable, reloadable
from tests.fleet.running import Fleet, eventually, running

MIB = 1 << 20
GROUPS = workers.arrange(workers.table(BUILT_IN), "default")


def share(memory: int, name: str = workers.DECOYS) -> budget.Part:
    return next(part for part in budget.divide(memory * MIB, GROUPS).parts if part.name == name)


def derived(memory: int) -> dict[str, int]:
    """What a group of all decoys goes by in the default groups."""
    part = share(memory)
    config = fitted(Config(), part.share_bytes - part.idle_bytes, BUILT_IN)
    return {path: value(config, path) for path in FITTED}


def test_without_a_share_or_without_strangers_nothing_changes() -> None:
    config = Config()
    assert Bounded("decoys").under(config, GROUPS["decoys"], 0) is config
    assert Bounded("back").under(config, GROUPS["back"], share(128, "back").share_bytes) is config


def test_what_is_derived_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bounded, size = Bounded("decoys"), share(128).share_bytes
    for _ in range(3):
        lowered = bounded.under(Config(), GROUPS["decoys"], size)
    assert {path: value(lowered, path) for path in FITTED} == derived(128)
    assert lowered.decoys.sessions < 10_000
    (said,) = caplog.messages
    assert said.startswith("bounds.fitted group=decoys journal.queue_events=20000 ")
    assert f" decoys.sessions={lowered.decoys.sessions} share={size} idle=14800000 left=" in said
    bounded.under(Config(), GROUPS["decoys"], 2 * size)
    assert len(caplog.messages) == 2, "another share is said, too"


def test_what_cannot_fit_is_one_sentence_with_the_arithmetic(caplog: pytest.LogCaptureFixture) -> None:
    config = configuration.load(None, {"decoys.sessions": 20_000}, {})
    assert Bounded("decoys").under(config, GROUPS["decoys"], share(128).share_bytes).decoys.sessions == 20_000
    (said,) = (one.message for one in caplog.records if one.levelno == logging.WARNING)
    found = re.fullmatch(
        r"bounds\.too_large group=decoys why=its share of 79\.5 MB does not hold whatever comes, which is "
        r"([0-9.]+) MB: 14\.8 MB idle and ([0-9.]+) MB that visitors can take and the guard does not give up; "
        r"lower what is given \(decoys\.sessions = 20,000\), or give the group ([0-9.]+) MB more with --memory",
        said,
    )
    assert found, said
    needed, left, more = map(float, found.groups())
    assert needed == pytest.approx(14.8 + left, abs=0.11) == pytest.approx(79.5 + more, abs=0.11)
    caplog.clear()
    Bounded("decoys").under(Config(), GROUPS["decoys"], share(64).share_bytes)
    assert "give the group 34.5 MB more with --memory" in caplog.text
    assert "lower what is given" not in caplog.text


# In a fleet -------------------------------------------------------------------------------------------------------


@pytest.fixture
def descriptors() -> Iterator[None]:
    """As many as 3,000 connections take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4000:
        pytest.skip(f"this process may have {hard} descriptors, and 3,000 connections need 4,000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connected(fleet: Fleet, count: int, held: contextlib.ExitStack) -> None:
    """Connections that say nothing, from as many sources."""
    places = [fleet.endpoint(service) for service in ("telnet", "redis", "ssh", "http")]
    for number in range(count):
        one = held.enter_context(socket.socket())
        one.settimeout(10)
        one.bind((f"127.3.{number >> 8}.{number & 255}", 0))
        one.connect(places[number % len(places)])


def pong(fleet: Fleet) -> bytes:
    with fleet.connect("redis") as one:
        one.sendall(b"PING\r\n")
        return one.recv(100)


def said(fleet: Fleet, name: str = "bounds.fitted") -> list[str]:
    return [line for line in fleet.call("logs", "--lines", "1000").stdout.splitlines() if name in line]


def sessions(fleet: Fleet) -> int:
    """How many may be open, as the group said last."""
    found = re.search(r"decoys\.sessions=(\d+)", said(fleet)[-1])
    assert found
    return int(found[1])


@pytest.mark.usefixtures("descriptors")
def test_many_idle_connections_stay_within_the_share_and_newcomers_are_answered(tmp_path: Path) -> None:
    with running(tmp_path, "--memory", "112M") as fleet, contextlib.ExitStack() as held:
        most = derived(112)["decoys.sessions"]
        assert sessions(fleet) == most < 1500
        peak: list[int] = []
        for _ in range(6):
            connected(fleet, 500, held)
            peak.append(fleet.group("decoys")["private_bytes"])
            assert pong(fleet) == b"+PONG\r\n"
        eventually(lambda: fleet.status()["sessions_seen"] == 3006)
        status: Any = eventually(lambda: (now := fleet.status())["sessions_open"] <= most and now)
        assert status["sessions_open"] > most // 2
        time.sleep(1.2)  # the next beat
        group = fleet.group("decoys")
        assert max(*peak, group["private_bytes"]) < group["budget_bytes"] == share(112).share_bytes
        assert (group["restarts"], group["given_up"], status["journal_lost"]) == (0, [], 0)
        rows = [row for row in fleet.events() if row["kind"] == "session.closed"]
        assert sum(row["reason"] == "evicted" for row in rows) >= 3000 - most
        assert pong(fleet) == b"+PONG\r\n"
    assert not said(fleet, "bounds.too_large")


@pytest.mark.usefixtures("descriptors")
def test_bounds_follow_a_budget_that_changes_and_what_the_file_gives(tmp_path: Path) -> None:
    with reloadable(tmp_path, "[fleet]\nmemory = '112M'\n") as fleet, contextlib.ExitStack() as held:
        first, pids, since = sessions(fleet), fleet.pids(), fleet.since()
        assert first == derived(112)["decoys.sessions"]
        connected(fleet, first - 100, held)
        eventually(lambda: fleet.status()["sessions_open"] == first - 100)
        fleet.reload("[fleet]\nmemory = '160M'\n")
        assert sessions(fleet) == derived(160)["decoys.sessions"] > first
        fleet.reload("[fleet]\nmemory = '103M'\n")
        fewer = sessions(fleet)
        assert fewer == derived(103)["decoys.sessions"] < first - 100
        eventually(lambda: fleet.status()["sessions_open"] == fewer)
        assert pong(fleet) == b"+PONG\r\n"
        assert (fleet.pids(), fleet.since()) == (pids, since), "nothing began anew for that"
        _given(fleet)
        assert fleet.pids() == pids


def _given(fleet: Reloadable) -> None:
    """What the file gives holds, also the default; and follows from the budget again once it is taken out."""
    fleet.reload("[fleet]\nmemory = '103M'\n[decoys]\nsessions = 10000\n")
    assert sessions(fleet) == 10_000
    assert "lower what is given (decoys.sessions = 10,000)" in said(fleet, "bounds.too_large")[-1]
    fleet.reload("[fleet]\nmemory = '103M'\n")
    assert sessions(fleet) == derived(103)["decoys.sessions"]
