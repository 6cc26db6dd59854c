"""Removing a chain: it is gone from every listing at once, and what a crash leaves is swept by the next removal.

What a killed `train --clean` or import left of it goes with it, and first: so nothing is there that `swap.settle` could
put back into its place.
"""

import contextlib
import shutil
from pathlib import Path

from chaffinch.chain import places, swap
from chaffinch.chain.engine import Chain
from chaffinch.chain.errors import DamagedError, UnknownTenantError
from chaffinch.chain.places import LEAVING, Places


def is_there(state: Path, tenant: str) -> bool:
    """Whether there is anything of the tenant to remove: a chain, or what a command that was killed left of one."""
    return any(path.exists() for path in places.places(state, tenant))


def remove(state: Path, tenant: str) -> None:
    """Remove a tenant's chain with all its files, damaged or not.

    Raises `UnknownTenantError` if there is nothing, `LockedError` if somebody has it open for writing or makes another
    for its place, `RunError` if its files cannot be removed. Who reads it goes on with what is mapped.
    """
    at = places.places(state, tenant)
    if not is_there(state, tenant):
        raise UnknownTenantError(f"there is no chain in {at.chain}: nothing was removed")
    with places.moving(at):
        with contextlib.ExitStack() as locks:
            for directory in (at.chain, at.old, at.clean):
                locks.enter_context(places.held(directory))
            _away(at, at.old)
            _away(at, at.clean)
            at.plan.unlink(missing_ok=True)
            if at.incoming.exists():
                with swap.importing(state, tenant):
                    pass
            _away(at, at.chain)
        for left in at.chain.parent.glob(LEAVING + "*"):
            shutil.rmtree(left, ignore_errors=True)


def remove_damaged(state: Path, tenant: str) -> bool:
    """Remove a tenant's chain if it is damaged, and not the one anew; whether it was. It must be closed.

    What was said of it while it was open does not count: a file that could not be opened for want of descriptors makes
    an open chain damaged. Raises `RunError` where the machine does not let its files be read, or removed.
    """
    at = places.places(state, tenant)
    if not at.chain.is_dir() or not _is_damaged(at.chain):
        return False
    with places.moving(at), places.held(at.chain):
        _away(at, at.chain)
    return True


def _is_damaged(directory: Path) -> bool:
    with places.reported(directory):
        for file in directory.iterdir():
            file.open("rb").close()
    try:
        with Chain.open(directory) as chain:
            return bool(chain.verify().damage)
    except (DamagedError, UnknownTenantError):  # the latter: its manifest is gone
        return True


def _away(at: Places, directory: Path) -> None:
    places.throw_away(at.leaving)
    if directory.exists():
        places.rename(directory, at.leaving)
        places.throw_away(at.leaving)
