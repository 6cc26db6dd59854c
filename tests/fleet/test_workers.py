"""Which workers share a process: the ready arrangements, and groups as a table."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch import config
from chaffinch.config import Config
from chaffinch.decoys.registry import BUILT_IN
from chaffinch.errors import InputError, SettingError
from chaffinch.fleet import assemble, workers
from chaffinch.fleet.workers import arrange
from tests.fleet.running import Fleet, config_file, running

TABLE = workers.table(BUILT_IN)
NAMES = tuple(worker.name for worker in TABLE)


def names(groups: config.Groups) -> dict[str, tuple[str, ...]]:
    return {name: tuple(worker.name for worker in rows) for name, rows in arrange(TABLE, groups).items()}


def test_the_ready_arrangements() -> None:
    assert names("one") == {"fleet": NAMES}
    assert names("split") == {name: (name,) for name in NAMES}
    assert sorted(names("default")["decoys"]) == sorted(f"decoy-{name}" for name in BUILT_IN)


def test_a_table_says_who_shares_and_the_rest_goes_home() -> None:
    said = names({"front": ("decoy-ssh", "decoy-http"), "shells": ("decoy-tel*",), "page": ("metrics",)})
    assert said["front"] == ("decoy-http", "decoy-ssh")
    assert said["shells"] == ("decoy-telnet",)
    assert said["page"] == ("metrics",)
    assert {"decoy-redis", "decoy-ftp"} < set(said["decoys"])
    assert {"retention", "sessions"} <= set(said["back"])


def test_a_name_goes_before_a_pattern() -> None:
    said = names({"front": ("decoy-*",), "shells": ("decoy-ssh",)})
    assert said["shells"] == ("decoy-ssh",)
    assert "decoy-ssh" not in said["front"]
    assert "decoys" not in said


def test_what_no_group_names_may_go_to_a_group_of_the_table() -> None:
    assert set(names({"back": ("decoy-ssh",)})["back"]) > {"decoy-ssh", "metrics"}


@pytest.mark.parametrize(
    ("groups", "path", "said"),
    [
        (
            {"front": ("decoy-shh",)},
            "front",
            "no worker called 'decoy-shh', which the group 'front' names; did you mean",
        ),
        ({"front": ("decoi-*",)}, "front", "no worker of this fleet fits 'decoi-*'"),
        ({"a": ("decoy-ssh",), "b": ("decoy-ssh",)}, "b", "'decoy-ssh' in the group 'a' and again in 'b'; keep one"),
        ({"a": ("decoy-s*",), "b": ("decoy-ss*",)}, "b", "again in 'b' (by 'decoy-ss*')"),
        ({"metrics": ("decoy-ssh",)}, "metrics", "'metrics' is a worker's name; call the group something else"),
        ({"front": ()}, "front", "'front' names no worker; name some, or remove the group"),
        ({"a": ("decoy-ss*",), "b": ("decoy-ssh",)}, "a", "other groups name every worker of 'a' themselves"),
        ({"Front": ("metrics",)}, "Front", "cannot be a group's name; write up to 32 of a-z, 0-9 and -"),
        ({"a/b": ("metrics",)}, "a/b", "cannot be a group's name"),
        ({"": ("metrics",)}, "", "cannot be a group's name"),
        ({"a" * 33: ("metrics",)}, "a" * 33, "cannot be a group's name"),
    ],
)
def test_a_table_that_does_not_fit_is_one_sentence(groups: dict[str, tuple[str, ...]], path: str, said: str) -> None:
    with pytest.raises(SettingError) as refused:
        arrange(TABLE, groups)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.path == f"fleet.groups.{path}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[fleet]\nmemory = 0\n\n[fleet.groups]\nfront = ['decoy-ssh']\nback2 = ['decoy-shh']\n", 6),
        ("[fleet]\nmemory = 0\ngroups = {back2 = ['decoy-shh']}\n", 3),
        ("[fleet]\ngroups.front = ['decoy-ssh']\ngroups.back2 = ['decoy-shh']\n", 2),
        ("[fleet.groups]\n'back2' = ['decoy-shh']\n", 1),
    ],
)
def test_its_place_in_the_file_is_named(tmp_path: Path, text: str, line: int) -> None:
    file = config_file(tmp_path, text)
    loaded = config.load(file, None, {})
    with (
        pytest.raises(InputError, match=rf"chaffinch\.toml, line {line}: fleet\.groups: .*'decoy-shh'"),
        config.placed(file),
    ):
        assemble.draft(loaded, b"seed")


def test_a_table_is_typed_and_flags_and_variables_replace_it(tmp_path: Path) -> None:
    text = "[fleet.groups]\nfront = ['decoy-ssh']\n"
    assert config.load(config_file(tmp_path, text), None, {}).fleet.groups == {"front": ("decoy-ssh",)}
    file = config_file(tmp_path, text)
    assert config.load(file, {"fleet.groups": "split"}, {}).fleet.groups == "split"
    assert config.load(file, None, {"CHAFFINCH_FLEET_GROUPS": "one"}).fleet.groups == "one"
    with pytest.raises(InputError, match=r"CHAFFINCH_FLEET_GROUPS: fleet\.groups is wrong: .*one of 'one', 'default'"):
        config.load(file, None, {"CHAFFINCH_FLEET_GROUPS": "two"})
    for wrong in ("front = 'decoy-ssh'", "front = [3]"):
        with pytest.raises(InputError, match=r"line \d: fleet\.groups is wrong: .*a table of groups such as"):
            config.load(config_file(tmp_path, f"[fleet.groups]\n{wrong}\n"), None, {})


_words = st.one_of(st.sampled_from((*NAMES, "decoy-*", "*", "decoy-s*", "metrics", "r*", "[")), st.text(max_size=6))
_tables = st.dictionaries(
    st.one_of(st.sampled_from(("front", "shells", "back", "decoys", "metrics")), st.text(max_size=6)),
    st.lists(_words, max_size=4).map(tuple),
    max_size=5,
)


@given(_tables)
def test_every_worker_has_one_group_or_the_table_is_refused(groups: dict[str, tuple[str, ...]]) -> None:
    arranged, refused = None, None
    try:
        arranged = arrange(TABLE, groups)
    except SettingError as error:
        refused = error
    if arranged is None:
        assert refused is not None
        assert refused.path.removeprefix("fleet.groups.") in groups
        assert "\n" not in str(refused)
        return
    assert sorted(worker.name for rows in arranged.values() for worker in rows) == sorted(NAMES)
    assert all(arranged.values())
    assert set(groups) <= set(arranged)


def test_a_fleet_in_groups_of_a_table(tmp_path: Path) -> None:
    file = config_file(
        tmp_path, "[fleet.groups]\nfront = ['decoy-http', 'decoy-redis']\npages = ['metrics', 'decoy-ftp']\n"
    )
    with running(tmp_path / "s", "--config", str(file)) as fleet:
        groups = {group["name"]: group for group in fleet.status()["groups"]}
        assert set(groups) == {"front", "pages", "decoys", "back"}
        assert len({group["pid"] for group in groups.values()}) == 4
        assert fleet.worker("decoy-ftp")["group"] == "pages"
        fleet.connect("ftp").close()
        assert fleet.call("restart", "front").returncode == 0
        # A group that mixes is confined as far as the least strict of its workers allows, and doctor says so.
        said = fleet.call("doctor", "--config", str(file)).stdout
        assert "pages: decoys share its process, which may write to the store" in said
        assert "what faces attackers is on its own" in fleet.call("doctor").stdout


def test_the_fleet_is_not_started_with_a_wrong_table(tmp_path: Path) -> None:
    file = config_file(tmp_path, "[fleet.groups]\nfront = ['decoy-shh']\n")
    for more in ((), ("--detach",)):
        done = Fleet(tmp_path / "s").call("up", "--config", str(file), *more)
        assert (done.returncode, done.stdout) == (2, "")
        assert "chaffinch.toml, line 2: fleet.groups: this fleet has no worker called 'decoy-shh'" in done.stderr
        assert done.stderr.count("\n") == 1


def test_the_default_is_what_it_was() -> None:
    assert Config().fleet.groups == "default"
