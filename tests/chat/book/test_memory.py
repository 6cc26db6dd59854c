"""Memory says what the file says, and is small."""

import asyncio
import tempfile
import tracemalloc
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.chat.book.book import Book
from chaffinch.chat.guild import Channel, GuildSettings
from tests.chat.booked import CURSOR, TRAINING, play

_few, _flags = st.integers(1, 3), st.booleans()
_channels = st.builds(Channel, _few, _flags, _flags, st.sampled_from((0.0, 0.5, 1.0)))
_changes = st.lists(
    st.one_of(
        st.tuples(st.just("joined"), _few),
        st.tuples(st.just("left"), _few, _few),
        st.tuples(st.just("set_kept"), _few, _few),
        st.tuples(st.just("drop_guild"), _few),
        st.tuples(st.just("set_settings"), _few, st.builds(GuildSettings, opt_out_role=_few, max_length=_few)),
        st.tuples(st.just("set_channels"), _few, st.lists(_channels, max_size=3)),
        st.tuples(st.just("drop_channel"), _few, _few),
        st.tuples(st.just("note_thread"), _few, _few, _few),
        st.tuples(st.just("set_out"), _few, _few, _flags),
        st.tuples(st.just("set_role_out"), _few, _few, _flags),
        st.tuples(st.just("set_own"), _few, _few, _flags),
        st.tuples(st.just("set_own_lost"), _few, _few, _flags),
        st.tuples(st.just("owe_forgetting"), _few, _few),
        st.tuples(st.just("owe_own"), _few, _few),
        st.tuples(st.just("end_forgetting"), _few, _few),
        st.tuples(
            st.just("set_training"), st.builds(msgspec.structs.replace, st.just(TRAINING), guild=_few, newest=_few)
        ),
        st.tuples(st.just("end_training"), _few),
        st.tuples(
            st.just("set_cursors"),
            _few,
            st.lists(st.builds(msgspec.structs.replace, st.just(CURSOR), channel=_few, done=_flags), max_size=3),
        ),
    ),
    max_size=30,
)


def _carried_out(book: Book, name: str, *args: Any) -> Coroutine[None, None, None]:
    if name == "set_role_out":
        return book.set_out(*args, by_role=True)
    if name == "owe_own":
        return book.owe_forgetting(*args, own_only=True)
    call: Coroutine[None, None, None] = getattr(book, name)(*args)
    return call


def _said(book: Book) -> dict[int, list[object]]:
    """All that a book says."""
    one_each = (book.settings, book.channels, book.left_at, book.kept_at, book.training)
    sets = (book.asked_out, book.out_by_role, book.opted_out, book.owners_of_chains)
    return {
        guild: [
            *(read(guild) for read in (*one_each, *sets)),
            {cursor.channel: cursor for cursor in book.cursors(guild)},
            *(book.threads_of(guild, channel) for channel in range(1, 4)),
            *(book.forgetting(guild, user) for user in range(1, 4)),
            *(book.is_own_lost(guild, user) for user in range(1, 4)),
            guild in book.guilds(),
        ]
        for guild in range(1, 4)
    }


@given(_changes, st.integers(1, 8))
@settings(max_examples=150, deadline=None)
def test_memory_says_what_the_file_says_whatever_is_written_together(changes: list[Any], together: int) -> None:
    async def write(book: Book) -> None:
        for first in range(0, len(changes), together):
            await asyncio.gather(*(_carried_out(book, *change) for change in changes[first : first + together]))
        said.update(_said(book))

    async def read(book: Book) -> None:
        assert _said(book) == said

    said: dict[int, list[object]] = {}
    with tempfile.TemporaryDirectory() as state:
        play(Path(state), write, read)


def test_a_guild_with_fifty_channels_is_a_few_kilobytes_of_memory(tmp_path: Path) -> None:
    guilds = 200

    async def write(book: Book) -> None:
        for guild in range(10**18, 10**18 + guilds):
            channels = [Channel(guild * 8 + n, listens=True, responds=n % 2 == 0) for n in range(50)]
            await book.set_channels(guild, channels)
            await book.set_settings(guild, GuildSettings(cooldown_seconds=3, max_length=500))

    async def measure(book: Book) -> None:
        assert len(book.guilds()) == guilds
        each = (tracemalloc.get_traced_memory()[0] - before) / guilds
        assert each < 12 * 1024, each

    play(tmp_path, write)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        play(tmp_path, measure)
    finally:
        tracemalloc.stop()
