"""Settings of the older bots: each is taken, or it is said why not; ours go first; a shared file has no token."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch import config as configuration
from chaffinch.chat.commands.table import table
from chaffinch.chat.older.settings import below, of_environment, of_file
from chaffinch.chat.older.table import SETTINGS, page
from chaffinch.config import BotSettings, Config
from chaffinch.errors import InputError
from tests.chat.test_token import TEXT

GUIDE = Path(__file__).parents[3] / "docs" / "bot-older.md"

ENVIRONMENT = {
    "TOKEN": TEXT,
    "MESSAGE_COMMAND_PREFIX": "!bot",
    "SLASH_COMMAND_NAME": "talk",
    "ACTIVITY": "!bot help",
    "OWNER_IDS": "82684276755136512, 734548250895319070",
    "USER_ROLE_IDS": "734548250895319071",
    "TZ": "America/Chicago",
    "LOG_LEVEL": "trace",
    "STATE_SIZE": "3",
    "MAX_TRIES": "2000",
    "MIN_SCORE": "15",
    "DEV_GUILD_ID": "1234567890",
    "RESPONSE_CHANNEL_IDS": "1,2",
    "ENABLE_MARKOV_STORE": "true",
    "ENABLE_WORKER_POOL": "false",
    "WORKER_POOL_SIZE": "8",
    "ENABLE_BATCH_OPTIMIZATION": "true",
    "BATCH_SIZE": "5000",
    "CHAIN_CACHE_MEMORY_LIMIT": "512",
    "CHAIN_SAVE_DEBOUNCE_MS": "3000",
    "OPTIMIZATION_ROLLOUT_PERCENTAGE": "25",
    "OPTIMIZATION_FORCE_GUILD_IDS": "123456789012345678,987654321098765432",
    "ENABLE_PERFORMANCE_MONITORING": "true",
    "RANDOM_RESPONSE_CHANCE": "0.1",
    "BANNED_WORDS": "one,two",
}
"""All that they read, with values of their examples."""

EXPECTED: dict[str, Any] = {
    "bot.prefix": "!bot",
    "bot.command": "talk",
    "bot.activity": "!bot help",
    "bot.owners": (82684276755136512, 734548250895319070),
    "bot.user_roles": (734548250895319071,),
    "bot.timezone": "America/Chicago",
    "bot.log_level": "debug",
    "chain.order": 3,
    "bot.max_tries": 2000,
    "bot.min_score": 15,
    "bot.dev_guild": 1234567890,
    "bot.response_channels": (1, 2),
    "chain.threads": 8,
    "chain.memory": 512 << 20,
    "chain.candidate.share": 0.25,
    "chain.candidate.tenants": ("guild-123456789012345678", "guild-987654321098765432"),
}


def valued(config: Config, path: str) -> Any:
    found: Any = config
    for name in path.split("."):
        found = getattr(found, name)
    return found


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_each_variable_is_taken_or_it_is_said_why_not() -> None:
    assert ENVIRONMENT.keys() == {one.variable for one in SETTINGS}
    merged = below(Config(), [of_environment(ENVIRONMENT)])
    assert {path: valued(merged.config, path) for path in EXPECTED} == EXPECTED
    first, *others = merged.said
    assert first.startswith("taken from an older bot: bot.activity (ACTIVITY), bot.command (SLASH_COMMAND_NAME), ")
    for variable in ENVIRONMENT.keys() - {"TOKEN"}:
        said = [line for line in merged.said if re.search(rf"\b{variable}\b", line)]
        assert len(said) == 1, variable
    assert all(len(line.split()) > 5 for line in others)
    assert TEXT not in str(merged.said)


def test_a_command_that_takes_the_place_of_a_setting_is_one_of_ours() -> None:
    there = table(BotSettings()).leaves
    merged = below(Config(), [of_environment(ENVIRONMENT)])
    named = {name for text in (*merged.said, *page()) for name in re.findall(r"/((?:listen|autorespond) \w+)", text)}
    assert named == {"autorespond add", "autorespond chance"}
    assert named <= there.keys()


def test_what_a_file_leaves_empty_is_as_good_as_not_there(tmp_path: Path) -> None:
    path = written(tmp_path / "config.json", '{"devGuildId": "", "activity": "", "token": "", "minScore": null}')
    merged = below(Config(), [of_file(path)])
    assert merged.config == Config()
    assert merged.token is None


def test_the_file_has_the_same_and_goes_before_the_environment(tmp_path: Path) -> None:
    path = written(
        tmp_path / "config.json5",
        f"""{{
          // what a release wrote, with a comment
          token: "{TEXT}", messageCommandPrefix: '!file', ownerIds: ["82684276755136512"],
          stateSize: 1, optimizationRolloutPercentage: 12.5, chainCacheMemoryLimit: 256,
          enableMarkovStore: false, enablePerformanceMonitoring: false, userRoleIds: [], devGuildId: null,
        }}""",
    )
    merged = below(Config(), [of_environment({"MESSAGE_COMMAND_PREFIX": "!env", "MAX_TRIES": "7"}), of_file(path)])
    assert merged.config.bot.prefix == "!file"
    assert merged.config.bot.max_tries == 7
    assert merged.config.bot.owners == (82684276755136512,)
    assert merged.config.chain.order == 1
    assert merged.config.chain.candidate.share == 0.125
    assert merged.config.chain.memory == 256 << 20
    assert merged.config.bot.metrics_port == 0
    assert merged.token is not None
    assert merged.token.reveal() == TEXT
    assert TEXT not in repr(merged)
    assert any("enableMarkovStore" in line and "there is one engine" in line for line in merged.said)


def test_names_of_earlier_releases_and_unknown_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "config.json", '{"prefix": "!old", "game": "chess", "regenHour": 4}')
    merged = below(Config(), [of_file(path)])
    assert (merged.config.bot.prefix, merged.config.bot.activity) == ("!old", "chess")
    assert merged.said[-1] == f"{path}: regenHour is no setting of those bots, and sets nothing"


def test_ours_go_first_and_that_is_said() -> None:
    config = configuration.load(None, {"bot.prefix": "!ours"}, {"CHAFFINCH_CHAIN_ORDER": "4"})
    merged = below(config, [of_environment({"MESSAGE_COMMAND_PREFIX": "!theirs", "STATE_SIZE": "1", "MAX_TRIES": "5"})])
    assert (merged.config.bot.prefix, merged.config.chain.order, merged.config.bot.max_tries) == ("!ours", 4, 5)
    assert "MESSAGE_COMMAND_PREFIX is not taken, because bot.prefix is set" in merged.said
    assert "STATE_SIZE is not taken, because chain.order is set" in merged.said


def test_without_any_nothing_is_said() -> None:
    config = Config()
    merged = below(config, [of_environment({"PATH": "/bin", "OWNER_IDS": "", "HOME": "/"})])
    assert merged.config == config
    assert merged.said == ()
    assert merged.token is None


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("STATE_SIZE", "5", "STATE_SIZE is the order of the chain, which goes from 1 to 4"),
        ("STATE_SIZE", "two", "STATE_SIZE has to be a whole number"),
        ("MAX_TRIES", "0", r"MAX_TRIES is bot.max_tries here, which it cannot be: .*allowed: a whole number from 1"),
        ("MIN_SCORE", "-1", "MIN_SCORE is bot.min_score here"),
        ("OWNER_IDS", "YOUR_USER_ID_HERE", "OWNER_IDS has something that is no id"),
        ("OWNER_IDS", "9223372036854775808", "is no id"),
        ("OWNER_IDS", "²", "is no id"),
        ("SLASH_COMMAND_NAME", "Mark It", "SLASH_COMMAND_NAME is bot.command here"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL has to be one of silly, trace"),
        ("OPTIMIZATION_ROLLOUT_PERCENTAGE", "101", "chain.candidate.share here"),
        ("OPTIMIZATION_ROLLOUT_PERCENTAGE", "nan", "chain.candidate.share here"),
        ("WORKER_POOL_SIZE", "1000", "chain.threads here, which it cannot be: .*allowed: a whole number from 1 to 256"),
        ("ENABLE_MARKOV_STORE", "maybe", "ENABLE_MARKOV_STORE has to be true or false"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_a_sentence(variable: str, value: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        of_environment({variable: value})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"ownerIds": [734548250895319070]}', "ownerIds has an id without quotes: .*past 2\\^53.* write it as a text"),
        ('{"devGuildId": 734548250895319070}', "devGuildId has an id without quotes"),
        ('{"ownerIds": "82684276755136512,"}', ""),
        ('{"maxTries": "many"}', "maxTries has to be a whole number"),
        ('{"maxTries": true}', "maxTries has to be a whole number"),
        ('{"activity": 5}', "activity has to be text"),
        ("{token: ", r"is not JSON5 \(line 1, column 9\)"),
        ('{"prefix": "a", "prefix": "b"}', "is not JSON5"),
        ("[]", "has no settings"),
        ("[" * 100_000, "is not JSON5"),
        ("", "is not JSON5"),
        ("\xff", "is not JSON5"),
        ('{"token": "YOUR_BOT_TOKEN_HERE"}', "does not look like one"),
    ],
)
def test_a_file_that_cannot_be_is_refused_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    if not said:
        of_file(path)
        return
    with pytest.raises(InputError, match=said) as refused:
        of_file(path)
    assert str(path) in str(refused.value)


def test_a_file_that_others_can_read_may_not_have_the_token(tmp_path: Path) -> None:
    path = written(tmp_path / "config.json", f'{{"token": "{TEXT}"}}')
    path.chmod(0o644)
    with pytest.raises(InputError, match=f"chmod 600 {path}"):
        of_file(path)
    written(path, '{"token": "", "prefix": "!x"}').chmod(0o644)
    assert of_file(path).token is None


def test_a_file_that_is_not_there_and_one_that_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        of_file(tmp_path / "absent")
    with pytest.raises(InputError, match="more than 1 MiB"):
        of_file(written(tmp_path / "large", " " * (1 << 20) + "{}"))


@given(st.dictionaries(st.sampled_from([one.variable for one in SETTINGS]), st.text(min_size=1, max_size=30)))
def test_any_environment_is_read_or_refused_with_the_name_of_the_variable(environ: dict[str, str]) -> None:
    try:
        merged = below(Config(), [of_environment(environ)])
    except InputError as error:
        assert any(str(error).startswith(f"{name} ") for name in environ)  # noqa: PT017 - most are refused
    else:
        assert len(merged.said) <= len(environ) + 1


@pytest.mark.parametrize("zone", ["CET-1CEST", ":/etc/localtime", "../../etc/passwd", "Nowhere/Town"])
def test_a_zone_that_only_a_system_understands_is_left_to_it(zone: str) -> None:
    merged = below(Config(), [of_environment({"TZ": zone})])
    assert merged.config.bot.timezone == "UTC"
    assert merged.said[0].startswith("TZ is no name of the time zone database")


def test_the_guide_has_the_table() -> None:
    rows = [line for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert rows[: len(SETTINGS)] == list(page())
