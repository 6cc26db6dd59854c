"""`chaffinch chain verify`: read every file against its checksums."""

from pathlib import Path

import click
import msgspec

from chaffinch.chain.names import tenants_in
from chaffinch.chain.results import Verified
from chaffinch.cli import options, text
from chaffinch.cli.chain import opening, shown
from chaffinch.errors import InputError, RunError


class Row(msgspec.Struct, frozen=True):
    """What came of one chain."""

    tenant: str
    files: int
    """Files that were read."""
    bytes: int
    damage: tuple[str, ...]
    """One sentence for each fault; empty where there is none."""


@click.command("verify")
@click.argument("tenant", required=False)
@click.option("--all", "every", is_flag=True, help="All chains.")
@shown.prints(Row, "an array")
@options.placed
def command(tenant: str | None, every: bool, as_json: bool, state: str | None, config: str | None) -> int:
    """Read every file of a chain against its checksums. Each fault is a line, and makes the exit code 1."""
    if (tenant is None) != every:
        raise InputError("name one chain to verify, or all with --all")
    place = options.state_of(state)
    if every:
        opening.settle_all(place)
    tenants = tenants_in(place) if tenant is None else [tenant]
    rows = [_verified(place, one) for one in tenants]
    if as_json:
        text.json_array(rows)
    else:
        _show(rows)
    return int(any(row.damage for row in rows))


def _verified(state: Path, tenant: str) -> Row:
    try:
        with opening.reading(state, tenant) as chain:
            found = chain.verify()
    except RunError as error:
        found = Verified(damage=(str(error),))
    return Row(tenant, found.files, found.bytes, found.damage)


def _show(rows: list[Row]) -> None:
    for row in rows:
        for sentence in row.damage:
            print(f"{row.tenant}: {shown.line(sentence)}")
        if not row.damage:
            print(f"{row.tenant}: {row.files:,} files, {text.size(row.bytes)}, all as they were written")
    if not rows:
        print("there are no chains")
