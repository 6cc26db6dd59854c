"""`chaffinch chain generate`: make new messages. Reads only, so it runs beside whoever writes the chain."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, cast

import click
import msgspec

from chaffinch._core import Ask
from chaffinch.chain.engine import Asked, Chain, asked, mix
from chaffinch.chain.errors import NothingNewError
from chaffinch.chain.results import Reference, Said
from chaffinch.cli import options
from chaffinch.cli.chain import opening, shown
from chaffinch.errors import InputError

BATCH = 10_000
"""Messages made at once: what is held in memory."""

SEEDS = 1 << 64

STRIDE = 0x9E3779B97F4A7C15
"""Between the seeds of two batches: odd, so that no two of one run are the same, and far from what a user tries."""


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message as JSON."""

    text: str
    score: int
    """The sum over drawn tokens of the successors there were, less one each: 0 is a source's own path."""
    tries: int
    """How many were made until this one met what was asked."""
    references: list[Reference] | None = None
    """With `--references`, the source messages that share most with it."""


@click.command("generate")
@click.argument("tenant")
@click.option("-n", "--count", type=click.IntRange(min=1), default=1, help="How many messages.", show_default=True)
@click.option("--seed", metavar="TEXT", help="Go on from the last words of this.")
@click.option("--starting", metavar="TEXT", help="Begin with these words.")
@click.option("--containing", metavar="TEXT", help="Have these words in it.")
@click.option("--ending", metavar="TEXT", help="End with these words.")
@click.option("--rng-seed", type=click.IntRange(0, SEEDS - 1), help="The same number makes the same messages.")
@click.option("--max-tries", type=click.IntRange(1, 0xFFFFFFFF), default=1000, show_default=True, help="A message.")
@click.option("--min-score", type=click.IntRange(min=0), default=0, help="Choices there were, at least.")
@click.option("--min-tokens", type=click.IntRange(0, 10_000), default=1, help="At least so many tokens.")
@click.option("--max-tokens", type=click.IntRange(1, 10_000), default=200, show_default=True, help="At most so many.")
@click.option("--max-bytes", type=click.IntRange(1, 0xFFFFFFFF), default=2000, show_default=True, help="Of UTF-8.")
@click.option("--copies", is_flag=True, help="Allow what a source message says.")
@click.option("--mix", "mixed", multiple=True, metavar="TENANT=WEIGHT", help="Let another chain speak along.")
@click.option("--references", is_flag=True, help="Show the source messages that share most with each.")
@shown.prints(Told, "one object a line")
@options.placed
def command(
    tenant: str,
    *,
    count: int,
    rng_seed: int | None,
    copies: bool,
    mixed: tuple[str, ...],
    references: bool,
    as_json: bool,
    state: str | None,
    config: str | None,
    **bounds: Any,
) -> None:
    """Make new messages, one a line: none equals a message that was learned, and no long run comes from one.

    With --json one object a line: text, score (over how many choices it went), tries. --mix may be repeated; the
    tenant's own weight is 1 unless it is named too. Exit code 1 when nothing new can be said.
    """
    if bounds["min_tokens"] > bounds["max_tokens"]:
        raise InputError(f"--min-tokens {bounds['min_tokens']} is above --max-tokens {bounds['max_tokens']}")
    place = options.state_of(state)
    ask = asked(cast(Asked, {"novel": not copies, **bounds}))
    with contextlib.ExitStack() as opened:
        chains = [
            (opened.enter_context(opening.reading(place, name)), weight)
            for name, weight in _weights(tenant, mixed).items()
        ]
        made = 0
        while made < count:
            seed = None if rng_seed is None else (rng_seed + made // BATCH * STRIDE) % SEEDS
            wanted = min(BATCH, count - made)
            said = _say(chains, wanted, seed, ask, made)
            sys.stdout.write("".join(_lines(chains, said, as_json=as_json, references=references)))
            made += len(said)
            if len(said) < wanted:
                short = f"made {made:,} of {count:,}: no more could be made within {bounds['max_tries']:,} tries"
                click.echo(f"chaffinch: {short}; teach it more, or ask for less", err=True)
                break


def _say(chains: list[tuple[Chain, int]], wanted: int, seed: int | None, ask: Ask, made: int) -> list[Said]:
    """The next batch; empty when nothing more can be made after some were."""
    try:
        if len(chains) == 1:
            return chains[0][0].say(wanted, rng_seed=seed, ask=ask)
        return mix(chains, wanted, rng_seed=seed, ask=ask)
    except NothingNewError:
        if made:
            return []
        raise


def _lines(chains: list[tuple[Chain, int]], said: list[Said], *, as_json: bool, references: bool) -> Iterator[str]:
    for one in said:
        near = [found for chain, _ in chains for found in chain.references(one.text)] if references else None
        if as_json:
            yield shown.as_json(Told(one.text, one.score, one.tries, near)) + "\n"
            continue
        yield shown.line(one.text) + "\n"
        for found in near or ():
            by = f" by {found.author}" if found.author else ""
            yield shown.line(f"  {found.id}{by}, {found.shared} shared: {found.text}") + "\n"


def _weights(tenant: str, mixed: tuple[str, ...]) -> dict[str, int]:
    weights = {tenant: 1}
    for one in mixed:
        name, _, weight = one.rpartition("=")
        if not name or not (weight.isascii() and weight.isdecimal()):
            raise InputError(f"--mix {one!r} is not TENANT=WEIGHT; write such as --mix {tenant}-jokes=2")
        weights[name] = min(int(weight), 0xFFFFFFFF)
    if not any(weights.values()):
        raise InputError(f"no chain of the mix has a weight above 0; give one, such as --mix {tenant}=1")
    return weights
