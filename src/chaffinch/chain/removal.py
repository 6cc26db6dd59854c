"""Removing a chain: it is gone from every listing at once, and what a crash leaves is swept by the next removal."""

import os
import shutil
from pathlib import Path

from chaffinch.chain.engine import Chain
from chaffinch.chain.errors import LockedError, UnknownTenantError
from chaffinch.chain.names import directory_of
from chaffinch.errors import RunError

_LEAVING = ".removing-"


def remove(state: Path, tenant: str) -> None:
    """Remove a tenant's chain with all its files, damaged or not.

    Raises `UnknownTenantError` if there is nothing, `LockedError` if somebody has it open for writing, `RunError` if
    its files cannot be removed. Who reads it goes on with what is mapped.
    """
    directory = directory_of(state, tenant)
    if not directory.is_dir():
        raise UnknownTenantError(f"there is no chain in {directory}: nothing was removed")
    held = _held(directory)
    away = directory.with_name(_LEAVING + tenant)
    try:
        for left in directory.parent.glob(_LEAVING + "*"):
            shutil.rmtree(left, ignore_errors=True)
        directory.rename(away)
        _sync(directory.parent)
        shutil.rmtree(away)
    except FileNotFoundError:  # another removal sweeps
        shutil.rmtree(away, ignore_errors=True)
    except OSError as error:
        where = away if away.exists() else directory
        raise RunError(f"{where} cannot be removed ({error.strerror or error}): remove it by hand") from None
    finally:
        if held is not None:
            held.close()


def _held(directory: Path) -> Chain | None:
    """The chain with its lock, so that nobody opens it for writing while it goes; none if it cannot be opened."""
    try:
        return Chain.open(directory, write=True)
    except LockedError:
        raise
    except (UnknownTenantError, RunError):  # damaged, a later version's, not readable: no reason to keep it
        return None


def _sync(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
