"""The shell's grammar: text in, a tree out. Pure and bounded: `parse` looks at nothing else.

It knows what people and bots type at a shell (POSIX shell grammar, IEEE Std 1003.1 2.10, without functions and `case`).
"""

from chaffinch.decoys.shell.scanner import Scanner
from chaffinch.decoys.shell.syntax import (
    Command,
    For,
    Group,
    If,
    Item,
    Part,
    Pipeline,
    Redirect,
    Sequence,
    Simple,
    SyntaxFault,
    Unfinished,
    While,
    Word,
)

LINE_CHARACTERS = 64 << 10
"""Longer input is cut there."""

DEPTH = 24
"""How deep constructs and substitutions may stand in each other."""

_REDIRECTS = (">", ">>", "<", "<<", "<<<", ">&", "<&", "&>", "&>>", ">|")

_RESERVED = ("then", "elif", "else", "fi", "do", "done", "}", "esac")


def parse(text: str) -> Sequence:
    """The tree of one line, or of several. Raises `SyntaxFault` or `Unfinished`."""
    parser = _Parser(text[:LINE_CHARACTERS].replace("\0", ""))
    found = parser.sequence(())
    if parser.peek_operator() or parser.at < len(parser.text):
        raise SyntaxFault(parser.peek_operator() or parser.text[parser.at])
    return found


class _Parser(Scanner):
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
