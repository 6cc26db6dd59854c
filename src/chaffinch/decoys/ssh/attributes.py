"""What SFTP says of a file (draft-ietf-secsh-filexfer-02, sections 5 and 7), read and written. Pure."""

import stat
import time

from chaffinch.decoys.ssh.wire import Reader, uint32
from chaffinch.personas.files import Entry

_KINDS = {"file": stat.S_IFREG, "dir": stat.S_IFDIR, "link": stat.S_IFLNK, "char": stat.S_IFCHR, "block": stat.S_IFBLK}
_HALF_A_YEAR = 182 * 86400


class Attributes:
    """What a client sets; None where it says nothing."""

    def __init__(self, fields: Reader) -> None:
        flags = fields.uint32()
        self.size = fields.uint64() if flags & 1 else None
        if flags & 2:
            fields.take(8)
        self.mode = fields.uint32() & 0o7777 if flags & 4 else None
        self.mtime = int.from_bytes(fields.take(8)[4:], "big") if flags & 8 else None
        if flags & 0x80000000:
            for _ in range(min(fields.uint32(), 64)):
                fields.string()
                fields.string()


def encode(entry: Entry, user: int, group: int, size: int) -> bytes:
    """All attributes of an entry: size, owners, mode and times."""
    when = uint32(entry.mtime & 0xFFFFFFFF)
    mode = uint32(_mode(entry))
    return b"".join((uint32(15), size.to_bytes(8, "big"), uint32(user), uint32(group), mode, when, when))


def long_name(name: str, entry: Entry) -> str:
    """The entry as a line of `ls -l`, as OpenSSH's server writes it."""
    links = 2 if entry.kind == "dir" else 1
    recent = 0 <= time.time() - entry.mtime < _HALF_A_YEAR
    date = time.strftime("%b %e %H:%M" if recent else "%b %e  %Y", time.gmtime(entry.mtime))
    return f"{stat.filemode(_mode(entry))} {links:4d} {entry.owner:<8} {entry.group:<8} {entry.size:8d} {date} {name}"


def _mode(entry: Entry) -> int:
    return _KINDS.get(entry.kind, stat.S_IFREG) | entry.mode
