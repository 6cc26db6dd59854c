"""What a JSON body is."""

from typing import Any, TypeVar

import msgspec

from chaffinch.http.problem import RefusalError

T = TypeVar("T")


def decode(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """The value of a JSON body. Raises `RefusalError` 400 that says where it is not what it must be."""
    try:
        try:
            return decoder.decode(data)
        except msgspec.ValidationError as error:
            if "got `float`" not in str(error):
                raise
            # To JSON 12.0 is a whole number too, and some programs write all numbers so.
            return msgspec.convert(_with_whole_numbers(msgspec.json.decode(data)), decoder.type)
    except msgspec.ValidationError as error:
        raise RefusalError(400, "bad_request", f"the body is not what /openapi.json says: {error}") from None
    except (ValueError, RecursionError) as error:  # not JSON, or not UTF-8
        raise RefusalError(400, "bad_request", f"the body is not JSON: {error}") from None


def _with_whole_numbers(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_with_whole_numbers(one) for one in value]
        case dict():
            return {name: _with_whole_numbers(one) for name, one in value.items()}
        case _:
            return value
