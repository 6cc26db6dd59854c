"""`/listen` and `/autorespond`: which channels are learned from, and in which people's messages are answered.

Both have the same shape. The menu of `modify` keeps nothing: its ids say what it is for and which page it shows, its
message says which channels it had, and the rest is read anew each time.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from chaffinch.chat.calls.call import Button, Choice, Embed, Menu, Reply
from chaffinch.chat.commands.table import MOST_OPTIONS, Command, Component, Option
from chaffinch.chat.invite import CONNECT, READ_MESSAGE_HISTORY, SEND_MESSAGES, VIEW_CHANNEL
from chaffinch.errors import InputError

if TYPE_CHECKING:
    from chaffinch.chat.bot import Bot
    from chaffinch.chat.calls.call import Call
    from chaffinch.chat.guild import Channel
    from chaffinch.chat.seen import Place

MOST_LISTED: Final = 3800
"""Characters of a list of channels; an embed takes 4096."""


class Use(msgspec.Struct, frozen=True):
    """One of the two: the command, the field of `Channel`, and its words."""

    name: str
    field: str
    does: str
    """What is done in a channel that is listed: `I learn from` ..."""
    stops: str
    title: str
    hint: str
    kept: str
    """What a change leaves as it was."""
    needs: tuple[tuple[int, str], ...]
    """Permissions that the bot needs for it in a channel: Discord's bits and names."""


LISTEN: Final = Use(
    name="listen",
    field="listens",
    does="I learn from what is written in",
    stops="I no longer learn from",
    title="Channels that I learn from",
    hint="Channels to learn from",
    kept="What was learned before stays as it is: use train to read what was written before, or to begin anew.",
    needs=((VIEW_CHANNEL, "View Channel"), (CONNECT, "Connect"), (READ_MESSAGE_HISTORY, "Read Message History")),
)
AUTORESPOND: Final = Use(
    name="autorespond",
    field="responds",
    does="I answer messages in",
    stops="I no longer answer messages in",
    title="Channels in which I answer messages",
    hint="Channels to answer messages in",
    kept="I still answer wherever I am mentioned.",
    needs=((VIEW_CHANNEL, "View Channel"), (CONNECT, "Connect"), (SEND_MESSAGES, "Send Messages")),
)


async def add(call: "Call", bot: "Bot", use: Use) -> None:
    """Use channels."""
    await _change(call, bot, use, to=True)


async def remove(call: "Call", bot: "Bot", use: Use) -> None:
    """Use channels no longer."""
    await _change(call, bot, use, to=False)


async def show(call: "Call", bot: "Bot", use: Use) -> None:
    """Tell anybody which are used."""
    lines = []
    for channel in bot.book.channels(call.guild):
        if getattr(channel, use.field):
            chance = f" ({channel.chance * 100:g} of 100)" if use is AUTORESPOND and channel.chance < 1 else ""
            lines.append(f"<#{channel.id}>{chance}")
    await call.answer(Reply(embed=Embed(use.title, listed(lines) or "None.")), hidden=True)


async def modify(call: "Call", bot: "Bot", use: Use) -> None:
    """Show the menu."""
    await call.answer(await _menu(call.guild, bot, use, 0), hidden=True)


async def turn(call: "Call", bot: "Bot", rest: str, use: Use) -> None:
    """Show another page of the menu."""
    await call.update(await _menu(call.guild, bot, use, _page(rest)))


async def pick(call: "Call", bot: "Bot", rest: str, use: Use) -> None:
    """Use, of the channels that the menu had, those that were taken, and no others; what it had not stays."""
    await call.think()
    there = {str(place.id) for place in await bot.places.text_channels(call.guild)}
    chosen = there.intersection(call.chosen)
    states = {int(one): one in chosen for one in call.shown if one in there}
    await _set(call.guild, bot, use, states)
    await call.update(await _menu(call.guild, bot, use, _page(rest), done=f"Done. {use.kept}"))


async def set_chance(call: "Call", bot: "Bot") -> None:
    """Say how often messages of a channel are answered."""
    (named,) = await _channels(call, bot)
    percent = call.options["percent"]
    assert isinstance(percent, float)
    await call.think()
    async with bot.choosing:
        channel = msgspec.structs.replace(bot.book.channel(call.guild, named), chance=percent / 100)
        await bot.book.set_channels(call.guild, [channel])
    does = f"I answer {percent:g} of 100 messages in <#{named}>."
    if not channel.responds:
        does = f"I will answer {percent:g} of 100 messages in <#{named}> once it is added by `autorespond add`."
    await call.answer(Reply(does))


async def set_images(call: "Call", bot: "Bot") -> None:
    """Say how often an attachment goes with what is said in a channel."""
    (named,) = await _channels(call, bot)
    percent = call.options.get("percent")
    assert percent is None or isinstance(percent, float)
    await call.think()
    async with bot.choosing:
        images = None if percent is None else percent / 100
        await bot.book.set_channels(
            call.guild, [msgspec.structs.replace(bot.book.channel(call.guild, named), images=images)]
        )
    does = f"An attachment goes with {percent:g} of 100 things that I say in <#{named}>, where I know one."
    if percent is None:
        does = f"In <#{named}> an attachment goes with what I say as often as `image_chance` of `settings show` says."
    await call.answer(Reply(does))


async def _change(call: "Call", bot: "Bot", use: Use, *, to: bool) -> None:
    ids = await _channels(call, bot, gone_too=not to)
    await call.think()
    await _set(call.guild, bot, use, dict.fromkeys(ids, to))
    names = listed([f"<#{one}>" for one in ids], ", ")
    lacks = [one for one in (_lacking(call.guild, bot, use, channel) for channel in ids) if one] if to else []
    await call.answer(Reply(f"{use.does if to else use.stops} {names}. {use.kept}\n{listed(lacks)}".rstrip()))


def _lacking(guild: int, bot: "Bot", use: Use, channel: int) -> str:
    """What the bot may not do in a channel and needs for its use, as a sentence; empty: nothing."""
    held = bot.places.permissions(guild, channel)
    names = [name for bit, name in use.needs if not held & bit]
    return f"First let me have {' and '.join(names)} in <#{channel}>." if names else ""


async def _set(guild: int, bot: "Bot", use: Use, states: Mapping[int, bool]) -> None:
    async with bot.choosing:
        changed: list[Channel] = []
        for one, to in states.items():
            channel = bot.book.channel(guild, one)
            if getattr(channel, use.field) is not to:
                changed.append(msgspec.structs.replace(channel, **{use.field: to}))
        if changed:
            await bot.book.set_channels(guild, changed)


async def _channels(call: "Call", bot: "Bot", *, gone_too: bool = False) -> list[int]:
    """The channels that were named, each once. Raises `InputError` for one that is no text channel of the guild.

    With `gone_too` one that the book has is taken too, even if it is there no more.
    """
    given = [value for name, value in call.options.items() if name.startswith("channel") and isinstance(value, int)]
    there = {place.id for place in await bot.places.text_channels(call.guild)}
    if gone_too:
        there.update(channel.id for channel in bot.book.channels(call.guild))
    for one in given:
        if one not in there:
            raise InputError(
                f"<#{one}> is no text channel of this server: name text, voice, stage, announcement or forum channels;"
                " threads count as the channel that they are in"
            )
    return list(dict.fromkeys(given))


async def _menu(guild: int, bot: "Bot", use: Use, page: int, *, done: str = "") -> Reply:
    places = await bot.places.text_channels(guild)
    if not places:
        raise InputError("I see no text channel in this server: let me view one")
    pages = [places[at : at + MOST_OPTIONS] for at in range(0, len(places), MOST_OPTIONS)]
    page = min(page, len(pages) - 1)  # channels may have gone since the message was made
    used = {channel.id for channel in bot.book.channels(guild) if getattr(channel, use.field)}
    text = f"**{use.title}**: {len(used)} of {len(places)}. Each choice counts at once."
    if len(pages) > 1:
        text += f" Page {page + 1} of {len(pages)}."
    return Reply(
        f"{text}\n{done}".rstrip(),
        menu=Menu(f"{use.name}/pick:{page}", use.hint, _choices(pages[page], used)),
        buttons=(
            Button(f"{use.name}/page:{page - 1}", "Previous", is_off=page == 0),
            Button(f"{use.name}/page:{page + 1}", "Next", is_off=page == len(pages) - 1),
        )
        if len(pages) > 1
        else (),
    )


def _choices(places: Sequence["Place"], used: set[int]) -> tuple[Choice, ...]:
    return tuple(Choice(f"#{place.name}", str(place.id), chosen=place.id in used) for place in places)


def _page(rest: str) -> int:
    """The page that an id names; the first for an id that nobody made."""
    return int(rest) if rest.isascii() and rest.isdigit() and len(rest) < 5 else 0


def listed(lines: Sequence[str], between: str = "\n") -> str:
    """The lines, as many as an embed takes, and how many more there are."""
    shown, length = 0, 0
    while shown < len(lines) and length + len(lines[shown]) <= MOST_LISTED:
        length += len(lines[shown]) + len(between)
        shown += 1
    more = [f"and {len(lines) - shown} more"] if shown < len(lines) else []
    return between.join([*lines[:shown], *more])


def _numbered(about: str) -> tuple[Option, ...]:
    return tuple(
        Option(f"channel-{number}", "channel", about if number == 1 else "Another channel.", number == 1)
        for number in range(1, MOST_OPTIONS + 1)
    )


def _commands(use: Use, verb: str) -> tuple[Command, ...]:
    return (
        Command("add", f"Add channels {verb}.", partial(add, use=use), "moderator", _numbered("A channel to add.")),
        Command(
            "remove",
            f"Remove channels {verb}.",
            partial(remove, use=use),
            "moderator",
            _numbered("A channel to remove."),
        ),
        Command("list", f"List the channels {verb}.", partial(show, use=use)),
        Command("modify", f"Choose from a menu the channels {verb}.", partial(modify, use=use), "moderator"),
    )


_CHANCE = Command(
    "chance",
    "Set how often messages of a channel are answered.",
    set_chance,
    "moderator",
    (
        Option("channel", "channel", "The channel.", is_required=True),
        Option("percent", "number", "Of 100 messages, how many are answered.", is_required=True, least=0, most=100),
    ),
)

_IMAGES = Command(
    "images",
    "Set how often an attachment goes with what I say in a channel.",
    set_images,
    "moderator",
    (
        Option("channel", "channel", "The channel.", is_required=True),
        Option("percent", "number", "Of 100 things that I say; left out: as image_chance says.", least=0, most=100),
    ),
)

COMMANDS = (
    Command("listen", "Channels that I learn from.", commands=_commands(LISTEN, "to learn from")),
    Command(
        "autorespond",
        "Channels in which I answer messages.",
        commands=(*_commands(AUTORESPOND, "in which I answer messages"), _CHANCE, _IMAGES),
    ),
)
COMPONENTS = tuple(
    component
    for use in (LISTEN, AUTORESPOND)
    for component in (
        Component(f"{use.name}/pick", partial(pick, use=use), "moderator"),
        Component(f"{use.name}/page", partial(turn, use=use), "moderator"),
    )
)
