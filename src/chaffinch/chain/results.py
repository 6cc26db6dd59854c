"""What goes into a chain and comes out of it: frozen structs, with the fields of the core's JSON."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

LURES_MIN_AUTHORS: Final = 3
"""How many authors must have written what others will see."""

NAMED_BAD: Final = 20
"""How many bad records are named."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a chain is made with and keeps. Order, mode, caps on tokens and guard never change."""

    order: Annotated[int, Meta(ge=1, le=4)] = 2
    """How many tokens the next one depends on."""
    mode: Literal["words", "segments", "graphemes"] = "words"
    """What a token is: words between spaces, Unicode word segments, or characters as a reader sees them."""
    max_tokens: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    """Tokens of a message that are learned; the others are counted."""
    max_token_bytes: Annotated[int, Meta(ge=8, le=1024)] = 255
    max_vocabulary: Annotated[int, Meta(ge=1, le=1 << 24)] = 1 << 24
    """Different tokens that are known; messages that need more are counted and not learned."""
    max_copied_tokens: Annotated[int, Meta(ge=1, le=10_000)] = 6
    """The longest run of tokens that may be said as one source message has it."""
    backward: bool = False
    """Whether messages can be made from their end too: for `containing` and `ending`."""
    guarded: bool = False
    """Whether secrets and personal data are replaced before anything is learned."""
    min_authors: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    """How many different authors (or messages, by `support`) must have had a transition before it is used."""
    support: Literal["authors", "messages"] = "authors"

    @classmethod
    def for_lures(cls) -> "Options":
        """What a chain is made with whose text others will see: guarded, and only what three authors wrote."""
        return cls(guarded=True, min_authors=LURES_MIN_AUTHORS)

    @property
    def counts_support(self) -> bool:
        """Whether transitions are used only once enough are known to have had them: after a merge, then."""
        return self.guarded or self.min_authors > 1

    def to_json(self) -> str:
        """As the core reads them."""
        return msgspec.json.encode(self).decode()


def least_authors(asked: int, *, guarded: bool) -> int:
    """The `min_authors` of a chain that is made: in a guarded one the 1 of the settings stands for that of lures."""
    return LURES_MIN_AUTHORS if guarded and asked == 1 else asked


class Message(msgspec.Struct, frozen=True):
    """One message to learn. Without an id it is learned each time; with one, once."""

    text: str
    id: str = ""
    author: str = ""
    channel: str = ""
    time_ms: int | None = None
    """Milliseconds since 1970 in UTC."""
    attachments: tuple[str, ...] = ()
    """Addresses of what was attached."""


class Said(msgspec.Struct, frozen=True, array_like=True):
    """One new message."""

    text: str
    score: int
    """The sum over drawn tokens of the successors there were, less one each: 0 is a source's own path."""
    tries: int
    """How many were made until this one met what was asked."""


class Cut(msgspec.Struct, frozen=True):
    """What the caps of a chain took away."""

    tokens_dropped: int = 0
    """Tokens after the last one that a message may have."""
    tokens_shortened: int = 0
    """Tokens kept without their end."""
    messages_cut: int = 0
    """Messages that lost tokens."""

    def __add__(self, other: "Cut") -> "Cut":
        """Of both together."""
        return Cut(
            tokens_dropped=self.tokens_dropped + other.tokens_dropped,
            tokens_shortened=self.tokens_shortened + other.tokens_shortened,
            messages_cut=self.messages_cut + other.messages_cut,
        )


class Added(msgspec.Struct, frozen=True):
    """What became of messages. What was learned is durable."""

    learned: int = 0
    duplicates: int = 0
    """Their id was known: they were learned before."""
    empty: int = 0
    """Nothing was left of them: no words, or none but control characters."""
    no_room: int = 0
    """The vocabulary had no room for them."""
    cut: Cut = Cut()
    replaced: int = 0
    """Secrets and personal data that were replaced."""

    def __add__(self, other: "Added") -> "Added":
        """Of both together."""
        return Added(
            learned=self.learned + other.learned,
            duplicates=self.duplicates + other.duplicates,
            empty=self.empty + other.empty,
            no_room=self.no_room + other.no_room,
            cut=self.cut + other.cut,
            replaced=self.replaced + other.replaced,
        )


class Bad(msgspec.Struct, frozen=True):
    """A record that could not be read: where and why."""

    file: str
    line: int
    """From 1."""
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


class Trained(msgspec.Struct, frozen=True):
    """What a training did."""

    added: Added = Added()
    records: int = 0
    """Records of the file, bad ones among them."""
    resumed: int = 0
    """Records that an earlier run had learned from this file."""
    left_out: int = 0
    """Messages by bots and the like, which are not learned."""
    bad: int = 0
    first_bad: tuple[Bad, ...] = ()
    """The first 20 of them."""

    def __add__(self, other: "Trained") -> "Trained":
        """Of both together."""
        return Trained(
            added=self.added + other.added,
            records=self.records + other.records,
            resumed=self.resumed + other.resumed,
            left_out=self.left_out + other.left_out,
            bad=self.bad + other.bad,
            first_bad=(self.first_bad + other.first_bad)[:NAMED_BAD],
        )


class Merged(msgspec.Struct, frozen=True):
    """What a merge did."""

    messages: int = 0
    """Messages that were written anew."""
    segments_before: int = 0
    segments: int = 0
    dropped: int = 0
    """Forgotten messages that are gone from the disk now."""


class Reference(msgspec.Struct, frozen=True):
    """A source message that shares words with a text."""

    id: str
    author: str
    channel: str
    time_ms: int | None
    attachments: tuple[str, ...]
    text: str
    shared: int
    """Runs of order + 1 tokens that both have."""


class Stats(msgspec.Struct, frozen=True):
    """A chain in numbers. States and transitions are added up over its parts."""

    messages: int = 0
    """Messages that answers may draw on."""
    tokens: int = 0
    vocabulary: int = 0
    """Different tokens."""
    states: int = 0
    transitions: int = 0
    full_transitions: int = 0
    """Transitions of full order."""
    unsupported: int = 0
    """Those of them that too few authors had, and that are never used."""
    bytes: int = 0
    """Bytes of all files."""
    segments: int = 0
    delta_messages: int = 0
    """Messages that are in the log and in memory, and not yet merged."""
    memory_bytes: int = 0
    forgotten: int = 0
    """Forgotten messages that are still in files until the next merge."""
    counters: dict[str, int] = {}
    """What was cut, dropped or replaced since the chain was made, by name."""
    damage: tuple[str, ...] = ()
    """What is damaged, one sentence each."""
    options: Options = Options()


class Verified(msgspec.Struct, frozen=True):
    """What reading every file against its checksums came to."""

    files: int = 0
    bytes: int = 0
    damage: tuple[str, ...] = ()
    """One sentence for each fault."""
