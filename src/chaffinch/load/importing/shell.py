"""Words of a shell: enough of POSIX's quoting, and `$'...'`, for commands that browsers and documents give."""

import re
from typing import Final

from chaffinch.load.scenario.faults import shown

_ESCAPED: Final = {
    "n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip
_CODE: Final = re.compile(r"x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})")
_VARIABLE: Final = re.compile(r"\$[A-Za-z_{(0-9@*#?]|`")


class ShellError(ValueError):
    """Why a line cannot be taken apart, and where."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


def commands(text: str) -> list[tuple[int, list[str]]]:
    """Each command's first line (from 1) and words; newlines, `;` and `&&` are between commands."""
    return _Splitter(text.replace("\r\n", "\n")).commands()


class _Splitter:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def commands(self) -> list[tuple[int, list[str]]]:
        found: list[tuple[int, list[str]]] = []
        words: list[str] = []
        line = 1
        while self._at < len(self._text):
            character = self._text[self._at]
            if self._text.startswith("\\\n", self._at):
                self._at += 2
            elif character in " \t":
                self._at += 1
            elif character in "\n;" or self._text.startswith("&&", self._at):
                self._at += 2 if character == "&" else 1
                found += [(line, words)] if words else []
                words = []
            elif character == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            elif character in "|<>&()":
                raise ShellError(self._line(), f"{shown(character)} is for a shell: give the curl command alone")
            else:
                line = line if words else self._line()
                words.append(self._word())
        return found + ([(line, words)] if words else [])

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1

    def _word(self) -> str:
        parts: list[str] = []
        while self._at < len(self._text) and self._text[self._at] not in " \t\n;|<>&()":
            if self._text.startswith("$'", self._at):
                parts.append(self._ansi())
            elif self._text[self._at] == "'":
                parts.append(self._single())
            elif self._text[self._at] == '"':
                parts.append(self._double())
            elif self._text[self._at] == "\\":
                self._at += 2
                after = self._text[self._at - 1 : self._at]
                parts.append("" if after == "\n" else after)
            else:
                parts.append(self._plain())
        return "".join(parts)

    def _plain(self) -> str:
        self._refuse_variable()
        self._at += 1
        return self._text[self._at - 1]

    def _refuse_variable(self) -> None:
        if _VARIABLE.match(self._text, self._at):
            found = shown(re.split(r"[\s\"']", self._text[self._at : self._at + 20])[0])
            raise ShellError(self._line(), f"a shell would put something in place of {found}: write what it stands for")

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise ShellError(self._line(), "a ' is not closed")
        found = self._text[self._at + 1 : end]
        self._at = end + 1
        return found

    def _double(self) -> str:
        opened = self._line()
        parts: list[str] = []
        self._at += 1
        while self._at < len(self._text) and self._text[self._at] != '"':
            if self._text[self._at] == "\\" and self._text[self._at + 1 : self._at + 2] in ('"', "\\", "$", "`", "\n"):
                self._at += 2
                parts.append("" if self._text[self._at - 1] == "\n" else self._text[self._at - 1])
            else:
                parts.append(self._plain())
        if self._at >= len(self._text):
            raise ShellError(opened, 'a " is not closed')
        self._at += 1
        return "".join(parts)

    def _ansi(self) -> str:
        """`$'...'` with the escapes of C."""
        opened = self._line()
        parts: list[str] = []
        self._at += 2
        while self._at < len(self._text) and self._text[self._at] != "'":
            if self._text[self._at] != "\\":
                parts.append(self._text[self._at])
                self._at += 1
            elif code := _CODE.match(self._text, self._at + 1):
                base = 8 if code[4] else 16
                number = int(next(one for one in code.groups() if one), base)
                parts.append(chr(number) if number < 0x110000 else "\ufffd")
                self._at = code.end()
            else:
                after = self._text[self._at + 1 : self._at + 2]
                parts.append(_ESCAPED.get(after, "\\" + after))
                self._at += 2
        if self._at >= len(self._text):
            raise ShellError(opened, "a $' is not closed")
        self._at += 1
        return "".join(parts)
