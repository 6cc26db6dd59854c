"""Finding the login in what a client posts or puts into its Authorization header."""

import binascii
import re

_USER = re.compile(rb"^(?:.*(?:user|login|account|email|agentid).*|name|log|uid|usr|u)$", re.I)
_SECRET = re.compile(rb"^(?:.*(?:pass|pwd|secret|psw).*|p2?|pw)$", re.I)
_JSON = re.compile(rb'"([\w.\-]{1,40})"\s*:\s*"((?:[^"\\]|\\.){0,512})"')
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def login(body: bytes) -> tuple[bytes, bytes] | None:
    """The user name and password in a posted form, url-encoded or JSON, if it has both."""
    fields = _JSON.findall(body) if body.lstrip()[:1] == b"{" else _urlencoded(body)
    user = secret = None
    for name, value in fields[:64]:
        if secret is None and _SECRET.match(name):
            secret = value
        elif user is None and _USER.match(name):
            user = value
    return None if user is None or secret is None else (user, secret)


def _urlencoded(body: bytes) -> list[tuple[bytes, bytes]]:
    pairs = (part.partition(b"=") for part in body.strip().split(b"&", 64))
    return [(_plain(name), _plain(value)) for name, _, value in pairs]


def _plain(value: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), value.replace(b"+", b" "))


def basic(authorization: bytes) -> tuple[bytes, bytes] | None:
    """The user name and password of an HTTP Basic header (RFC 7617), or None when it is none."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        decoded = binascii.a2b_base64(encoded.strip(b" "))
    except binascii.Error:
        return None
    user, colon, secret = decoded.partition(b":")
    return (user, secret) if colon else None
