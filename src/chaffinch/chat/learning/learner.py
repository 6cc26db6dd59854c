"""What is learned from what people say, and unlearned when they take it back.

A guild's chain learns from people, in channels that listen, and not what was said to the bot as a command. The text is
learned without mentions of the bot; other mentions stay, and ping nobody, since nothing that the bot says does. Who
agreed to have a chain of their own is learned from in that too.

All changes of one guild's chains are made one after the other, in `book.turn`. While a training makes the chain anew
they are made in both: `training.clean` says so before there is a chain anew, so that nothing is missing in it.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import Final

import msgspec

from chaffinch.caches import Recent
from chaffinch.chain.errors import UnknownTenantError
from chaffinch.chain.results import Added, Message, Options
from chaffinch.chain.tenants import Tenants
from chaffinch.chat import content
from chaffinch.chat.book.book import Book
from chaffinch.chat.book.unlearnings import Unlearning
from chaffinch.chat.commands import words
from chaffinch.chat.commands.table import Table
from chaffinch.chat.learning.flights import Flight, Flights
from chaffinch.chat.learning.postponed import Postponed
from chaffinch.chat.measures import Measures
from chaffinch.chat.names import own_of, tenant_of
from chaffinch.chat.own_chains import OwnChains
from chaffinch.chat.seen import Seen
from chaffinch.config.tree import BotSettings
from chaffinch.errors import ChaffinchError, RunError

log = logging.getLogger("chaffinch.bot")

MOST_RECENT: Final = 4096
"""Messages of all guilds of which is known what they said when they last came, to see that an edit changed nothing:
Discord sends one too when it has found the picture of a link.
"""


def text_of(seen: Seen, bot_id: int) -> str:
    """What a chain learns of it; empty: nothing."""
    return content.learned(content.without_mention(seen.text, bot_id) if bot_id else seen.text, seen.attachments)


def message_of(seen: Seen, bot_id: int = 0) -> Message:
    """What a chain learns of a message."""
    return Message(
        text_of(seen, bot_id),
        id=str(seen.id),
        author=str(seen.author),
        channel=str(seen.channel),
        time_ms=seen.time_ms,
        attachments=seen.attachments,
    )


class Learner:
    """Learns and unlearns. What cannot be written now waits in a bounded queue: see `postponed`.

    Its methods return when the change is durable, or waits. They raise what the book raises.
    """

    def __init__(
        self,
        book: Book,
        tenants: Tenants,
        measures: Measures,
        settings: BotSettings,
        table: Table,
        *,
        bot_id: int = 0,
    ) -> None:
        """Commands of `table` are not learned."""
        self.bot_id = bot_id
        """Of whom mentions are not learned. Known once the bot is ready, before it sees a message."""
        self._prefix, self._table = settings.prefix, table
        self._book = book
        self._tenants = tenants
        self._measures = measures
        self._own = OwnChains(book, tenants, measures)
        self._flights = Flights()
        self._recent: Recent[int, int] = Recent(MOST_RECENT)
        self.postponed = Postponed(book, measures, settings.waiting_changes, self.redo)
        self.files_read: dict[int, int] = {}
        """Which training of a guild, by when it began, has read all of its file: before, a file may bring back what was
        unlearned, so that the book keeps that until then.
        """

    async def begin(self) -> None:
        """Before anything is learned: unlearn what an earlier run could not, or have that wait."""
        await self.postponed.begin(self._book.unlearnings.guilds())

    async def close(self) -> None:
        """Try once more what waits. What still is to be learned is counted and logged as lost; what is to be unlearned
        the next start does.
        """
        await self.postponed.close()

    def is_command(self, text: str) -> bool:
        """Whether a message is a command by prefix, also one that is wrong."""
        return words.is_command(text, self._prefix, self._table)

    # What comes as it happens ---------------------------------------------------------------------------------------

    def is_wanted(self, seen: Seen) -> bool:
        """Whether a message is to be learned, as things stand when it arrives.

        Whether its author is out is looked at again when it is learned: they may have asked to be forgotten meanwhile.
        """
        return (
            seen.is_human
            and self._book.channel(seen.guild, seen.parent).listens
            and seen.author not in self._book.asked_out(seen.guild)
            and not self.is_command(seen.text)
            and bool(text_of(seen, self.bot_id))
        )

    async def learn(self, seen: Seen, flight: Flight | None = None, *, is_wanted: bool | None = None) -> None:
        """Learn a message, unless it was deleted or edited since `flight` began.

        `is_wanted` is what that said when the message arrived, if that was before now.
        """
        wanted = self.is_wanted(seen) if is_wanted is None else is_wanted
        told = seen.is_human and seen.roles is not None and self._is_role_new(seen.guild, seen.author, seen.roles)
        if not (wanted or told):
            return
        if wanted and not (flight is not None and flight.lost(seen)):
            self._recent.put(seen.id, _fingerprint(seen))

        async def change() -> None:
            if not self._book.is_known(seen.guild):  # it was left, and deleted meanwhile
                return
            if await self._is_out(seen) or not wanted or (flight is not None and flight.lost(seen)):
                return
            added = await self._add(seen)
            self._measures.learned(seen.guild, added.learned)

        takes = self._by_role(seen.guild, seen.author, seen.roles) if told and seen.roles is not None else ()
        await self._make(seen.guild, change, takes=takes, teaches=wanted)

    async def edited(self, seen: Seen) -> None:
        """Unlearn what a message said before, and learn what it says now. Costs nothing if it says the same."""
        if not seen.is_human or self._recent.get(seen.id) == _fingerprint(seen):
            return
        self._recent.put(seen.id, _fingerprint(seen))  # now: a later edit may come before this one has its turn
        self._flights.note_messages(seen.guild, (seen.id,))
        wanted = self.is_wanted(seen)

        async def change() -> None:
            is_out = await self._is_out(seen)
            forgotten = await self._forget(seen.guild, messages=[str(seen.id)], of=seen.author)
            if is_out or not wanted or not self._book.is_known(seen.guild):
                self._measures.forgotten(seen.guild, forgotten)
                return
            added = await self._add(seen)
            if forgotten:
                self._measures.edited(seen.guild)
            else:
                self._measures.learned(seen.guild, added.learned)

        by_role = () if seen.roles is None else self._by_role(seen.guild, seen.author, seen.roles)
        takes = (Unlearning("message", seen.id), *by_role)
        await self._make(seen.guild, change, takes=takes, teaches=wanted)

    async def deleted(self, guild: int, ids: Collection[int]) -> None:
        """Unlearn messages that were deleted, one or many, whether or not anything of them was learned."""
        if not ids:
            return
        self._flights.note_messages(guild, ids)
        messages = [str(message) for message in ids]

        async def change() -> None:
            self._measures.forgotten(guild, await self._forget(guild, messages=messages))

        await self._make(guild, change, takes=[Unlearning("message", message) for message in ids])

    async def thread_deleted(self, guild: int, thread: int) -> None:
        """Unlearn what was said in a thread that is gone."""
        await self.channel_deleted(guild, thread)

    async def channel_deleted(self, guild: int, channel: int) -> None:
        """Unlearn what was said in a channel that is gone, and in its threads, of which Discord tells nothing."""
        self._flights.note_channel(guild, channel)
        await self._make(guild, lambda: self._forget_channel(guild, channel), takes=(Unlearning("channel", channel),))

    async def roles_seen(self, guild: int, user: int, roles: frozenset[int]) -> None:
        """Somebody was seen with these roles: with the opt-out role they are forgotten, and not learned from."""

        async def change() -> None:
            await self._mark_by_role(guild, user, roles)

        if self._is_role_new(guild, user, roles):
            await self._make(guild, change, takes=self._by_role(guild, user, roles))

    # What a training brings -----------------------------------------------------------------------------------------

    def in_flight(self, guild: int) -> AbstractContextManager[Flight]:
        """From before messages are asked for until they are learned."""
        return self._flights.begun(guild)

    async def learn_page(self, guild: int, flight: Flight, seens: Sequence[Seen], anew: bool) -> Added:
        """Learn what of a page is to be learned, in the guild's chain or in the one made anew, and in own chains.

        Raises `ChaffinchError`; a page may be learned again, what of it is known by its id is counted as duplicates.
        """
        async with self._book.turn(guild):
            out = self._book.opted_out(guild)
            kept = [one for one in seens if one.author not in out and not flight.lost(one) and self.is_wanted(one)]
            if not kept:
                return Added()
            for thread, parent in {(seen.channel, seen.parent) for seen in kept if seen.channel != seen.parent}:
                await self._book.note_thread(guild, thread, parent)
            messages = [message_of(seen, self.bot_id) for seen in kept]
            tenant = tenant_of(guild)
            added = await self._tenants.add(tenant, messages, anew=anew, options=self.options(guild), wait=True)
            for user in self._book.owners_of_chains(guild) & {seen.author for seen in kept}:
                own = [message for message in messages if message.author == str(user)]
                await self._add_own(guild, user, own, anew=anew)
            return added

    def options(self, guild: int) -> Options | None:
        """What the guild's chain is made with where it wants more of it than the configuration says."""
        if not self._book.settings(guild).backward:
            return None
        return msgspec.structs.replace(self._tenants.candidate.options(tenant_of(guild)), backward=True)

    # What both rest on ----------------------------------------------------------------------------------------------

    async def _is_out(self, seen: Seen) -> bool:
        if seen.roles is not None:
            await self._mark_by_role(seen.guild, seen.author, seen.roles)
        return self._book.is_out(seen.guild, seen.author)

    def _is_role_new(self, guild: int, user: int, roles: frozenset[int]) -> bool:
        role = self._book.settings(guild).opt_out_role
        return bool(role) and (role in roles) != (user in self._book.out_by_role(guild))

    async def _mark_by_role(self, guild: int, user: int, roles: frozenset[int]) -> None:
        if not self._is_role_new(guild, user, roles):
            return
        is_out = self._book.settings(guild).opt_out_role in roles
        if is_out:  # before the mark: what fails here is tried again as long as there is none
            self._measures.forgotten(guild, await self._forget(guild, author=str(user), of=user))
        await self._book.set_out(guild, user, is_out, by_role=True)

    async def _make(
        self,
        guild: int,
        change: Callable[[], Awaitable[None]],
        *,
        takes: Collection[Unlearning] = (),
        teaches: bool = False,
    ) -> None:
        """Make a change in its turn, or have it wait: behind those that do, or because it cannot be written now.

        `takes` is what it unlearns, and `teaches` that something is learned by it as well.
        """
        async with self._book.turn(guild):
            if guild in self.postponed:
                await self._postpone(guild, change, takes, teaches)
                return
            try:
                await change()
                if takes and self._reads_file(guild):
                    # What was learned anew the file cannot bring back: it is known by its id.
                    kept = [one for one in takes if not teaches or one.kind == "author"]
                    await self._book.unlearnings.owe(guild, kept)
            except RunError as error:
                log.warning("bot.changes_wait guild=%d error=%s", guild, error)
                await self._postpone(guild, change, takes, teaches)
            except ChaffinchError as error:
                log.warning("bot.change_refused guild=%d error=%s", guild, type(error).__name__)
                self._measures.lost(guild, 1)

    async def _postpone(
        self, guild: int, change: Callable[[], Awaitable[None]], takes: Collection[Unlearning], teaches: bool
    ) -> None:
        """With what it unlearns in the book, so that no restart and no bound lets that stay learned."""
        is_owed = False
        if takes:
            try:
                await self._book.unlearnings.owe(guild, takes)
                is_owed = True
            except RunError as error:
                log.warning("bot.unlearning_not_kept guild=%d error=%s", guild, error)

        async def made() -> None:
            await change()
            if is_owed and (teaches or not self._reads_file(guild)):
                await self._book.unlearnings.end(guild, takes)

        self.postponed.put(guild, made, unlearns=bool(takes), is_kept=is_owed and not teaches)

    async def redo(self, guild: int) -> None:
        """Unlearn what the book says is still to be unlearned; with the guild's turn held. Raises `RunError`."""
        last = None
        while due := self._book.unlearnings.due(guild, last):
            last = due[-1]
            messages = [str(one.id) for one in due if one.kind == "message"]
            if messages:
                self._measures.forgotten(guild, await self._forget(guild, messages=messages))
            for one in due:
                if one.kind == "channel":
                    await self._forget_channel(guild, one.id)
                elif one.kind == "author":
                    self._measures.forgotten(guild, await self._forget(guild, author=str(one.id)))
                    if self._book.settings(guild).opt_out_role:
                        await self._book.set_out(guild, one.id, True, by_role=True)
            if not self._reads_file(guild):
                await self._book.unlearnings.end(guild, due)

    def _reads_file(self, guild: int) -> bool:
        training = self._book.training(guild)
        return training is not None and bool(training.file) and self.files_read.get(guild) != training.started_ms

    async def _forget_channel(self, guild: int, channel: int) -> None:
        for gone in (channel, *self._book.threads_of(guild, channel)):
            self._measures.forgotten(guild, await self._forget(guild, channel=str(gone)))
        await self._book.drop_channel(guild, channel)

    def _by_role(self, guild: int, user: int, roles: frozenset[int]) -> tuple[Unlearning, ...]:
        """Somebody who is unlearned, since they were seen with the opt-out role for the first time."""
        is_out = self._is_role_new(guild, user, roles) and self._book.settings(guild).opt_out_role in roles
        return (Unlearning("author", user),) if is_out else ()

    async def _add(self, seen: Seen) -> Added:
        """Learn one message wherever it belongs; what became of it in the guild's chain."""
        guild, message = seen.guild, message_of(seen, self.bot_id)
        if seen.channel != seen.parent:
            await self._book.note_thread(guild, seen.channel, seen.parent)
        tenant = tenant_of(guild)
        options = self.options(guild)
        if await self._is_made_anew(guild, tenant):
            await self._tenants.add(tenant, [message], anew=True, options=options, wait=True)
        added = await self._tenants.add(tenant, [message], options=options, wait=True)
        if self._book.has_own(guild, seen.author):
            if await self._is_made_anew(guild, own_of(guild, seen.author)):
                await self._add_own(guild, seen.author, [message], anew=True)
            await self._add_own(guild, seen.author, [message])
        return added

    async def _add_own(self, guild: int, user: int, messages: Sequence[Message], *, anew: bool = False) -> None:
        if anew:
            await self._tenants.add(own_of(guild, user), messages, anew=True, wait=True)
        else:
            await self._own.call(guild, user, lambda own: self._tenants.add(own, messages, wait=True))

    async def _forget(
        self,
        guild: int,
        *,
        messages: Sequence[str] | None = None,
        author: str | None = None,
        channel: str | None = None,
        of: int = 0,
    ) -> int:
        """Forget wherever it may have been learned: how many messages the guild's chain had. `of`: whose they are."""
        owners, trains = self._book.owners_of_chains(guild), self._book.training(guild) is not None
        for user in owners & {of} if of else owners:
            if trains:
                await self._forget_in(own_of(guild, user), messages, author, channel, anew=True)
            await self._own.call(guild, user, lambda own: self._forget_in(own, messages, author, channel))
        tenant = tenant_of(guild)
        if trains:
            await self._forget_in(tenant, messages, author, channel, anew=True)
        return await self._forget_in(tenant, messages, author, channel)

    async def _forget_in(
        self,
        tenant: str,
        messages: Sequence[str] | None,
        author: str | None,
        channel: str | None,
        *,
        anew: bool = False,
    ) -> int:
        try:
            return await self._tenants.forget(
                tenant, messages=messages, author=author, channel=channel, anew=anew, wait=True
            )
        except UnknownTenantError:
            return 0

    async def _is_made_anew(self, guild: int, tenant: str) -> bool:
        """Whether what is learned now belongs into a chain anew too; it is made if it is not there yet.

        Not once it took the place of the other and only the training's end was not noted: it would replace that. Nor is
        a member's own made anew of a file.
        """
        training = self._book.training(guild)
        if training is None or not training.clean or (training.file and tenant != tenant_of(guild)):
            return False
        return training.state == "reading" or await self._tenants.is_anew(tenant)


def _fingerprint(seen: Seen) -> int:
    """Tells what a message says from what it said before, without keeping it."""
    return hash((seen.text, seen.attachments))
