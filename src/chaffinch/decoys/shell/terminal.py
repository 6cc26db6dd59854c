"""What stands between a peer's keys and the shell: line editing, and the loop that ssh and telnet share."""

import asyncio
from collections.abc import Awaitable, Callable

from chaffinch.decoys.shell import parser, syntax
from chaffinch.decoys.shell.call import decode
from chaffinch.decoys.shell.shell import Interrupted, Shell
from chaffinch.errors import PeerClosedError
from chaffinch.events import Command, Fact, Terminal, printable

LINE_BYTES = 4096
"""How long a typed line may be; further characters ring the bell."""

RECORDED_BYTES = 256 << 10
"""How much of a session's screen and keys is recorded."""

INTERRUPT = object()
EOF = object()


class LineDiscipline:
    """Keys in, echo and lines out. Pure.

    `feed` gives the bytes to show and what was completed: a line as bytes, `INTERRUPT` for Ctrl-C, `EOF` for Ctrl-D
    on an empty line. Enter is any of CR, LF, CR LF and CR NUL. Set `echo` to False while a password is typed.
    """

    def __init__(self, history: list[bytes] | None = None) -> None:
        self.echo = True
        self.prompt = b""
        self.history = history if history is not None else []
        self._line = bytearray()
        self._cursor = 0
        self._escape = b""
        self._after_return = False
        self._at_history = 0
        self._draft = b""

    def start(self, prompt: bytes, *, echo: bool = True) -> None:
        """A new line begins behind `prompt`, which the caller shows."""
        self.prompt, self.echo = prompt, echo
        self._line.clear()
        self._cursor = 0
        self._at_history = len(self.history)

    def feed(self, data: bytes) -> tuple[bytes, list[object], bytes]:
        """Take keys up to the first completed line: what to show, what was completed, and the keys that were not
        taken."""
        shown = bytearray()
        for at in range(len(data)):
            key = data[at]
            done = self._key(key, shown)
            if done is not None:
                return bytes(shown), [done], data[at + 1 :]
        return bytes(shown), [], b""

    def _key(self, key: int, shown: bytearray) -> object | None:
        skipped, self._after_return = self._after_return and key in (0x0A, 0x00), key == 0x0D
        if skipped:
            return None
        if self._escape:
            self._in_escape(key, shown)
            return None
        if key in (0x0D, 0x0A):
            line = bytes(self._line)
            self.start(b"")
            shown += b"\r\n"
            return line
        if key == 0x03:
            shown += b"^C\r\n" if self.echo else b"\r\n"
            self.start(b"")
            return INTERRUPT
        if key == 0x04 and not self._line:
            return EOF
        if key == 0x1B:
            self._escape = b"\x1b"
        elif key < 0x20 or key == 0x7F:
            self._control(key, shown)
        else:
            self._insert(key, shown)
        return None

    def _insert(self, key: int, shown: bytearray) -> None:
        if len(self._line) >= LINE_BYTES:
            shown += b"\a"
            return
        self._line.insert(self._cursor, key)
        self._cursor += 1
        tail = self._line[self._cursor :]
        if self.echo:
            shown += bytes((key,)) + tail + b"\b" * len(tail)

    def _control(self, key: int, shown: bytearray) -> None:
        match key:
            case 0x7F | 0x08:
                self._erase(1, shown)
            case 0x15:
                self._erase(self._cursor, shown)
            case 0x17:
                before = bytes(self._line[: self._cursor]).rstrip(b" ")
                self._erase(self._cursor - (before.rfind(b" ") + 1), shown)
            case 0x01:
                self._move(-self._cursor, shown)
            case 0x05:
                self._move(len(self._line) - self._cursor, shown)
            case 0x02:
                self._move(-1, shown)
            case 0x06:
                self._move(1, shown)
            case 0x0B:
                self._delete(len(self._line) - self._cursor, shown)
            case 0x04:
                self._delete(1, shown)
            case 0x10:
                self._recall(-1, shown)
            case 0x0E:
                self._recall(1, shown)
            case 0x0C if self.echo:
                back = len(self._line) - self._cursor
                shown += b"\x1b[H\x1b[2J" + self.prompt + self._line + b"\b" * back

    def _in_escape(self, key: int, shown: bytearray) -> None:
        """Inside an escape sequence (ECMA-48): act on the few that edit, swallow the rest."""
        self._escape += bytes((key,))
        if len(self._escape) == 2 and key in b"[O":
            return
        if len(self._escape) > 2 and not 0x40 <= key <= 0x7E and len(self._escape) < 16:
            return
        sequence, self._escape = self._escape[1:], b""
        match sequence:
            case b"[A" | b"OA":
                self._recall(-1, shown)
            case b"[B" | b"OB":
                self._recall(1, shown)
            case b"[C" | b"OC":
                self._move(1, shown)
            case b"[D" | b"OD":
                self._move(-1, shown)
            case b"[H" | b"OH" | b"[1~":
                self._move(-self._cursor, shown)
            case b"[F" | b"OF" | b"[4~":
                self._move(len(self._line) - self._cursor, shown)
            case b"[3~":
                self._delete(1, shown)

    def _move(self, by: int, shown: bytearray) -> None:
        to = min(max(self._cursor + by, 0), len(self._line))
        if self.echo:
            shown += b"\b" * (self._cursor - to) if to < self._cursor else self._line[self._cursor : to]
        self._cursor = to

    def _erase(self, count: int, shown: bytearray) -> None:
        """Take `count` characters before the cursor away."""
        count = min(count, self._cursor)
        if not count:
            return
        tail = self._line[self._cursor :]
        del self._line[self._cursor - count : self._cursor]
        self._cursor -= count
        if self.echo:
            shown += b"\b" * count + tail + b" " * count + b"\b" * (count + len(tail)) if tail else b"\b \b" * count

    def _delete(self, count: int, shown: bytearray) -> None:
        """Take `count` characters at the cursor away."""
        count = min(count, len(self._line) - self._cursor)
        del self._line[self._cursor : self._cursor + count]
        tail = self._line[self._cursor :]
        if self.echo and count:
            shown += tail + b" " * count + b"\b" * (count + len(tail))

    def _recall(self, by: int, shown: bytearray) -> None:
        to = self._at_history + by
        if not self.echo or not 0 <= to <= len(self.history):
            return
        if self._at_history == len(self.history):
            self._draft = bytes(self._line)
        self._at_history = to
        self._move(len(self._line) - self._cursor, shown)
        self._erase(self._cursor, shown)
        self._line[:] = self._draft if to == len(self.history) else self.history[to]
        self._cursor = len(self._line)
        shown += self._line


class Screen:
    """A terminal over a peer's connection: asks, waits, shows, and records both ways within a bound if it is given a
    `record`."""

    def __init__(
        self,
        read: Callable[[], Awaitable[bytes]],
        write: Callable[[bytes], None],
        record: Callable[[Fact], None] | None = None,
        elapsed_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        self._read = read
        self._write = write
        self._record = record
        self._elapsed_ms = elapsed_ms
        self._left = RECORDED_BYTES
        self._keys = b""
        self.line = LineDiscipline()

    async def ask(self, prompt: bytes, *, echo: bool) -> bytes | None:
        self.line.start(prompt, echo=echo)
        self.show(prompt)
        while True:
            keys, self._keys = self._keys or await self._typed(), b""
            shown, done, self._keys = self.line.feed(keys)
            self._write(shown)
            self._note("out", shown)
            for item in done:
                if item is INTERRUPT:
                    raise Interrupted
                return item if isinstance(item, bytes) else None

    async def sleep(self, seconds: float) -> None:
        """Wait; what is typed meanwhile is kept for the next line, and Ctrl-C ends the wait."""
        if b"\x03" in self._keys:
            self._interrupt()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._keys = (self._keys + await self._typed())[-LINE_BYTES:]
                    if b"\x03" in self._keys:
                        self._interrupt()
        except TimeoutError:
            return

    def _interrupt(self) -> None:
        self._keys = self._keys.rpartition(b"\x03")[2]
        self.show(b"^C\n")
        raise Interrupted

    async def _typed(self) -> bytes:
        keys = await self._read()
        if not keys:
            raise PeerClosedError
        self._note("in", keys)
        return keys

    def show(self, data: bytes) -> None:
        """Text with `\\n` line ends, as a terminal in its usual mode prints it."""
        if data:
            data = data.replace(b"\n", b"\r\n")
            self._write(data)
            self._note("out", data)

    def _note(self, direction: str, data: bytes) -> None:
        if self._record is None or self._left <= 0 or not data:
            return
        self._left -= len(data)
        if self._left <= 0:
            data = data[: max(0, len(data) + self._left)] + b"\r\n[the recording ends here]\r\n"
        self._record(Terminal(self._elapsed_ms(), direction, data.decode("utf-8", "backslashreplace")))


async def interact(
    read: Callable[[], Awaitable[bytes]],
    write: Callable[[bytes], None],
    shell: Shell,
    record: Callable[[Fact], None],
    *,
    elapsed_ms: Callable[[], int],
    greet: bool = True,
) -> int:
    """Run an interactive shell over a connection; returns its exit status when it ends.

    `read` gives the next keys, empty when the peer closed (which raises `PeerClosedError` here). Each line is
    recorded as a Command, keys and screen as Terminal facts, up to `RECORDED_BYTES` for the session.
    """
    screen = Screen(read, write, record, elapsed_ms)
    shell.terminal = screen
    shell.on_output = lambda _fd, data: screen.show(data)
    shell.on_fact = shell.on_fact or record
    if greet:
        screen.show(shell.login_text())
    while True:
        try:
            line = await _whole_line(screen, shell, record)
            if line is None:
                if shell.leave():
                    screen.show(b"\n")
                    continue
                screen.show(b"logout\n" if shell.flavor == "bash" else b"\n")
                return shell.status
            if not line.strip():
                continue
            shell.remember(decode(line))
            if (await shell.run(decode(line))).exited:
                return shell.status
        except Interrupted:
            shell.status = 130


async def _whole_line(screen: Screen, shell: Shell, record: Callable[[Fact], None]) -> bytes | None:
    """A line, and those that continue it; None for Ctrl-D."""
    line = await screen.ask(shell.prompt, echo=True)
    while line is not None:
        record(Command(printable(line)))
        screen.line.history.append(line)
        del screen.line.history[:-100]
        try:
            parser.parse(decode(line))
        except syntax.Unfinished:
            more = await screen.ask(b"> ", echo=True)
            if more is None or len(line) > LINE_BYTES * 4:
                return line
            line = line + b"\n" + more
            continue
        except syntax.SyntaxFault:
            pass
        return line
    return None
