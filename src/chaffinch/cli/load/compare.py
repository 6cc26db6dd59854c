"""`chaffinch load compare`: what changed from one run to another."""

from pathlib import Path

import click

from chaffinch.cli import options
from chaffinch.cli.exits import exits
from chaffinch.cli.load import asked, shown
from chaffinch.load import compare, result_files
from chaffinch.load.scenario import units

WORSE = 99


@click.command("compare")
@click.argument("before", metavar="A.json")
@click.argument("after", metavar="B.json")
@click.option("--noise", metavar="P", default="5%", show_default=True, help="Changes up to this are none.")
@click.option("--fail-if-worse", is_flag=True, help=f"Exit {WORSE} when a measure of the whole got worse.")
@options.as_json
@options.placed
@exits({0: "compared", 2: "bad input", WORSE: "with --fail-if-worse: a measure of the whole got worse"})
def command(
    before: str, after: str, *, noise: str, fail_if_worse: bool, as_json: bool, state: str | None, config: str | None
) -> None:
    """Show what changed from one run to another.

    A.json and B.json are what `load run --json` wrote. Latencies that are lower, rates that are higher and errors that
    are fewer are better; what differs by less than the noise is the same.
    """
    share = asked.read("--noise", units.percent, noise)
    found = compare.compare(
        result_files.read(Path(before)), result_files.read(Path(after)), compare.NOISE if share is None else share
    )
    shown.tell(found.to_json().decode() if as_json else compare.as_text(found))
    if fail_if_worse and found.is_worse:
        raise click.exceptions.Exit(WORSE)
