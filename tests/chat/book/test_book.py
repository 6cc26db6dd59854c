"""What the bot's book says, at once and after reopening."""

import re
from pathlib import Path

import apsw
import msgspec
import pytest

from chaffinch.chat.book import schema
from chaffinch.chat.book.book import Book, Forgetting
from chaffinch.chat.book.unlearnings import Unlearning
from chaffinch.chat.guild import Channel, GuildSettings
from chaffinch.errors import InputError
from tests.chat.booked import CURSOR, TRAINING, file_of, play


def test_what_is_written_is_read_at_once_and_after_reopening(tmp_path: Path) -> None:
    chosen = GuildSettings(
        cooldown_seconds=2.5, quiet_from="22:00", quiet_until="06:00", opt_out_role=99, max_length=80
    )

    async def write(book: Book) -> None:
        await book.joined(1)
        await book.joined(2)
        await book.set_settings(1, chosen)
        await book.set_channels(1, [Channel(8, listens=True), Channel(7, responds=True, chance=0.25, images=0.5)])
        await book.set_channels(1, [Channel(9, listens=True)])
        await book.set_out(1, 50, True)
        await book.set_own(1, 52, True)
        await book.set_training(TRAINING)
        await book.set_cursors(1, [CURSOR, msgspec.structs.replace(CURSOR, channel=20)])
        await book.set_cursors(1, [msgspec.structs.replace(CURSOR, channel=20, done=True, failed="403")])
        await book.note_thread(1, 100, 8)
        await book.note_thread(1, 101, 8)
        await book.note_thread(1, 102, 9)
        await book.left(2, 77)
        await book.set_kept(2, 78)
        await read(book)

    async def read(book: Book) -> None:
        assert sorted(book.guilds()) == [1, 2]
        assert book.settings(1) == chosen
        assert book.settings(2) == GuildSettings() == book.settings(404)
        assert book.channels(1) == [
            Channel(7, responds=True, chance=0.25, images=0.5),
            Channel(8, True),
            Channel(9, True),
        ]
        assert book.channel(1, 8).listens
        assert book.channel(1, 1234) == Channel(1234)
        assert book.channel(2, 8) == Channel(8)
        assert book.is_out(1, 50)
        assert not book.is_out(2, 50)
        assert book.opted_out(1) == book.asked_out(1) == {50}
        assert book.owners_of_chains(1) == {52}
        assert book.has_own(1, 52)
        assert not book.has_own(1, 50)
        assert book.training(1) == TRAINING
        assert book.training(2) is None
        assert {cursor.channel: cursor for cursor in book.cursors(1)} == {
            10: CURSOR,
            20: msgspec.structs.replace(CURSOR, channel=20, done=True, failed="403"),
        }
        assert book.threads_of(1, 8) == [100, 101]
        assert book.threads_of(2, 8) == []
        assert (book.left_at(1), book.left_at(2)) == (None, 77)
        assert (book.kept_at(1), book.kept_at(2)) == (None, 78)

    play(tmp_path, write, read)


def test_what_is_taken_back_is_gone(tmp_path: Path) -> None:
    async def write(book: Book) -> None:
        await book.set_channels(1, [Channel(7, listens=True), Channel(8, listens=True), Channel(9, True)])
        await book.set_channels(1, [Channel(8)])
        await book.note_thread(1, 100, 7)
        await book.note_thread(1, 101, 9)
        await book.note_thread(1, 102, 9)
        await book.drop_channel(1, 7)
        await book.drop_channel(1, 101)
        await book.set_out(1, 50, True)
        await book.set_out(1, 50, False)
        await book.set_own(1, 50, True)
        await book.set_own(1, 50, False)
        await book.set_settings(1, GuildSettings(max_length=5))
        await book.set_settings(1, GuildSettings())
        await book.set_training(TRAINING)
        await book.set_cursors(1, [CURSOR])
        await book.end_training(1)
        await read(book)

    async def read(book: Book) -> None:
        assert book.channels(1) == [Channel(9, True)]
        assert book.threads_of(1, 7) == []
        assert book.threads_of(1, 9) == [102]
        assert book.opted_out(1) == book.owners_of_chains(1) == frozenset()
        assert book.settings(1) == GuildSettings()
        assert (book.training(1), book.cursors(1)) == (None, [])

    play(tmp_path, write, read)
    db = apsw.Connection(str(file_of(tmp_path)))
    assert db.execute("SELECT count(*) FROM members").get == 0
    assert db.execute("SELECT settings FROM guilds").get == "{}"


def test_who_asked_and_who_has_the_role_are_out_for_reasons_of_their_own(tmp_path: Path) -> None:
    async def write(book: Book) -> None:
        await book.set_settings(1, GuildSettings(opt_out_role=7))
        await book.set_out(1, 50, True)
        for user in (50, 51, 52):
            await book.set_out(1, user, True, by_role=True)
        await book.set_out(1, 52, False, by_role=True)
        assert book.opted_out(1) == {50, 51}
        await book.set_out(1, 50, False)
        assert book.is_out(1, 50), "the role is still there"
        await book.set_out(1, 50, True)
        await book.set_out(1, 50, False, by_role=True)
        assert book.is_out(1, 50), "they asked"
        await book.set_settings(1, GuildSettings(opt_out_role=7, max_length=10))
        assert book.out_by_role(1) == {51}
        await book.set_settings(1, GuildSettings(opt_out_role=8))
        await read(book)

    async def read(book: Book) -> None:
        assert book.opted_out(1) == {50}, "that was another role"
        assert book.out_by_role(1) == frozenset()

    play(tmp_path, write, read)


def test_a_guild_that_was_left_counts_from_the_first_notice_until_it_is_joined_again(tmp_path: Path) -> None:
    async def leave(book: Book) -> None:
        await book.joined(1)
        await book.left(1, 1000)
        await book.left(1, 2000)
        assert book.left_at(1) == 1000

    async def again(book: Book) -> None:
        await book.left(1, 3000)
        assert book.left_at(1) == 1000
        await book.joined(1)
        assert book.left_at(1) is None

    async def last(book: Book) -> None:
        assert book.left_at(1) is None

    play(tmp_path, leave, again, last)


def test_forgettings_are_due_until_they_are_done(tmp_path: Path) -> None:
    async def write(book: Book) -> None:
        await book.set_own(1, 50, True)
        await book.owe_forgetting(1, 50, own_only=True)
        assert (book.has_own(1, 50), book.is_out(1, 50)) == (False, False)
        await book.owe_forgetting(1, 51)
        await book.owe_forgetting(1, 51, own_only=True)
        await book.owe_forgetting(2, 52)
        await book.end_forgetting(2, 52)
        await read(book)

    async def read(book: Book) -> None:
        assert sorted(book.forgettings(), key=lambda due: due.user) == [
            Forgetting(1, 50, True),
            Forgetting(1, 51, False),
        ]
        assert book.forgetting(1, 51) == Forgetting(1, 51, False), "the lesser one does not take its place"
        assert book.forgetting(2, 52) is None
        assert (book.asked_out(1), book.asked_out(2)) == ({51}, {52})

    play(tmp_path, write, read)


def test_what_is_to_be_unlearned_is_due_until_it_was(tmp_path: Path) -> None:
    things = sorted(Unlearning(kind, one) for kind in ("author", "channel", "message") for one in (5, 60, 700))

    async def write(book: Book) -> None:
        await book.unlearnings.owe(1, things[3:])
        await book.unlearnings.owe(1, things[:6])
        await book.unlearnings.owe(2, things[:1])
        await book.unlearnings.end(2, things)
        await book.unlearnings.end(3, things)
        assert book.guilds() == [1, 2], "nothing is noted of a guild that nothing is due of"
        await read(book)

    async def read(book: Book) -> None:
        assert book.unlearnings.guilds() == [1]
        assert book.unlearnings.due(1) == things
        found: list[Unlearning] = []
        while some := book.unlearnings.due(1, found[-1] if found else None, most=2):
            found += some
        assert found == things

    play(tmp_path, write, read)


def test_nothing_of_a_dropped_guild_is_left_in_the_files(tmp_path: Path) -> None:
    async def write(book: Book) -> None:
        for guild in (1, 2):
            await book.set_settings(guild, GuildSettings(timezone=f"Zone/Number{guild}"))
            await book.set_channels(guild, [Channel(7, listens=True)])
            await book.owe_forgetting(guild, 50)
            await book.unlearnings.owe(guild, [Unlearning("message", 8)])
            await book.note_thread(guild, 100, 7)
            await book.set_training(msgspec.structs.replace(TRAINING, guild=guild, file=f"file{guild}"))
            await book.set_cursors(guild, [msgspec.structs.replace(CURSOR, name=f"name{guild}")])
        await book.drop_guild(1)
        for path in (tmp_path / "bot").iterdir():
            content = path.read_bytes()
            assert not re.search(rb"Number1|file1|name1", content), path
        await read(book)

    async def read(book: Book) -> None:
        assert book.guilds() == [2]
        assert [due.guild for due in book.forgettings()] == [2]
        assert (book.training(1), book.cursors(1), book.threads_of(1, 7)) == (None, [], [])
        assert (book.settings(1), book.channels(1), book.opted_out(1)) == (GuildSettings(), [], frozenset())
        assert book.settings(2).timezone == "Zone/Number2"

    play(tmp_path, write, read)
    db = apsw.Connection(str(file_of(tmp_path)))
    for table in schema.TABLES:
        assert db.execute(f"SELECT DISTINCT guild FROM {table}").fetchall() == [(2,)], table
    (named,) = db.execute("SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table'")
    assert set(named[0].split(",")) == set(schema.TABLES)


def test_what_cannot_be_set_is_refused_by_name(tmp_path: Path) -> None:
    async def scene(book: Book) -> None:
        for wrong, said in (
            (GuildSettings(image_chance=1.5), "image_chance"),
            (GuildSettings(image_chance=float("nan")), "image_chance"),
            (GuildSettings(max_length=0), "max_length"),
            (GuildSettings(quiet_from=7), "quiet_from"),  # type: ignore[arg-type]
        ):
            with pytest.raises(InputError, match=said):
                await book.set_settings(1, wrong)
        for chance in (-0.1, 1.1, float("nan")):
            with pytest.raises(InputError, match="from 0 to 1"):
                await book.set_channels(1, [Channel(7, responds=True, chance=chance)])
            with pytest.raises(InputError, match="from 0 to 1"):
                await book.set_channels(1, [Channel(7, images=chance)])
        assert book.guilds() == []

    play(tmp_path, scene)
