"""`chaffinch chain remove`: remove a chain with all its files."""

import sys

import click

from chaffinch.chain import removal
from chaffinch.cli import options
from chaffinch.cli.chain import opening
from chaffinch.errors import InputError


@click.command("remove")
@click.argument("tenant")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.placed
def command(tenant: str, yes: bool, state: str | None, config: str | None) -> None:
    """Remove a chain with all its files, damaged or not. Refused while another process writes it."""
    place = options.state_of(state)
    if not removal.is_there(place, tenant):
        raise opening.unknown(place, tenant)
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(f"removing {tenant!r} cannot be undone; say --yes to do it without a terminal")
        click.confirm(f"Remove the chain {tenant!r} and all that it learned?", abort=True, err=True)
    removal.remove(place, tenant)
    print(f"removed {tenant}")
