"""A decoy host's keys: the same after every restart, different on every host.

Each follows from the persona's secret. RSA costs a second or so, in a thread: it is computed only when a client needs
it.
"""

import asyncio

import asyncssh
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from chaffinch.caches import Recent, register
from chaffinch.decoys.ssh.primes import EXPONENT, rsa_primes
from chaffinch.errors import LimitError
from chaffinch.personas.persona import Persona

KINDS = ("rsa", "ecdsa", "ed25519")
RSA_BITS = 3072
CACHED_KEYS = 256
"""How many keys a process remembers, about 4 kB each; the least recently used goes first."""

MAKING = 64
"""RSA keys that are made or wait to be, a second of a thread each; a session that needs one more ends as `keys`."""

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


_cache = register(Recent[tuple[bytes, str], asyncssh.SSHKey](CACHED_KEYS))
"""By persona's secret and kind. An RSA key takes a second when it is needed again."""

_making: dict[tuple[bytes, str], asyncio.Task[asyncssh.SSHKey]] = {}

_PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class HostKey:
    """One of a host's keys with the algorithm that was agreed: what asyncssh signs a key exchange with."""

    __slots__ = ("_key", "algorithm", "public_data")

    def __init__(self, key: asyncssh.SSHKey, algorithm: bytes) -> None:
        self._key = key
        self.algorithm = algorithm
        self.public_data = key.public_data

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, self.algorithm)


def kind_of(algorithm: bytes) -> str:
    """The kind of key (`rsa`, `ecdsa`, `ed25519`) that signs with a host key algorithm."""
    if b"rsa" in algorithm:
        return "rsa"
    return "ecdsa" if algorithm.startswith(b"ecdsa") else "ed25519"


async def key_of(persona: Persona, kind: str) -> asyncssh.SSHKey:
    """The host's key of that kind. Raises `LimitError` when too many are being made."""
    name = (persona.secret, kind)
    known = _cache.get(name)
    if known is not None:
        return known
    seed = persona.derive(f"ssh-{kind}")
    key = await _rsa_once(name, seed) if kind == "rsa" else _wrapped(_MAKERS[kind](seed))
    _cache.put(name, key)
    return key


async def _rsa_once(name: tuple[bytes, str], seed: bytes) -> asyncssh.SSHKey:
    """Several sessions that need one host's key at once wait for the same thread."""
    loop = asyncio.get_running_loop()
    making = _making.get(name)
    if making is None or making.get_loop() is not loop:
        if len(_making) >= MAKING:
            raise LimitError("keys")
        making = loop.create_task(asyncio.to_thread(_rsa, seed), name="ssh host key")
        _making[name] = making
        making.add_done_callback(lambda _: _making.pop(name, None))
    return await asyncio.shield(making)


def _rsa(seed: bytes) -> asyncssh.SSHKey:
    p, q = rsa_primes(seed, RSA_BITS)
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(EXPONENT, p * q)
    )
    return _wrapped(numbers.private_key(unsafe_skip_rsa_key_validation=True))


def _ecdsa(seed: bytes) -> _PrivateKey:
    return ec.derive_private_key(int.from_bytes(seed, "big") % (_P256_ORDER - 1) + 1, ec.SECP256R1())


def _ed25519(seed: bytes) -> _PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed)


_MAKERS = {"ecdsa": _ecdsa, "ed25519": _ed25519}


def _wrapped(key: _PrivateKey) -> asyncssh.SSHKey:
    data = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return asyncssh.import_private_key(data, unsafe_skip_rsa_key_validation=True)
