"""After the login: the commands of vsftpd over the host's files."""

from collections.abc import Awaitable, Callable

from chaffinch.decoys.ftp import listing, options_reply, read_command, uploads
from chaffinch.decoys.ftp.connections import DataConnections
from chaffinch.decoys.ftp.data import DataError
from chaffinch.decoys.ftp.replies import DENIED, FEATURES, HELP, STATUS, quoted, reply
from chaffinch.decoys.session import Session
from chaffinch.decoys.view import View, absolute
from chaffinch.personas.files import FileError, Files
from chaffinch.personas.persona import User

SHOWN_BYTES = 256 << 10
"""How much of an upload a client finds again; the whole of it is in quarantine."""


class Commands:
    """One logged-in client: where it stands, and what it prepared for the next transfer."""

    def __init__(self, session: Session, user: User, version: str) -> None:
        self.session = session
        self.user = user
        self.version = version
        self.anonymous = user.home == "/srv/ftp"
        self.root = user.home if self.anonymous else ""
        self.writes = session.service.option("write") == "yes"
        self.view = View(Files(session.persona), session.overlay, user)
        self.cwd = user.home if not self.anonymous and self._is_directory(user.home) else "/"
        self.binary = False
        self.restart = 0
        self.rename_from = ""
        self.connections = DataConnections(session)

    async def run(self) -> None:
        """Answer commands until the client leaves."""
        while (command := await read_command(self.session)) is not None:
            verb, argument = command
            if verb == "QUIT":
                self.session.write(reply(221, "Goodbye."))
                return
            if verb in _WRITING and not self.writes:
                self.session.write(DENIED)
                continue
            handler = _COMMANDS.get(verb)
            if handler is None:
                self.session.write(reply(500, "Unknown command."))
                continue
            answer = await handler(self, argument)
            if answer:
                self.session.write(answer)
            if verb not in ("REST", "PASV", "EPSV", "PORT", "EPRT", "TYPE"):
                self.restart = 0

    def close(self) -> None:
        """Give back what the client prepared and did not use."""
        self.connections.close()

    # Paths ---------------------------------------------------------------------------------------------------------

    def _path(self, argument: str) -> str:
        """The argument as a path of the host's tree; an anonymous client cannot leave its own."""
        if not argument or "\0" in argument:
            raise FileError(2, argument)
        path = absolute(argument, self.cwd)
        return self.root + _straight(path) if self.root else path

    def _shown(self, path: str) -> str:
        return (path.removeprefix(self.root) or "/") if self.root else path

    def _is_directory(self, path: str) -> bool:
        try:
            return self.view.entry(path).kind == "dir"
        except FileError:
            return False

    async def cwd_(self, argument: str) -> bytes:
        try:
            where, entry = self.view.locate(self._path(argument))
        except FileError:
            root = bool(self.root) and _straight(absolute(argument or "x", self.cwd)) == "/"
            if root:
                self.cwd = "/"
                return reply(250, "Directory successfully changed.")
            return reply(550, "Failed to change directory.")
        if entry.kind != "dir" or not self.view.allows(entry, 1):
            return reply(550, "Failed to change directory.")
        self.cwd = self._shown(where)
        return reply(250, "Directory successfully changed.")

    async def cdup(self, argument: str) -> bytes:
        return await self.cwd_("..")

    async def pwd(self, argument: str) -> bytes:
        return reply(257, f"{quoted(self.cwd)} is the current directory")

    async def size(self, argument: str) -> bytes:
        try:
            entry = self.view.entry(self._path(argument))
        except FileError:
            entry = None
        if entry is None or entry.kind != "file":
            return reply(550, "Could not get file size.")
        return reply(213, str(entry.size))

    async def mdtm(self, argument: str) -> bytes:
        import time

        try:
            entry = self.view.entry(self._path(argument))
        except FileError:
            entry = None
        if entry is None or entry.kind != "file":
            return reply(550, "Could not get file modification time.")
        return reply(213, time.strftime("%Y%m%d%H%M%S", time.gmtime(entry.mtime)))

    # Settings ------------------------------------------------------------------------------------------------------

    async def type_(self, argument: str) -> bytes:
        wanted = argument.upper()
        if wanted in ("I", "L8", "L 8"):
            self.binary = True
            return reply(200, "Switching to Binary mode.")
        if wanted in ("A", "A N"):
            self.binary = False
            return reply(200, "Switching to ASCII mode.")
        return reply(500, "Unrecognised TYPE command.")

    async def mode(self, argument: str) -> bytes:
        return reply(200, "Mode set to S.") if argument.upper() == "S" else reply(504, "Bad MODE command.")

    async def structure(self, argument: str) -> bytes:
        return reply(200, "Structure set to F.") if argument.upper() == "F" else reply(504, "Bad STRU command.")

    async def rest(self, argument: str) -> bytes:
        digits = argument[:18]
        self.restart = int(digits) if digits.isascii() and digits.isdigit() else 0
        return reply(350, f"Restart position accepted ({self.restart}).")

    async def user_(self, argument: str) -> bytes:
        if self.anonymous:
            return reply(530, "Can't change from guest user.")
        if argument == self.user.name:
            return reply(331, "Any password will do.")
        return reply(530, "Can't change to another user.")

    async def status(self, argument: str) -> bytes:
        if argument:
            return b"213-Status follows:\r\n" + self._listing(f"-a {argument}", long=True) + b"213 End of status\r\n"
        kind = "BINARY" if self.binary else "ASCII"
        source, name = self.session.source, self.user.name
        return STATUS.format(source=source, user=name, type=kind, version=self.version).encode(
            "utf-8", "surrogateescape"
        )

    async def site(self, argument: str) -> bytes:
        if self.anonymous:
            return DENIED
        verb, _, rest = argument.partition(" ")
        if verb.upper() == "CHMOD" and self.writes:
            return self._chmod(rest)
        if verb.upper() == "UMASK":
            digits = rest.strip()[:4]
            octal = bool(digits) and not digits.strip("01234567")
            return reply(200, f"UMASK set to 0{int(digits, 8):o}" if octal else "Your current UMASK is 077")
        if verb.upper() == "HELP":
            return reply(214, "CHMOD UMASK HELP" if self.writes else "UMASK HELP")
        return reply(500, "Unknown SITE command.")

    def _chmod(self, argument: str) -> bytes:
        mode, _, name = argument.partition(" ")
        if not name:
            return reply(500, "SITE CHMOD needs 2 arguments.")
        try:
            self.view.chmod(self._path(name), int(mode, 8) & 0o7777)
        except (FileError, ValueError):
            return reply(500, "SITE CHMOD command failed.")
        return reply(200, "SITE CHMOD command ok.")

    # Transfers -----------------------------------------------------------------------------------------------------

    def _listing(self, argument: str, *, long: bool) -> bytes:
        cwd, given = self.cwd, argument
        if self.root:
            cwd = self.root + self.cwd
            options = " ".join(part for part in argument.split() if part.startswith("-"))
            path = " ".join(part for part in argument.split() if not part.startswith("-"))
            given = f"{options} {self._path(path) if path else ''}".strip()
        return listing.listing(self.view, cwd, given, long=long)

    async def list_(self, argument: str) -> bytes:
        return await self._list(argument, long=True)

    async def nlst(self, argument: str) -> bytes:
        return await self._list(argument, long=False)

    async def _list(self, argument: str, *, long: bool) -> bytes:
        if refused := self.connections.prepared():
            return refused
        before, done = reply(150, "Here comes the directory listing."), reply(226, "Directory send OK.")
        await self.connections.send(
            before, self._listing(argument, long=long), done, reply(426, "Failure writing network stream.")
        )
        return b""

    async def retr(self, argument: str) -> bytes:
        if refused := self.connections.prepared():
            return refused
        start = self.restart
        try:
            content = self.view.read(self._path(argument))
        except FileError:
            return reply(550, "Failed to open file.")
        before = reply(150, f"Opening BINARY mode data connection for {argument} ({len(content)} bytes).")
        done, broken = reply(226, "Transfer complete."), reply(426, "Failure writing network stream.")
        await self.connections.send(before, content[start:], done, broken)
        return b""

    async def stor(self, argument: str) -> bytes:
        return await self._upload(argument, "Ok to send data.", append=False)

    async def appe(self, argument: str) -> bytes:
        return await self._upload(argument, "Ok to send data.", append=True)

    async def stou(self, argument: str) -> bytes:
        base = name = argument or "STOU"
        number = 0
        while self.view.exists(absolute(name, self.cwd)) and number < 100:
            number += 1
            name = f"{base}.{number}"
        return await self._upload(name, f"FILE: {name}", append=False)

    async def _upload(self, name: str, before: str, *, append: bool) -> bytes:
        if refused := self.connections.prepared():
            return refused
        try:
            path = self._path(name)
            self.view.write(path, b"", append=True, mode=0o600)
        except FileError:
            return reply(553, "Could not create file.")
        transfer = await self.connections.connect()
        if transfer is None:
            return b""
        self.session.write(reply(150, before))
        try:
            content = await uploads.receive(self.session, transfer, path)
            self._show(path, content, append=append)
        except DataError:
            return reply(426, "Failure reading network stream.")
        finally:
            transfer.close()
        return reply(226, "Transfer complete.")

    def _show(self, path: str, content: bytes | None, *, append: bool) -> None:
        """Let the client find what it brought, as far as its quota goes."""
        try:
            self.view.write(path, (content or b"")[:SHOWN_BYTES], append=append, mode=0o600)
        except FileError:
            return  # the client's quota is used up: it was told that all went well, and the file stays empty

    # Changing ------------------------------------------------------------------------------------------------------

    async def dele(self, argument: str) -> bytes:
        return self._change(self.view.remove, argument, "Delete operation", 250)

    async def rmd(self, argument: str) -> bytes:
        return self._change(self.view.rmdir, argument, "Remove directory operation", 250)

    def _change(self, act: Callable[[str], None], argument: str, what: str, code: int) -> bytes:
        try:
            act(self._path(argument))
        except FileError:
            return reply(550, f"{what} failed.")
        return reply(code, f"{what} successful.")

    async def mkd(self, argument: str) -> bytes:
        try:
            path = self._path(argument)
            self.view.mkdir(path, 0o700)
        except FileError:
            return reply(550, "Create directory operation failed.")
        return reply(257, f"{quoted(self._shown(_straight(path)))} created")

    async def rnfr(self, argument: str) -> bytes:
        self.rename_from = ""
        try:
            path = self._path(argument)
            self.view.entry(path, follow=False)
        except FileError:
            return reply(550, "RNFR command failed.")
        self.rename_from = path
        return reply(350, "Ready for RNTO.")

    async def rnto(self, argument: str) -> bytes:
        if not self.rename_from:
            return reply(503, "RNFR required first.")
        before, self.rename_from = self.rename_from, ""
        try:
            self.view.rename(before, self._path(argument))
        except FileError:
            return reply(550, "Rename failed.")
        return reply(250, "Rename successful.")


def _straight(path: str) -> str:
    """An absolute path without `.`, `..` and doubled slashes."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def _says(code: int, text: str) -> Callable[[Commands, str], Awaitable[bytes]]:
    """A command that answers the same whatever it is given."""
    answer = reply(code, text)

    async def say(commands: Commands, argument: str) -> bytes:
        return answer

    return say


def _prepares(
    act: Callable[[DataConnections, str], Awaitable[bytes]],
) -> Callable[[Commands, str], Awaitable[bytes]]:
    """A command that prepares the next data connection."""

    async def prepare(commands: Commands, argument: str) -> bytes:
        return await act(commands.connections, argument)

    return prepare


async def _features(commands: Commands, argument: str) -> bytes:
    return FEATURES


async def _help(commands: Commands, argument: str) -> bytes:
    return HELP


async def _denied(commands: Commands, argument: str) -> bytes:
    return DENIED


async def _opts(commands: Commands, argument: str) -> bytes:
    return options_reply(argument)


_WRITING = frozenset(("STOR", "STOU", "APPE", "MKD", "XMKD", "RMD", "XRMD", "DELE", "RNFR", "RNTO"))

_COMMANDS: dict[str, Callable[[Commands, str], Awaitable[bytes]]] = {
    "ABOR": _says(225, "No transfer to ABOR."), "ACCT": _says(502, "ACCT not implemented."),
    "ALLO": _says(202, "ALLO command ignored."), "APPE": Commands.appe, "CDUP": Commands.cdup, "CWD": Commands.cwd_,
    "DELE": Commands.dele, "FEAT": _features, "HELP": _help,
    "LIST": Commands.list_, "MDTM": Commands.mdtm, "MKD": Commands.mkd, "MODE": Commands.mode, "NLST": Commands.nlst,
    "NOOP": _says(200, "NOOP ok."), "OPTS": _opts, "PASS": _says(230, "Already logged in."),
    "PWD": Commands.pwd, "REIN": _says(502, "REIN not implemented."), "REST": Commands.rest,
    "RETR": Commands.retr, "RMD": Commands.rmd, "RNFR": Commands.rnfr, "RNTO": Commands.rnto, "SITE": Commands.site,
    "SIZE": Commands.size, "SMNT": _says(502, "SMNT not implemented."), "STAT": Commands.status, "STOR": Commands.stor,
    "PBSZ": _denied, "PROT": _denied,
    "STOU": Commands.stou, "STRU": Commands.structure, "SYST": _says(215, "UNIX Type: L8"), "TYPE": Commands.type_,
    "USER": Commands.user_, "XCUP": Commands.cdup, "XCWD": Commands.cwd_, "XMKD": Commands.mkd, "XPWD": Commands.pwd,
    "XRMD": Commands.rmd,
    "EPRT": _prepares(DataConnections.eprt), "EPSV": _prepares(DataConnections.epsv),
    "PASV": _prepares(DataConnections.pasv), "PORT": _prepares(DataConnections.port),
}  # fmt: skip
