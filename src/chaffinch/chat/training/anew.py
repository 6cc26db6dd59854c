"""What a clean training makes anew beside the guild's chain: of a history those of members who agreed to one.

None of them stays what it was: of whom nothing was read an empty one takes the other's place. The guild's is put in its
place, or thrown away, after all of theirs: as long as one of them is there, so is the guild's.
"""

import contextlib

from chaffinch.chain.errors import UnknownTenantError
from chaffinch.chain.tenants import Tenants
from chaffinch.chat.book.book import Book, Training
from chaffinch.chat.names import own_of, tenant_of


def owns(book: Book, guild: int) -> list[str]:
    """The tenants of members who agreed to a chain of their own."""
    return [own_of(guild, user) for user in sorted(book.owners_of_chains(guild))]


async def is_left(book: Book, tenants: Tenants, guild: int) -> bool:
    """Whether any chain of a guild is being made anew."""
    for tenant in (tenant_of(guild), *owns(book, guild)):
        if await tenants.is_anew(tenant):
            return True
    return False


async def abandon(book: Book, tenants: Tenants, guild: int) -> None:
    """Throw them away, and the guild's; with the guild's turn held."""
    for own in owns(book, guild):
        if await tenants.is_anew(own):
            await tenants.abandon(own)
    await tenants.abandon(tenant_of(guild))


async def complete(book: Book, tenants: Tenants, training: Training) -> None:
    """Before the training says that all are whole; with the guild's turn held. After that it may not be done again."""
    if training.clean and not training.file:
        for own in owns(book, training.guild):
            await tenants.add(own, [], anew=True, wait=True)


async def publish(book: Book, tenants: Tenants, training: Training) -> None:
    """Put them in their places, and then the guild's; with its turn held. After a kill this goes on where it was."""
    guild = training.guild
    if not training.file:
        for user in sorted(book.owners_of_chains(guild)):
            with contextlib.suppress(UnknownTenantError):  # they agreed since a kill, and have none
                await tenants.publish(own_of(guild, user))
            await book.set_own_lost(guild, user, False)
    with contextlib.suppress(UnknownTenantError):  # somebody removed both meanwhile
        await tenants.publish(tenant_of(guild))
