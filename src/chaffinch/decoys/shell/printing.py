"""`printf`, and the backslash escapes that it shares with `echo`."""

import re

from chaffinch.decoys.shell.call import Call

_PLAIN = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
    "E": "\x1b",
    "\\": "\\",
}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|0[0-7]{0,3}|[0-7]{1,3}|.)", re.S)


def unescaped(text: str, *, octal_needs_zero: bool = False) -> tuple[str, bool]:
    """Text with its escapes put into place, and whether `\\c` cut it short. Bytes past 127 are carried as
    surrogates."""
    cut = text.find("\\c")
    stopped = cut >= 0

    def one(found: re.Match[str]) -> str:
        what = found[1]
        if what[0] == "x" and len(what) > 1:
            return _byte(int(what[1:], 16))
        if what[0] == "0":
            return _byte(int(what[1:] or "0", 8) & 0xFF)
        if what[0] in "1234567":
            return found[0] if octal_needs_zero else _byte(int(what, 8) & 0xFF)
        return _PLAIN.get(what, found[0])

    return _ESCAPE.sub(one, text[:cut] if stopped else text), stopped


def _byte(value: int) -> str:
    return bytes((value,)).decode("utf-8", "surrogateescape")


_DIRECTIVE = re.compile(r"%(%|[-+ 0#]*\d{0,4}(?:\.\d{0,4})?[diouxXcsbq])")


async def printf(call: Call) -> int:
    args = call.args[1:] if call.args[:1] == ["--"] else call.args
    if not args:
        return call.fail("usage: printf [-v var] format [arguments]", 2)
    form, values = unescaped(args[0])[0], list(args[1:])
    for _ in range(1024):
        before = len(values)
        call.print(_DIRECTIVE.sub(lambda found: _formatted(found[1], values), form), end="")
        if not values or len(values) == before:
            break
    return 0


def _formatted(directive: str, values: list[str]) -> str:
    if directive == "%":
        return "%"
    value = values.pop(0) if values else ""
    kind, spec = directive[-1], directive[:-1]
    if kind in "diouxX":
        number = int(value, 0) if re.fullmatch(r"-?(0x[0-9a-fA-F]{1,16}|[1-9]\d{0,18}|0)", value) else 0
        return ("%" + spec + ("d" if kind in "iu" else kind)) % number
    if kind == "b":
        value = unescaped(value)[0]
    elif kind == "c":
        value = value[:1]
    return ("%" + spec.replace("0", "", 1) + "s") % value if spec.startswith("0") else ("%" + spec + "s") % value
