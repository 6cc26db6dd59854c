"""What a namespace is to be, from the configuration: checked without a machine to build it on."""

import re
import struct
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.config import CaptureSettings, Config, NetworkSettings, load
from chaffinch.errors import InputError
from chaffinch.fleet import assemble
from chaffinch.network import filter as packet_filter
from chaffinch.network.addresses import to_number, to_text
from chaffinch.network.netns.blueprint import Blueprint, name_of
from chaffinch.network.netns.cards import mac_address

VENDORS = {"VMware": ("00:0c:29", "00:50:56"), "Axis": ("00:40:8c",)}


def settings(**changes: object) -> NetworkSettings:
    return NetworkSettings(**{"mode": "netns", "hosts": ("10.66.0.0/24",), "port_offset": 0} | changes)  # type: ignore[arg-type]


def blueprint(**changes: object) -> Blueprint:
    config = Config(network=settings(**changes))
    return assemble.blueprint(config, Path("/var/lib/fleet"), assemble.describe(config, b"seed"))


def test_ends_of_prefixes_and_the_gateway_are_no_hosts() -> None:
    plan = assemble.describe(
        Config(network=settings(hosts=("10.66.0.0/29", "10.67.0.0/31", "10.68.0.9"), gateway="10.66.0.1")), b"seed"
    ).plan
    assert [to_text(one) for one in plan.addresses()] == [
        *(f"10.66.0.{n}" for n in (2, 3, 4, 5, 6)),
        "10.67.0.0",
        "10.67.0.1",
        "10.68.0.9",
    ]
    assert plan.hosts == 8
    assert plan.device == "eth0"


@given(st.integers(0, 0xFFFFFFFF), st.sampled_from(["", "10.66.0.1", "10.66.200.7", "192.168.0.1"]))
def test_the_kernels_filter_leaves_out_what_the_plan_does(address: int, gateway: str) -> None:
    config = Config(network=settings(hosts=("10.66.0.0/16", "10.68.0.0/30"), gateway=gateway))
    plan = assemble.describe(config, b"seed").plan
    inside = to_number("10.66.0.0") | address & 0xFFFF
    for port in plan.ports:
        program = plan.filter_for(port)
        for number in (address, inside, *plan.excluded):
            assert packet_filter.run(program, number) == plan.serves(to_text(number), port.port)


@pytest.mark.parametrize("hosts", ["127.77.0.0/16", "169.254.8.0/24", "224.0.0.0/8", "255.255.255.0/24", "0.0.0.0/8"])
def test_prefixes_that_no_network_carries_are_refused(hosts: str) -> None:
    with pytest.raises(InputError, match="cannot be reached over a network"):
        blueprint(hosts=(hosts,))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gateway": "10.66.0"}, "write it like 10.66.0.1"),
        ({"gateway": "10.66.0.1", "hosts": ("10.66.0.1",)}, "is the gateway alone"),
        ({"mode": "loopback", "hosts": ("127.77.0.0/16",), "link": "macvlan"}, "add --network netns"),
        ({"mode": "loopback", "hosts": ("127.77.0.0/16",), "mac": "vmware"}, "add --network netns"),
        ({"gateway": "10.66.0.1"}, "which is the router itself"),
        ({"link": "macvlan"}, "name it with --device"),
        ({"link": "ipvlan"}, "name it with --device"),
        ({"link": "ipvlan", "device": "eth0", "mac": "vmware"}, "leave network.mac empty"),
        ({"link": "ipvlan", "device": "eth0", "hosts": ("10.66.0.0/16",)}, "more than the 4096"),
        ({"mac": "archetypes"}, "choose --link macvlan"),
        ({"link": "macvlan", "device": "lo", "mac": "archetypes"}, "name it with --device"),
        ({"mac": "nonesuch"}, "there are: .*VMware"),
        ({"mac": "01:00:5e"}, "a group's address"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        blueprint(**changes)
    assert "\n" not in str(refused.value)


def test_the_real_ports_unless_an_offset_is_given(tmp_path: Path) -> None:
    file = tmp_path / "chaffinch.toml"
    file.write_text('[network]\nmode = "netns"\n', encoding="utf-8")
    assert load(file, None, {}).network.port_offset == 0
    assert load(file, {"network.port_offset": "1000"}, {}).network.port_offset == 1000
    assert load(None, {"network.mode": "netns"}, {"CHAFFINCH_NETWORK_PORT_OFFSET": "7"}).network.port_offset == 7
    assert load(None, None, {}).network.port_offset == 20000


def test_a_state_directory_has_one_name_and_one_address(tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(tmp_path)
    assert name_of(tmp_path / "way") == name_of(tmp_path) != name_of(tmp_path / "other")
    assert blueprint(mac="vmware").cards == blueprint(mac="vmware").cards
    assert len(blueprint().outer) <= 15


@pytest.mark.parametrize(
    ("said", "begins"),
    [("vmware", "00:0c:29:"), ("VMWARE", "00:0c:29:"), ("ax", "00:40:8c:"), ("00-1B-21", "00:1b:21:"), ("", "")],
)
def test_a_mac_is_filled_up(said: str, begins: str) -> None:
    found = mac_address(said, VENDORS, b"\x01\x02\x03")
    assert found == (begins + "01:02:03" if begins else "")


@given(st.text(max_size=20), st.binary(min_size=3, max_size=3))
def test_whatever_is_said_a_mac_is_whole_or_refused(said: str, rest: bytes) -> None:
    try:
        found = mac_address(said, VENDORS, rest)
    except InputError:
        return
    assert found == "" or re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", found)
    assert bool(found) == bool(said.strip())


def test_every_host_of_an_ipvlan_is_named() -> None:
    wanted = blueprint(link="ipvlan", device="eth0", hosts=("10.66.0.0/29",), gateway="10.66.0.1")
    assert wanted.hosts() == ["10.66.0.2", "10.66.0.3", "10.66.0.4", "10.66.0.5", "10.66.0.6"]


@given(st.integers(1, 2000))
def test_of_many_hosts_as_many_as_wanted_are_named(most: int) -> None:
    wanted = blueprint(hosts=("10.0.0.0/8", "172.20.0.0/24"))
    assert most - 2 <= len(wanted.hosts(most)) <= most + 2 * 2
    assert len(set(wanted.hosts(most))) == len(wanted.hosts(most))


def test_capture_takes_one_card() -> None:
    network = settings(link="macvlan", device="eth0", mac="archetypes")
    config = Config(network=network, capture=CaptureSettings(enabled=True))
    with pytest.raises(InputError, match=r"capture\.enabled takes one device"):
        assemble.blueprint(config, Path("/var/lib/fleet"), assemble.describe(config, b"seed"))


def test_one_card_at_a_time_lets_a_question_through() -> None:
    config = Config(network=settings(hosts=("10.66.0.0/22",), link="macvlan", device="eth0", mac="archetypes"))
    described = assemble.describe(config, b"seed")
    cards = assemble.blueprint(config, Path("/var/lib/fleet"), described).cards
    programs = [decoded(card.questions) for card in cards]
    for number in described.plan.addresses():
        assert sum(decides(program, number) == 0 for program in programs) == 1
    for number in described.plan.excluded:
        assert all(decides(program, number) == 2 for program in programs)
    assert [card.name for card in cards] == [f"eth{at}" for at in range(len(cards))]
    assert described.plan.device == ""


def decoded(packed: bytes) -> list[packet_filter.Instruction]:
    return [packet_filter.Instruction(code, k, jt, jf) for code, jt, jf, k in struct.iter_unpack("=HBBI", packed)]


def decides(program: list[packet_filter.Instruction], address: int) -> int:
    """What the program returns: with its returns swapped the interpreter of the listeners' filter tells."""
    swapped = [
        msgspec.structs.replace(one, operand=int(one.operand == 0)) if one.code == 0x06 else one for one in program
    ]
    return 0 if packet_filter.run(swapped, address) else 2
