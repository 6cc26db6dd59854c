"""Which change concerns whom: the table, against the settings and the workers that there are."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch import config
from chaffinch.config import Config
from chaffinch.decoys.registry import BUILT_IN
from chaffinch.errors import InputError
from chaffinch.fleet import assemble, reload
from chaffinch.fleet.parts import Draft
from chaffinch.fleet.reload import Change, changes, differing, rule_for

DECOYS = {f"decoy-{name}" for name in BUILT_IN}
FOR_LIFE = {"fleet.seed", "fleet.user", "fleet.log_bytes"} | {
    f"network.{key}" for key in ("mode", "device", "link", "gateway", "mac")
}
"""What holds for a fleet's whole life."""


def draft(tree: dict[str, Any] | None = None) -> Draft:
    return assemble.draft(msgspec.convert(tree or {}, Config), b"seed")


def change(old: dict[str, Any], new: dict[str, Any]) -> Change:
    return changes(draft(old), draft(new))


def other_than(default: object) -> object:
    """Another value that the setting takes."""
    match default:
        case bool():
            return not default
        case int():
            return default // 2 or default + 1
        case float():
            return default / 2 or 1.0
        case str():
            return "other"
        case _:
            return ("127.99.0.0/24",)


@pytest.mark.parametrize("setting", tuple(config.settings()), ids=lambda one: one.path)
def test_every_setting_has_its_rule(setting: config.Setting) -> None:
    path = setting.path.replace("<name>", "ssh")
    then = rule_for(path).then
    assert (then == "fleet") == (path in FOR_LIFE), "what may not change while a fleet runs is stated here, too"


def test_what_no_rule_fits_asks_for_another_fleet() -> None:
    assert rule_for("nowhere.at_all").then == "fleet"


@pytest.mark.parametrize(
    "setting",
    [one for one in config.settings() if not one.section.startswith("services") and "one of" not in one.type],
    ids=lambda one: one.path,
)
def test_every_difference_is_found(setting: config.Setting) -> None:
    tree: dict[str, Any] = {}
    inner = tree
    for name in setting.section.split("."):
        inner = inner.setdefault(name, {})
    inner[setting.key] = [5] if setting.type == "a list of ids" else other_than(setting.default)
    new = msgspec.convert(tree, Config)
    assert differing(Config(), new) == (setting.path,)
    assert differing(new, new) == ()


@pytest.mark.parametrize("path", sorted(FOR_LIFE))
def test_what_cannot_change_is_one_sentence(path: str) -> None:
    with pytest.raises(InputError, match=rf"^{path} cannot change") as refused:
        reload.refuse_unchangeable((path, "metrics.port"))
    assert "chaffinch stop" in str(refused.value)
    assert "nothing was changed" in str(refused.value)
    assert "metrics.port" not in str(refused.value)


@pytest.mark.parametrize(
    ("new", "restarted"),
    [
        ({"decoys": {"sessions": 99}}, DECOYS),
        ({"network": {"hosts": ["127.77.0.0/24"]}}, DECOYS),
        ({"network": {"port_offset": 10000}}, DECOYS),
        ({"network": {"backlog": 10}}, set()),
        ({"metrics": {"host": "127.0.0.2"}}, {"metrics"}),
        ({"fleet": {"memory": 300 << 20, "drain_seconds": 3}}, set()),
        ({"chain": {"candidate": {"share": 0.5}}}, set()),
    ],
    ids=str,
)
def test_workers_begin_anew_inside_their_process(new: dict[str, Any], restarted: set[str]) -> None:
    found = change({}, new)
    assert set(found.restarted) == restarted
    assert (found.anew, found.ended, found.stopped, found.started) == ((), (), (), ())
    assert bool(found.told) == (not restarted)


def test_processes_begin_anew_where_something_is_made_once() -> None:
    assert change({}, {"journal": {"flush_ms": 5}}).anew == ("decoys", "back")
    assert change({}, {"store": {"max_age_days": 5}}).anew == ("back",)
    assert change({}, {"store": {"max_age_days": 5}}).restarted == ()


@pytest.mark.parametrize(("groups", "anew"), [("one", ("fleet",)), ("default", ("decoys",)), ("split", ("capture",))])
def test_a_raw_socket_takes_a_new_process_for_the_group_that_reads_it(groups: str, anew: tuple[str, ...]) -> None:
    fleet = {"groups": groups}
    off, on = {"fleet": fleet}, {"fleet": fleet, "capture": {"enabled": True}}
    assert change(off, on).anew == anew
    assert change(on, {"fleet": fleet, "capture": {"enabled": True, "buffer_bytes": 65536}}).anew == anew
    found = change(on, off)
    assert (found.anew, found.ended) == ((), anew) if groups == "split" else (anew, ())
    windows = change(on, {"fleet": fleet, "capture": {"enabled": True, "windows": 99, "share": 0.5}})
    assert (windows.anew, windows.restarted) == ((), ("capture",))


def test_the_bot_takes_a_process_for_its_directories_and_its_token() -> None:
    """Landlock is put on once: nobody can be given another directory, nor a file that only root reads."""
    one = {"groups": "one"}
    assert change({"fleet": one}, {"fleet": one, "bot": {"enabled": True}}).anew == ("fleet",)
    beside = {"groups": {"outside": ["metrics", "bot"]}}
    without = {"groups": {"outside": ["metrics"]}}
    assert change({"fleet": without}, {"fleet": beside, "bot": {"enabled": True}}).anew == ("outside",)
    on = {"bot": {"enabled": True}}
    assert change({}, on).anew == ("out",)
    assert change(on, {}).ended == ("out",)
    assert change(on, {"bot": {"enabled": True, "token_file": "/run/token"}}).anew == ("out",)
    for changed in ({"bot": {"enabled": True, "prefix": "!x"}}, on | {"chain": {"memory": 1 << 20}}):
        found = change(on, changed)
        assert (found.anew, found.restarted) == ((), ("bot",))
    assert change(on, on | {"chain": {"serve": {"port": 1}}}).restarted == ()


def test_a_group_that_meets_attackers_from_now_on_begins_anew() -> None:
    """It shares its process with others all the time, but where that is in a network of its own changes."""
    fleet = {"groups": {"pages": ["*et*"]}}
    without = {"fleet": fleet, "services": {"telnet": {"enabled": False}}}
    assert change(without, {"fleet": fleet}).anew == ("pages",)
    assert change({"fleet": fleet}, without).anew == ("pages",)


def test_a_service_that_goes_stops_alone() -> None:
    found = change({}, {"services": {"ssh": {"enabled": False}}})
    assert found.stopped == ("decoy-ssh",)
    assert (found.restarted, found.anew, found.started, found.released) == ((), (), (), ())
    back = change({"services": {"ssh": {"enabled": False}}}, {})
    assert back.started == ("decoy-ssh",)
    assert (back.restarted, back.anew, back.stopped) == ((), (), ())


def test_a_section_that_says_what_holds_anyway_is_no_change() -> None:
    assert change({}, {"services": {"ssh": {}}}).settings == ()


def test_a_bound_that_is_given_with_the_number_that_it_has_is_told() -> None:
    """Under a budget it no longer follows from that, which groups take over as they go on."""
    given = {"decoys": {"sessions": 10_000}, "given": ["decoys.sessions", "fleet.groups"]}
    for old, new in (({}, given), (given, {})):
        found = change(old, new)
        assert found.settings == found.told == ("decoys.sessions",)
        assert (found.restarted, found.anew) == ((), ())
    assert set(change({}, given | {"decoys": {"sessions": 99}}).restarted) == DECOYS


def test_ports_that_change_hands_are_released_first() -> None:
    assert set(change({}, {"network": {"port_offset": 20001}}).released) == {"decoy-ssh", "decoy-telnet"}
    assert change({}, {"network": {"port_offset": 10000}}).released == ()


def test_groups() -> None:
    split = change({}, {"fleet": {"groups": "split"}})
    assert set(split.ended) == {"decoys", "back"}
    assert set(split.anew) == {*DECOYS, "retention", "sessions", "metrics"}
    table = change({}, {"fleet": {"groups": {"front": ["decoy-ssh"]}}})
    assert (set(table.anew), table.ended) == ({"front", "decoys"}, ())
    same = change({}, {"fleet": {"groups": {"decoys": ["decoy-ssh"]}}})
    assert (same.anew, same.ended, same.restarted, same.told) == ((), (), (), ("fleet.groups",))


_trees = st.fixed_dictionaries(
    {},
    optional={
        "fleet": st.fixed_dictionaries(
            {},
            optional={
                "groups": st.sampled_from(
                    ["one", "default", "split", {"a": ["decoy-*"]}, {"a": ["decoy-redis", "metrics"]}]
                ),
                "memory": st.sampled_from([0, 300 << 20]),
            },
        ),
        "network": st.fixed_dictionaries(
            {}, optional={"port_offset": st.sampled_from([20000, 20001, 9000]), "hosts": st.just(["127.3.0.0/24"])}
        ),
        "decoys": st.just({"sessions": 99}),
        "services": st.dictionaries(st.sampled_from(("ssh", "telnet", "ftp")), st.just({"enabled": False})),
        "capture": st.sampled_from([{"enabled": True}, {"enabled": True, "buffer_bytes": 65536}, {"windows": 99}]),
        "journal": st.just({"flush_ms": 3}),
        "store": st.just({"max_age_days": 3}),
        "metrics": st.just({"port": 0}),
    },
)


@given(_trees, _trees)
def test_a_change_leads_from_any_fleet_to_any_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = draft(old), draft(new)
    found = changes(before, after)
    groups = {name: {worker.name for worker in rows} for name, rows in before.groups.items() if name not in found.ended}
    for name in groups:
        groups[name] -= set(found.stopped)
    for name, rows in after.groups.items():
        there = {worker.name for worker in rows}
        if name in found.anew:
            groups[name] = there
        else:
            groups[name] |= there & set(found.started)
    assert groups == {name: {worker.name for worker in rows} for name, rows in after.groups.items()}
    inside = {worker.name for name, rows in after.groups.items() if name not in found.anew for worker in rows}
    assert set(found.restarted) | set(found.started) <= inside
    assert not set(found.restarted) & set(found.started)
    assert set(found.released) <= {worker.name for rows in after.groups.values() for worker in rows}
    same = changes(after, after)
    assert not any((same.settings, same.ended, same.anew, same.stopped, same.released, same.restarted, same.started))


def test_a_fleet_s_file_and_its_flags_are_read_again(tmp_path: Path) -> None:
    from chaffinch.cli import options

    file = tmp_path / "chaffinch.toml"
    file.write_text("[fleet]\nmemory = '64M'\n", encoding="utf-8")
    source = options.source_of(str(file), {"metrics.port": 0})
    assert source.load().fleet.memory == 64 << 20
    file.write_text("[fleet]\nmemory = '65M'\n[metrics]\nport = 3\n", encoding="utf-8")
    assert (source.load().fleet.memory, source.load().metrics.port) == (65 << 20, 0)
    file.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        source.load()


def test_the_user_s_own_file_may_come_later_but_not_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chaffinch.cli import options

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("CHAFFINCH_CONFIG", raising=False)
    early = options.source_of(None, {})
    assert early.load() == Config()
    own = config.config_file()
    own.parent.mkdir(parents=True)
    own.write_text("[fleet]\nmemory = '64M'\n", encoding="utf-8")
    late = options.source_of(None, {})
    assert early.load().fleet.memory == late.load().fleet.memory == 64 << 20
    own.unlink()
    assert early.load() == Config()
    with pytest.raises(InputError, match="cannot be read"):
        late.load()
