"""`chaffinch chain stats`: one chain in numbers."""

import click
import msgspec

from chaffinch.chain.results import Stats
from chaffinch.cli import options, text
from chaffinch.cli.chain import opening, shown


class Row(Stats, frozen=True, kw_only=True):
    """A chain in numbers, and whose it is."""

    tenant: str
    """Whose chain it is."""


@click.command("stats")
@click.argument("tenant")
@shown.prints(Row)
@options.placed
def command(tenant: str, as_json: bool, state: str | None, config: str | None) -> None:
    """Show a chain in numbers: what it holds, what it was made with, what it cut, and what is damaged."""
    with opening.reading(options.state_of(state), tenant) as chain:
        stats = chain.stats()
    if as_json:
        print(shown.as_json(Row(tenant=tenant, **msgspec.structs.asdict(stats))))
        return
    for name, value in _rows(stats):
        print(f"{name:<20} {value}")
    for sentence in stats.damage:
        print(f"damage: {shown.line(sentence)}")


def _rows(stats: Stats) -> list[tuple[str, str]]:
    rows = []
    for name, value in msgspec.structs.asdict(stats).items():
        if name in ("bytes", "memory_bytes"):
            rows.append((name, f"{value:,} ({text.size(value)})"))
        elif isinstance(value, int):
            rows.append((name, f"{value:,}"))
    rows += [(name, f"{count:,}") for name, count in sorted(stats.counters.items())]
    for name, value in msgspec.structs.asdict(stats.options).items():
        rows.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return rows
