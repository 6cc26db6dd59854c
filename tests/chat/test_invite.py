"""The link by which the bot comes to a guild."""

from urllib.parse import parse_qs, urlsplit

import pytest

from chaffinch.chat.invite import NAMES, PERMISSIONS, url
from chaffinch.errors import InputError


def test_it_asks_for_what_the_bot_needs_and_no_more() -> None:
    discord = pytest.importorskip("discord")
    asked = parse_qs(urlsplit(url(12345)).query)

    assert asked["client_id"] == ["12345"]
    assert asked["scope"] == ["bot applications.commands"]
    granted = {name for name, has in discord.Permissions(int(asked["permissions"][0])) if has}
    assert granted == {
        "read_messages",
        "send_messages",
        "send_tts_messages",
        "attach_files",
        "read_message_history",
        "send_messages_in_threads",
    }
    assert PERMISSIONS.bit_count() == len(NAMES)


def test_there_is_none_before_the_application_is_known() -> None:
    with pytest.raises(InputError, match="try again"):
        url(0)
