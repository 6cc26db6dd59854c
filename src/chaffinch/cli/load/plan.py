"""`chaffinch load plan`: what fits into so much memory, and a short run that proves it."""

import contextlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import click
import msgspec

from chaffinch.cli import options
from chaffinch.cli.exits import exits
from chaffinch.cli.load import asked, shown
from chaffinch.errors import InputError, RunError
from chaffinch.load import capacity
from chaffinch.load.capacity import Fit, Measured, Proof
from chaffinch.load.loaded import Loaded
from chaffinch.load.plan import Plan
from chaffinch.load.run import Runner
from chaffinch.load.scenario import units
from chaffinch.load.scenario.address import parse_url
from chaffinch.load.stopping import Stopping

DOES_NOT_FIT = 1
COLUMNS = 80


class Answer(msgspec.Struct, frozen=True):
    """What `--json` prints."""

    fit: Fit
    proof: Proof | None


@click.command("plan")
@click.option("--ram", metavar="SIZE", required=True, help="The memory that there is, such as 2G.")
@click.option("--rate", "-r", metavar="R", help="Requests a second.")
@click.option("--labels", type=int, metavar="N", help="Labels that are told apart.")
@click.option("--concurrency", "-c", type=int, metavar="C", help="Users at once.")
@click.option("--duration", "-d", metavar="D", help="How long.")
@click.option("--transport", type=click.Choice(("plain", "tls", "http2")), default="plain", show_default=True)
@click.option("--threads", type=int, metavar="N", help="Threads that send; as many as the rate needs by default.")
@click.option("--check", is_flag=True, help="Prove it by a short run against a server that is started for it.")
@click.option("--target", metavar="URL", help="With --check: ask for / of this server of yours instead.")
@click.option("--seconds", type=float, default=5.0, show_default=True, help="How long --check runs.")
@options.as_json
@options.placed
@exits(
    {
        0: "it fits, and the run of --check took no more than was computed",
        DOES_NOT_FIT: "it does not fit, the run of --check took more, or it could not run",
        2: "bad input",
    }
)
def command(
    *,
    ram: str,
    rate: str | None,
    labels: int | None,
    concurrency: int | None,
    duration: str | None,
    transport: capacity.Transport,
    threads: int | None,
    check: bool,
    target: str | None,
    seconds: float,
    as_json: bool,
    state: str | None,
    config: str | None,
) -> None:
    """Say what fits into so much memory: the users, labels and intervals that it bounds.

    What is given is planned for, and what is not is computed.
    """
    if target is not None and not check:
        raise InputError("--target goes with --check: give both")
    milliseconds = asked.read("--duration", units.duration_ms, duration)
    fit = capacity.plan_for(
        asked.read("--ram", units.size, ram) or 0,
        asked.read("--rate", units.rate, rate),
        labels,
        concurrency,
        None if milliseconds is None else milliseconds / 1000,
        transport=transport,
        threads=threads,
    )
    proof = _prove(fit, target, seconds) if check and fit.fits else None
    _tell(fit, proof, as_json=as_json)
    if not fit.fits or (proof is not None and not proof.holds):
        raise click.exceptions.Exit(DOES_NOT_FIT)


def _tell(fit: Fit, proof: Proof | None, *, as_json: bool) -> None:
    if as_json:
        shown.tell(msgspec.json.format(msgspec.json.encode(Answer(fit, proof)), indent=2).decode() + "\n")
        return
    lines = capacity.as_text(fit).split("\n")
    if proof is not None:
        lines += ["", proof.sentence]
    shown.tell("\n".join(textwrap.fill(line, COLUMNS) for line in lines) + "\n")


def _prove(fit: Fit, target: str | None, seconds: float) -> Proof:
    if not 0.1 <= seconds <= 3600:
        raise InputError(f"--seconds is {seconds:g}: it must be from 0.1 to 3,600")
    if target is None and fit.asked.transport != "plain":
        raise InputError(f"--check with {fit.asked.transport} needs a server of yours: name it with --target")
    with contextlib.ExitStack() as held:
        if target is None:
            base_url = held.enter_context(answering())
        else:
            try:
                base_url = parse_url(target).origin
            except ValueError as error:
                raise InputError(f"--target: {error}") from None
        stopping = held.enter_context(Stopping())
        return capacity.check(fit, base_url, lambda plan: _measured(plan, stopping), seconds)


@contextlib.contextmanager
def answering() -> Iterator[str]:
    """The URL of a server that runs meanwhile. Raises `RunError` when it cannot start.

    Its module is not imported here: it has asyncio, which would count in the process that is measured, and which no
    `load run` has.
    """
    command = [sys.executable, "-m", "chaffinch.cli.load.answerer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - this program itself
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            url = process.stdout.readline().decode().strip()
            if not url:
                raise RunError("the server for --check did not start: name one of yours with --target")
            yield url
        finally:
            process.stdin.close()


def _measured(plan: Plan, stopping: Stopping) -> Measured:
    result = Runner(Loaded(plan=plan)).run(stopping)
    if not any(result.statuses.values()):
        raise RunError("the target of --check answered nothing, so that nothing is proved: see that it is up")
    notes = tuple(f"Note: {one}." for one in result.notes)
    return Measured(result.memory.peak_rss_bytes, result.requests, result.duration_s, len(result.labels), notes)
