"""`chaffinch load import`: scenario files of what others recorded."""

import sys
from pathlib import Path

import click

from chaffinch.cli import options
from chaffinch.cli.load import outputs, shown
from chaffinch.errors import InputError
from chaffinch.load import result_files
from chaffinch.load.input_files import read_whole

MOST_BYTES = 256 << 20
"""The largest file that is read."""

STDIO = "-"


@click.command("import")
@click.argument("kind", type=click.Choice(("curl", "har", "openapi")))
@click.argument("file", metavar="FILE")
@click.option("--output", "-o", metavar="FILE", help="Where the scenario goes; standard output by default.")
@click.option(
    "--host", multiple=True, metavar="HOST", help="Of a HAR: keep this host's requests alone; may be repeated."
)
@click.option("--keep-cookies", is_flag=True, help="Of a HAR: send the cookies that were recorded.")
@click.option("--base-url", metavar="URL", help="Of an OpenAPI description: in place of its first server.")
@options.placed
def command(
    kind: str,
    file: str,
    *,
    output: str | None,
    host: tuple[str, ...],
    keep_cookies: bool,
    base_url: str | None,
    state: str | None,
    config: str | None,
) -> None:
    """Make a scenario file of curl commands, a browser's recording (HAR) or an OpenAPI description.

    FILE is - for standard input: `chaffinch load import curl - <<< "curl -X POST http://127.0.0.1:8080/"`. Nothing is
    sent. The file is yours to read and change before it is run.
    """
    _check(kind, host=bool(host), keep_cookies=keep_cookies, base_url=base_url is not None)
    outputs.check([file], output=output)
    source = "standard input" if file == STDIO else file
    data = _read(file, source)
    if kind == "har":
        from chaffinch.load.importing.har import from_har

        made = from_har(data, source, hosts=host, keep_cookies=keep_cookies)
    else:
        made = _of_text(kind, _text(data, source), source, base_url)
    if output is None or output == outputs.STDOUT:
        shown.tell(made)
        return
    result_files.write(Path(output), made.encode())
    shown.tell(f"{output}: run it with `chaffinch load run {output}`\n", err=True)


def _of_text(kind: str, text: str, source: str, base_url: str | None) -> str:
    if kind == "curl":
        from chaffinch.load.importing.curl import from_curl

        return from_curl(text, source)
    from chaffinch.load.importing.openapi import from_openapi

    return from_openapi(text, source, base_url=base_url)


def _check(kind: str, **given: bool) -> None:
    """Options of another kind are a mistake."""
    of = {"host": "har", "keep_cookies": "har", "base_url": "openapi"}
    for name, is_given in given.items():
        if is_given and of[name] != kind:
            raise InputError(f"--{name.replace('_', '-')} goes with {of[name]}, not with {kind}: leave it out")


def _read(file: str, source: str) -> bytes:
    opened = sys.stdin.buffer if file == STDIO else Path(file)
    remedy = "name a file, or - for standard input"
    return read_whole(opened, MOST_BYTES, remedy=remedy, excess=": cut it into parts", name=source)


def _text(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{source} is not UTF-8 at byte {error.start}: convert it with iconv") from None
