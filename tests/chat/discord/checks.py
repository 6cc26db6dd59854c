"""What Discord takes in a message (https://discord.com/developers/docs/resources/message#create-message)."""

from __future__ import annotations

from typing import Any

from tests.chat.discord.refusals import Refused, invalid

Json = dict[str, Any]
MOST_CHARACTERS = 2000
MOST_EMBED_CHARACTERS = 6000
MOST_OPTIONS = 25
EMBED_LENGTHS = {"title": 256, "description": 4096}
ROW, BUTTON, SELECT = 1, 2, 3
SELECTS = frozenset({3, 5, 6, 7, 8})
LINK = 5
"""The style of a button that leads to a page."""


def _at_most(field: str, text: str | None, most: int, least: int = 0) -> None:
    if text is not None and len(text) > most:
        raise invalid(field, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
    if least and not text:
        raise invalid(field, "BASE_TYPE_REQUIRED", "This field is required")


def message(body: Json, *, has_files: bool) -> None:
    """Refuse what Discord would refuse in a new message."""
    contents(body)
    content = (body.get("content") or "").strip()
    if not (content or body.get("embeds") or body.get("components") or body.get("sticker_ids") or has_files):
        raise Refused(400, 50006, "Cannot send an empty message")


def contents(body: Json) -> None:
    """What new messages and edits have in common."""
    if not isinstance(body, dict):
        raise Refused(400, 50035, "Invalid Form Body")
    _at_most("content", body.get("content"), MOST_CHARACTERS)
    embeds(body.get("embeds") or [])
    components(body.get("components") or [])
    allowed_mentions(body.get("allowed_mentions"))


def embeds(found: list[Json]) -> None:
    if len(found) > 10:
        raise invalid("embeds", "BASE_TYPE_BAD_LENGTH", "Must be between 0 and 10 in length.")
    total = 0
    for index, embed in enumerate(found):
        for name, most in EMBED_LENGTHS.items():
            _at_most(f"embeds.{index}.{name}", embed.get(name), most)
            total += len(embed.get(name) or "")
        fields = embed.get("fields") or []
        if len(fields) > 25:
            raise invalid(f"embeds.{index}.fields", "BASE_TYPE_BAD_LENGTH", "Must be between 0 and 25 in length.")
        for number, field in enumerate(fields):
            where = f"embeds.{index}.fields.{number}"
            _at_most(f"{where}.name", field.get("name"), 256, 1)
            _at_most(f"{where}.value", field.get("value"), 1024, 1)
            total += len(field["name"]) + len(field["value"])
        footer, author = (embed.get("footer") or {}).get("text", ""), (embed.get("author") or {}).get("name", "")
        _at_most(f"embeds.{index}.footer.text", footer, 2048)
        _at_most(f"embeds.{index}.author.name", author, 256)
        total += len(footer) + len(author)
    if total > MOST_EMBED_CHARACTERS:
        raise invalid("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def components(rows: list[Json]) -> None:
    if len(rows) > 5:
        raise invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    seen: set[str] = set()
    for number, row in enumerate(rows):
        where = f"components.{number}"
        if row.get("type") != ROW:
            raise invalid(f"{where}.type", "UNION_TYPE_CHOICES", "Value of field 'type' must be one of (1,).")
        parts = row.get("components") or []
        kinds = [part.get("type") for part in parts]
        is_select = any(kind in SELECTS for kind in kinds)
        if not parts or len(parts) > (1 if is_select else 5):
            raise invalid(f"{where}.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
        for index, part in enumerate(parts):
            _component(f"{where}.components.{index}", part)
            custom_id = part.get("custom_id")
            if custom_id is not None and custom_id in seen:
                message = "Component custom id cannot be duplicated"
                raise invalid(f"{where}.components.{index}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", message)
            seen.add(custom_id or "")


def _component(where: str, part: Json) -> None:
    if part.get("type") == BUTTON:
        if part.get("style") not in range(1, 7):
            raise invalid(f"{where}.style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6}.")
        if part["style"] != LINK:
            _at_most(f"{where}.custom_id", part.get("custom_id"), 100, 1)
        _at_most(f"{where}.label", part.get("label"), 80, 0 if part.get("emoji") else 1)
    elif part.get("type") in SELECTS:
        _select(where, part)
    else:
        raise invalid(f"{where}.type", "UNION_TYPE_CHOICES", "Value of field 'type' must be one of (2, 3, 5, 6, 7, 8).")


def _select(where: str, part: Json) -> None:
    _at_most(f"{where}.custom_id", part.get("custom_id"), 100, 1)
    _at_most(f"{where}.placeholder", part.get("placeholder"), 150)
    least, most = part.get("min_values", 1), part.get("max_values", 1)
    if not 0 <= least <= 25 or not 1 <= most <= 25 or least > most:
        raise invalid(f"{where}.min_values", "BASE_TYPE_MIN_VALUES", "min_values and max_values do not fit.")
    if part["type"] != SELECT:
        return
    options = part.get("options") or []
    if not 1 <= len(options) <= MOST_OPTIONS:
        raise invalid(f"{where}.options", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length.")
    if most > len(options):
        raise invalid(f"{where}.max_values", "BASE_TYPE_BAD_LENGTH", "There are fewer options than max_values.")
    if sum(bool(option.get("default")) for option in options) > most:
        raise invalid(f"{where}.options", "SELECT_COMPONENT_TOO_MANY_DEFAULTS", "More defaults than max_values.")
    for index, option in enumerate(options):
        _at_most(f"{where}.options.{index}.label", option.get("label"), 100, 1)
        _at_most(f"{where}.options.{index}.value", option.get("value"), 100, 1)
        _at_most(f"{where}.options.{index}.description", option.get("description"), 100)
    if len({option["value"] for option in options}) < len(options):
        raise invalid(f"{where}.options", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "A value is there twice.")


def allowed_mentions(found: Json | None) -> None:
    if not found:
        return
    parse = found.get("parse") or []
    if not set(parse) <= {"users", "roles", "everyone"}:
        raise invalid("allowed_mentions.parse", "BASE_TYPE_CHOICES", "Value must be one of users, roles, everyone.")
    for kind in ("users", "roles"):
        if kind in parse and found.get(kind):
            raise invalid("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", f"parse has {kind} already.")
        if len(found.get(kind) or []) > 100:
            raise invalid(f"allowed_mentions.{kind}", "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")
