"""Settings come back, also those of another release."""

from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.chat.book.book import Book
from chaffinch.chat.book.stored_settings import decoded, encoded
from chaffinch.chat.guild import GuildSettings
from tests.chat.booked import file_of, play


@st.composite
def chosen(draw: st.DrawFn) -> GuildSettings:
    return GuildSettings(
        image_chance=draw(st.floats(0, 1)),
        cooldown_seconds=draw(st.floats(0, 86_400)),
        quiet_from=draw(st.text(max_size=8)),
        quiet_until=draw(st.sampled_from(["", "06:30"])),
        timezone=draw(st.text(max_size=20)),
        max_length=draw(st.integers(1, 2000)),
        retention_days=draw(st.integers(0, 36_500)),
        opt_out_role=draw(st.integers(0, 2**63 - 1)),
        backward=draw(st.booleans()),
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9),
    lambda one: st.lists(one, max_size=3),
)


@given(
    chosen(), st.dictionaries(st.text(min_size=1, max_size=12).filter(lambda n: "_" not in n), json_values, max_size=4)
)
@settings(max_examples=300, deadline=None)
def test_settings_come_back_as_they_were_set_and_unknown_ones_stay(
    wanted: GuildSettings, unknown: dict[str, Any]
) -> None:
    unknown = {name: value for name, value in unknown.items() if name not in GuildSettings.__struct_fields__}
    stored = encoded(wanted, msgspec.json.encode(unknown).decode())
    assert decoded(stored) == (wanted, [])
    assert unknown.items() <= msgspec.json.decode(stored).items()
    assert decoded(encoded(GuildSettings(), stored)) == (GuildSettings(), [])
    assert msgspec.json.decode(encoded(GuildSettings(), stored)) == unknown


@given(st.dictionaries(st.sampled_from(GuildSettings.__struct_fields__), json_values))
@settings(max_examples=300, deadline=None)
def test_a_stored_value_that_no_longer_fits_counts_as_not_set(stored: dict[str, Any]) -> None:
    found, unusable = decoded(msgspec.json.encode(stored).decode())
    assert set(unusable) <= set(stored)
    for name in GuildSettings.__struct_fields__:
        wanted = (
            getattr(GuildSettings(), name) if name in unusable else stored.get(name, getattr(GuildSettings(), name))
        )
        assert getattr(found, name) == wanted
    msgspec.convert(msgspec.to_builtins(found), GuildSettings)


def test_settings_of_another_release_open_and_are_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def begin(book: Book) -> None:
        await book.set_settings(1, GuildSettings(max_length=100))

    play(tmp_path, begin)
    db = apsw.Connection(str(file_of(tmp_path)))
    later = '{"max_length": 9000, "cooldown_seconds": 5, "shouting": {"loud": true}}'
    db.execute("UPDATE guilds SET settings = ?", (later,))
    db.close()

    async def read(book: Book) -> None:
        assert book.settings(1) == GuildSettings(cooldown_seconds=5)
        assert "bot.settings_unusable guild=1 settings=max_length" in caplog.text
        await book.set_settings(1, msgspec.structs.replace(book.settings(1), backward=True))

    play(tmp_path, read)
    db = apsw.Connection(str(file_of(tmp_path)))
    assert msgspec.json.decode(db.execute("SELECT settings FROM guilds").get) == {
        "shouting": {"loud": True},
        "cooldown_seconds": 5.0,
        "backward": True,
    }
