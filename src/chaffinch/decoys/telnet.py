"""Telnet: the option negotiation of a known daemon, login(1) behind it, and the small shell.

The service's product chooses the daemon: `Linux telnetd` (netkit), `inetutils telnetd` (what Debian 12 installs) or
`BusyBox telnetd`. Options: `banner` is what stands before the first prompt, `prompt` the login prompt; in both `%h`
is the hostname.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from chaffinch.decoys import telnet_wire as wire
from chaffinch.decoys.registry import service
from chaffinch.decoys.session import Session
from chaffinch.decoys.telnet_wire import DO, WILL, Wire
from chaffinch.errors import LimitError, PeerClosedError, PeerIdleError
from chaffinch.events import Credential, Fingerprint, Probe, printable
from chaffinch.personas.persona import User

if TYPE_CHECKING:
    from chaffinch.decoys.shell.terminal import Screen

LOGIN_SECONDS = 60.0
"""LOGIN_TIMEOUT of login.defs."""

SHELL_BYTES = 24 << 10
"""What a shell takes beside its variables and its history."""

TYPED_BYTES = 4096
"""How much may be typed before there is a prompt to read it: a terminal's input queue."""


class Daemon(msgspec.Struct, frozen=True):
    """How a daemon opens: what it asks first and must have answered, what it asks then, and what it shows.

    `banner` may hold `%h` (hostname), `%k` (kernel), `%c` (the client) and `%s` (the system's name). `tries` is how
    often login(1) asks.
    """

    first: tuple[tuple[int, int], ...]
    details: tuple[int, ...]
    then: tuple[tuple[int, int], ...]
    last: tuple[tuple[int, int], ...]
    banner: str
    tries: int
    extra: frozenset[int] = frozenset()


NETKIT = Daemon(
    first=((DO, wire.TTYPE), (DO, wire.TSPEED), (DO, wire.XDISPLOC), (DO, wire.NEW_ENVIRON)),
    details=(wire.TSPEED, wire.XDISPLOC, wire.NEW_ENVIRON, wire.TTYPE),
    then=((WILL, wire.SGA), (DO, wire.ECHO), (DO, wire.NAWS), (WILL, wire.STATUS), (DO, wire.LFLOW)),
    last=((WILL, wire.ECHO),),
    banner="%s\r\n",
    tries=5,
)

INETUTILS = Daemon(
    first=(
        (WILL, wire.AUTHENTICATION), (WILL, wire.ENCRYPT),
        (DO, wire.TTYPE), (DO, wire.TSPEED), (DO, wire.XDISPLOC), (DO, wire.NEW_ENVIRON), (DO, wire.OLD_ENVIRON),
    ),
    details=(wire.TSPEED, wire.XDISPLOC, wire.NEW_ENVIRON, wire.TTYPE),
    then=(
        (WILL, wire.SGA), (DO, wire.ECHO), (DO, wire.LINEMODE), (DO, wire.NAWS), (WILL, wire.STATUS), (DO, wire.LFLOW),
    ),
    last=((WILL, wire.ECHO), (DO, wire.TIMING_MARK), (DO, wire.BINARY)),
    banner="\r\nLinux %k (%c) (pts/0)\r\n\r\n",
    tries=5,
    extra=frozenset((wire.OLD_ENVIRON, wire.LINEMODE)),
)  # fmt: skip

BUSYBOX = Daemon(
    first=(),
    details=(),
    then=(),
    last=((DO, wire.ECHO), (DO, wire.NAWS), (WILL, wire.ECHO), (WILL, wire.SGA)),
    banner="",
    tries=3,
)

_DAEMONS = {"inetutils telnetd": INETUTILS, "BusyBox telnetd": BUSYBOX}


def refuse(session: Session) -> bytes:
    """netkit's daemon looks for a terminal before it says anything. BusyBox closes without a word, and inetutils looks
    for one only after its negotiation: inetd's bound is reached before.
    """
    return b"telnetd: All network ports in use.\r\n" if session.service.product == "Linux telnetd" else b""


@service("telnet", tcp=23, idle=300.0, refuse=refuse)
async def serve(session: Session) -> None:
    daemon = _DAEMONS.get(session.service.product, NETKIT)
    line = _Line(session, daemon)
    await line.negotiate()
    line.show(_banner(session, daemon))
    try:
        async with asyncio.timeout(LOGIN_SECONDS):
            user = await _login(session, daemon, line)
    except TimeoutError:
        session.write(b"\r\nLogin timed out after 60 seconds.\r\n")
        return
    if user is not None:
        await _shell(session, line, user)


class _Line:
    """The connection as login(1) and the shell see it: keys in, text out; options are answered underneath."""

    def __init__(self, session: Session, daemon: Daemon) -> None:
        self._session = session
        self._daemon = daemon
        self._typed = b""
        self.kept = 0
        """What the shell behind it takes, in bytes."""
        self.wire = Wire(daemon.extra)

    async def negotiate(self) -> None:
        """Ask what the daemon asks, in its order, each time waiting for the answers it waits for."""
        session, daemon = self._session, self._daemon
        session.write(self.wire.ask(*daemon.first))
        try:
            while self.wire.waits_for(*(option for _, option in daemon.first)):
                await self._more()
            wanted = [option for option in daemon.details if option in self.wire.theirs]
            session.write(b"".join(wire.subnegotiation(option, bytes((wire.SEND,))) for option in wanted))
            while any(option not in self.wire.told and option in self.wire.theirs for option in wanted):
                await self._more()
            session.write(self.wire.ask(*daemon.then))
            while self.wire.waits_for(wire.ECHO):
                await self._more()
        except (PeerClosedError, PeerIdleError, LimitError):
            if self._typed:  # it never spoke the protocol: what it typed is all there is
                session.record(Probe(printable(self._typed), "before the login prompt"))
            raise
        session.write(self.wire.ask(*daemon.last))
        if (body := self.wire.told.get(wire.TTYPE, b"")[1:]) != b"":
            session.record(Fingerprint("terminal", printable(body, 64)))

    async def _more(self) -> None:
        data = await self._session.read()
        if not data:
            raise PeerClosedError
        received = self.wire.feed(data)
        self._session.write(received.replies)
        self._typed = (self._typed + received.text)[:TYPED_BYTES]
        self._session.hold(self.kept + len(self._typed) + self.wire.held)

    async def read(self) -> bytes:
        """The next keys; empty once the peer has closed."""
        while not self._typed:
            try:
                await self._more()
            except PeerClosedError:
                return b""
        typed, self._typed = self._typed, b""
        return typed

    def show(self, data: bytes) -> None:
        """Text to the peer, as the pseudo-terminal passes it on."""
        self._session.write(data.replace(b"\xff", b"\xff\xff"))

    @property
    def terminal(self) -> str:
        """The terminal type that the peer told, as the daemon hands it on."""
        return printable(self.wire.told.get(wire.TTYPE, b"")[1:], 32).lower()

    @property
    def username(self) -> bytes:
        """The account that the peer named in its environment, as `telnet -l` does."""
        return wire.environment(self.wire.told.get(wire.NEW_ENVIRON, b"")).get(b"USER", b"")


def _filled(session: Session, template: str) -> bytes:
    persona = session.persona
    system = persona.os.name.partition(" (")[0]
    for mark, value in (("%h", persona.hostname), ("%k", persona.os.kernel), ("%c", session.source), ("%s", system)):
        template = template.replace(mark, value)
    return template.encode()


def _banner(session: Session, daemon: Daemon) -> bytes:
    return _filled(session, session.service.option("banner", daemon.banner).replace("\r\n", "\n").replace("\n", "\r\n"))


async def _login(session: Session, daemon: Daemon, line: _Line) -> User | None:
    """login(1): ask for name and password until they open an account or the tries are used up."""
    from chaffinch.decoys.shell.shell import Interrupted
    from chaffinch.decoys.shell.terminal import Screen

    screen = Screen(line.read, line.show)
    prompt = _filled(session, session.service.option("prompt", "%h login: "))
    given = line.username
    if given.startswith(b"-"):  # an option smuggled into login(1)'s arguments: the daemon drops it
        session.record(Probe(printable(given), "option in USER"))
        given = b""
    with contextlib.suppress(Interrupted):
        for attempt in range(daemon.tries):
            name = given or await _asked_name(screen, prompt, daemon)
            given = b""
            password = None if name is None else await screen.ask(b"Password: ", echo=False)
            if name is None or password is None:
                return None
            user = _check(session, name, password)
            if user is not None:
                return user
            await screen.sleep(session.random.uniform(2.7, 3.7))
            screen.show(b"\nLogin incorrect\n" if daemon is not BUSYBOX else b"Login incorrect\n")
            if attempt == daemon.tries - 1 and daemon is not BUSYBOX:
                screen.show(b"Maximum number of tries exceeded (%d)\n" % daemon.tries)
    return None


async def _asked_name(screen: "Screen", prompt: bytes, daemon: Daemon) -> bytes | None:
    """The account's name; BusyBox asks again for an empty one."""
    while True:
        name = await screen.ask(prompt, echo=True)
        if name or daemon is not BUSYBOX:
            return name


def _check(session: Session, name: bytes, password: bytes) -> User | None:
    username, secret = printable(name, 256), printable(password, 256)
    accepted = session.persona.accepts(name.decode("utf-8", "replace"), password.decode("utf-8", "replace"))
    session.record(Credential(username, secret, accepted=accepted))
    return session.persona.user(username) if accepted else None


async def _shell(session: Session, line: _Line, user: User) -> None:
    # The shell costs a megabyte: only a process where somebody got in pays.
    from chaffinch.decoys.shell import Shell, interact
    from chaffinch.decoys.view import View
    from chaffinch.personas.files import Files

    async def paced() -> bytes:
        line.kept = SHELL_BYTES + shell.held
        await session.drain()
        return await line.read()

    view = View(Files(session.persona), session.overlay, user)
    shell = Shell(session.persona, user, view, source=session.source, rng=session.random, on_fact=session.record)
    if line.terminal:
        shell.variables["TERM"] = line.terminal
    line.show(shell.login_text(remote_login=True).replace(b"\n", b"\r\n"))
    await interact(paced, line.show, shell, session.record, elapsed_ms=lambda: session.elapsed_ms, greet=False)
