"""A scenario file in the making, and its text. Nothing in what was imported is a template: dollars are doubled."""

from typing import Final

import msgspec

from chaffinch.load.scenario.address import literal

MOST_STEPS: Final = 1000
"""Steps that one scenario may have."""

INDENT: Final = "  "


class DraftStep(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as it was found."""

    method: str
    origin: str
    path: str
    """With its query."""
    name: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    think_ms: int = 0
    timeout_ms: int | None = None
    statuses: tuple[str, ...] = ()
    """What its answer may be; empty: 2xx and 3xx."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A file with one scenario."""

    name: str
    steps: tuple[DraftStep, ...]
    notes: tuple[str, ...] = ()
    """Comments at the top, a sentence each."""
    skip_tls_verify: bool = False
    compression: bool = False
    http2: bool = False
    resolve: tuple[str, ...] = ()
    tls: tuple[tuple[str, str], ...] = ()


def quoted(text: str) -> str:
    """A text as YAML in double quotes, on one line."""
    return '"' + "".join(_ESCAPES.get(one) or (one if _is_plain(one) else _escaped(one)) for one in text) + '"'


def write(draft: Draft) -> str:
    """The file."""
    base = draft.steps[0].origin
    lines = ["# " + "".join(one for one in " ".join(note.split()) if _is_plain(one)) for note in draft.notes]
    lines += ['version: "1.0"', "metadata:", f"{INDENT}name: {quoted(draft.name)}", "config:"]
    config = [f"baseUrl: {quoted(base)}", "workers: 10", "duration: 30s"]
    config += ["skipTlsVerify: true"] if draft.skip_tls_verify else []
    config += ["compression: true"] if draft.compression else []
    config += ['http: "2"'] if draft.http2 else []
    if draft.resolve:
        config += ["resolveTargetAddr:", *(f"{INDENT}- {quoted(one)}" for one in draft.resolve)]
    if draft.tls:
        config += ["tls:", *(f"{INDENT}{key}: {quoted(value)}" for key, value in draft.tls)]
    lines += [INDENT + line for line in config]
    lines += ["scenarios:", f"{INDENT}- name: {quoted(draft.name)}", f"{INDENT * 2}steps:"]
    for step in draft.steps:
        first, *rest = _step(step, base)
        lines += [f"{INDENT * 3}- {first}", *(INDENT * 4 + line for line in rest)]
    return "\n".join(lines) + "\n"


def _step(step: DraftStep, base: str) -> list[str]:
    path = literal(step.path)
    lines = [f"name: {quoted(step.name[:200])}"] if step.name else []
    lines += ["request:", f"{INDENT}method: {step.method}"]
    lines.append(f"{INDENT}path: {quoted(path if step.origin == base else step.origin + path)}")
    names = list(dict.fromkeys(name for name, _ in step.headers))
    lines += [f"{INDENT}headers:"] if names else []
    for name in names:
        values = [quoted(literal(value)) for known, value in step.headers if known == name]
        lines.append(f"{INDENT * 2}{quoted(name)}: {values[0] if len(values) == 1 else '[' + ', '.join(values) + ']'}")
    if step.body is not None:
        lines.append(f"{INDENT}body: {quoted(literal(step.body))}")
    if step.statuses:
        lines += ["assertions:", f"{INDENT}- type: statusCode", f"{INDENT * 2}expected: [{', '.join(step.statuses)}]"]
    if step.think_ms:
        lines.append(f"thinkTime: {step.think_ms}ms")
    if step.timeout_ms:
        lines.append(f"timeout: {step.timeout_ms}ms")
    return lines


_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _is_plain(character: str) -> bool:
    """Whether YAML lets it stand for itself, in one line."""
    return character.isprintable() and not "\ud800" <= character <= "\udfff" and character != "\ufeff"


def _escaped(character: str) -> str:
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
