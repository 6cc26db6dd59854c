"""What a shell's text means: a tree of frozen structs, and what can be wrong with it. `parser.parse` makes the tree."""

from typing import TypeAlias

import msgspec


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
