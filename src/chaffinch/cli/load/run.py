"""`chaffinch load run`: send requests, and say how they were answered."""

import functools
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from chaffinch.cli import options
from chaffinch.cli.exits import exits
from chaffinch.cli.load import asked, notice, outputs, shown, summary
from chaffinch.cli.load.following import Following
from chaffinch.cli.load.memory_profile import MemoryProfile
from chaffinch.errors import InputError
from chaffinch.load import figures
from chaffinch.load.error_classes import explain
from chaffinch.load.reload import Reload
from chaffinch.load.results import Result
from chaffinch.load.run import Runner
from chaffinch.load.scenario import units
from chaffinch.load.stopping import Stopping

FAILED: Final = 1
CROSSED: Final = 99
TOO_SHORT_S: Final = 0.25
"""A run this short may have had no time to send anything to a target that is well."""

SIGNALLED: Final = 128
"""To which the number of the signal is added."""

EXITS: Final = {
    0: "the run went as it was asked, whatever the answers were",
    FAILED: "requests were made and not one was answered, the system refused, memory could not be held, or a report "
    "could not be written",
    2: "bad input; nothing was sent",
    CROSSED: "a threshold was crossed, or there was nothing to measure it by; this decides over all but 2",
    SIGNALLED + signal.SIGINT: "stopped by Ctrl-C; the figures are those of what ran",
    SIGNALLED + signal.SIGTERM: "the same, by SIGTERM",
}


class Outputs(msgspec.Struct, frozen=True):
    """Where results go; None: nowhere."""

    json: str | None
    html: str | None
    csv: str | None
    quiet: bool


def _of_a_url(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say what is sent to a URL."""
    for option in (
        click.option("--body-file", metavar="FILE", help="Send the text of a file, by POST."),
        click.option("--body", metavar="TEXT", help="Send this, by POST unless --method says otherwise."),
        click.option("--header", "-H", multiple=True, metavar="'NAME: VALUE'", help="Send a header; may be repeated."),
        click.option("--method", "-X", metavar="M", help="The method of a URL's requests; GET by default."),
    ):
        command = option(command)
    return command


def _of_the_load(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say how much is sent, and for how long."""
    for option in (
        click.option(
            "--model",
            metavar="M",
            help="closed, constant:500, ramp:10-500:1m, daily:10-50-100:24h, steps:100*30s,200*1m or replay:FILE:1s.",
        ),
        click.option("--requests", "-n", type=int, metavar="N", help="End after so many requests."),
        click.option("--duration", "-d", metavar="D", help="How long: 30s, 5m, 1h30m; 10s by default."),
        click.option(
            "--concurrency", "-c", type=int, metavar="C", help="Users at once: 10, or at most 1,000 with a rate."
        ),
        click.option("--rate", "-r", metavar="R", help="Begin so many a second, whatever the answers do: 500, 30/m."),
    ):
        command = option(command)
    return command


def _of_the_transport(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say how connections are made."""
    for option in (
        click.option("--compression", is_flag=True, help="Ask for compressed answers."),
        click.option("--no-keepalive", is_flag=True, help="Make a connection for each request."),
        click.option("--resolve", multiple=True, metavar="HOST:ADDRESS:PORT", help="Where a host is; may be repeated."),
        click.option("--key", metavar="FILE", help="The key of --cert (PEM)."),
        click.option("--cert", metavar="FILE", help="Who the client is (PEM)."),
        click.option("--ca", metavar="FILE", help="Whom TLS trusts, in place of the system's authorities (PEM)."),
        click.option("--insecure", "-k", is_flag=True, help="Do not verify certificates."),
        click.option("--connect-timeout", metavar="D", help="How long to wait for a connection; 10s by default."),
        click.option("--timeout", metavar="D", help="How long to wait for an answer; 30s by default."),
        click.option("--connections", type=int, metavar="N", help="Connections at once at most."),
        click.option("--threads", type=int, metavar="N", help="Threads that send; 1 by default."),
        click.option("--streams", type=int, metavar="N", help="Requests at once on one HTTP/2 connection."),
        click.option("--http2", is_flag=True, help="Speak HTTP/2."),
    ):
        command = option(command)
    return command


def _of_the_figures(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say what is measured, and where that is written."""
    for option in (
        click.option("--seed", type=int, metavar="N", help="Draw the same again."),
        click.option("--profile-memory", is_flag=True, help="Say what held the bytes."),
        click.option(
            "--quiet", "-q", is_flag=True, help="Print no progress, and no summary where a report is written."
        ),
        click.option("--watch", is_flag=True, help="Take over a changed FILE while the run goes on."),
        click.option("--sampling", metavar="P", help="Record the latency by label of so many percent of requests."),
        click.option("--no-percentiles", is_flag=True, help="Keep no percentiles of labels."),
        click.option("--labels", type=int, metavar="N", help="Tell so many labels apart; the rest is __other__."),
        click.option("--csv", metavar="FILE", help="Write each interval as it ends."),
        click.option("--html", metavar="FILE", help="Write a report that needs nothing else; - is standard output."),
        click.option("--json", metavar="FILE", help="Write all figures; - is standard output."),
        click.option(
            "--threshold", multiple=True, metavar="EXPR", help="Exit 99 unless it is kept: 'p99<200ms', 'errors<1%'."
        ),
        click.option(
            "--memory", metavar="SIZE", help="What this process may hold, such as 64M; refuse what cannot fit."
        ),
    ):
        command = option(command)
    return command


@click.command("run")
@click.argument("target", required=False, metavar="[URL|FILE]")
@_of_the_load
@_of_a_url
@_of_the_transport
@_of_the_figures
@click.option("--from-env", is_flag=True, help="Take the run from TARGET_URL and others, or lay them over FILE.")
@options.placed
@exits(EXITS)
def command(target: str | None, *, from_env: bool, state: str | None, config: str | None, **given: Any) -> None:
    """Send requests to a URL, or those of a scenario FILE, and say how they were answered.

    With --rate an open model: requests begin when they are due, and a target that stalls does not make them fewer.
    Without it --concurrency users each ask again when they were answered. Ctrl-C ends the run and reports what ran; a
    second one waits for no answer any more.
    """
    to = Outputs(given["json"], given["html"], given["csv"], given["quiet"])
    read = [target, *(given[name] for name in ("body_file", "ca", "cert", "key"))]
    outputs.check(read, json=to.json, html=to.html, csv=to.csv)
    bound = None if given["memory"] is None else asked.read("--memory", units.size, given["memory"])
    again = functools.partial(asked.loaded, target, given, from_env=from_env)
    loaded = again()
    if given["watch"] and (target is None or asked.is_url(target)):
        raise InputError("--watch looks at a scenario file: name one")
    if notice.first_time(options.state_of(state)):
        shown.tell(notice.TEXT, err=True)
    follow = Following(quiet=to.quiet, log_format=loaded.log_format)
    with Stopping() as stopping:
        runner = Runner(
            loaded,
            memory=bound,
            csv=None if to.csv is None else Path(to.csv),
            reload=Reload(Path(target), again) if target is not None and given["watch"] else None,
            show=follow.show,
            say=follow.say,
        )
        profile = MemoryProfile() if given["profile_memory"] else None
        follow.each = None if profile is None else profile.look
        with follow.following(runner.about):
            result = runner.run(stopping)
        aside = "" if profile is None else "\n" + profile.as_text(loaded.plan, result)
        written = _report(result, to, aside) and not runner.lost_intervals
    raise click.exceptions.Exit(_exit_code(result, runner, stopping, written=written))


def _report(result: Result, to: Outputs, aside: str) -> bool:
    """Print and write what is left of the run; whether all of it could be. What cannot be written is printed."""
    wants_stdout = outputs.STDOUT in (to.json, to.html)
    told = summary.as_text(result) + aside
    is_told = not to.quiet or not (to.json or to.html)
    if is_told:
        shown.tell(told, err=wants_stdout)
    failed = outputs.write(result, json=to.json, html=to.html)
    if failed and not is_told:
        shown.tell(told, err=wants_stdout)
    for sentence in failed:
        shown.warn(sentence)
    return not failed


def _exit_code(result: Result, runner: Runner, stopping: Stopping, *, written: bool) -> int:
    """A threshold decides first, then who stopped it, then whether there is anything to go by."""
    if result.crossed:
        return CROSSED
    if stopping.first:
        return SIGNALLED + stopping.first
    if runner.ended_by == "memory":
        shown.warn("the run could not be held in its memory, and was ended: allow more, or ask for less")
        return FAILED
    if why := nothing_answered(result):
        shown.warn(why)
        return FAILED
    return 0 if written else FAILED


def nothing_answered(result: Result) -> str:
    """A sentence when requests were made and not one was answered; else empty."""
    sent = result.requests + result.unanswered
    tried = sent + result.unsent
    if not tried or any(result.statuses.values()) or (not sent and result.duration_s < TOO_SHORT_S):
        return ""
    said = f"not one of {figures.counted(tried, 'request')} was answered"
    if not result.errors:
        return f"{said}: see that the target answers at all"
    name, count = max(result.errors.items(), key=lambda one: one[1])
    found = explain(name)
    return f"{said} ({name} {count:,}): {found.meaning} {found.advice}"
