"""A guarded chain that was told secrets says none of them: a million sentences, and what an unguarded chain says."""

import base64
import random
import re
import string
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from chaffinch.chain import Chain, Message, NothingNewError, Options

AUTHORS = [f"author-{number}" for number in range(5)]

BEGINNINGS = [
    "please note that",
    "as we said",
    "for the new build",
    "hello all",
    "before the meeting",
    "just so you know",
]
MIDDLES = ["we should use", "the team looks at", "you can try", "somebody left", "the page says", "try again with"]
ENDINGS = ["until the work is done", "when you have time", "and tell the others", "on monday morning", "if it breaks"]

NAMES = ["Quillon Brambleforth", "Odalys Vexmoor", "Thaddeus Morrowkin", "Project Thistledown", "Zorblatt Industries"]


class Secrets:
    """Secrets of many kinds, none of them real, the same ones for a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def planted(self, each: int) -> list[tuple[str, str]]:
        """What is said, and what of it must never come out; `each` of every kind, and the listed names."""
        kinds: list[Callable[[], tuple[str, str]]] = [
            self.mail,
            self.address,
            self.address_6,
            self.hardware_address,
            self.host,
            self.url,
            self.connection,
            self.cloud_key,
            self.session_token,
            self.hexadecimal,
            self.password,
            self.option_password,
            self.card,
            self.phone,
            self.identifier,
            self.path,
        ]
        return [kind() for kind in kinds for _ in range(each)] + [(name, name) for name in NAMES]

    def letters(self, count: int) -> str:
        return "".join(self._random.choices("bcdfghjklmnpqrstvwxz", k=count))

    def mixed(self, count: int) -> str:
        return "".join(self._random.choices(string.ascii_letters + string.digits, k=count))

    def digits(self, count: int) -> str:
        return "".join(self._random.choices(string.digits[1:], k=count))

    def mail(self) -> tuple[str, str]:
        secret = f"{self.letters(7)}.{self.letters(6)}@{self.letters(8)}.test"
        return secret, secret

    def address(self) -> tuple[str, str]:
        secret = ".".join(["10", *(str(self._random.randrange(100, 255)) for _ in range(3))])
        return secret, secret

    def address_6(self) -> tuple[str, str]:
        secret = ":".join(["2001", "db8", *(f"{self._random.randrange(0x1000, 0xFFFF):x}" for _ in range(6))])
        return secret, secret

    def hardware_address(self) -> tuple[str, str]:
        secret = ":".join(f"{self._random.randrange(256):02x}" for _ in range(6))
        return secret, secret

    def host(self) -> tuple[str, str]:
        secret = f"{self.letters(6)}-db-{self._random.randrange(10, 99)}.{self.letters(7)}.internal"
        return secret, secret

    def url(self) -> tuple[str, str]:
        secret = f"https://{self.letters(6)}.test/{self.letters(8)}?token={self.mixed(12)}"
        return secret, secret

    def connection(self) -> tuple[str, str]:
        secret = f"postgres://{self.letters(6)}:{self.mixed(12)}@{self.letters(6)}/main"
        return secret, secret

    def cloud_key(self) -> tuple[str, str]:
        secret = "AK" + "IA" + "".join(self._random.choices(string.ascii_uppercase + string.digits, k=16))
        return secret, secret

    def session_token(self) -> tuple[str, str]:
        part = base64.urlsafe_b64encode(self._random.randbytes(24)).decode()
        secret = "ey" + f"JhbGciOiJIUzI1NiJ9.{part}.{self.mixed(20)}"
        return secret, secret

    def hexadecimal(self) -> tuple[str, str]:
        secret = self._random.randbytes(20).hex()
        return secret, secret

    def password(self) -> tuple[str, str]:
        secret = self.letters(9)
        return f"password: {secret}", secret

    def option_password(self) -> tuple[str, str]:
        secret = self.letters(8)
        return f"mysql -u root -p{secret}", secret

    def card(self) -> tuple[str, str]:
        body = [4, *(self._random.randrange(10) for _ in range(14))]
        doubled = [digit * 2 - 9 * (digit > 4) if place % 2 == 0 else digit for place, digit in enumerate(body)]
        secret = "".join(map(str, [*body, -sum(doubled) % 10]))
        return " ".join(secret[place : place + 4] for place in range(0, 16, 4)), secret

    def phone(self) -> tuple[str, str]:
        secret = f"+49 30 {self.digits(6)} {self.digits(5)}"
        return secret, secret

    def identifier(self) -> tuple[str, str]:
        secret = str(uuid.UUID(bytes=self._random.randbytes(16), version=4))
        return secret, secret

    def path(self) -> tuple[str, str]:
        secret = f"/home/{self.letters(8)}/{self.letters(6)}.txt"
        return secret, secret


def corpus(planted: Sequence[tuple[str, str]]) -> Iterator[Message]:
    """Every secret, said by every author: no threshold hides what the guard lets through."""
    draw = random.Random(17)
    number = 0
    for said, _ in planted:
        for author in AUTHORS:
            for text in (
                f"{draw.choice(BEGINNINGS)} {draw.choice(MIDDLES)} {said} {draw.choice(ENDINGS)}",
                f"{draw.choice(MIDDLES)} {said}, {draw.choice(BEGINNINGS)} {draw.choice(ENDINGS)}",
            ):
                number += 1
                yield Message(text, id=str(number), author=author)


def fragments(secret: str) -> set[str]:
    """Whatever of a secret would give it away: every five characters of its unusual words."""
    ordinary = {"https", "token", "postgres", "internal", "password"}
    words = [word for word in re.findall(r"[^\W_]+", secret) if len(word) > 4 and word.lower() not in ordinary]
    return {word[place : place + 5] for word in words for place in range(len(word) - 4)} | {secret}


def words_of(messages: Sequence[str]) -> set[str]:
    return {word for text in messages for word in text.split(" ")}


def test_a_million_sentences_hold_no_planted_secret(tmp_path: Path) -> None:
    planted = Secrets(5).planted(10)
    assert len(planted) >= 150
    forbidden = set().union(*(fragments(secret) for _, secret in planted))
    said: set[str] = set()
    with Chain.open(tmp_path / "lures", write=True, create=Options.for_lures(), names=NAMES) as chain:
        added = chain.add(corpus(planted))
        assert added.replaced >= len(planted) * len(AUTHORS) * 2
        chain.merge()
        # The walks that keep to what was heard, and those that may say it again: a secret would be in either.
        for seed, novel in enumerate([True, False] * 5):
            made = chain.generate(100_000, rng_seed=seed, novel=novel)
            assert len(made) == 100_000
            said |= words_of(made)
        assert chain.stats().counters  # what was replaced is shown
    together = " ".join(sorted(said))
    assert [fragment for fragment in forbidden if fragment in together] == []
    assert {"<mail>", "<ip>", "<key>", "<host>", "<name>"} <= {word.strip(",") for word in said}


def test_the_same_chain_without_a_guard_says_them(tmp_path: Path) -> None:
    """That the test above can fail."""
    planted = Secrets(5).planted(10)
    with Chain.open(tmp_path / "open", write=True, create=Options()) as chain:
        chain.add(corpus(planted))
        together = " ".join(words_of(chain.generate(20_000, rng_seed=1, novel=False)))
    leaked = [secret for _, secret in planted if any(fragment in together for fragment in fragments(secret))]
    assert len(leaked) > len(planted) * 0.85


def test_names_are_kept_and_added_to(tmp_path: Path) -> None:
    with Chain.open(tmp_path / "names", write=True, create=Options.for_lures(), names=NAMES[:2]) as chain:
        assert chain.names == tuple(sorted(NAMES[:2]))
    with Chain.open(tmp_path / "names", write=True, names=NAMES[2:]) as chain:
        added = chain.add([Message(f"ask {name} about it") for name in NAMES])
        assert added.replaced == len(NAMES)
    with Chain.open(tmp_path / "names") as chain:
        assert chain.names == tuple(sorted(NAMES))


def test_what_fewer_than_k_authors_said_is_never_said(tmp_path: Path) -> None:
    shared = ["the build is red", "the build is green", "the test is red", "the test is green"]
    with Chain.open(tmp_path / "k", write=True, create=Options.for_lures()) as chain:
        for author in AUTHORS:
            chain.add(Message(text, author=author) for text in shared)
        chain.add(Message("the build is haunted", author=author) for author in AUTHORS[:2])
        chain.merge()
        # However often two authors say it, they are two.
        chain.add(Message("the test is haunted", author=AUTHORS[0]) for _ in range(50))
        chain.merge()
        assert "haunted" not in words_of(chain.generate(20_000, rng_seed=1, novel=False))
        chain.add([Message("the build is haunted", author=AUTHORS[2])])
        chain.merge()
        assert "haunted" in words_of(chain.generate(20_000, rng_seed=1, novel=False))
        # Forgetting one of the three takes it back, at once.
        assert chain.forget(author=AUTHORS[2]) == len(shared) + 1
        assert "haunted" not in words_of(chain.generate(20_000, rng_seed=1, novel=False))


def test_a_guarded_chain_without_a_merge_says_nothing_yet(tmp_path: Path) -> None:
    """Who had a transition is known when a segment is built: until then there is nothing that may be used."""
    with Chain.open(tmp_path / "fresh", write=True, create=Options.for_lures()) as chain:
        chain.add(Message("the build is red", author=author) for author in AUTHORS)
        try:
            said = chain.generate(10, novel=False)
        except NothingNewError:
            said = []
        assert said == []
        chain.merge()
        assert chain.generate(10, novel=False) == ["the build is red"] * 10
