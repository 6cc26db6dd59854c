"""What a fleet's network may not take away from the owner, and what it cannot be joined to."""

import pytest

pytest.importorskip("pyroute2")

from chaffinch.errors import InputError
from chaffinch.network.netns.outside import Device, Outside, Route, refuse
from tests.network.test_netns_blueprint import blueprint

CARD = Device("eth0", 2, "", is_up=True, mtu=1500, master=0)
BRIDGE = Device("br0", 3, "bridge", is_up=True, mtu=1500, master=0)
PORT = Device("eth1", 4, "", is_up=True, mtu=1500, master=3)
DOWN = Device("eth2", 5, "", is_up=False, mtu=1500, master=0)

MACHINE = Outside(
    devices=(CARD, BRIDGE, PORT, DOWN),
    addresses=(("lo", "127.0.0.1/8"), ("eth0", "192.168.1.5/24"), ("eth0", "192.168.1.6/32")),
    routes=(
        Route("0.0.0.0/0", "eth0", ("192.168.1.1",)),
        Route("192.168.1.0/24", "eth0", ()),
        Route("10.8.0.0/16", "", ("172.16.0.1", "172.16.0.2")),
    ),
    fleets=(("chaffinch-1", "10.99.0.0/16"),),
)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hosts": ("192.168.1.0/29",)}, "192.168.1.5 in 192.168.1.0/29 is this machine's own address on eth0"),
        ({"hosts": ("192.168.1.0/30",)}, "192.168.1.1 in 192.168.1.0/30 is the gateway to 0.0.0.0/0"),
        ({"hosts": ("172.16.0.2",)}, "172.16.0.2 in 172.16.0.2/32 is the gateway to 10.8.0.0/16"),
        ({"hosts": ("192.168.1.64/26",)}, "overlaps 192.168.1.0/24, which this machine reaches over eth0"),
        ({"hosts": ("10.8.4.0/24",)}, "overlaps 10.8.0.0/16"),
        ({"hosts": ("10.0.0.0/8",)}, "overlaps 10."),
        ({"hosts": ("10.99.4.0/24",)}, "of another fleet"),
        ({"device": "nonesuch"}, "there is no network device 'nonesuch'; there are: eth0, br0"),
        ({"device": "eth0"}, "eth0 is no bridge"),
        ({"link": "macvlan", "device": "eth1"}, "eth1 is a port of br0; choose --link veth --device br0"),
        ({"link": "macvlan", "device": "eth2"}, "ip link set eth2 up"),
    ],
)
def test_what_would_cut_the_owner_off_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as refused:
        refuse(blueprint(**changes), MACHINE)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"link": "macvlan", "device": "eth0"},
        {"link": "macvlan", "device": "eth0", "hosts": ("192.168.1.64/26",)},
        {"link": "macvlan", "device": "eth0", "hosts": ("192.168.1.0/30",), "gateway": "192.168.1.1"},
        {"link": "veth", "device": "br0", "hosts": ("192.168.1.64/26",), "gateway": "192.168.1.1"},
    ],
    ids=["routed", "card", "free part of the network", "the gateway named", "bridge"],
)
def test_what_takes_nothing_away_is_let_through(changes: dict[str, object]) -> None:
    refuse(blueprint(**changes), MACHINE)


def test_a_devices_networks_are_those_of_its_addresses() -> None:
    assert [str(network) for network in MACHINE.networks("eth0")] == ["192.168.1.0/24"]
    assert MACHINE.networks("br0") == ()
