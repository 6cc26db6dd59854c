"""A ring gives each packet once, in order, to whichever reader comes."""

import pytest

from chaffinch.capture.reader import LATEST_SECONDS, SOONEST_SECONDS, TURN_PACKETS, Reader
from chaffinch.capture.windows import Windows
from chaffinch.config import CaptureSettings
from chaffinch.events import Event
from tests.capture.machine import ipv4, tcp
from tests.capture.rings import FilledRing

SYN = bytes(12) + b"\x08\0" + ipv4("10.0.0.9", "127.77.3.9", 6, tcp(81, 2))


def test_packets_come_in_order_with_their_time() -> None:
    ring = FilledRing()
    reader = ring.reader()
    for number in range(5 * ring.frames):
        assert ring.put(b"%d" % number, seconds=number, nanoseconds=7)
        if number % 3 == 2:
            assert [(bytes(data), at) for data, at in reader.read(99)] == [
                (b"%d" % one, one * 1_000_000_000 + 7) for one in range(number - 2, number + 1)
            ]
    assert ring.dropped == 0


def test_a_turn_ends_where_it_is_told_to() -> None:
    ring = FilledRing()
    for number in range(10):
        ring.put(b"%d" % number)
    reader = ring.reader()
    assert [bytes(data) for data, _ in reader.read(4)] == [b"0", b"1", b"2", b"3"]
    assert len(list(reader.read(99))) == 6


def test_a_reader_goes_on_where_the_last_one_was() -> None:
    ring = FilledRing()
    for number in range(ring.frames + 10):
        ring.put(b"%d" % number)
    assert ring.dropped == 10
    assert len(list(ring.reader().read(100))) == 100
    ring.put(b"last")
    rest = [bytes(data) for data, _ in ring.reader().read(1000)]
    assert rest == [b"%d" % number for number in range(100, ring.frames)] + [b"last"]


def test_a_packet_that_made_its_reader_fail_is_not_read_again() -> None:
    ring = FilledRing()
    ring.put(b"bad")
    ring.put(b"good")
    with pytest.raises(ZeroDivisionError):
        [1 // 0 for _ in ring.reader().read(9)]
    assert [bytes(data) for data, _ in ring.reader().read(9)] == [b"good"]


def test_what_waits_is_counted_wherever_its_reader_is() -> None:
    ring = FilledRing()
    one = ring.reader()
    assert one.waiting() == 0
    for number in range(ring.frames + 10):
        ring.put(b"%d" % number)
        if number % 2:
            list(one.read(1))
    assert one.waiting() == ring.frames + 10 - (ring.frames + 10) // 2
    list(ring.reader().read(10_000))
    assert one.waiting() == 0


def test_what_found_no_room_is_told_once() -> None:
    ring = FilledRing()
    first, supervisor = ring.reader(), ring.reader()
    supervisor.add_dropped(3)
    assert (first.dropped(), first.dropped()) == (3, 0)
    supervisor.add_dropped(4)
    assert ring.reader().dropped() == 4


def test_a_flood_leaves_the_processor_to_others() -> None:
    ring, events = FilledRing(blocks=4), list[Event]()
    windows = Windows(events.append, CaptureSettings())
    reader = Reader(ring.reader(), windows, share=0.25)
    while ring.put(SYN):
        pass
    wait = reader.turn()
    assert reader.seen == TURN_PACKETS
    assert wait > 0
    reader.drain()
    assert reader.seen == ring.frames == windows.counted


def test_an_empty_ring_is_looked_into_less_often() -> None:
    ring = FilledRing()
    reader = Reader(ring.reader(), Windows(lambda _: None, CaptureSettings()), share=0.25)
    waits = [reader.turn() for _ in range(8)]
    assert waits == sorted(waits)
    assert waits[-1] == LATEST_SECONDS
    ring.put(SYN)
    assert reader.turn() == SOONEST_SECONDS


def test_what_is_no_packet_is_counted() -> None:
    ring = FilledRing()
    windows = Windows(lambda _: None, CaptureSettings())
    reader = Reader(ring.reader(), windows, share=1)
    for data in (SYN, SYN[:20], b"", SYN):
        ring.put(data)
    reader.turn()
    assert (reader.seen, reader.malformed, windows.counted) == (4, 2, 2)


def test_a_closed_ring_gives_its_memory_back() -> None:
    ring = FilledRing()
    reader = ring.reader()
    reader.close()
    assert ring.memory.closed
    assert ring.page.closed
