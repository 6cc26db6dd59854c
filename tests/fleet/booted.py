"""A real systemd as the first process of namespaces of its own, which knows our units and nothing else.

Its network, mounts, processes and cgroups are its own and gone with it; what it sees of the machine's settings is read
only. The program is installed below /opt there, where the user of a unit can reach it.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import chaffinch
from chaffinch.fleet.installation import Installation
from tests.chat.running import ROOT
from tests.chat.test_token import TEXT
from tests.fleet.running import PATIENCE, eventually

SYSTEMD = shutil.which("systemd", path="/usr/bin:/usr/lib/systemd:/lib/systemd") or ""
PYTHON = "/opt/chaffinch/bin/python"
WHERE = Installation((PYTHON, "-m", "chaffinch"), (), None)
CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")

SETUP = """
set -e
units=$1 base=$2 source=$3 sites=$4 systemd=$5
mount --make-rprivate /
mount -t proc proc /proc
umount -l -R /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mkdir -p /run/units /run/lock
cp -r "$units"/* /run/units/
for name in sysinit basic shutdown network multi-user; do
  printf '[Unit]\\nDefaultDependencies=no\\n' > /run/units/$name.target
done
printf '[Unit]\\nDefaultDependencies=no\\n' > /run/units/test.target
mount --bind /sys /sys
mount -o remount,bind,ro /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
while grep -qx 0 /sys/fs/cgroup/cgroup.procs; do sleep 0.05; done
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
echo 0123456789abcdef0123456789abcdef > /run/machine-id
mount --bind /run/machine-id /etc/machine-id
mount --bind /dev/null /dev/console
mount -t tmpfs -o mode=755 tmpfs /opt
mkdir -p /opt/python /opt/chaffinch/bin /opt/chaffinch/lib/python3.11/site-packages /opt/source
mount --rbind "$base" /opt/python
cp -r "$source" /opt/source/chaffinch
chmod -R go+rX /opt/source
number=0
echo /opt/source > /opt/chaffinch/lib/python3.11/site-packages/here.pth
for site in $sites; do
  mkdir /opt/site$number
  mount --bind "$site" /opt/site$number
  echo /opt/site$number >> /opt/chaffinch/lib/python3.11/site-packages/here.pth
  number=$((number + 1))
done
printf 'home = /opt/python/bin\\n' > /opt/chaffinch/pyvenv.cfg
ln -s /opt/python/bin/python3.11 /opt/chaffinch/bin/python
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount --make-rshared /
exec env -i container=other PATH="$PATH" SYSTEMD_UNIT_PATH=/run/units \
  "$systemd" --system --unit=test.target --log-target=null --default-standard-output=null
"""


class Machine:
    """What is asked of it. `pid` is systemd's."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def run(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """A program in all of its namespaces."""
        enter = ("nsenter", "--target", str(self.pid), "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup")
        return subprocess.run(
            [*enter, *words], capture_output=True, text=True, timeout=timeout * PATIENCE, check=False, cwd="/"
        )

    def chaffinch(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run(PYTHON, "-m", "chaffinch", *words, "--state", "/var/lib/chaffinch")

    def shows(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", name, unit).stdout.strip()


@contextlib.contextmanager
def booted(folder: Path, units: Mapping[str, str]) -> Iterator[Machine]:
    """A machine with these units. Needs root, and Python as the interpreter's own installation."""
    written = folder / "units"
    written.mkdir()
    for name, text in units.items():
        (written / name).parent.mkdir(exist_ok=True)
        (written / name).write_text(text, encoding="utf-8")
    sites = [path for path in sys.path if Path(path).name == "site-packages"]
    cgroup = _cgroup(f"chaffinch-test-{os.getpid()}")
    source = str(Path(chaffinch.__file__).parent)
    holder = subprocess.Popen(
        # The shell enters the cgroup before the namespaces are made, so that it is their root.
        [
            *("sh", "-c", f'echo $$ > {cgroup}/cgroup.procs && exec "$@"', "sh"),
            *("unshare", "--pid", "--fork", "--kill-child", "--mount", "--net", "--uts", "--ipc", "--cgroup"),
            *("sh", "-c", SETUP, "sh", str(written), sys.base_prefix, source, " ".join(sites), SYSTEMD),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    first = 0
    try:
        # Who waits outside must not be in it: systemd hands controllers on from a cgroup without processes alone.
        eventually(lambda: Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text() or holder.poll(), 10)
        with contextlib.suppress(ProcessLookupError):  # it failed, and says why
            (cgroup.parent / "cgroup.procs").write_text(str(holder.pid))
        first = eventually(lambda: _child(holder), 10)
        machine = Machine(first)
        eventually(lambda: machine.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded"), 20)
        # An interpreter that was built into a home looks for its library there, and the units hide homes.
        machine.run("systemctl", "set-environment", "LD_LIBRARY_PATH=/opt/python/lib")
        yield machine
    finally:
        if first:
            os.kill(first, signal.SIGKILL)
        holder.kill()
        holder.communicate(timeout=20)
        eventually(lambda: _removed(cgroup), 10)


POINTED = """
import importlib.abc, sys
class Pointed(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "chaffinch.chat.run":
            sys.meta_path.remove(self)
            import yarl
            from discord.gateway import DiscordWebSocket
            from discord.http import Route
            Route.BASE = "{url}/api/v10"
            DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL("{url}/".replace("http", "ws", 1))
sys.meta_path.insert(0, Pointed())
"""
"""A `sitecustomize` of the machine, which knows nothing of the tests: Discord is the fake."""


@contextlib.contextmanager
def discord_in(machine: Machine) -> Iterator[str]:
    """The fake Discord in the machine's network, which its bots take for the real one; its address."""
    inside = ("nsenter", "--target", str(machine.pid), "--net", sys.executable, "-m", "tests.chat.discord", "--small")
    with subprocess.Popen([*inside, "--token", TEXT], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            url = str(json.loads(process.stdout.readline())["url"])
            write = 'printf %s "$1" > /opt/source/sitecustomize.py'
            machine.run("sh", "-c", write, "sh", POINTED.format(url=url))
            yield url
        finally:
            process.terminate()


def _cgroup(name: str) -> Path:
    """A cgroup of its own, so that systemd's do not stand among the machine's."""
    root = next(path for path in map(Path, CGROUPS) if (path / "cgroup.controllers").exists())
    (root / name).mkdir()
    return root / name


def _child(holder: "subprocess.Popen[str]") -> int:
    if holder.poll() is not None:
        assert holder.stdout is not None
        raise AssertionError(holder.stdout.read())
    words = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
    if not words or not Path(f"/proc/{words[0]}/exe").readlink().name.startswith("systemd"):
        return 0
    return int(words[0])


def _removed(cgroup: Path) -> bool:
    for folder, _, _ in os.walk(cgroup, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    return not cgroup.exists()
