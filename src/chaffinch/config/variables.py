"""What the environment says: variables, and where the configuration and the state are. It is read here alone."""

import os
from collections.abc import Mapping
from pathlib import Path


def environment_path(name: str) -> Path | None:
    """`CHAFFINCH_CONFIG` or `CHAFFINCH_STATE` as a path, or None."""
    value = os.environ.get(name)
    return Path(value) if value else None


def environment() -> Mapping[str, str]:
    """All variables, for what reads others than ours: `load run --from-env`."""
    return os.environ


def take(name: str) -> str:
    """A variable that holds a secret; from now on no process that is started inherits it. Empty where it is not set."""
    return os.environ.pop(name, "")


def state_directory() -> Path:
    """Where a fleet keeps its state unless it is told: `$XDG_STATE_HOME/chaffinch`, or `~/.local/state/chaffinch`."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "chaffinch"


def config_file() -> Path:
    """Where the user's configuration is unless it is named: `$XDG_CONFIG_HOME/chaffinch/chaffinch.toml`, or below
    `~/.config`.
    """
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "chaffinch" / "chaffinch.toml"
