"""`chaffinch doctor`: what this machine allows, and what to do where it does not."""

import os
import resource
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec

from chaffinch.cli import options, text
from chaffinch.config import Config
from chaffinch.errors import ChaffinchError
from chaffinch.fleet import assemble
from chaffinch.fleet.parts import Draft
from chaffinch.fleet.state import is_running, prepare, seed
from chaffinch.fleet.workers import BOT, allowed
from chaffinch.metrics import memory
from chaffinch.network import listeners, stacks
from chaffinch.network.listeners import Listener
from chaffinch.network.plan import Plan


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `state`: `ok`, `note` (works, with less) or `bad` (a fleet cannot come up)."""

    name: str
    state: str
    text: str


@click.command("doctor")
@options.as_json
@options.placed
def command(as_json: bool, state: str | None, config: str | None) -> int:
    """Say what this machine allows. Exit code 1 when a fleet could not come up."""
    directory = options.state_of(state)
    source = options.source_of(config, {})
    findings = [*_machine(), *_fleet(source, directory)]
    if as_json:
        print(msgspec.json.encode(findings).decode())
    else:
        text.table(("", "WHAT", ""), [(finding.state, finding.name, finding.text) for finding in findings])
    return 1 if any(finding.state == "bad" for finding in findings) else 0


def _machine() -> Iterator[Finding]:
    from chaffinch import _core

    yield Finding("python", "ok", sys.version.split()[0])
    root = os.geteuid() == 0
    yield Finding("root", "ok" if root else "note", "yes" if root else "no: ports without a service reset, not silent")
    abi = _core.landlock_abi()
    yield Finding(
        "landlock",
        "ok" if abi else "note",
        f"ABI {abi}" if abi else "not in this kernel: groups are confined by their user alone",
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= 8192
    yield Finding(
        "descriptors",
        "ok" if enough else "note",
        f"{hard} a process" + ("" if enough else "; raise it with `ulimit -Hn 65536`"),
    )
    limit = memory.limit_bytes()
    yield Finding("memory", "ok", f"{text.size(limit)} for this process" if limit else "no limit")


def _groups(draft: Draft) -> Iterator[Finding]:
    """A group is confined as far as the least strict of its workers allows."""
    mixed = {name: rows for name, rows in draft.groups.items() if len({row.faces_attackers for row in rows}) > 1}
    if not mixed:
        yield Finding("groups", "ok", f"{', '.join(draft.groups)}: what faces attackers is on its own")
    for name, rows in mixed.items():
        _, connects = allowed(rows)
        may = "write to the store and open connections" if connects else "write to the store"
        yield Finding("groups", "note", f"{name}: decoys share its process, which may {may}")


def _capture(settings: Config, plan: Plan) -> Iterator[Finding]:
    if not settings.capture.enabled:
        return
    from chaffinch.capture.tap import open_tap

    try:
        open_tap(plan, settings.capture.buffer_bytes).close()
    except ChaffinchError as error:
        yield Finding("capture", "bad", str(error))
    else:
        yield Finding("capture", "ok", f"a packet socket can be opened on {plan.device}")


def _bot(settings: Config, state: Path, draft: Draft) -> Iterator[Finding]:
    if not settings.bot.enabled:
        return
    from chaffinch.chat.worker import refuse_inside, refuse_unready
    from chaffinch.fleet.privileges import becoming

    beside = next((members for members in draft.groups.values() if BOT in members), ())
    try:
        refuse_unready(settings, state)
        refuse_inside(settings, beside)
    except ChaffinchError as error:
        yield Finding("bot", "bad", str(error))
        return
    if any(worker.faces_attackers for worker in beside):
        yield Finding(
            "bot", "note", "it shares a process with decoys, so who breaks one of them has its token and may connect: "
            "leave it to the group `out`, or run it as a service of its own"
        )  # fmt: skip
    elif os.getuid() == 0 and becoming(settings.fleet.user, state)[1]:
        yield Finding("bot", "ok", "its token is root's, and read before its group gives root up")
    else:
        yield Finding(
            "bot", "note", "all groups are one user, who can read its token: run it as a service of its own instead"
        )


def _fleet(source: options.Source, state: Path) -> Iterator[Finding]:
    settings = source.load()
    try:
        prepare(state)
        yield Finding("state", "ok", str(state))
        with source.placed():
            draft = assemble.draft(settings, seed(state, settings.fleet.seed))
    except ChaffinchError as error:
        yield Finding("state", "bad", str(error))
        return
    yield from _groups(draft)
    yield from _bot(settings, state, draft)
    plan = draft.plan
    yield Finding("plan", "ok", f"{plan.hosts} decoy hosts on {', '.join(map(str, plan.prefixes))}")
    yield from _namespace(settings, state, draft)
    if settings.network.mode == "netns":
        return
    devices = [name for _, name in socket.if_nameindex()]
    there = plan.device in devices
    yield Finding(
        "device",
        "ok" if there else "bad",
        plan.device if there else f"there is no {plan.device!r}; there are: {', '.join(devices)}",
    )
    try:
        opened = listeners.open_all(plan)
    except ChaffinchError as error:
        yield Finding("ports", "bad", str(error))
        return
    yield from _capture(settings, plan)
    silent = all(listener.silent for listener in opened)
    for listener in opened:
        listener.socket.close()
    yield Finding("ports", "ok", f"{len(plan.ports)} can be bound")
    yield Finding(
        "filter",
        "ok" if silent else "note",
        "the kernel keeps other addresses silent" if silent else "not allowed: other addresses reset",
    )
    yield _look(opened)


def _look(opened: Sequence[Listener]) -> Finding:
    """Whether hosts have their own TCP/IP look, and all of it."""
    if listeners.shown_by(opened) == "session":
        return Finding("stack", "note", "not allowed: a host's TTL is its own only once the connection is accepted")
    scale = max((listener.plan.stack.scale for listener in opened if listener.plan.stack is not None), default=0)
    largest = stacks.largest_scale()
    if largest is not None and largest < scale:
        said = (
            f"window scale {scale} becomes {largest}; raise the last number of net.ipv4.tcp_rmem to {1 << scale + 15}"
        )
        return Finding("stack", "note", said)
    return Finding("stack", "ok", "each host's SYN-ACK has its own TTL, MSS and window")


def _namespace(settings: Config, state: Path, described: Draft) -> Iterator[Finding]:
    """Whether the fleet can have a network of its own; where it is to have one, whether it can have that."""
    from chaffinch.network.netns import namespace
    from chaffinch.network.netns.blueprint import name_of

    wanted = settings.network.mode == "netns"
    if namespace.is_left(name_of(state)) and not is_running(state):
        yield Finding("left", "note", f"{name_of(state)} stands since a crash; `chaffinch stop` removes it")
    try:
        namespace.refuse_impossible()
        said = namespace.check(assemble.blueprint(settings, state, described) if wanted else None)
    except ChaffinchError as error:
        yield Finding("netns", "bad" if wanted else "note", str(error))
        return
    kinds = said.kinds
    if wanted and settings.network.link not in kinds:
        yield Finding("netns", "bad", f"this kernel has no {settings.network.link}; it has: {', '.join(kinds)}")
    else:
        yield Finding("netns", "ok" if kinds else "note", f"links that this kernel has: {', '.join(kinds) or 'none'}")
    if said.lacks:
        yield Finding("packets", "note", f"{said.lacks}; what no socket sends looks like Linux")
    elif wanted:
        yield Finding("packets", "ok", "every packet of a host looks like its system's")
