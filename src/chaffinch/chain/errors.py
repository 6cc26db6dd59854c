"""What can go wrong with a chain, by whose fault it is. Texts are one sentence: what, where, what to do."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from chaffinch._core import ChainError
from chaffinch.errors import ChaffinchError, InputError, RunError

P = ParamSpec("P")
T = TypeVar("T")


class NothingNewError(ChaffinchError):
    """The chain cannot say anything new within the tries and bounds that were asked for."""


class UnknownTenantError(InputError):
    """There is no chain of that name, or in that directory."""


class LockedError(RunError):
    """Another process, or another part of this one, has the chain open for writing."""


class DamagedError(RunError):
    """A file is not what was written into it. What is undamaged is untouched."""


class BusyError(RunError):
    """There is more to do than the queue holds. Nothing of this call was done; it can be made again."""

    def __init__(self, sentence: str, retry_after_seconds: float = 1.0) -> None:
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds


_KINDS: dict[str, type[ChaffinchError]] = {
    "input": InputError,
    "io": RunError,
    "damaged": DamagedError,
    "newer": RunError,
    "locked": LockedError,
    "nothing_new": NothingNewError,
}


def translated(error: ChainError) -> ChaffinchError:
    """The core's error as one of ours; a kind that is not known is a `RunError`."""
    kind, sentence = error.args
    return _KINDS.get(kind, RunError)(sentence)


def translating(call: Callable[P, T]) -> Callable[P, T]:
    """`call`, which raises our errors for the core's, and `InputError` for values that the core cannot take."""

    @functools.wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except ChainError as error:
            raise translated(error) from None
        except OverflowError:
            raise InputError("a number is negative or too large for a chain: give a smaller one, from 0 on") from None
        except UnicodeEncodeError as error:
            raise InputError(
                f"a text has a lone surrogate at character {error.start}, which is not Unicode: "
                "decode it with errors='replace'"
            ) from None

    return wrapped
