"""The files that a run is to leave: whether they can be written is found before it starts."""

import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from chaffinch.errors import InputError, RunError
from chaffinch.load import result_files
from chaffinch.load.results import Result

STDOUT: Final = "-"


def check(read: Iterable[str | None] = (), **given: str | None) -> None:
    """Refuse a file that cannot be written, or that is read, by the name of its option. Raises `InputError`."""
    taken: dict[str, str] = {}
    inputs = {os.path.realpath(file) for file in read if file}
    for name, file in given.items():
        if file is None:
            continue
        if file == STDOUT and name == "csv":
            raise InputError("--csv -: intervals go to a file while the run goes on; name one")
        if not file:
            raise InputError(f"--{name} has an empty name: name a file, or leave it out")
        if file != STDOUT and os.path.realpath(file) in inputs:
            raise InputError(f"--{name} {file}: this is what is read; name another file")
        place = file if file == STDOUT else os.path.realpath(file)
        if place in taken:
            raise InputError(f"--{name} and --{taken[place]} both name {file}: give each a file of its own")
        taken[place] = name
        if file != STDOUT:
            _check(f"--{name} {file}", Path(file))


def _check(name: str, path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = 0
    except (OSError, ValueError) as error:
        raise InputError(
            f"{name}: {getattr(error, 'strerror', None) or error}; name a file that can be written"
        ) from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{name}: this is a directory; name a file in it")
    if mode and not os.access(path, os.W_OK):
        raise InputError(f"{name}: this may not be written; name another file")
    if not mode or stat.S_ISREG(mode):
        _check_directory(name, path)


def _check_directory(name: str, path: Path) -> None:
    """A file is written beside its place and then put there, so the directory has to take one."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.check")
    try:
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        aside.unlink()
    except FileNotFoundError:
        raise InputError(f"{name}: there is no directory {path.parent}; make it first") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{name}: {getattr(error, 'strerror', None) or error}; name a file that can be written"
        ) from None


def write(result: Result, *, json: str | None, html: str | None) -> list[str]:
    """Write the reports. Sentences of those that could not be."""
    failed = []
    if json is not None:
        failed += _write(json, result.to_json())
    if html is not None:
        from chaffinch.load.report.html import render

        failed += _write(html, render(result).encode("utf-8", "replace"))
    return failed


def _write(file: str, data: bytes) -> list[str]:
    try:
        if file == STDOUT:
            _to_stdout(data)
        else:
            result_files.write(Path(file), data)
    except RunError as error:
        return [str(error)]
    return []


def _to_stdout(data: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise RunError(f"standard output takes no results ({error.strerror}): name a file") from None
