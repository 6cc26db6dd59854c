"""`--names FILE`: what a guarded chain replaces besides what it finds."""

from pathlib import Path

from chaffinch.errors import InputError


def names_in(file: str) -> tuple[str, ...]:
    """The names of a file, one a line. Raises `InputError` for one that cannot be read."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); name a file with one name a line") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 at byte {error.start}; convert it with iconv") from None
    return tuple(name for line in lines if (name := line.strip()))
