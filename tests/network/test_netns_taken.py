"""Reading ARP answers that anybody on a segment may send."""

import socket
import struct

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.network.netns.taken import answer


def packet(operation: int, mac: bytes, address: bytes) -> bytes:
    head = bytes(12) + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, operation)
    return head + mac + address + bytes(6) + bytes(4)


@given(st.binary(min_size=6, max_size=6), st.binary(min_size=4, max_size=4), st.binary(max_size=18))
def test_an_answer_says_who_has_what(mac: bytes, address: bytes, padding: bytes) -> None:
    whole = packet(2, mac, address)
    assert answer(whole + padding) == (mac.hex(":"), socket.inet_ntoa(address))
    assert answer(packet(1, mac, address)) == ("", ""), "a question says nothing"
    assert all(answer(whole[:length]) == ("", "") for length in range(len(whole)))


@given(st.binary(max_size=80))
def test_whatever_comes_is_read_without_a_fault(frame: bytes) -> None:
    mac, address = answer(frame)
    assert bool(mac) == bool(address)
