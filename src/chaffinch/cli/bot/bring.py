"""`chaffinch bot import`: a guild's messages from what an older bot left, or from exports of its channels."""

from pathlib import Path

import click

from chaffinch.cli import options
from chaffinch.cli.bot.brought import Brought
from chaffinch.cli.chain import shown

STOPPED = 130


@click.command("import")
@click.argument("path", metavar="FILE|DIR")
@click.option("--guild", type=click.IntRange(1, 2**63 - 1), required=True, metavar="ID", help="Whose chain learns it.")
@click.option("--older-settings", metavar="FILE", help="JSON5 settings of the older bot, for what ours do not say.")
@click.option("--skip-bad", is_flag=True, help="Pass over records that cannot be read, and count them.")
@shown.prints(Brought)
@options.placed
def command(
    path: str,
    *,
    guild: int,
    older_settings: str | None,
    skip_bad: bool,
    as_json: bool,
    state: str | None,
    config: str | None,
) -> None:
    """Learn what an older bot left, or an export.

    FILE is the SQLite database of an older bot, JSON that it exported or was trained with, or what DiscordChatExporter
    wrote; of a folder all such files are read. Ids, authors, channels and times are kept where the file has them, and
    the channels that a database says are listened to are taken over. A chain that is made has the older bot's
    STATE_SIZE, from its variables or settings file, unless ours say chain.order. What was stopped or killed goes on
    when the same command is given again. The bot must not run meanwhile.
    """
    import asyncio

    from chaffinch.chain.candidate import Candidate
    from chaffinch.chat.names import tenant_of
    from chaffinch.chat.older.settings import merged
    from chaffinch.chat.older.sources import look
    from chaffinch.cli.bot.bringing import bring
    from chaffinch.cli.chain import opening

    place = options.state_of(state)
    ours = merged(options.load(config), older_settings, only="chain.")
    for line in ours.said:
        click.echo(line, err=True)
    settings = ours.config.chain
    found = look(Path(path))
    opening.settle_all(place)
    made = Candidate(settings).options(tenant_of(guild))
    done = asyncio.run(bring(place, guild, found, made, settings, skip_bad=skip_bad))
    print(shown.as_json(done) if as_json else summary(done))
    if done.stopped:
        click.echo("stopped; the same command goes on", err=True)
        raise click.exceptions.Exit(STOPPED)


def summary(done: Brought) -> str:
    """What it did, to read."""
    pace = done.learned / done.seconds if done.seconds else 0.0
    learned, files = shown.counted(done.learned, "message"), shown.counted(done.files, "file")
    lines = [f"learned {learned} of {files} in {done.seconds:.2f} s ({pace:,.0f} a second), for {done.tenant}"]
    for count, what in (
        (done.channels, "taken over: channels to listen to or to answer in"),
        (done.duplicates, "known by id: not learned again"),
        (done.resumed, "passed over: learned from there before"),
        (done.empty, "empty: nothing to learn in them"),
        (done.left_out, "left out: of bots, or without text of their own"),
        (done.no_room, "not learned: the vocabulary is full"),
        (done.bad, "bad, passed over"),
        (done.damaged, "damaged: without their attachments, or no text"),
        (done.forgotten, "forgotten: of members who do not want to be learned from"),
        (done.passed_over, "files passed over: no messages in them"),
    ):
        if count:
            lines.append(f"{count:,} {what}")
    return "\n".join(lines)
