"""Personas: the same for the same seed and address, for ever; consistent in themselves; others for another seed."""

import os
import re
import subprocess
import sys
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.errors import InputError
from chaffinch.personas import words
from chaffinch.personas.archetypes import archetypes
from chaffinch.personas.build import LONGEST_UPTIME, SHORTEST_UPTIME, Personas, persona
from chaffinch.personas.persona import Persona
from chaffinch.personas.placement import address_number

FLEET = address_number("127.77.0.0")
KINDS = {kind.name: kind for kind in archetypes()}


def hosts(seed: bytes = b"seed", count: int = 4096, stride: int = 16) -> list[Persona]:
    personas = Personas(seed, archetypes())
    return [personas.build(FLEET + stride * number) for number in range(count)]


HOSTS = hosts()

IN_ANOTHER_PROCESS = """
import sys, hashlib, msgspec
from chaffinch.personas.archetypes import archetypes
from chaffinch.personas.build import Personas
personas = Personas(b"seed", archetypes())
digest = hashlib.sha256()
for number in range(0, 4096 * 16, 64):
    digest.update(msgspec.msgpack.encode(personas.build(0x7F4D0000 + number)))
print(digest.hexdigest())
"""


def test_the_same_in_another_process() -> None:
    """Whatever the order of hashes there."""
    seen = set()
    for hash_seed in ("0", "1", "4711"):
        run = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(run.stdout)
    assert len(seen) == 1


@given(seed=st.binary(max_size=80), number=st.integers(0, (1 << 32) - 1))
@settings(max_examples=60, deadline=None)
def test_any_seed_and_address_make_a_host(seed: bytes, number: int) -> None:
    host = persona(seed, number, archetypes())
    assert host == persona(seed, host.address, archetypes()) == Personas(seed, archetypes()).of(host.address)
    assert re.fullmatch(r"[A-Za-z0-9-]{1,24}", host.hostname)
    assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(internal|lan)", host.domain)


def test_another_seed_makes_another_fleet() -> None:
    others = hosts(b"other", 1024)
    ours = HOSTS[:1024]
    assert ours[0].domain != others[0].domain
    assert not {host.secret for host in ours} & {host.secret for host in others}
    assert not {host.mac for host in ours} & {host.mac for host in others}
    for field in ("hostname", "archetype", "users", "mac", "secret", "reboot_period", "reboot_phase"):
        same = sum(getattr(one, field) == getattr(other, field) for one, other in zip(ours, others, strict=True))
        assert same / 1024 < 0.2, field


def test_a_key_is_not_cut_from_the_seed() -> None:
    """Seeds of any length count in full."""
    assert persona(b"x" * 100, "127.77.0.1", archetypes()) != persona(b"x" * 101, "127.77.0.1", archetypes())


def test_no_two_hosts_of_a_fleet_share_a_name_or_a_secret() -> None:
    everyone = hosts(count=1 << 16, stride=1)
    assert len({host.hostname.lower() for host in everyone}) == 1 << 16
    assert len({host.secret for host in everyone}) == 1 << 16
    assert len({host.mac for host in everyone}) > (1 << 16) - 40


def test_services_are_those_of_the_placement() -> None:
    personas = Personas(b"seed", archetypes())
    for host in HOSTS:
        number = address_number(host.address)
        assert personas.placement.archetype(number).name == host.archetype
        for service in host.services:
            assert personas.placement.serves(number, service.name)
            assert personas.placement.serves(number, service.port)
        for port in (21, 22, 23, 25, 80, 3306, 6379, 8080, 11211):
            assert personas.placement.serves(number, port) == any(service.port == port for service in host.services)


def test_versions_are_those_of_one_release_of_the_system() -> None:
    for host in HOSTS:
        make = next(make for make in KINDS[host.archetype].makes if make.system.id == host.os.id)
        releases = [release for release in make.system.releases if make.system.look(release) == host.os]
        claimed = {service.name: service.version for service in host.services}
        assert any(
            all(make.system.version_of(name, release) == version for name, version in claimed.items())
            for release in releases
        )


def test_hardware_is_of_its_vendor() -> None:
    for host in HOSTS:
        make = next(make for make in KINDS[host.archetype].makes if make.system.id == host.os.id)
        assert host.mac[:8] in {prefix for machine in make.hardware for prefix in machine.prefixes}
        assert re.fullmatch("[0-9a-f]{2}(:[0-9a-f]{2}){5}", host.mac)


def test_options_are_filled() -> None:
    values = [value for host in HOSTS for service in host.services for _, value in service.options]
    assert values
    assert not [value for value in values if re.search(r"\{[a-z]+\}", value)]


def test_a_camera_shows_the_model_whose_mac_it_has() -> None:
    seen = set()
    for host in (host for host in HOSTS if host.archetype == "iot-device" and host.os.family == "embedded"):
        hardware = next(make for make in KINDS["iot-device"].makes if make.system.id == host.os.id).hardware
        machine = next(machine for machine in hardware if host.mac[:8] in machine.prefixes)
        page = host.service("http")
        assert page is None or page.option("model") == machine.model
        seen.add(machine.model)
    assert len(seen) == 4


def test_accounts_are_consistent() -> None:
    for host in HOSTS:
        names = [user.name for user in host.users]
        assert len(names) == len(set(names))
        assert host.users[0].name == ("Administrator" if host.os.family == "windows" else "root")
        uids = [user.uid for user in host.users]
        assert len(uids) == len(set(uids))
        assert all(user.home and user.shell for user in host.users)
        if host.os.family == "linux" and host.service("mysql"):
            assert host.user("mysql") is not None


def test_people_recur_across_hosts() -> None:
    seen = Counter(user.name for host in HOSTS for user in host.users if user.uid >= 1000 and " " in user.full_name)
    staff = {person.login for person in Personas(b"seed", archetypes()).organization.staff}
    assert staff <= set(seen)
    assert len(staff) == 61


def test_weak_passwords_are_where_the_archetype_says() -> None:
    total, breached = Counter[str](), Counter[str]()
    for host in HOSTS:
        weak = [user for user in host.users if user.password]
        total[host.archetype] += 1
        breached[host.archetype] += bool(weak)
        assert len(weak) <= 2
        for user in weak:
            assert user.password in words.WEAK_PASSWORDS
            assert host.accepts(user.name, user.password)
            assert not host.accepts(user.name, user.password + "x")
            assert not user.shell.endswith(("nologin", "false"))
    assert breached["first-foothold"] == total["first-foothold"]
    for name, kind in KINDS.items():
        weight = sum(make.weight for make in kind.makes)
        share = sum(make.weight * kind.weak.share_on(make.system) for make in kind.makes) / weight
        assert breached[name] / total[name] == pytest.approx(share, abs=0.12)


def test_what_opens_to_a_guess_has_a_shell_that_the_decoys_play() -> None:
    assert all(host.os.family != "windows" or not any(user.password for user in host.users) for host in HOSTS)


def test_an_empty_password_opens_nothing() -> None:
    assert not any(host.accepts(user.name, "") for host in HOSTS for user in host.users)


def test_uptimes_move_and_stay_within_bounds() -> None:
    for host in HOSTS[:500]:
        assert SHORTEST_UPTIME <= host.reboot_period <= LONGEST_UPTIME
        now = 1_790_000_000.0
        assert now - host.reboot_period <= host.booted(now) <= now
        assert host.booted(now) == pytest.approx(host.booted(now + 1)) or host.booted(now + 1) > now
    assert len({host.reboot_period for host in HOSTS}) > 4000


def test_held_personas_are_bounded_and_the_longest_unused_goes() -> None:
    personas = Personas(b"seed", archetypes(), size=3)
    first = personas.of("127.77.0.1")
    for last in (2, 3):
        personas.of(f"127.77.0.{last}")
    assert personas.of("127.77.0.1") is first
    personas.of("127.77.0.4")  # 127.77.0.2 goes
    assert personas.of("127.77.0.1") is first
    assert len(personas._held) == 3
    assert "127.77.0.2" not in personas._held


@pytest.mark.parametrize("address", ["", "::1", "127.0.0.1 ", "example.org", "1.2.3"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="is not an IPv4 address"):
        Personas(b"seed", archetypes()).of(address)


def test_a_persona_is_data() -> None:
    packed = msgspec.msgpack.encode(HOSTS[0])
    assert msgspec.msgpack.decode(packed, type=Persona) == HOSTS[0]


def test_loading_is_light() -> None:
    """No TOML until archetypes are loaded; no parts that only errors need."""
    script = (
        "import sys\n"
        "import chaffinch.personas.build\n"
        "assert not {'tomllib', 'difflib', 'cryptography', 'importlib.resources'} & set(sys.modules)\n"
        "from chaffinch.personas.archetypes import archetypes\n"
        "archetypes()\n"
        "assert not {'difflib', 'cryptography', 'importlib.resources'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
