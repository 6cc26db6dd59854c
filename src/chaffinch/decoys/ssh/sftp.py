"""The SFTP server of OpenSSH (draft-ietf-secsh-filexfer-02, version 3) over a decoy host's files. No I/O: messages
in, messages out."""

import contextlib
import errno
from collections.abc import Callable
from typing import ClassVar

from chaffinch.decoys.ssh import attributes
from chaffinch.decoys.ssh.attributes import Attributes
from chaffinch.decoys.ssh.uploads import Uploads
from chaffinch.decoys.ssh.wire import Reader, WireError, string, uint32
from chaffinch.decoys.view import READ, View, absolute
from chaffinch.events import printable
from chaffinch.personas.files import Entry, FileError

MESSAGE_BYTES = 256 << 10
READ_BYTES = MESSAGE_BYTES - 1024
HANDLES = 100
NAMES_A_REPLY = 100

_OK, _EOF, _NO_SUCH_FILE, _DENIED, _FAILURE, _BAD_MESSAGE, _UNSUPPORTED = 0, 1, 2, 3, 4, 5, 8
_TEXTS = {
    _OK: b"Success",
    _EOF: b"End of file",
    _NO_SUCH_FILE: b"No such file",
    _DENIED: b"Permission denied",
    _FAILURE: b"Failure",
    _BAD_MESSAGE: b"Bad message",
    _UNSUPPORTED: b"Operation unsupported",
}
_STATUS_OF = {
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP), _NO_SUCH_FILE),
    **dict.fromkeys((errno.EPERM, errno.EACCES), _DENIED),
    **dict.fromkeys((errno.ENAMETOOLONG, errno.EINVAL), _BAD_MESSAGE),
    errno.ENOSYS: _UNSUPPORTED,
}
_STATUS, _HANDLE, _DATA, _NAME, _ATTRS, _VERSION, _EXTENDED_REPLY = 101, 102, 103, 104, 105, 2, 201
_EXTENSIONS = (
    (b"posix-rename@openssh.com", b"1"),
    (b"statvfs@openssh.com", b"2"),
    (b"fstatvfs@openssh.com", b"2"),
    (b"hardlink@openssh.com", b"1"),
    (b"fsync@openssh.com", b"1"),
    (b"lsetstat@openssh.com", b"1"),
    (b"limits@openssh.com", b"1"),
    (b"expand-path@openssh.com", b"1"),
    (b"copy-data", b"1"),
    (b"home-directory", b"1"),
    (b"users-groups-by-id@openssh.com", b"1"),
)
_OPEN_READ, _OPEN_WRITE, _OPEN_APPEND, _OPEN_CREATE, _OPEN_TRUNCATE, _OPEN_EXCLUSIVE = 1, 2, 4, 8, 16, 32
_NOTED = {3: "open", 11: "opendir", 13: "remove", 14: "mkdir", 15: "rmdir", 18: "rename", 20: "symlink"}


class _Open:
    """An open file or directory. `content` is a copy of what was there; `names` what a directory has left to tell."""

    def __init__(
        self, path: str, flags: int = 0, content: bytearray | None = None, names: list[str] | None = None
    ) -> None:
        self.path = path
        self.flags = flags
        self.content = bytearray() if content is None else content
        self.names = names
        self.written = bool(flags & _OPEN_WRITE)
        self.mode: int | None = None
        self.mtime: int | None = None


class SftpServer:
    """One SFTP session. `ids` gives the number of a user (`u`) or group (`g`); `note` is told of what the client asks
    for."""

    def __init__(
        self,
        view: View,
        home: str,
        uploads: Uploads,
        ids: Callable[[str, str], int],
        note: Callable[[str], None],
    ) -> None:
        self._view = view
        self._home = home
        self._uploads = uploads
        self._ids = ids
        self._note = note
        self._handles: dict[int, _Open] = {}
        self._data = b""
        self._started = False

    def feed(self, data: bytes) -> list[bytes]:
        """The replies to what arrived. Raises `WireError` where OpenSSH's server gives up."""
        self._data += data
        replies = []
        while len(self._data) >= 4:
            length = int.from_bytes(self._data[:4], "big")
            if not 0 < length <= MESSAGE_BYTES:
                raise WireError("a message is too long")
            if len(self._data) < 4 + length:
                break
            message, self._data = self._data[4 : 4 + length], self._data[4 + length :]
            reply = self._message(message)
            replies.append(uint32(len(reply)) + reply)
        return replies

    def close(self) -> None:
        """The session is over: half written files are kept as they are."""
        for handle in list(self._handles):
            self._finish(self._handles.pop(handle))

    def _message(self, message: bytes) -> bytes:
        number, fields = message[0], Reader(message[1:])
        if number == 1:
            fields.uint32()
            self._started = True
            pairs = b"".join(string(name) + string(value) for name, value in _EXTENSIONS)
            return bytes((_VERSION,)) + uint32(3) + pairs
        if not self._started:
            raise WireError("a request before the version")
        request = fields.uint32()
        handler = self._HANDLERS.get(number)
        if number in _NOTED:
            self._note(f"sftp {_NOTED[number]} {printable(Reader(message[5:]).string(), 1024)}")
        try:
            kind, body = handler(self, fields) if handler else _status(_UNSUPPORTED)
        except FileError as error:
            kind, body = _status(_STATUS_OF.get(error.errno or 0, _FAILURE))
        return bytes((kind,)) + uint32(request) + body

    # Files ---------------------------------------------------------------------------------------------------------

    def _open(self, fields: Reader) -> tuple[int, bytes]:
        path, flags, wanted = self._path(fields), fields.uint32(), Attributes(fields)
        if len(self._handles) >= HANDLES:
            return _status(_FAILURE)
        exists = self._view.exists(path)
        if flags & _OPEN_EXCLUSIVE and flags & _OPEN_CREATE and exists:
            return _status(_FAILURE)
        if not exists and flags & _OPEN_CREATE and flags & _OPEN_WRITE:
            self._view.write(path, b"", mode=(0o666 if wanted.mode is None else wanted.mode) & 0o755)
        entry = self._view.entry(path)
        content = bytearray()
        if entry.kind == "dir" and flags & _OPEN_WRITE:
            return _status(_FAILURE)
        if flags & _OPEN_WRITE and not self._view.allows(entry, 2):
            return _status(_DENIED)
        if entry.kind == "file" and not flags & _OPEN_TRUNCATE and (flags & _OPEN_READ or entry.size):
            source = self._view.read(path) if self._view.allows(entry, READ) else b""
            self._uploads.add(content, source)
        elif flags & _OPEN_READ and not self._view.allows(entry, READ):
            return _status(_DENIED)
        return self._new_handle(_Open(path, flags, content))

    def _close(self, fields: Reader) -> tuple[int, bytes]:
        handle = self._handle(fields)
        del self._handles[handle]
        self._finish(self._last)
        return _status(_OK)

    def _finish(self, opened: _Open) -> None:
        if not opened.written:
            self._uploads.drop(opened.content)
            return
        try:
            self._uploads.keep(opened.path, opened.content, "sftp")
            if opened.mode is not None:
                self._view.chmod(opened.path, opened.mode)
            if opened.mtime is not None:
                self._view.touch(opened.path, opened.mtime)
        except FileError:
            return  # the visitor has used up its share of the tree; the upload is recorded

    def _read(self, fields: Reader) -> tuple[int, bytes]:
        self._handle(fields)
        offset, size = fields.uint64(), fields.uint32()
        opened = self._last
        if opened.names is not None or not opened.flags & _OPEN_READ:
            return _status(_FAILURE)
        data = bytes(opened.content[offset : offset + min(size, READ_BYTES)])
        return (_DATA, string(data)) if data else _status(_EOF)

    def _write(self, fields: Reader) -> tuple[int, bytes]:
        self._handle(fields)
        offset, data = fields.uint64(), fields.string()
        opened = self._last
        if not opened.written:
            return _status(_FAILURE)
        if opened.flags & _OPEN_APPEND:
            offset = len(opened.content)
        self._uploads.resize(opened.content, max(len(opened.content), offset + len(data)))
        opened.content[offset : offset + len(data)] = data
        return _status(_OK)

    def _fsetstat(self, fields: Reader) -> tuple[int, bytes]:
        self._handle(fields)
        wanted, opened = Attributes(fields), self._last
        if wanted.size is not None and opened.written:
            with contextlib.suppress(FileError):  # a hole takes no room on a disk
                self._uploads.resize(opened.content, wanted.size)
        opened.mode = wanted.mode if wanted.mode is not None else opened.mode
        opened.mtime = wanted.mtime if wanted.mtime is not None else opened.mtime
        if not opened.written:
            self._set(opened.path, wanted)
        return _status(_OK)

    def _setstat(self, fields: Reader) -> tuple[int, bytes]:
        self._set(self._path(fields), Attributes(fields))
        return _status(_OK)

    def _set(self, path: str, wanted: Attributes) -> None:
        self._view.entry(path)
        if wanted.mode is not None:
            self._view.chmod(path, wanted.mode)
        if wanted.mtime is not None:
            self._view.touch(path, wanted.mtime)

    def _remove(self, fields: Reader) -> tuple[int, bytes]:
        self._view.remove(self._path(fields))
        return _status(_OK)

    def _rename(self, fields: Reader) -> tuple[int, bytes]:
        source, target = self._path(fields), self._path(fields)
        if self._view.exists(target):
            return _status(_FAILURE)  # version 3 does not replace; posix-rename does
        self._view.rename(source, target)
        return _status(_OK)

    # Directories ---------------------------------------------------------------------------------------------------

    def _opendir(self, fields: Reader) -> tuple[int, bytes]:
        path = self._path(fields)
        if len(self._handles) >= HANDLES:
            return _status(_FAILURE)
        return self._new_handle(_Open(path, names=[".", "..", *self._view.names(path)]))

    def _readdir(self, fields: Reader) -> tuple[int, bytes]:
        self._handle(fields)
        names = self._last.names
        if names is None:
            return _status(_FAILURE)
        if not names:
            return _status(_EOF)
        body = bytearray()
        for name in names[:NAMES_A_REPLY]:
            entry = self._view.entry(absolute(name, self._last.path), follow=False)
            body += string(_encode(name)) + string(_encode(attributes.long_name(name, entry))) + self._attributes(entry)
        count = min(len(names), NAMES_A_REPLY)
        del names[:NAMES_A_REPLY]
        return _NAME, uint32(count) + bytes(body)

    def _mkdir(self, fields: Reader) -> tuple[int, bytes]:
        path, wanted = self._path(fields), Attributes(fields)
        self._view.mkdir(path, (0o777 if wanted.mode is None else wanted.mode) & 0o755)
        return _status(_OK)

    def _rmdir(self, fields: Reader) -> tuple[int, bytes]:
        self._view.rmdir(self._path(fields))
        return _status(_OK)

    # Looking -------------------------------------------------------------------------------------------------------

    def _lstat(self, fields: Reader) -> tuple[int, bytes]:
        return _ATTRS, self._attributes(self._view.entry(self._path(fields), follow=False))

    def _stat(self, fields: Reader) -> tuple[int, bytes]:
        return _ATTRS, self._attributes(self._view.entry(self._path(fields)))

    def _fstat(self, fields: Reader) -> tuple[int, bytes]:
        self._handle(fields)
        entry = self._view.entry(self._last.path)
        return _ATTRS, self._attributes(entry, len(self._last.content) if self._last.written else entry.size)

    def _realpath(self, fields: Reader) -> tuple[int, bytes]:
        path = self._path(fields)
        try:
            return _one_name(self._view.locate(path)[0])
        except FileError:
            above, _, name = path.rstrip("/").rpartition("/")
            return _one_name(absolute(name, self._view.locate(above or "/")[0]))

    def _readlink(self, fields: Reader) -> tuple[int, bytes]:
        entry = self._view.entry(self._path(fields), follow=False)
        return _one_name(entry.target) if entry.kind == "link" else _status(_BAD_MESSAGE)

    def _symlink(self, fields: Reader) -> tuple[int, bytes]:
        target = fields.string().decode("utf-8", "surrogateescape")  # OpenSSH takes the two the other way round
        self._view.symlink(target, self._path(fields))
        return _status(_OK)

    def _extended(self, fields: Reader) -> tuple[int, bytes]:
        name = fields.string()
        if name == b"posix-rename@openssh.com":
            self._view.rename(self._path(fields), self._path(fields))
        elif name == b"limits@openssh.com":
            sizes = (MESSAGE_BYTES, READ_BYTES, READ_BYTES, 1019)
            return _EXTENDED_REPLY, b"".join(size.to_bytes(8, "big") for size in sizes)
        elif name in (b"expand-path@openssh.com", b"home-directory"):
            path = fields.string().decode("utf-8", "surrogateescape")
            home = name == b"home-directory"
            return _one_name(self._home if home else absolute(path.replace("~/", "", 1), self._home).rstrip("~"))
        elif name == b"lsetstat@openssh.com":
            return self._setstat(fields)
        elif name == b"fsync@openssh.com":
            self._handle(fields)
        elif name == b"statvfs@openssh.com":
            self._view.entry(self._path(fields))
            return _EXTENDED_REPLY, _statvfs()
        elif name == b"users-groups-by-id@openssh.com":
            return _EXTENDED_REPLY, self._names_of("u", fields.string()) + self._names_of("g", fields.string())
        else:
            return _status(_UNSUPPORTED)
        return _status(_OK)

    # Fields --------------------------------------------------------------------------------------------------------

    def _path(self, fields: Reader) -> str:
        return absolute(fields.string().decode("utf-8", "surrogateescape") or ".", self._home)

    def _handle(self, fields: Reader) -> int:
        """The number of an open handle, whose object is then `_last`."""
        text = fields.string()
        number = int.from_bytes(text, "big")
        if len(text) != 4 or number not in self._handles:
            raise FileError(errno.ENOENT if len(text) == 4 else errno.EIO, "")
        self._last = self._handles[number]
        return number

    def _new_handle(self, opened: _Open) -> tuple[int, bytes]:
        number = next(at for at in range(HANDLES) if at not in self._handles)
        self._handles[number] = opened
        return _HANDLE, string(uint32(number))

    def _attributes(self, entry: Entry, size: int | None = None) -> bytes:
        user, group = self._ids("u", entry.owner), self._ids("g", entry.group)
        return attributes.encode(entry, user, group, entry.size if size is None else size)

    def _names_of(self, kind: str, numbers: bytes) -> bytes:
        wanted = [int.from_bytes(numbers[at : at + 4], "big") for at in range(0, min(len(numbers), 4096), 4)]
        names = {self._ids(kind, name): name for name in self._known(kind)}
        return string(b"".join(string(_encode(names.get(number, ""))) for number in wanted))

    def _known(self, kind: str) -> list[str]:
        path = "/etc/passwd" if kind == "u" else "/etc/group"
        text = self._view.read(path).decode("utf-8", "replace") if self._view.exists(path) else ""
        return [line.partition(":")[0] for line in text.splitlines()]

    _HANDLERS: ClassVar[dict[int, Callable[["SftpServer", Reader], tuple[int, bytes]]]] = {
        3: _open,
        4: _close,
        5: _read,
        6: _write,
        7: _lstat,
        8: _fstat,
        9: _setstat,
        10: _fsetstat,
        11: _opendir,
        12: _readdir,
        13: _remove,
        14: _mkdir,
        15: _rmdir,
        16: _realpath,
        17: _stat,
        18: _rename,
        19: _readlink,
        20: _symlink,
        200: _extended,
    }


def _status(code: int) -> tuple[int, bytes]:
    return _STATUS, uint32(code) + string(_TEXTS[code]) + string(b"")


def _one_name(path: str) -> tuple[int, bytes]:
    name = string(_encode(path))
    return _NAME, uint32(1) + name + name + uint32(0)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _statvfs() -> bytes:
    """A 40 GB ext4 file system, half full."""
    blocks, free = 10_255_382, 5_481_204
    fields = (4096, 4096, blocks, free, free - 524_288, 2_621_440, 2_310_877, 2_310_877, 0x8F2A61D3, 0, 255)
    return b"".join(value.to_bytes(8, "big") for value in fields)
