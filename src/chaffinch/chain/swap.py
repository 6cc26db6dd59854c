"""Putting a chain that was made elsewhere into a tenant's place, so that a kill leaves the old one or the new one.

The swap is: rename `T` to `.T.old`, rename `.T.clean` to `T`, remove `.T.old`, with a sync of the directory after each
rename. So `.T.old` is there only when `.T.clean` was whole, and whoever finds it knows what to do:

| `T` | `.T.clean` | a kill came | what `settle` does |
| --- | --- | --- | --- |
| no | yes | between the renames | rename `.T.clean` to `T`, remove `.T.old` |
| no | no | never; somebody moved files | rename `.T.old` back to `T` |
| yes | no | before `.T.old` was removed | remove `.T.old` |
| yes | yes | never; somebody moved files | refuse, and name the three |

Both happen under the lock of `places.moving`. Whoever opens a chain for writing, which may make it, does so `settled`:
where `T` is away for a moment no other is made.

`.T.clean` is made by one of two, and `.T.clean.plan` says by which, so that neither goes on with the half of the other:

- `train --clean` (`making`), whose plan says what it reads with which options. It holds the writer's lock of `T` from
  beginning to end, since nothing may be learned there that would go away with it, and a lock on the plan. What it left
  when it was stopped is thrown away by whoever has another plan: the same command only begins at the start again.
- `Tenants` (`begun`), whose plan is `ANEW`. What it learns comes from calls, over hours and many processes, and may be
  nowhere else: `train --clean` refuses to throw it away. `T` goes on learning meanwhile; who makes the new chain tells
  both what both are to know. `publish` swaps them, `abandon` throws the new one away.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from chaffinch.chain import places
from chaffinch.chain.names import MANIFEST
from chaffinch.chain.places import Places, moving, still
from chaffinch.errors import InputError, RunError

ANEW: Final = b"anew\n"
"""The plan of a chain that `Tenants` makes."""


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
    """Where a new chain is made: what was left there of the same plan, else nothing.

    Raises `LockedError` if somebody is at it, `RunError` if only `Tenants` may go on with what is there.
    """
    at = places.places(state, tenant)
    with moving(at):
        _begin(at, plan)
    return at.clean


@contextlib.contextmanager
def making(state: Path, tenant: str, plan: bytes) -> Iterator[Path]:
    """The same, and while this lasts nobody else begins one there: for whoever makes the chain in one go."""
    at = places.places(state, tenant)
    with contextlib.ExitStack() as locks:
        with moving(at):
            _begin(at, plan)
            locks.enter_context(places.locked(at.plan))
        yield at.clean


@contextlib.contextmanager
def begun(state: Path, tenant: str) -> Iterator[Path]:
    """Where `Tenants` makes a new chain; while this lasts it stays so, to open it: nobody begins another there."""
    at = places.places(state, tenant)
    while True:
        with still(state, tenant):
            if not at.old.exists() and _has_plan(at, ANEW):
                yield at.clean
                return
        begin(state, tenant, ANEW)


def is_anew(state: Path, tenant: str) -> bool:
    """Whether there is a chain that `Tenants` makes, to take the tenant's place."""
    at = places.places(state, tenant)
    settle(state, tenant)
    with still(state, tenant):
        return _is_anew(at)


def publish(state: Path, tenant: str) -> bool:
    """Put the chain that `Tenants` made into the tenant's place, if there is one; whether the tenant has a chain then.

    Both must be closed here. May be done again after a kill at any moment. Raises `LockedError` if another process has
    one of both open for writing: then nothing is changed.
    """
    at = places.places(state, tenant)
    with moving(at):
        _settle(at)
        if _is_anew(at):
            with places.held(at.chain), places.held(at.clean):
                _swap(at)
        elif _has_plan(at, ANEW) and not at.clean.exists():  # a kill came right after the renames
            at.plan.unlink()
        return at.chain.exists()


def abandon(state: Path, tenant: str, plan: bytes) -> None:
    """Throw away what was made of a plan, or is left of such a throwing away, if it is there. It must be closed."""
    at = places.places(state, tenant)
    with moving(at), places.reported(at.clean):
        _settle(at)
        if not at.plan.exists() or _has_plan(at, plan):
            with places.held(at.clean):
                _empty(at)


def replace(state: Path, tenant: str, *, there: bool) -> None:
    """Put the chain that `begin` gave the place for into the tenant's place. It must be closed.

    `there` is what `held` said, which still holds. Raises `RunError` if that is not so any more.
    """
    at = places.places(state, tenant)
    with moving(at):
        if at.chain.exists() != there:
            raise RunError(f"{at.chain} was {'removed' if there else 'made'} meanwhile: give the same command again")
        _swap(at)


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


def _begin(at: Places, plan: bytes) -> None:
    _settle(at)
    if plan != ANEW and _is_anew(at):
        raise RunError(
            f"{at.clean} is being made by a program, such as the bot, to take the place of {at.chain}: let it end or "
            f"cancel it there, or, if nothing makes it any more, remove {at.clean} and {at.plan}"
        )
    with places.reported(at.clean), places.locked(at.plan), places.held(at.clean):
        if not _has_plan(at, plan):
            _empty(at)
            places.write(at.plan, plan)


def _has_plan(at: Places, plan: bytes) -> bool:
    return at.plan.is_file() and at.plan.read_bytes() == plan


def _is_anew(at: Places) -> bool:
    return (at.clean / MANIFEST).is_file() and _has_plan(at, ANEW)


def _empty(at: Places) -> None:
    """Throw away the chain that was to follow. Its plan goes first, and for good: nobody goes on with half of it."""
    at.plan.unlink(missing_ok=True)
    places.sync(at.plan.parent)
    places.throw_away(at.clean)
    places.sync(at.plan.parent)


def _swap(at: Places) -> None:
    if at.chain.exists():
        places.rename(at.chain, at.old)
    places.rename(at.clean, at.chain)
    at.plan.unlink(missing_ok=True)
    places.throw_away(at.old)
