"""The kernel's program passes what no listener gets, and nothing else."""

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.capture import filter as capture_filter
from chaffinch.capture.filter import KEPT_BYTES, Served
from chaffinch.capture.tap import program_for
from chaffinch.config import Config, NetworkSettings
from chaffinch.errors import InputError
from chaffinch.fleet import assemble
from chaffinch.network.addresses import parse_prefixes, to_number, to_text
from chaffinch.network.plan import Plan
from tests.capture.machine import ARP, Frame, arp, decide, icmp, ipv4, tcp, udp

OUTSIDE = "127.0.0.1"
SYN, ACK, RST, FIN = 2, 16, 4, 1


def plan_of(*hosts: str, seed: bytes = b"seed") -> Plan:
    return assemble.describe(Config(network=NetworkSettings(hosts=hosts or ("127.77.0.0/16",))), seed).plan


PLAN = plan_of()
PROGRAM = program_for(PLAN)
LISTEN = {port.listen: port.port for port in PLAN.ports}
HAS_FTP = next(a for a in map(to_text, PLAN.addresses()) if PLAN.serves(a, 21))
HAS_NO_FTP = next(a for a in map(to_text, PLAN.addresses()) if not PLAN.serves(a, 21))


def passes(data: bytes, **beside: int) -> bool:
    return decide(PROGRAM, Frame(data, **beside)) == KEPT_BYTES


def served(address: str, port: int) -> bool:
    """What the program must keep out, said by the plan: a listener's port, and where clients of FTP are told to go."""
    if port in LISTEN:
        return PLAN.serves(address, LISTEN[port])
    return 32768 <= port <= 60999 and PLAN.serves(address, 21)


ports = st.one_of(st.sampled_from(sorted(LISTEN)), st.sampled_from((32767, 32768, 60999, 61000)), st.integers(0, 65535))
hosts = st.integers(PLAN.prefixes[0].first, PLAN.prefixes[0].last).map(to_text)


@given(hosts, ports, st.sampled_from((SYN, SYN | 0xC0, ACK, ACK | FIN, RST, RST | ACK, SYN | ACK, ACK | 8)))
@settings(deadline=None)
def test_a_segment_passes_where_its_host_does_not_run_the_port(host: str, port: int, flags: int) -> None:
    assert passes(ipv4(OUTSIDE, host, 6, tcp(port, flags))) == (not served(host, port))


@given(hosts, ports, st.sampled_from((0, FIN, FIN | 8 | 32, SYN | FIN, 32)), st.sampled_from((b"", b"\1\1\1\0")))
@settings(deadline=None)
def test_flags_that_no_connection_has_pass_on_any_port(host: str, port: int, flags: int, options: bytes) -> None:
    assert passes(ipv4(OUTSIDE, host, 6, tcp(port, flags), options=options))


@given(hosts, ports)
@settings(deadline=None)
def test_all_datagrams_pass_for_no_service_of_ours_has_them(host: str, port: int) -> None:
    assert passes(ipv4(OUTSIDE, host, 17, udp(port)))


def test_a_datagram_service_is_kept_out() -> None:
    prefixes = parse_prefixes(("10.0.0.0/24",))
    program = capture_filter.program(prefixes, (), (), (Served(53, 53, ((to_number("10.0.0.0"), 1 << 32),)),))
    decided = [decide(program, Frame(ipv4("10.9.0.1", "10.0.0.7", 17, udp(port)))) for port in (53, 54)]
    assert decided == [0, KEPT_BYTES]
    assert decide(program, Frame(ipv4("10.9.0.1", "10.0.0.7", 6, tcp(53, SYN)))) == KEPT_BYTES


@pytest.mark.parametrize("kind", [0, 3, 8, 13])
def test_icmp_and_other_protocols_pass(kind: int) -> None:
    assert passes(ipv4(OUTSIDE, HAS_FTP, 1, icmp(kind)))
    assert passes(ipv4(OUTSIDE, HAS_FTP, 47, b""))


def test_requests_for_a_hosts_hardware_address_pass() -> None:
    assert passes(arp("10.0.0.1", HAS_FTP), protocol=ARP)
    assert not passes(arp("10.0.0.1", OUTSIDE), protocol=ARP)
    assert not passes(arp("10.0.0.1", HAS_FTP, operation=2), protocol=ARP)
    assert not passes(arp("10.0.0.1", HAS_FTP)[:27], protocol=ARP)


def test_addresses_that_are_no_hosts_stay_out() -> None:
    settings = NetworkSettings(mode="netns", hosts=("10.66.128.0/24",), gateway="10.66.128.9", port_offset=0)
    program = program_for(assemble.describe(Config(network=settings), b"seed").plan)
    assert decide(program, Frame(ipv4("10.66.128.9", "10.66.128.7", 1, icmp(8)))), "a router is not the fleet's own"
    assert not decide(program, Frame(ipv4("10.66.128.8", "10.66.128.7", 1, icmp(8))))
    for last, wanted in ((0, False), (1, True), (9, False), (10, True), (254, True), (255, False)):
        for data, protocol in (
            (ipv4("10.9.0.1", f"10.66.128.{last}", 1, icmp(8)), 0x0800),
            (arp("10.9.0.1", f"10.66.128.{last}"), ARP),
        ):
            assert bool(decide(program, Frame(data, protocol))) == wanted, last


def test_what_is_not_for_a_decoy_host_stays_out() -> None:
    probe = tcp(81, SYN)
    assert passes(ipv4(OUTSIDE, HAS_FTP, 6, probe))
    assert not passes(ipv4(OUTSIDE, "127.78.0.1", 6, probe))
    assert not passes(ipv4("127.77.9.9", HAS_FTP, 6, probe)), "the fleet's own"
    assert not passes(ipv4(OUTSIDE, HAS_FTP, 6, probe), protocol=0x86DD)


@pytest.mark.parametrize("kind", [socket.PACKET_OTHERHOST, socket.PACKET_OUTGOING, 5])
def test_what_we_sent_and_what_is_anothers_stays_out(kind: int) -> None:
    assert not passes(ipv4(OUTSIDE, HAS_FTP, 6, tcp(81, SYN)), kind=kind)


def test_what_another_vlan_gets_stays_out() -> None:
    assert not passes(ipv4(OUTSIDE, HAS_FTP, 6, tcp(81, SYN)), vlan=7)
    assert passes(ipv4(OUTSIDE, HAS_FTP, 6, tcp(81, SYN)), vlan=0xE000)  # only a priority: our device gets it


def test_a_datagram_in_pieces_counts_once() -> None:
    served_port = next(listen for listen, port in LISTEN.items() if PLAN.serves(HAS_FTP, port))
    first = ipv4(OUTSIDE, HAS_FTP, 6, tcp(served_port, SYN)[:8], fragment=0x2000)
    assert passes(first), "TCP in pieces hides its flags"
    assert not passes(ipv4(OUTSIDE, HAS_FTP, 6, tcp(81, SYN), fragment=1))
    assert passes(ipv4(OUTSIDE, HAS_FTP, 17, udp(9, bytes(64)), fragment=0x2000))


@given(st.binary(max_size=80), st.sampled_from((ARP, 0x0800, 0)))
@settings(deadline=None)
def test_any_bytes_end_the_program(data: bytes, protocol: int) -> None:
    assert decide(PROGRAM, Frame(data, protocol)) in (0, KEPT_BYTES)


def test_many_prefixes_still_fit_their_jumps() -> None:
    plan = plan_of(*(f"127.{n // 256}.{n % 256}.0/24" for n in range(256, 656, 2)))
    program = program_for(plan)
    assert all(0 <= step.if_true < 256 and 0 <= step.if_false < 256 for step in program)
    for host, wanted in (("127.1.0.9", True), ("127.2.142.9", True), ("127.1.1.9", False)):
        assert bool(decide(program, Frame(ipv4(OUTSIDE, host, 1, icmp(8))))) == wanted


def test_more_prefixes_than_the_kernel_takes_are_refused() -> None:
    plan = plan_of(*(f"127.{64 + n // 256}.{n % 256}.0/24" for n in range(0, 2000, 2)))
    with pytest.raises(InputError, match="1000 prefixes are too many"):
        program_for(plan)
