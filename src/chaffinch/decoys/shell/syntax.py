"""The shell's grammar: text in, a tree of frozen structs out. Pure and bounded: `parse` looks at nothing else.

It knows what people and bots type at a shell (POSIX shell grammar, IEEE Std 1003.1 2.10, without functions and `case`).
"""

from typing import TypeAlias

import msgspec

LINE_CHARACTERS = 64 << 10
"""Longer input is cut there."""

DEPTH = 24
"""How deep constructs and substitutions may stand in each other."""


class SyntaxFault(Exception):  # noqa: N818  a shell's own words: its caller prints them
    """The text is not shell. `near` is the token that was not expected."""

    def __init__(self, near: str) -> None:
        super().__init__(near)
        self.near = near


class Unfinished(SyntaxFault):
    """The text ends inside a construct; `near` is what would close it. A terminal asks for another line."""


class Part(msgspec.Struct, frozen=True, gc=False):
    """A piece of a word. `kind`: `text`, `variable` (`text` is what stands between the braces), `command`,
    `arithmetic`."""

    kind: str
    text: str
    quoted: bool = False


class Word(msgspec.Struct, frozen=True, gc=False):
    """One word before expansion."""

    parts: tuple[Part, ...]

    @property
    def literal(self) -> str:
        """The word, if it is plain unquoted text; else empty."""
        return self.parts[0].text if len(self.parts) == 1 and self.parts[0] == Part("text", self.parts[0].text) else ""


class Redirect(msgspec.Struct, frozen=True, gc=False):
    """`fd` and `operator` (`>`, `>>`, `<`, `<<`, `<<<`, `>&`, `<&`, `&>`, `&>>`, `>|`) with the word after it."""

    fd: int
    operator: str
    word: Word


class Simple(msgspec.Struct, frozen=True):
    """A command: assignments before it, its words, its redirections."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]


class Group(msgspec.Struct, frozen=True):
    """`( ... )` or `{ ...; }`."""

    body: "Sequence"
    subshell: bool
    redirects: tuple[Redirect, ...]


class If(msgspec.Struct, frozen=True):
    """Conditions with their branches, in order, and what runs when none holds."""

    branches: tuple[tuple["Sequence", "Sequence"], ...]
    otherwise: "Sequence | None"
    redirects: tuple[Redirect, ...]


class For(msgspec.Struct, frozen=True):
    """`for name in words; do body; done`."""

    name: str
    words: tuple[Word, ...]
    body: "Sequence"
    redirects: tuple[Redirect, ...]


class While(msgspec.Struct, frozen=True):
    """`while` or `until`."""

    condition: "Sequence"
    body: "Sequence"
    until: bool
    redirects: tuple[Redirect, ...]


Command: TypeAlias = Simple | Group | If | For | While


class Pipeline(msgspec.Struct, frozen=True):
    """Commands joined by `|`."""

    commands: tuple[Command, ...]
    negated: bool


class Item(msgspec.Struct, frozen=True):
    """A pipeline and the operator before it: `;` (also for the first), `&&` or `||`; `background` if `&` follows it."""

    operator: str
    pipeline: Pipeline
    background: bool


class Sequence(msgspec.Struct, frozen=True):
    """What a line, a branch or a body holds."""

    items: tuple[Item, ...]


_OPERATORS = (
    "&>>",
    "<<<",
    "&&",
    "||",
    ";;",
    ">>",
    "<<",
    ">&",
    "<&",
    "&>",
    ">|",
    "|&",
    "|",
    "&",
    ";",
    "(",
    ")",
    "<",
    ">",
    "\n",
)
_REDIRECTS = (">", ">>", "<", "<<", "<<<", ">&", "<&", "&>", "&>>", ">|")
_BREAKS = " \t\n;&|()<>"
_RESERVED = ("then", "elif", "else", "fi", "do", "done", "}", "esac")
_SPECIAL = "?$!#@*-0123456789"


def parse(text: str) -> Sequence:
    """The tree of one line, or of several. Raises `SyntaxFault` or `Unfinished`."""
    parser = _Parser(text[:LINE_CHARACTERS].replace("\0", ""))
    found = parser.sequence(())
    if parser.peek_operator() or parser.at < len(parser.text):
        raise SyntaxFault(parser.peek_operator() or parser.text[parser.at])
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    # Structure -------------------------------------------------------------------------------------------------------

    def sequence(self, ends: tuple[str, ...]) -> Sequence:
        """Pipelines up to the end, a closing parenthesis, or one of the reserved words in `ends`."""
        self.depth += 1
        if self.depth > DEPTH:
            raise SyntaxFault("(")
        items: list[Item] = []
        operator = ";"
        while True:
            self.blank(newlines=True)
            if self.at >= len(self.text) or self.peek_operator() == ")":
                break
            reserved = self.peek_word()
            if reserved in ends:
                break
            if reserved in _RESERVED:
                raise SyntaxFault(reserved)
            pipeline = self.pipeline()
            follows = self.peek_operator()
            items.append(Item(operator, pipeline, follows == "&"))
            operator = ";"
            if follows in (";", "&", "\n"):
                self.take(follows)
            elif follows in ("&&", "||"):
                self.take(follows)
                operator = follows
                self.more(follows)
            elif follows and follows != ")":
                raise SyntaxFault(follows)
        if operator != ";":
            raise Unfinished(operator)
        self.depth -= 1
        return Sequence(tuple(items))

    def more(self, operator: str) -> None:
        """After `&&`, `||` or `|` another command must follow."""
        self.blank(newlines=True)
        if self.at >= len(self.text):
            raise Unfinished(operator)

    def pipeline(self) -> Pipeline:
        negated = False
        while self.peek_word() == "!":
            self.word()
            negated = not negated
            self.blank()
        commands = [self.command()]
        while (operator := self.peek_operator()) in ("|", "|&"):
            self.take(operator)
            self.more("|")
            commands.append(self.command())
        return Pipeline(tuple(commands), negated)

    def command(self) -> Command:
        self.blank()
        operator = self.peek_operator()
        if operator == "(":
            self.take("(")
            body = self.sequence(())
            if not self.take(")"):
                raise Unfinished(")")
            return Group(body, True, self.redirects())
        if operator and operator not in _REDIRECTS:
            raise SyntaxFault("newline" if operator == "\n" else operator)
        match self.peek_word():
            case "{":
                self.word()
                body = self.body("}")
                return Group(body, False, self.redirects())
            case "if":
                return self.conditional()
            case "for":
                return self.loop_over_words()
            case "while" | "until" as word:
                self.word()
                condition = self.body("do")
                return While(condition, self.body("done"), word == "until", self.redirects())
        return self.simple()

    def body(self, *ends: str) -> Sequence:
        """A sequence closed by one of `ends`, which is taken."""
        found = self.sequence(ends)
        if self.at >= len(self.text):
            raise Unfinished(ends[0])
        if self.peek_word() not in ends:
            raise SyntaxFault(self.peek_operator() or self.peek_word())
        if not found.items:
            raise SyntaxFault(self.peek_word())
        if len(ends) == 1:
            self.word()
        return found

    def conditional(self) -> If:
        branches: list[tuple[Sequence, Sequence]] = []
        otherwise = None
        while self.peek_word() in ("if", "elif"):
            self.word()
            condition = self.body("then")
            branches.append((condition, self.body("elif", "else", "fi")))
        if self.peek_word() == "else":
            self.word()
            otherwise = self.body("fi")
        else:
            self.word()
        return If(tuple(branches), otherwise, self.redirects())

    def loop_over_words(self) -> For:
        self.word()
        self.blank()
        name = self.peek_word()
        if not name:
            raise SyntaxFault("newline")
        self.word()
        words: list[Word] = []
        self.blank(newlines=True)
        if self.peek_word() == "in":
            self.word()
            self.blank()
            while not self.peek_operator() and self.at < len(self.text):
                words.append(self.word())
                self.blank()
        if self.peek_operator() in (";", "\n"):
            self.take(self.peek_operator())
        self.blank(newlines=True)
        if self.at >= len(self.text):
            raise Unfinished("do")
        if self.peek_word() != "do":
            raise SyntaxFault(self.peek_word() or self.peek_operator())
        self.word()
        return For(name, tuple(words), self.body("done"), self.redirects())

    def simple(self) -> Simple:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            self.blank()
            if self.at >= len(self.text):
                break
            if (redirect := self.redirect()) is not None:
                redirects.append(redirect)
                continue
            operator = self.peek_operator()
            if operator:
                if operator == "(":
                    raise SyntaxFault("(")
                break
            word = self.word()
            assigned = None if words else _assignment(word)
            if assigned is not None:
                assignments.append(assigned)
            else:
                words.append(word)
        return Simple(tuple(assignments), tuple(words), tuple(redirects))

    def redirects(self) -> tuple[Redirect, ...]:
        found: list[Redirect] = []
        while True:
            self.blank()
            redirect = self.redirect()
            if redirect is None:
                return tuple(found)
            found.append(redirect)

    def redirect(self) -> Redirect | None:
        start, digits = self.at, 0
        while start + digits < len(self.text) and self.text[start + digits].isdecimal() and digits < 3:
            digits += 1
        self.at += digits
        operator = self.peek_operator()
        if operator not in _REDIRECTS or (digits and operator.startswith("&")):
            self.at = start
            return None
        self.take(operator)
        self.blank()
        if self.peek_operator() or self.at >= len(self.text):
            raise SyntaxFault("newline" if self.at >= len(self.text) else self.peek_operator())
        fd = int(self.text[start : start + digits]) if digits else 0 if operator.startswith("<") else 1
        word = self.word()
        return Redirect(fd, operator, self.here_document(word) if operator == "<<" else word)

    def here_document(self, delimiter: Word) -> Word:
        """The lines after this one up to the delimiter; they are taken out of the text."""
        end = "".join(part.text for part in delimiter.parts).lstrip("-")
        head, newline, rest = self.text[self.at :].partition("\n")
        lines = rest.split("\n")
        if not newline or end not in (line.strip("\t") for line in lines):
            raise Unfinished(end)
        count = next(i for i, line in enumerate(lines) if line.strip("\t") == end)
        self.text = self.text[: self.at] + head + newline + "\n".join(lines[count + 1 :])
        content = "".join(line + "\n" for line in lines[:count])
        if any(part.quoted for part in delimiter.parts):
            return Word((Part("text", content, True),))
        inner = _Parser(content + '"')
        inner.depth = self.depth
        return Word(tuple(inner.double_quoted()))

    # Words -----------------------------------------------------------------------------------------------------------

    def blank(self, *, newlines: bool = False) -> None:
        """Skip spaces, comments and continued lines; with `newlines` also line ends."""
        while self.at < len(self.text):
            character = self.text[self.at]
            if character in " \t\r" or (newlines and character == "\n"):
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            elif character == "#" and (self.at == 0 or self.text[self.at - 1] in _BREAKS):
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def peek_operator(self) -> str:
        self.blank()
        return next((operator for operator in _OPERATORS if self.text.startswith(operator, self.at)), "")

    def take(self, operator: str) -> bool:
        """Go past `operator` if it stands here."""
        self.blank()
        if not self.text.startswith(operator, self.at):
            return False
        self.at += len(operator)
        return True

    def peek_word(self) -> str:
        """The plain text up to the next blank or operator, for reserved words."""
        self.blank()
        end = self.at
        while end < len(self.text) and self.text[end] not in _BREAKS:
            end += 1
        return self.text[self.at : end]

    def word(self) -> Word:
        self.blank()
        parts: list[Part] = []
        text: list[str] = []

        def flush() -> None:
            if text:
                parts.append(Part("text", "".join(text)))
                text.clear()

        while self.at < len(self.text):
            character = self.text[self.at]
            if character in _BREAKS:
                break
            if character == "\\":
                flush()
                escaped = self.text[self.at + 1 : self.at + 2]
                self.at += 2
                if escaped != "\n":
                    parts.append(Part("text", escaped or "\\", True))
            elif character == "'":
                flush()
                parts.append(Part("text", self.up_to("'"), True))
            elif character == '"':
                flush()
                self.at += 1
                parts.extend(self.double_quoted())
            elif character in "$`":
                flush()
                parts.append(self.substitution(quoted=False))
            else:
                text.append(character)
                self.at += 1
        flush()
        return Word(tuple(parts))

    def up_to(self, quote: str) -> str:
        end = self.text.find(quote, self.at + 1)
        if end < 0:
            raise Unfinished(quote)
        found = self.text[self.at + 1 : end]
        self.at = end + 1
        return found

    def double_quoted(self) -> list[Part]:
        parts: list[Part] = []
        text: list[str] = []
        while True:
            if self.at >= len(self.text):
                raise Unfinished('"')
            character = self.text[self.at]
            if character == '"':
                self.at += 1
                parts.append(Part("text", "".join(text), True))
                return parts
            if character == "\\":
                escaped = self.text[self.at + 1 : self.at + 2]
                text.append(escaped if escaped in '$`"\\' else "" if escaped == "\n" else "\\" + escaped)
                self.at += 2
            elif character in "$`":
                parts.append(Part("text", "".join(text), True))
                text.clear()
                parts.append(self.substitution(quoted=True))
            else:
                text.append(character)
                self.at += 1

    def substitution(self, *, quoted: bool) -> Part:
        """What a `$` or a backtick begins."""
        if self.text[self.at] == "`":
            return Part("command", self.up_to("`").replace("\\`", "`"), quoted)
        self.at += 1
        if self.text.startswith("((", self.at):
            end = self.text.find("))", self.at)
            if end < 0:
                raise Unfinished(")")
            inner = self.text[self.at + 2 : end]
            self.at = end + 2
            return Part("arithmetic", inner, quoted)
        if self.text.startswith("(", self.at):
            return Part("command", self.parenthesised(), quoted)
        if self.text.startswith("{", self.at):
            return Part("variable", self.up_to("}"), quoted)
        if self.text.startswith("'", self.at) and not quoted:
            return Part("text", _ansi_c(self.up_to("'")), True)
        end = self.at
        if end < len(self.text) and self.text[end] in _SPECIAL:
            end += 1
        else:
            while end < len(self.text) and (
                self.text[end] == "_" or (self.text[end].isascii() and self.text[end].isalnum())
            ):
                end += 1
        name, self.at = self.text[self.at : end], end
        return Part("variable", name, quoted) if name else Part("text", "$", quoted)

    def parenthesised(self) -> str:
        """The text of a `$( ... )`: parsed, so that what it quotes does not close it."""
        inner = _Parser(self.text)
        inner.at, inner.depth = self.at + 1, self.depth
        inner.sequence(())
        if inner.at >= len(inner.text):
            raise Unfinished(")")
        found = self.text[self.at + 1 : inner.at]
        self.at = inner.at + 1
        return found


def _assignment(word: Word) -> tuple[str, Word] | None:
    """`name=value` at the head of a command."""
    if not word.parts or word.parts[0].kind != "text" or word.parts[0].quoted:
        return None
    name, equals, rest = word.parts[0].text.partition("=")
    if not equals or not name.isidentifier() or not name.isascii():
        return None
    parts = word.parts[1:]
    return name, Word((Part("text", rest), *parts) if rest else parts)


_ANSI_C = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "a": "\a", "b": "\b", "e": "\x1b", "0": "\0"}


def _ansi_c(text: str) -> str:
    """The inside of `$'...'`."""
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != "\\" or at + 1 >= len(text):
            out.append(text[at])
            at += 1
        elif text[at + 1] == "x" and text[at + 2 : at + 4].strip("0123456789abcdefABCDEF") == "":
            digits = text[at + 2 : at + 4]
            out.append(chr(int(digits, 16)) if digits else "\\x")
            at += 2 + len(digits)
        else:
            out.append(_ANSI_C.get(text[at + 1], "\\" + text[at + 1]))
            at += 2
    return "".join(out)
