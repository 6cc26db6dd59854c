"""JSON files of older bots that are no array of messages: what the first releases kept, and what the library exported.

| what it is | known by |
| --- | --- |
| `markovDB.json` of releases before 2 | an object with `messages`: texts, or `{"id", "string", "attachment"}` |
| an export of the library's version 3 | `corpus`, `startWords`, `endWords`: fragments with their messages |
| an export of its version 4 | `inputData`: `{"id", "string", "tags", "custom"}` |
| `markov_ID.json`, the chains of the bot with "optimizations" | prefixes with `suffixes`: counts, and no message |
| its settings, as JSON or JSON5 | `token`, `ownerIds`, ... |

An array of messages, and the files of DiscordChatExporter, the chain itself reads.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from chaffinch.chain.results import Message
from chaffinch.chat.older.table import SETTINGS
from chaffinch.chat.older.tags import Places, addresses, message_of, places_of
from chaffinch.errors import InputError

Kind: TypeAlias = Literal["first", "version 3", "version 4", "chains", "settings"]

MOST_BYTES: Final = 512 << 20
"""Of such a file: those bots held it in one text, which cannot be longer in their language."""

HEAD_BYTES: Final = 1 << 20
"""Where an object is longer, this much of it tells what it is."""


_BEFORE: Final = re.compile(rb"(?:\xef\xbb\xbf|\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
"""What may stand before the first value, also in JSON5."""

_TOKEN: Final = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')(?P<names>\s{0,64}:)?|//[^\n]*|/\*.{0,256}?\*/"""
    r"""|(?<![\w$])(?P<bare>[\w$]{1,64})\s{0,64}:|(?P<opens>[\[{])|(?P<closes>[\]}])""",
    re.DOTALL,
)
"""What the nesting of JSON or JSON5 and the names of its members are told by; bounded, so that none takes long."""

_TEXTS: Final = frozenset(("text", "message", "content", "attachments"))
"""Members of a message, of which the chain reads one a line."""

_PACKED: Final = (b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""How gzip, xz and zstd begin."""


class _Ref(msgspec.Struct, frozen=True):
    """A message of version 3, or of the first releases."""

    string: str = ""
    id: str = ""
    attachment: str | None = None
    attachments: tuple[str, ...] = ()


class _Fragment(msgspec.Struct, frozen=True):
    refs: tuple[_Ref, ...] = ()


class _First(msgspec.Struct, frozen=True):
    messages: tuple[_Ref | str, ...]


class _Third(msgspec.Struct, frozen=True):
    corpus: dict[str, tuple[_Fragment, ...]]
    startWords: tuple[_Fragment, ...] = ()  # noqa: N815 - as the file has it
    endWords: tuple[_Fragment, ...] = ()  # noqa: N815


class _Row(msgspec.Struct, frozen=True):
    """A message of version 4."""

    id: int
    string: str = ""
    tags: tuple[str, ...] | None = None
    custom: Any = None


class _Fourth(msgspec.Struct, frozen=True):
    inputData: tuple[_Row, ...]  # noqa: N815


def kind_of(path: Path) -> Kind | None:
    """Which of them the file is, by its members; None for any other. Raises `InputError` where it cannot be read."""
    data = _begun(path)
    if not data.startswith(b"{"):
        return None
    keys = _keys(data)
    if "inputData" in keys:
        return "version 4"
    if {"corpus", "startWords"} <= keys:
        return "version 3"
    if "messages" in keys:
        # DiscordChatExporter's has what the messages are of before them.
        return None if {"guild", "channel"} & keys else "first"
    if b'"suffixes"' in data and b'"totalWeight"' in data:
        return "chains"
    return "settings" if not keys & _TEXTS and keys & {key for one in SETTINGS for key in one.keys} else None


def holds_messages(path: Path) -> bool:
    """Whether a file of no such kind is JSON that the chain reads messages from, or packed, which only it looks into.

    What is no JSON the chain reads as lines of text, which nobody wants of what lies beside: it may be settings, with a
    token in them. Raises `InputError` where it cannot be read.
    """
    data = _begun(path)
    if data.startswith((b"[", *_PACKED)):
        return True
    line = data.split(b"\n", 1)[0].strip()
    if line.startswith(b'"'):
        return line.endswith(b'"')
    return data.startswith(b"{") and bool(_keys(line) & _TEXTS or _keys(data) & {"guild", "channel"})


def messages_of(path: Path, kind: Kind, guild: int) -> Iterator[Message]:
    """The messages of such a file. Raises `InputError` for one that is damaged, or that has no messages."""
    if kind == "chains":
        raise InputError(
            f"{path} has no messages, only how often words followed one another, which cannot be unlearned; import the "
            "database instead, db/db.sqlite3 beside it"
        )
    if kind == "settings":
        raise InputError(f"{path} has the settings of an older bot: name it with `bot discord --older-settings`")
    data = _read(path, MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InputError(f"{path} has more than {MOST_BYTES >> 20} MiB, which no file of those bots can have")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        if kind == "version 4":
            yield from _fourth(msgspec.json.decode(data, type=_Fourth), guild)
        elif kind == "version 3":
            yield from _numbered(_third(msgspec.json.decode(data, type=_Third)))
        else:
            found = msgspec.json.decode(data, type=_First).messages
            yield from _numbered(_Ref(one) if isinstance(one, str) else one for one in found)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path} is damaged, or not what it seems to be: {error}") from None


def _fourth(found: _Fourth, guild: int) -> Iterator[Message]:
    for row in found.inputData:
        yield message_of(row.string, places_of(row.tags or (), guild), row.id, addresses(row.custom))


def _third(found: _Third) -> Iterator[_Ref]:
    """Each message once: it stands at every pair of words that it has."""
    fragments = [*found.startWords, *found.endWords, *(one for ones in found.corpus.values() for one in ones)]
    yield from dict.fromkeys(ref for fragment in fragments for ref in fragment.refs)


def _numbered(refs: Iterator[_Ref]) -> Iterator[Message]:
    for number, ref in enumerate(refs):
        found = places_of((ref.id,), 0) if ref.id else Places()
        given = (*ref.attachments, *([ref.attachment] if ref.attachment else []))
        yield message_of(ref.string, found, number, given)


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); name another file") from None


def _begun(path: Path) -> bytes:
    """The beginning of a file, from its first value on."""
    data = _read(path, HEAD_BYTES)
    before = _BEFORE.match(data)
    return data[before.end() :] if before else data


def _keys(data: bytes) -> set[str]:
    """The names of the outermost members, as far as the data goes; JSON5's, too."""
    keys, depth = set(), 0
    for found in _TOKEN.finditer(data.decode("utf-8", "replace")):
        if found["opens"]:
            depth += 1
        elif found["closes"]:
            depth -= 1
        elif depth == 1 and found["names"]:
            keys.add(found["quoted"][1:-1])
        elif depth == 1 and found["bare"]:
            keys.add(found["bare"])
    return keys
