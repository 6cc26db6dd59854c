"""A scenario file, with the environment over it, to a run."""

from collections.abc import Mapping
from pathlib import Path

from chaffinch.errors import InputError
from chaffinch.load.loaded import Loaded
from chaffinch.load.scenario.build import build
from chaffinch.load.scenario.nodes import MOST_BYTES
from chaffinch.load.scenario.reader import read_scenario


def load_file(path: Path, environment: Mapping[str, str] | None = None) -> Loaded:
    """The run that a file says; variables of `environment` (None: none) go over it. Raises `InputError`."""
    try:
        with path.open("rb") as opened:
            found = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read ({reason}): name a scenario file") from None
    if len(found) > MOST_BYTES:
        raise InputError(f"{path} is larger than {MOST_BYTES >> 20} MiB: move data into a data file")
    try:
        text = found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = found.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: this is not UTF-8 (byte {error.start})") from None
    return load_text(text, str(path), path.parent, environment)


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
