"""What each OpenSSH release offers in its KEXINIT, and what follows from a client's offer. A data table and the rule
of RFC 4253, 7.1.

The lists are those of the running servers, byte for byte: a scanner compares them with the version that the banner
claims.
"""

import msgspec

from chaffinch.decoys.ssh.wire import KexInit

STRICT_CLIENT = b"kex-strict-c-v00@openssh.com"
STRICT_SERVER = b"kex-strict-s-v00@openssh.com"
EXT_INFO_CLIENT = b"ext-info-c"


def _names(text: str) -> tuple[bytes, ...]:
    return tuple(text.encode().split())


_CURVES = """curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521
    diffie-hellman-group-exchange-sha256 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512
    diffie-hellman-group14-sha256"""
_HOST_KEYS = _names("rsa-sha2-512 rsa-sha2-256 ecdsa-sha2-nistp256 ssh-ed25519")
_CIPHERS = _names(
    "chacha20-poly1305@openssh.com aes128-ctr aes192-ctr aes256-ctr aes128-gcm@openssh.com aes256-gcm@openssh.com"
)
_MACS = _names(
    """umac-64-etm@openssh.com umac-128-etm@openssh.com hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com
    hmac-sha1-etm@openssh.com umac-64@openssh.com umac-128@openssh.com hmac-sha2-256 hmac-sha2-512 hmac-sha1"""
)
_SIGNATURES_89 = """ssh-ed25519 sk-ssh-ed25519@openssh.com ssh-rsa rsa-sha2-256 rsa-sha2-512 ssh-dss ecdsa-sha2-nistp256
    ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 sk-ecdsa-sha2-nistp256@openssh.com
    webauthn-sk-ecdsa-sha2-nistp256@openssh.com"""
_SIGNATURES_92 = """ssh-ed25519 sk-ssh-ed25519@openssh.com ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521
    sk-ecdsa-sha2-nistp256@openssh.com webauthn-sk-ecdsa-sha2-nistp256@openssh.com ssh-dss ssh-rsa rsa-sha2-256
    rsa-sha2-512"""
_SIGNATURES_81 = """ssh-ed25519 ssh-rsa rsa-sha2-256 rsa-sha2-512 ssh-dss ecdsa-sha2-nistp256 ecdsa-sha2-nistp384
    ecdsa-sha2-nistp521"""


class Release(msgspec.Struct, frozen=True):
    """One release's offer. `host_bound` says that it announces `publickey-hostbound@openssh.com` (since 8.9)."""

    offer: KexInit
    signatures: tuple[bytes, ...]
    host_bound: bool = True


def _release(
    kex: str,
    signatures: str,
    host_keys: tuple[bytes, ...] = _HOST_KEYS,
    *,
    host_bound: bool = True,
    zlib: bool = True,
) -> Release:
    compressions = _names("none zlib@openssh.com" if zlib else "none")
    offer = KexInit(_names(kex), host_keys, (_CIPHERS, _CIPHERS), (_MACS, _MACS), (compressions, compressions))
    return Release(offer, _names(signatures), host_bound)


_SNTRUP = "sntrup761x25519-sha512@openssh.com"
_STRICT = STRICT_SERVER.decode()

_BEFORE_STRICT = _release(f"{_SNTRUP} {_CURVES}", _SIGNATURES_92)
_BEFORE_BARE_NAME = _release(f"{_SNTRUP} {_CURVES} {_STRICT}", _SIGNATURES_92)

EXACT: dict[str, Release] = {
    "9.2p1 Debian-2": _BEFORE_STRICT,
    "9.2p1 Debian-2+deb12u1": _BEFORE_STRICT,
    "9.2p1 Debian-2+deb12u2": _BEFORE_BARE_NAME,
    "9.2p1 Debian-2+deb12u3": _BEFORE_BARE_NAME,
}
"""Debian's updates of one release: strict key exchange came with u2, sntrup761 without a domain with u4."""

RELEASES: tuple[tuple[str, Release], ...] = (
    ("9.2p1", _release(f"sntrup761x25519-sha512 {_SNTRUP} {_CURVES} {_STRICT}", _SIGNATURES_92)),
    ("8.9p1", _release(f"{_CURVES.replace('diffie', _SNTRUP + ' diffie', 1)} {_STRICT}", _SIGNATURES_89)),
    (
        "8.4p1",
        _release(
            f"{_CURVES} {_STRICT}",
            _SIGNATURES_89,
            _names("rsa-sha2-512 rsa-sha2-256 ssh-rsa ecdsa-sha2-nistp256 ssh-ed25519"),
            host_bound=False,
        ),
    ),
    (
        "8.1",
        _release(
            f"{_CURVES} diffie-hellman-group14-sha1",
            _SIGNATURES_81,
            _names("rsa-sha2-512 rsa-sha2-256 ssh-rsa ecdsa-sha2-nistp256 ssh-ed25519"),
            host_bound=False,
            zlib=False,  # Microsoft's build
        ),
    ),
)


def release(version: str) -> Release:
    """The offer of the release that `version` is or begins with; the newest known for any other."""
    found = EXACT.get(version)
    return found or next((known for name, known in RELEASES if version.startswith(name)), RELEASES[0][1])


class Agreement(msgspec.Struct, frozen=True):
    """What both sides will use. `guessed` says that the client's first packet after its KEXINIT is a wrong guess, to
    be ignored."""

    kex: bytes
    host_key: bytes
    strict: bool
    guessed: bool


def agree(client: KexInit, server: KexInit) -> Agreement | None:
    """The first of the client's names that the server has too, list by list; None where a list has none in common."""
    kex = _first(client.kex, tuple(name for name in server.kex if name != STRICT_SERVER))
    host_key = _first(client.host_keys, server.host_keys)
    pairs = [
        *zip(client.ciphers, server.ciphers, strict=True),
        *zip(client.compressions, server.compressions, strict=True),
    ]
    for (ciphers, theirs), macs in zip(
        zip(client.ciphers, server.ciphers, strict=True), zip(client.macs, server.macs, strict=True), strict=True
    ):
        if not _authenticates(_first(ciphers, theirs) or b""):
            pairs.append(macs)
    if kex is None or host_key is None or any(_first(ours, theirs) is None for ours, theirs in pairs):
        return None
    wrong = client.kex[0] != server.kex[0] or client.host_keys[0] != server.host_keys[0]
    return Agreement(
        kex, host_key, STRICT_CLIENT in client.kex and STRICT_SERVER in server.kex, client.first_follows and wrong
    )


def hassh(client: KexInit) -> str:
    """The client's algorithms as HASSH orders them (https://github.com/salesforce/hassh): its MD5 is the
    fingerprint."""
    parts = (client.kex, client.ciphers[0], client.macs[0], client.compressions[0])
    return b";".join(b",".join(names) for names in parts).decode("latin-1")


def _first(client: tuple[bytes, ...], server: tuple[bytes, ...]) -> bytes | None:
    return next((name for name in client if name in server), None)


def _authenticates(cipher: bytes) -> bool:
    """Whether the cipher needs no MAC beside it."""
    return cipher.startswith(b"chacha20-poly1305") or b"-gcm@" in cipher
