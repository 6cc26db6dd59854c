"""`chaffinch chain list`: the chains of a state directory."""

from pathlib import Path

import click
import msgspec

from chaffinch.chain.errors import UnknownTenantError
from chaffinch.chain.names import tenants_in
from chaffinch.cli import options, text
from chaffinch.cli.chain import opening, shown
from chaffinch.errors import RunError


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One chain."""

    tenant: str
    messages: int | None = None
    """This and what follows are left out where the chain cannot be opened."""
    bytes: int | None = None
    """Bytes of all files."""
    order: int | None = None
    guarded: bool | None = None
    problem: str | None = None
    """Why it cannot be opened, or what of it is damaged; left out where nothing is."""


@click.command("list")
@shown.prints(Row, "an array")
@options.placed
def command(as_json: bool, state: str | None, config: str | None) -> int:
    """List the chains. One that is damaged is listed with what is wrong, and the exit code is 1."""
    place = options.state_of(state)
    opening.settle_all(place)
    found = (_row(place, tenant) for tenant in tenants_in(place))
    rows = [row for row in found if row is not None]
    if as_json:
        text.json_array(rows)
    elif not rows:
        print(f"there are no chains in {place}; `chaffinch chain train TENANT FILE` makes one")
    else:
        text.table(("TENANT", "MESSAGES", "SIZE", "ORDER", "GUARDED", "PROBLEM"), map(_cells, rows))
    return int(any(row.problem for row in rows))


def _row(state: Path, tenant: str) -> Row | None:
    try:
        with opening.reading(state, tenant) as chain:
            stats = chain.stats()
    except UnknownTenantError:
        return None  # removed since it was listed
    except RunError as error:
        return Row(tenant, problem=str(error))
    problem = "; ".join(stats.damage) or None
    return Row(tenant, stats.messages, stats.bytes, stats.options.order, stats.options.guarded, problem)


def _cells(row: Row) -> tuple[str, ...]:
    if row.messages is None or row.bytes is None:
        return row.tenant, "-", "-", "-", "-", shown.line(row.problem or "")
    guarded = "yes" if row.guarded else "no"
    return row.tenant, f"{row.messages:,}", text.size(row.bytes), str(row.order), guarded, shown.line(row.problem or "")
