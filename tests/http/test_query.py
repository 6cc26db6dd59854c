"""The query of a request: known names only, each once."""

import pytest

from chaffinch.http.problem import RefusalError
from chaffinch.http.query import flag, query_of


def test_known_parameters_are_read_once_each() -> None:
    assert query_of(b"", ("a",)) == {}
    assert query_of(b"a=1&b=%C3%A4+x", ("a", "b")) == {"a": "1", "b": "\u00e4 x"}
    assert (flag({"a": "1"}, "a"), flag({"a": "0"}, "a"), flag({}, "a")) == (True, False, False)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"c=1", "there is no query parameter 'c' here: it takes a, b"),
        (b"a=1&a=2", "the query parameter a comes twice"),
        (b"a=%ff", "percent-encode it as UTF-8"),
        (b"a=\xff", "percent-encode it as UTF-8"),
        (b"&".join([b"a=1"] * 17), "cannot be read"),
    ],
)
def test_anything_else_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(RefusalError, match=why) as refused:
        query_of(raw, ("a", "b"))
    assert (refused.value.status, refused.value.code) == (400, "bad_query")


def test_a_flag_is_0_or_1() -> None:
    with pytest.raises(RefusalError, match="give 0 or 1"):
        flag({"a": "yes"}, "a")
