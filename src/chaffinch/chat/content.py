"""What the text of a message says to the bot: mentions of it, and how long it is. Pure.

Discord writes a mention of a user as `<@17>` or, as older clients do, `<@!17>`. Inside of code it is no mention, and
after a backslash neither.
"""

import re
from collections.abc import Collection
from typing import Final

from chaffinch.chat.seen import Seen

_OUTSIDE: Final = re.compile(r"\\.|`+", re.DOTALL)
"""Backticks; outside of code a backslash takes the character after it, so that it opens nothing."""

_ONE: Final = re.compile(r"(?<!`)`(?!`)")
_TWO: Final = re.compile(r"(?<!`)``(?!`)")

BLOCK: Final = 3
"""Backticks of a block of code: it ends at the next three. Inline code ends at as many as it began with."""


WORDLESS: Final = "\ue000"
"""What is learned of a message that is attachments alone: a character of private use, which means nothing to anybody.

So it is in the chain like any other, with its id and its attachments, and goes with it when it is taken back. Nothing
that is said has it: nothing follows it, and alone it is what it was learned from.
"""


def learned(text: str, attachments: Collection[str]) -> str:
    """What a chain learns of a message with this text; empty: nothing is to be learned of it."""
    words = text.replace(WORDLESS, "").strip()
    return words or (WORDLESS if attachments else "")


def mentions_bot(seen: Seen, bot_id: int) -> bool:
    """Whether somebody spoke to the bot: they mentioned it, or replied to what it said and left the ping on.

    Discord lists whom a message pings, and in a reply lists its author; everybody (`@everyone`, `@here`) and those
    who have a mentioned role it does not list.
    """
    return bot_id in seen.mentions or bool(_mentions(seen.text, bot_id))


def without_mention(text: str, bot_id: int) -> str:
    """The text without mentions of the bot and the spaces that they leave; what code shows stays."""
    parts, done = [], 0
    for start, end in _mentions(text, bot_id):
        parts.append(text[done:start])
        done = end
    if not done:
        return text.strip()
    parts.append(text[done:])
    kept = parts[0]
    for part in parts[1:]:
        if (not kept or kept[-1].isspace()) and part[:1] == " ":
            part = part[1:]  # noqa: PLW2901 - one space goes with the mention between two
        kept += part
    return kept.strip()


def said_length(text: str) -> int:
    """Characters as Discord may count them: UTF-16 units, which are never fewer than code points."""
    return len(text) + sum(character > "\uffff" for character in text)


def _mentions(text: str, bot_id: int) -> list[tuple[int, int]]:
    """Where the bot is mentioned."""
    if f"{bot_id}>" not in text:
        return []
    code = _code(text)
    found, at = [], 0
    for match in re.finditer(rf"(?<!\\)<@!?{bot_id}>", text):
        while at < len(code) and code[at][1] <= match.start():
            at += 1
        if at == len(code) or match.end() <= code[at][0]:
            found.append(match.span())
    return found


def _code(text: str) -> list[tuple[int, int]]:
    """Where there is code, from the first backtick to the last, in order."""
    spans: list[tuple[int, int]] = []
    unclosed: set[int] = set()
    match = _OUTSIDE.search(text)
    while match is not None:
        after = match.end()
        run = 0 if match[0][0] == "\\" else len(match[0])
        if run and run not in unclosed:
            closed = _closed(text, match.start(), run)
            if closed:
                spans.append((match.start(), closed))
                after = closed
            else:  # nor will a later one of this length be: so each length is looked for in vain once
                unclosed.add(run)
        match = _OUTSIDE.search(text, after)
    return spans


def _closed(text: str, start: int, run: int) -> int:
    """Where the code ends that so many backticks begin; 0: nothing ends it, so it is none."""
    if run >= BLOCK:
        end = text.find("`" * BLOCK, start + BLOCK + 1)
        return 0 if end < 0 else end + BLOCK
    closing = (_ONE if run == 1 else _TWO).search(text, start + run)
    return 0 if closing is None else closing.end()
