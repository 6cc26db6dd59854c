"""The files of a decoy host, computed when they are asked for: nothing is stored, and a revisit finds the same."""

import os
import time
from collections.abc import Callable, Mapping

import msgspec

from chaffinch.personas.persona import Persona, User

DAY = 86400
FIRST_INSTALL = 1_690_000_000
"""No host was installed before July 2023, a month after Debian 12 came out."""


class FileError(OSError):
    """A file operation that fails, with the errno that the system call would give."""

    def __init__(self, code: int, path: str) -> None:
        super().__init__(code, os.strerror(code), path)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One file. `kind` is `file`, `dir`, `link`, `char` or `block`; `target` is where a link points, or a device's
    numbers."""

    name: str
    kind: str
    mode: int
    owner: str
    group: str
    size: int
    mtime: int
    target: str = ""


class Node(msgspec.Struct, frozen=True, gc=False):
    """What a tree says of one path.

    `content` names the function that makes the bytes; without one, `size` bytes are made up. `when` says which of
    the host's times is the file's: `package`, `install`, `boot`, `recent` or `now`.
    """

    kind: str
    mode: int
    owner: str = "root"
    group: str = "root"
    target: str = ""
    size: int = 0
    when: str = "install"
    content: Callable[["Host"], bytes] | None = None


class Host(msgspec.Struct, frozen=True, gc=False):
    """What a file's content is made from: the persona, and the moment at which it is read."""

    persona: Persona
    now: float

    @property
    def booted(self) -> float:
        """When the host booted, in seconds since the epoch."""
        return self.persona.booted(self.now)

    @property
    def installed(self) -> int:
        """When the host was installed, in seconds since the epoch."""
        return installed(self.persona)


class Tree(msgspec.Struct, frozen=True, gc=False):
    """Paths with what stands there, and the names in each directory."""

    nodes: Mapping[str, Node]
    names: Mapping[str, tuple[str, ...]]


def tree(nodes: Mapping[str, Node]) -> Tree:
    """Index nodes by their directory. Directories that no node names are not made up."""
    names: dict[str, list[str]] = {}
    for path in nodes:
        above, _, name = path.rpartition("/")
        if name:
            names.setdefault(above or "/", []).append(name)
    return Tree(nodes, {above: tuple(sorted(below)) for above, below in names.items()})


class Files:
    """The host's files as it was installed and as it runs: read-only, the same for everybody."""

    def __init__(self, persona: Persona, clock: Callable[[], float] = time.time) -> None:
        self.persona = persona
        self._clock = clock
        self._shared, self._own = _trees_of(persona)

    def entry(self, path: str) -> Entry | None:
        """What stands at an absolute path without links, or None."""
        node = self._node(path)
        if node is None:
            return None
        if node.kind == "dir":
            size = 0 if path.startswith(("/proc", "/sys")) else 4096
        elif node.kind == "link":
            size = len(node.target)
        else:
            size = 0 if path.startswith(("/proc", "/sys")) else self._size(node)
        when = self._time(path, node)
        return Entry(path.rpartition("/")[2], node.kind, node.mode, node.owner, node.group, size, when, node.target)

    def names(self, path: str) -> tuple[str, ...]:
        """The names in a directory, sorted; none for anything else."""
        shared, own = self._shared.names.get(path, ()), self._own.names.get(path, ())
        return tuple(sorted({*shared, *own})) if shared and own else shared or own

    def read(self, path: str) -> bytes:
        """A file's content; empty for anything else."""
        node = self._node(path)
        if node is None or node.kind != "file":
            return b""
        if node.content is not None:
            return node.content(Host(self.persona, self._clock()))
        return made_up(self.persona, path, node)

    def _node(self, path: str) -> Node | None:
        return self._own.nodes.get(path) or self._shared.nodes.get(path)

    def _size(self, node: Node) -> int:
        return len(node.content(Host(self.persona, self._clock()))) if node.content is not None else node.size

    def _time(self, path: str, node: Node) -> int:
        now = self._clock()
        if node.when == "now":
            return int(now)
        if node.when == "recent":  # changes once an hour, at a minute of its own
            return int(now - (now + _spread(self.persona, path, 3600)) % 3600)
        if node.when == "boot":
            return int(self.persona.booted(now)) + _spread(self.persona, path, 20)
        since = installed(self.persona)
        if node.when == "package":  # built before the host was installed; the same on every host of its kind
            return since - 30 * DAY - _spread_of(path, 200 * DAY)
        return since + _spread(self.persona, path, 1800)


def installed(persona: Persona) -> int:
    """When the host was installed, in seconds since the epoch."""
    return FIRST_INSTALL + int.from_bytes(persona.derive("installed", 4), "big") % (540 * DAY)


def groups_of(persona: Persona, user: User) -> tuple[str, ...]:
    """The names of the groups an account is in, its own first."""
    if user.uid < 1000:
        return (user.name,)
    first = min((account.uid for account in persona.users if account.uid >= 1000), default=0)
    if user.uid == first:
        return (user.name, "cdrom", "floppy", "audio", "dip", "video", "plugdev", "users", "netdev")
    return (user.name, "users")


def made_up(persona: Persona, path: str, node: Node) -> bytes:
    """Bytes for a file that nothing describes: a program's begin with the ELF header of the host's machine."""
    import random

    if path.startswith("/etc/"):  # a configuration that its package ships: all comment
        line = f"# {path.rpartition('/')[2]}: see the manual page of this file\n#\n".encode()
        return (line * (node.size // len(line) + 1))[: max(node.size - 1, 0)] + b"\n" * bool(node.size)
    rest = random.Random(f"{persona.os.id}{path}").randbytes(min(node.size, 2 << 20))
    head = elf_header(persona.os.machine) if node.mode & 0o111 else b""
    return (head + rest[len(head) :])[: node.size]


ELF_MACHINES = {
    "x86_64": (2, 1, 62),
    "i686": (1, 1, 3),
    "aarch64": (2, 1, 183),
    "armv7l": (1, 1, 40),
    "armv5tejl": (1, 1, 40),
    "mips": (1, 2, 8),
    "mipsel": (1, 1, 8),
    "ppc": (1, 2, 20),
}
"""Class (2 is 64 bits), byte order (1 is little) and e_machine, by what uname calls the machine."""


def elf_header(machine: str) -> bytes:
    """The first bytes of a program of that machine (ELF header, System V ABI)."""
    import struct

    bits, order, number = ELF_MACHINES.get(machine, ELF_MACHINES["x86_64"])
    mark = "<" if order == 1 else ">"
    ident = b"\x7fELF" + bytes((bits, order, 1)) + bytes(9)
    if bits == 2:
        return ident + struct.pack(mark + "HHIQQQIHHHHHH", 3, number, 1, 0x1160, 64, 0, 0, 64, 56, 13, 64, 31, 30)
    return ident + struct.pack(mark + "HHIIIIIHHHHHH", 2, number, 1, 0x8110, 52, 0, 0, 52, 32, 3, 40, 25, 24)


def _spread(persona: Persona, purpose: str, below: int) -> int:
    return int.from_bytes(persona.derive("time " + purpose, 4), "big") % below


def _spread_of(path: str, below: int) -> int:
    import zlib

    return zlib.crc32(path.encode("utf-8", "surrogateescape")) % below


def _trees_of(persona: Persona) -> tuple[Tree, Tree]:
    if persona.os.family == "embedded":
        from chaffinch.personas import embedded_files

        return embedded_files.shared(), tree(embedded_files.own(persona))
    from chaffinch.personas import debian_files

    return debian_files.shared(), tree(debian_files.own(persona))
