"""A scenario file, with the environment over it, to a run."""

from collections.abc import Mapping
from pathlib import Path

from chaffinch.errors import InputError
from chaffinch.load.input_files import read_whole
from chaffinch.load.loaded import Loaded
from chaffinch.load.scenario.build import build, files_of
from chaffinch.load.scenario.nodes import MOST_BYTES
from chaffinch.load.scenario.reader import read_scenario


def load_file(path: Path, environment: Mapping[str, str] | None = None) -> Loaded:
    """The run that a file says; variables of `environment` (None: none) go over it. Raises `InputError`."""
    return load_text(_text(path), str(path), path.parent, environment)


def files_named(path: Path) -> tuple[Path, ...]:
    """The data files and recorded rates that a file names, which need not be there. Raises `InputError`."""
    file, _faults = read_scenario(_text(path), str(path))
    return files_of(file, path.parent)


def _text(path: Path) -> str:
    found = read_whole(path, MOST_BYTES, remedy="name a scenario file", excess=": move data into a data file")
    try:
        return found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = found.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: this is not UTF-8 (byte {error.start})") from None


def load_text(
    text: str,
    source: str,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """The same for a text, such as one that came over the control API. Files that it names are relative to
    `directory`; None refuses them.
    """
    file, faults = read_scenario(text, source)
    if environment is None:
        return build(file, faults, directory)
    from chaffinch.load.environment import over

    return over(file, faults, directory, environment)
