"""`/help` and `/invite`."""

from typing import TYPE_CHECKING

from chaffinch.chat import invite
from chaffinch.chat.calls.call import Embed, Field, Reply
from chaffinch.chat.commands.table import Command, Leaf, Table
from chaffinch.chat.payloads import MOST_FIELD

if TYPE_CHECKING:
    from chaffinch.chat.bot import Bot
    from chaffinch.chat.calls.call import Call

MARKS = {"anyone": "", "moderator": " (moderators)", "speaker": ""}


async def show_help(call: "Call", bot: "Bot") -> None:
    """All commands, in both forms."""
    settings = bot.settings
    await call.answer(Reply(embed=page(bot.table, settings.prefix)), hidden=True)


async def show_invite(call: "Call", bot: "Bot") -> None:
    """The link that adds the bot to a server."""
    link = invite.url(bot.application_id)
    text = f"[Add me to a server]({link}). I ask for: {', '.join(invite.NAMES)}."
    await call.answer(Reply(embed=Embed("Invite", text)), hidden=True)


def page(table: Table, prefix: str) -> Embed:
    """The commands of a table, a field for each."""
    words = f"Each command is there as a slash command and behind `{prefix}`; `{prefix}` alone has me talk."
    fields = tuple(_field(table, command, prefix) for command in table.commands)
    return Embed("What I can be told", words, fields)


def usage(leaf: Leaf, prefix: str, table: Table) -> str:
    """How a command is given by prefix, as one line: what may be left out stands in brackets."""
    begin = prefix if leaf.path == table.talk else f"{prefix} {leaf.path}"
    options = leaf.command.options
    numbered = [one.name for one in options if "-" in one.name and one.name.rpartition("-")[2].isdigit()]
    words = []
    for one in options:
        if one.name in numbered[1:]:
            continue
        form = {"switch": one.name, "channel": "#channel", "user": f"{one.name}:@user", "role": f"{one.name}:@role"}
        word = form.get(one.kind, "(a file)" if one.kind == "attachment" else f"{one.name}:...")
        word += " ..." if one.name in numbered and len(numbered) > 1 else ""
        words.append(word if one.is_required else f"[{word}]")
    return " ".join([begin, *words])


def _field(table: Table, command: Command, prefix: str) -> Field:
    leaves = [leaf for leaf in table.leaves.values() if leaf.path.split(" ")[0] == command.name]
    lines = [f"{leaf.command.about}{MARKS[leaf.command.who]}\n`{usage(leaf, prefix, table)}`" for leaf in leaves]
    value = "\n".join(lines)
    if len(value) > MOST_FIELD:
        value = "\n".join(f"`{leaf.path}` {leaf.command.about}{MARKS[leaf.command.who]}" for leaf in leaves)
    return Field(f"/{command.name}", value)


COMMANDS = (
    Command("help", "Show what I can be told.", show_help),
    Command("invite", "Get the link that adds me to a server.", show_invite),
)
