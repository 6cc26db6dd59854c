"""Who may give which command."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.chat.calls.moderators import is_moderator, may_talk, refusal
from chaffinch.chat.seen import Member
from chaffinch.config import BotSettings

OWNED = BotSettings(owners=(9,))
ROLES = BotSettings(owners=(9,), user_roles=(5, 6))


@pytest.mark.parametrize(
    ("permission", "is_one"),
    [
        ("administrator", True),
        ("manage_channels", True),
        ("kick_members", True),
        ("move_members", True),
        ("manage_guild", False),
        ("ban_members", False),
        ("manage_messages", False),
        ("send_messages", False),
    ],
)
def test_the_permissions_that_make_a_moderator_are_discords(permission: str, is_one: bool) -> None:
    discord = pytest.importorskip("discord")
    bits = discord.Permissions(**{permission: True}).value

    assert is_moderator(Member(1, permissions=bits), OWNED) is is_one


def test_owners_are_moderators_everywhere() -> None:
    assert is_moderator(Member(9), OWNED)
    assert not is_moderator(Member(8), OWNED)


def test_a_bot_is_never_one() -> None:
    assert not is_moderator(Member(9, permissions=8, is_bot=True), OWNED)
    assert not may_talk(Member(9, permissions=8, is_bot=True), OWNED)


def test_nobody_bypasses_the_roles_of_those_who_may_talk() -> None:
    assert may_talk(Member(1), OWNED)
    assert may_talk(Member(1, roles=frozenset((6,))), ROLES)
    assert not may_talk(Member(1, roles=frozenset((7,))), ROLES)
    assert not may_talk(Member(1, permissions=8), ROLES)
    assert not may_talk(Member(9), ROLES)


def test_a_refusal_says_what_is_needed() -> None:
    assert refusal("anyone", Member(1), ROLES) == ""
    assert "Manage Channels" in refusal("moderator", Member(1), ROLES)
    assert refusal("speaker", Member(1), ROLES) == "To have me talk you need one of these roles: <@&5>, <@&6>."


@given(st.integers(0, 1 << 60), st.booleans())
def test_a_refusal_and_the_rules_agree(permissions: int, is_bot: bool) -> None:
    member = Member(1, permissions=permissions, is_bot=is_bot)

    assert bool(refusal("moderator", member, OWNED)) is not is_moderator(member, OWNED)
    assert bool(refusal("speaker", member, ROLES)) is not may_talk(member, ROLES)
