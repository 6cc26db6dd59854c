"""`chaffinch load serve`: tests over HTTP."""

from pathlib import Path
from typing import Final

import click
import msgspec

from chaffinch import config as configuration
from chaffinch.cli import options
from chaffinch.cli.load import asked, notice, shown
from chaffinch.errors import InputError, RunError
from chaffinch.load.scenario import units

MOST_TOKEN: Final = 4096
"""Bytes of a token's file."""


@click.command("serve")
@click.argument("file", required=False)
@click.option(
    "--listen", metavar="ADDRESS:PORT", help="Where it listens; 127.0.0.1:8080 by default, port 0 takes a free one."
)
@click.option(
    "--token-file", metavar="FILE", help="The bearer token that clients show; needed where strangers can connect."
)
@click.option("--memory", metavar="SIZE", help="What this process may hold, such as 64M; refuse tests that cannot fit.")
@click.option("--no-start", is_flag=True, help="Have the test of FILE ready, and begin it at POST /start.")
@click.option(
    "--from-env", is_flag=True, help="Take settings, and a test, from TARGET_URL and others; lay them over FILE."
)
@options.placed
def command(
    file: str | None,
    *,
    listen: str | None,
    token_file: str | None,
    memory: str | None,
    no_start: bool,
    from_env: bool,
    state: str | None,
    config: str | None,
) -> int:
    """Run tests that are sent over HTTP, one at a time, until it is stopped; FILE's first, if there is one.

    A changed FILE is taken over while its test runs. docs/load-serve.md describes the API.
    """
    try:
        from chaffinch.load.serve import serve as server
    except ModuleNotFoundError as error:
        raise RunError(f"{error.name} is not installed; install it with: pip install 'chaffinch[api,load]'") from None
    from chaffinch.load import from_environment, load_file

    environment = configuration.environment() if from_env else None
    serving = server.Serving() if environment is None else server.serving_from(environment)
    loaded = None
    path = None if file is None else asked.scenario_file(file)
    if path is not None:
        loaded = load_file(path, environment)
    elif environment is not None and environment.get("TARGET_URL"):
        loaded = from_environment(environment)
    limit = None if memory is None else asked.read("--memory", units.size, memory)
    if limit is None and loaded is not None:
        limit = loaded.guard.limit
    control = serving.control
    if listen is not None:
        host, colon, port = listen.rpartition(":")
        if not host or not colon or not (port.isascii() and port.isdecimal()) or int(port[:6]) > 65535:
            raise InputError(f"--listen is {listen[:80]!r}: write it like 127.0.0.1:8080")
        control = msgspec.structs.replace(control, host=host.strip("[]"), port=int(port))
    if token_file is not None:
        control = msgspec.structs.replace(control, token=_token(Path(token_file)))
    if notice.first_time(options.state_of(state)):
        shown.tell(notice.TEXT, err=True)
    serving = msgspec.structs.replace(serving, control=control, memory=limit)
    return server.serve(serving, loaded, file=path, environment=environment, begin=not no_start)


def _token(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as opened:
            token = opened.read(MOST_TOKEN + 1).strip()
    except UnicodeDecodeError:
        raise InputError(f"--token-file {path} is no text: write one line of printable characters into it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"--token-file {path} cannot be read ({reason}): name a file with the token") from None
    if not token or len(token) > MOST_TOKEN or not token.isprintable():
        raise InputError(f"--token-file {path} holds no token: write one line of printable characters into it")
    return token
