"""The token that a request shows."""

import pytest

from chaffinch.http.bearer import shown_token, unauthorized


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("", ""),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("Basic abc", ""),
        ("abc", ""),
        ("Bearerabc", ""),
    ],
)
def test_only_a_bearer_token_is_one(header: str, token: str) -> None:
    assert shown_token(header) == token


def test_who_shows_none_is_told_what_is_asked_for() -> None:
    refused = unauthorized("give the token")
    assert (refused.status, refused.detail) == (401, "give the token")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
