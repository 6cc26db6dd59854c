"""What the bot says: from a guild's chain, or from that of a member who agreed to have one.

What is asked is tried in steps, each with up to `bot.max_tries` tries: with the seed; without it; and, because a small
corpus seldom reaches `bot.min_score`, both again for whatever score there is, of which the freest is taken. Words that
are to be in it are never left out, and nothing equals a message that was learned, or has a long run of one. Nothing is
cut to the guild's longest message: what is cut could be a source; what fits is made instead.
"""

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from chaffinch.chain.errors import NothingNewError, UnknownTenantError
from chaffinch.chain.results import Reference, Said
from chaffinch.chain.tenants import Tenants
from chaffinch.chat.book.book import Book
from chaffinch.chat.content import said_length
from chaffinch.chat.measures import Measures
from chaffinch.chat.names import own_of, tenant_of
from chaffinch.chat.talking.pictures import Picture, Pictures
from chaffinch.config.tree import BotSettings
from chaffinch.errors import InputError

if TYPE_CHECKING:
    from chaffinch.chain.engine import Asked

MOST_SOURCES: Final = 5
"""Source messages that are shown."""

FREEST_OF: Final = 8
"""Where the least score is let go, so many messages are made and the freest is said."""

SHORT: Final = 200
"""Characters: where fewer may be said, that is named as a reason for saying nothing."""

UNIT_BYTES: Final = 3
"""UTF-8 takes at most so many bytes for what is one UTF-16 unit."""


class Spoken(msgspec.Struct, frozen=True):
    """Something new."""

    text: str
    score: int
    tries: int
    """Of all steps."""
    sources: tuple[Reference, ...] = ()
    """The messages that share most with it, where they were asked for."""
    picture: Picture | None = None
    """Hold it no longer than it takes to post it."""
    seed_dropped: bool = False
    """Nothing new goes with the seed."""


class _Step(msgspec.Struct, frozen=True):
    seed: str
    min_score: int
    of: int
    """How many are made, of which the freest is said."""


class Talker:
    """Says things. `chance` draws whether a picture goes with them, and which one."""

    def __init__(
        self,
        book: Book,
        tenants: Tenants,
        settings: BotSettings,
        pictures: Pictures,
        measures: Measures,
        *,
        chance: random.Random | None = None,
    ) -> None:
        self._book = book
        self._tenants = tenants
        self._settings = settings
        self._pictures = pictures
        self._measures = measures
        self._chance = chance or random.Random()

    async def say(
        self,
        guild: int,
        *,
        channel: int = 0,
        seed: str = "",
        contains: str = "",
        user: int = 0,
        sources: bool = False,
    ) -> Spoken:
        """Something new, beginning with `seed` if that can be, with the words `contains` in it, as `user` would.

        `channel` is the one that it is for: that of the thread, or itself.
        Raises `NothingNewError` when there is nothing to say, `InputError` for what cannot be asked, both with a
        sentence for whoever asked, and what the chain raises besides.
        """
        if user and not self._book.has_own(guild, user):
            raise InputError("this member has no chain of their own: only they can allow one, with /mychain")
        tenant = own_of(guild, user) if user else tenant_of(guild)
        try:
            said, step, tries = await self._said(guild, tenant, seed.strip(), contains.strip())
            shown = await self._tenants.references(tenant, said.text, MOST_SOURCES, wait=True) if sources else []
            picture = await self._picture(guild, channel, tenant, said.text)
        except UnknownTenantError:
            raise self._nothing_learned(guild, user) from None
        return Spoken(said.text, said.score, tries, tuple(shown), picture, bool(seed.strip()) and not step.seed)

    async def _said(self, guild: int, tenant: str, seed: str, contains: str) -> tuple[Said, _Step, int]:
        longest = self._book.settings(guild).max_length
        tried = 0
        for step in self._steps(seed if said_length(seed) < longest else ""):
            said = await self._try(tenant, step, contains, longest)
            if said is not None:
                return said, step, tried + said.tries
            tried += self._settings.max_tries
        if not (await self._tenants.stats(tenant, wait=True)).messages:
            raise UnknownTenantError("nothing is left in the chain")
        about = f" with {contains!r} in it" if contains else ""
        short = f" in {longest} characters (max_length of /settings)" if longest < SHORT else ""
        raise NothingNewError(
            f"Nothing new comes to mind{about}{short}: what was learned here is too little, or too much alike. "
            "More is learned from channels of /listen add, and from their history by /train."
        )

    def _steps(self, seed: str) -> Iterator[_Step]:
        seeds = (seed, "") if seed else ("",)
        for words in seeds:
            yield _Step(words, self._settings.min_score, 1)
        for words in seeds if self._settings.min_score else ():
            yield _Step(words, 0, FREEST_OF)

    async def _try(self, tenant: str, step: _Step, contains: str, longest: int) -> Said | None:
        """What can be said in a step that is no longer than may be; None if nothing can."""
        for max_bytes in (UNIT_BYTES * longest, longest):  # what has few enough bytes has few enough characters
            asked: Asked = {
                "max_tries": self._settings.max_tries,
                "min_score": step.min_score,
                "max_bytes": max_bytes,
                "novel": True,
                "seed": step.seed or None,
                "containing": contains or None,
            }
            try:
                said = await self._tenants.say(tenant, step.of, wait=True, **asked)
            except NothingNewError:
                return None
            except InputError as error:
                if contains and not isinstance(error, UnknownTenantError):
                    await self._check_contains(tenant)
                raise
            fitting = [one for one in said if one.text.strip() and said_length(one.text) <= longest]
            if fitting:
                return max(fitting, key=lambda one: one.score)
        return None

    async def _check_contains(self, tenant: str) -> None:
        """Say what to do if the chain cannot be asked for words anywhere."""
        if not (await self._tenants.stats(tenant, wait=True)).options.backward:
            raise InputError(
                "what was learned here can only be asked for words that a message begins with (seed): for words "
                "anywhere in it (contains) a moderator switches backward on with /settings, and learns anew with "
                "/train clean:True"
            )

    def _nothing_learned(self, guild: int, user: int) -> NothingNewError:
        if user:
            return NothingNewError("Nothing was learned yet from this member: they have to write more, or /train.")
        if self._book.training(guild) is not None:
            return NothingNewError("Nothing was learned here yet: a training is going on, so ask again in a while.")
        return NothingNewError(
            "Nothing was learned here yet: a moderator chooses channels with /listen add, and has their history "
            "learned with /train."
        )

    async def _picture(self, guild: int, channel: int, tenant: str, text: str) -> Picture | None:
        """One of those of the source messages, as often as the channel or else the guild wants one."""
        wanted = self._book.channel(guild, channel).images
        if self._chance.random() >= (self._book.settings(guild).image_chance if wanted is None else wanted):
            return None
        source = await self._tenants.illustration(tenant, text, wait=True)
        if source is None or not source.attachments:
            self._measures.pictured("none")
            return None
        return await self._pictures.fetch(guild, self._chance.choice(source.attachments))
