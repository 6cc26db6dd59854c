"""The shell's words: blanks, operators, quotation marks and substitutions (IEEE Std 1003.1, 2.2 and 2.3)."""

from abc import ABC, abstractmethod

from chaffinch.decoys.shell.syntax import Part, Unfinished, Word

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

_BREAKS = " \t\n;&|()<>"

_SPECIAL = "?$!#@*-0123456789"


class Scanner(ABC):
    """A place in a text, and what stands there. `depth` counts the constructs around it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    @abstractmethod
    def parenthesised(self) -> str:
        """The text of a `$( ... )`, gone past: where it ends only the grammar knows."""

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
