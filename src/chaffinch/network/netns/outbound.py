"""Nothing leaves the namespace but answers: rules of its own (nftables), which nobody inside may change.

They keep no state: a TCP segment that opens a connection (SYN without ACK, RFC 9293), a datagram from a port that is
no service's, and an ICMP message that asks something are dropped. The ports of services stand in a chain of their own,
which a reload fills anew.
"""

import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pyroute2.netlink.nfnetlink.nftsocket import Cmp, Regs  # type: ignore[import-untyped]
from pyroute2.nftables.expressions import genex, verdict  # type: ignore[import-untyped]
from pyroute2.nftables.main import NFTables  # type: ignore[import-untyped]

TABLE, CHAIN, DATAGRAMS = "chaffinch", "answers", "datagrams"

_ACCEPT, _DROP, _JUMP = 1, 0, -3
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_SYN, _ACK = 0x02, 0x10

ICMP_ANSWERS = (0, 3, 11, 12, 14)
"""Echo reply, destination unreachable, time exceeded, parameter problem, timestamp reply (RFC 792)."""

Expression = Any


def forbid(udp_ports: Sequence[int]) -> None:
    """Put the rules in place in the namespace of the calling process; datagrams leave from these ports alone.

    Raises `NetlinkError` where the kernel has no nftables.
    """
    with NFTables(nfgen_family=socket.AF_INET) as nft:
        nft.table("add", name=TABLE)
        nft.chain("add", table=TABLE, name=DATAGRAMS)
        _add(nft, DATAGRAMS, _from_ports(udp_ports))
        nft.chain("add", table=TABLE, name=CHAIN, hook="output", type="filter", policy=_DROP)
        opens = [*_is_protocol(socket.IPPROTO_TCP), *_tcp_flags(_SYN | _ACK, _SYN)]
        rules = [
            (*opens, *verdict(_DROP)),
            (*_is_protocol(socket.IPPROTO_TCP), *verdict(_ACCEPT)),
            (*_is_protocol(socket.IPPROTO_UDP), _jump(DATAGRAMS)),
            *(
                (*_is_protocol(socket.IPPROTO_ICMP), *_transport(0, bytes([kind])), *verdict(_ACCEPT))
                for kind in ICMP_ANSWERS
            ),
        ]
        _add(nft, CHAIN, rules)


def permit(udp_ports: Sequence[int]) -> None:
    """From now on datagrams leave from these ports alone: new rules come before the old ones go, so that no answer from
    a port that stays is held back meanwhile. Raises `NetlinkError` where `forbid` was not called in this namespace.
    """
    with NFTables(nfgen_family=socket.AF_INET) as nft:
        old = [rule.get_attr("NFTA_RULE_HANDLE") for rule in nft.get_rules() if _is_of(rule, DATAGRAMS)]
        _add(nft, DATAGRAMS, _from_ports(udp_ports))
        for handle in old:
            nft.rule("del", table=TABLE, chain=DATAGRAMS, handle=handle)


def _add(nft: Any, chain: str, rules: Iterable[Sequence[Expression]]) -> None:
    for rule in rules:
        nft.rule("add", table=TABLE, chain=chain, expressions=[list(rule)])


def _is_of(rule: Any, chain: str) -> bool:
    return (rule.get_attr("NFTA_RULE_TABLE"), rule.get_attr("NFTA_RULE_CHAIN")) == (TABLE, chain)


def _from_ports(ports: Iterable[int]) -> Iterator[Sequence[Expression]]:
    """Rules for what is known to be a datagram."""
    return ((*_transport(0, port.to_bytes(2)), *verdict(_ACCEPT)) for port in ports)


def _jump(chain: str) -> Expression:
    to = {"attrs": [("NFTA_VERDICT_CODE", _JUMP), ("NFTA_VERDICT_CHAIN", chain)]}
    return genex("immediate", {"dreg": Regs.NFT_REG_VERDICT, "data": {"attrs": [("NFTA_DATA_VERDICT", to)]}})


def _is_protocol(number: int) -> list[Expression]:
    return [_load(_NETWORK_HEADER, 9, 1), _equals(bytes([number]))]


def _tcp_flags(mask: int, value: int) -> list[Expression]:
    masked = genex("bitwise", {"sreg": 1, "dreg": 1, "len": 1, "mask": _value(bytes([mask])), "xor": _value(b"\0")})
    return [_load(_TRANSPORT_HEADER, 13, 1), masked, _equals(bytes([value]))]


def _transport(offset: int, data: bytes) -> list[Expression]:
    return [_load(_TRANSPORT_HEADER, offset, len(data)), _equals(data)]


def _load(base: int, offset: int, length: int) -> Expression:
    return genex("payload", {"dreg": 1, "base": base, "offset": offset, "len": length})


def _equals(data: bytes) -> Expression:
    return genex("cmp", {"sreg": 1, "op": Cmp.NFT_CMP_EQ, "data": _value(data)})


def _value(data: bytes) -> Expression:
    return {"attrs": [("NFTA_DATA_VALUE", data)]}
