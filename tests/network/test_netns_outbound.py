"""What may leave a namespace, as a reload changes it: all at once, or not at all."""

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a namespace")]

LOOKS = """
from pyroute2 import NetlinkError
from pyroute2.nftables.main import NFTables
from chaffinch.network.netns import outbound


def rules():
    with NFTables(nfgen_family=2) as nft:
        return [rule.get_attr("NFTA_RULE_HANDLE") for rule in nft.get_rules() if outbound._is_of(rule, "datagrams")]


"""


def inside(code: str) -> list[str]:
    """What it prints, in a network namespace of its own."""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", LOOKS + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_as_many_rules_as_ports_and_none_of_before() -> None:
    said = inside("""
outbound.forbid((53, 69))
first = rules()
for ports in ((53, 69, 7172), (), tuple(range(1, 301)), (7,)):
    outbound.permit(ports)
    print(len(rules()), not set(rules()) & set(first))
""")
    assert said == ["3 True", "0 True", "300 True", "1 True"]


def test_where_the_kernel_refuses_one_rule_all_stay_as_they_were() -> None:
    said = inside("""
outbound.forbid((53, 69))
before, message = rules(), outbound._message


def spoilt(kind, flags, chain, **about):
    return message(kind, flags, "nowhere" if kind == outbound.NFT_MSG_NEWRULE else chain, **about)


outbound._message = spoilt
try:
    outbound.permit((7172,))
except NetlinkError as error:
    print(error.code)
print(rules() == before)
""")
    assert said == ["2", "True"]
