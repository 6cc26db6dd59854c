"""`chaffinch chain forget`: forget messages, exactly."""

from datetime import UTC, datetime

import click
import msgspec

from chaffinch.cli import options
from chaffinch.cli.chain import opening, shown
from chaffinch.errors import InputError


class Forgotten(msgspec.Struct, frozen=True):
    """What was forgotten."""

    tenant: str
    forgotten: int
    """Messages that were known and are not any more."""
    dropped: int | None
    """With `--merge`, forgotten messages that are gone from the disk; else null."""


@click.command("forget")
@click.argument("tenant")
@click.option("--message", metavar="ID", help="The message of this id.")
@click.option("--author", metavar="AUTHOR", help="All messages of this author.")
@click.option("--channel", metavar="CHANNEL", help="All messages of this channel.")
@click.option("--before", metavar="TIME", help="All messages before this date, or date and time (ISO 8601, else UTC).")
@click.option("--merge", is_flag=True, help="Take them off the disk at once.")
@shown.prints(Forgotten)
@options.placed
def command(
    tenant: str,
    *,
    message: str | None,
    author: str | None,
    channel: str | None,
    before: str | None,
    merge: bool,
    as_json: bool,
    state: str | None,
    config: str | None,
) -> None:
    """Forget messages, exactly: answers are then what they would be had these never been learned.

    Say which by one of the options. They are out of every answer at once, and physically gone after the next merge.
    """
    given = [one for one in (message, author, channel, before) if one is not None]
    if len(given) != 1 or not given[0]:
        raise InputError("say what to forget by exactly one of --message, --author, --channel and --before")
    until = None if before is None else _moment(before)
    with opening.writing(options.state_of(state), tenant, options.load(config).chain) as chain:
        count = chain.forget(message=message, author=author, channel=channel, before=until)
        dropped = chain.merge().dropped if merge else None
        waits = chain.stats().forgotten > 0
    if as_json:
        print(shown.as_json(Forgotten(tenant, count, dropped)))
        return
    print(f"forgot {shown.counted(count, 'message')}")
    if dropped is not None:
        print(f"{shown.counted(dropped, 'forgotten message is', 'forgotten messages are')} gone from the disk")
    elif waits:
        print(f"they are in files until the next merge: `chaffinch chain merge {tenant}`, or --merge here")


def _moment(given: str) -> datetime:
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise InputError(f"{given!r} is no time: write such as 2026-05-17 or 2026-05-17T09:30:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
