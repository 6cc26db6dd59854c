"""Who puts into a channel what the bot says."""

from typing import Protocol

from chaffinch.chat.calls.call import Posted, Reply
from chaffinch.errors import RunError


class PostingError(RunError):
    """Discord did not take it."""

    def __init__(self, sentence: str, status: int = 0, code: int = 0) -> None:
        super().__init__(sentence)
        self.status = status
        """HTTP's: 403, the bot may not; 404, the channel or message is gone; 0, Discord could not be reached."""
        self.code = code
        """Discord's own, if it gave one."""


class Poster(Protocol):
    """Everything it posts pings nobody. Rate limits are waited for, faults of Discord's servers tried again."""

    async def post(self, channel: int, reply: Reply, reply_to: Posted | None = None) -> Posted:
        """Say something in a channel or thread, as a reply to a message if one is given and still there.

        Raises `PostingError`.
        """
        ...

    async def edit(self, posted: Posted, reply: Reply) -> None:
        """Put something else in the place of what was said. Raises `PostingError`."""
        ...

    async def typing(self, channel: int) -> None:
        """Show for some seconds that something is coming. It is no matter if that cannot be shown."""
        ...
