"""What the control API says of an error, by its kind."""

import pytest

from chaffinch.errors import ChaffinchError, InputError, RunError
from chaffinch.load.serve.conductor import BusyError, ConflictError
from chaffinch.load.serve.service import problem_of


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BusyError("a"), 503, "busy"),
        (ConflictError("a"), 409, "conflict"),
        (InputError("a"), 400, "bad_request"),
        (RunError("a"), 503, "failed"),
    ],
)
def test_an_error_is_a_refusal_in_its_own_words(error: ChaffinchError, status: int, code: str) -> None:
    refused = problem_of(error)
    assert (refused.status, refused.code, refused.detail) == (status, code, "a")
    assert ("Retry-After" in refused.headers) == (status == 503)
