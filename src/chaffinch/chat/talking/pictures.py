"""Attachments of source messages that go with what is said: found by the chain, fetched from Discord's own servers.

An address of an attachment lapses after a day. Discord gives a new one, which is remembered for 23 hours. Nothing but
Discord's servers is asked, no redirect is followed, and no more is read than `bot.attachment_bytes`. Whatever goes
wrong, what is said goes without a picture, and that is counted.
"""

import asyncio
import logging
import re
import time
import weakref
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import msgspec

from chaffinch.caches import Recent
from chaffinch.chat.measures import Measures, Posting
from chaffinch.config.tree import BotSettings
from chaffinch.errors import ChaffinchError

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger("chaffinch.bot")

REMEMBERED_SECONDS: Final = 23 * 3600.0
"""A new address is good for a day; this one less an hour, so that it does not lapse on the way."""

FETCHING_SECONDS: Final = 8.0
"""What a new address and the file may take together, and the wait for a place: somebody waits for the answer."""

AT_ONCE: Final = 4
"""Pictures that are being fetched or wait to be posted, of all guilds; of one guild one is fetched at a time."""

LONGEST_NAME: Final = 64

Refresh = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]
"""Gives new addresses for old ones; raises `ChaffinchError`."""


class Picture(msgspec.Struct, frozen=True, weakref=True):
    """A file to post. For as long as it is held it takes one of the places that there are (`AT_ONCE`)."""

    name: str
    content: bytes


class _MissedError(Exception):
    """There is no picture; `outcome` says why."""

    def __init__(self, outcome: Posting) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Pictures:
    """Fetches attachments. `origins` (scheme, host and port) are where Discord keeps them: what is anywhere else, such
    as an address from an imported file, is not fetched.
    """

    def __init__(
        self,
        refresh: Refresh,
        settings: BotSettings,
        measures: Measures,
        *,
        origins: Collection[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._refresh = refresh
        self._most_bytes = settings.attachment_bytes
        self._measures = measures
        self._origins = frozenset(origins)
        self._clock = clock
        self._fresh: Recent[str, tuple[str, float]] = Recent(settings.refreshed_urls)
        """The new address by the old one's origin and path, and until when it is good."""
        self._places = asyncio.Semaphore(AT_ONCE)
        self._turns: weakref.WeakValueDictionary[int, asyncio.Lock] = weakref.WeakValueDictionary()
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, guild: int, address: str) -> Picture | None:
        """The file at an attachment's address; None, which is counted, if there is none to be had."""
        outcome: Posting = "busy"
        picture = None
        try:
            async with asyncio.timeout(FETCHING_SECONDS), self._turns.setdefault(guild, asyncio.Lock()):
                await self._places.acquire()
                outcome = "failed"
                picture = await self._placed(guild, address)
                outcome = "posted"
        except _MissedError as missed:
            outcome = missed.outcome
        except TimeoutError:
            log.info("bot.no_picture_in_time guild=%d outcome=%s", guild, outcome)
        self._measures.pictured(outcome)
        return picture

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()

    async def _placed(self, guild: int, address: str) -> Picture:
        """With a place taken, which the picture gives back once nobody holds it any more."""
        try:
            picture = await self._fetched(guild, address)
        except BaseException:
            self._places.release()
            raise
        loop = asyncio.get_running_loop()
        weakref.finalize(picture, _give_back, loop, self._places).atexit = False
        return picture

    async def _fetched(self, guild: int, address: str) -> Picture:
        key = self._key(address)
        known = self._fresh.get(key)
        is_known = known is not None and self._clock() < known[1]
        self._measures.picture(guild, is_known)
        fresh = known[0] if is_known and known is not None else await self._refreshed(key, address)
        try:
            return Picture(name_of(key), await self._read(fresh))
        except _MissedError as missed:
            if missed.outcome == "gone":  # do not ask for it again by this address
                self._fresh.put(key, ("", 0.0))
            raise

    def _key(self, address: str) -> str:
        """The address without what makes it lapse, if it is one of Discord's."""
        try:
            parts = urlsplit(address)
        except ValueError:
            raise _MissedError("failed") from None
        if f"{parts.scheme}://{parts.netloc}" not in self._origins:
            raise _MissedError("failed")
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    async def _refreshed(self, key: str, address: str) -> str:
        try:
            fresh = (await self._refresh([address])).get(address)
        except ChaffinchError as error:
            log.info("bot.address_not_refreshed error=%s", error)
            raise _MissedError("failed") from None
        if fresh is None:
            raise _MissedError("gone")
        self._key(fresh)
        self._fresh.put(key, (fresh, self._clock() + REMEMBERED_SECONDS))
        return fresh

    async def _read(self, address: str) -> bytes:
        import aiohttp
        from yarl import URL

        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)
        try:
            # As it is: encoded anew, what Discord signed would be another address.
            async with self._session.get(URL(address, encoded=True), allow_redirects=False) as answer:
                if answer.status in {401, 403, 404, 410}:
                    raise _MissedError("gone")
                if answer.status != 200:
                    raise _MissedError("failed")
                if (answer.content_length or 0) > self._most_bytes:
                    raise _MissedError("too_large")
                content = bytearray()
                async for part in answer.content.iter_any():
                    content += part
                    if len(content) > self._most_bytes:
                        raise _MissedError("too_large")
                return bytes(content)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            log.info("bot.attachment_not_fetched error=%s", type(error).__name__)
            raise _MissedError("failed") from None


def name_of(address: str) -> str:
    """A name for the file at an address: its own as far as that is harmless, with the mark of a spoiler."""
    last = unquote(urlsplit(address).path.rpartition("/")[2])
    stem, dot, kind = re.sub(r"[^A-Za-z0-9._-]+", "_", last).strip("._").rpartition(".")
    if not dot:
        stem, kind = kind, ""
    kind = kind[: LONGEST_NAME // 4]
    return (stem[: LONGEST_NAME - len(kind) - 1] or "file") + (f".{kind}" if kind else "")


def _give_back(loop: asyncio.AbstractEventLoop, places: asyncio.Semaphore) -> None:
    """From whichever thread let the picture go."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(places.release)
