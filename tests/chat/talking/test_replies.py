"""Which messages are answered, and about what."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.guild import Channel, GuildSettings
from chaffinch.chat.seen import Seen
from chaffinch.chat.talking.replies import Answer, decide, may_talk
from chaffinch.config.tree import BotSettings

BOT = 17
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
QUIET = GuildSettings(quiet_from="11:00", quiet_until="13:00")


def seen(text: str = "hello", **more: object) -> Seen:
    return msgspec.structs.replace(Seen(1, 2, 2, 3, 4, text, 0, roles=frozenset()), **more)


def answer(
    message: Seen,
    settings: GuildSettings | None = None,
    *,
    responds: bool = False,
    chance: float = 1.0,
    last: datetime | None = None,
    roll: float = 0.0,
    now: datetime = NOON,
    **bot: object,
) -> Answer | None:
    return decide(
        message,
        settings or GuildSettings(),
        Channel(message.parent, responds=responds, chance=chance),
        BotSettings(**bot),  # type: ignore[arg-type]
        bot_id=BOT,
        now=now,
        last=last,
        roll=roll,
    )


def test_a_mention_is_answered_with_what_it_says() -> None:
    assert answer(seen("<@17> coffee")) == Answer("coffee", "mention")
    assert answer(seen("<@!17>")) == Answer("", "mention")
    assert answer(seen("no idea", mentions=frozenset({BOT}))) == Answer("no idea", "mention")


def test_all_else_is_not() -> None:
    assert answer(seen()) is None
    assert answer(seen("@everyone coffee")) is None
    assert answer(seen("<@&17> coffee")) is None


def test_where_the_bot_responds_each_message_is_answered() -> None:
    assert answer(seen("coffee"), responds=True) == Answer("coffee", "autorespond")
    assert answer(seen("<@17> coffee"), responds=True) == Answer("coffee", "mention")
    assert answer(seen(""), responds=True) == Answer("", "autorespond")


def test_bots_and_the_bot_itself_are_never_answered() -> None:
    assert answer(seen("<@17>", is_human=False), responds=True) is None
    assert answer(seen("<@17>", author=BOT), responds=True) is None


@given(chance=st.floats(0, 1), roll=st.floats(0, 1, exclude_max=True))
def test_the_chance_is_that_of_the_channel_and_not_of_mentions(chance: float, roll: float) -> None:
    assert (answer(seen(), responds=True, chance=chance, roll=roll) is not None) == (roll < chance)
    assert answer(seen("<@17>"), responds=True, chance=chance, roll=roll) is not None


def test_response_channels_limit_where_a_mention_is_answered_and_a_thread_counts_as_its_parent() -> None:
    assert answer(seen("<@17>"), response_channels=(9,)) is None
    assert answer(seen("<@17>"), response_channels=(9, 2)) is not None
    assert answer(seen("<@17>", channel=5, parent=2), response_channels=(2,)) is not None
    assert answer(seen("<@17> tea"), response_channels=(9,), responds=True) == Answer("tea", "autorespond")


@pytest.mark.parametrize("text", ["<@17>", "hello"])
def test_a_role_is_needed_for_all_talking_when_one_is_set(text: str) -> None:
    for roles, may in [(None, False), (frozenset(), False), (frozenset({8}), False), (frozenset({7, 8}), True)]:
        assert (answer(seen(text, roles=roles), responds=True, user_roles=(5, 7)) is not None) is may
        assert may_talk(roles, BotSettings(user_roles=(5, 7))) is may
        assert may_talk(roles, BotSettings())


def test_the_cooldown_holds_back_what_nobody_asked_for() -> None:
    settings = GuildSettings(cooldown_seconds=30)
    for seconds, comes in [(0, False), (29.9, False), (30, True), (3000, True)]:
        last = NOON - timedelta(seconds=seconds)
        assert (answer(seen(), settings, responds=True, last=last) is not None) is comes
        assert answer(seen("<@17>"), settings, responds=True, last=last) is not None
    assert answer(seen(), settings, responds=True) is not None


def test_in_quiet_hours_nothing_is_answered() -> None:
    assert answer(seen("<@17>"), QUIET, responds=True) is None
    assert answer(seen(), QUIET, responds=True) is None
    assert answer(seen("<@17>"), QUIET, now=NOON + timedelta(hours=1)) is not None


def test_quiet_hours_are_in_the_zone_of_the_guild_or_of_the_bot() -> None:
    assert answer(seen("<@17>"), QUIET, timezone="Asia/Tokyo") is not None
    own = msgspec.structs.replace(QUIET, timezone="UTC")
    assert answer(seen("<@17>"), own, timezone="Asia/Tokyo") is None
