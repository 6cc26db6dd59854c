"""SMTP's command lines and addresses, as Postfix reads them: pure functions over bytes."""

import re

import msgspec

_HEADER = re.compile(rb"[\x21-\x39\x3b-\x7e]+[ \t]*:")
_PATH = re.compile(rb"(?:<((?:\"(?:[^\"\\]|\\.)*\"|[^\"<>])*)>|((?:\"(?:[^\"\\]|\\.)*\"|[^\s\"<>])+)>?)(?=\s|$)")
_ROUTE = re.compile(rb"@[^:]*:")
_BALANCED = re.compile(rb"(?:\"(?:[^\"\\]|\\.)*+\"|[^\"\\])*+", re.S)
_QUOTED = re.compile(rb"\"((?:[^\"\\]|\\.)*)\"")
_LABEL = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_\-]{0,61}[A-Za-z0-9_])?")
_LITERAL = re.compile(rb"\[(?:\d{1,3}(?:\.\d{1,3}){3}|[Ii][Pp][Vv]6:[0-9A-Fa-f:.]+)\]")
_NUMERIC = re.compile(rb"[\d.]+")
_CHUNK = re.compile(rb"(\d{1,10})(?:\s+(LAST))?", re.I)
_FORBIDDEN = frozenset((b"CONNECT", b"GET", b"POST"))


class Line(msgspec.Struct, frozen=True, gc=False):
    """A command line: the verb in capitals, and the rest without the blanks around it."""

    verb: bytes
    rest: bytes


class Address(msgspec.Struct, frozen=True, gc=False):
    """A mail address without its brackets, quotes and route. `domain` may be empty; `text` is how it is shown."""

    text: bytes
    local: bytes
    domain: bytes


def command(raw: bytes) -> Line | None:
    """The command in a line with its end, cut at a NUL as C cuts it. None for an empty one.

    Raises `UnicodeDecodeError` for a line that is not UTF-8, which Postfix checks first.
    """
    raw.decode()
    line = raw.partition(b"\0")[0].strip(b" \t\r\n\v\f")
    if not line:
        return None
    verb, *rest = line.split(None, 1)
    return Line(verb.upper(), rest[0] if rest else b"")


def is_smuggled(raw: bytes, verb: bytes) -> bool:
    """Whether an unknown command is a mail header, or HTTP, or starts with no letter: Postfix hangs up on those."""
    return _HEADER.match(raw.lstrip()) is not None or verb in _FORBIDDEN or not verb[:1].isalpha()


def path(rest: bytes, keyword: bytes) -> tuple[Address | None, list[bytes]] | None:
    """What follows `MAIL` or `RCPT`: the address, None when its syntax is bad, and the options.

    None when it does not begin with `keyword` (`FROM:`, `TO:`) and something after it.
    """
    if rest[: len(keyword)].upper() != keyword or not rest[len(keyword) :].strip():
        return None
    tail = rest[len(keyword) :].lstrip()
    found = _PATH.match(tail)
    if found is None:
        return None, []
    inner = found[1] if found[1] is not None else found[2]
    return address(inner), tail[found.end() :].split()


def address(inner: bytes) -> Address | None:
    """The address between the brackets; None when Postfix finds its syntax bad. The empty address is one."""
    text = _ROUTE.sub(b"", inner.strip(), count=1) if inner.lstrip()[:1] == b"@" and b":" in inner else inner.strip()
    if not _BALANCED.fullmatch(text):
        return None
    text = re.sub(rb"\s*+@\s*+", b"@", text)
    bare = _QUOTED.sub(b"", text)
    if re.search(rb"[\s<>()\[\]\",;\\]", _LITERAL.sub(b"", bare)):
        return None
    text = _QUOTED.sub(lambda found: re.sub(rb"\\(.)", rb"\1", found[1]), text)
    local, at, domain = text.rpartition(b"@")
    if not at:
        return Address(text, text, b"")
    domain = domain.removesuffix(b".")
    return Address(text, local, domain) if is_domain(domain) else None


def is_domain(name: bytes) -> bool:
    """Whether a name can be a domain: an address literal, or labels of letters, digits, `-`, `_`, not all numeric."""
    if _LITERAL.fullmatch(name):
        return True
    if not name or len(name) > 255 or _NUMERIC.fullmatch(name):
        return False
    return all(_LABEL.fullmatch(label) for label in name.split(b"."))


def chunk(rest: bytes) -> tuple[int, bool] | None:
    """The size and the `LAST` of a BDAT command, or None."""
    found = _CHUNK.fullmatch(rest)
    return (int(found[1]), found[2] is not None) if found else None


def subject(head: bytes) -> bytes:
    """The Subject header's value in a message's beginning, unfolded; empty without one."""
    lines = re.split(rb"\r?\n", head)
    for number, line in enumerate(lines):
        if not line:
            break
        if line[:8].lower() == b"subject:":
            value = line[8:].strip()
            for folded in lines[number + 1 :]:
                if folded[:1] not in (b" ", b"\t"):
                    break
                value += b" " + folded.strip()
            return value
    return b""
