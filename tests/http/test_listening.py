"""What a server has before its first connection."""

import os
import resource

import pytest

from chaffinch.errors import InputError
from chaffinch.http.listening import address_of, allow_files, shown_host


def test_an_address_of_either_kind_is_listened_on() -> None:
    with address_of("localhost", 0, "").listen(1) as listener:
        host, port = listener.getsockname()[:2]
        assert host in ("127.0.0.1", "::1")
        with pytest.raises(OSError, match="Address already in use"):
            address_of(host, port, "").listen(1)
    if os.path.exists("/proc/net/if_inet6"):
        with address_of("::1", 0, "").listen(1) as listener:
            assert listener.getsockname()[0] == "::1"


@pytest.mark.parametrize("host", ["x" * 300, "no such host"])
def test_no_address_is_said_with_what_to_do(host: str) -> None:
    with pytest.raises(InputError, match=r"is no address here .*: name another$"):
        address_of(host, 0, "name another")


@pytest.mark.parametrize(("host", "alone"), [("127.0.0.9", True), ("::1", True), ("0.0.0.0", False), ("::", False)])
def test_it_is_known_who_reaches_an_address(host: str, alone: bool) -> None:
    assert address_of(host, 0, "").is_loopback == alone


def test_a_host_stands_in_a_url_as_it_must() -> None:
    assert (shown_host("127.0.0.1"), shown_host("::1")) == ("127.0.0.1", "[::1]")


def test_too_few_files_are_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(100, 200)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.append(both))
    allow_files(200, "close some")
    assert limits[-1] == (200, 200)
    with pytest.raises(InputError, match="may open 200 files and needs 201: close some"):
        allow_files(201, "close some")
    limits.append((100, resource.RLIM_INFINITY))
    allow_files(1_000_000_000, "close some")
