"""The rules of authentication, without a connection."""

import random

from chaffinch.decoys.ssh.login import MAX_FAILURES, Login, Verdict
from chaffinch.decoys.ssh.wire import string
from chaffinch.events import Credential
from tests.decoys.harness import persona


def login(**options: str) -> Login:
    host = persona("ssh", **options)
    return Login(host, host.services[0], random.Random(1))


def request(method: bytes, *rest: bytes, user: bytes = b"root", service: bytes = b"ssh-connection") -> bytes:
    return string(user) + string(service) + string(method) + b"".join(rest)


def password(text: bytes, user: bytes = b"root") -> bytes:
    return request(b"password", b"\0", string(text), user=user)


def test_the_weak_password_opens_and_no_other() -> None:
    verdict = login().judge(password(b"letmein"))
    assert verdict == Verdict(accepted=True, fact=Credential("root", "letmein", "password", True))
    for user, text in ((b"root", b"wrong"), (b"root", b""), (b"nobody", b"letmein"), (b"mdavis", b"")):
        verdict = login().judge(password(text, user))
        assert not verdict.accepted
        assert verdict.fact == Credential(user.decode(), text.decode())


def test_the_first_none_is_free_and_the_sixth_failure_is_the_last() -> None:
    attempts = login()
    assert attempts.judge(request(b"none")) == Verdict()
    verdicts = [attempts.judge(password(b"wrong")) for _ in range(MAX_FAILURES)]
    assert [bool(verdict.goodbye) for verdict in verdicts] == [False] * 5 + [True]
    assert verdicts[-1].goodbye == b"Too many authentication failures"


def test_an_account_that_is_not_there_takes_as_long_as_one_that_is() -> None:
    delays = [login().judge(password(b"x", user)).delay for user in (b"root", b"nosuch", b"admin", b"a" * 100)]
    assert all(1.5 <= delay <= 5.0 for delay in delays)
    assert login(fail_delay="0").judge(password(b"x")).delay < 0.01


def test_a_public_key_is_named_and_never_taken() -> None:
    blob = string(b"ssh-ed25519") + string(bytes(32))
    for method, extra in ((b"publickey", b""), (b"publickey-hostbound-v00@openssh.com", string(b"host key"))):
        for signed in (b"", string(b"signature")):
            asked = request(method, b"\1" if signed else b"\0", string(b"ssh-ed25519"), string(blob), extra, signed)
            verdict = login().judge(asked)
            assert not verdict.accepted
            assert verdict.fact is not None
            assert verdict.fact.mechanism == "publickey"
            assert verdict.fact.secret.startswith("ssh-ed25519 SHA256:")


def test_another_user_on_the_same_connection_is_the_end() -> None:
    attempts = login()
    attempts.judge(request(b"none"))
    verdict = attempts.judge(request(b"none", user=b"bob"))
    assert verdict.goodbye == (
        b"Change of username or service not allowed: (root,ssh-connection) -> (bob,ssh-connection)"
    )


def test_what_cannot_be_read_is_broken() -> None:
    for asked in (b"", string(b"root"), request(b"password"), request(b"publickey", b"\0"), password(b"x") + b"zz"):
        assert login().judge(asked).broken


def test_the_methods_are_those_of_the_product() -> None:
    assert login().methods == (b"publickey", b"password")
    assert login(methods="publickey").methods == (b"publickey",)
    assert not login(methods="publickey").judge(password(b"letmein")).accepted
    assert login().judge(request(b"keyboard-interactive", string(b""), string(b""))).fact is None
