"""What a training works with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaffinch.chain.tenants import Tenants
    from chaffinch.chat.book.book import Book
    from chaffinch.chat.learning.learner import Learner
    from chaffinch.chat.measures import Measures
    from chaffinch.chat.poster import Poster
    from chaffinch.chat.training.source import History
    from chaffinch.config import BotSettings


@dataclass(frozen=True, slots=True)
class Parts:
    """The bot's parts, as the trainer was given them."""

    book: "Book"
    tenants: "Tenants"
    learner: "Learner"
    history: "History"
    poster: "Poster"
    settings: "BotSettings"
    measures: "Measures"
