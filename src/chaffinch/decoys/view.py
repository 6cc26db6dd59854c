"""A decoy host's files with one source's changes on top, as one account may use them, by shell, SFTP or FTP."""

import errno
import os
import time
from collections.abc import Callable

import msgspec

from chaffinch.decoys.overlay import Change, Overlay
from chaffinch.personas.files import Entry, FileError, Files, groups_of
from chaffinch.personas.persona import User

LINKS = 40
"""How many symbolic links one path may lead through, as in Linux."""

READ, WRITE, EXECUTE = 4, 2, 1


class View:
    """The host's files with one source's changes, as one account may use them.

    Paths are absolute. Every method raises `FileError` with the errno that the system call would give.
    """

    def __init__(self, files: Files, overlay: Overlay, user: User, clock: Callable[[], float] = time.time) -> None:
        self.files = files
        self.overlay = overlay
        self.user = user
        self.groups = groups_of(files.persona, user)
        self._clock = clock

    def as_user(self, user: User) -> "View":
        """The same files and changes for another account."""
        return View(self.files, self.overlay, user, self._clock)

    # Looking ---------------------------------------------------------------------------------------------------------

    def locate(self, path: str, *, follow: bool = True) -> tuple[str, Entry]:
        """The path without links, `.` and `..`, and what stands there. Without `follow` a link at the end is itself."""
        if len(path) > 4096:
            raise FileError(errno.ENAMETOOLONG, path)
        parts = [part for part in reversed(path.split("/")) if part]
        here, entry, links = "/", self._at("/"), 0
        must_be_directory = path.endswith("/")
        while parts:
            part = parts.pop()
            if part == ".":
                continue
            if entry.kind != "dir":
                raise FileError(errno.ENOTDIR, path)
            if part == "..":
                here = here.rpartition("/")[0] or "/"
                entry = self._at(here)
                continue
            below, child = self._child(here, entry, part, path)
            if child.kind != "link" or not (parts or follow or must_be_directory):
                here, entry = below, child
                continue
            links += 1
            if links > LINKS:
                raise FileError(errno.ELOOP, path)
            parts.extend(step for step in reversed(child.target.split("/")) if step)
            if child.target.startswith("/"):
                here, entry = "/", self._at("/")
        if must_be_directory and entry.kind != "dir":
            raise FileError(errno.ENOTDIR, path)
        return here, entry

    def entry(self, path: str, *, follow: bool = True) -> Entry:
        """What stands at `path`."""
        return self.locate(path, follow=follow)[1]

    def exists(self, path: str) -> bool:
        """Whether anything stands at `path` that this account can reach."""
        try:
            self.locate(path)
        except FileError:
            return False
        return True

    def names(self, path: str) -> list[str]:
        """The names in a directory, sorted by their bytes, without `.` and `..`."""
        where, entry = self.locate(path)
        if entry.kind != "dir":
            raise FileError(errno.ENOTDIR, path)
        if not self.allows(entry, READ):
            raise FileError(errno.EACCES, path)
        return self._names(where)

    def entries(self, path: str) -> list[Entry]:
        """What stands in a directory, in the order of `names`; links as themselves."""
        where = self.locate(path)[0]
        found = (self._lookup(join(where, name)) for name in self.names(where))
        return [entry for entry in found if entry is not None]

    def read(self, path: str) -> bytes:
        """A file's content."""
        where, entry = self.locate(path)
        if entry.kind == "dir":
            raise FileError(errno.EISDIR, path)
        if not self.allows(entry, READ):
            raise FileError(errno.EACCES, path)
        return self._content(where)

    def allows(self, entry: Entry, wanted: int) -> bool:
        """Whether the account may do this with an entry: READ, WRITE, EXECUTE or a sum of them."""
        if self.user.uid == 0:
            return wanted != EXECUTE or entry.kind != "file" or bool(entry.mode & 0o111)
        if entry.owner == self.user.name:
            bits = entry.mode >> 6
        elif entry.group in self.groups:
            bits = entry.mode >> 3
        else:
            bits = entry.mode
        return bits & wanted == wanted

    # Changing --------------------------------------------------------------------------------------------------------

    def write(self, path: str, data: bytes, *, append: bool = False, mode: int = 0o644) -> None:
        """Make or replace a file's content; `mode` is for one that does not exist yet."""
        where, entry = self._for_writing(path)
        if entry is None:
            self.overlay.put(where, self._new("file", mode, data=data, size=len(data)))
            return
        if entry.kind != "file":
            if entry.kind == "dir":
                raise FileError(errno.EISDIR, path)
            return  # a device swallows it
        if where.startswith(("/proc/", "/sys/")):
            return
        if append:
            data = self._content(where) + data
        self.overlay.put(where, Change("file", entry.mode, entry.owner, entry.group, self._now(), data, len(data)))

    def mkdir(self, path: str, mode: int = 0o755) -> None:
        """Make a directory."""
        where, entry = self._parent(path)
        if entry is not None:
            raise FileError(errno.EEXIST, path)
        self.overlay.put(where, self._new("dir", mode, opaque=True))

    def symlink(self, target: str, path: str) -> None:
        """Make a symbolic link."""
        where, entry = self._parent(path)
        if entry is not None:
            raise FileError(errno.EEXIST, path)
        self.overlay.put(where, self._new("link", 0o777, target=target[:4096]))

    def remove(self, path: str) -> None:
        """Remove a file or a link."""
        where, entry = self._for_removal(path)
        if entry.kind == "dir":
            raise FileError(errno.EISDIR, path)
        self._forget(where)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        where, entry = self._for_removal(path)
        if entry.kind != "dir":
            raise FileError(errno.ENOTDIR, path)
        if self._names(where):
            raise FileError(errno.ENOTEMPTY, path)
        self._forget(where)

    def rename(self, path: str, to: str) -> None:
        """Move a file, link or directory; what is at `to` is replaced as rename(2) does."""
        where, entry = self._for_removal(path)
        new, there = self._parent(to)
        if new == where:
            return
        if new.startswith(where + "/"):
            raise FileError(errno.EINVAL, to)
        if there is not None:
            if there.kind == "dir" and entry.kind != "dir":
                raise FileError(errno.EISDIR, to)
            if there.kind != "dir" and entry.kind == "dir":
                raise FileError(errno.ENOTDIR, to)
            if there.kind == "dir" and self._names(new):
                raise FileError(errno.ENOTEMPTY, to)
        self._copy(where, entry, new)
        self._forget_tree(where)

    def copy(self, path: str, to: str) -> None:
        """Copy a file's content and mode to `to`, as the account's own file."""
        where, entry = self.locate(path)
        if not self.allows(entry, READ):
            raise FileError(errno.EACCES, path)
        new, there = self._for_writing(to)
        change = self._kept(where, entry)
        if there is not None and there.kind == "file":
            change = msgspec.structs.replace(change, mode=there.mode, owner=there.owner, group=there.group)
        elif there is not None:
            return
        else:
            change = msgspec.structs.replace(
                change, mode=entry.mode & 0o755, owner=self.user.name, group=self.groups[0], mtime=self._now()
            )
        self.overlay.put(new, change)

    def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits."""
        self._set(path, mode=mode & 0o7777)

    def chown(self, path: str, owner: str = "", group: str = "") -> None:
        """Set owner and group, each where given. Only root may give a file away."""
        entry = self.entry(path)
        if self.user.uid != 0 and (owner not in ("", entry.owner) or (group and group not in self.groups)):
            raise FileError(errno.EPERM, path)
        self._set(path, owner=owner or entry.owner, group=group or entry.group)

    def touch(self, path: str, mtime: float | None = None) -> None:
        """Set the time of the last change, to now unless given."""
        self._set(path, mtime=int(self._clock() if mtime is None else mtime))

    # What stands where -----------------------------------------------------------------------------------------------

    def _at(self, path: str) -> Entry:
        entry = self._lookup(path)
        if entry is None:
            raise FileError(errno.ENOENT, path)
        return entry

    def _child(self, here: str, directory: Entry, name: str, asked: str) -> tuple[str, Entry]:
        """A name in a directory that must be there: one step of the way to the path that was `asked` for."""
        if not self.allows(directory, EXECUTE):
            raise FileError(errno.EACCES, asked)
        if len(name) > 255:
            raise FileError(errno.ENAMETOOLONG, asked)
        where = join(here, name)
        child = self._lookup(where)
        if child is None:
            raise FileError(errno.ENOENT, asked)
        return where, child

    def _lookup(self, path: str) -> Entry | None:
        """What stands at a path whose parents are directories."""
        if self.overlay.empty:
            return self.files.entry(path)
        change = self.overlay.get(path)
        if change is None:
            return None if self._hidden(path) else self.files.entry(path)
        if change.kind == "gone":
            return None
        size = change.size if change.kind == "file" else len(change.target) if change.kind == "link" else 4096
        name = path.rpartition("/")[2]
        return Entry(name, change.kind, change.mode, change.owner, change.group, size, change.mtime, change.target)

    def _hidden(self, path: str) -> bool:
        """Whether a directory above was removed or made anew."""
        while path != "/":
            path = path.rpartition("/")[0] or "/"
            change = self.overlay.get(path)
            if change is not None and (change.opaque or change.kind == "gone"):
                return True
        return False

    def _names(self, where: str) -> list[str]:
        change = self.overlay.get(where)
        own = not (change is not None and change.opaque) and not self._hidden(where)
        names = set(self.files.names(where)) if own else set()
        at = len(where.rstrip("/")) + 1
        for path, below in self.overlay.below(where):
            name = path[at:]
            if "/" in name:
                continue
            if below.kind == "gone":
                names.discard(name)
            else:
                names.add(name)
        return sorted(names)

    def _content(self, where: str) -> bytes:
        change = self.overlay.get(where)
        if change is None:
            return self.files.read(where)
        return self.files.read(change.origin) if change.origin else change.data

    # How a change is made --------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return int(self._clock())

    def _new(
        self, kind: str, mode: int, *, data: bytes = b"", size: int = 0, target: str = "", opaque: bool = False
    ) -> Change:
        return Change(kind, mode, self.user.name, self.groups[0], self._now(), data, size, target, opaque=opaque)

    def _parent(self, path: str) -> tuple[str, Entry | None]:
        """Where `path` is, its last name not followed, and what is there now. Its directory must be writable if
        nothing is."""
        above, _, name = path.rstrip("/").rpartition("/")
        if name in ("", ".", ".."):
            return self.locate(path)
        directory, entry = self.locate(above or "/")
        if entry.kind != "dir":
            raise FileError(errno.ENOTDIR, path)
        if len(name) > 255:
            raise FileError(errno.ENAMETOOLONG, path)
        where = join(directory, name)
        there = self._lookup(where)
        if there is None and not self.allows(entry, WRITE | EXECUTE):
            raise FileError(errno.EACCES, path)
        if there is None and where.startswith(("/proc/", "/sys/")):
            raise FileError(errno.ENOENT, path)
        return where, there

    def _for_writing(self, path: str) -> tuple[str, Entry | None]:
        where, there = self._parent(path)
        if there is not None and there.kind == "link":
            where, there = self.locate(path)
        if there is None and path.endswith("/"):
            raise FileError(errno.EISDIR, path)
        if there is not None and not self.allows(there, WRITE):
            raise FileError(errno.EACCES, path)
        return where, there

    def _for_removal(self, path: str) -> tuple[str, Entry]:
        where, entry = self.locate(path, follow=False)
        directory = self._at(where.rpartition("/")[0] or "/")
        if where == "/":
            raise FileError(errno.EBUSY, path)
        if not self.allows(directory, WRITE | EXECUTE) or where.startswith(("/proc/", "/sys/")):
            raise FileError(errno.EACCES if self.user.uid else errno.EPERM, path)
        if directory.mode & 0o1000 and self.user.uid != 0 and self.user.name not in (entry.owner, directory.owner):
            raise FileError(errno.EPERM, path)
        return where, entry

    def _set(
        self,
        path: str,
        *,
        mode: int | None = None,
        owner: str | None = None,
        group: str | None = None,
        mtime: int | None = None,
    ) -> None:
        where, entry = self.locate(path)
        if self.user.uid != 0 and entry.owner != self.user.name:
            writable = mtime is not None and self.allows(entry, WRITE)
            if not writable:
                raise FileError(errno.EPERM, path)
        if where.startswith(("/proc/", "/sys/", "/dev/")):
            return
        change = self._kept(where, entry)
        self.overlay.put(
            where,
            msgspec.structs.replace(
                change,
                mode=change.mode if mode is None else mode,
                owner=change.owner if owner is None else owner,
                group=change.group if group is None else group,
                mtime=change.mtime if mtime is None else mtime,
            ),
        )

    def _kept(self, where: str, entry: Entry) -> Change:
        """What stands at `where`, as a change that changes nothing yet."""
        change = self.overlay.get(where)
        if change is not None:
            return change
        origin = where if entry.kind == "file" else ""
        return Change(
            entry.kind, entry.mode, entry.owner, entry.group, entry.mtime, b"", entry.size, entry.target, origin
        )

    def _copy(self, where: str, entry: Entry, new: str) -> None:
        change = self._kept(where, entry)
        names = self._names(where) if entry.kind == "dir" else []
        self.overlay.put(new, msgspec.structs.replace(change, opaque=True) if entry.kind == "dir" else change)
        for name in names:
            child = self._lookup(join(where, name))
            if child is not None:
                self._copy(join(where, name), child, join(new, name))

    def _forget(self, where: str) -> None:
        if self.files.entry(where) is None or self._hidden(where):
            self.overlay.drop(where)
        else:
            self.overlay.put(where, Change("gone"))

    def _forget_tree(self, where: str) -> None:
        for path, _ in self.overlay.below(where):
            self.overlay.drop(path)
        self._forget(where)


def join(directory: str, name: str) -> str:
    """A name in a directory, as a path."""
    return f"{directory}{name}" if directory.endswith("/") else f"{directory}/{name}"


def absolute(path: str, cwd: str) -> str:
    """`path` seen from `cwd`, without resolving anything."""
    return path if path.startswith("/") else join(cwd, path)


def why(error: FileError) -> str:
    """The system's words for an error: `No such file or directory`."""
    return os.strerror(error.errno or errno.EIO)
