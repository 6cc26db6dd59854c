"""What OpenSSH offers and asyncssh lacks here, put in asyncssh's tables: sntrup761, UMAC, and Diffie-Hellman over
finite fields.

asyncssh takes the first two from libraries that it looks for by running a compiler; of the third `cryptography` warns
that it will drop it.
"""

import secrets
from hashlib import sha512

from asyncssh.crypto import Curve25519DH
from asyncssh.kex import _kex_handlers, register_kex_alg
from asyncssh.kex_dh import _KexDH, _KexDHGex, _KexHybridECDH
from asyncssh.mac import register_mac_alg
from asyncssh.misc import ProtocolError
from asyncssh.packet import MPInt

from chaffinch.decoys.ssh import sntrup
from chaffinch.decoys.ssh.umac import Umac

_EXPONENT_BITS = 512
"""Twice the strength of the strongest key that is derived, as OpenSSH chooses its exponents."""


class Sntrup:
    """Our encapsulation in the shape that asyncssh's hybrid key exchange takes."""

    pubkey_bytes = sntrup.PUBLIC_KEY_BYTES
    ciphertext_bytes = sntrup.CIPHERTEXT_BYTES
    secret_bytes = sntrup.SESSION_KEY_BYTES

    def __init__(self, _name: bytes) -> None:
        """asyncssh names the algorithm; there is one."""

    def encaps(self, public_key: bytes) -> tuple[bytes, bytes]:
        return sntrup.encapsulate(public_key)


class _Exchange(_KexDH):
    """Diffie-Hellman over a finite field, the server's half."""

    def _compute_server_shared(self) -> bytes:
        if not 1 < self._e < self._p - 1:
            raise ProtocolError("Kex DH e out of range")
        exponent = secrets.randbits(_EXPONENT_BITS) | 1 << (_EXPONENT_BITS - 1)
        self._f = pow(self._g, exponent, self._p)
        return MPInt(pow(self._e, exponent, self._p))


class _GroupExchange(_KexDHGex):
    """The same in a group that the client asks for."""

    _compute_server_shared = _Exchange._compute_server_shared  # noqa: SLF001


def register() -> None:
    """Put our own in asyncssh's tables; once is enough."""
    for name in (b"sntrup761x25519-sha512", b"sntrup761x25519-sha512@openssh.com"):
        register_kex_alg(name, _KexHybridECDH, sha512, (Sntrup, b"sntrup761", Curve25519DH), False)
    for name in (b"group14-sha1", b"group14-sha256", b"group16-sha512", b"group18-sha512", b"group-exchange-sha256"):
        algorithm = b"diffie-hellman-" + name
        _, digest, arguments = _kex_handlers[algorithm]
        exchange = _GroupExchange if name.startswith(b"group-exchange") else _Exchange
        register_kex_alg(algorithm, exchange, digest, arguments, False)
    for name, size in ((b"umac-64", 8), (b"umac-128", 16)):
        register_mac_alg(name + b"-etm@openssh.com", 16, size, True, Umac, (), False)
        register_mac_alg(name + b"@openssh.com", 16, size, False, Umac, (), False)
