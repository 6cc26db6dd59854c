"""The intervals of any run in bounded memory."""

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.load import polls
from chaffinch.load.latencies import IntervalLatencies, Percentiles
from chaffinch.load.polls import Interval, Progress
from chaffinch.load.timeline import Timeline, join, thinned
from tests.load import running


def interval(number: int, requests: int = 1, p99: float | None = 1.0) -> Interval:
    of = None if p99 is None else Percentiles(p99=p99, max=p99)
    return Interval(
        n=number, at_s=float(number), seconds=1.0, requests=requests, failed=number % 2, errors={"status": number % 2},
        in_flight=number % 7, bytes_in=10, latency_ms=IntervalLatencies(of, None),
    )  # fmt: skip


def test_a_short_run_is_kept_as_it_was() -> None:
    timeline = Timeline()
    for number in range(10):
        fresh = timeline.add(polls.decode_progress(running.poll(at=number + 1.0, since=timeline.next)))
        assert [one.n for one in fresh] == [number]
    assert [one.n for one in timeline.intervals] == list(range(10))
    assert [one.requests for one in timeline.intervals][:4] == [100] * 4
    assert [one.asked for one in timeline.intervals] == [100] * 10
    assert timeline.missed == 0


def test_what_was_seen_is_not_taken_again_and_what_was_missed_is_counted() -> None:
    timeline = Timeline()
    timeline.add(Progress(intervals=(interval(0), interval(1))))
    timeline.add(Progress(intervals=(interval(1), interval(4))))
    assert [one.n for one in timeline.intervals] == [0, 1, 4]
    assert timeline.missed == 2
    assert timeline.next == 5


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 1000), st.none() | st.floats(0, 1e6)), max_size=300), st.integers(2, 20))
def test_nothing_is_lost_but_time(values: list[tuple[int, float | None]], most: int) -> None:
    timeline = Timeline(most)
    given_ = [interval(number, requests, p99) for number, (requests, p99) in enumerate(values)]
    for one in given_:
        timeline.add(Progress(intervals=(one,)))
    for kept in (timeline.intervals, thinned(given_, most)):
        assert len(kept) <= most
        assert sum(one.requests for one in kept) == sum(requests for requests, _ in values)
        assert sum(one.failed for one in kept) == sum(one.failed for one in given_)
        assert sum(one.errors.get("status", 0) for one in kept) == sum(one.failed for one in given_)
        assert sum(one.seconds for one in kept) == len(given_)
        assert sum(one.joined for one in kept) == len(given_)
        highest = [one.latency_ms.corrected.p99 for one in kept if one.latency_ms.corrected]
        assert max((one for one in highest if one is not None), default=None) == max(
            (p99 for _, p99 in values if p99 is not None), default=None
        )
        if kept:
            assert kept[-1].in_flight == given_[-1].in_flight
            assert max(max(one.in_flight, one.most_in_flight) for one in kept) == max(one.in_flight for one in given_)


def test_a_day_takes_no_more_memory_than_an_hour() -> None:
    timeline = Timeline()
    tracemalloc.start()
    try:
        for number in range(5_000):
            timeline.add(Progress(intervals=(interval(number),)))
        before = tracemalloc.get_traced_memory()[0]
        for number in range(5_000, 40_000):
            timeline.add(Progress(intervals=(interval(number),)))
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(timeline.intervals) <= 1000
    assert after < 1.5 * before + 100_000


def test_what_is_dropped_is_gone_and_the_rest_follows() -> None:
    timeline = Timeline(4)
    for number in range(100):
        timeline.add(Progress(intervals=(interval(number),)))
    assert timeline.drop() == len([0, 32, 64, 96])
    timeline.add(Progress(intervals=(interval(99), interval(100))))
    assert [one.n for one in timeline.intervals] == [100]
    assert timeline.intervals[0].joined == 1
    assert timeline.missed == 0


def test_two_neighbours_as_one() -> None:
    one = interval(1, 5, 2.0)
    other = Interval(n=2, at_s=2.0, seconds=0.5, requests=3, in_flight=9, asked=4.0)
    found = join(one, other)
    assert (found.n, found.at_s, found.seconds, found.requests, found.joined) == (1, 1.0, 1.5, 8, 2)
    assert found.asked is None
    assert found.latency_ms.corrected is not None
    assert found.latency_ms.corrected.p99 == 2.0
