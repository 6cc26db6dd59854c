"""Discord's JSON, as structs, and what is said, as JSON: pure, and total: what cannot be read is None.

The one place that knows the names of Discord's fields (https://docs.discord.com/developers/resources/message).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from chaffinch.chat.calls.call import Button, Embed, Menu, Reply
from chaffinch.chat.guild import MOST_CHARACTERS
from chaffinch.chat.seen import Attached, Member, Seen

Json = dict[str, Any]

EPOCH_MS: Final = 1_420_070_400_000
"""Discord's ids count milliseconds from here, above their lowest 22 bits."""

WRITTEN: Final = frozenset((0, 19))
"""Types of a message that somebody wrote: a plain one, and a reply. All others Discord makes itself."""

NO_PINGS: Final[Mapping[str, Any]] = {"parse": [], "replied_user": False}
"""`allowed_mentions` of all that the bot says."""

HIDDEN: Final = 1 << 6
"""The flag of what one member alone sees (ephemeral)."""

MOST_TITLE, MOST_FIELD, MOST_EMBED, MOST_OF_ALL, MOST_FIELDS = 256, 1024, 4096, 6000, 25
"""Characters of an embed's title and of a field's name, of a field's value, of its text, and of all of them; fields."""

MOST_LABEL, MOST_CHOICE, MOST_HINT = 80, 100, 150
"""Characters of a button's label, of a choice's in a menu, and of a menu's hint."""

ELLIPSIS: Final = "…"


class _User(msgspec.Struct, frozen=True, gc=False):
    id: int
    username: str = ""
    bot: bool = False
    system: bool = False
    """Discord itself, by its official account."""


class _Member(msgspec.Struct, frozen=True):
    roles: frozenset[int] = frozenset()
    permissions: int = 0
    user: _User | None = None


class _Attachment(msgspec.Struct, frozen=True, gc=False):
    id: int
    url: str
    filename: str = ""
    size: int = 0


class _Message(msgspec.Struct, frozen=True):
    id: int
    channel_id: int
    author: _User
    content: str
    type: int = 0
    webhook_id: int | None = None
    attachments: tuple[_Attachment, ...] = ()
    mentions: tuple[_User, ...] = ()
    member: _Member | None = None
    guild_id: int | None = None


def seen_of(data: Json, *, guild: int, parent: int) -> Seen | None:
    """A message of an event or a page of history; `parent` as in `Seen`. None: no whole message, as in some edits."""
    message = _read(data, _Message)
    if message is None:
        return None
    return Seen(
        guild=guild,
        channel=message.channel_id,
        parent=parent,
        id=message.id,
        author=message.author.id,
        text=_unicode(message.content),
        time_ms=created_ms(message.id),
        attachments=tuple(one.url for one in message.attachments),
        is_human=not (message.author.bot or message.author.system or message.webhook_id is not None)
        and message.type in WRITTEN,
        mentions=frozenset(one.id for one in message.mentions),
        roles=None if message.member is None else message.member.roles,
    )


def attached_of(data: Json) -> tuple[Attached, ...]:
    """The files of a message."""
    message = _read(data, _Message)
    return () if message is None else tuple(_attached(one) for one in message.attachments)


def attachment_of(data: Any) -> Attached | None:
    """One file, as an attachment of a message or an option."""
    one = _read(data, _Attachment)
    return None if one is None else _attached(one)


def author_of(data: Json, permissions: int) -> Member | None:
    """Who wrote a message, with the permissions worked out; None for a webhook, which is no member."""
    message = _read(data, _Message)
    if message is None or message.webhook_id is not None or message.member is None:
        return None
    user = message.author
    return Member(user.id, user.username, message.member.roles, permissions, user.bot)


def member_of(data: Any) -> Member | None:
    """Who used a command, menu or button, with the permissions that Discord worked out for that channel."""
    member = _read(data, _Member)
    if member is None or member.user is None:
        return None
    user = member.user
    return Member(user.id, user.username, member.roles, member.permissions, user.bot)


def created_ms(id: int) -> int:  # noqa: A002 - as Discord has it
    """When that which has an id was made, in milliseconds since 1970."""
    return (id >> 22) + EPOCH_MS


def body_of(reply: Reply, *, hidden: bool = False) -> Json:
    """A reply as the JSON of a new message; texts are cut to what Discord takes."""
    return {**edit_of(reply), "tts": reply.is_spoken, "flags": HIDDEN if hidden else 0}


def edit_of(reply: Reply) -> Json:
    """A reply as the JSON of a changed message, of which nothing else is left."""
    return {
        "content": fitted(reply.text, MOST_CHARACTERS),
        "embeds": [] if reply.embed is None else [_embed(reply.embed)],
        "components": _rows(reply.menu, reply.buttons),
        "attachments": [{"id": number, "filename": file.name} for number, file in enumerate(reply.files)],
        "allowed_mentions": dict(NO_PINGS),
    }


def form_of(reply: Reply, body: Json) -> list[Json]:
    """The parts of a form: the body, and the files of a reply."""
    parts: list[Json] = [{"name": "payload_json", "value": msgspec.json.encode(body).decode()}]
    for number, file in enumerate(reply.files):
        kind = "application/octet-stream"
        part = {"name": f"files[{number}]", "value": file.content, "filename": file.name, "content_type": kind}
        parts.append(part)
    return parts


def plain(reply: Reply) -> Reply:
    """The reply with its embed as text: where the bot may not embed links Discord takes no embed at all."""
    if reply.embed is None:
        return reply
    lines = [reply.text, f"**{reply.embed.title}**" if reply.embed.title else "", reply.embed.text]
    lines += [f"**{one.name}**\n{one.value}" for one in reply.embed.fields]
    return msgspec.structs.replace(reply, text="\n".join(filter(None, lines)), embed=None)


def fitted(text: str, most: int) -> str:
    """The text, with an ellipsis at its end where it has more characters than `most`.

    Discord counts UTF-16 units in some places: what is past the basic plane counts twice.
    """
    if len(text) * 2 <= most or _units(text) <= most:
        return text
    cut = text.encode("utf-16-le", "surrogatepass")[: 2 * (most - 1)]
    return cut.decode("utf-16-le", "ignore") + ELLIPSIS


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _embed(embed: Embed) -> Json:
    """No part of a field may be empty, and all characters of an embed are counted together."""
    title, text = fitted(embed.title, MOST_TITLE), fitted(embed.text, MOST_EMBED)
    left = MOST_OF_ALL - _units(title) - _units(text)
    fields = []
    for one in embed.fields[:MOST_FIELDS]:
        name = fitted(one.name or ELLIPSIS, min(MOST_TITLE, max(left, 1)))
        value = fitted(one.value or ELLIPSIS, min(MOST_FIELD, max(left - _units(name), 1)))
        left -= _units(name) + _units(value)
        if left < 0:
            break
        fields.append({"name": name, "value": value, "inline": one.inline})
    parts: Json = {"title": title, "description": text, "fields": fields}
    return {name: part for name, part in parts.items() if part}


def _rows(menu: Menu | None, buttons: Iterable[Button]) -> list[Json]:
    """A row for the menu, and one for each five buttons: types 1 (row), 3 (menu) and 2 (button; style 4 is red)."""
    rows: list[Json] = []
    if menu is not None:
        options = [
            {"label": fitted(one.label, MOST_CHOICE), "value": one.value, "default": one.chosen} for one in menu.choices
        ]
        select = {
            "type": 3,
            "custom_id": menu.id,
            "placeholder": fitted(menu.hint, MOST_HINT),
            "min_values": 0,
            "max_values": len(options),
            "options": options,
        }
        rows.append({"type": 1, "components": [select]})
    all_of_them = [
        {
            "type": 2,
            "style": 4 if one.is_danger else 2,
            "label": fitted(one.label, MOST_LABEL),
            "custom_id": one.id,
            "disabled": one.is_off,
        }
        for one in buttons
    ]
    return rows + [{"type": 1, "components": all_of_them[at : at + 5]} for at in range(0, len(all_of_them), 5)]


def _unicode(text: str) -> str:
    """JSON can hold half of a character, which nothing else can: a chain, for one, refuses the text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _attached(one: _Attachment) -> Attached:
    return Attached(one.id, one.filename, one.size, one.url)


def _read(data: Any, shape: Any) -> Any:
    """Not strict: Discord writes ids as strings."""
    try:
        return msgspec.convert(data, shape, strict=False)
    except msgspec.ValidationError:
        return None
