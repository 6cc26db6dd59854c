"""`ls`: entries sorted, in columns, coloured or long, as GNU ls prints them."""

import re
import time

from chaffinch.decoys.shell.call import Call, options
from chaffinch.decoys.view import READ, join
from chaffinch.personas.files import Entry, FileError

WIDTH = 80
_LETTERS = {"file": "-", "dir": "d", "link": "l", "char": "c", "block": "b"}
_HALF_YEAR = 31556952 // 2


def permissions(entry: Entry) -> str:
    """`drwxr-xr-t`."""
    text = _LETTERS[entry.kind]
    for shift, special, mark in ((6, 0o4000, "s"), (3, 0o2000, "s"), (0, 0o1000, "t")):
        bits = entry.mode >> shift
        text += ("r" if bits & 4 else "-") + ("w" if bits & 2 else "-")
        runs = bits & 1
        text += (mark if runs else mark.upper()) if entry.mode & special else "x" if runs else "-"
    return text


def human(size: float) -> str:
    """`1.2K`: rounded up, as GNU's -h does."""
    if size < 1024:
        return str(int(size))
    for unit in "KMGT":
        size /= 1024
        if size < 10:
            tenths = -int(-size * 10 // 1)
            return f"{tenths / 10:.1f}{unit}" if tenths < 100 else f"10{unit}"
        if size < 1024:
            return f"{-int(-size // 1)}{unit}"
    return f"{int(size)}P"


def collated(name: str) -> tuple[str, str]:
    """The order of names in an English locale: letters and digits first, case last."""
    return re.sub(r"[^0-9a-z]", "", name.lower()) or name, name.swapcase()


def stamp(mtime: int, now: float) -> str:
    """`Nov 20 22:16`, or with the year when it is not of the last six months."""
    moment = time.gmtime(mtime)
    old = not now - _HALF_YEAR < mtime <= now
    return f"{time.strftime('%b', moment)} {moment.tm_mday:>2} " + time.strftime(" %Y" if old else "%H:%M", moment)


def _colour(entry: Entry) -> str:
    match entry.kind:
        case "dir":
            return "30;42" if entry.mode & 0o1002 == 0o1002 else "34;42" if entry.mode & 2 else "01;34"
        case "link":
            return "01;36"
        case "char" | "block":
            return "40;33;01"
    if entry.mode & 0o4000:
        return "37;41"
    if entry.mode & 0o2000:
        return "30;43"
    if entry.mode & 0o111:
        return "01;32"
    return "01;31" if entry.name.endswith((".gz", ".tar", ".tgz", ".zip", ".xz", ".bz2", ".deb")) else ""


class _Listing:
    def __init__(self, call: Call, flags: dict[str, str]) -> None:
        self.call = call
        self.flags = flags
        user = call.shell.user
        alias = call.shell.interactive and call.shell.flavor == "bash" and user.uid != 0
        self.coloured = call.out.terminal and (alias or "--color" in flags) and flags.get("--color") != "never"
        self.started = False

    def shown(self, entry: Entry, name: str) -> str:
        """A name with its colour, quotes and mark."""
        if call_quotes(name) and self.call.out.terminal:
            name = f"'{name}'"
        mark = ""
        if "F" in self.flags or "p" in self.flags:
            mark = "/" if entry.kind == "dir" else ""
        if "F" in self.flags and not mark:
            mark = "@" if entry.kind == "link" else "*" if entry.kind == "file" and entry.mode & 0o111 else ""
        code = _colour(entry) if self.coloured else ""
        if not code:
            return name + mark
        reset = "" if self.started else "\x1b[0m"
        self.started = True
        return f"{reset}\x1b[{code}m{name}\x1b[0m{mark}"

    def ordered(self, found: list[tuple[Entry, str]]) -> list[tuple[Entry, str]]:
        found.sort(key=lambda pair: collated(pair[1]))
        if "t" in self.flags:
            found.sort(key=lambda pair: -pair[0].mtime)
        if "S" in self.flags:
            found.sort(key=lambda pair: -pair[0].size)
        return found[::-1] if "r" in self.flags else found

    def print(self, found: list[tuple[Entry, str]], *, total: bool, where: str) -> None:
        found = self.ordered(found)
        if "l" in self.flags or "n" in self.flags or "o" in self.flags:
            self._long(found, total=total, where=where)
        elif "1" in self.flags or not self.call.out.terminal:
            for entry, name in found:
                self.call.print(self._numbered(entry) + self.shown(entry, name))
        else:
            self._columns(found)

    def _numbered(self, entry: Entry) -> str:
        return f"{inode(entry)} " if "i" in self.flags else ""

    def _columns(self, found: list[tuple[Entry, str]]) -> None:
        if not found:
            return
        plain = [len(name) + 2 * call_quotes(name) + ("F" in self.flags) for _, name in found]
        rows = 1
        while rows < len(found):
            widths = [max(plain[i : i + rows]) for i in range(0, len(found), rows)]
            if sum(widths) + 2 * (len(widths) - 1) < WIDTH:
                break
            rows += 1
        widths = [max(plain[i : i + rows]) for i in range(0, len(found), rows)]
        for row in range(rows):
            line = ""
            for column in range(len(widths)):
                at = column * rows + row
                if at < len(found):
                    entry, name = found[at]
                    last = at + rows >= len(found)
                    line += self.shown(entry, name) + ("" if last else " " * (widths[column] + 2 - plain[at]))
            self.call.print(line)

    def _long(self, found: list[tuple[Entry, str]], *, total: bool, where: str) -> None:
        now = self.call.shell.now()
        big = "h" in self.flags
        blocks = sum(-(-entry.size // 4096) * 4 for entry, _ in found if entry.kind in ("file", "dir"))
        if total:
            self.call.print(f"total {human(blocks * 1024) if big else blocks}")
        rows: list[tuple[Entry, list[str], str]] = []
        for entry, name in found:
            size = str(entry.size)
            if entry.kind in ("char", "block"):
                size = entry.target
            elif big:
                size = human(entry.size)
            path = name if name.startswith("/") else join(where, name)
            owner, group = entry.owner, entry.group
            if "n" in self.flags:
                owner, group = str(uid_of(self.call, owner)), str(uid_of(self.call, group))
            arrow = f" -> {entry.target}" if entry.kind == "link" else ""
            rows.append((entry, [str(self._links(path, entry)), owner, group, size], self.shown(entry, name) + arrow))
        widths = [max((len(cells[at]) for _, cells, _ in rows), default=0) for at in range(4)]
        for entry, (links, owner, group, size), text in rows:
            cells = f"{links:>{widths[0]}} {owner:<{widths[1]}} {group:<{widths[2]}} {size:>{widths[3]}}"
            mode = self._numbered(entry) + permissions(entry)
            self.call.print(f"{mode} {cells} {stamp(entry.mtime, now)} {text}")

    def _links(self, path: str, entry: Entry) -> int:
        if entry.kind != "dir":
            return 1
        try:
            return 2 + sum(below.kind == "dir" for below in self.call.view.entries(path))
        except FileError:
            return 2


def call_quotes(name: str) -> bool:
    """Whether GNU ls would quote this name at a terminal."""
    return any(character in " '\"$&*;<>?()|`\\!#\t" for character in name)


def inode(entry: Entry) -> int:
    """A number for an entry: the same for the same name and time."""
    import zlib

    return 131073 + zlib.crc32(f"{entry.name}{entry.mtime}{entry.kind}".encode("utf-8", "surrogateescape")) % 900000


def uid_of(call: Call, name: str) -> int:
    """The number of an account."""
    user = call.shell.persona.user(name)
    return (
        user.uid if user is not None else {"root": 0, "shadow": 42, "adm": 4, "www-data": 33, "tty": 5}.get(name, 1000)
    )


async def ls(call: Call) -> int:
    flags, paths, unknown = options(call.args, "aAlhrtSR1dFpinogsCxmU", "")
    if "--all" in flags:
        flags["a"] = ""
    if unknown:
        call.complain(f"ls: invalid option -- '{unknown[1]}'\nTry 'ls --help' for more information.")
        return 2
    listing, status = _Listing(call, flags), 0
    files: list[tuple[Entry, str]] = []
    directories: list[str] = []
    for path in paths or ["."]:
        try:
            entry = call.view.entry(call.path(path), follow="l" not in flags and "d" not in flags)
        except FileError as error:
            call.complain(f"ls: cannot access '{path}': {error.strerror}")
            status = 2
            continue
        if entry.kind == "dir" and "d" not in flags:
            directories.append(path)
        else:
            files.append((entry, path))
    if files:
        listing.print(files, total=False, where=call.shell.cwd)
    headed = len(paths) > 1 or "R" in flags
    pending = sorted(directories, key=collated)
    count = 0
    while pending and count < 256:
        path = pending.pop(0)
        if headed:
            call.print(("\n" if files or count else "") + path + ":")
        count += 1
        found = _directory(call, flags, path)
        if found is None:
            status = 2
            continue
        listing.print(found, total=True, where=call.path(path))
        if "R" in flags:
            below = [
                join(path, name)
                for entry, name in listing.ordered(found)
                if entry.kind == "dir" and name not in (".", "..")
            ]
            pending[:0] = below
    return status


def _directory(call: Call, flags: dict[str, str], path: str) -> list[tuple[Entry, str]] | None:
    view, where = call.view, call.path(path)
    try:
        if not view.allows(view.entry(where), READ):
            raise FileError(13, path)
        found = [
            (entry, entry.name)
            for entry in view.entries(where)
            if not entry.name.startswith(".") or "a" in flags or "A" in flags
        ]
        if "a" in flags:
            above = view.entry(view.locate(where)[0].rpartition("/")[0] or "/")
            found += [(view.entry(where), "."), (above, "..")]
    except FileError as error:
        call.complain(f"ls: cannot open directory '{path}': {error.strerror}")
        return None
    return found
