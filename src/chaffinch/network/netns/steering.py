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
from chaffinch.network.netns import classifiers, sysctls
from chaffinch.network.netns.cards import Card
from chaffinch.network.netns.outbound import TABLE

TABLES = 100
"""The routing table of the card with mark 1 is the next one, and so on."""


def table_of(mark: int) -> int:
    return TABLES + mark


def steer(cards: Sequence[Card], inside: IPRoute) -> None:
    """For the namespace of the calling process, whose devices are there. Raises `RunError` where the kernel cannot."""
    sysctls.keep_marks()
    with NFTables(nfgen_family=socket.AF_INET) as nft:
        nft.chain("add", table=TABLE, name="cards", hook="prerouting", type="filter", policy=1)
        for mark, card in enumerate(cards, 1):
            index = inside.link_lookup(ifname=card.name)[0]
            _classify(card, inside, index)
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


def _classify(card: Card, inside: IPRoute, index: int) -> None:
    try:
        classifiers.make_room(inside, index)
        classifiers.on_questions(index, card.questions)
    except OSError as error:
        raise RunError(
            f"this kernel has no classifier (cls_bpf) for cards of several makers ({error.strerror}); name one maker "
            "with --mac, or leave it out"
        ) from None
