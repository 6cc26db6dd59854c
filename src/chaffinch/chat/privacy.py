"""What is kept of a member, and how it is forgotten: exactly, also when a step fails or the bot is killed.

Forgetting is: mark the member out, durably, with what is to be done; under the guild's turn forget their messages in
the chain that is made anew and in the guild's, and remove their own; merge, so that nothing is left on the disk; note
that it is done. What was marked and not done is done later (`retention.Keeper`); to do a step again changes nothing.

The chain anew comes first: where it takes the other's place in between, that is the one that is looked at next.
"""

import logging
from collections.abc import Awaitable

import msgspec

from chaffinch.chain import DamagedError, Tenants, UnknownTenantError
from chaffinch.chat.book.book import Book
from chaffinch.chat.names import own_of, tenant_of
from chaffinch.errors import ChaffinchError, InputError, RunError

log = logging.getLogger("chaffinch.bot")


class PutOffError(RunError):
    """Somebody is marked to be forgotten, and it could not be done at once: it is done later. For them to read."""


class Kept(msgspec.Struct, frozen=True):
    """What a guild keeps of one member."""

    channels: tuple[int, ...]
    """Those that are learned from."""
    messages: int
    """Theirs, in the guild's chain."""
    is_out: bool
    is_out_by_role: bool
    has_own: bool
    own_messages: int
    """Theirs, in their own chain."""
    is_own_lost: bool
    """Whether that was damaged, and is begun anew."""
    is_due: bool
    """Whether they asked to be forgotten and that is not done yet."""


async def kept(book: Book, tenants: Tenants, guild: int, user: int) -> Kept:
    """What is kept of somebody in a guild."""
    has_own, is_own_lost, own_messages = book.has_own(guild, user), book.is_own_lost(guild, user), 0
    author = str(user)
    if has_own:
        try:
            own_messages = await _if_there(tenants.count(own_of(guild, user), author=author))
        except DamagedError:  # nothing of it can be said; with the next change it is begun anew
            is_own_lost = True
    return Kept(
        channels=tuple(channel.id for channel in book.channels(guild) if channel.listens),
        messages=await _if_there(tenants.count(tenant_of(guild), author=author)),
        is_out=book.is_out(guild, user),
        is_out_by_role=user in book.out_by_role(guild),
        has_own=has_own,
        own_messages=own_messages,
        is_own_lost=is_own_lost,
        is_due=book.forgetting(guild, user) is not None,
    )


async def forget_user(book: Book, tenants: Tenants, guild: int, user: int) -> int:
    """Forget all that somebody wrote, and learn nothing from them any more; how many messages that were.

    Raises `PutOffError` if that is marked and not done yet, `RunError` if it cannot even be marked.
    """
    async with book.turn(guild, user):
        await book.owe_forgetting(guild, user)
        return await _finish(book, tenants, guild, user)


async def finish_forgetting(book: Book, tenants: Tenants, guild: int, user: int) -> int:
    """Do what is due of one member, if anything is; raises as `forget_user`."""
    async with book.turn(guild, user):
        return await _finish(book, tenants, guild, user)


async def remember_user(book: Book, tenants: Tenants, guild: int, user: int) -> bool:
    """Learn from somebody again, from now on, unless they have the opt-out role; whether they had asked to be out.

    What is due is forgotten first; raises `PutOffError` if it cannot be.
    """
    async with book.turn(guild, user):
        was_out = user in book.asked_out(guild)
        await _finish(book, tenants, guild, user)
        await book.set_out(guild, user, False)
    return was_out


async def allow_own(book: Book, tenants: Tenants, guild: int, user: int, most: int) -> None:
    """Begin a chain of somebody's own with what is learned from them from now on; `most` is how many a guild may have.

    Raises `InputError` for somebody who is out or one too many, `PutOffError` if their last one is not gone yet.
    """
    if book.is_out(guild, user):
        raise InputError("nothing is learned from you here, so there is nothing for a chain of your own: see /privacy")
    if not book.has_own(guild, user) and len(book.owners_of_chains(guild)) >= most:
        raise InputError(f"no more than {most} members of this server can have a chain of their own, and they do")
    async with book.turn(guild, user):
        await _finish(book, tenants, guild, user)
        await book.set_own(guild, user, True)


async def deny_own(book: Book, tenants: Tenants, guild: int, user: int) -> bool:
    """Remove somebody's own chain, and make none any more; whether they had agreed to one. Raises `PutOffError`."""
    async with book.turn(guild, user):
        had = book.has_own(guild, user)
        if had:
            await book.owe_forgetting(guild, user, own_only=True)
        await _finish(book, tenants, guild, user)
    return had


async def _finish(book: Book, tenants: Tenants, guild: int, user: int) -> int:
    """With the member's turn held."""
    due = book.forgetting(guild, user)
    if due is None:
        return 0
    try:
        forgotten = await _forget(book, tenants, guild, user, own_only=due.own_only)
        await book.end_forgetting(guild, user)
    except ChaffinchError as error:
        log.warning("bot.forgetting_put_off guild=%d error=%s", guild, error)
        what = "your own chain" if due.own_only else "all that you wrote"
        raise PutOffError(
            f"{what} could not be forgotten just now: nothing is added to it any more, and it is tried again until it "
            "can be"
        ) from None
    return forgotten


async def _forget(book: Book, tenants: Tenants, guild: int, user: int, *, own_only: bool) -> int:
    tenant, author = tenant_of(guild), str(user)
    forgotten = 0
    async with book.turn(guild):
        if not own_only:
            forgotten = await _if_there(tenants.forget(tenant, author=author, anew=True, wait=True))
            forgotten = max(forgotten, await _if_there(tenants.forget(tenant, author=author, wait=True)))
        await _if_there(tenants.remove(own_of(guild, user)))
    if not own_only:
        await _if_there(tenants.merge(tenant, anew=True, wait=True))
        await _if_there(tenants.merge(tenant, wait=True))
    return forgotten


async def _if_there(call: Awaitable[object]) -> int:
    """What a call on a chain counted; 0 if there is no such chain."""
    try:
        found = await call
    except UnknownTenantError:
        return 0
    return found if isinstance(found, int) else 0
