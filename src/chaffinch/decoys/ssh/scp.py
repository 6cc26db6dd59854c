"""The old scp protocol, both ends of it as `scp -t` and `scp -f` run on the server: control lines, data, one-byte
answers."""

import shlex

import msgspec

from chaffinch.decoys.ssh.channel import Stream
from chaffinch.decoys.ssh.uploads import Uploads
from chaffinch.decoys.view import READ, View, absolute, join, why
from chaffinch.personas.files import FileError

LINE_BYTES = 4096
DEPTH = 16
_CHUNK = 16 << 10


class ScpCommand(msgspec.Struct, frozen=True):
    """An `scp` command line as a client sends it for the other side. `sink`: it will receive."""

    sink: bool
    paths: tuple[str, ...]
    recursive: bool = False
    preserve: bool = False
    directory: bool = False


def parse(command: str) -> ScpCommand | None:
    """The command, or None for anything that is no remote end of scp."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if not words or words[0].rpartition("/")[2] != "scp":
        return None
    flags, paths = "", []
    for at, word in enumerate(words[1:], 1):
        if word == "--":
            paths += words[at + 1 :]
            break
        if word.startswith("-") and len(word) > 1 and not paths:
            flags += word[1:]
        else:
            paths.append(word)
    if not paths or ("t" in flags) == ("f" in flags):
        return None
    return ScpCommand("t" in flags, tuple(paths), "r" in flags, "p" in flags, "d" in flags)


class Lines:
    """Reads control lines and data off a stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._data = b""

    async def line(self) -> bytes:
        """A line without its end; empty when the client is done, or sends one that is too long."""
        while b"\n" not in self._data and len(self._data) <= LINE_BYTES:
            more = await self._stream.read()
            if not more:
                return b""
            self._data += more
        line, _, self._data = self._data.partition(b"\n")
        return line

    async def some(self, limit: int) -> bytes:
        """At most `limit` bytes; empty at the end of input."""
        if not self._data:
            self._data = await self._stream.read()
        taken, self._data = self._data[:limit], self._data[limit:]
        return taken

    async def answered(self) -> bool:
        """Whether the client said that all is well."""
        return await self.some(1) == b"\0"


class _Header(msgspec.Struct, frozen=True):
    kind: str
    mode: int
    size: int
    name: str


def parse_header(line: bytes) -> _Header | None:
    """A `C0644 12 name` or `D0755 0 name` line, or None."""
    parts = line.decode("utf-8", "surrogateescape").split(" ", 2)
    if len(parts) != 3 or len(parts[0]) != 5 or not parts[1].isdecimal() or len(parts[1]) > 15:
        return None
    kind, mode, name = parts[0][0], parts[0][1:], parts[2]
    if any(digit not in "01234567" for digit in mode) or "/" in name or name in ("", ".", ".."):
        return None
    return _Header(kind, int(mode, 8), int(parts[1]), name)


async def receive(command: ScpCommand, stream: Stream, view: View, home: str, uploads: Uploads) -> int:
    """`scp -t`: take files until the client is done. The exit status."""
    lines = Lines(stream)
    target = absolute(command.paths[0], home)
    if command.directory and not (view.exists(target) and view.entry(target).kind == "dir"):
        return _complain(stream, f"{command.paths[0]}: Not a directory")
    stream.write(b"\0")
    above: list[str] = []
    status, mtime = 0, None
    while line := await lines.line():
        if line[:1] in (b"\1", b"\2"):
            status = 1
        elif line[:1] == b"T":
            first = line[1:].split(b" ")[0]
            mtime = int(first) if first.isdigit() and len(first) < 12 else None
            stream.write(b"\0")
        elif line == b"E":
            if not above:
                return _complain(stream, "protocol error: unexpected <newline>")
            target = above.pop()
            stream.write(b"\0")
        else:
            header = parse_header(line)
            if header is None or header.kind not in "CD" or len(above) >= DEPTH:
                return _complain(stream, "protocol error: expected control record")
            path = join(target, header.name) if view.exists(target) and view.entry(target).kind == "dir" else target
            if header.kind == "D":
                status |= _directory(header, path, stream, view)
                above.append(target)
                target = path
            else:
                status |= await _file(header, path, lines, stream, view, uploads, mtime)
                mtime = None
    return status


def _directory(header: _Header, path: str, stream: Stream, view: View) -> int:
    try:
        if not view.exists(path):
            view.mkdir(path, header.mode & 0o755)
    except FileError as error:
        return _complain(stream, f"{path}: {why(error)}")
    stream.write(b"\0")
    return 0


async def _file(
    header: _Header, path: str, lines: Lines, stream: Stream, view: View, uploads: Uploads, mtime: int | None
) -> int:
    content = bytearray()
    fault = _why_not(path, view)
    if fault:
        return _complain(stream, f"{path}: {fault}")
    stream.write(b"\0")
    left = header.size
    while left:
        data = await lines.some(min(left, _CHUNK))
        if not data:
            break
        left -= len(data)
        if not fault:
            try:
                uploads.add(content, data)
            except FileError as error:
                fault = why(error)
    if not left:
        await lines.answered()
    try:
        uploads.keep(path, content, "scp")
        view.chmod(path, header.mode & 0o755)
        if mtime is not None:
            view.touch(path, mtime)
    except FileError as error:
        fault = fault or why(error)
    if fault:
        return _complain(stream, f"{path}: {fault}")
    stream.write(b"\0")
    return 0


def _why_not(path: str, view: View) -> str:
    """Why nothing can be written there, or an empty string."""
    try:
        if view.exists(path):
            entry = view.entry(path)
            return "Is a directory" if entry.kind == "dir" else "" if view.allows(entry, 2) else "Permission denied"
        view.write(path, b"")
    except FileError as error:
        return why(error)
    return ""


async def send(command: ScpCommand, stream: Stream, view: View, home: str) -> int:
    """`scp -f`: give the files that the client names. The exit status."""
    lines = Lines(stream)
    if not await lines.answered():
        return 1
    status = 0
    for path in command.paths:
        status |= await _give(absolute(path, home), path, command, lines, stream, view, 0)
    return status


async def _give(
    path: str, shown: str, command: ScpCommand, lines: Lines, stream: Stream, view: View, depth: int
) -> int:
    try:
        entry = view.entry(path)
        if entry.kind == "dir" and not command.recursive:
            return _complain(stream, f"{shown}: not a regular file")
        if entry.kind != "dir" and not view.allows(entry, READ):
            return _complain(stream, f"{shown}: Permission denied")
        names = view.names(path) if entry.kind == "dir" else []
        data = view.read(path) if entry.kind == "file" else b""
    except FileError as error:
        return _complain(stream, f"{shown}: {why(error)}")
    name = path.rstrip("/").rpartition("/")[2] or "/"
    if command.preserve and not await _said(f"T{entry.mtime} 0 {entry.mtime} 0", lines, stream):
        return 1
    if entry.kind != "dir":
        if not await _said(f"C{entry.mode & 0o7777:04o} {len(data)} {name}", lines, stream):
            return 1
        for at in range(0, len(data), _CHUNK):
            stream.write(data[at : at + _CHUNK])
            await stream.drain()
        stream.write(b"\0")
        return 0 if await lines.answered() else 1
    if not await _said(f"D{entry.mode & 0o7777:04o} 0 {name}", lines, stream):
        return 1
    status = 0
    for below in names if depth < DEPTH else []:
        status |= await _give(join(path, below), f"{shown}/{below}", command, lines, stream, view, depth + 1)
    return status if await _said("E", lines, stream) else 1


async def _said(line: str, lines: Lines, stream: Stream) -> bool:
    stream.write(line.encode("utf-8", "surrogateescape") + b"\n")
    return await lines.answered()


def _complain(stream: Stream, text: str) -> int:
    stream.write(b"\1scp: " + text.encode("utf-8", "surrogateescape") + b"\n")
    return 1
