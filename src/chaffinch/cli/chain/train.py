"""`chaffinch chain train`: learn messages from files."""

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from chaffinch.chain import swap
from chaffinch.chain.candidate import Candidate
from chaffinch.chain.engine import Chain
from chaffinch.chain.names import MANIFEST, directory_of
from chaffinch.chain.results import LURES_MIN_AUTHORS, Options, least_authors
from chaffinch.cli import options
from chaffinch.cli.chain import learning, opening, shown, token_kind
from chaffinch.cli.chain.names import names_in
from chaffinch.cli.chain.sources import STARTERS, Source, sources_of
from chaffinch.config import ChainSettings
from chaffinch.errors import ChaffinchError, InputError, RunError

INTERRUPTED = 130


class Job(msgspec.Struct, frozen=True):
    """What is learned, and by which chain."""

    state: Path
    tenant: str
    sources: tuple[Source, ...]
    options: Options
    """Of a chain that is made."""
    settings: ChainSettings
    names: tuple[str, ...]
    skip_bad: bool

    def plan(self) -> bytes:
        """What tells a training from another: one that is taken up again must be the same."""
        names = hashlib.sha256(msgspec.json.encode(self.names)).hexdigest()
        read = [(source.key, source.format, source.size, source.modified) for source in self.sources]
        return msgspec.json.encode((self.options, names, read, self.skip_bad))


@click.command("train")
@click.argument("tenant")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--format",
    "form",
    type=click.Choice(("auto", "lines", "json", "ndjson", "discord", "mbox")),
    default="auto",
    help="What the files are; found out by default.",
)
@click.option("--starter", type=click.Choice(STARTERS), multiple=True, help="Learn a starter corpus; may be repeated.")
@click.option("--clean", is_flag=True, help="Replace the chain by a new one with its options, once that is whole.")
@click.option("--skip-bad", is_flag=True, help="Pass over records that cannot be read, and count them.")
@click.option("--order", type=click.IntRange(1, 4), help="How many tokens the next one depends on.")
@click.option(
    "--tokens",
    type=click.Choice(("auto", "words", "segments", "graphemes")),
    help="What a token is; auto looks at the first messages, and takes words for zstd and streams.",
)
@click.option("--backward/--no-backward", default=None, help="Go from the end of a message too.")
@click.option("--guarded/--no-guarded", default=None, help="Replace secrets and personal data before learning.")
@click.option(
    "--min-authors",
    type=click.IntRange(1, 1_000_000),
    help=f"How many must have had a transition before it is used; {LURES_MIN_AUTHORS} for a guarded chain.",
)
@click.option("--support", type=click.Choice(("authors", "messages")), help="What --min-authors counts.")
@click.option("--names", metavar="FILE", help="Names that a guarded chain replaces too from now on, one a line.")
@click.option("--max-copied-tokens", type=click.IntRange(1, 10_000), help="The longest run said as one source has it.")
@shown.prints(learning.Training)
@options.placed
def command(
    tenant: str,
    *,
    files: tuple[str, ...],
    form: str,
    starter: tuple[str, ...],
    clean: bool,
    skip_bad: bool,
    names: str | None,
    as_json: bool,
    state: str | None,
    config: str | None,
    **given: Any,
) -> None:
    """Learn the messages of files.

    A FILE may be compressed (gzip, xz, zstd), a directory (all files below it), or - for standard input. What was
    stopped or killed goes on exactly where it was when the same command is given again, and a file that grew is read
    on; standard input cannot be read again. A bad record ends the training of its file, of which nothing is learned
    then, unless --skip-bad. Options tell a new chain what to be; later ones have to agree.
    """
    place = options.state_of(state)
    directory = directory_of(place, tenant)
    sources = sources_of(files, starter, form)
    settings = options.load(config).chain
    swap.settle(place, tenant)
    asked = {name: value for name, value in given.items() if value is not None}
    there = (directory / MANIFEST).is_file()
    made = clean or not there
    kept: tuple[str, ...] = ()
    if clean and there:
        wanted, kept = _kept(place, tenant, asked)
    else:
        wanted = _options(tenant, asked, settings, sources)
    job = Job(
        place,
        tenant,
        sources,
        wanted,
        settings,
        (*kept, *settings.names, *(names_in(names) if names else ())),
        skip_bad,
    )
    if names and made and not job.options.guarded:
        raise InputError("--names is for a guarded chain, which replaces them: add --guarded")
    with_names = bool(names)
    total = _anew(job) if clean else _on(job, asked, made=made, as_json=as_json, with_names=with_names)
    _tell(job, total, as_json=as_json)
    if total.stopped:
        click.echo(f"stopped; the same command goes on after {total.trained.records:,} records", err=True)
        raise click.exceptions.Exit(INTERRUPTED)


def _on(job: Job, asked: dict[str, Any], *, made: bool, as_json: bool, with_names: bool) -> learning.Total:
    """Train the tenant's chain, making it if there is none. What files before a bad one came to is said here."""
    with opening.writing(job.state, job.tenant, job.settings, create=job.options, names=job.names) as chain:
        # Also of one that was made just now: another process may have been first.
        _refuse_other_options(chain.options, asked, with_names=with_names)
        run = learning.Run(chain, job.sources, skip_bad=job.skip_bad)
        try:
            run.learn()
        except ChaffinchError:
            if run.total.files:
                _tell(job, run.total, as_json=as_json)
            # Nothing is changed by what failed: where there was no chain, there is none.
            if made and not run.total.files and not chain.stats().messages:
                with contextlib.suppress(RunError):
                    swap.withdraw(job.state, job.tenant)
            raise
    return run.total


def _anew(job: Job) -> learning.Total:
    """Train a new chain beside the tenant's, then put it in its place.

    What stopped this or killed it can be gone on with; a file that cannot be learned ends it for good.
    """
    plan = job.plan()
    with swap.held(job.state, job.tenant) as there, swap.making(job.state, job.tenant, plan) as beside:
        try:
            most = job.settings.segment_memory
            with Chain.open(beside, write=True, create=job.options, names=job.names, segment_memory=most) as chain:
                run = learning.Run(chain, job.sources, skip_bad=job.skip_bad)
                run.learn()
        except InputError:
            swap.abandon(job.state, job.tenant, plan)
            raise
        if not run.total.stopped:
            swap.replace(job.state, job.tenant, there=there)
    return run.total


def _tell(job: Job, total: learning.Total, *, as_json: bool) -> None:
    print(learning.as_json(job.tenant, total) if as_json else learning.summary(total))


def _options(tenant: str, asked: dict[str, Any], settings: ChainSettings, sources: Sequence[Source]) -> Options:
    """What the tenant's chain is made with: flags over its configuration."""
    made = Candidate(settings).options(tenant)
    if "tokens" not in asked and made.mode == "words":
        asked = {**asked, "tokens": "auto"}
    if asked.get("tokens") == "auto":
        made = msgspec.structs.replace(made, mode=token_kind.suggested(sources[0].path))
    return _with_flags(made, asked, least=settings.min_authors)


def _kept(state: Path, tenant: str, asked: dict[str, Any]) -> tuple[Options, tuple[str, ...]]:
    """What a chain is made with that takes another's place: what that one has, with flags over it; and its names.

    So a guarded chain does not lose its guard because nobody thought of it.
    """
    names: tuple[str, ...] = ()
    try:
        with opening.reading(state, tenant) as chain:
            has, names = chain.options, chain.names
    except RunError as error:
        if "guarded" not in asked:
            raise RunError(f"{error}; to replace it say --guarded or --no-guarded, and every other option") from None
        has = Options()
    return _with_flags(has, asked, least=has.min_authors), names


def _with_flags(options: Options, asked: dict[str, Any], *, least: int) -> Options:
    """Options with what the flags say over them; of `least` authors if the guard is put in or taken away."""
    changed = {"mode" if flag == "tokens" else flag: value for flag, value in asked.items() if value != "auto"}
    guarded = changed.get("guarded", options.guarded)
    if guarded != options.guarded:
        changed.setdefault("min_authors", least_authors(least, guarded=guarded))
    return msgspec.structs.replace(options, **changed)


def _refuse_other_options(has: Options, asked: dict[str, Any], *, with_names: bool) -> None:
    """Options of a chain that is there stay what they are."""
    if with_names and not has.guarded:
        raise InputError("--names is for a guarded chain, which this one is not; train a new one with --clean")
    for flag, value in asked.items():
        name = "mode" if flag == "tokens" else flag
        there = getattr(has, name)
        if value in (there, "auto"):
            continue
        has_it = str(there).lower() if isinstance(there, bool) else there
        how = (
            f"`chaffinch chain merge --{flag.replace('_', '-')}` changes it, or " if flag in opening.CHANGEABLE else ""
        )
        raise InputError(
            f"--{flag.replace('_', '-')}: the chain has {has_it}, and keeps what it was made with; "
            f"{how}train a new one with --clean"
        )
