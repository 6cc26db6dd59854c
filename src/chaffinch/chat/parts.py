"""The bot's parts, put together."""

from typing import TYPE_CHECKING

from chaffinch.chat.bot import Bot
from chaffinch.chat.commands.table import table
from chaffinch.chat.learning.learner import Learner
from chaffinch.chat.posting import DiscordPoster, attachment_origins
from chaffinch.chat.retention import Keeper
from chaffinch.chat.talking.answerer import Answerer
from chaffinch.chat.talking.pictures import Pictures
from chaffinch.chat.talking.talker import Talker
from chaffinch.chat.training.history import DiscordHistory
from chaffinch.chat.training.trainer import Trainer

if TYPE_CHECKING:
    from chaffinch.chain.tenants import Tenants
    from chaffinch.chat.book.book import Book
    from chaffinch.chat.client import Client
    from chaffinch.chat.measures import Measures
    from chaffinch.config import BotSettings


def assemble(client: "Client", book: "Book", tenants: "Tenants", settings: "BotSettings", measures: "Measures") -> Bot:
    """Make each part, and give it those that it needs."""
    commands = table(settings)
    learner = Learner(book, tenants, measures, settings, commands)
    poster = DiscordPoster(client)
    origins = attachment_origins()
    pictures = Pictures(poster.refreshed, settings, measures, origins=origins)
    talker = Talker(book, tenants, settings, pictures, measures)
    history = DiscordHistory(client, client.members)
    trainer = Trainer(book, tenants, learner, history, poster, settings, measures, origins=origins)
    return Bot(
        book=book,
        tenants=tenants,
        learner=learner,
        pictures=pictures,
        talker=talker,
        trainer=trainer,
        answerer=Answerer(book, talker, learner, poster, settings, measures),
        keeper=Keeper(book, tenants, settings, measures),
        poster=poster,
        places=client,
        settings=settings,
        table=commands,
        measures=measures,
    )
