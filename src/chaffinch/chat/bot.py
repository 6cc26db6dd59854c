"""What a command is given: the bot's parts."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chaffinch.chain.tenants import Tenants
    from chaffinch.chat.book.book import Book
    from chaffinch.chat.commands.table import Table
    from chaffinch.chat.learning.learner import Learner
    from chaffinch.chat.measures import Measures
    from chaffinch.chat.poster import Poster
    from chaffinch.chat.retention import Keeper
    from chaffinch.chat.seen import Place
    from chaffinch.chat.talking.answerer import Answerer
    from chaffinch.chat.talking.pictures import Pictures
    from chaffinch.chat.talking.talker import Talker
    from chaffinch.chat.training.trainer import Trainer
    from chaffinch.config import BotSettings


class Places(Protocol):
    """What there is in a guild."""

    async def text_channels(self, guild: int) -> list["Place"]:
        """Its channels that can be listened to, in the order in which Discord shows them; no threads."""
        ...

    def permissions(self, guild: int, channel: int) -> int:
        """What the bot may do in a channel, as Discord's bits; all of them where that is not known."""
        ...


@dataclass(slots=True)
class Bot:
    """The parts, put together once. The two ids are known as soon as Discord has taken the token."""

    book: "Book"
    tenants: "Tenants"
    learner: "Learner"
    pictures: "Pictures"
    talker: "Talker"
    trainer: "Trainer"
    answerer: "Answerer"
    keeper: "Keeper"
    poster: "Poster"
    places: Places
    settings: "BotSettings"
    table: "Table"
    measures: "Measures"
    choosing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Who changes part of what moderators chose (a setting, a use of a channel) reads and writes it with this held."""
    bot_id: int = 0
    """The user that the bot is."""
    application_id: int = 0
