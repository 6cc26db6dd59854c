"""`chaffinch chain merge`: write a chain anew without what was forgotten."""

from typing import Any

import click
import msgspec

from chaffinch.cli import options
from chaffinch.cli.chain import opening, shown


class Rewritten(msgspec.Struct, frozen=True):
    """What a merge did."""

    tenant: str
    messages: int
    """Messages that were written anew."""
    segments_before: int
    segments: int
    dropped: int
    """Forgotten messages that are gone from the disk."""


@click.command("merge")
@click.argument("tenant")
@click.option("--whole", is_flag=True, help="Everything, into as few segments as can be.")
@click.option("--backward/--no-backward", default=None, help="Whether it goes from the end of a message too.")
@click.option("--max-copied-tokens", type=click.IntRange(1, 10_000), help="The longest run said as one source has it.")
@click.option("--min-authors", type=click.IntRange(1, 1_000_000), help="How many must have had a transition.")
@click.option("--support", type=click.Choice(("authors", "messages")), help="What --min-authors counts.")
@shown.prints(Rewritten)
@options.placed
def command(tenant: str, whole: bool, as_json: bool, state: str | None, config: str | None, **changed: Any) -> None:
    """Write what is new, and what it pays to touch, into new segments; what was forgotten is gone then.

    A changed option writes everything anew. Who generates meanwhile goes on.
    """
    with opening.writing(options.state_of(state), tenant, options.load(config).chain) as chain:
        has = chain.options
        wanted = msgspec.structs.replace(has, **{name: value for name, value in changed.items() if value is not None})
        merged = chain.merge(whole=whole, options=None if wanted == has else wanted)
    if as_json:
        print(shown.as_json(Rewritten(tenant, **msgspec.structs.asdict(merged))))
        return
    wrote, now = shown.counted(merged.messages, "message"), shown.counted(merged.segments, "segment")
    print(f"wrote {wrote} anew, {now} instead of {merged.segments_before:,}")
    print(f"{shown.counted(merged.dropped, 'forgotten message is', 'forgotten messages are')} gone from the disk")
