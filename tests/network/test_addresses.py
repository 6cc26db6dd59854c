"""Prefixes: what they hold, and the sentence for each that cannot be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.errors import InputError
from chaffinch.network.addresses import parse_prefix, parse_prefixes, to_number, to_text


def test_a_prefix_holds_its_addresses() -> None:
    prefix = parse_prefix("127.77.0.0/16")
    assert prefix.size == 65536
    assert to_number("127.77.255.255") in prefix
    assert to_number("127.78.0.0") not in prefix
    assert str(prefix) == "127.77.0.0/16"
    assert parse_prefix("127.0.0.9").size == 1


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("127.77.0.1/16", "write 127.77.0.0/16"),
        ("::1/128", "IPv6"),
        ("127.77.0.0/33", "from 8 to 32"),
        ("127.77.0.0/", "from 8 to 32"),
        ("nowhere", "not a prefix"),
        ("127.77.0/16", "not a prefix"),
    ],
)
def test_what_is_no_prefix_is_refused(text: str, part: str) -> None:
    with pytest.raises(InputError, match=part):
        parse_prefix(text)


def test_overlapping_prefixes_are_refused() -> None:
    with pytest.raises(InputError, match="overlap"):
        parse_prefixes(("127.77.0.0/16", "127.77.4.0/24"))


@given(st.integers(0, 0xFFFFFFFF))
def test_addresses_are_numbers(number: int) -> None:
    assert to_number(to_text(number)) == number
