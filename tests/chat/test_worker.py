"""The bot as a worker of a fleet: who may do what, where its token comes from, and that it is nobody else's fault."""

import contextlib
import logging
import os
import sys
from pathlib import Path

import pytest

from chaffinch.chat import token as tokens
from chaffinch.chat import worker as bot_worker
from chaffinch.chat.token import Hiding, Token
from chaffinch.config import BotSettings, Config, NetworkSettings
from chaffinch.decoys.registry import BUILT_IN
from chaffinch.errors import InputError
from chaffinch.fleet import budget, workers
from chaffinch.fleet.privileges import becoming, make_own
from tests.chat.running import ROOT, discord, until
from tests.chat.test_token import OTHER, TEXT, stored
from tests.fleet.running import Fleet, running

ENABLED = {"CHAFFINCH_BOT_ENABLED": "true"}

POINTED = """
import os, sys
sys.path.insert(0, {root!r})
import importlib.abc
class Pointed(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "chaffinch.chat.run":
            sys.meta_path.remove(self)
            from tests.chat.discord.redirecting import point_at
            point_at({url!r})
sys.meta_path.insert(0, Pointed())
"""
"""A `sitecustomize` of the test: Discord's addresses are pointed at the fake where the bot comes up, nowhere else."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    found = tmp_path / "state"
    found.mkdir(mode=0o700)
    return found


def pointed(tmp_path: Path, url: str) -> dict[str, str]:
    site = tmp_path / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(POINTED.format(root=str(ROOT), url=url))
    return {"PYTHONPATH": str(site)}


def test_it_opts_in_and_has_directories_of_its_own() -> None:
    assert workers.opted(Config()) == ()
    assert workers.opted(Config(bot=BotSettings(enabled=True))) == (workers.BOT,)
    assert not workers.BOT.faces_attackers
    assert workers.BOT.connects
    others = (*workers.table(("ssh", "http"), opted=(workers.CAPTURE,)), *workers.KEPT)
    assert workers.own_directories(others) == ()
    assert workers.own_directories((*others, workers.BOT)) == ("bot", "chains")


def test_its_token_comes_from_a_file_and_never_from_the_environment(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setenv("CHAFFINCH_BOT_TOKEN", TEXT)
    config = Config(bot=BotSettings(enabled=True))
    with pytest.raises(InputError, match="there is no token"):
        bot_worker.prepare(config, state)
    stored(state / "discord-token")
    with pytest.raises(InputError, match="which every process of a fleet can read"):
        bot_worker.refuse_unready(config, state)
    monkeypatch.delenv("CHAFFINCH_BOT_TOKEN")
    bot_worker.refuse_unready(config, state)
    assert bot_worker.prepare(config, state).reveal() == TEXT


def test_what_it_could_not_prepare_is_its_own_fault(state: Path) -> None:
    config = Config(bot=BotSettings(enabled=True))
    found = workers.prepared((workers.BOT,), config, state)
    with pytest.raises(InputError, match="there is no token"):
        found["bot"]()
    assert workers.prepared(workers.BEHIND, config, state) == {}


def test_directories_are_made_for_it(state: Path) -> None:
    make_own("nobody", state, ("bot", "chains"))
    assert sorted(path.name for path in state.iterdir()) == ["bot", "chains"]
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in state.iterdir())


@pytest.mark.root
def test_root_hands_over_what_is_in_them_and_follows_no_link(tmp_path: Path) -> None:
    state = Path("/var/tmp") / f"chaffinch-test-{os.getpid()}"
    state.mkdir(mode=0o711)
    try:
        deep = state / "chains" / "guild-7" / "segment"
        deep.parent.mkdir(parents=True, mode=0o700)
        deep.touch()
        outside = tmp_path / "outside"
        outside.touch()
        (state / "chains" / "link").symlink_to(outside)
        (state / "chains" / "folder").symlink_to(tmp_path)
        make_own("nobody", state, ("chains",))
        if not os.access(sys.prefix, os.X_OK):
            pytest.skip("nobody cannot reach this Python")
        entry, may = becoming("nobody", state)
        assert outside.stat().st_uid == 0
        assert deep.stat().st_uid == (entry.pw_uid if may else 0)
        assert (state / "chains").stat().st_uid == (entry.pw_uid if may else 0)
    finally:
        import shutil

        shutil.rmtree(state)


def test_a_fleet_without_the_token_is_refused_in_a_sentence(state: Path) -> None:
    fleet = Fleet(state, environment=ENABLED)
    done = fleet.call("up", *fleet.flags)
    assert done.returncode == 2
    assert f"bot.enabled is on, and there is no token: put it into {state / 'discord-token'} (chmod 600)" in done.stderr
    stored(state / "discord-token", mode=0o644)
    assert "chmod 600" in fleet.call("up", *fleet.flags).stderr


def test_in_a_fleet_it_runs_confined_and_its_neighbours_know_nothing_of_it(tmp_path: Path, state: Path) -> None:
    stored(state / "discord-token")
    with discord("--small") as fake:
        environment = ENABLED | pointed(tmp_path, fake.url)
        with running(state, environment=environment) as fleet:
            assert fleet.worker("bot")["group"] == "out"
            until((state / "bot" / "bot.sqlite3").exists)
            until(lambda: "bot.ready" in fleet.call("logs").stdout)
            processes = {group["name"]: group["pid"] for group in fleet.status()["groups"]}
            for name, pid in processes.items():
                maps = Path(f"/proc/{pid}/maps").read_text()
                assert ("aiohttp" in maps) == (name == "out"), name
                assert TEXT.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
            assert "aiohttp" not in Path(f"/proc/{fleet.process.pid}/maps").read_text()  # type: ignore[union-attr]
            assert "no connect" not in fleet.group("out")["confined"]
            assert fleet.call("restart", "bot").returncode == 0
            until(lambda: fleet.call("logs").stdout.count("bot.ready") == 2)
            assert fleet.worker("bot")["state"] == "running"
            said = fleet.call("logs").stdout
    assert TEXT not in said


def test_a_token_that_is_revoked_stops_only_the_bot_and_another_one_starts_it(tmp_path: Path, state: Path) -> None:
    stored(state / "discord-token")
    with discord("--small") as fake:
        environment = ENABLED | pointed(tmp_path, fake.url) | {"CHAFFINCH_FLEET_CRASH_LIMIT": "2"}
        with running(state, environment=environment) as fleet:
            until(lambda: fake.ask("/counts")["sessions"])
            group = fleet.group("out")["pid"]
            fake.ask("/token", {"token": OTHER})
            until(lambda: fleet.worker("bot")["state"] == "failed")
            assert fleet.worker("bot")["error"].startswith("Discord refuses the token: copy it anew")
            assert "`chaffinch restart out`" in fleet.worker("bot")["error"]
            assert {row["state"] for row in fleet.status()["workers"] if row["name"] != "bot"} == {"running"}
            assert fleet.group("out")["pid"] == group
            stored(state / "discord-token", OTHER)
            assert fleet.call("restart", "out").returncode == 0
            until(lambda: fake.ask("/counts")["sessions"] == 2)
            assert fleet.worker("bot")["state"] == "running"
            said = fleet.call("logs").stdout
    assert said.count("worker.failed worker=bot error=Discord refuses the token") == 3
    assert "Traceback" not in said
    assert TEXT not in said
    assert OTHER not in said


@pytest.mark.parametrize(
    ("source", "said"),
    [("/a/b", "`chaffinch restart away`"), (tokens.CREDENTIAL, "restart the fleet's service")],
)
def test_how_another_token_comes_to_it(source: str, said: str) -> None:
    assert said in bot_worker.again(Token(TEXT, source), "away")


def test_a_worker_that_begins_anew_hides_its_token_once() -> None:
    from chaffinch.chat.run import quieten

    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    try:
        for text in (TEXT, TEXT, OTHER):
            quieten(Token(text, "a file"), BotSettings())
        assert len(handler.filters) == 2
    finally:
        for each in logging.getLogger().handlers:
            each.filters = [one for one in each.filters if not isinstance(one, Hiding)]
        logging.getLogger().removeHandler(handler)


def test_no_more_trainings_at_once_than_its_share_holds() -> None:
    def at_once(share_mb: int, *given: str) -> int:
        return bot_worker.within(Config(given=given), share_mb * workers.MB).bot.trainings_at_once

    assert [at_once(share) for share in (0, 60, 140, 250, 340, 5000)] == [4, 1, 1, 2, 3, 4]
    assert at_once(140, "bot.trainings_at_once") == 4, "what somebody said holds"


def test_merges_and_what_trainings_learned_meanwhile_fit_its_share() -> None:
    idle = budget.idle_bytes((workers.BOT,))

    def bounded(share_mb: int, *given: str) -> Config:
        return bot_worker.within(Config(given=given), share_mb * workers.MB)

    assert bounded(0).chain == bounded(5000).chain == Config().chain
    for share in (66, 140, 250, 340, 450):
        for given in ((), ("bot.trainings_at_once",)):
            config = bounded(share, *given)
            segment, trainings = config.chain.segment_memory, config.bot.trainings_at_once
            taken = config.chain.threads // 2 * segment + trainings * segment // 2
            assert 0.99 * (share * workers.MB - idle) < taken <= share * workers.MB - idle
            assert config.chain.memory == min(trainings * segment // 2, Config().chain.memory)
    said = bounded(140, "chain.segment_memory", "chain.memory")
    assert said.chain == Config().chain, "what somebody said holds"


def test_it_logs_what_its_setting_says_beside_workers_that_log_more() -> None:
    from chaffinch.chat.run import quieten

    bot, before = logging.getLogger("chaffinch.bot"), logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    try:
        for said, ours, libraries in (("error", 40, 40), ("debug", 10, 20), ("info", 20, 20)):
            quieten(Token(TEXT, "a file"), BotSettings(log_level=said))  # type: ignore[arg-type]
            assert bot.getEffectiveLevel() == ours
            assert logging.getLogger("discord").getEffectiveLevel() == libraries
            assert logging.getLogger("chaffinch.fleet").getEffectiveLevel() == logging.INFO
    finally:
        logging.getLogger().setLevel(before)
        for name in ("chaffinch.bot", "discord", "aiohttp"):
            logging.getLogger(name).setLevel(logging.NOTSET)
        for each in logging.getLogger().handlers:
            each.filters = [one for one in each.filters if not isinstance(one, Hiding)]


def test_a_zone_that_is_none_is_refused_before_a_fleet_starts(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    stored(state / "discord-token")
    with pytest.raises(InputError, match=r"bot\.timezone cannot be used"):
        bot_worker.refuse_unready(Config(bot=BotSettings(enabled=True, timezone="Nowhere")), state)


def test_it_is_not_shut_into_the_decoys_network() -> None:
    netns = Config(network=NetworkSettings(mode="netns"))
    rows = workers.table(BUILT_IN, opted=(workers.BOT,))
    for groups, config, is_inside in (("one", netns, True), ("default", netns, False), ("one", Config(), False)):
        beside = next(row for row in workers.arrange(rows, groups).values() if workers.BOT in row)
        with pytest.raises(InputError, match="nothing but answers leaves") if is_inside else contextlib.nullcontext():
            bot_worker.refuse_inside(config, beside)


def test_doctor_says_whether_it_could_run(state: Path) -> None:
    fleet = Fleet(state, environment=ENABLED)

    def finding() -> str:
        return next(line for line in fleet.call("doctor").stdout.splitlines() if " bot " in f" {line} ")

    assert "there is no token" in finding()
    stored(state / "discord-token")
    may = os.getuid() == 0 and becoming("nobody", state)[1]
    assert ("read before its group gives root up" if may else "all groups are one user") in finding()
    fleet.environment["CHAFFINCH_FLEET_GROUPS"] = "one"
    assert "it shares a process with decoys" in finding()


def test_a_training_has_room_in_the_least_budget(tmp_path: Path, state: Path) -> None:
    """Its native code would end with the group where it got no memory, again and again."""
    stored(state / "discord-token")
    with discord("--messages", "120000", "--channels", "3") as fake:
        rows = workers.table(BUILT_IN, opted=(workers.BOT,))
        least = budget.divide(0, workers.arrange(rows, "default")).least_bytes
        environment = ENABLED | pointed(tmp_path, fake.url)
        with running(state, "--memory", str(least), environment=environment) as fleet:
            until(lambda: "bot.commands_deployed" in fleet.call("logs").stdout)
            channels = [name for name in fake.ask("")["guilds"][0]["channels"] if name.startswith("channel")]
            options = {f"channel-{at}": {"channel": name} for at, name in enumerate(channels, 1)}
            for command, given in (("listen add", options), ("train", {})):
                body = {"member": "moderator", "channel": channels[0], "command": command, "options": given}
                asked = fake.ask("/slash", body)["interaction"]
                until(lambda asked=asked: fake.ask(f"/interactions/{asked}")["answers"])

            def ended() -> bool:
                replies = [one for one in fake.ask(f"/posted?channel={channels[0]}&after=0") if one["reply_to"]]
                return bool(replies) or bool(fleet.group("out")["restarts"])

            until(ended, 90)
            assert fleet.group("out")["restarts"] == 0, fleet.group("out")["error"]
            assert fleet.worker("bot")["state"] == "running"
