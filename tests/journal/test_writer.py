"""The queue and its thread, with a sink that the test controls."""

import threading
import time
from collections.abc import Sequence

import pytest

from chaffinch.config import JournalSettings
from chaffinch.events import JournalLost, decode
from chaffinch.journal.appender import UnavailableError
from chaffinch.journal.writer import Writer, _fitting


class Sink:
    """Keeps what it is given; fails while `failing` is set; waits while `held` is."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.transactions = 0
        self.rests = 0
        self.failing: Exception | None = None
        self.held = threading.Event()
        self.held.set()

    def append(self, lines: Sequence[bytes]) -> bool:
        self.held.wait(10)
        if self.failing is not None:
            raise self.failing
        self.lines += lines
        self.transactions += 1
        return False

    def rest(self) -> None:
        self.rests += 1


def make(sink: Sink, **settings: float) -> Writer:
    return Writer(
        sink,
        JournalSettings(**settings),  # type: ignore[arg-type]
        gate=threading.RLock(),
        committed=lambda sealed: None,
        clock=lambda: 5,
    )


def wait_durable(writer: Writer) -> bool:
    done = threading.Event()
    outcome: list[bool] = []

    def call(durable: bool) -> None:
        outcome.append(durable)
        done.set()

    writer.when_durable(call)
    assert done.wait(5)
    return outcome[0]


def test_events_that_come_together_share_a_transaction() -> None:
    sink = Sink()
    writer = make(sink, flush_ms=50)
    for n in range(1000):
        writer.put([b"%d" % n])
    assert wait_durable(writer)
    assert sink.lines == [b"%d" % n for n in range(1000)]
    assert sink.transactions <= 3
    writer.close(1)


def test_a_lone_event_waits_no_longer_than_asked() -> None:
    sink = Sink()
    writer = make(sink, flush_ms=20)
    writer.put([b"x"])
    deadline = time.monotonic() + 2
    while not sink.lines:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    writer.close(1)


def test_a_flush_does_not_wait_for_company() -> None:
    sink = Sink()
    writer = make(sink, flush_ms=1000)
    began = time.monotonic()
    writer.put([b"x"])
    assert wait_durable(writer)
    assert time.monotonic() - began < 0.5
    writer.close(1)


def test_putting_never_waits_for_the_sink() -> None:
    sink = Sink()
    sink.held.clear()
    writer = make(sink, queue_events=5000)
    began = time.monotonic()
    for _ in range(10_000):
        writer.put([b"x"])
    assert time.monotonic() - began < 1
    assert writer.counts().lost == 5000
    sink.held.set()
    writer.close(5)
    assert sink.lines.count(b"x") == 5000
    told = [decode(line).fact for line in sink.lines if line != b"x"]
    assert sum(fact.count for fact in told if isinstance(fact, JournalLost)) == 5000


def test_the_bound_of_a_queue_can_change_while_events_wait() -> None:
    sink = Sink()
    sink.held.clear()
    writer = make(sink, queue_events=100)
    writer.put([b"x"] * 80)
    writer.limit_to(50, 1 << 20)
    writer.put([b"y"])
    assert (writer.counts().waiting, writer.counts().lost) == (80, 1), "what waits stays, more is lost"
    writer.limit_to(1000, 85)
    writer.put([b"z"] * 6)
    assert (writer.counts().waiting, writer.counts().lost) == (85, 2)
    sink.held.set()
    writer.close(5)
    assert (sink.lines.count(b"x"), sink.lines.count(b"y"), sink.lines.count(b"z")) == (80, 0, 5)


def test_it_says_when_more_than_half_of_what_may_wait_does() -> None:
    sink = Sink()
    sink.held.clear()
    writer = make(sink, queue_events=100)
    writer.put([b"x"] * 50)
    assert not writer.pressed
    writer.put([b"x"])
    assert writer.pressed
    writer.limit_to(1000, 1 << 20)
    assert not writer.pressed
    writer.put([bytes(600 << 10)])
    assert writer.pressed
    sink.held.set()
    assert wait_durable(writer)
    assert not writer.pressed
    writer.close(5)


def test_a_disk_that_takes_nothing_is_no_reason_for_fewer_events() -> None:
    """Then they are counted as lost, once they do not fit, as the journal's page says."""
    sink = Sink()
    sink.failing = UnavailableError("no", full=True)
    writer = make(sink, queue_events=10)
    writer.put([b"x"] * 9)
    until = time.monotonic() + 5
    while not writer.counts().full and time.monotonic() < until:
        time.sleep(0.01)
    assert not writer.pressed
    sink.failing = None
    writer.close(5)
    assert sink.lines.count(b"x") == 9


def test_close_drains() -> None:
    sink = Sink()
    writer = make(sink, flush_ms=1000)
    writer.put([b"x"] * 100)
    writer.close(5)
    assert len(sink.lines) == 100
    assert sink.rests == 1


def test_nobody_waits_forever_for_what_was_given_up() -> None:
    sink = Sink()
    sink.failing = UnavailableError("disk full", full=True)
    writer = make(sink)
    writer.put([b"x"])
    outcome: list[bool] = []
    writer.when_durable(outcome.append)
    writer.close(0.1)
    assert outcome == [False]
    assert not wait_durable(writer)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_loses_nothing_that_was_taken() -> None:
    sink = Sink()
    sink.failing = ZeroDivisionError()
    writer = make(sink, flush_ms=0)
    writer.put([b"a"])
    deadline = time.monotonic() + 5
    while not sink.rests:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    sink.failing = None
    time.sleep(0.05)
    writer.put([b"b"])
    assert wait_durable(writer)
    assert sink.lines == [b"a", b"b"]
    writer.close(1)


def test_fitting() -> None:
    assert _fitting([], 10) == 0
    assert _fitting([b"x" * 100, b"y"], 10) == 1
    assert _fitting([b"x" * 4] * 10, 10) == 3
    assert _fitting([b"x"] * 5, 10) == 5
