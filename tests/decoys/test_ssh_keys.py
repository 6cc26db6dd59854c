"""Host keys and the post-quantum half of the key exchange."""

import asyncio
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.caches import Recent
from chaffinch.decoys.ssh import hostkeys, primes, sntrup, umac
from tests.decoys.harness import persona


def keys(address: str, seed: bytes = b"test") -> list[bytes]:
    host = persona("ssh", address=address, seed=seed)

    async def get() -> list[bytes]:
        return [(await hostkeys.key_of(host, kind)).public_data for kind in hostkeys.KINDS]

    return asyncio.run(get())


def test_keys_are_stable_and_every_host_has_its_own() -> None:
    first = keys("127.77.0.1")
    hostkeys._cache.clear()  # as after a restart
    assert keys("127.77.0.1") == first
    assert not set(first) & set(keys("127.77.0.2"))
    assert not set(first) & set(keys("127.77.0.1", seed=b"another fleet"))


def test_rsa_keys_have_the_size_that_ssh_keygen_gives_them() -> None:
    larger, smaller = primes.rsa_primes(b"seed", 3072)
    assert larger > smaller
    assert (larger * smaller).bit_length() == 3072
    assert all((p - 1) % primes.EXPONENT for p in (larger, smaller))


@pytest.mark.parametrize("composite", [561, 3215031751, 41041, 825265, 2**61 + 1])
def test_composites_that_look_prime_are_seen_through(composite: int) -> None:
    assert not primes._is_prime(composite)


def test_primes_pass() -> None:
    assert all(primes._is_prime(p) for p in (23, 65537, 2**61 - 1, 2**127 - 1))


def test_the_cache_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hostkeys._cache.most == hostkeys.CACHED_KEYS
    monkeypatch.setattr(hostkeys, "_cache", Recent(3))

    async def fill() -> None:
        for host in range(6):
            await hostkeys.key_of(persona("ssh", address=f"127.77.9.{host}"), "ed25519")

    asyncio.run(fill())
    assert len(hostkeys._cache) == 3


def test_keys_that_are_being_made_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address has its own: a client that asks all of them and goes would leave threads hours of work."""
    monkeypatch.setattr(hostkeys, "MAKING", 2)
    monkeypatch.setattr(hostkeys, "_rsa", lambda seed: time.sleep(0.2))
    hosts = [persona("ssh", address=f"127.77.8.{host}") for host in range(4)]

    async def ask() -> None:
        asked = [hostkeys.key_of(host, "rsa") for host in (*hosts[:3], hosts[0])]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [getattr(answer, "reason", "") for answer in answers] == ["", "", "keys", ""]
        await hostkeys.key_of(hosts[3], "rsa")

    asyncio.run(ask())
    hostkeys._cache.clear()


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1531, 4591]))
def test_what_is_encoded_decodes_to_itself(source: random.Random, modulus: int) -> None:
    values = [source.randrange(modulus) for _ in range(sntrup.P)]
    data = sntrup.encode(values, [modulus] * sntrup.P)
    assert len(data) == {4591: 1158, 1531: 1007}[modulus]
    assert sntrup.decode(data, [modulus] * sntrup.P) == values


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_products_are_those_of_the_schoolbook(source: random.Random) -> None:
    large = [source.randrange(-2295, 2296) for _ in range(sntrup.P)]
    small = sntrup._short(source)
    assert sum(map(abs, small)) == sntrup.WEIGHT
    full = [0] * (2 * sntrup.P)
    for at, sign in enumerate(small):
        if sign:
            for power, value in enumerate(large):
                full[at + power] += sign * value
    for power in range(2 * sntrup.P - 1, sntrup.P - 1, -1):
        full[power - sntrup.P] += full[power]
        full[power - sntrup.P + 1] += full[power]
    assert sntrup._multiply(large, small) == [(value + 2295) % 4591 - 2295 for value in full[: sntrup.P]]


def test_a_public_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1158"):
        sntrup.encapsulate(bytes(1157))


@pytest.mark.parametrize("key", [bytes(1158), b"\xff" * 1158])
def test_any_bytes_of_the_right_length_are_a_key(key: bytes) -> None:
    secret, ciphertext = sntrup.encapsulate(key)
    assert (len(secret), len(ciphertext)) == (sntrup.SESSION_KEY_BYTES, sntrup.CIPHERTEXT_BYTES)


@pytest.mark.parametrize(
    ("data", "tag"),
    [
        (b"", "6e155fad26900be1"),
        (b"a" * 3, "44b5cb542f220104"),
        (b"a" * 2**10, "26bf2f5d60118bd9"),
        (b"a" * 2**15, "27f8ef643b0d118d"),
        (b"abc", "d4d7b9f6bd4fbfcf"),
        (b"abc" * 500, "d4cf26ddefd5c01a"),
    ],
)
def test_umac_gives_the_tags_of_its_specification(data: bytes, tag: str) -> None:
    """RFC 4418, appendix."""
    mac = umac.Umac(b"abcdefghijklmnop", 8)
    nonce = int.from_bytes(b"bcdefghi", "big")
    assert mac.sign(nonce, data).hex() == tag
    assert mac.verify(nonce, data, bytes.fromhex(tag))
    assert not mac.verify(nonce + 1, data, bytes.fromhex(tag))
