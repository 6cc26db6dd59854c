"""The kernel's program and Python's rule decide alike, in the interpreter and in the kernel itself."""

import os
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.config import Config, NetworkSettings
from chaffinch.fleet import assemble
from chaffinch.network import filter as packet_filter
from chaffinch.network.addresses import parse_prefixes, to_text
from chaffinch.network.plan import Plan


def plan_of(seed: bytes = b"seed", *hosts: str) -> Plan:
    return assemble.describe(Config(network=NetworkSettings(hosts=hosts or ("127.77.0.0/16",))), seed).plan


@given(st.binary(max_size=16), st.integers(0, 0xFFFFFFFF))
@settings(deadline=None)
def test_the_program_decides_as_the_plan_does(seed: bytes, address: int) -> None:
    plan = plan_of(seed, "127.0.0.0/9", "127.192.0.0/10")
    inside = 0x7F000000 | address & 0xFFFFFF
    for port in plan.ports:
        program = plan.filter_for(port)
        for number in (address, inside):
            assert packet_filter.run(program, number) == plan.serves(to_text(number), port.port)


def test_many_prefixes_still_fit_their_jumps() -> None:
    texts = tuple(f"127.{n // 256}.{n % 256}.0/24" for n in range(0, 400, 2))
    program = packet_filter.program(parse_prefixes(texts), (), ((0, 0xFFFFFFFF),))
    assert all(0 <= step.if_true < 256 and 0 <= step.if_false < 256 for step in program)
    assert packet_filter.run(program, 0x7F000005)
    assert packet_filter.run(program, 0x7F018E01)
    assert not packet_filter.run(program, 0x7F000105)


def test_a_program_longer_than_the_kernel_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="instructions"):
        packet_filter.program((), (), tuple((n, n + 1) for n in range(0, 4000, 2)))


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="the kernel takes a socket filter from root only")
def test_the_kernel_decides_as_the_plan_does() -> None:
    plan = plan_of()
    port = next(port for port in plan.ports if port.service == "redis")
    served = next(a for a in plan.addresses() if plan.serves(to_text(a), port.port))
    silent = next(a for a in plan.addresses() if not plan.serves(to_text(a), port.port))
    with socket.socket() as listener:
        assert packet_filter.attach(listener, plan.filter_for(port))
        listener.bind(("0.0.0.0", 0))
        listener.listen(8)
        number = listener.getsockname()[1]
        with socket.create_connection((to_text(served), number), timeout=2) as client:
            assert client.getpeername()[0] == to_text(served)
        with pytest.raises(TimeoutError):
            socket.create_connection((to_text(silent), number), timeout=0.3)
