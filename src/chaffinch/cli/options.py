"""Options that commands share: made from the settings' declarations, so that flags, file and reference page cannot
differ.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from chaffinch import config as configuration
from chaffinch.config import Config, Setting

Command = TypeVar("Command", bound=Callable[..., Any])

EFFECTIVE = "effective.json"
"""In the state directory: the configuration with which the fleet was last started, flags and all."""


def placed(command: Command) -> Command:
    """`--state` and `--config`, which every command takes."""
    command = click.option("--config", metavar="FILE", help="The configuration file.")(command)
    return click.option("--state", metavar="DIR", help="Where the fleet keeps its state.")(command)


def as_json(command: Command) -> Command:
    """`--json`, which every listing takes."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def setting(path: str, *flags: str, **more: Any) -> Callable[[Command], Command]:
    """A flag for one setting, with its description and bounds from the declaration."""
    declared = _settings()[path]
    text = f"{declared.description} [{declared.type}; default: {_default(declared)}]"
    return click.option(*flags, path.replace(".", "__"), metavar="VALUE", help=text, **more)


def flags_given(given: dict[str, object]) -> dict[str, object]:
    """Of a command's arguments those that `setting` made, by path; a repeated flag's values together."""
    return {
        name.replace("__", "."): list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if "__" in name and value not in (None, ())
    }


def state_of(state: str | None) -> Path:
    """The state directory: the flag (here or before the command), `CHAFFINCH_STATE`, or the user's own."""
    chosen = state or _before_the_command("state")
    if chosen:
        return Path(chosen).absolute()
    return (configuration.environment_path("CHAFFINCH_STATE") or configuration.state_directory()).absolute()


def load(config: str | None, flags: dict[str, object] | None = None) -> Config:
    """The configuration: file < environment < flags. A file that is named must be there; the user's own may be."""
    return source_of(config, flags or {}).load()


class Source(msgspec.Struct, frozen=True):
    """Where a fleet's configuration comes from, so that it can be read again."""

    named: Path
    flags: Mapping[str, object]
    may_be_absent: bool
    """It is the user's own file, and was not there at first; it may come."""

    @property
    def file(self) -> Path | None:
        return None if self.may_be_absent and not self.named.exists() else self.named

    def load(self) -> Config:
        """The configuration as the file and the environment say it now."""
        return configuration.load(self.file, self.flags)

    def placed(self) -> AbstractContextManager[None]:
        """Inside the block a setting that turns out to be unusable is refused with its place in the file."""
        return configuration.placed(self.file)


def source_of(config: str | None, flags: Mapping[str, object]) -> Source:
    """What `load` reads, named for good."""
    file = file_of(config)
    return Source(file.absolute(), flags, file == configuration.config_file() and not file.exists())


def file_of(config: str | None) -> Path:
    """The configuration file: the flag (here or before the command), `CHAFFINCH_CONFIG`, or the user's own."""
    chosen = config or _before_the_command("config")
    if chosen:
        return Path(chosen)
    return configuration.environment_path("CHAFFINCH_CONFIG") or configuration.config_file()


def running_or_loaded(config: str | None, state: Path) -> Config:
    """What the fleet on `state` was last started with; what the file and the environment say where none was."""
    if config is None and _before_the_command("config") is None:
        try:
            return msgspec.json.decode((state / EFFECTIVE).read_bytes(), type=Config)
        except (OSError, msgspec.DecodeError):
            pass  # never started here, or by another version: the file and the environment say it then
    return load(config)


def _before_the_command(name: str) -> str | None:
    context = click.get_current_context(silent=True)
    value = (context.find_root().obj or {}).get(name) if context is not None else None
    return str(value) if value else None


@cache
def _settings() -> dict[str, Setting]:
    return {one.path: one for one in configuration.settings()}


def _default(declared: Setting) -> str:
    value = declared.default
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value) if value != "" else "none"
