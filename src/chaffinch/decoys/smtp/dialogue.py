"""One SMTP dialogue with Postfix: its commands, states, replies and limits."""

import enum
import time
from collections.abc import Awaitable, Callable

from chaffinch.decoys.session import Session
from chaffinch.decoys.smtp import grammar
from chaffinch.decoys.smtp.login import Login
from chaffinch.decoys.smtp.message import LINE_BYTES, SIZE_LIMIT, Message
from chaffinch.decoys.smtp.recipients import Recipients
from chaffinch.errors import LimitError, PeerClosedError, PeerError
from chaffinch.events import Command, Mail, Probe, printable
from chaffinch.personas.persona import Persona, Service

IDLE_SECONDS = 300.0
SOFT_ERRORS = 10
HARD_ERRORS = 20
JUNK_COMMANDS = 100
MOST_RECIPIENTS = 1000
ERROR_SECONDS = 1.0
"""Postfix's `smtpd_timeout`, `smtpd_soft_error_limit`, `smtpd_hard_error_limit`, `smtpd_junk_command_limit`,
`smtpd_recipient_limit` and `smtpd_error_sleep_time`."""

RECORDED_RECIPIENTS = 100


class State(enum.Enum):
    """How far a mail transaction has come."""

    IDLE = "idle"
    MAIL = "sender given"
    RCPT = "a recipient accepted"
    BDAT = "chunks taken"
    BROKEN = "a chunk refused"
    LOST = "a chunk refused before a sender"


_TRANSACTION = (State.MAIL, State.RCPT, State.BDAT, State.BROKEN)
_NEED_MAIL = "503 5.5.1 Error: need MAIL command"
_NEED_RCPT = "503 5.5.1 Error: need RCPT command"
_NO_RCPT = "554 5.5.1 Error: no valid recipients"
_DISCARDED = "551 5.0.0 Discarded {} bytes after earlier error"
_REFUSED = {
    **{(b"MAIL", state): "503 5.5.1 Error: nested MAIL command" for state in _TRANSACTION},
    **{(b"AUTH", state): "503 5.5.1 Error: MAIL transaction in progress" for state in _TRANSACTION},
    **{(b"XCLIENT", state): "503 5.5.1 Error: MAIL transaction in progress" for state in _TRANSACTION},
    **{(b"ETRN", state): "503 Error: MAIL transaction in progress" for state in _TRANSACTION},
    **{(b"DATA", state): "503 5.5.1 Error: DATA after BDAT" for state in (State.BDAT, State.BROKEN, State.LOST)},
    **{(b"RCPT", state): "503 5.5.1 Error: RCPT after BDAT" for state in (State.BDAT, State.BROKEN)},
    **{(b"RCPT", state): _NEED_MAIL for state in (State.IDLE, State.LOST)},
    **{(b"BDAT", state): _DISCARDED for state in (State.BROKEN, State.LOST)},
    (b"MAIL", State.LOST): "503 5.5.1 Error: MAIL after BDAT",
    (b"DATA", State.IDLE): _NEED_RCPT,
    (b"DATA", State.MAIL): _NO_RCPT,
    (b"BDAT", State.IDLE): _NEED_RCPT,
    (b"BDAT", State.MAIL): _NO_RCPT,
}
"""Which command is refused in which state, and how. All others are taken."""

_JUNK = frozenset((b"HELO", b"EHLO", b"RSET", b"NOOP", b"VRFY", b"ETRN"))
_OK = "250 2.0.0 Ok"
_GOODBYE = "221 2.7.0 Error: I can break rules, too. Goodbye."
_EXTENSIONS = ("PIPELINING", f"SIZE {SIZE_LIMIT}", "VRFY", "ETRN")
_MORE_EXTENSIONS = ("ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING")
_NOTIFY = frozenset((b"SUCCESS", b"FAILURE", b"DELAY"))


def banner(persona: Persona, service: Service) -> str:
    """What follows the host's name in the greeting."""
    brand = {"debian": " (Debian/GNU)", "ubuntu": " (Ubuntu)"}.get(persona.os.id.partition("-")[0], "")
    return service.option("banner") or f"ESMTP Postfix{brand}"


class Dialogue:
    """What a session that has said something holds."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.host = session.persona.fqdn
        self.state = State.IDLE
        self.greeted = False
        self.errors = 0
        self.junk = 0
        self.ended = False
        self.sender = b""
        self.recipients: list[bytes] = []
        self.accepted = 0
        self.message: Message | None = None
        self.login = Login(session)
        self.known = Recipients(session.persona, session.service)

    async def run(self) -> None:
        """Answer commands until one side ends it."""
        while not self.ended:
            if self.errors >= HARD_ERRORS:
                return self.session.write(f"421 4.7.0 {self.host} Error: too many errors\r\n".encode())
            raw = await self.read_line(skip=True)
            if not raw:
                return None
            reply = await self._answer(raw)
            if self.errors >= SOFT_ERRORS:
                await self.session.sleep(ERROR_SECONDS)
            self._count(reply)
            self.session.write(reply.encode("utf-8", "surrogateescape") + b"\r\n")
            if self.session.buffered:
                await self.session.drain()
        return None

    def _count(self, reply: str) -> None:
        if reply[0] in "45":
            self.errors += 1

    async def read_line(self, *, skip: bool) -> bytes:
        """A line with its end, or a piece of `LINE_BYTES` of a longer one, whose rest is passed over with `skip`.

        Empty when the peer has closed; what it left unfinished is recorded.
        """
        try:
            return await self.session.read_line(LINE_BYTES)
        except LimitError as error:
            if error.reason != "line":
                raise
        except PeerClosedError:
            rest = await self.session.read() if self.session.buffered else b""
            if rest:
                self.session.record(Probe(printable(rest, 512), "unfinished"))
            return b""
        piece = await self.session.read_exactly(LINE_BYTES)
        while skip:
            rest = await self.session.read(1 << 14)
            if not rest:
                return b""
            end = rest.find(b"\n") + 1
            if end:
                self.session.unread(rest[end:])
                break
        return piece

    async def _answer(self, raw: bytes) -> str:
        """The reply to one command line."""
        try:
            line = grammar.command(raw)
        except UnicodeDecodeError:
            self.session.record(Probe(printable(raw, 512), "not UTF-8"))
            return "500 5.5.2 Error: bad UTF-8 syntax"
        if line is None:
            return "500 5.5.2 Error: bad syntax"
        action = _ACTIONS.get(line.verb)
        if action is None:
            return self._unknown(raw, line)
        self.session.record(Command(printable(raw.rstrip(b"\r\n"), 512)))
        if line.verb in _JUNK:
            self.junk += 1
            self.errors += self.junk > JUNK_COMMANDS + 1
        refused = _REFUSED.get((line.verb, self.state))
        takes_more = line.verb == b"BDAT" or (line.verb == b"AUTH" and not self.login.offered)
        if refused is not None and not takes_more:
            return refused
        return await action(self, line.rest)

    def _unknown(self, raw: bytes, line: grammar.Line) -> str:
        self.session.record(Probe(printable(raw.rstrip(b"\r\n"), 512), "not a command"))
        if grammar.is_smuggled(raw, line.verb):
            self.ended = True
            return _GOODBYE
        return "500 5.5.2 Error: command not recognized"

    # Commands ------------------------------------------------------------------------------------------------------

    async def helo(self, rest: bytes) -> str:
        if not rest:
            return "501 Syntax: HELO hostname"
        self._reset()
        self.greeted = True
        return f"250 {self.host}"

    async def ehlo(self, rest: bytes) -> str:
        if not rest:
            return "501 Syntax: EHLO hostname"
        self._reset()
        self.greeted = True
        auth = ("AUTH PLAIN LOGIN",) if self.login.offered else ()
        lines = (self.host, *_EXTENSIONS, *auth, *_MORE_EXTENSIONS)
        return "\r\n".join(f"250{'-' if line is not lines[-1] else ' '}{line}" for line in lines)

    async def mail(self, rest: bytes) -> str:
        parsed = grammar.path(rest, b"FROM:")
        if parsed is None:
            return "501 5.5.4 Syntax: MAIL FROM:<address>"
        sender, options = parsed
        if sender is None:
            return "501 5.1.7 Bad sender address syntax"
        for option in options:
            if refused := _mail_option(option):
                return refused
        self.sender = sender.text
        self.state = State.MAIL
        return "250 2.1.0 Ok"

    async def rcpt(self, rest: bytes) -> str:
        parsed = grammar.path(rest, b"TO:")
        if parsed is None:
            return "501 5.5.4 Syntax: RCPT TO:<address>"
        recipient, options = parsed
        if recipient is None or not recipient.text:
            return "501 5.1.3 Bad recipient address syntax"
        for option in options:
            if refused := _rcpt_option(option):
                return refused
        if self.accepted >= MOST_RECIPIENTS:
            return "452 4.5.3 Error: too many recipients"
        if refused := self.known.refuse(recipient, authenticated=self.login.done):
            return refused
        self.accepted += 1
        if len(self.recipients) < RECORDED_RECIPIENTS:
            self.recipients.append(recipient.text)
        self.state = State.RCPT
        return "250 2.1.5 Ok"

    async def data(self, rest: bytes) -> str:
        if rest:
            return "501 5.5.4 Syntax: DATA"
        self.session.write(b"354 End data with <CR><LF>.<CR><LF>\r\n")
        message = self.message = Message()
        try:
            while message.line(line := await self.read_line(skip=False)):
                if not line:
                    raise PeerClosedError
                self.session.hold(len(message.held))
        except PeerError:
            self._deliver(message)
            raise
        return self._accept(message, "Ok: queued as {}")

    async def bdat(self, rest: bytes) -> str:
        size = grammar.chunk(rest)
        if size is None:
            self.ended = True
            return "521 5.5.4 Syntax: BDAT count [LAST]"
        left, last = size
        refused = self._refuse_chunk(left, last)
        message = self.message or Message()
        if refused is None:
            self.message, self.state = message, State.BDAT
        else:
            self.state = State.LOST if self.state in (State.IDLE, State.LOST) else State.BROKEN
        await self._take_chunk(message, left)
        if refused is not None:
            if last:
                self._reset()
            return refused
        if not last:
            return f"250 2.0.0 Ok: {message.size} bytes"
        message.finish_line()
        return self._accept(message, f"Ok: {message.size} bytes queued as {{}}")

    def _refuse_chunk(self, size: int, last: bool) -> str | None:
        if not (size or last):
            return "551 5.7.1 Null BDAT request"
        refused = _REFUSED.get((b"BDAT", self.state))
        if refused is None and size + (self.message.size if self.message else 0) > SIZE_LIMIT:
            return "552 5.3.4 Chunk exceeds message size limit"
        return refused.format(size) if refused is not None else None

    async def _take_chunk(self, message: Message, left: int) -> None:
        """Read a chunk, into the message or, when it was refused, past it."""
        while left:
            data = await self.session.read(min(left, 1 << 14))
            if not data:
                self._deliver(message)
                raise PeerClosedError
            left -= len(data)
            message.add(data)
            self.session.hold(len(message.held))

    async def rset(self, rest: bytes) -> str:
        if rest:
            return "501 5.5.4 Syntax: RSET"
        self._reset()
        return _OK

    async def noop(self, rest: bytes) -> str:
        del rest
        return _OK

    async def vrfy(self, rest: bytes) -> str:
        if not rest:
            return "501 5.5.4 Syntax: VRFY address [SMTPUTF8]"
        bracketed = rest[:1] == b"<" and rest[-1:] == b">"
        whom = grammar.address(rest[1:-1] if bracketed else rest)
        if whom is None or not whom.text or not (whom.local or whom.domain):
            return "501 5.1.3 Bad recipient address syntax"
        return self.known.refuse(whom, authenticated=self.login.done) or f"252 2.0.0 {_text(whom.text)}"

    async def etrn(self, rest: bytes) -> str:
        if len(rest.split()) != 1:
            return "500 Syntax: ETRN domain"
        domain = rest[1:] if rest[:1] in (b"@", b"#") else rest
        if not grammar.is_domain(domain):
            return "501 Error: invalid parameter syntax"
        return f"459 <{_text(domain)}>: service unavailable"

    async def auth(self, rest: bytes) -> str:
        if not self.greeted and self.login.offered:
            return "503 5.5.1 Error: send HELO/EHLO first"
        return await self.login.authenticate(rest, lambda: self.read_line(skip=True))

    async def starttls(self, rest: bytes) -> str:
        return "501 5.5.4 Syntax: STARTTLS" if rest else "502 5.5.1 Error: command not implemented"

    async def proxied(self, rest: bytes) -> str:
        del rest
        return "550 5.7.0 Error: insufficient authorization"

    async def quit(self, rest: bytes) -> str:
        del rest
        self.ended = True
        return "221 2.0.0 Bye"

    # The transaction -----------------------------------------------------------------------------------------------

    def _reset(self) -> None:
        self.state = State.IDLE
        self.sender = b""
        self.recipients = []
        self.accepted = 0
        self.message = None
        self.session.hold(0)

    def _accept(self, message: Message, text: str) -> str:
        self._deliver(message)
        self._reset()
        if message.too_big:
            return "552 5.3.4 Error: message file too big"
        self.errors = self.junk = 0
        return f"250 2.0.0 {text.format(self._queue_id())}"

    def _deliver(self, message: Message) -> None:
        """Record the message, and keep it where it is whole. It goes nowhere."""
        kept = False
        if message.whole and message.size:
            _, kept = self.session.quarantine.keep(bytes(message.held))
        self.session.record(
            Mail(
                sender=printable(self.sender, 320),
                recipients=tuple(printable(recipient, 320) for recipient in self.recipients),
                size=message.size,
                sha256=message.sha256,
                subject=printable(grammar.subject(bytes(message.held[:16384])), 256),
                kept=kept,
            )
        )

    def _queue_id(self) -> str:
        # Postfix's short form: the microseconds of the second, then the inode of the queue file, which are reused.
        inode = 0x20000 + int.from_bytes(self.session.persona.derive("smtp queue", 3), "big") % 0xC0000
        return f"{time.time_ns() // 1000 % 1_000_000:05X}{inode + self.session.random.randrange(48):X}"


def _mail_option(option: bytes) -> str:
    upper = option.upper()
    name, _, value = upper.partition(b"=")
    if upper in (b"BODY=8BITMIME", b"BODY=7BIT", b"SMTPUTF8", b"RET=FULL", b"RET=HDRS") or (
        name in (b"ENVID", b"AUTH") and value
    ):
        return ""
    if name == b"SIZE" and b"=" in upper:
        if not value.isdigit() or len(value) > 18:
            return "501 5.5.4 Bad message size syntax"
        return "552 5.3.4 Message size exceeds fixed limit" if int(value) > SIZE_LIMIT else ""
    if name == b"RET" and b"=" in upper:
        return "501 5.5.4 Bad RET parameter syntax"
    return f"555 5.5.4 Unsupported option: {_text(option)}"


def _rcpt_option(option: bytes) -> str:
    name, equals, value = option.upper().partition(b"=")
    if name == b"NOTIFY" and equals:
        good = value == b"NEVER" or not set(value.split(b",")) - _NOTIFY
        return "" if good else "501 5.5.4 Error: Bad NOTIFY parameter syntax"
    if name == b"ORCPT" and equals:
        kind, semicolon, rest = value.partition(b";")
        return "" if kind and semicolon and rest else "501 5.5.4 Error: Bad ORCPT parameter syntax"
    return f"555 5.5.4 Unsupported option: {_text(option)}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


_ACTIONS: dict[bytes, Callable[[Dialogue, bytes], Awaitable[str]]] = {
    b"HELO": Dialogue.helo,
    b"EHLO": Dialogue.ehlo,
    b"MAIL": Dialogue.mail,
    b"RCPT": Dialogue.rcpt,
    b"DATA": Dialogue.data,
    b"BDAT": Dialogue.bdat,
    b"RSET": Dialogue.rset,
    b"NOOP": Dialogue.noop,
    b"VRFY": Dialogue.vrfy,
    b"ETRN": Dialogue.etrn,
    b"AUTH": Dialogue.auth,
    b"STARTTLS": Dialogue.starttls,
    b"XCLIENT": Dialogue.proxied,
    b"XFORWARD": Dialogue.proxied,
    b"QUIT": Dialogue.quit,
}
