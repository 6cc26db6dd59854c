"""FTP: vsftpd as Debian configures it. Local accounts log in, nobody is anonymous, nothing may be written.

Options: `anonymous=yes` lets anonymous users in (to `/srv/ftp`), `write=yes` allows uploads and changes, `banner`
replaces the greeting, `root_login=yes` lets root in, whom Debian's `/etc/ftpusers` refuses.
"""

from chaffinch.decoys.ftp.replies import FEATURES, parse_line, reply
from chaffinch.decoys.registry import service
from chaffinch.decoys.session import Session
from chaffinch.errors import LimitError, PeerClosedError, PeerIdleError
from chaffinch.events import Command, Credential, Probe, printable
from chaffinch.personas.persona import User

MAX_LINE = 4096
"""The longest command line, in bytes: one that is longer ends the session."""

MAX_FAILURES = 3
"""How many failed logins end a session."""

IDLE = 300.0

_REFUSED = frozenset(("root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "nobody"))
"""Debian's `/etc/ftpusers`: who may not log in, whatever the password."""

_VERBS = frozenset(
    (
        *("ABOR", "ACCT", "ALLO", "APPE", "AUTH", "CCC", "CDUP", "CLNT", "CWD", "DELE", "EPRT", "EPSV", "FEAT", "HELP"),
        *(
            "HOST",
            "LANG",
            "LIST",
            "MDTM",
            "MFMT",
            "MKD",
            "MLSD",
            "MLST",
            "MODE",
            "NLST",
            "NOOP",
            "OPTS",
            "PASS",
            "PASV",
        ),
        *("PBSZ", "PORT", "PROT", "PWD", "QUIT", "REIN", "REST", "RETR", "RMD", "RNFR", "RNTO", "SITE", "SIZE", "SMNT"),
        *("STAT", "STOR", "STOU", "STRU", "SYST", "TYPE", "USER", "XCUP", "XCWD", "XMKD", "XPWD", "XRMD"),
    )
)


def refuse(session: Session) -> bytes:
    """`max_clients` reached: 2.3 and 3.0 say the same."""
    return reply(421, "There are too many connected users, please try later.")


@service("ftp", tcp=21, idle=IDLE, total=7200.0, bytes_in=256 << 20, refuse=refuse)
async def serve(session: Session) -> None:
    version = session.service.version or "3.0.3"
    session.write(reply(220, session.service.option("banner") or f"(vsFTPd {version})"))
    try:
        user = await _log_in(session)
        if user is None:
            return
        from chaffinch.decoys.ftp.commands import Commands

        commands = Commands(session, user, version)
        try:
            await commands.run()
        finally:
            commands.close()
    except PeerIdleError:
        session.write(reply(421, "Timeout."))
        raise
    except LimitError as error:
        if error.reason != "line":
            raise
        session.record(Probe(data=printable(await session.read(1024), 1024), note="line too long"))
        session.write(reply(500, "Input line too long."))


async def read_command(session: Session) -> tuple[str, str] | None:
    """The next command's verb in upper case and its argument, recorded; None once the client has gone.

    Empty lines are skipped, as by the product.
    """
    while True:
        try:
            raw = await session.read_line(MAX_LINE)
        except PeerClosedError:
            return None
        line = parse_line(raw[:-1])
        if not (line.verb or line.argument):
            continue
        if line.verb in _VERBS:
            shown = "***" if line.verb == "PASS" and line.argument else printable(line.argument, 1024)
            session.record(Command(line=f"{line.verb} {shown}".rstrip()))
        else:
            session.record(Probe(data=printable(raw, 1024), note="not an FTP command"))
        return line.verb, line.argument


async def _log_in(session: Session) -> User | None:
    """Talk until somebody is logged in: the account, or None when the session is over."""
    name = ""
    failures = 0
    while (command := await read_command(session)) is not None:
        verb, argument = command
        if verb == "USER":
            name = argument
            session.write(reply(331, "Please specify the password."))
        elif verb == "PASS":
            if not name:
                session.write(reply(503, "Login with USER first."))
                continue
            user = await _check(session, name, argument)
            if user is not None:
                session.write(reply(230, "Login successful."))
                return user
            name = ""
            failures += 1
            if failures == MAX_FAILURES:
                return None
        elif verb == "QUIT":
            session.write(reply(221, "Goodbye."))
            return None
        elif verb == "FEAT":
            session.write(FEATURES)
        elif verb == "OPTS":
            session.write(options_reply(argument))
        else:
            session.write(reply(530, "Please login with USER and PASS."))
    return None


def options_reply(argument: str) -> bytes:
    if argument.upper() == "UTF8 ON":
        return reply(200, "Always in UTF8 mode.")
    return reply(501, "Option not understood.")


async def _check(session: Session, name: str, password: str) -> User | None:
    """Record the attempt; a refused one is answered after the delay of PAM and vsftpd together."""
    user = _account(session, name, password)
    shown = printable(password, 256)
    session.record(Credential(username=printable(name, 256), secret=shown, accepted=user is not None))
    if user is None:
        await session.sleep(session.random.uniform(2.5, 3.4))
        session.write(reply(530, "Login incorrect."))
    return user


def _account(session: Session, name: str, password: str) -> User | None:
    options = session.service
    if name.lower() in ("anonymous", "ftp") and options.option("anonymous") == "yes":
        return User("ftp", 102, "ftp daemon", "/srv/ftp", "/usr/sbin/nologin")
    if name in _REFUSED and not (name == "root" and options.option("root_login") == "yes"):
        return None
    user = session.persona.user(name)
    if user is None or user.shell.endswith(("nologin", "false")) or not session.persona.accepts(name, password):
        return None
    return user
