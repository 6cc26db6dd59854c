"""From words to arguments: variables, substitutions, arithmetic, field splitting, globs (IEEE Std 1003.1 2.6)."""

import fnmatch
import re
from typing import TYPE_CHECKING

from chaffinch.decoys.shell.call import decode
from chaffinch.decoys.shell.syntax import Part, Word
from chaffinch.decoys.view import absolute
from chaffinch.personas.files import FileError

if TYPE_CHECKING:
    from chaffinch.decoys.shell.shell import Shell

FIELDS = 2048
"""How many arguments a line may come to."""

_GLOB = re.compile(r"[*?\[]")
_QUOTE = "\x00"
"""Marks a quoted glob character inside a field until the globs are done; input holds no NUL."""


async def expand(shell: "Shell", words: tuple[Word, ...]) -> list[str]:
    """All words as arguments."""
    fields: list[str] = []
    for word in words:
        if (
            word.literal
            and not _GLOB.search(word.literal)
            and not word.literal.startswith("~")
            and "{" not in word.literal
        ):
            fields.append(word.literal)
            continue
        for alternative in _braces(word):
            for field in await _fields(shell, alternative):
                fields.extend(_matches(shell, field))
        if len(fields) > FIELDS:
            return fields[:FIELDS]
    return fields


async def expand_one(shell: "Shell", word: Word) -> str:
    """One word as one string, neither split nor globbed: for assignments and redirections."""
    pieces = [await _value(shell, part) for part in _with_home(shell, word)]
    return "".join(pieces)


async def _fields(shell: "Shell", word: Word) -> list[str]:
    fields: list[str] = []
    current: str | None = None
    for part in _with_home(shell, word):
        if part.kind == "variable" and part.text == "@" and part.quoted:
            values = list(shell.arguments)
            if values:
                current = (current or "") + _protect(values[0])
                fields += [current] if len(values) > 1 else []
                fields += [_protect(value) for value in values[1:-1]]
                current = _protect(values[-1]) if len(values) > 1 else current
            continue
        value = await _value(shell, part)
        if part.quoted:
            current = (current or "") + _protect(value)
        elif part.kind == "text":
            current = (current or "") + value
        else:
            pieces = re.split(r"[ \t\n]+", value)
            for at, piece in enumerate(pieces):
                if at and current is not None:
                    fields.append(current)
                    current = None
                if piece:
                    current = (current or "") + piece
    return fields if current is None else [*fields, current]


async def _value(shell: "Shell", part: Part) -> str:
    if part.kind == "text":
        return part.text
    if part.kind == "command":
        return decode(await shell.substitute(part.text)).rstrip("\n").replace("\0", "")
    if part.kind == "arithmetic":
        return str(arithmetic(shell, part.text))
    return await _variable(shell, part.text)


_BRACED = re.compile(
    r"(#?)([A-Za-z_]\w*|[?$!#@*\-0-9])(?:(:?[-=+?])(.*)|(##?|%%?)(.*)|(//?)([^/]*)(?:/(.*))?|:(-?\d+)(?::(\d+))?)?",
    re.S,
)


async def _variable(shell: "Shell", text: str) -> str:
    found = _BRACED.fullmatch(text)
    if found is None:
        return ""
    length, name, operator, word, trim, pattern, replace, what, by, start, count = found.groups()
    value = shell.variable(name)
    if length:
        return str(len(value or ""))
    if operator:
        missing = value is None or (operator.startswith(":") and not value)
        if operator[-1] == "+":
            return "" if missing else word
        if missing and operator[-1] == "=":
            shell.assign(name, word)
        return word if missing else value or ""
    value = value or ""
    if trim:
        return _trimmed(value, trim, pattern)
    if replace:
        return value.replace(what, by or "", -1 if replace == "//" else 1) if what else value
    if start is not None:
        return value[int(start) :][: int(count) if count else None]
    return value


def _trimmed(value: str, trim: str, pattern: str) -> str:
    lengths = range(len(value) + 1) if len(trim) == 1 else range(len(value), -1, -1)
    matches = re.compile(fnmatch.translate(pattern[:256])).match
    for length in lengths if len(value) <= 1024 else ():
        piece = value[:length] if trim[0] == "#" else value[len(value) - length :]
        if matches(piece):
            return value[length:] if trim[0] == "#" else value[: len(value) - length]
    return value


def _with_home(shell: "Shell", word: Word) -> tuple[Part, ...]:
    """The word's parts, a leading `~` put into place."""
    if not word.parts or word.parts[0].quoted or not word.parts[0].text.startswith("~") or word.parts[0].kind != "text":
        return word.parts
    name, slash, rest = word.parts[0].text[1:].partition("/")
    user = shell.persona.user(name) if name else None
    home = (user.home if user else None) if name else shell.variable("HOME")
    if home is None:
        return word.parts
    return (Part("text", home, True), Part("text", slash + rest), *word.parts[1:])


def _braces(word: Word) -> list[Word]:
    """`{a,b}` and `{1..5}` in unquoted text, one level."""
    for at, part in enumerate(word.parts):
        found = None if part.quoted or part.kind != "text" else re.search(r"\{([^{}]*(?:,|\.\.)[^{}]*)\}", part.text)
        if not found:
            continue
        counted = re.fullmatch(r"(-?\d{1,6})\.\.(-?\d{1,6})", found[1])
        if counted:
            first, last = int(counted[1]), int(counted[2])
            step = 1 if first <= last else -1
            choices = [str(n) for n in range(first, last + step, step)[:FIELDS]]
        else:
            choices = found[1].split(",") if "," in found[1] else [found[0]]
        head, tail = part.text[: found.start()], part.text[found.end() :]
        return [
            Word((*word.parts[:at], Part("text", head + choice + tail), *word.parts[at + 1 :])) for choice in choices
        ]
    return [word]


def _protect(value: str) -> str:
    return _GLOB.sub(lambda found: _QUOTE + found[0], value) if _GLOB.search(value) else value


def _matches(shell: "Shell", field: str) -> list[str]:
    """The paths that a field matches, or the field itself."""
    plain = field.replace(_QUOTE, "")
    if not _GLOB.search(re.sub(_QUOTE + ".", "", field, flags=re.S)):
        return [plain]
    start = "/" if field.startswith("/") else ""
    found = [start]
    for step in [step for step in field.split("/") if step]:
        found = [path for prefix in found[:64] for path in _step(shell, prefix, step)]
    return sorted(found) or [plain]


def _step(shell: "Shell", prefix: str, step: str) -> list[str]:
    joined = prefix if not prefix or prefix.endswith("/") else prefix + "/"
    if not _GLOB.search(step):
        path = joined + step
        return [path] if shell.view.exists(absolute(path, shell.cwd)) else []
    pattern = re.compile(fnmatch.translate(re.sub(_QUOTE + r"(.)", r"[\1]", step[:256]).replace("[^", "[!")))
    try:
        names = shell.view.names(absolute(joined or ".", shell.cwd))
    except FileError:
        return []
    return [
        joined + name for name in names if pattern.match(name) and (step.startswith(".") or not name.startswith("."))
    ]


# Arithmetic ---------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"\s*(?:(0[xX][0-9a-fA-F]+|\d+)|\$?\{?([A-Za-z_]\w*)\}?|(<<|>>|<=|>=|==|!=|&&|\|\||\*\*|[-+*/%()<>!&|^~]))"
)
_LEVELS = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<=", ">=", "<", ">"),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)
_WIDTH = 1 << 64


def arithmetic(shell: "Shell", text: str) -> int:
    """What `$((...))` comes to, in 64 bits; 0 for what is not understood."""
    tokens: list[str] = []
    at = 0
    text = text[:512]
    while at < len(text) and (found := _TOKEN.match(text, at)):
        at = found.end()
        tokens.append(found[1] or found[3] or _number(shell, found[2]))
    tokens.reverse()
    try:
        return _binary(tokens, 0, 0)
    except (IndexError, ValueError, ZeroDivisionError):
        return 0


def _number(shell: "Shell", name: str) -> str:
    value = (shell.variable(name) or "0").strip()
    return value if re.fullmatch(r"\d{1,19}", value) else "0"


def _binary(tokens: list[str], level: int, depth: int) -> int:
    if level == len(_LEVELS):
        return _unary(tokens, depth)
    value = _binary(tokens, level + 1, depth)
    while tokens and tokens[-1] in _LEVELS[level]:
        operator = tokens.pop()
        value = _apply(operator, value, _binary(tokens, level + 1, depth))
    return value


def _unary(tokens: list[str], depth: int) -> int:
    if depth > 32:
        raise ValueError(depth)
    token = tokens.pop()
    if token in ("-", "+", "!", "~"):
        value = _unary(tokens, depth + 1)
        return {"-": -value, "+": value, "!": int(not value), "~": ~value}[token]
    if token == "(":  # noqa: S105  a token of arithmetic
        value = _binary(tokens, 0, depth + 1)
        tokens.pop()
        return value
    if token.lower().startswith("0x"):
        return _wrap(int(token, 16))
    value = _wrap(int(token, 8 if token.startswith("0") and token.isdecimal() and len(token) > 1 else 10))
    if tokens and tokens[-1] == "**":
        tokens.pop()
        return _wrap(pow(value, min(abs(_unary(tokens, depth + 1)), 4096), _WIDTH))
    return value


def _wrap(value: int) -> int:
    return (value + _WIDTH // 2) % _WIDTH - _WIDTH // 2


def _apply(operator: str, left: int, right: int) -> int:  # noqa: PLR0911
    match operator:
        case "+":
            return _wrap(left + right)
        case "-":
            return _wrap(left - right)
        case "*":
            return _wrap(left * right)
        case "/":
            return _wrap(abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1))
        case "%":
            return abs(left) % abs(right) * (1 if left >= 0 else -1)
        case "<<":
            return _wrap(left << (right % 64))
        case ">>":
            return left >> (right % 64)
        case "&":
            return left & right
        case "|":
            return left | right
        case "^":
            return left ^ right
        case "&&":
            return int(bool(left) and bool(right))
        case "||":
            return int(bool(left) or bool(right))
    return int(
        {"==": left == right, "!=": left != right, "<": left < right, ">": left > right, "<=": left <= right}.get(
            operator, left >= right
        )
    )
