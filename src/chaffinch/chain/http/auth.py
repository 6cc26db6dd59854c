"""Who may do what: bearer tokens, each with tenants and rights, from one file that only its owner can read.

A token is 256 random bits, so nobody guesses it from its hash, however fast the hash is: slow password hashing protects
secrets that people choose, and would cost each request a tenth of a second. The file holds SHA-256 only; what is
presented must have the shape of what `new_token` makes, so that no chosen password stands behind a hash.
"""

import contextlib
import errno
import fcntl
import hashlib
import hmac
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from chaffinch.chain.names import check_tenant
from chaffinch.errors import InputError, RunError
from chaffinch.http.bearer import shown_token, unauthorized
from chaffinch.http.problem import RefusalError

Right = Literal["read", "write", "admin", "metrics"]

EVERY_TENANT: Final = "*"

MOST_TOKENS: Final = 10_000
"""Tokens that one file may hold."""

MOST_BYTES: Final = 16 << 20
"""The longest tokens file."""

_SHAPE: Final = re.compile(r"cf_[A-Za-z0-9_-]{43}")


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One token: what it is called in logs, whose chains it reaches, and what it may do there."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    tenants: tuple[str, ...] | Literal["*"]
    rights: Annotated[tuple[Right, ...], Meta(min_length=1)]

    def reaches(self, tenant: str) -> bool:
        """Whether it has any right on the chain of this tenant, there or not."""
        return self.tenants == EVERY_TENANT or tenant in self.tenants

    def may(self, right: Right) -> bool:
        """Whether it has a right; `admin` is all of those on chains."""
        return right in self.rights or (right != "metrics" and "admin" in self.rights)


class TokensFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: a table `[[token]]` for each."""

    token: tuple[Token, ...]


class Tokens:
    """The tokens of one file, by hash."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._by_hash = {token.sha256: token for token in tokens}

    def __len__(self) -> int:
        return len(self._by_hash)

    def of(self, authorization: str) -> Token:
        """The token of an `Authorization` header. Raises `RefusalError` 401, the same for all that is not known.

        The hash finds it, which tells a stranger nothing: he cannot choose what a hash begins with. The comparison that
        decides takes the same time wherever it ends.
        """
        presented = shown_token(authorization)
        if _SHAPE.fullmatch(presented):
            digest = hash_of(presented)
            token = self._by_hash.get(digest)
            if token is not None and hmac.compare_digest(token.sha256, digest):
                return token
        raise unauthorized("give a token that this server knows: `Authorization: Bearer cf_...`")


def require(token: Token, right: Right, tenants: Sequence[str]) -> None:
    """Raise `RefusalError` 403 unless the token has a right on each of the chains.

    It says the same of chains that exist and that do not.
    """
    for tenant in tenants:
        if not token.reaches(tenant):
            raise RefusalError(403, "forbidden", f"this token does not reach the chain {tenant}: use one that does")
    if not token.may(right):
        raise RefusalError(403, "forbidden", f"this token has no right to {right}: use one that has")


def new_token() -> str:
    """A token of 256 random bits."""
    return "cf_" + secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """What the file holds of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def load_tokens(path: Path) -> Tokens:
    """The tokens of a file.

    Raises `InputError` for a file that others can read, that is not there, or that is not what it must be.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"the tokens file {path} is no file: set chain.serve.tokens_file")
            if found.st_mode & 0o077 or found.st_uid not in (0, os.geteuid()):
                raise InputError(
                    f"the tokens file {path} can be read or changed by others: make it your own, and `chmod 600 {path}`"
                )
            text = os.pread(descriptor, MOST_BYTES + 1, 0)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InputError(
            f"the tokens file {path} cannot be read ({error.strerror}): set chain.serve.tokens_file"
        ) from None
    try:
        if len(text) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
        read = msgspec.convert(tomllib.loads(text.decode()), TokensFile)
        for token in read.token:
            if token.tenants != EVERY_TENANT:
                for tenant in token.tenants:
                    check_tenant(tenant)
    except (ValueError, RecursionError, InputError) as error:
        # What a parser quotes is never a token: the file has none.
        raise InputError(f"the tokens file {path} cannot be used: {error}; docs/chain-http.md shows one") from None
    _check(path, read.token)
    return Tokens(read.token)


def make_tokens_file(path: Path, plain: Path) -> None:
    """Write a file with one random token that may do everything, and the token itself into the file `plain`.

    Both can be read by their owner alone. Raises `RunError` if they cannot be written, or `path` is there already.
    """
    token = new_token()
    text = (
        "# Who may use `chaffinch chain serve`; docs/chain-http.md says how to add one.\n"
        f'[[token]]\nname = "admin"\nsha256 = "{hash_of(token)}"\ntenants = "*"\nrights = ["admin", "metrics"]\n'
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone_in(path.parent) as directory:
            if path.exists():
                raise FileExistsError(errno.EEXIST, "there is one already")
            # The token first, and the file whole: after a kill between the two, the next start makes both anew, and
            # there is never a file whose token nobody knows.
            _write(plain, token + "\n")
            os.fsync(directory)
            new = path.with_name(f".{path.name}.new")
            _write(new, text)
            new.replace(path)
            os.fsync(directory)
    except OSError as error:
        raise RunError(
            f"the tokens file {path} cannot be written ({error.strerror}): set chain.serve.tokens_file"
        ) from None


@contextlib.contextmanager
def _alone_in(directory: Path) -> Iterator[int]:
    """A descriptor of the directory, with its lock: another server that starts here waits."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _write(path: Path, text: str) -> None:
    """A new file that only its owner reads, in place of one that was left."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def _check(path: Path, tokens: Sequence[Token]) -> None:
    if len(tokens) > MOST_TOKENS:
        raise InputError(f"the tokens file {path} holds {len(tokens)} tokens, the most are {MOST_TOKENS}: remove some")
    names: set[str] = set()
    hashes: set[str] = set()
    for token in tokens:
        if token.name in names or token.sha256 in hashes:
            raise InputError(f"the tokens file {path} holds the token {token.name!r} twice: give each its own name")
        names.add(token.name)
        hashes.add(token.sha256)
