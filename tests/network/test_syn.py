"""The SYN as the kernel keeps it, and whatever else may stand in its place."""

import socket

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.network import syn
from chaffinch.network.listeners import TCP_SAVE_SYN, TCP_SAVED_SYN


def saved_syn() -> bytes:
    """A SYN that this machine's kernel sent and kept."""
    with socket.socket() as listener:
        listener.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
        listener.bind(("127.77.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                return accepted.getsockopt(socket.IPPROTO_TCP, TCP_SAVED_SYN, 512)


def test_a_kept_syn_is_read() -> None:
    parsed = syn.parse(saved_syn())
    assert parsed is not None
    assert parsed.ttl == 64
    assert parsed.df
    assert parsed.window > 0
    assert parsed.mss > 500
    assert 0 <= parsed.scale <= 14
    assert parsed.options == ("mss", "sok", "ts", "nop", "ws")


def test_ipv6_is_read() -> None:
    tcp = saved_syn()[20:]
    parsed = syn.parse(bytes([0x60, 0, 0, 0, 0, len(tcp), 6, 57]) + bytes(32) + tcp)
    assert parsed is not None
    assert parsed.ttl == 57
    assert parsed.options[0] == "mss"


@given(st.binary(max_size=120))
def test_whatever_comes_is_a_syn_or_none(data: bytes) -> None:
    syn.parse(data)
    parsed = syn.parse(b"\x45" + data)
    assert parsed is None or 0 <= parsed.ttl <= 255


def test_every_cut_and_every_flipped_byte_is_survived() -> None:
    packet = saved_syn()
    for at in range(len(packet)):
        syn.parse(packet[:at])
        syn.parse(packet[:at] + bytes([packet[at] ^ 0xFF]) + packet[at + 1 :])
