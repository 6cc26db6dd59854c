"""A guild's settings as they are stored: a JSON object of those that are not the defaults.

So that a book outlasts releases with other settings: a field that this release does not know stays in the object as it
is, and one whose value no longer fits counts as not set, which is logged, and stays until settings are next written.
"""

from typing import Any

import msgspec

from chaffinch.chat.guild import GuildSettings
from chaffinch.errors import InputError

_FIELDS = {field.name: field for field in msgspec.structs.fields(GuildSettings)}


def checked(settings: GuildSettings) -> GuildSettings:
    """The settings, if each has a value that it can have. Raises `InputError` that names the one that has not."""
    try:
        return msgspec.convert(msgspec.to_builtins(settings), GuildSettings)
    except msgspec.ValidationError as error:
        raise InputError(f"this setting cannot be stored: {error}") from None


def encoded(settings: GuildSettings, over: str) -> str:
    """What is stored of checked settings in the place of `over`, whose unknown fields stay."""
    unknown = {name: value for name, value in _object(over).items() if name not in _FIELDS}
    values: dict[str, Any] = msgspec.structs.asdict(settings)
    chosen = {name: value for name, value in values.items() if value != _FIELDS[name].default}
    return msgspec.json.encode(unknown | chosen).decode()


def decoded(text: str) -> tuple[GuildSettings, list[str]]:
    """The settings, and the names of those whose stored value is not usable. Raises `ValueError` if it is no object."""
    chosen, unusable = {}, []
    for name, value in _object(text).items():
        if (field := _FIELDS.get(name)) is None:
            continue
        try:
            chosen[name] = msgspec.convert(value, field.type)
        except msgspec.ValidationError:
            unusable.append(name)
    return GuildSettings(**chosen), unusable


def _object(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any])
