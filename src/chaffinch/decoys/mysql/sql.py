"""Statements as tokens: a bounded lexer that knows enough of MariaDB to split, quote and complain as it does."""

import re
from collections.abc import Iterator

import msgspec

from chaffinch.decoys.mysql.results import SqlError

MAX_TOKENS = 4000
"""A statement is read up to this many tokens: a bulk INSERT is answered by its beginning."""

WORD, QUOTED, STRING, NUMBER, HEX, VARIABLE, OPERATOR, PARAMETER = range(8)


class Token(msgspec.Struct, frozen=True, gc=False):
    """`text` is the value: a word as typed, a string without quotes. `start` and `end` are offsets."""

    kind: int
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        return self.kind == WORD and self.text.lower() in words

    def is_operator(self, *operators: str) -> bool:
        return self.kind == OPERATOR and self.text in operators


_TOKEN = re.compile(
    r"""
      (?P<space>\s+|\#[^\n]*|--(?=\s|$)[^\n]*|/\*(?!M?!)(?:.*?\*/|.*\Z))
    | (?P<open>/\*M?!(?:\d{5,6})?)
    | (?P<close>\*/)
    | (?P<hex>0[xX][0-9a-fA-F]+\b|[xX]'[0-9a-fA-F]*')
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w$]))
    | (?P<variable>@@[\w.$]+|@[\w.$]*)
    | (?P<word>[\w$]+)
    | (?P<quoted>`[^`]*(?:``[^`]*)*`)
    | (?P<string>'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'|"[^"\\]*(?:(?:\\.|"")[^"\\]*)*")
    | (?P<operator><=>|<=|>=|<>|!=|:=|&&|\|\||<<|>>|[-+*/%=<>(),.;!~^&|{}:])
    | (?P<parameter>\?)
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = {"hex": HEX, "number": NUMBER, "variable": VARIABLE, "word": WORD, "quoted": QUOTED, "string": STRING,
          "operator": OPERATOR, "parameter": PARAMETER}  # fmt: skip
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "b": "\b", "Z": "\x1a", "%": "\\%", "_": "\\_"}


_VERSION = 101199  # what version comments are compared with: any 10.11


class Tokens(msgspec.Struct, frozen=True):
    """What the lexer found. `bad` is where it could not read on, or -1."""

    found: tuple[Token, ...]
    bad: int = -1


def tokenize(statement: str) -> Tokens:
    """The statement's tokens. Version comments (`/*!40101 ... */`) are read as what they hold."""
    found: list[Token] = []
    at = 0
    inside = 0
    while at < len(statement) and len(found) < MAX_TOKENS:
        match = _TOKEN.match(statement, at)
        kind = match.lastgroup if match else None
        if match is None or kind is None or (kind == "close" and not inside):
            return Tokens(tuple(found), at)
        at = match.end()
        if kind == "open" and _newer(match.group()):
            end = statement.find("*/", at)
            at = end + 2 if end >= 0 else len(statement)
        elif kind in ("open", "close"):
            inside += 1 if kind == "open" else -1
        elif kind != "space":
            found.append(Token(_KINDS[kind], _value(kind, match.group()), match.start(), at))
    return Tokens(tuple(found))


def _newer(opening: str) -> bool:
    """Whether a version comment is for other servers: a later MariaDB, or MySQL from 5.7 on."""
    digits = opening.rpartition("!")[2]
    version = int(digits or 0)
    return version > _VERSION or (50700 <= version <= 99999 and "M" not in opening)


def _value(kind: str, raw: str) -> str:
    if kind == "quoted":
        return raw[1:-1].replace("``", "`")
    if kind == "string":
        body = raw[1:-1].replace(raw[0] * 2, raw[0])
        return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m.group(1), m.group(1)), body, flags=re.DOTALL)
    if kind == "hex":
        digits = raw[2:].rstrip("'")
        return digits if len(digits) % 2 == 0 else "0" + digits
    return raw


def syntax_error(statement: str, at: int) -> SqlError:
    """The error for a statement that could not be understood from offset `at` on."""
    near = statement[at : at + 80].rstrip("\0")
    line = statement.count("\n", 0, at) + 1
    return SqlError(
        1064,
        "42000",
        "You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for "
        f"the right syntax to use near '{near}' at line {line}",
    )


class Statement:
    """One statement's tokens with a place in them: what the parsers read from."""

    def __init__(self, source: str, tokens: tuple[Token, ...], bad: int = -1) -> None:
        self.source = source
        self.tokens = tokens
        self.bad = bad
        self.at = 0
        self.operations = 0

    @property
    def here(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def next(self) -> Token:
        """Take a token; the statement's end is a syntax error."""
        token = self.here
        if token is None:
            raise self.error()
        self.at += 1
        return token

    def sees(self, *words: str) -> bool:
        """Whether these words come next, in this order."""
        following = self.tokens[self.at : self.at + len(words)]
        return len(following) == len(words) and all(
            token.is_word(word) for token, word in zip(following, words, strict=True)
        )

    def skip(self, *words: str) -> bool:
        """Take these words if they come next."""
        if not self.sees(*words):
            return False
        self.at += len(words)
        return True

    def skip_any(self, *words: str) -> bool:
        """Take one word if it is one of these."""
        if self.here is None or not self.here.is_word(*words):
            return False
        self.at += 1
        return True

    def skip_operator(self, *operators: str) -> bool:
        """Take one operator if it is one of these."""
        if self.here is None or not self.here.is_operator(*operators):
            return False
        self.at += 1
        return True

    def expect(self, operator: str) -> None:
        if not self.skip_operator(operator):
            raise self.error()

    def name(self) -> str:
        """Take an identifier."""
        if self.here is None or self.here.kind not in (WORD, QUOTED):
            raise self.error()
        return self.next().text

    def qualified(self) -> tuple[str, str]:
        """Take `name` or `schema.name`; the schema is empty where none is given."""
        first = self.name()
        if self.skip_operator("."):
            return first, self.name()
        return "", first

    def finished(self) -> None:
        """A syntax error unless everything was taken."""
        if self.here is not None or self.bad >= 0:
            raise self.error()

    def error(self) -> SqlError:
        if self.here is not None:
            return syntax_error(self.source, self.here.start)
        return syntax_error(self.source, self.bad if self.bad >= 0 else len(self.source))


def statements(source: str) -> Iterator[Statement]:
    """The statements between semicolons. Comments alone make one without tokens; nothing at all makes none."""
    tokens = tokenize(source)
    begin = 0
    several = False
    for at, token in enumerate(tokens.found):
        if token.is_operator(";"):
            if at > begin:
                several = True
                yield Statement(source, tokens.found[begin:at])
            begin = at + 1
    rest = tokens.found[begin:]
    if rest or tokens.bad >= 0 or (not several and not tokens.found and source.strip()):
        yield Statement(source, rest, tokens.bad)


def like(text: str, pattern: str) -> bool:
    """Whether a text matches a LIKE pattern, without regard to case. Takes at most `len(text) * len(pattern)` steps."""
    text, pattern = text.lower(), pattern.lower()[:256]
    at = place = 0
    resume, mark = -1, 0
    while at < len(text):
        if place < len(pattern) and pattern[place] == "%":
            resume, mark = place, at
            place += 1
            continue
        literal = pattern[place : place + 1] == "\\" and place + 1 < len(pattern)
        wanted = pattern[place + literal : place + literal + 1]
        if wanted and (wanted == text[at] or (wanted == "_" and not literal)):
            at += 1
            place += 1 + literal
        elif resume >= 0:
            mark += 1
            at, place = mark, resume + 1
        else:
            return False
    return not pattern[place:].strip("%")
