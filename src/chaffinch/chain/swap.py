"""Putting a chain that was made elsewhere into a tenant's place, so that a kill leaves the old one or the new one.

The swap is: rename `T` to `.T.old`, rename `.T.clean` to `T`, remove `.T.old`, with a sync of the directory after each
rename. So `.T.old` is there only when `.T.clean` was whole, and whoever finds it knows what to do:

| `T` | `.T.clean` | a kill came | what `settle` does |
| --- | --- | --- | --- |
| no | yes | between the renames | rename `.T.clean` to `T`, remove `.T.old` |
| no | no | never; somebody moved files | rename `.T.old` back to `T` |
| yes | no | before `.T.old` was removed | remove `.T.old` |
| yes | yes | never; somebody moved files | refuse, and name the three |

Both happen under the lock of `places.moving`. Whoever makes `.T.clean` holds the writer's lock of `T` from beginning to
end: nothing is learned there that would go away with it. Whoever opens a chain for writing, which may make it, does so
`settled`: where `T` is away for a moment no other is made.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from chaffinch.chain import places
from chaffinch.chain.places import Places, moving
from chaffinch.errors import InputError, RunError


def settle(state: Path, tenant: str) -> None:
    """Finish what a kill interrupted. Costs one look at the directory when there is nothing."""
    at = places.places(state, tenant)
    if at.old.exists():
        with moving(at):
            _settle(at)


def settle_all(state: Path) -> list[str]:
    """The same for every tenant; a sentence for each for which it cannot be done."""
    problems = []
    for left in (state / "chains").glob(".*.old"):
        try:
            settle(state, left.name.removeprefix(".").removesuffix(".old"))
        except InputError:
            continue  # no chain's: somebody else's file
        except RunError as error:
            problems.append(str(error))
    return problems


@contextlib.contextmanager
def settled(state: Path, tenant: str, *, make: bool) -> Iterator[None]:
    """While this lasts the tenant's chain is in its place, if there is one: to open it for writing, or to `make` it."""
    at = places.places(state, tenant)
    if make:
        with places.reported(at.chain.parent):
            at.chain.parent.mkdir(parents=True, exist_ok=True)
    while True:
        settle(state, tenant)
        with places.still(state, tenant):
            if not at.old.exists():
                yield
                return


@contextlib.contextmanager
def held(state: Path, tenant: str) -> Iterator[bool]:
    """Hold the writer's lock of the tenant's chain; whether there is one. Raises `LockedError` if somebody has it."""
    at = places.places(state, tenant)
    with places.held(at.chain):
        yield at.chain.exists()


def begin(state: Path, tenant: str, plan: bytes) -> Path:
    """Where `train --clean` makes the new chain: what an earlier run left of the same plan, else nothing."""
    at = places.places(state, tenant)
    with places.reported(at.clean), places.held(at.clean):
        if not (at.plan.is_file() and at.plan.read_bytes() == plan):
            at.plan.unlink(missing_ok=True)
            places.throw_away(at.clean)
            at.plan.parent.mkdir(parents=True, exist_ok=True)
            places.sync(at.plan.parent)
            at.plan.write_bytes(plan)
    return at.clean


def abandon(state: Path, tenant: str) -> None:
    """Throw away what `begin` gave the place for: it cannot be gone on with. It must be closed."""
    at = places.places(state, tenant)
    with places.reported(at.clean), places.held(at.clean):
        at.plan.unlink(missing_ok=True)
        places.throw_away(at.clean)


def replace(state: Path, tenant: str, *, there: bool) -> None:
    """Put the chain that `begin` gave the place for into the tenant's place. It must be closed.

    `there` is what `held` said, which still holds. Raises `RunError` if that is not so any more.
    """
    at = places.places(state, tenant)
    with moving(at):
        if at.chain.exists() != there:
            raise RunError(f"{at.chain} was {'removed' if there else 'made'} meanwhile: give the same command again")
        if there:
            places.rename(at.chain, at.old)
        places.rename(at.clean, at.chain)
        at.plan.unlink(missing_ok=True)
        places.throw_away(at.old)


@contextlib.contextmanager
def importing(state: Path, tenant: str) -> Iterator[Path]:
    """Where an import is made; what an earlier one left there is removed, and what this one leaves.

    Raises `LockedError` if another process imports there.
    """
    at = places.places(state, tenant)
    with places.reported(at.incoming), places.claimed(at.incoming):
        inside = at.incoming / "chain"
        places.throw_away(inside)
        try:
            yield inside
        finally:
            places.throw_away(at.incoming)


def place(state: Path, tenant: str, beside: Path) -> bool:
    """Put a chain that is closed into the tenant's place; false if something is there."""
    at = places.places(state, tenant)
    with moving(at):
        if at.chain.is_symlink() or at.chain.exists():
            return False
        places.rename(beside, at.chain)
    return True


def withdraw(state: Path, tenant: str) -> None:
    """Throw a chain away that the caller just made and still holds for writing."""
    at = places.places(state, tenant)
    with moving(at):
        places.throw_away(at.leaving)
        places.rename(at.chain, at.leaving)
        places.throw_away(at.leaving)


def _settle(at: Places) -> None:
    if not at.old.exists():
        return
    if not at.chain.exists():
        places.rename(at.clean if at.clean.exists() else at.old, at.chain)
    elif at.clean.exists():
        raise RunError(
            f"{at.chain} was made while it was being replaced: {at.old} is the chain before it and {at.clean} the one "
            "that was to follow; move away the two that are not wanted, and the one that is to its place"
        )
    at.plan.unlink(missing_ok=True)
    places.throw_away(at.old)
