"""systemd units: what they say for a configuration, and what systemd's own tools make of them."""

import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.config import Config, NetworkSettings, load
from chaffinch.errors import InputError
from chaffinch.fleet import allowances, assemble, installation, units
from chaffinch.fleet.installation import Installation

OPT = Installation(("/opt/chaffinch/bin/python", "-m", "chaffinch"), (Path("/opt/chaffinch"),), None)

BOTS = "chaffinch@out.service.d/discord-token.conf"
GUIDE = Path(__file__).parents[2] / "docs" / "bot.md"

MOST_EXPOSED = {"offset": 1.3, "real ports": 1.7, "split": 1.3, "with the Discord bot": 1.4, "network of its own": 3.8}
"""Of ten, by `systemd-analyze security`; docs/systemd.md states them."""

NETNS = Config(network=NetworkSettings(hosts=("10.66.0.0/16",), mode="netns", port_offset=0))

PAGE = Path(__file__).parents[2] / "docs" / "systemd.md"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def settings(folder: Path, text: str) -> Config:
    file = folder / "chaffinch.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, None, {})


def written(config: Config, where: Installation = OPT, *, split: bool = False) -> dict[str, str]:
    described = assemble.describe(config, bytes(32))
    make = units.split if split else units.one
    return make(config, described.plan, assemble.arranged(config, described), where)


def unit(config: Config, where: Installation = OPT) -> str:
    return written(config, where)["chaffinch.service"]


def values(text: str, name: str) -> list[str]:
    """What the unit says of one setting, in its order."""
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{name}=")]


def test_shifted_ports_take_no_capability() -> None:
    text = unit(Config())
    assert values(text, "CapabilityBoundingSet") == [""]
    assert values(text, "AmbientCapabilities") == []
    assert values(text, "DynamicUser") == ["yes"]
    assert values(text, "RestrictAddressFamilies") == ["AF_UNIX AF_INET"]
    assert values(text, "IPAddressDeny") == ["any"]


def test_real_ports_take_one(tmp_path: Path) -> None:
    text = unit(settings(tmp_path, "[network]\nport_offset = 0\n"))
    assert values(text, "CapabilityBoundingSet") == values(text, "AmbientCapabilities") == ["CAP_NET_BIND_SERVICE"]
    assert "# CAP_NET_BIND_SERVICE: ports 21, 22, 23, 25, 80.\n" in text
    assert values(text, "PrivateUsers") == [], "a capability within a user namespace binds no port outside of it"
    none_low = "\n".join(f"[services.{name}]\nenabled = false" for name in ("ftp", "ssh", "telnet", "smtp", "http"))
    text = unit(settings(tmp_path, f"[network]\nport_offset = 0\n{none_low}\n"))
    assert values(text, "CapabilityBoundingSet") == [""]


def test_capture_takes_one_and_a_family_of_sockets(tmp_path: Path) -> None:
    text = unit(settings(tmp_path, "[capture]\nenabled = true\n"))
    assert values(text, "CapabilityBoundingSet") == values(text, "AmbientCapabilities") == ["CAP_NET_RAW"]
    assert values(text, "RestrictAddressFamilies") == ["AF_UNIX AF_INET AF_PACKET"]
    assert values(text, "PrivateUsers") == []


def test_the_bot_may_leave_the_machine(tmp_path: Path) -> None:
    text = unit(settings(tmp_path, "[bot]\nenabled = true\n"))
    assert values(text, "RestrictAddressFamilies") == ["AF_UNIX AF_INET AF_INET6"]
    assert values(text, "IPAddressDeny") == []
    assert "the Discord bot speaks with Discord" in text


def test_the_bots_token_is_handed_to_its_unit_alone(tmp_path: Path) -> None:
    handed = "discord-token:/etc/chaffinch/discord-token"
    config = settings(tmp_path, "[bot]\nenabled = true\n")
    assert values(unit(config), "LoadCredential") == [handed]
    assert values(unit(Config()), "LoadCredential") == []
    texts = written(config, split=True)
    assert {name for name, text in texts.items() if values(text, "LoadCredential")} == {BOTS}
    assert values(texts[BOTS], "LoadCredential") == [handed]
    own = settings(tmp_path, "[bot]\nenabled = true\ntoken_file = '/srv/token'\n")
    assert values(unit(own), "LoadCredential") == []
    assert written(own, split=True).keys() == written(Config(), split=True).keys()


def test_a_network_of_its_own_is_made_by_root() -> None:
    text = unit(NETNS)
    assert values(text, "DynamicUser") == values(text, "AmbientCapabilities") == values(text, "IPAddressDeny") == []
    assert "CAP_SYS_ADMIN" in values(text, "CapabilityBoundingSet")[0]
    assert values(text, "RestrictAddressFamilies") == ["AF_UNIX AF_INET AF_NETLINK"]
    on_a_segment = msgspec.structs.replace(NETNS.network, link="macvlan", device="eth0")
    text = unit(msgspec.structs.replace(NETNS, network=on_a_segment))
    assert values(text, "RestrictAddressFamilies") == ["AF_UNIX AF_INET AF_PACKET AF_NETLINK"]
    assert values(text, "RestrictNamespaces") == ["net mnt"]
    assert values(text, "After") == ["network-online.target"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[metrics]\nhost = '0.0.0.0'", "other machines reach the metrics page on 0.0.0.0"),
        ("[metrics]\nhost = 'db.example'", "other machines reach the metrics page on db.example"),
        ("[metrics]\nhost = '0.0.0.0'\nport = 0", ""),
        ("[metrics]\nhost = '127.0.0.9'", ""),
        ("[metrics]\nhost = '::1'", ""),
    ],
)
def test_other_machines_are_kept_away_unless_the_configuration_lets_them_in(
    tmp_path: Path, text: str, why: str
) -> None:
    made = unit(settings(tmp_path, text))
    assert values(made, "IPAddressDeny") == ([] if why else ["any"])
    assert not why or f"# No IPAddressDeny=any: {why}." in made
    assert ("AF_INET6" in values(made, "RestrictAddressFamilies")[0]) == ("::1" in text)


def test_a_budget_becomes_limits_whose_arithmetic_it_shows(tmp_path: Path) -> None:
    assert values(unit(Config()), "MemoryMax") == []
    text = unit(settings(tmp_path, "[fleet]\nmemory = '128M'\n"))
    high, most = (int(values(text, name)[0]) for name in ("MemoryHigh", "MemoryMax"))
    fitting = Config().decoys.sessions  # of one process with decoys; more would fit
    assert fitting < ((128 - 35) << 20) // allowances.SESSION_BYTES
    assert high == (128 << 20) + fitting * allowances.KERNEL_BYTES
    assert most == high + high // 8
    assert f"5000 bytes for each of the {fitting} sessions that fit" in text
    few = unit(settings(tmp_path, "[fleet]\nmemory = '128M'\n[decoys]\nsessions = 16\n"))
    assert int(values(few, "MemoryHigh")[0]) == (128 + 16) << 20
    page = PAGE.read_text(encoding="utf-8")
    assert f"128 MiB give {fitting:,} sessions" in page
    assert f"`MemoryHigh` of {high / 2**20:.0f} MiB, `MemoryMax` of {most / 2**20:.0f} MiB" in page
    apart = unit(settings(tmp_path, "[fleet]\ngroups = 'split'\nmemory = '640M'\n"))
    assert f"at most {8 * fitting} in all" in apart, "each of the eight processes has its own"
    held = written(settings(tmp_path, "[fleet]\nmemory = '128M'\n"), split=True)
    assert values(held["chaffinch.slice"], "MemoryMax") == [str(most)]
    assert values(held["chaffinch@.service"], "MemoryMax") == []
    assert values(held["chaffinch@.service"], "Slice") == ["chaffinch.slice"]


def test_every_bound_of_the_units_is_that_of_the_configuration(tmp_path: Path) -> None:
    text = unit(settings(tmp_path, "[fleet]\ngroups = 'split'\ndrain_seconds = 2.5\n[decoys]\nsessions = 100\n"))
    assert values(text, "TimeoutStopSec") == ["7.5"]
    assert values(text, "LimitNOFILE") == [str(100 + 512)]
    assert values(text, "TasksMax") == [str(64 * 12)]


def test_the_program_and_its_file_are_named_as_systemd_reads_them() -> None:
    odd = Installation(("/opt/a 100%/python", "-m", "chaffinch"), (), Path('/etc/ch "af"/$x\\y.toml'))
    (line,) = values(unit(Config(), odd), "ExecStart")
    assert line == (r'"/opt/a 100%%/python" -m chaffinch up --state %S/chaffinch --config "/etc/ch \"af\"/$$x\\y.toml"')
    for path in ('/opt/"', "/opt/'", "/opt/$x", "/opt/a\\b", "/opt/a\nb"):
        with pytest.raises(InputError, match="systemd starts no program whose path has"):
            unit(Config(), Installation((path,), (), None))
    (line,) = values(unit(Config(), msgspec.structs.replace(OPT, can_reload=True)), "ExecReload")
    assert line == "/opt/chaffinch/bin/python -m chaffinch reload --state %S/chaffinch"
    assert values(unit(Config()), "ExecReload") == []
    assert " --only %i" in values(written(Config(), split=True)["chaffinch@.service"], "ExecStart")[0]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_a_path_never_becomes_another_line_or_specifier(word: str) -> None:
    start = units._start(msgspec.structs.replace(OPT, config=Path(f"/{word}")), "")
    assert not set(start) & set("\n\r\t\x7f\x1b")
    assert "%" not in start.replace("%%", "").replace(" %S/chaffinch", "")
    assert "$" not in start.replace("$$", "")


def test_homes_are_shown_only_where_something_is_read_there(tmp_path: Path) -> None:
    assert values(unit(Config()), "ProtectHome") == ["yes"]
    at_home = msgspec.structs.replace(OPT, config=Path("/home/ada/chaffinch.toml"))
    text = unit(Config(), at_home)
    assert "# /home/ada/chaffinch.toml is read.\nProtectHome=read-only\n" in text


def test_what_is_in_the_way_of_a_service_is_said(tmp_path: Path) -> None:
    at = Path("/opt")
    assert installation.in_the_way(Installation(("/opt",), (at,), None)) == []
    (note,) = installation.in_the_way(Installation(("/opt",), (tmp_path,), None))
    assert f"{tmp_path.resolve()} is in a directory for temporary files" in note


def unit_of_the_guide() -> str:
    """The service that docs/bot.md writes down for a bot without a fleet."""
    return GUIDE.read_text(encoding="utf-8").split("```ini\n[Unit]\n")[1].split("```")[0].join(("[Unit]\n", ""))


def exposure(folder: Path, texts: dict[str, str], name: str, asked: str = "") -> float:
    for one, text in texts.items():
        (folder / one).write_text(text, encoding="utf-8")
    file = folder / (asked or name)
    if asked:
        file.write_text(texts[name], encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(file)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done
    return float(found[1])


@needs_systemd
def test_exposure_is_as_low_as_the_page_says(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    real = settings(tmp_path, "[network]\nport_offset = 0\n")
    bot = settings(tmp_path, "[bot]\nenabled = true\n")
    found = {
        "offset": exposure(tmp_path, written(Config()), "chaffinch.service"),
        "real ports": exposure(tmp_path, written(real), "chaffinch.service"),
        "with the Discord bot": exposure(tmp_path, written(bot), "chaffinch.service"),
        "network of its own": exposure(tmp_path, written(NETNS), "chaffinch.service"),
        "split": exposure(tmp_path, written(Config(), split=True), "chaffinch@.service", "chaffinch@decoys.service"),
    }
    for name, most in MOST_EXPOSED.items():
        assert found[name] <= most, found
        assert f"| {name} | {most} |" in page
    assert exposure(tmp_path, {"bot.service": unit_of_the_guide()}, "bot.service") <= MOST_EXPOSED["offset"]


@needs_systemd
@pytest.mark.parametrize(
    "text", ["", "[network]\nport_offset = 0\n", "[fleet]\nmemory = '128M'\n", "[bot]\nenabled = true\n"]
)
def test_systemd_finds_no_fault(tmp_path: Path, text: str) -> None:
    where = Installation(("/bin/true",), (), Path("/etc/passwd"))
    config = settings(tmp_path, text)
    shutil.copy("/bin/true", tmp_path / "tr %u e")
    where = msgspec.structs.replace(where, program=(str(tmp_path / "tr %u e"),))
    texts = written(config, where) | written(config, where, split=True)
    texts["netns.service"] = written(NETNS, where)["chaffinch.service"]
    texts["bot.service"] = unit_of_the_guide().replace("/usr/local/bin/chaffinch", "/bin/true")
    for name, one in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(one, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--no-pager", *(str(tmp_path / name) for name in texts if name != BOTS)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
