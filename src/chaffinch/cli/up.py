"""`chaffinch up`: bring up the fleet and watch over it."""

import contextlib
import gc
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from chaffinch.cli import live, options
from chaffinch.cli.logs import NAME as LOG_NAME
from chaffinch.config import LOG_FORMAT, Config
from chaffinch.errors import RunError
from chaffinch.fleet import assemble, supervisor
from chaffinch.fleet.log_file import LogFile
from chaffinch.fleet.parts import Draft
from chaffinch.fleet.privileges import hand_over
from chaffinch.fleet.state import StateLock, prepare, seed, write_private
from chaffinch.fleet.workers import BOT

STANDARD_ERROR = 2


@click.command("up")
@options.setting("fleet.memory", "--memory")
@options.setting("network.hosts", "--hosts", multiple=True)
@options.setting("network.mode", "--network")
@options.setting("fleet.groups", "--groups")
@options.setting("network.port_offset", "--port-offset")
@options.setting("network.device", "--device")
@options.setting("network.link", "--link")
@options.setting("network.gateway", "--gateway")
@options.setting("network.mac", "--mac")
@options.setting("metrics.port", "--metrics-port")
@click.option("--only", metavar="GROUP", default="", help="This group alone; others get supervisors of their own.")
@click.option("--detach", is_flag=True, help="Go to the background; return when the first listener accepts.")
@options.placed
def command(only: str, detach: bool, state: str | None, config: str | None, **given: object) -> int:
    """Bring up the fleet: decoy hosts on every address of --hosts.

    Runs until ^C or `chaffinch stop`. With --only it is one group of it, with the ports of that group's services: for a
    service manager that starts each group by itself. The other commands speak to all of them.
    """
    directory = options.state_of(state)
    origin = Origin(options.source_of(config, options.flags_given(given)), directory, only)
    settings = origin.load()
    prepare(directory)
    draft = origin.draft(settings)
    lock = StateLock(directory, only)
    lock.take()
    if detach:
        return _detached(lambda watcher: _run(origin, draft, lock, watcher), directory)
    return _run(origin, draft, lock, live.watcher())


class Origin(msgspec.Struct, frozen=True):
    """See `fleet.parts.Origin`: a file, the environment and flags, and a state directory with a seed."""

    source: options.Source
    state: Path
    only: str

    def load(self) -> Config:
        return self.source.load()

    def draft(self, config: Config) -> Draft:
        with self.source.placed():
            made = assemble.draft(config, seed(self.state, config.fleet.seed), self.only)
        beside = next((members for members in made.groups.values() if BOT in members), ())
        if beside:
            from chaffinch.chat.worker import refuse_inside, refuse_unready

            refuse_unready(config, self.state)
            refuse_inside(config, beside)
        return made

    def taken_over(self, config: Config) -> None:
        write_private(self.state / options.EFFECTIVE, msgspec.json.encode(config))


def _run(origin: Origin, draft: Draft, lock: StateLock, watcher: live.Watcher) -> int:
    """The fleet's whole life in this process."""
    directory = origin.state
    lock.sign()
    _log_to(directory / LOG_NAME, draft.config.fleet.log_bytes, quiet=watcher.quiet)
    with assemble.network(draft.config, directory, draft) as namespace:
        parts = assemble.parts(draft, directory, namespace)
        origin.taken_over(draft.stated)
        hand_over(draft.config.fleet.user, directory)
        gc.collect()
        try:
            code = supervisor.run(parts, draft.groups, origin, watcher.turn)
        finally:
            with contextlib.suppress(OSError):  # whoever watched may be gone
                watcher.ended()
    lock.release()
    return code


def _detached(run: Callable[[live.Watcher], int], directory: Path) -> int:
    """Fork, let the child run the fleet, and wait for its word that it serves."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    if os.fork() == 0:
        os.close(reading)
        os._exit(_background(run, writing))
    os.close(writing)
    said = _word(reading)
    if not said.startswith(live.SERVES):
        raise RunError(said.strip() or f"the fleet ended before it served; look at {directory / LOG_NAME}")
    print(said.removeprefix(live.SERVES), end="")
    return 0


def _word(reading: int) -> str:
    """What the background process says, up to its end mark: its groups inherit the pipe, which so has no other end."""
    got = bytearray()
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while not got.endswith(live.END) and (data := pipe.read(4096)):
            got += data
    return got.removesuffix(live.END).decode().strip("\n") + "\n" if got else ""


def _background(run: Callable[[live.Watcher], int], writing: int) -> int:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    word = os.fdopen(writing, "w", encoding="utf-8")
    try:
        return run(live.Announcer(word))
    except Exception as error:  # the boundary of the background process: its one word goes to who started it
        logging.getLogger("chaffinch").exception("up.failed")
        if not word.closed:
            word.write(str(error) + live.END.decode())
            word.close()
        return 1


def _log_to(path: Path, most_bytes: int, *, quiet: bool) -> None:
    logging.raiseExceptions = False  # a full disk takes no log either: `status` says so, and no traceback helps
    file = LogFile(path, most_bytes, echo=None if quiet else STANDARD_ERROR)
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, handlers=[file])
