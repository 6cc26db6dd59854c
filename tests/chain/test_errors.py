"""Each kind of error that the core has is one of ours, with the exit code of whose fault it is."""

import pytest

from chaffinch._core import ChainError, redact
from chaffinch.chain import BusyError, DamagedError, LockedError, NothingNewError, UnknownTenantError
from chaffinch.chain.errors import translated, translating
from chaffinch.errors import ChaffinchError, InputError, RunError


@pytest.mark.parametrize(
    ("kind", "expected", "code"),
    [
        ("input", InputError, 2),
        ("io", RunError, 1),
        ("damaged", DamagedError, 1),
        ("newer", RunError, 1),
        ("locked", LockedError, 1),
        ("nothing_new", NothingNewError, 1),
        ("of a later core", RunError, 1),
    ],
)
def test_each_kind_has_its_error(kind: str, expected: type[ChaffinchError], code: int) -> None:
    error = translated(ChainError(kind, "a sentence"))
    assert type(error) is expected
    assert (error.exit_code, str(error)) == (code, "a sentence")


def test_whose_fault_it_is() -> None:
    assert issubclass(UnknownTenantError, InputError)
    assert all(issubclass(one, RunError) for one in (LockedError, DamagedError, BusyError))
    assert not issubclass(NothingNewError, InputError | RunError)
    assert BusyError("wait", 2.5).retry_after_seconds == 2.5
    assert BusyError("wait").retry_after_seconds > 0


def test_what_is_not_the_cores_comes_through() -> None:
    @translating
    def fails(error: Exception) -> None:
        raise error

    for error in (KeyError("mine"), InputError("a sentence"), TypeError("wrong")):
        with pytest.raises(type(error)) as raised:
            fails(error)
        assert raised.value is error
    with pytest.raises(InputError, match="negative or too large"):
        fails(OverflowError())


def test_the_cores_own_errors_have_a_known_kind_and_no_trace_of_it() -> None:
    with pytest.raises(ChainError) as refused:
        redact("text", names=["x"])
    assert refused.value.args[0] == "input"
    with pytest.raises(InputError) as translated_one:
        translating(redact)("text", ["x"])
    assert str(translated_one.value) == refused.value.args[1]
    assert translated_one.value.__suppress_context__
