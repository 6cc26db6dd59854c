"""Removing a chain: it is gone from every listing at once, and what a crash leaves is swept by the next removal.

What a killed `train --clean` or import left of it goes with it, and first: so nothing is there that `swap.settle` could
put back into its place.
"""

import contextlib
import shutil
from pathlib import Path

from chaffinch.chain import places, swap
from chaffinch.chain.errors import UnknownTenantError
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


def _away(at: Places, directory: Path) -> None:
    places.throw_away(at.leaving)
    if directory.exists():
        places.rename(directory, at.leaving)
        places.throw_away(at.leaving)
