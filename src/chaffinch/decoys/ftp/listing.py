"""Listings as vsftpd prints them: its own `ls`, with numbers for owners."""

import time
from collections.abc import Iterable

from chaffinch.decoys import globbing
from chaffinch.decoys.view import View, absolute, join
from chaffinch.personas.files import Entry, FileError

_KINDS = {"dir": "d", "link": "l", "char": "c", "block": "b"}
_HALF_A_YEAR = 182 * 86400
MAX_NAMES = 2000
"""How many names one listing shows."""


class Numbers:
    """Users and groups by number, read from the host's own files when a listing asks."""

    def __init__(self, view: View) -> None:
        self.users = _numbers(view, "/etc/passwd")
        self.groups = _numbers(view, "/etc/group")
        for user in view.files.persona.users:
            self.users.setdefault(user.name, str(user.uid))
            self.groups.setdefault(user.name, str(user.uid))


def _numbers(view: View, path: str) -> dict[str, str]:
    fields = (line.split(":") for line in view.files.read(path).decode("utf-8", "replace").splitlines())
    return {row[0]: row[2] for row in fields if len(row) > 2}


def line(entry: Entry, name: str, numbers: Numbers, now: float) -> str:
    """One entry of a long listing, without its end."""
    date = time.gmtime(entry.mtime)
    recent = now - _HALF_A_YEAR < entry.mtime <= now + 86400
    shown = time.strftime("%b %d %H:%M" if recent else "%b %d  %Y", date)
    owner = numbers.users.get(entry.owner, "65534")
    group = numbers.groups.get(entry.group, "65534")
    links = 2 if entry.kind == "dir" else 1
    arrow = f" -> {entry.target}" if entry.kind == "link" else ""
    return f"{_mode(entry)} {links:4} {owner:<8} {group:<8} {entry.size:8} {shown} {name}{arrow}"


def _mode(entry: Entry) -> str:
    letters = [letter if entry.mode >> 8 - at & 1 else "-" for at, letter in enumerate("rwxrwxrwx")]
    for bit, at, letter in ((0o4000, 2, "s"), (0o2000, 5, "s"), (0o1000, 8, "t")):
        if entry.mode & bit:
            letters[at] = letter if letters[at] == "x" else letter.upper()
    return _KINDS.get(entry.kind, "-") + "".join(letters)


def listing(view: View, cwd: str, argument: str, *, long: bool) -> bytes:
    """What LIST (`long`), NLST and STAT answer for their argument: options first, then a path or a pattern."""
    options, path = "", argument.strip()
    while path.startswith("-"):
        option, _, path = path.partition(" ")
        options, path = options + option[1:], path.lstrip()
    hidden = "a" in options
    long = long or "l" in options
    names, directory, prefix = _chosen(view, cwd, path, hidden=hidden)
    numbers = Numbers(view) if long else None
    now = time.time()
    rows: list[str] = []
    for name in names:
        entry = _entry(view, join(directory, name))
        if entry is not None:
            rows.append(
                line(entry, prefix + name if prefix and not long else name, numbers, now) if numbers else prefix + name
            )
    return "".join(f"{row}\r\n" for row in rows).encode("utf-8", "surrogateescape")


def _entry(view: View, path: str) -> Entry | None:
    try:
        return view.entry(path, follow=False)
    except FileError:
        return None


def _chosen(view: View, cwd: str, path: str, *, hidden: bool) -> tuple[Iterable[str], str, str]:
    """The names to list, their directory, and what NLST puts before each."""
    where = absolute(path, cwd) if path else cwd
    try:
        found, entry = view.locate(where)
        if entry.kind == "dir":
            names = [name for name in view.names(found) if hidden or not name.startswith(".")]
            dots = [".", ".."] if hidden else []
            return [*dots, *names][:MAX_NAMES], found, f"{path.rstrip('/')}/" if path else ""
        above, _, name = where.rpartition("/")
        return [name], above or "/", f"{path.rpartition('/')[0]}/" if "/" in path else ""
    except FileError:
        pass
    above, _, pattern = where.rpartition("/")
    if not any(sign in pattern for sign in "*?{["):
        return [], cwd, ""
    try:
        names = [name for name in view.names(above or "/") if hidden or not name.startswith(".")]
    except FileError:
        return [], cwd, ""
    matching = [name for name in names[:MAX_NAMES] if globbing.matches(name, pattern[:128])]
    return matching, above or "/", f"{path.rpartition('/')[0]}/" if "/" in path else ""
