"""What a client can start once it is in: an interactive shell, a command, SFTP, scp. Each runs in a task that the
session owns."""

import asyncio
import contextlib
import re
from collections.abc import Callable

from chaffinch.decoys.session import Session
from chaffinch.decoys.shell import Shell, interact
from chaffinch.decoys.ssh import scp, sftp
from chaffinch.decoys.ssh.channel import Stream
from chaffinch.decoys.ssh.uploads import Room, Uploads
from chaffinch.decoys.ssh.wire import WireError
from chaffinch.decoys.view import View
from chaffinch.errors import PeerError
from chaffinch.events import Command, printable
from chaffinch.personas.files import FileError, Files
from chaffinch.personas.persona import User

COMMAND_BYTES = 8192
"""How much of a command is run and recorded, and how long an unfinished line of a script may grow."""

NOTES = 2000
"""How many requests of SFTP one session records."""

_SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/lib/sftp-server", "internal-sftp", "sftp-server")
_READS_INPUT = re.compile(
    r"""(?:^|[;&(]\s*)(?:sudo\s+)?
    (?:cat\s*(?:>|$|-\s) | tee\b | dd\b(?!.*\bif=) | (?:/bin/)?(?:ba|da)?sh\s*(?:-s\b|$) | base64\s+(?:-d|--decode)
      | (?:gunzip|xxd)\b[^;|]*(?:>|$) | tar\s+-?\w*x\w*\s*(?:$|-\s|-C) | python3?\s*(?:-\s|-?$) | perl\s*$ | read\b)""",
    re.VERBOSE,
)
"""Commands that read what the client sends. Others are run at once: many clients never say that their input has
ended."""


class Programs:
    """The programs of one session. A fault of ours in one of them ends the connection and comes out of `ended`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tasks: set[asyncio.Task[None]] = set()
        self._faults: list[BaseException] = []
        self._room = Room(session)

    def start(self, stream: Stream, kind: str, argument: bytes) -> bool:
        """Start what a channel request asks for; False where sshd would refuse."""
        user = self._session.persona.user(stream.connection.login.username)
        if user is None or (kind == "subsystem" and argument != b"sftp"):
            self._session.record(Command(f"{kind} {printable(argument, 256)}"))
            return False
        task = asyncio.get_running_loop().create_task(
            self._run(stream, user, kind, argument),
            name=f"ssh {kind} {self._session.id}",
        )
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(done, stream))
        return True

    async def _run(self, stream: Stream, user: User, kind: str, argument: bytes) -> None:
        try:
            login = _Login(self._session, stream, user, self._room)
            try:
                status = await login.run(kind, argument)
            finally:
                login.leave()
        except PeerError:
            return  # the client went away
        await stream.finish(status)

    def _done(self, task: asyncio.Task[None], stream: Stream) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._faults.append(fault)
            stream.connection.abort()

    async def ended(self) -> None:
        """End what still runs. Raises the first fault."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._faults:
            raise self._faults[0]


class _Login:
    """One account on one channel, with the files that it sees."""

    def __init__(self, session: Session, stream: Stream, user: User, room: Room) -> None:
        self._session = session
        self._stream = stream
        self._user = user
        self._view = View(Files(session.persona), session.overlay, user)
        self._counted = 0
        self._uploads = Uploads(session, self._view, room)
        self._notes = NOTES

    async def run(self, kind: str, argument: bytes) -> int:
        """Run what a channel request asks for; the exit status."""
        if kind == "subsystem":
            self._session.record(Command("subsystem sftp"))
            return await self._sftp()
        if kind == "shell":
            return await (self._interactive() if self._stream.pty else self._script())
        line = argument[:COMMAND_BYTES].decode("utf-8", "surrogateescape")
        self._session.record(Command(printable(argument, COMMAND_BYTES)))
        if line.strip() in _SFTP_SERVERS:
            return await self._sftp()
        copy = scp.parse(line)
        if copy is not None:
            return await self._copy(copy)
        return await self._command(line)

    # Shells --------------------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """The program ended: nothing is kept for its shell."""
        self._session.hold_more(-self._counted)
        self._counted = 0

    def _shell(self, *, interactive: bool) -> Shell:
        session = self._session
        shell = Shell(
            session.persona,
            self._user,
            self._view,
            source=session.source,
            rng=session.random,
            interactive=interactive,
            on_fact=session.record,
        )
        ends = f"{session.source} {session.source_port}"
        variables = {
            **self._stream.environment,
            "SSH_CLIENT": f"{ends} {session.service.port}",
            "SSH_CONNECTION": f"{ends} {session.address} {session.service.port}",
            **({"SSH_TTY": "/dev/pts/0"} if self._stream.pty else {}),
        }
        for name, value in variables.items():
            shell.assign(name, value)
            shell.exported.add(name)
        return shell

    async def _interactive(self) -> int:
        stream, session = self._stream, self._session

        shell = self._shell(interactive=True)

        async def keys() -> bytes:
            self._count(shell)
            await stream.drain()
            return await stream.read()

        return await interact(keys, stream.write, shell, session.record, elapsed_ms=lambda: session.elapsed_ms)

    def _shows(self, shell: Shell) -> None:
        """Send what the shell prints to the client as it comes."""
        stream = self._stream

        def show(fd: int, data: bytes) -> None:
            data = data.replace(b"\n", b"\r\n") if stream.pty else data
            (stream.write if fd == 1 else stream.write_error)(data)

        shell.on_output = show

    async def _script(self) -> int:
        """Lines without a terminal, as `ssh host < script` sends them."""
        shell = self._shell(interactive=False)
        self._shows(shell)
        waiting = b""
        while data := await self._stream.read():
            *lines, waiting = (waiting + data).split(b"\n")
            for line in lines:
                if await self._line(shell, line):
                    return shell.status
            waiting = waiting[-COMMAND_BYTES:]
        await self._line(shell, waiting)
        return shell.status

    def _count(self, shell: Shell) -> None:
        """Have what the shell keeps counted with what its session holds."""
        held = shell.held
        self._session.hold_more(held - self._counted)
        self._counted = held

    async def _line(self, shell: Shell, line: bytes) -> bool:
        """Run a line of a script; whether the shell is over."""
        if not line.strip():
            return False
        self._session.record(Command(printable(line, COMMAND_BYTES)))
        result = await shell.run(line.decode("utf-8", "surrogateescape"))
        self._count(shell)
        await self._stream.drain()
        return result.exited

    async def _command(self, line: str) -> int:
        shell = self._shell(interactive=False)
        self._shows(shell)
        given = await self._input() if _READS_INPUT.search(line) else b""
        result = await shell.run(line, given)
        return result.status

    async def _input(self) -> bytes:
        """All that the client sends to a command, up to the size of a file; it is kept as an upload."""
        given = bytearray()
        while data := await self._stream.read():
            with contextlib.suppress(FileError):  # what is past the bound is read and lost
                self._uploads.add(given, data)
        content = bytes(given)
        self._uploads.drop(given)
        self._uploads.record("stdin", content, "exec")
        return content

    # Files ---------------------------------------------------------------------------------------------------------

    async def _sftp(self) -> int:
        server = sftp.SftpServer(self._view, self._user.home, self._uploads, _ids(self._view), self._note)
        try:
            while data := await self._stream.read():
                for reply in server.feed(data):
                    self._stream.write(reply)
                    await self._stream.drain()
        except WireError:
            return 255
        finally:
            server.close()
        return 0

    def _note(self, text: str) -> None:
        if self._notes:
            self._notes -= 1
            self._session.record(Command(text))

    async def _copy(self, command: scp.ScpCommand) -> int:
        if command.sink:
            return await scp.receive(command, self._stream, self._view, self._user.home, self._uploads)
        return await scp.send(command, self._stream, self._view, self._user.home)


def _ids(view: View) -> Callable[[str, str], int]:
    """The numbers of users (`u`) and groups (`g`) as the host's own files list them, read when first asked for."""
    tables: dict[str, dict[str, int]] = {}

    def number(kind: str, name: str) -> int:
        if kind not in tables:
            tables[kind] = _table(view, "/etc/passwd" if kind == "u" else "/etc/group")
        return tables[kind].get(name, 0)

    return number


def _table(view: View, path: str) -> dict[str, int]:
    try:
        lines = view.read(path).decode("utf-8", "replace").splitlines()
    except FileError:
        return {}
    rows = [line.split(":") for line in lines]
    return {row[0]: int(row[2]) for row in rows if len(row) > 2 and row[2].isdecimal()}
