"""Nothing leaves the namespace but answers: rules of its own (nftables), which nobody inside may change.

They keep no state: a TCP segment that opens a connection (SYN without ACK, RFC 9293), a datagram from a port that is
no service's, and an ICMP message that asks something are dropped. The ports of services stand in a chain of their own,
which a reload fills anew.
"""

import asyncio
import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pyroute2.netlink import NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST  # type: ignore[import-untyped]
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES, nfgen_msg  # type: ignore[import-untyped]
from pyroute2.netlink.nfnetlink.nftsocket import (  # type: ignore[import-untyped]
    NFT_MSG_DELRULE,
    NFT_MSG_NEWRULE,
    Cmp,
    Regs,
    nft_rule_msg,
)
from pyroute2.nftables.expressions import genex, verdict  # type: ignore[import-untyped]
from pyroute2.nftables.main import AsyncNFTables, NFTables  # type: ignore[import-untyped]

TABLE, CHAIN, DATAGRAMS = "chaffinch", "answers", "datagrams"

_ACCEPT, _DROP, _JUMP = 1, 0, -3
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_SYN, _ACK = 0x02, 0x10
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
"""`NFNL_MSG_BATCH_BEGIN` and `_END` (`linux/netfilter/nfnetlink.h`)."""

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
    """From now on datagrams leave from these ports alone: all at once, or, where the kernel refuses or this process is
    killed meanwhile, not at all. Raises `NetlinkError` where `forbid` was not called in this namespace.
    """
    asyncio.run(_refill(DATAGRAMS, [list(rule) for rule in _from_ports(udp_ports)]))


async def _refill(chain: str, rules: Iterable[list[Expression]]) -> None:
    """One batch of nfnetlink, which the kernel takes as a whole: its messages must all go with one `send`."""
    async with AsyncNFTables(nfgen_family=socket.AF_INET) as nft:
        old = [rule async for rule in await nft.get_rules() if _is_of(rule, chain)]
        messages = [
            _mark(_BATCH_BEGIN),
            *(_message(NFT_MSG_DELRULE, 0, chain, handle=rule.get_attr("NFTA_RULE_HANDLE")) for rule in old),
            *(_message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, chain, expressions=rule) for rule in rules),
            _mark(_BATCH_END),
        ]
        async for _ in nft.nlm_request_batch(messages):
            pass


def _message(kind: int, flags: int, chain: str, **about: Any) -> Any:
    """What the kernel is asked about a rule, and is to confirm."""
    message = nft_rule_msg()
    message["nfgen_family"] = socket.AF_INET
    message["header"]["type"] = NFNL_SUBSYS_NFTABLES << 8 | kind
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_ACK | flags
    told = {"table": TABLE, "chain": chain} | about
    message["attrs"] = [[nft_rule_msg.name2nla(name), value] for name, value in told.items()]
    return message


def _mark(kind: int) -> Any:
    """Where a batch begins or ends."""
    message = nfgen_msg()
    message["res_id"] = NFNL_SUBSYS_NFTABLES
    message["header"]["type"] = kind
    message["header"]["flags"] = NLM_F_REQUEST
    return message


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
