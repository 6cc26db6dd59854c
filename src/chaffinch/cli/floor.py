"""`chaffinch floor`: what importing something costs, and what to import later."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from chaffinch.cli import options
from chaffinch.cli.chain import shown
from chaffinch.cli.exits import exits
from chaffinch.config import parse_size
from chaffinch.errors import InputError
from chaffinch.floor import entry, findings, measure, picture, text

CROSSED = 1


@click.command("floor")
@click.argument("modules", metavar="[MODULE]...", nargs=-1)
@click.option("--command", "words", metavar="NAME", help="A command of chaffinch, such as 'status' or 'chain train'.")
@click.option("--worker", metavar="NAME", help="A worker of the fleet, such as sessions or decoy-ssh.")
@click.option("--code", metavar="CODE", help="Python code, as `python -c` takes it.")
@click.option("--python", metavar="PATH", help="Another interpreter to measure in. Nothing is installed there.")
@click.option("--own", metavar="PACKAGE", multiple=True, help="A package whose imports you can defer, too.")
@click.option("--free", metavar="PACKAGE", multiple=True, help="Say what to defer so that it is not imported.")
@click.option("--budget", metavar="SIZE", help="What RSS may be afterwards, such as 40M.")
@click.option("--forbid", metavar="PACKAGE", multiple=True, help="A package that must not be imported.")
@click.option(
    "--least",
    metavar="PERCENT",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="Imports that took less of the whole are added up.",
)
@click.option(
    "--timeout", metavar="SECONDS", type=click.FloatRange(0.1), default=60.0, show_default=True, help="When to give up."
)
@click.option("--svg", metavar="FILE", help="Write a picture: each import as wide as its memory.")
@click.option("--html", metavar="FILE", help="Write the picture and the text as one page.")
@shown.prints(findings.Report)
@options.placed
@exits(
    {
        0: "measured, and nothing was crossed",
        CROSSED: "over --budget, or something is imported that --forbid names",
        2: "bad input: it cannot be imported, or is no module, or a picture cannot be written",
        130: "stopped by Ctrl-C",
    }
)
def command(
    modules: tuple[str, ...], *, words: str | None, worker: str | None, code: str | None, python: str | None,
    own: tuple[str, ...], free: tuple[str, ...], budget: str | None, forbid: tuple[str, ...], least: float,
    timeout: float, svg: str | None, html: str | None, as_json: bool, state: str | None, config: str | None,
) -> int:  # fmt: skip
    """Say what importing MODULE costs, and what to import later.

    A fresh interpreter imports it, once. The tree shows the memory and the time of each import, then which one
    statement frees most when it is moved to where it is used, with what holds the rest. It works for any Python
    project: docs/floor.md says how memory is attributed.
    """
    asked = findings.Asked(own, free, forbid, _size(budget))
    chosen = _entry(modules, words, worker, code)
    found = findings.report(chosen, measure.measure(chosen, python or sys.executable, timeout), asked)
    if svg:
        _write(svg, picture.svg(found))
    if html:
        _write(html, picture.page(found))
    if as_json:
        print(shown.as_json(found))
    else:
        print("\n".join(text.lines(found, least / 100)))
    return CROSSED if found.crossed else 0


def _entry(modules: Sequence[str], words: str | None, worker: str | None, code: str | None) -> entry.Entry:
    given = [one for one in (modules or None, words, worker, code) if one is not None]
    if len(given) != 1:
        raise InputError("name one thing to measure: modules, or one of --command, --worker and --code")
    if words is not None:
        return entry.of_command(words)
    if worker is not None:
        return entry.of_worker(worker)
    return entry.of_modules(modules) if modules else entry.of_code(code or "")


def _size(budget: str | None) -> int:
    if budget is None:
        return 0
    try:
        size = parse_size(budget)
    except ValueError as error:
        raise InputError(f"--budget: {error}") from None
    if size <= 0:
        raise InputError("--budget has to be more than nothing, such as 40M")
    return size


def _write(file: str, what: str) -> None:
    try:
        Path(file).write_text(what, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InputError(
            f"cannot write {file}: {error.strerror}; name a file in a directory that can be written"
        ) from None
