"""Who has the opt-out role: a history tells no roles, so that authors are looked up, once each, many at once."""

from collections.abc import Callable, Iterable
from typing import Final

from chaffinch.caches import Recent
from chaffinch.chat.members import MOST_AT_ONCE
from chaffinch.chat.training.parts import Parts
from chaffinch.chat.training.patience import patiently
from chaffinch.chat.training.source import RefusedError

REMEMBERED: Final = 65_536
"""Authors who were looked up; past it who was not seen for longest is looked up again. 8 MiB."""


class Authors:
    """The authors of one training. Where the guild has no opt-out role nobody is looked up."""

    def __init__(self, parts: Parts, guild: int) -> None:
        self._history, self._book, self._learner = parts.history, parts.book, parts.learner
        self._guild = guild
        self._known: Recent[int, bool] = Recent(REMEMBERED)
        self._role = 0

    async def look_up(self, users: Iterable[int], told: Callable[[str], None]) -> None:
        """Write into the book which of these have the role, before anything of them is learned."""
        given = list(dict.fromkeys(users))
        while some := self._unknown(given)[:MOST_AT_ONCE]:
            found = await self._history.members(self._guild, some)
            for user in some:
                roles = found[user] if user in found else await self._roles(user, told)
                if roles is not None:  # else they went, and what they had last stands
                    await self._learner.roles_seen(self._guild, user, roles)
                self._known.put(user, True)

    def _unknown(self, users: list[int]) -> list[int]:
        """Those who were not looked up since the guild has the role that it has."""
        role = self._book.settings(self._guild).opt_out_role
        if role != self._role:
            self._role = role
            self._known.clear()
        return [user for user in users if not self._known.get(user)] if role else []

    async def _roles(self, user: int, told: Callable[[str], None]) -> frozenset[int] | None:
        try:
            return await patiently(lambda: self._history.roles(self._guild, user), told)
        except RefusedError:
            return None
