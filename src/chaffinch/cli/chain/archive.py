"""`chaffinch chain export` and `import`: a chain as one portable file."""

import contextlib
import os
from pathlib import Path

import click
import msgspec

from chaffinch.chain import swap
from chaffinch.chain.engine import Chain
from chaffinch.chain.names import directory_of
from chaffinch.cli import options
from chaffinch.cli.chain import opening, shown
from chaffinch.cli.chain.names import names_in
from chaffinch.errors import InputError, RunError


class Archived(msgspec.Struct, frozen=True):
    """What went into an archive, or came out of it."""

    tenant: str
    messages: int


@click.command("export")
@click.argument("tenant")
@click.argument("file")
@shown.prints(Archived)
@options.placed
def export(tenant: str, file: str, as_json: bool, state: str | None, config: str | None) -> None:
    """Write a chain to a portable archive: its messages as they were learned, gzip over lines of JSON.

    The archive is there once it is whole; only its owner can read it.
    """
    into = Path(file)
    _refuse_what_is_there(into)
    with opening.reading(options.state_of(state), tenant) as chain:
        messages = _written(chain, into)
    said = f"wrote {shown.counted(messages, 'message')} to {shown.line(file)}"
    print(shown.as_json(Archived(tenant, messages)) if as_json else said)


def _written(chain: Chain, into: Path) -> int:
    """Under another name first, so that a kill leaves no part of an archive that looks like one."""
    part = into.with_name(f".{into.name}.part")
    try:
        part.unlink(missing_ok=True)
        messages = chain.export(part)
        _refuse_what_is_there(into)
        part.rename(into)
    except OSError as error:
        raise RunError(f"{into} cannot be written ({error.strerror}); name another file") from None
    except RunError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise RunError(f"{into} cannot be written; name another file ({error})") from None
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    return messages


def _refuse_what_is_there(into: Path) -> None:
    if os.path.lexists(into):
        raise InputError(f"{into} is there already; name a new file")


@click.command("import")
@click.argument("tenant")
@click.argument("file")
@click.option(
    "--names", metavar="NAMES", help="Names that a guarded chain replaces, one a line: no archive tells them."
)
@shown.prints(Archived)
@options.placed
def bring(tenant: str, file: str, names: str | None, as_json: bool, state: str | None, config: str | None) -> None:
    """Make a chain of an archive, where there is none of that name."""
    place = options.state_of(state)
    swap.settle(place, tenant)
    if directory_of(place, tenant).exists():
        raise _taken(tenant)
    if not Path(file).is_file():
        raise InputError(f"{file} is no file that can be read; name an archive that `chaffinch chain export` wrote")
    # Made beside its place, so that a kill leaves no part of it there.
    with swap.importing(place, tenant) as beside:
        messages = Chain.import_archive(beside, Path(file), names=names_in(names) if names else None)
        if not swap.place(place, tenant, beside):
            raise _taken(tenant)
    said = f"imported {shown.counted(messages, 'message')}"
    print(shown.as_json(Archived(tenant, messages)) if as_json else said)


def _taken(tenant: str) -> InputError:
    return InputError(f"there is a chain {tenant!r} already; remove it first, or import under another name")
