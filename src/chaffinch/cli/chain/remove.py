"""`chaffinch chain remove`: remove a chain with all its files."""

import sys

import click

from chaffinch.chain import removal
from chaffinch.chain.names import directory_of
from chaffinch.cli import options
from chaffinch.cli.chain import opening, swap
from chaffinch.errors import InputError


@click.command("remove")
@click.argument("tenant")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.placed
def command(tenant: str, yes: bool, state: str | None, config: str | None) -> None:
    """Remove a chain with all its files, damaged or not. Refused while another process writes it."""
    place = options.state_of(state)
    swap.settle(place, tenant)
    there = directory_of(place, tenant).is_dir()
    if not there and not swap.unfinished(place, tenant):
        raise opening.unknown(place, tenant)
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(f"removing {tenant!r} cannot be undone; say --yes to do it without a terminal")
        click.confirm(f"Remove the chain {tenant!r} and all that it learned?", abort=True, err=True)
    if there:
        removal.remove(place, tenant)
    swap.discard(place, tenant)
    print(f"removed {tenant}")
