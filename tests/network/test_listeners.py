"""Binding a plan: who holds a taken port is named, datagrams are answered from the address that was asked."""

import os
import socket

import pytest

from chaffinch.config import NetworkSettings
from chaffinch.errors import InputError, RunError
from chaffinch.network import listeners
from chaffinch.network.plan import Plan
from chaffinch.personas.archetypes import archetypes
from chaffinch.personas.placement import Mixer, Placement


def plan_of(ports: dict[tuple[str, int], str], offset: int, device: str = "lo") -> Plan:
    placement = Placement(Mixer.of(b"seed"), archetypes())
    return Plan(NetworkSettings(port_offset=offset, device=device), placement, ports)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_a_taken_port_names_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(RunError) as refused:
            listeners.open_all(plan_of({("tcp", taken): "redis"}, 0))
    assert f"{taken}/tcp (redis) is taken by" in str(refused.value)
    assert f"(pid {os.getpid()})" in str(refused.value)
    assert "--port-offset" in str(refused.value)


def test_nothing_stays_bound_when_one_port_is_taken() -> None:
    free = free_port()
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(RunError, match="1 of 2 ports"):
        listeners.open_all(plan_of({("tcp", free): "http", ("tcp", other.getsockname()[1]): "redis"}, 0))
    with socket.create_server(("127.0.0.1", free)):
        pass


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(RunError, match="no network device 'nonesuch0'"):
        listeners.open_all(plan_of({("tcp", free_port()): "redis"}, 0, device="nonesuch0"))


def test_an_offset_past_the_last_port_is_refused() -> None:
    with pytest.raises(InputError, match="choose an offset up to"):
        plan_of({("tcp", 11211): "memcached"}, 60000)


def test_prefixes_off_loopback_are_refused() -> None:
    placement = Placement(Mixer.of(b"seed"), archetypes())
    with pytest.raises(InputError, match="not on loopback"):
        Plan(NetworkSettings(hosts=("10.0.0.0/24",)), placement, {})


def test_a_datagram_is_answered_from_the_address_that_was_asked() -> None:
    plan = plan_of({("udp", 161): "snmp"}, 0)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.setsockopt(socket.IPPROTO_IP, 8, 1)
        server.bind(("0.0.0.0", 0))
        port = server.getsockname()[1]
        client.settimeout(2)
        for address in ("127.77.1.2", "127.77.250.9"):
            client.sendto(b"who", (address, port))
            data, peer, asked = listeners.receive_datagram(server)
            assert (data, asked) == (b"who", address)
            listeners.send_datagram(server, b"me", peer, asked)
            assert client.recvfrom(64) == (b"me", (address, port))
    assert plan.ports[0].transport == "udp"


def test_a_datagram_has_the_ttl_that_it_is_given() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.bind(("0.0.0.0", 0))
        client.bind(("127.77.0.1", 0))
        client.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
        client.settimeout(2)
        for ttl in (64, 128, 255):
            listeners.send_datagram(server, b"me", client.getsockname(), "127.77.3.9", ttl)
            data, ancillary, _, peer = client.recvmsg(64, 64)
            assert (data, peer[0]) == (b"me", "127.77.3.9")
            assert [int.from_bytes(value, "little") for _, _, value in ancillary] == [ttl]
