"""`chaffinch hosts`: the decoy hosts, computed from the seed; no fleet needs to run."""

import itertools
from collections.abc import Iterator

import click
import msgspec

from chaffinch.cli import options, text
from chaffinch.errors import InputError
from chaffinch.fleet import assemble
from chaffinch.fleet.state import prepare, seed
from chaffinch.network.addresses import to_number, to_text
from chaffinch.personas.persona import Persona


class ServiceRow(msgspec.Struct, frozen=True):
    """One service as `--json` shows it: `port` is the one to connect to, `real_port` the one it stands for."""

    name: str
    port: int
    transport: str
    product: str
    version: str
    real_port: int


class HostRow(msgspec.Struct, frozen=True):
    """One decoy host as `--json` shows it."""

    address: str
    hostname: str
    archetype: str
    os: str
    services: tuple[ServiceRow, ...]
    domain: str
    mac: str


@click.command("hosts")
@click.argument("address", required=False)
@click.option("--service", help="Only hosts that run this service.")
@click.option("--archetype", help="Only hosts of this kind.")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="At most so many.")
@options.as_json
@options.placed
def command(
    address: str | None,
    service: str | None,
    archetype: str | None,
    limit: int | None,
    as_json: bool,
    state: str | None,
    config: str | None,
) -> None:
    """List the decoy hosts and what they run.

    Name an ADDRESS to see one host.
    """
    directory = options.state_of(state)
    settings = options.running_or_loaded(config, directory)
    if not settings.fleet.seed and not (directory / "seed").exists():
        prepare(directory)
    described = assemble.describe(settings, seed(directory, settings.fleet.seed))
    described.refuse_unknown(service=service, archetype=archetype)
    numbers = described.plan.addresses() if address is None else iter([_one(described, address)])
    chosen = (
        persona
        for persona in (described.personas.of(to_text(number)) for number in numbers)
        if (service is None or persona.service(service)) and (archetype is None or persona.archetype == archetype)
    )
    rows = (_row(persona, settings.network.port_offset) for persona in itertools.islice(chosen, limit))
    if as_json:
        text.json_array(rows)
    else:
        _print_table(rows, to_the_end=not text.on_terminal() or limit is not None)


def _one(described: assemble.Described, address: str) -> int:
    try:
        number = to_number(address)
    except ValueError as error:
        raise InputError(f"{error}; write it like 127.77.0.1") from None
    if number not in described.plan:
        prefixes = ", ".join(map(str, described.plan.prefixes))
        raise InputError(f"{address} is no decoy host; the plan has {prefixes}")
    return number


def _row(persona: Persona, offset: int) -> HostRow:
    services = tuple(
        ServiceRow(one.name, one.port + offset, one.transport, one.product, one.version, one.port)
        for one in persona.services
    )
    return HostRow(
        persona.address, persona.hostname, persona.archetype, persona.os.name, services, persona.domain, persona.mac
    )


def _print_table(rows: Iterator[HostRow], *, to_the_end: bool) -> None:
    shown = list(rows if to_the_end else itertools.islice(rows, 50))
    text.table(
        ("ADDRESS", "HOSTNAME", "ARCHETYPE", "OS", "SERVICES"),
        [
            (row.address, row.hostname, row.archetype, row.os, " ".join(f"{s.name}:{s.port}" for s in row.services))
            for row in shown
        ],
    )
    if not to_the_end and next(rows, None) is not None:
        print(f"... the first {len(shown)}; see all with --json, in a pipe, or more with --limit")
