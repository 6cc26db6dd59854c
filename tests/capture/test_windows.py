"""Many packets become few events, and every one of them is counted in one."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.capture.packet import KINDS, Packet
from chaffinch.capture.windows import HOSTS_SHOWN, MANY, QUIET_NS, Windows
from chaffinch.config import CaptureSettings
from chaffinch.events import Event, PacketProbe, decode, encode
from chaffinch.network.addresses import to_number

SOURCE, HOST = to_number("10.0.0.9"), to_number("127.77.3.9")
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
PACKET = memoryview(bytes(64))
"""What a packet was parsed from: nothing in it says anything more."""


class Told:
    """Windows, and the facts that came of them."""

    def __init__(self, windows: int = 16, seconds: float = 10.0) -> None:
        self.events: list[Event] = []
        self.windows = Windows(self.events.append, CaptureSettings(windows=windows, window_seconds=seconds))

    def add(self, kind: str, *, source: int = SOURCE, address: int = HOST, number: int = 0, time: int = START) -> None:
        self.windows.add(Packet(kind, source, address, number), PACKET, time)

    @property
    def facts(self) -> list[PacketProbe]:
        return [event.fact for event in self.events if isinstance(event.fact, PacketProbe)]


def test_a_scan_of_all_ports_is_one_event() -> None:
    told = Told()
    for port in range(1, 65536):
        told.add("fin", number=port, time=START + port)
    told.windows.flush(START + 3 * SECOND)
    [event] = told.events
    [fact] = told.facts
    assert (event.source, event.address, event.time) == ("10.0.0.9", "127.77.3.9", START + 65535)
    assert (fact.of, fact.count, fact.ports, fact.ports_count) == ("fin", 65535, "1-65535", 65535)
    assert (fact.first, fact.last, fact.hosts, fact.sample) == (START + 1, START + 65535, 1, ("127.77.3.9",))
    assert decode(encode(event)) == event


def test_a_sweep_over_hosts_names_the_first_and_counts_all() -> None:
    told = Told()
    for low in range(300):
        told.add("arp", address=HOST + low)
    told.windows.close()
    [fact] = told.facts
    assert (fact.hosts, fact.ports_count, fact.ports, fact.types) == (300, 0, "", "")
    assert fact.sample[:2] == ("127.77.3.9", "127.77.3.10")
    assert len(fact.sample) == HOSTS_SHOWN


def test_types_of_icmp_and_protocols_are_no_ports() -> None:
    told = Told()
    for kind, number in (("icmp", 13), ("icmp", 17), ("ip", 47)):
        told.add(kind, number=number)
    told.windows.close()
    assert {fact.of: (fact.types, fact.ports, fact.ports_count) for fact in told.facts} == {
        "icmp": ("13,17", "", 0),
        "ip": ("47", "", 0),
    }


def test_a_window_ends_when_it_is_silent_or_old_or_the_clock_was_set_back() -> None:
    told = Told(seconds=10)
    told.add("udp")
    told.windows.flush(START + QUIET_NS - 1)
    assert told.facts == []
    told.windows.flush(START + QUIET_NS)
    assert [fact.count for fact in told.facts] == [1]
    for second in range(11):
        told.windows.flush(START + second * SECOND)
        told.add("udp", time=START + second * SECOND)
    assert [fact.count for fact in told.facts] == [1, 10]
    told.windows.flush(START - SECOND)
    assert [fact.count for fact in told.facts] == [1, 10, 1]


def test_sources_past_the_bound_are_counted_together() -> None:
    told = Told(windows=16)
    for number in range(5000):
        told.add("syn", source=number, number=80)
        told.add("echo", source=number)
    assert len(told.windows) <= 16 + len(KINDS)
    told.windows.close()
    many = [event for event in told.events if event.source == MANY]
    assert {event.address for event in many} == {MANY}
    assert sum(fact.count for fact in told.facts) == 10_000
    assert told.windows.folded == sum(event.fact.count for event in many if isinstance(event.fact, PacketProbe)) > 9_900
    assert told.windows.events == len(told.events) <= 16 + len(KINDS)


@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.integers(0, 40), st.integers(0, 65535), st.integers(0, 3 * SECOND)),
        max_size=300,
    )
)
@settings(deadline=None)
def test_every_packet_is_in_one_record(packets: list[tuple[str, int, int, int]]) -> None:
    told, time = Told(), START
    for turn, (kind, source, number, later) in enumerate(packets):
        time += later
        told.add(kind, source=source, number=number, time=time)
        if turn % 7 == 0:
            told.windows.flush(time)
    told.windows.close()
    assert sum(fact.count for fact in told.facts) == len(packets) == told.windows.counted
    assert len(told.windows) == 0
    for fact in told.facts:
        assert fact.first <= fact.last
        assert 1 <= fact.hosts <= fact.count
    by_kind = {
        kind: list(rows) for kind, rows in itertools.groupby(sorted(told.facts, key=lambda f: f.of), lambda f: f.of)
    }
    for kind, rows in by_kind.items():
        assert sum(fact.count for fact in rows) == sum(kind == one[0] for one in packets)
