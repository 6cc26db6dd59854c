"""Where this program lies, and whether the user of a service can reach it."""

import stat
import sys
from pathlib import Path

import msgspec

import chaffinch

TEMPORARY = tuple(map(Path, ("/tmp", "/var/tmp")))  # noqa: S108 - looked for, not written to
"""What `PrivateTmp=` hides."""

HOMES = tuple(map(Path, ("/home", "/root", "/run/user")))
"""What `ProtectHome=` hides (systemd.exec(5))."""


class Installation(msgspec.Struct, frozen=True):
    """How the program is called, what it reads, and its configuration file, if it has one."""

    program: tuple[str, ...]
    reads: tuple[Path, ...]
    config: Path | None
    can_reload: bool = False

    @property
    def paths(self) -> tuple[Path, ...]:
        return (*self.reads, *([self.config] if self.config else []))

    @property
    def homes(self) -> tuple[Path, ...]:
        """What of it lies in users' homes."""
        return tuple(path for path in self.paths if any(path.is_relative_to(home) for home in HOMES))


def found(config: Path | None, *, can_reload: bool) -> Installation:
    """This one: called as `python -m chaffinch`, which needs no script on anybody's path."""
    interpreter = Path(sys.executable)
    reads = (interpreter, Path(sys.base_prefix), Path(chaffinch.__file__).parent)
    return Installation((str(interpreter), "-m", "chaffinch"), tuple(dict.fromkeys(reads)), config, can_reload)


def in_the_way(where: Installation) -> list[str]:
    """For each place that a service's user cannot reach, a sentence that says what to do."""
    return list(dict.fromkeys(filter(None, map(_obstacle, where.paths))))


def _obstacle(path: Path) -> str:
    whole = path.resolve()
    if any(whole.is_relative_to(hidden) for hidden in TEMPORARY):
        return f"{whole} is in a directory for temporary files, which the service does not see; put it elsewhere"
    for folder in reversed(whole.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return f"{folder} is closed to the service's user, and {whole} is in it; put it elsewhere, such as /opt"
    if not whole.stat().st_mode & stat.S_IROTH:
        return f"{whole} cannot be read by the service's user; open it with `chmod o+r`, without a fleet.seed in it"
    return ""
