"""Who may log in, and how the native plug-in's answer is checked and written down."""

import hashlib

from chaffinch.decoys.session import Session
from chaffinch.personas.persona import Persona, Service

_SALT_ALPHABET = bytes(range(33, 127))


def new_salt(session: Session) -> bytes:
    """20 printable bytes: a NUL would cut the salt short for clients that read strings."""
    return bytes(session.random.choices(_SALT_ALPHABET, k=20))


def accounts(persona: Persona, service: Service) -> dict[str, str]:
    """The database's accounts with their passwords.

    The option `users` lists them as `name:password,name:password` (an empty password lets anybody in under that name);
    without it they are the host's accounts that have a weak password.
    """
    listed = service.option("users")
    if listed:
        pairs = (entry.partition(":") for entry in listed.split(","))
        return {name.strip(): password for name, _, password in pairs if name.strip()}
    return {user.name: user.password for user in persona.users if user.password}


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()  # what the protocol prescribes


def scramble(password: bytes, salt: bytes) -> bytes:
    """What a client sends for a password: SHA1(password) XOR SHA1(salt + SHA1(SHA1(password)))."""
    once = _sha1(password)
    twice = _sha1(once)
    mask = _sha1(salt + twice)
    return bytes(a ^ b for a, b in zip(once, mask, strict=True))


def stored_hash(password: str) -> str:
    """The password as the server keeps and shows it: `*` and 40 hex digits, or nothing for none."""
    if not password:
        return ""
    return "*" + _sha1(_sha1(password.encode())).hex().upper()


def matches(password: str, salt: bytes, answer: bytes) -> bool:
    """Whether `answer` (20 bytes, or none for an empty password) proves the password."""
    return answer == (scramble(password.encode(), salt) if password else b"")


def crackable(salt: bytes, answer: bytes) -> str:
    """The attempt as `$mysqlna$SALT*HASH` in hex, as password crackers read it; empty for an empty password."""
    return f"$mysqlna${salt.hex()}*{answer.hex()}" if answer else ""
