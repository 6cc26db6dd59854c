"""One measurement: the probe is run in a fresh interpreter, and what it wrote becomes structs."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from chaffinch.config import environment
from chaffinch.errors import InputError
from chaffinch.floor.entry import Entry

PROBE = Path(__file__).with_name("probe.py")
SAID = 2000
"""How many of the last characters of its stderr are looked at when an interpreter fails."""


class Reading(msgspec.Struct, frozen=True):
    """The memory of a process, as the kernel adds it up (`smaps_rollup`)."""

    rss_bytes: int
    """All that is resident."""
    private_bytes: int
    """What no other process has: anonymous memory, and pages of files that nobody else maps now."""
    anonymous_bytes: int
    """Memory that is no page of a file."""
    pss_bytes: int
    """What is shared, divided by those who share it, and all that is not."""


class Load(msgspec.Struct, frozen=True, array_like=True):
    """A module that was loaded, and what that took with all that was loaded meanwhile. `above`: the load around it."""

    name: str
    above: int
    seconds: float
    bytes: int
    mapped_bytes: int
    failed: bool
    origin: str


class Added(msgspec.Struct, frozen=True, array_like=True):
    """A module that somebody put into `sys.modules` past the import system."""

    name: str
    origin: str


class Use(msgspec.Struct, frozen=True, array_like=True):
    """One import statement that ran: in which load (-1: the entry), of which modules, where.

    `via` and `via_line` say where the statement itself stands when the load's own line only called what has it.
    """

    load: int
    targets: tuple[str, ...]
    file: str
    line: int
    via: str
    via_line: int


class Ending(msgspec.Struct, frozen=True):
    """What ended the entry before its end."""

    kind: str
    text: str
    file: str
    line: int


class Measured(msgspec.Struct, frozen=True):
    """What the probe wrote."""

    version: str
    executable: str
    prefixes: tuple[str, ...]
    before: Reading
    after: Reading
    seconds: float
    anonymous_bytes: int
    mapped_bytes: int
    modules_before: int
    modules: tuple[str, ...]
    loads: tuple[Load, ...]
    added: tuple[Added, ...]
    uses: tuple[Use, ...]
    threads: int
    compiled: int
    ended: Ending | None


def measure(entry: Entry, python: str, timeout: float) -> Measured:
    """Measure the entry in a fresh interpreter of that program. Raises `InputError` when it does not come to its end.

    Compiling takes memory and time of its own: when sources had to be compiled, what counts is another measurement
    that finds their bytecode. Where that may not be written beside them it is in a directory that goes again.
    """
    with tempfile.TemporaryDirectory(prefix="chaffinch-floor-") as name:
        directory = Path(name)
        found = _once(entry, python, timeout, directory, {})
        if found.compiled and not found.ended:
            found = _once(entry, python, timeout, directory, {})
        if found.compiled and not found.ended:
            kept = {"PYTHONPYCACHEPREFIX": str(directory / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
            _once(entry, python, timeout, directory, kept)
            found = _once(entry, python, timeout, directory, kept)
    if found.ended:
        raise InputError(_sentence(entry, found))
    return found


def _once(entry: Entry, python: str, timeout: float, directory: Path, variables: Mapping[str, str]) -> Measured:
    out, said = directory / "measured", directory / "stderr"
    out.unlink(missing_ok=True)
    status = _run([python, str(PROBE), str(out), entry.code], said, timeout, variables)
    try:
        written = out.read_bytes()
    except FileNotFoundError:
        raise InputError(_unsaid(entry, python, status, said)) from None
    try:
        return msgspec.json.decode(written, type=Measured)
    except msgspec.DecodeError as error:
        raise InputError(f"what {python} measured of {entry.title} cannot be read: {error}; measure it again") from None


def _run(arguments: list[str], said: Path, timeout: float, more: Mapping[str, str]) -> int:
    """Run it to its end in a session of its own, of which nothing is left after; its exit status."""
    # Sets and dictionaries then come out alike in every run, and with them the memory.
    variables = {**environment(), "PYTHONHASHSEED": "0", **more}
    try:
        with said.open("wb") as errors:
            process = subprocess.Popen(  # noqa: S603 - the interpreter that the user named
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=variables,
                start_new_session=True,
            )
    except OSError as error:
        raise InputError(f"cannot run {arguments[0]}: {error.strerror}; --python takes an interpreter's path") from None
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{arguments[0]} was not done after {timeout:g} s; what is measured may wait for something: "
            "raise --timeout, or measure less"
        ) from None
    finally:
        # Children that it forked and left behind, too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _sentence(entry: Entry, found: Measured) -> str:
    ended = found.ended
    assert ended is not None
    where = f" ({ended.file}:{ended.line})" if ended.file not in ("", "<entry>") else ""
    what = f"{ended.kind}: {ended.text}" if ended.text else ended.kind
    verb = "left" if ended.kind in ("SystemExit", "os._exit") else "failed"
    return f"{entry.title} {verb} while it was imported: {what}{where}; it has to be importable in {found.executable}"


def _unsaid(entry: Entry, python: str, status: int, said: Path) -> str:
    text = said.read_bytes()[-SAID:].decode(errors="replace").strip().rpartition("\n")[2]
    how = f"by signal {-status}" if status < 0 else f"with exit code {status}"
    return f"{python} ended {how} while it imported {entry.title}" + (f": {text}" if text else "")
