"""What the bot's metrics say after things of which it is known that they happened."""

import logging
import math

import pytest

from chaffinch.chat.measures import MOST_GUILDS, REPLY_BYTES, Measures
from chaffinch.config import BotSettings
from chaffinch.metrics import catalogue, exposition
from chaffinch.metrics.registry import OTHER, Registry
from tests.chain.test_measures import counted, only, timed


def everything(measures: Measures, guild: int = 7) -> None:
    """One of each."""
    measures.replied(guild, 2_000_000, 12, "mention")
    measures.unanswered("nothing_new")
    measures.command("train", "done")
    measures.trained(guild, 100)
    measures.learned(guild)
    measures.edited(guild)
    measures.forgotten(guild, 3)
    measures.lost(guild, 4)
    measures.guild_deleted()
    measures.put_off("retention")
    measures.waiting(lambda: 5)
    measures.duties(lambda: 6)
    measures.picture(guild, hit=True)
    measures.picture(guild, hit=False)
    measures.pictured("posted")
    measures.event_failed("message")
    measures.gateway_latency(lambda: 0.04)
    measures.standing(lambda: True, lambda: 3)
    measures.slow("page", guild, 10**10)


def test_each_metric_of_the_bot_is_in_the_catalogue_with_its_labels_and_shown() -> None:
    registry = Registry("out")
    everything(Measures(registry, BotSettings()))
    snapshot = registry.snapshot()
    made = {family.name: {name for one in family.samples for name, _ in one.labels} for family in snapshot.families}
    made |= {latency.name: {latency.label} for latency in snapshot.latencies}
    named = {metric.name: set(metric.labels) for metric in catalogue.METRICS if metric.name.startswith("bot_")}
    assert {name: labels for name, labels in made.items() if name.startswith("bot_")} == named
    page = exposition.render(snapshot).decode()
    assert 'chaffinch_bot_reply_seconds_count{guild="7"} 1' in page
    assert 'chaffinch_bot_gateway_latency_seconds{group="out"} 0.04' in page
    assert 'chaffinch_bot_connected{group="out"} 1' in page


def test_every_value_after_a_known_course() -> None:
    registry = Registry()
    measures = Measures(registry, BotSettings())
    everything(measures)
    measures.replied(8, 1_000_000, 3, "command")
    measures.trained(8, 50)
    measures.trained(8, 50)
    assert timed(registry, "bot_reply_seconds", "guild") == {"7": 1, "8": 1}
    assert counted(registry, "bot_tries") == {only("guild", "7"): 12, only("guild", "8"): 3}
    assert counted(registry, "bot_answers") == {only("cause", "mention"): 1, only("cause", "command"): 1}
    assert counted(registry, "bot_trained") == {only("guild", "7"): 100, only("guild", "8"): 100}
    assert counted(registry, "bot_forgotten") == {only("guild", "7"): 3}
    hits = {(("guild", "7"), ("outcome", "hit")): 1, (("guild", "7"), ("outcome", "miss")): 1}
    assert counted(registry, "bot_refreshed_urls") == hits
    assert counted(registry, "bot_commands") == {(("command", "train"), ("outcome", "done")): 1}


def test_any_number_of_guilds_takes_bounded_memory_and_what_folds_is_counted() -> None:
    registry = Registry()
    measures = Measures(registry, BotSettings())
    latencies = registry.latency("bot_reply_seconds", "guild").histograms
    empty = latencies.memory_bytes
    for guild in range(1000):
        for value in range(50):
            measures.replied(guild, 1000 << (value % 30), 1, "command")
        measures.learned(guild, 2)
    assert empty < 48 << 10
    assert latencies.memory_bytes <= REPLY_BYTES
    learned = counted(registry, "bot_learned")
    assert len(learned) == MOST_GUILDS + 1
    assert learned[only("guild", OTHER)] == 2 * (1000 - MOST_GUILDS)
    assert sum(learned.values()) == 2000
    assert counted(registry, "metrics_folded_records")[only("metric", "bot_learned")] == 2 * (1000 - MOST_GUILDS)
    page = exposition.render(registry.snapshot()).decode()
    folded = f'chaffinch_metrics_folded_records_total{{metric="bot_reply_seconds"}} {50 * (1000 - MOST_GUILDS)}'
    assert folded in page.splitlines()


def test_what_takes_long_is_counted_and_logged_and_the_rest_is_not(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    measures = Measures(registry, BotSettings(slow_ms=20))
    with caplog.at_level(logging.WARNING):
        measures.replied(5, 19_999_999, 1, "mention")
        with measures.timing("page", 5):
            pass
        assert not caplog.records
        measures.replied(5, 21_500_000, 1, "mention")
    assert [record.getMessage() for record in caplog.records] == ["bot.slow operation=reply guild=5 ms=21.5"]
    assert counted(registry, "bot_slow_operations") == {only("operation", "reply"): 1}


def test_what_raises_is_timed_too() -> None:
    registry = Registry()
    measures = Measures(registry, BotSettings(slow_ms=0.000001))
    with pytest.raises(ZeroDivisionError), measures.timing("page", 5):
        raise ZeroDivisionError
    assert counted(registry, "bot_slow_operations") == {only("operation", "page"): 1}


def test_a_gateway_without_a_heartbeat_has_no_latency() -> None:
    registry = Registry()
    measures = Measures(registry, BotSettings())
    for nothing in (math.inf, math.nan):
        measures.gateway_latency(lambda nothing=nothing: nothing)  # type: ignore[misc]
        assert "chaffinch_bot_gateway_latency_seconds NaN" in exposition.render(registry.snapshot()).decode()
