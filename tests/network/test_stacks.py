"""Each host's TCP/IP look: on the wire, in the program that chooses it, and to nmap."""

import asyncio
import contextlib
import itertools
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chaffinch.config import Config, DecoySettings, NetworkSettings
from chaffinch.decoys import registry
from chaffinch.decoys.acceptor import Acceptor, share
from chaffinch.decoys.recorder import EventRecorder
from chaffinch.decoys.table import SessionTable
from chaffinch.errors import RunError
from chaffinch.fleet import assemble
from chaffinch.network import filter as packet_filter
from chaffinch.network import listeners, stacks, syn
from chaffinch.network.addresses import to_text
from chaffinch.network.listeners import TCP_SAVED_SYN, Listener
from chaffinch.network.plan import Plan, PortPlan
from chaffinch.personas.archetypes import archetypes
from chaffinch.personas.build import Personas
from chaffinch.personas.placement import Mixer, Placement
from chaffinch.personas.systems import Stack
from tests.fleet.running import eventually, network_namespace, running
from tests.network.wire import ACK, FIN, PSH, RST, SYN, Wire

SEED = b"test"
LOOKS = {
    "linux": Stack(ttl=64, scale=7),
    "windows": Stack(ttl=128, scale=8, manner="windows"),
    "embedded": Stack(ttl=64, scale=0, window=14600),
}
"""What each family shows: what its data says, once more."""

WINDOWS = {"linux": 65160, "windows": 65160, "embedded": 14480}
"""Whole segments of 1448 bytes (1460 without the timestamps) in 65,535 and 14,600 bytes."""

_offsets = itertools.cycle(range(22100 + os.getpid() % 89, 31000, 89))


def plan_of(seed: bytes = SEED, offset: int = 0) -> Plan:
    return assemble.describe(Config(network=NetworkSettings(port_offset=offset)), seed).plan


def port_of(plan: Plan, number: int) -> PortPlan:
    return next(port for port in plan.ports if port.port == number)


def look_of(plan: Plan, address: int) -> Stack:
    return plan.placement.slot(address).make.system.stack


def host(plan: Plan, family: str, port: int) -> str:
    """The first address of that family that runs something on the port."""
    for address in plan.addresses():
        if plan.placement.slot(address).make.system.family == family and plan.serves(to_text(address), port):
            return to_text(address)
    raise AssertionError(f"no {family} host on port {port}")


@pytest.fixture
def door() -> Iterator[tuple[Plan, tuple[Listener, ...]]]:
    """The web servers' port, listened on."""
    plan = plan_of(offset=next(_offsets))
    opened = listeners.open_port(plan, port_of(plan, 80))
    if len(opened) == 1:
        opened[0].socket.close()
        pytest.skip("this kernel does not let this user choose among listeners")
    yield plan, opened
    for listener in opened:
        listener.socket.close()


def accepted(opened: tuple[Listener, ...]) -> tuple[Listener, socket.socket]:
    """The listener that has a connection, and the connection."""
    ready, _, _ = select.select([listener.socket for listener in opened], [], [], 3)
    listener = next(one for one in opened if one.socket is ready[0])
    return listener, listener.socket.accept()[0]


def reach(plan: Plan, address: str, opened: tuple[Listener, ...]) -> tuple[Listener, socket.socket, socket.socket]:
    client = socket.create_connection((address, opened[0].plan.listen), timeout=3)
    listener, server = accepted(opened)
    return listener, client, server


# The program


@given(st.binary(max_size=16), st.integers(0, 0xFFFF))
@settings(deadline=None)
def test_the_program_chooses_as_the_placement_does(seed: bytes, low: int) -> None:
    plan = plan_of(seed)
    address = 0x7F4D0000 | low
    for port in plan.ports:
        looks = plan.placement.stacks(port.port)
        chosen = packet_filter.returned(plan.chooser_for(port, looks), address)
        assert 0 <= chosen < len(looks)
        served = plan.serves(to_text(address), port.port)
        passing = [packet_filter.run(plan.filter_for(replace(port, stack=look)), address) for look in looks]
        assert passing == [served and look == look_of(plan, address) for look in looks]
        if served:
            assert looks[chosen] == look_of(plan, address)


def test_the_chooser_is_far_from_the_longest_program() -> None:
    plan = plan_of()
    assert all(len(plan.chooser_for(port, plan.placement.stacks(port.port))) < 200 for port in plan.ports)


def test_the_kernel_chooses_as_the_placement_does(door: tuple[Plan, tuple[Listener, ...]]) -> None:
    plan, opened = door
    assert len(opened) == 3
    served = [address for address in plan.addresses() if plan.serves(to_text(address), 80)]
    for address in random.Random(7).sample(served, 200):
        listener, client, server = reach(plan, to_text(address), opened)
        with client, server:
            assert server.getsockname()[0] == to_text(address)
            assert listener.plan.stack == look_of(plan, address)


# The wire


@pytest.mark.parametrize("family", LOOKS)
@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="reading the wire needs root")
def test_the_first_answer_and_every_segment_have_the_look(door: tuple[Plan, tuple[Listener, ...]], family: str) -> None:
    plan, opened = door
    address, look = host(plan, family, 80), LOOKS[family]
    assert Personas(SEED, archetypes()).of(address).os.ttl == look.ttl
    with Wire(opened[0].plan.listen) as wire:
        _, client, server = reach(plan, address, opened)
        with client, server:
            first = wire.next(SYN | ACK)
            assert first.source == address
            assert (first.look.ttl, first.look.mss, first.look.scale) == (look.ttl, 1460, look.scale)
            assert first.look.window == WINDOWS[family]
            assert first.look.options == ("mss", "sok", "ts", "nop", "ws")
            assert first.look.df
            server.sendall(bytes(4000))
            data = wire.next(PSH | ACK)
            assert (data.look.ttl, data.length > 0) == (look.ttl, True)
            server.close()
            assert wire.next(FIN | ACK).look.ttl == look.ttl
        _, client, server = reach(plan, address, opened)
        with client:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            server.close()
            assert wire.next(RST).look.ttl == look.ttl


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="reading the wire needs root")
def test_the_kernels_own_reset_has_the_machines_ttl(door: tuple[Plan, tuple[Listener, ...]]) -> None:
    """The limit that docs/personas.md states: no socket answers on a closed port."""
    plan, opened = door
    address = host(plan, "windows", 80)
    for listener in opened:
        listener.refuse()
    with Wire(opened[0].plan.listen) as wire:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, opened[0].plan.listen), timeout=3)
        assert wire.next(RST).look.ttl == 64


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="reading the wire needs root")
def test_a_door_that_opens_again_has_every_look_again(door: tuple[Plan, tuple[Listener, ...]]) -> None:
    plan, opened = door
    addresses = {family: host(plan, family, 80) for family in LOOKS}
    for _ in range(2):
        for listener in opened:
            listener.refuse()
        for address in addresses.values():
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, opened[0].plan.listen), timeout=3)
        for listener in opened:
            listener.listen(plan.backlog)
        with Wire(opened[0].plan.listen) as wire:
            for family, address in addresses.items():
                listener, client, server = reach(plan, address, opened)
                with client, server:
                    look = wire.next(SYN | ACK).look
                    assert listener.plan.stack == LOOKS[family]
                    assert (look.ttl, look.mss, look.scale) == (LOOKS[family].ttl, 1460, LOOKS[family].scale)
                    assert syn.parse(server.getsockopt(socket.IPPROTO_TCP, TCP_SAVED_SYN, 512)) is not None


def test_a_worker_that_comes_again_serves_what_waited_for_each_stack(tmp_path: Path) -> None:
    """And a stopped service refuses on hosts of every stack."""
    with running(tmp_path) as fleet:
        plan = plan_of(offset=fleet.offset)
        addresses = [(host(plan, family, 80), 80 + fleet.offset) for family in LOOKS]
        fleet.call("restart", "decoy-http")
        waiting = [socket.create_connection(address, timeout=10) for address in addresses]
        for client in waiting:
            with client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert client.recv(4) == b"HTTP"
        fleet.call("stop", "decoy-http")
        for address in addresses:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, timeout=3)
        fleet.call("start", "decoy-http")
        for address in addresses:
            with socket.create_connection(address, timeout=10) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert client.recv(4) == b"HTTP"
        eventually(lambda: fleet.status()["sessions_seen"] == 6)
    assert sum(row["count"] for row in fleet.json("sessions", "--service", "http")) == 6


# Another plan for the same sockets


@pytest.mark.usefixtures("door")
def test_a_port_goes_over_to_another_plan() -> None:
    """Who is connected stays so, a stack that comes gets a listener, and the way back leads to what was."""
    few = tuple(kind for kind in archetypes() if kind.name in ("linux-server", "printer"))
    where = NetworkSettings(port_offset=next(_offsets))
    old, new = (Plan(where, Placement(Mixer.of(b"a"), kinds), {("tcp", 80): "http"}) for kinds in (few, archetypes()))
    here = listeners.open_all(old)
    with contextlib.ExitStack() as open_sockets:
        for listener in here:
            open_sockets.enter_context(listener.socket)
        _, client, server = reach(old, host(old, "linux", 80), here)
        for plan, count in ((new, 3), (old, 3), (new, 3)):
            there = listeners.open_all(plan, here)
            assert [one.socket for one in there][: len(here)] == [one.socket for one in here]
            assert len({one.key for one in there}) == len(there) == count
            for listener in there:
                if listener.socket in {one.socket for one in here}:
                    listener.admit(plan.filter_for(listener.plan))
                    listener.hold(plan.backlog)
                else:
                    open_sockets.enter_context(listener.socket)
            served = [address for address in plan.addresses() if plan.serves(to_text(address), 80)]
            for address in random.Random(1).sample(served, 40):
                listener, *ends = reach(plan, to_text(address), there)
                for end in ends:
                    end.close()
                assert listener.plan.stack == look_of(plan, address)
            here = there
        with client, server:
            client.sendall(b"still here")
            assert server.recv(16) == b"still here"


def test_what_was_kept_stays_open_when_another_port_is_taken(door: tuple[Plan, tuple[Listener, ...]]) -> None:
    plan, opened = door
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1] - plan.port_offset
        more = Plan(
            NetworkSettings(port_offset=plan.port_offset), plan.placement, {("tcp", 80): "http", ("tcp", taken): "ssh"}
        )
        with pytest.raises(RunError, match="1 of 2 ports could not be bound"):
            listeners.open_all(more, opened)
    listener, client, server = reach(plan, host(plan, "windows", 80), opened)
    client.close()
    server.close()
    assert listener.plan.stack == LOOKS["windows"]


# Who else may have the port


def test_another_fleet_of_the_same_user_is_refused(door: tuple[Plan, tuple[Listener, ...]]) -> None:
    plan, opened = door
    with pytest.raises(RunError, match=rf"/tcp \(http\) is taken by .*\(pid {os.getpid()}\)"):
        listeners.open_all(plan)
    for listener in opened:
        listener.refuse()
    for listener in opened:
        listener.listen(plan.backlog)
    with pytest.raises(RunError, match=r"/tcp \(http\) is taken by"):
        listeners.open_all(plan)
    _, client, server = reach(plan, host(plan, "windows", 80), opened)
    client.close()
    server.close()


def test_who_shares_the_port_gets_no_connection(door: tuple[Plan, tuple[Listener, ...]]) -> None:
    """A program of the same user may join a port that is shared; the chooser never names it."""
    plan, opened = door
    with socket.socket() as joined:
        joined.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
        joined.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        joined.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        joined.bind(("0.0.0.0", opened[0].plan.listen))
        joined.listen(64)
        joined.setblocking(False)
        served = [address for address in plan.addresses() if plan.serves(to_text(address), 80)]
        for address in random.Random(3).sample(served, 60):
            _, client, server = reach(plan, to_text(address), opened)
            client.close()
            server.close()
        with pytest.raises(BlockingIOError):
            joined.accept()


# Where the kernel does not let us choose


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="reading the wire needs root")
def test_without_the_chooser_a_session_sets_the_ttl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packet_filter, "takes_chooser", lambda _: False)
    described = assemble.describe(Config(network=NetworkSettings(port_offset=next(_offsets))), SEED)
    plan = described.plan
    opened = listeners.open_port(plan, port_of(plan, 80))
    assert [listener.plan.stack for listener in opened] == [None]
    assert listeners.shown_by(opened) == "session"

    async def ask(address: str) -> None:
        settings = DecoySettings()
        shared = share(settings, tmp_path, plan, described.personas)
        recorder = EventRecorder(lambda event: None, settings)
        table = SessionTable(settings.sessions, shared.room)
        acceptor = Acceptor(registry.load("http"), shared, recorder, table)
        acceptor.open(list(opened))
        reader, writer = await asyncio.open_connection(address, opened[0].plan.listen)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read(4)) == b"HTTP"
        writer.close()
        acceptor.close()
        await table.close(1)

    with Wire(opened[0].plan.listen) as wire, opened[0].socket:
        asyncio.run(ask(host(plan, "windows", 80)))
        assert wire.next(SYN | ACK).look.ttl == 64
        assert wire.next(PSH | ACK).look.ttl == 128


def test_the_largest_scale_follows_from_the_kernels_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stacks, "_SYSCTLS", tmp_path)
    assert stacks.largest_scale() is None
    for name in ("ipv4", "core"):
        (tmp_path / name).mkdir()
    for rmem, core, scale in ((6291456, 212992, 7), (33554432, 4194304, 10), (8388608, 212992, 8), (4096, 8192, 0)):
        (tmp_path / "ipv4" / "tcp_rmem").write_text(f"4096\t131072\t{rmem}\n")
        (tmp_path / "core" / "rmem_max").write_text(f"{core}\n")
        assert stacks.largest_scale() == scale


# Real scanners


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="nmap's look at the stack needs root")
@pytest.mark.skipif(not shutil.which("nmap"), reason="nmap is not installed")
def test_nmap_tells_three_hosts_apart(tmp_path: Path) -> None:
    """What it measures is each host's own; what it guesses from that is in docs/personas.md, and is not asserted."""
    plan = plan_of()
    hosts = {family: host(plan, family, 80) for family in LOOKS}
    with network_namespace() as prefix, running(tmp_path / "state", prefix=prefix, offset=0) as fleet:
        assert fleet.status()["stack"] == "listener"
        done = subprocess.run(
            [*prefix, "nmap", "-n", "-Pn", "-O", "--osscan-guess", "-p", "80,9", "-oX", "-", *hosts.values()],
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
    found = {one.find("address").get("addr"): one for one in ET.fromstring(done.stdout).iter("host")}
    for family, address in hosts.items():
        look = LOOKS[family]
        state = found[address].find("ports/port[@portid='80']/state")
        assert (state.get("state"), state.get("reason_ttl")) == ("open", str(look.ttl))
        fingerprint = found[address].find("os/osfingerprint").get("fingerprint").replace("\nOS:", "")
        assert f"O1=M5B4ST11NW{look.scale:X}%" in fingerprint
        assert f"W1={WINDOWS[family]:X}%" in fingerprint
        assert f"T1(R=Y%DF=Y%T={look.ttl:X}%" in fingerprint
