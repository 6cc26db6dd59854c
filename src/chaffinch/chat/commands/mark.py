"""The command that has the bot talk. Its name is that of `bot.command`."""

from time import perf_counter_ns
from typing import TYPE_CHECKING

from chaffinch.chat.calls.call import Embed, Field, File, Reply
from chaffinch.chat.calls.moderators import is_moderator
from chaffinch.chat.commands.table import Command, Option
from chaffinch.chat.guild import MOST_CHARACTERS
from chaffinch.errors import InputError

if TYPE_CHECKING:
    from chaffinch.chain.results import Reference
    from chaffinch.chat.bot import Bot
    from chaffinch.chat.calls.call import Call
    from chaffinch.chat.talking.talker import Spoken


async def talk(call: "Call", bot: "Bot") -> None:
    """Say something, and with `debug` tell a moderator where it is from."""
    began = perf_counter_ns()
    options = call.options
    debug = bool(options.get("debug", False))
    if debug and not is_moderator(call.member, bot.settings):
        raise InputError("`debug` shows the messages that I learned from, so it is for moderators: leave it out")
    await call.think()
    spoken = await bot.talker.say(
        call.guild,
        channel=call.parent,
        seed=str(options.get("seed", "")),
        contains=str(options.get("contains", "")),
        user=int(options.get("user", 0)),  # type: ignore[arg-type] # an id, by the table
        sources=debug,
    )
    files = () if spoken.picture is None else (File(spoken.picture.name, spoken.picture.content),)
    await call.answer(Reply(spoken.text, files=files, is_spoken=bool(options.get("tts", False))))
    bot.measures.replied(call.guild, perf_counter_ns() - began, spoken.tries, "command")
    if debug:
        await call.answer(Reply(embed=told(spoken, call.guild, shows_text=call.hides)), hidden=True)


def told(spoken: "Spoken", guild: int, *, shows_text: bool) -> Embed:
    """Where something is from. Where others see it too, sources are links alone, which open to who may read them."""
    fields = [Field("Score", str(spoken.score), inline=True), Field("Tries", str(spoken.tries), inline=True)]
    if spoken.seed_dropped:
        fields.append(Field("Seed", "Nothing fitted it, so it was left out.", inline=True))
    for number, source in enumerate(spoken.sources, 1):
        fields.append(Field(f"Source {number}", _source(source, guild, shows_text=shows_text)))
    return Embed(
        "Where that is from", "" if spoken.sources else "No source shares a run of words with it.", tuple(fields)
    )


def _source(source: "Reference", guild: int, *, shows_text: bool) -> str:
    is_there = source.id.isdigit() and source.channel.isdigit()
    link = f"https://discord.com/channels/{guild}/{source.channel}/{source.id}" if is_there else ""
    if shows_text:
        return f"{source.text}\n{link}".strip()
    return link or "A message of an imported file, which is not shown here."


COMMANDS = (
    Command(
        "mark",
        "Have me say something.",
        talk,
        "speaker",
        (
            Option("debug", "switch", "Show sources and score, to moderators alone."),
            Option("seed", "text", "What it begins with.", least=1, most=MOST_CHARACTERS),
            Option("tts", "switch", "Have it read aloud."),
            Option("contains", "text", "What it has in it.", least=1, most=MOST_CHARACTERS),
            Option("user", "user", "Speak as one member who allowed it."),
        ),
    ),
)
