"""What a body is said to be."""

import pytest

from chaffinch.http.body import check_encoding, check_media_type
from chaffinch.http.problem import RefusalError

ALLOWED = ("application/json", "text/json")


@pytest.mark.parametrize("kind", ["application/json", "Text/JSON", "application/json; charset=utf-8"])
def test_a_media_type_that_is_taken_may_have_parameters(kind: str) -> None:
    check_media_type({"content-type": kind, "content-encoding": "Identity"}, ALLOWED)


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}, {"content-type": "application/json-x"}])
def test_another_one_is_refused_with_one_that_is_taken(headers: dict[str, str]) -> None:
    with pytest.raises(RefusalError, match="application/json") as refused:
        check_media_type(headers, ALLOWED)
    assert refused.value.status == 415


@pytest.mark.parametrize("encoding", ["gzip", "identity, gzip", "br"])
def test_a_body_comes_as_it_is(encoding: str) -> None:
    for check in (check_encoding, lambda headers: check_media_type(headers, ALLOWED)):
        with pytest.raises(RefusalError, match="without Content-Encoding"):
            check({"content-type": "text/json", "content-encoding": encoding})
