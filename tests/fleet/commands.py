"""Commands that ask a fleet, each in a process forked from one that has imported them: the tests of fleets ask some
thousand times, and an interpreter that begins takes ten times as long as the answer.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

from chaffinch.cli import cli, main

ASKING = ("status", "stop", "start", "restart", "reload", "hosts", "sessions", "events", "logs")
"""Those that are asked so. `up` is not: what it becomes is measured, and named after its command line."""

ROOT = Path(__file__).resolve().parents[2]
MOST = 1 << 17
"""Bytes of a command line and its environment."""


def asked(arguments: list[str], environment: dict[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run `chaffinch` with these arguments to its end, as `subprocess.run` would, which also says what it raises."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with mine, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        with its:
            order = json.dumps([arguments, environment]).encode()
            socket.send_fds(_door(), [order], [its.fileno(), out.fileno(), err.fileno()])
        pid = int(mine.recv(20))
        mine.settimeout(timeout)
        try:
            code = int(mine.recv(20) or -signal.SIGKILL)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(arguments, timeout) from None
        return subprocess.CompletedProcess(arguments, code, _all_of(out), _all_of(err))


def _all_of(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


@cache
def _door() -> socket.socket:
    """Where orders go; the process behind it ends with this one."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        command = [sys.executable, "-m", "tests.fleet.commands", str(its.fileno())]
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL)

    def end() -> None:
        mine.close()
        process.wait()

    atexit.register(end)
    return mine


def _take_orders(door: socket.socket) -> None:
    for name in ASKING:
        cli.load(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a child, which says its end itself
    while True:
        order, files, _, _ = socket.recv_fds(door, MOST, 3)
        if not order:
            return
        if os.fork() == 0:
            _carry_out(order, *files)
        for file in files:
            os.close(file)


def _carry_out(order: bytes, answers: int, out: int, err: int) -> NoReturn:
    """What a new interpreter would do with that command line and environment, in this fork."""
    code = 1
    with socket.socket(fileno=answers) as caller:
        caller.send(str(os.getpid()).encode())
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(out, 1)
            os.dup2(err, 2)
            arguments, environment = json.loads(order)
            os.environ.clear()
            os.environ.update(environment)
            sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
            main(arguments)
        except SystemExit as left:
            code = int(left.code or 0)
        except BaseException:  # noqa: BLE001 - a fork must not return into who made it
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            caller.send(str(code).encode())
            os._exit(code)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        _take_orders(orders)
