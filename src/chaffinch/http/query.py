"""The query of a request: known names only, each once."""

from collections.abc import Collection
from urllib.parse import parse_qsl

from chaffinch.http.problem import RefusalError


def query_of(raw: bytes, known: Collection[str]) -> dict[str, str]:
    """The parameters by name. Raises `RefusalError` 400 for one that is not known, comes twice, or is not UTF-8."""
    if not raw:
        return {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=16)
    except ValueError:
        raise RefusalError(400, "bad_query", "the query cannot be read: percent-encode it as UTF-8") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise RefusalError(400, "bad_query", f"there is no query parameter {name[:40]!r} here: {takes}")
        if name in found:
            raise RefusalError(400, "bad_query", f"the query parameter {name} comes twice: give it once")
        found[name] = value
    return found


def flag(found: dict[str, str], name: str) -> bool:
    """Whether a parameter is 1. Raises `RefusalError` 400 for anything but 0 and 1."""
    value = found.get(name, "0")
    if value not in ("0", "1"):
        raise RefusalError(400, "bad_query", f"the query parameter {name} is {value[:40]!r}: give 0 or 1")
    return value == "1"
