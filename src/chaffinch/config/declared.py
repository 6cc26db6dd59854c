"""The declarations of settings, read back: for the reference page, the commented file and the command line."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from chaffinch.config.tree import SECTIONS, Groups


class Setting(msgspec.Struct, frozen=True):
    """One setting's declaration, for the reference page, the commented file and the command line."""

    section: str
    key: str
    type: str
    default: object
    description: str
    unit: str = ""

    @property
    def path(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        return f"CHAFFINCH_{self.section}_{self.key}".upper().replace(".", "_").replace("<NAME>", "NAME")


def settings() -> Iterator[Setting]:
    """Every setting there is, in the order of the file."""
    for section, declared in SECTIONS.items():
        hints = get_type_hints(declared, include_extras=True)
        for field in msgspec.structs.fields(declared):
            base, metas = unwrap(hints[field.name])
            if f"{section}.{field.name}" in SECTIONS:
                continue  # a table within this one, which comes by itself
            yield Setting(
                section=section,
                key=field.name,
                type=_type_text(base, metas),
                default=field.default,
                description=next((str(meta.description) for meta in metas if meta.description), ""),
                unit=next((str(meta.extra["unit"]) for meta in metas if meta.extra), ""),
            )


def unwrap(hint: Any) -> tuple[Any, tuple[Meta, ...]]:
    """An annotated type's base and its metas, outermost first."""
    metas: tuple[Meta, ...] = ()
    while get_origin(hint) is Annotated:
        base, *extra = get_args(hint)
        metas = (*reversed([meta for meta in extra if isinstance(meta, Meta)]), *metas)
        hint = base
    return hint, metas


def _type_text(base: Any, metas: tuple[Meta, ...]) -> str:
    if get_origin(base) is Literal:
        return "one of " + ", ".join(repr(value) for value in get_args(base))
    if base == Groups:
        return f"{_type_text(get_args(base)[0], ())}, or a table of groups such as {{front = ['decoy-*']}}"
    if any(meta.extra and meta.extra.get("unit") == "bytes" for meta in metas):
        name = "a size such as 64M"
    else:
        listed = "a list of texts" if base == tuple[str, ...] else "a list of ids"
        name = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}.get(base, listed)
    low = next((m.ge if m.ge is not None else m.gt for m in metas if m.ge is not None or m.gt is not None), None)
    high = next((m.le for m in metas if m.le is not None), None)
    if low is not None and high is not None:
        return f"{name} from {low} to {high}"
    return f"{name}, at least {low}" if low else name
