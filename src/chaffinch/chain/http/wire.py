"""What bodies must be and what answers are: the OpenAPI document is made of these structs."""

import re
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chaffinch.chain.engine import Asked
from chaffinch.chain.http.instant import MOST
from chaffinch.chain.results import Reference, Stats
from chaffinch.http import problem

TENANT_PATTERN: Final = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$"

MOST_TRIES: Final = 1_000_000
"""Tries of one request, over all its messages."""

MOST_REFERENCED: Final = 10
"""Messages of one answer that get references: each reads the whole chain."""

_PATH = re.compile(r"(?:/[^/\s:]+)*/([^/\s:]+)")

TenantName = Annotated[str, Meta(pattern=TENANT_PATTERN)]
Words = Annotated[str, Meta(min_length=1, max_length=1000)]
Name = Annotated[str, Meta(max_length=255)] | Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | None
Number = Annotated[int, Meta(gt=-int(MOST), lt=int(MOST))]
Fraction = Annotated[float, Meta(gt=-MOST, lt=MOST)]


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of what is learned. A name may be a whole number; null is as good as missing."""

    text: str
    id: Name = None
    """Learned once, however often it is sent. Not beginning with `~`."""
    author: Name = None
    channel: Name = None
    time: Annotated[
        str | Number | Fraction | None,
        Meta(description="RFC 3339, or seconds since 1970; numbers from 1e11 on are milliseconds."),
    ] = None
    attachments: (
        Annotated[
            tuple[Annotated[str, Meta(max_length=2000)], ...],
            Meta(max_length=64, description="Addresses of what was attached."),
        ]
        | None
    ) = None


class BadLine(msgspec.Struct, frozen=True):
    """A line of an NDJSON body that cannot be learned."""

    line: int
    """From 1."""
    reason: str


class Learned(msgspec.Struct, frozen=True):
    """What became of the lines of one request. What was learned is durable."""

    lines: int = 0
    """Lines that were read, bad ones among them; blank ones are not lines."""
    learned: int = 0
    duplicates: int = 0
    """Their id was known: they were learned before."""
    empty: int = 0
    """Nothing was left of them: no words, or none but control characters."""
    no_room: int = 0
    """The vocabulary had no room for them."""
    replaced: int = 0
    """Secrets and personal data that were replaced."""
    tokens_dropped: int = 0
    """Tokens after the last one that a message may have."""
    tokens_shortened: int = 0
    """Tokens kept without their end."""
    messages_cut: int = 0
    """Messages that lost tokens."""
    bad: int = 0
    """Lines that cannot be learned."""
    first_bad: tuple[BadLine, ...] = ()
    """The first 20 of them."""


class GenerateRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of a chain."""

    n: Annotated[int, Meta(ge=1, le=1000, description="How many messages; fewer come when no more can be made.")] = 1
    seed: Annotated[Words, Meta(description="Words to begin with, wherever messages have them.")] | UnsetType = UNSET
    starting: Annotated[Words, Meta(description="Words that messages begin with.")] | UnsetType = UNSET
    containing: Annotated[Words, Meta(description="Words in the message, side by side.")] | UnsetType = UNSET
    ending: Annotated[Words, Meta(description="Words that the message ends with.")] | UnsetType = UNSET
    max_tries: Annotated[
        int, Meta(ge=1, le=10_000, description="Tries for each message; at most 1,000,000 for the whole request.")
    ] = 1000
    min_score: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    min_tokens: Annotated[int, Meta(ge=1, le=1000)] = 1
    max_tokens: Annotated[int, Meta(ge=1, le=1000)] = 200
    max_bytes: Annotated[int, Meta(ge=1, le=10_000, description="Bytes of UTF-8 that a message may have.")] = 2000
    novel: Annotated[bool, Meta(description="Whether copies are refused; else the configuration says.")] | UnsetType = (
        UNSET
    )
    rng_seed: Annotated[int, Meta(ge=0, le=(1 << 63) - 1, description="The same one repeats.")] | UnsetType = UNSET
    mix: (
        Annotated[
            dict[TenantName, Annotated[int, Meta(ge=1, le=1_000_000)]],
            Meta(min_length=1, max_length=16, description="Other chains that speak too, by weight; this one weighs 1."),
        ]
        | UnsetType
    ) = UNSET
    references: Annotated[
        int, Meta(ge=0, le=20, description="Source messages shown for each of the first 10; needs the right to admin.")
    ] = 0

    def fault(self) -> str:
        """Why this cannot be asked, beyond what a schema says; empty if it can."""
        if self.seed is not UNSET and self.starting is not UNSET:
            return "give a seed or words to start with, not both"
        if self.min_tokens > self.max_tokens:
            return f"min_tokens is {self.min_tokens}, which is more than max_tokens, {self.max_tokens}: lower it"
        return ""

    def keywords(self) -> Asked:
        """What the engine is asked, but for how many."""
        ask = Asked(
            max_tries=min(self.max_tries, MOST_TRIES // self.n),
            min_score=self.min_score,
            min_tokens=self.min_tokens,
            max_tokens=self.max_tokens,
            max_bytes=self.max_bytes,
        )
        if self.novel is not UNSET:
            ask["novel"] = self.novel
        if self.seed is not UNSET:
            ask["seed"] = self.seed
        if self.starting is not UNSET:
            ask["starting"] = self.starting
        if self.containing is not UNSET:
            ask["containing"] = self.containing
        if self.ending is not UNSET:
            ask["ending"] = self.ending
        return ask


class Generated(msgspec.Struct, frozen=True):
    """One new message."""

    text: str
    score: int
    """The sum over drawn tokens of the successors there were, less one each."""
    tries: int
    references: tuple[Reference, ...] | UnsetType = UNSET


class GenerateAnswer(msgspec.Struct, frozen=True):
    """What was made: at least one message."""

    messages: list[Generated]


class MergeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much a merge touches."""

    whole: Annotated[bool, Meta(description="Everything, instead of what it pays to touch.")] = False


class ChainsAnswer(msgspec.Struct, frozen=True):
    """The chains that the token reaches, sorted."""

    chains: list[str]
    next: str | None = None
    """Where there are more: ask again with `after` set to this."""


class ForgetAnswer(msgspec.Struct, frozen=True):
    """How many messages were forgotten."""

    forgotten: int


class RemoveAnswer(msgspec.Struct, frozen=True):
    """The chain that is gone."""

    removed: str


class HealthAnswer(msgspec.Struct, frozen=True):
    """The server answers."""

    status: str = "ok"


class ProblemBody(problem.ProblemBody, frozen=True):
    """Why a request was refused."""

    learned: Learned | UnsetType = UNSET
    """What was learned before it went wrong, and stays."""


def stats_answer(stats: Stats) -> Stats:
    """What is told of a chain: damaged files by name, without the directory that they are in."""
    if not stats.damage:
        return stats
    return msgspec.structs.replace(stats, damage=tuple(_PATH.sub(r"\1", one) for one in stats.damage))


def sought_fault(what: str, name: str) -> str:
    """Why nothing can be sought by a name; empty if it can. A chain's own number names a message too."""
    if not name:
        return f"the {what} is empty"
    if what == "message" and name.startswith("~") and not (name.isascii() and name[1:].isdecimal() and len(name) < 20):
        return "a message beginning with ~ is one of the chain's own numbers, such as ~17"
    return name_fault(what, name)


def name_fault(what: str, name: str) -> str:
    """Why a name cannot be used; empty if it can. A chain bounds bytes, a schema characters: this keeps within both."""
    if what == "id" and name.startswith("~"):
        return "the id begins with ~, which marks the chain's own numbers"
    if len(name) > 255 or (len(name) > 63 and not name.isascii()):
        return f"the {what} has {len(name)} characters: give up to 63, or up to 255 of ASCII"
    return ""
