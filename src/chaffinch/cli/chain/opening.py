"""Opening a tenant's chain for a command, after what a kill left of a replacement was settled."""

from collections.abc import Sequence
from pathlib import Path

import click

from chaffinch.chain import swap
from chaffinch.chain.engine import Chain
from chaffinch.chain.errors import UnknownTenantError
from chaffinch.chain.names import MANIFEST, directory_of, tenants_in
from chaffinch.chain.places import still
from chaffinch.chain.results import Options
from chaffinch.config import ChainSettings

CHANGEABLE = ("backward", "max_copied_tokens", "min_authors", "support")
"""The options that a merge can change; the others say how text became tokens."""


def reading(state: Path, tenant: str) -> Chain:
    """The tenant's chain for reading: takes no lock, and works while another process writes it."""
    directory = directory_of(state, tenant)
    if not (directory / MANIFEST).is_file():
        swap.settle(state, tenant)
        if not directory.is_dir():
            raise unknown(state, tenant)
    with still(state, tenant):
        return Chain.open(directory)


def writing(
    state: Path, tenant: str, settings: ChainSettings, create: Options | None = None, names: Sequence[str] = ()
) -> Chain:
    """The tenant's chain for writing, made with `create` if there is none."""
    directory = directory_of(state, tenant)
    with swap.settled(state, tenant, make=create is not None):
        if create is None and not directory.is_dir():
            raise unknown(state, tenant)
        return Chain.open(directory, write=True, create=create, names=names, segment_memory=settings.segment_memory)


def settle_all(state: Path) -> None:
    """Finish what kills interrupted for all chains; where that cannot be done, say so."""
    for problem in swap.settle_all(state):
        click.echo(f"chaffinch: {problem}", err=True)


def unknown(state: Path, tenant: str) -> UnknownTenantError:
    """There is no such chain; which there are, or how to make it."""
    import difflib

    known = tenants_in(state)
    close = difflib.get_close_matches(tenant, known, n=1)
    if close:
        hint = f"did you mean {close[0]!r}?"
    elif known:
        hint = "`chaffinch chain list` shows those there are"
    else:
        hint = f"`chaffinch chain train {tenant} FILE` makes it"
    return UnknownTenantError(f"there is no chain {tenant!r} in {state}; {hint}")
