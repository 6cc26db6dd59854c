"""The programs that give packets their host's look, run by the kernel on frames that never were on a network."""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.config import Config, NetworkSettings
from chaffinch.fleet import assemble
from chaffinch.network.addresses import Prefix, parse_prefix, to_number, to_text
from chaffinch.network.netns import builder, classifiers
from chaffinch.network.netns.looks import kernel
from chaffinch.network.netns.looks.arriving import arriving
from chaffinch.network.netns.looks.assembly import Assembly
from chaffinch.network.netns.looks.attach import attach
from chaffinch.network.netns.looks.choosing import PASS
from chaffinch.network.netns.looks.leaving import leaving
from chaffinch.network.netns.looks.wanted import BucketRange, Looks, looks
from chaffinch.network.plan import Plan
from chaffinch.network.syn import HIDDEN_TIMESTAMPS, TIMESTAMPS
from chaffinch.personas.placement import BUCKETS
from chaffinch.personas.systems import Stack
from tests.network import frames
from tests.network.frames import ICMP, SOURCE, TCP, look, message, options, read, segment
from tests.network.lan import needs_root

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7
MSS, SACK, STAMPS = (2, b"\x05\xb4"), (4, b""), (TIMESTAMPS, bytes(range(8)))
LINUX_SYN = options(MSS, SACK, STAMPS, 1, (3, b"\x07"))
LINUX_ANSWER = options(MSS, 1, 1, SACK, 1, (3, b"\x08"))
WINDOWS_ANSWER = options(MSS, 1, (3, b"\x08"), 1, 1, SACK)


def plan_of(seed: bytes = b"looks") -> Plan:
    return assemble.describe(
        Config(network=NetworkSettings(mode="netns", hosts=("10.66.0.0/16",), port_offset=0)), seed
    ).plan


PLAN = plan_of()


def hosts(manner: str, count: int) -> list[str]:
    placed = PLAN.placement
    found = (to_text(one) for one in PLAN.addresses() if placed.slot(one).make.system.stack.manner == manner)
    return [next(found) for _ in range(count)]


WINDOWS, LINUX = hosts("windows", 3), hosts("linux", 3)


REDIRECT = 7
"""`TC_ACT_REDIRECT`: it goes back."""


class Programs:
    """Both, loaded."""

    def __init__(self, wanted: Looks) -> None:
        self._counters = kernel.array(BUCKETS)
        self.arriving = kernel.load(arriving(wanted), "arriving")
        self._leaving = kernel.load(leaving(wanted, self._counters), "leaving")

    def arrive(self, frame: bytes) -> bytes:
        returned, made, _ = kernel.run(self.arriving, frame)
        assert returned == PASS
        return made

    def leave(self, frame: bytes) -> bytes:
        returned, made, _ = kernel.run(self._leaving, frame)
        assert returned == PASS
        return made

    def close(self) -> None:
        for descriptor in (self._counters, self.arriving, self._leaving):
            os.close(descriptor)


@pytest.fixture(scope="module")
def programs() -> Iterator[Programs]:
    loaded = Programs(looks(PLAN))
    yield loaded
    loaded.close()


# Which hosts


@pytest.mark.parametrize("seed", [b"looks", b"a", b"another"])
def test_ranges_are_the_hosts_that_are_not_linux_ascending_and_apart(seed: bytes) -> None:
    plan = plan_of(seed)
    placement = plan.placement
    ranges = looks(plan).ranges
    assert ranges
    ends = [end for one in ranges for end in (one.start, one.end)]
    assert ends == sorted(set(ends))
    for bucket in range(BUCKETS):
        stack = placement.slot_of(bucket).make.system.stack
        wanted = None if stack.manner == "linux" else stack
        assert next((one.stack for one in ranges if one.start <= bucket < one.end), None) == wanted


# Writing programs


def test_a_jump_to_nowhere_and_a_place_twice_are_faults() -> None:
    code = Assembly()
    code.jump("nowhere")
    with pytest.raises(KeyError):
        code.packed()
    code.place("here")
    with pytest.raises(ValueError, match="the place 'here' is there twice"):
        code.place("here")


def test_jumps_go_as_far_as_the_places_are() -> None:
    code = Assembly()
    code.branch(1, "==", 5, "end")
    code.place("begin")
    code.jump("begin")
    code.place("end")
    code.leave(PASS)
    packed = code.packed()
    assert [packed[at + 2 : at + 4] for at in (0, 8)] == [(1).to_bytes(2, "little"), b"\xff\xff"]


@pytest.mark.root
@needs_root
def test_what_the_kernel_refuses_is_said_in_its_words() -> None:
    code = Assembly()
    code.alu64("mov", 1, "r9")  # which holds nothing
    code.leave(PASS)
    with pytest.raises(OSError, match="R9 !read_ok"):
        kernel.load(code.packed(), "wrong")


@pytest.mark.root
@needs_root
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 0xFFFFFFFF), st.binary(min_size=1, max_size=8))
def test_the_kernel_finds_the_range_that_python_finds(address: int, seed: bytes) -> None:
    placement = plan_of(seed).placement
    bucket = placement.mixer.bucket(address)
    stack, here = Stack(ttl=99, manner="windows"), Prefix(address, address, 32)
    only = Looks((here,), (), placement.mixer.steps, (BucketRange(bucket, bucket + 1, stack),))
    other = Looks((here,), (), placement.mixer.steps, (BucketRange(bucket + 1, bucket + 2, stack),))
    excluded = msgspec.structs.replace(only, excluded=(address,))
    beside = msgspec.structs.replace(only, prefixes=(Prefix(address ^ 1, address ^ 1, 32),))
    sent = message(to_text(address), SOURCE, 3, 3, bytes(28))
    for wanted, ttl in ((only, 99), (other, 64), (excluded, 64), (beside, 64)):
        programs = Programs(wanted)
        try:
            assert read(programs.leave(sent)).ttl == ttl
        finally:
            programs.close()


# What comes in


@pytest.mark.root
@needs_root
def test_a_windows_host_is_not_asked_for_timestamps_and_ecn_and_the_syn_stays_readable(programs: Programs) -> None:
    sent = segment(SOURCE, WINDOWS[0], SYN | ECE | CWR, LINUX_SYN)
    came = programs.arrive(sent)
    packet = read(came)
    assert packet.flags == SYN
    assert frames.kinds(packet.options) == [2, 4, HIDDEN_TIMESTAMPS, 1, 3]
    assert look(came) == look(sent)
    assert look(came).options == ("mss", "sok", "ts", "nop", "ws")


@pytest.mark.root
@needs_root
def test_other_hosts_and_other_packets_come_as_they_are(programs: Programs) -> None:
    for sent in (
        segment(SOURCE, LINUX[0], SYN | ECE | CWR, LINUX_SYN),
        segment(SOURCE, WINDOWS[0], ACK, options(1, 1, STAMPS), data=b"GET /"),
        segment(SOURCE, WINDOWS[0], SYN | ACK, LINUX_SYN),
        message(SOURCE, WINDOWS[0], 8, 9, b"ping"),
        frames.frame(SOURCE, WINDOWS[0], 17, b"\x00\x35\x00\x35\x00\x0cabcd"),
    ):
        assert programs.arrive(sent) == sent


OPTION = st.one_of(
    st.just(1),
    st.just(STAMPS),
    st.just(SACK),
    st.tuples(st.integers(2, 255).filter(lambda kind: kind != HIDDEN_TIMESTAMPS), st.binary(max_size=12)),
)


@pytest.mark.root
@needs_root
@settings(max_examples=300, deadline=None)
@given(said=st.lists(OPTION, max_size=12), flags=st.sampled_from([SYN, SYN | ECE | CWR, SYN | PSH]))
def test_whatever_a_syn_says_only_timestamps_change(
    programs: Programs, said: list[tuple[int, bytes] | int], flags: int
) -> None:
    while len(options(*said)) > 40:
        said = said[:-1]
    came = programs.arrive(segment(SOURCE, WINDOWS[1], flags, options(*said), data=b"early"))
    hidden = [
        (HIDDEN_TIMESTAMPS, one[1]) if isinstance(one, tuple) and one[0] == TIMESTAMPS and len(one[1]) == 8 else one
        for one in said
    ]
    assert came == segment(SOURCE, WINDOWS[1], flags & ~(ECE | CWR), options(*hidden), data=b"early")


@pytest.mark.root
@needs_root
@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=90), is_tcp=st.booleans(), first=st.sampled_from([0x45, 0x46, 0x4F, 0x40, 0x60]))
def test_no_packet_is_too_odd(programs: Programs, body: bytes, is_tcp: bool, first: int) -> None:
    """Cut, with lengths that lie, with options of IPv4: it goes on or back, and is not longer than it was."""
    sent = bytearray(frames.frame(SOURCE, WINDOWS[0], TCP if is_tcp else ICMP, body))
    sent[14] = first
    returned, made, _ = kernel.run(programs.arriving, bytes(sent))
    assert returned in (PASS, REDIRECT)
    assert len(made) <= len(sent)
    sent[26:30], sent[30:34] = sent[30:34], sent[26:30]
    assert len(programs.leave(bytes(sent))) == len(sent)


def served(port: int) -> tuple[str, str]:
    """A Windows host that runs it, and one that does not."""
    placed = PLAN.placement
    some = [one for one in PLAN.addresses() if placed.slot(one).make.system.stack.manner == "windows"]
    return (
        next(to_text(one) for one in some if placed.serves(one, port)),
        next(to_text(one) for one in some if not placed.serves(one, port)),
    )


NULL, XMAS, T3 = 0, FIN | PSH | URG, SYN | FIN | PSH | URG


@pytest.mark.root
@needs_root
@pytest.mark.parametrize("flags", [NULL, FIN, XMAS, T3, SYN | FIN])
@pytest.mark.parametrize("data", [b"", b"odd"])
def test_a_windows_host_resets_what_is_odd_on_its_ports(programs: Programs, flags: int, data: bytes) -> None:
    runs, runs_not = served(80)
    returned, made, _ = kernel.run(
        programs.arriving, segment(SOURCE, runs, flags, LINUX_SYN, sequence=2**32 - 2, data=data)
    )
    answer = read(made)
    assert returned == REDIRECT
    assert len(made) == 54
    assert made[26:34] == socket.inet_aton(runs) + socket.inet_aton(SOURCE)
    assert struct.unpack_from("!HH", answer.body) == (80, 40000)
    assert (answer.ttl, answer.flags, answer.sequence, answer.window) == (128, RST | ACK, 0, 0)
    took = len(data) + flags.bit_count() - (flags & (PSH | URG)).bit_count()
    assert answer.acknowledged == (2**32 - 2 + took) % 2**32
    silent, linux = segment(SOURCE, runs_not, flags, data=data), segment(SOURCE, LINUX[0], flags, data=data)
    assert programs.arrive(silent) == silent
    assert programs.arrive(linux) == linux


def with_word(frame: bytes, at: int, word: int) -> bytes:
    """With another 16-bit word in the IPv4 header, whose checksum is made right."""
    head = frame[14:at] + word.to_bytes(2) + frame[at + 2 : 34]
    head = head[:10] + bytes(2) + head[12:]
    return frame[:14] + head[:10] + frames.checksum(head).to_bytes(2) + head[12:] + frame[34:]


SOUND = segment(SOURCE, served(80)[0], FIN, data=b"odd")


@pytest.mark.root
@needs_root
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(SOUND[:50] + bytes((SOUND[50] ^ 1,)) + SOUND[51:], id="TCP checksum"),
        pytest.param(SOUND[:24] + bytes((SOUND[24] ^ 1,)) + SOUND[25:], id="IP checksum"),
        pytest.param(SOUND[:-1] + b"!", id="data"),
        pytest.param(with_word(SOUND, 16, 44), id="longer than the frame"),
        pytest.param(with_word(SOUND, 16, 39), id="shorter than headers"),
        pytest.param(with_word(SOUND, 20, 0x2000), id="first fragment"),
        pytest.param(segment(SOURCE, served(80)[0], FIN, data=bytes(109)), id="long"),
    ],
)
def test_what_is_damaged_stays_unanswered(programs: Programs, sent: bytes) -> None:
    assert programs.arrive(sent) == sent


@pytest.mark.root
@needs_root
@pytest.mark.parametrize("offset", [0, 4, 6, 15])
def test_a_header_that_lies_about_its_length_stays_unanswered(programs: Programs, offset: int) -> None:
    plain = segment(SOURCE, served(80)[0], FIN)
    word = int.from_bytes(plain[46:48]) & 0xFFF | offset << 12
    head = plain[34:46] + word.to_bytes(2) + plain[48:50] + bytes(2) + plain[52:]
    right = frames.checksum(plain[26:34] + struct.pack("!HH", TCP, 20) + head)
    sent = plain[:46] + word.to_bytes(2) + plain[48:50] + right.to_bytes(2) + plain[52:]
    read(sent)
    assert programs.arrive(sent) == sent


@pytest.mark.root
@needs_root
@given(data=st.binary(max_size=108))
@settings(max_examples=100, deadline=None)
def test_what_is_sound_is_answered_whatever_it_carries(programs: Programs, data: bytes) -> None:
    """With what cards fill short frames up with, too."""
    sent = segment(SOURCE, served(80)[0], FIN, data=data)
    returned, made, _ = kernel.run(programs.arriving, sent + b"filling")
    assert (returned, read(made).flags) == (REDIRECT, RST | ACK)


@pytest.mark.root
@needs_root
def test_an_answer_goes_back_to_the_card_that_asked(programs: Programs) -> None:
    sent = bytes(6) + b"\x02\0\0\0\0\x02" + segment(SOURCE, served(80)[0], NULL)[12:]
    _, made, _ = kernel.run(programs.arriving, sent)
    assert made[:12] == sent[6:12] + sent[:6]


@pytest.mark.root
@needs_root
@pytest.mark.parametrize("card", [b"\xff" * 6, b"\x01\0\x5e\0\0\x01", b"\x02\0\0\0\0\x02"])
@pytest.mark.parametrize("flags", [NULL, FIN, XMAS, SYN | ECE | CWR])
def test_what_is_for_everybody_or_another_card_is_left_alone(programs: Programs, card: bytes, flags: int) -> None:
    sent = card + segment(SOURCE, served(80)[0], flags)[6:]
    assert programs.arrive(sent) == sent


@pytest.mark.root
@needs_root
def test_addresses_that_are_no_hosts_answer_nothing() -> None:
    address = served(80)[0]
    wanted = looks(PLAN)
    for less in (
        msgspec.structs.replace(wanted, excluded=(to_number(address),)),
        msgspec.structs.replace(wanted, prefixes=(parse_prefix("10.67.0.0/16"),)),
    ):
        loaded = Programs(less)
        try:
            for flags in (NULL, FIN, XMAS):
                sent = segment(SOURCE, address, flags)
                assert loaded.arrive(sent) == sent
        finally:
            loaded.close()


@pytest.mark.root
@needs_root
@pytest.mark.parametrize("flags", [RST, RST | ACK, ACK, FIN | ACK, SYN | ACK, PSH | ACK])
def test_what_the_kernel_answers_itself_is_the_kernels(programs: Programs, flags: int) -> None:
    sent = segment(SOURCE, served(80)[0], flags)
    assert programs.arrive(sent) == sent


# What leaves


@pytest.mark.root
@needs_root
def test_a_windows_hosts_answer_to_a_syn(programs: Programs) -> None:
    sent = segment(WINDOWS[0], SOURCE, SYN | ACK, LINUX_ANSWER, window=64240, ttl=128)
    packet = read(programs.leave(sent))
    assert (packet.ttl, packet.window, packet.options) == (128, 65535, WINDOWS_ANSWER)
    for said in (options(MSS, 1, 1, SACK), options(MSS, 1, (3, b"\x08")), options(MSS)):
        sent = segment(WINDOWS[0], SOURCE, SYN | ACK, said, window=64240)
        assert read(programs.leave(sent)).options == said


@pytest.mark.root
@needs_root
def test_a_window_that_is_small_for_want_of_memory_stays_small(programs: Programs) -> None:
    sent = segment(WINDOWS[0], SOURCE, SYN | ACK, LINUX_ANSWER, window=29200)
    assert read(programs.leave(sent)).window == 29200


@pytest.mark.root
@needs_root
def test_a_windows_hosts_packets_are_numbered_and_each_host_counts_for_itself(programs: Programs) -> None:
    first, second = (
        [read(programs.leave(message(host, SOURCE, 0, 0, b"pong"))).identification for _ in range(3)]
        for host in WINDOWS[1:]
    )
    for numbers in (first, second):
        assert [(number - numbers[0]) % 65536 for number in numbers] == [0, 1, 2]
    assert first[0] != second[0]
    after = read(programs.leave(segment(WINDOWS[1], SOURCE, ACK, data=b"x"))).identification
    assert (after - first[-1]) % 65536 == 1


@pytest.mark.root
@needs_root
def test_fragments_keep_the_number_that_they_are_put_together_by(programs: Programs) -> None:
    whole = message(WINDOWS[0], SOURCE, 0, 9, bytes(range(256)) * 8)[34:]
    cut = [(whole[:1480], 0x2000), (whole[1480:2000], 0x2000 | 185), (whole[2000:], 250)]
    left = [
        programs.leave(frames.frame(WINDOWS[0], SOURCE, ICMP, body, identification=777, fragment=fragment))
        for body, fragment in cut
    ]
    for made, (_, fragment) in zip(left, cut, strict=True):
        assert frames.checksum(made[14:34]) == 0
        assert (made[22], *struct.unpack_from("!HH", made, 18)) == (128, 777, fragment)
    joined = b"".join(made[34:] for made in left)
    assert (joined[:2], frames.checksum(joined), joined[4:]) == (b"\0\0", 0, whole[4:])


@pytest.mark.root
@needs_root
def test_a_windows_hosts_resets(programs: Programs) -> None:
    """What the kernel sends by itself, after nmap's T4 and T5: with an ACK's number, and in answer to a SYN."""
    to_ack = read(programs.leave(segment(WINDOWS[0], SOURCE, RST, sequence=99, window=0)))
    assert (to_ack.ttl, to_ack.flags, to_ack.sequence, to_ack.acknowledged) == (128, RST, 99, 99)
    to_syn = read(programs.leave(segment(WINDOWS[0], SOURCE, RST | ACK, sequence=0, acknowledged=8, window=0)))
    assert (to_syn.ttl, to_syn.flags, to_syn.sequence, to_syn.acknowledged) == (128, RST | ACK, 0, 8)


@pytest.mark.root
@needs_root
@settings(deadline=None)
@given(data=st.binary(min_size=4, max_size=60).filter(any), code=st.sampled_from([0, 9]))
def test_a_windows_hosts_messages(programs: Programs, data: bytes, code: int) -> None:
    """Only one that says nothing but zeros comes out with the other zero as its checksum (RFC 1624, section 3)."""
    echo = read(programs.leave(message(WINDOWS[0], SOURCE, 0, code, data, service=0x10)))
    closed = read(programs.leave(message(WINDOWS[0], SOURCE, 3, 3, data, service=0xC0)))
    assert (echo.ttl, echo.service, echo.body[:2], echo.body[4:]) == (128, 0, b"\0\0", data)
    assert (closed.ttl, closed.service, closed.body[:2], closed.body[4:]) == (128, 0, b"\3\3", data)


@pytest.mark.root
@needs_root
def test_linux_hosts_packets_leave_as_they_are(programs: Programs) -> None:
    for sent in (
        segment(LINUX[0], SOURCE, SYN | ACK, LINUX_ANSWER, window=64240),
        segment(LINUX[1], SOURCE, RST, sequence=99, window=0),
        message(LINUX[2], SOURCE, 0, 9, b"pong"),
        frames.frame(LINUX[0], SOURCE, ICMP, b"", service=0xC0),
    ):
        assert programs.leave(sent) == sent


# Where the kernel cannot


def test_a_kernel_without_such_programs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(builder, "attach", refuse)
    said = builder._look(looks(PLAN), None, [1])
    assert said == "the kernel takes no programs for packets (bpf, cls_bpf): Function not implemented"


@needs_root
def test_programs_that_only_one_device_takes_are_on_none(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    cleared: list[int] = []

    def second_way_fails(index: int, way: int, _descriptor: int) -> None:
        if (index, way) == (2, classifiers.EGRESS):
            raise OSError(errno.EOPNOTSUPP, "no")
        taken.append(index)

    monkeypatch.setattr(classifiers, "make_room", lambda *_: None)
    monkeypatch.setattr(classifiers, "on_packets", second_way_fails)
    monkeypatch.setattr(classifiers, "clear", lambda _, index: cleared.append(index))
    with pytest.raises(OSError, match="no"):
        attach(looks(PLAN), cast("Any", None), [1, 2])
    assert (taken, sorted(cleared)) == ([1, 1, 2], [1, 2])
