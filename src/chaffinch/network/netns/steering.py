"""Where hosts have cards of several makers: each ARP question is answered by one of them, and each answer leaves by the
card that it was asked at.

Every device would answer for every local address, so a classifier drops the questions that are not for its hosts. A
packet is marked with its card's number when it comes in; the kernel gives the mark to the connection and to what it
answers itself, and a rule for each mark sends that out of the same card.
"""

import socket
import struct
from collections.abc import Sequence

from pyroute2 import IPRoute  # type: ignore[import-untyped]
from pyroute2.netlink.nfnetlink.nftsocket import Cmp, Meta  # type: ignore[import-untyped]
from pyroute2.nftables.expressions import genex  # type: ignore[import-untyped]
from pyroute2.nftables.main import NFTables  # type: ignore[import-untyped]

from chaffinch.errors import RunError
from chaffinch.network.netns import sysctls
from chaffinch.network.netns.cards import Card
from chaffinch.network.netns.outbound import TABLE

TABLES = 100
"""The routing table of the card with mark 1 is the next one, and so on."""

_RTM_NEWTFILTER = 44
_REQUEST_ACK_CREATE_EXCL = 0x1 | 0x4 | 0x400 | 0x200
_INGRESS = 0xFFFFFFF2
"""Of the qdisc `clsact` (`TC_H_MIN_INGRESS`)."""

_ETH_P_ARP = 0x0806
_TCA_KIND, _TCA_OPTIONS = 1, 2
_TCA_BPF_OPS_LEN, _TCA_BPF_OPS, _TCA_BPF_FLAGS = 4, 5, 8
_DIRECT_ACTION = 1
_INSTRUCTION_BYTES = 8


def table_of(mark: int) -> int:
    return TABLES + mark


def steer(cards: Sequence[Card], inside: IPRoute) -> None:
    """For the namespace of the calling process, whose devices are there. Raises `RunError` where the kernel cannot."""
    sysctls.keep_marks()
    with NFTables(nfgen_family=socket.AF_INET) as nft:
        nft.chain("add", table=TABLE, name="cards", hook="prerouting", type="filter", policy=1)
        for mark, card in enumerate(cards, 1):
            index = inside.link_lookup(ifname=card.name)[0]
            inside.tc("add", "clsact", index)
            _classify(index, card.questions)
            nft.rule("add", table=TABLE, chain="cards", expressions=[_marks(index, mark)])
            inside.rule("add", fwmark=mark, table=table_of(mark), family=socket.AF_INET)


def _marks(index: int, mark: int) -> list[object]:
    number = {"attrs": [("NFTA_DATA_VALUE", struct.pack("=I", index))]}
    return [
        genex("meta", {"key": Meta.NFT_META_IIF, "dreg": 1}),
        genex("cmp", {"sreg": 1, "op": Cmp.NFT_CMP_EQ, "data": number}),
        genex("immediate", {"dreg": 1, "data": {"attrs": [("NFTA_DATA_VALUE", struct.pack("=I", mark))]}}),
        genex("meta", {"key": Meta.NFT_META_MARK, "sreg": 1}),
    ]


def _classify(index: int, program: bytes) -> None:
    """Put a classic BPF program on what comes in by ARP: pyroute2 knows the extended ones only."""
    options = (
        _attribute(_TCA_BPF_OPS_LEN, struct.pack("=H", len(program) // _INSTRUCTION_BYTES))
        + _attribute(_TCA_BPF_OPS, program)
        + _attribute(_TCA_BPF_FLAGS, struct.pack("=I", _DIRECT_ACTION))
    )
    body = (
        struct.pack("=BxxxiIII", socket.AF_UNSPEC, index, 0, _INGRESS, 1 << 16 | socket.htons(_ETH_P_ARP))
        + _attribute(_TCA_KIND, b"bpf\0")
        + _attribute(_TCA_OPTIONS, options)
    )
    head = struct.pack("=IHHII", 16 + len(body), _RTM_NEWTFILTER, _REQUEST_ACK_CREATE_EXCL, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.send(head + body)
        (error,) = struct.unpack_from("=i", sock.recv(4096), 16)
    if error:
        raise RunError(
            f"this kernel has no classifier (cls_bpf) for cards of several makers (error {-error}); name one maker "
            "with --mac, or leave it out"
        )


def _attribute(kind: int, value: bytes) -> bytes:
    """`struct rtattr`, filled up to a multiple of four."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
