"""Tenants and where their chains are: `<state>/chains/<tenant>/`."""

import re
from pathlib import Path
from typing import Final

from chaffinch.errors import InputError, RunError

MOST_CHARACTERS: Final = 64
"""The longest name of a tenant."""

MANIFEST: Final = "manifest.json"
"""A directory that holds this file is a chain."""

_TENANT: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


def check_tenant(name: str) -> str:
    """The name, if a tenant can have it: 1 to 64 of `A-Z a-z 0-9 . _ -`, no dot in front. Raises `InputError`."""
    if _TENANT.fullmatch(name):
        return name
    shown = ascii(name if len(name) <= MOST_CHARACTERS else name[:MOST_CHARACTERS] + "...")
    raise InputError(
        f"{shown} cannot name a tenant: use 1 to {MOST_CHARACTERS} letters, digits, dots, underscores and hyphens, "
        "without a dot in front"
    )


def directory_of(state: Path, tenant: str) -> Path:
    """The directory of a tenant's chain, there or not. Raises `InputError` for a name that no tenant can have."""
    return state / "chains" / check_tenant(tenant)


def tenants_in(state: Path) -> list[str]:
    """The tenants that have a chain, sorted. Raises `RunError` if the directory cannot be read."""
    chains = state / "chains"
    try:
        return sorted(
            found.name for found in chains.iterdir() if _TENANT.fullmatch(found.name) and (found / MANIFEST).is_file()
        )
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(
            f"{chains} cannot be read ({error.strerror}): give this user the right to, or name another state"
        ) from None
