"""Who has the opt-out role: a history tells no roles, so that authors are looked up, once each."""

from collections.abc import Callable, Iterable
from typing import Final

from chaffinch.caches import Recent
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
        if not self._book.settings(self._guild).opt_out_role:
            return
        for user in dict.fromkeys(users):
            role = self._book.settings(self._guild).opt_out_role
            if role != self._role:
                self._role = role
                self._known.clear()
            if role and not self._known.get(user):
                roles = await self._roles(user, told)
                if roles is not None:  # else they went, and what they had last stands
                    await self._learner.roles_seen(self._guild, user, roles)
            self._known.put(user, True)

    async def _roles(self, user: int, told: Callable[[str], None]) -> frozenset[int] | None:
        try:
            return await patiently(lambda: self._history.roles(self._guild, user), told)
        except RefusedError:
            return None
