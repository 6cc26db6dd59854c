"""The part of SSH before encryption: the answers are those that sshd 9.2p1 gave to the same bytes."""

import pytest

from chaffinch.decoys.ssh.algorithms import STRICT_CLIENT, agree, hassh, release
from chaffinch.decoys.ssh.preamble import Close, Identified, Offered, Pass, Plain, Refused, Say, Step, identify
from chaffinch.decoys.ssh.wire import KexInit, disconnect, packet, parse_kexinit, string

OFFER = release("9.2p1 Debian-2+deb12u10").offer
INVALID = Refused(b"Invalid SSH identification string.\r\n")
DIFFER = Refused(b"Protocol major versions differ.\r\n")
CIPHERS, MACS, COMPRESSIONS = (b"aes128-ctr",), (b"hmac-sha2-256",), (b"none",)


def kexinit(
    kex: tuple[bytes, ...] = (b"curve25519-sha256",),
    host_keys: tuple[bytes, ...] = (b"ssh-ed25519",),
    ciphers: tuple[bytes, ...] = CIPHERS,
    *,
    guess: bool = False,
) -> KexInit:
    return KexInit(kex, host_keys, (ciphers, ciphers), (MACS, MACS), (COMPRESSIONS, COMPRESSIONS), guess)


def sent(client: KexInit) -> bytes:
    return packet(client.encode(bytes(16)))


def message(number: int, body: bytes = b"") -> bytes:
    return packet(bytes((number,)) + body)


def decided(*data: bytes) -> list[Step]:
    plain = Plain(OFFER)
    steps: list[Step] = []
    for part in data:
        for step in plain.feed(part):
            steps.append(step)
            if isinstance(step, Close):
                return steps
    return steps


@pytest.mark.parametrize(
    "line",
    [
        b"SSH-2.0-foo\r\n", b"SSH-2.0-foo\n", b"SSH-1.99-foo\r\n", b"SSH-2.1-foo\r\n", b"SSH-2.0-foo\r\r\n",
        b"SSH-2.0--\r\n",
        b"SSH- 2.0-x\r\n", b"SSH-2. 0-x\r\n", b"SSH-2.0-\xff\xfe\r\n", b"SSH-2.0-" + b"A" * 4000 + b"\r\n",
        b"SSH-4294967298.0-x\r\n",
    ],
)  # fmt: skip
def test_an_identification_is_taken(line: bytes) -> None:
    found = identify(line + b"more")
    assert found == Identified(line.rstrip(b"\r\n"), len(line))


@pytest.mark.parametrize(
    "line",
    [
        b"SSH-1337-OpenSSH_9.0\r\n", b"GET / HTTP/1.0\r\n\r\n", b"\r\n", b"\n", b"SSH-2.0-\r\n", b"SSH-2.0\r\n",
        b"ssh-2.0-foo\r\n",
        b"SSH-2.0-f\0oo\r\n", b"\0\0\0", b"x\ry\n", b"SSH-2.0-foo\rbar\r\n", b"A" * 257 + b"\r\n", b"A" * 9000,
    ],
)  # fmt: skip
def test_what_is_no_identification_is_told_so(line: bytes) -> None:
    assert identify(line) == INVALID


@pytest.mark.parametrize(
    "line",
    [
        b"SSH-1.5-foo\r\n",
        b"SSH-3.0-foo\r\n",
        b"SSH-1.98-x\r\n",
        b"SSH-0.0-x\r\n",
        b"SSH--1.0-x\r\n",
        b"SSH-99999999999.0-x\r\n",
    ],
)
def test_other_versions_of_the_protocol_are_told_so(line: bytes) -> None:
    assert identify(line) == DIFFER


@pytest.mark.parametrize("part", [b"", b"SSH-2.0-x", b"A" * 300, b"SSH-2.0-x\r"])
def test_an_unfinished_line_waits(part: bytes) -> None:
    assert identify(part) is None


def test_a_kexinit_comes_back_as_it_was() -> None:
    assert parse_kexinit(OFFER.encode(bytes(16))) == OFFER


def test_the_first_common_name_of_the_client_wins() -> None:
    agreement = agree(
        kexinit((b"nope", b"ecdh-sha2-nistp256", b"curve25519-sha256"), (b"ssh-ed25519", b"ssh-rsa")), OFFER
    )
    assert agreement is not None
    assert (agreement.kex, agreement.host_key, agreement.strict) == (b"ecdh-sha2-nistp256", b"ssh-ed25519", False)
    assert agree(kexinit((b"nope",)), OFFER) is None
    assert agree(kexinit(ciphers=(b"nope",)), OFFER) is None
    without_mac = kexinit(ciphers=(b"chacha20-poly1305@openssh.com",))
    assert agree(KexInit(**{**_fields(without_mac), "macs": ((b"nope",), (b"nope",))}), OFFER) is not None


def _fields(client: KexInit) -> dict[str, object]:
    return {name: getattr(client, name) for name in client.__struct_fields__}


def test_hassh_orders_the_algorithms_of_the_client() -> None:
    assert hassh(kexinit()) == "curve25519-sha256;aes128-ctr;hmac-sha2-256;none"


def test_a_good_exchange_passes_whole_and_in_pieces() -> None:
    data = sent(kexinit()) + message(30, string(bytes(32))) + message(21) + b"encrypted"
    for pieces in ((data,), tuple(data[at : at + 1] for at in range(len(data)))):
        steps = decided(*pieces)
        assert isinstance(steps[0], Offered)
        assert b"".join(step.data for step in steps if isinstance(step, (Pass, Offered))) == data


def test_packets_that_mean_nothing_are_counted_but_not_passed() -> None:
    steps = decided(message(2, string(b"abc")) + message(4) + sent(kexinit()) + message(3))
    assert [type(step) for step in steps] == [Pass, Pass, Offered, Pass]
    assert all(step.data[5] == 2 for step in steps if isinstance(step, Pass))


@pytest.mark.parametrize("number", [5, 6, 7, 21, 30, 31])
def test_a_message_in_the_wrong_place_is_unimplemented(number: int) -> None:
    assert decided(message(number))[0].payload == b"\x03\0\0\0\0"  # type: ignore[union-attr]
    if number != 30:
        step = decided(sent(kexinit()) + message(number))[1]
        assert isinstance(step, Say)
        assert step.payload == b"\x03\0\0\0\x01"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", b""),
        (bytes(72), b""),
        (b"\0\0\0\x05\x04" + bytes(64), b""),
        (b"\0\0\0\x0c\x00\x02" + bytes(64), b"Corrupted padlen 0 on input."),
        (b"\0\0\0\x0c\x03\x02" + bytes(64), b"Corrupted padlen 3 on input."),
        (b"\0\0\0\x0c\x0c\x02" + bytes(64), b""),
        (b"\xff\xff\xff\xff" + bytes(64), b""),
        (message(0), b"Invalid ssh2 packet type: 0"),
        (message(192), b"Invalid ssh2 packet type: 192"),
        (message(50), b""),
        (message(90), b""),
        (message(1), b""),
        (message(20, b"abc"), b""),
        (packet(kexinit().encode(bytes(16))[:-2]), b""),
        (packet(kexinit().encode(bytes(16)) + b"abc"), b""),
        (sent(kexinit((b"curve25519-sha256", b"\0abc"))), b""),
    ],
)
def test_what_ends_a_connection(data: bytes, text: bytes) -> None:
    assert decided(data)[-1] == Close(disconnect(text) if text else b"")


def test_strict_key_exchange_allows_nothing_else() -> None:
    strict = kexinit((b"curve25519-sha256", STRICT_CLIENT))
    late = decided(message(2) + sent(strict))[-1]
    assert late == Close(disconnect(b"strict KEX violation: KEXINIT was not the first packet"))
    for number in (2, 4, 5, 20, 21, 31, 34):
        text = b"strict KEX violation: unexpected packet type %d (seqnr 1)" % number
        assert decided(sent(strict) + message(number))[-1] == Close(disconnect(text))
    assert decided(sent(strict) + message(50))[-1] == Close()


def test_a_wrong_guess_is_skipped_whatever_it_is() -> None:
    steps = decided(sent(kexinit(guess=True)) + message(50) + message(30, b"init"))
    assert [type(step) for step in steps] == [Offered, Pass, Pass]
    assert steps[1].data[5] == 2  # type: ignore[union-attr]
    assert steps[2].data[5] == 30  # type: ignore[union-attr]


def test_no_common_algorithm_is_the_end_without_a_word() -> None:
    steps = decided(sent(kexinit((b"nope",))))
    assert isinstance(steps[0], Offered)
    assert steps[0].agreement is None


def test_group_exchange_asks_for_a_group_first() -> None:
    client = kexinit((b"diffie-hellman-group-exchange-sha256",))
    steps = decided(sent(client) + message(30, bytes(4)) + message(34, bytes(12)) + message(32, string(b"e")))
    assert [type(step) for step in steps] == [Offered, Say, Pass, Pass]


@pytest.mark.parametrize(
    ("version", "first", "last"),
    [
        ("9.2p1 Debian-2+deb12u10", b"sntrup761x25519-sha512", b"kex-strict-s-v00@openssh.com"),
        ("9.2p1 Debian-2+deb12u4", b"sntrup761x25519-sha512", b"kex-strict-s-v00@openssh.com"),
        ("9.2p1 Debian-2+deb12u3", b"sntrup761x25519-sha512@openssh.com", b"kex-strict-s-v00@openssh.com"),
        ("9.2p1 Debian-2+deb12u1", b"sntrup761x25519-sha512@openssh.com", b"diffie-hellman-group14-sha256"),
        ("8.9p1 Ubuntu-3ubuntu0.10", b"curve25519-sha256", b"kex-strict-s-v00@openssh.com"),
        ("8.1", b"curve25519-sha256", b"diffie-hellman-group14-sha1"),
    ],
)
def test_each_release_has_its_own_offer(version: str, first: bytes, last: bytes) -> None:
    kex = release(version).offer.kex
    assert (kex[0], kex[-1]) == (first, last)
