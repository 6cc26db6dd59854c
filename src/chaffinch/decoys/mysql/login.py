"""The greeting and the login: what is offered, what is believed, what is recorded of it."""

import itertools
import time

from chaffinch.decoys.mysql import auth, packets
from chaffinch.decoys.mysql.connection import LOGIN_BYTES, Connection
from chaffinch.decoys.mysql.packets import Login, MalformedError
from chaffinch.decoys.session import Session
from chaffinch.events import Credential, Fingerprint, Probe, printable

_connections = itertools.count(1)  # every connection of this process, so that two of them never show one number

_OLD_CLIENT = "Client does not support authentication protocol requested by server; consider upgrading MariaDB client"
_NOT_FOR_CLIENTS = {
    35: "ucs2",
    90: "ucs2",
    54: "utf16",
    55: "utf16",
    56: "utf16le",
    62: "utf16le",
    60: "utf32",
    61: "utf32",
}


def connection_id(session: Session) -> int:
    """A thread id as a host would have reached: it grows with the time since it booted and with every connection."""
    persona = session.persona
    now = time.time()
    every = 20 + persona.reboot_phase % 600
    return (int((now - persona.booted(now)) / every) + next(_connections)) & 0xFFFFFFFF


def server_version(version: str) -> str:
    """The version as the server prints it: the package's, or MariaDB's name added to a bare number."""
    return version if "MariaDB" in version or not version else f"{version}-MariaDB"


def host_name(address: str) -> str:
    """What the server calls a client's host: its name where the host itself resolves it."""
    return "localhost" if address == "127.0.0.1" else address


async def log_in(connection: Connection, number: int) -> Login | None:
    """Greet and authenticate: the login that was accepted, or None once the client was told why not."""
    session = connection.session
    salt = auth.new_salt(session)
    connection.send(packets.greeting(server_version(session.service.version), number, salt))
    payload, _ = await connection.receive(LOGIN_BYTES)
    try:
        login = packets.parse_login(payload)
    except MalformedError as error:
        session.record(Probe(data=printable(payload, 1024), note="login packet that cannot be read"))
        connection.fail(1043, "08S01", "Bad handshake", sqlstate=error.sqlstate)
        return None
    connection.capabilities = login.capabilities & packets.SERVER_CAPABILITIES
    connection.collation = login.charset if login.charset in _KNOWN_COLLATIONS else packets.UTF8MB4_GENERAL_CI
    if login.attributes:
        _record_client(session, login)
    return login if await _authenticated(connection, login, salt) else None


_KNOWN_COLLATIONS = frozenset((8, 33, 45, 46, 48, 63, 83, *range(192, 216), *range(224, 248)))


def _record_client(session: Session, login: Login) -> None:
    known = dict(login.attributes)
    name = b" ".join(filter(None, (known.get(b"_client_name"), known.get(b"_client_version"))))
    detail = "; ".join(f"{printable(key, 64)}={printable(value, 128)}" for key, value in login.attributes)
    session.record(Fingerprint(method="client", value=printable(name, 128), detail=detail))


async def _authenticated(connection: Connection, login: Login, salt: bytes) -> bool:
    """Check the client's answer, asking for one by the native plug-in where it came with another."""
    session = connection.session
    answer = login.auth
    if not login.capabilities & packets.PROTOCOL_41:
        return _old_client(connection, login, sqlstate=False)
    if not login.capabilities & packets.SECURE_CONNECTION and answer:
        return _old_client(connection, login, sqlstate=True)
    if login.plugin != packets.NATIVE_PASSWORD:
        if login.plugin == b"mysql_clear_password":
            record(session, login.user, printable(answer.rstrip(b"\0"), 256), "mysql_clear_password")
        connection.send(packets.switch_request(salt))
        answer, _ = await connection.receive(LOGIN_BYTES)
    return check(connection, login, salt, answer)


def check(connection: Connection, login: Login, salt: bytes, answer: bytes) -> bool:
    """Record the attempt and say whether it opens the session; if not, the client was told."""
    session = connection.session
    if len(answer) not in (0, 20):
        session.record(Probe(data=printable(answer, 256), note="authentication answer of a wrong length"))
        connection.fail(1043, "08S01", "Bad handshake")
        return False
    if login.charset in _NOT_FOR_CLIENTS:
        value = _NOT_FOR_CLIENTS[login.charset]
        connection.fail(1231, "42000", f"Variable 'character_set_client' can't be set to the value of '{value}'")
        return False
    user = user_name(login.user)
    password = auth.accounts(session.persona, session.service).get(user)
    accepted = password is not None and auth.matches(password, salt, answer)
    record(session, login.user, auth.crackable(salt, answer), "mysql_native_password", accepted=accepted)
    if not accepted:
        connection.fail(1045, "28000", denied(session, login.user, with_password=bool(answer)))
    return accepted


def _old_client(connection: Connection, login: Login, *, sqlstate: bool) -> bool:
    """Refuse a client of the protocol before 4.1, whose password hashes are no longer taken."""
    session = connection.session
    record(
        session, login.user, printable(login.auth, 64), "mysql_old_password" if login.auth else "mysql_native_password"
    )
    if login.auth:
        connection.fail(1251, "08004", _OLD_CLIENT, sqlstate=sqlstate)
    else:
        connection.fail(1045, "28000", denied(session, login.user, with_password=False), sqlstate=sqlstate)
    return False


def record(session: Session, user: bytes, secret: str, mechanism: str, *, accepted: bool = False) -> None:
    session.record(Credential(username=printable(user, 128), secret=secret, mechanism=mechanism, accepted=accepted))


def user_name(user: bytes) -> str:
    """A user's name as the server prints it: at most 128 characters, `?` for what is not UTF-8."""
    return user.decode("utf-8", "replace").replace("\ufffd", "?")[:128]


def denied(session: Session, user: bytes, *, with_password: bool) -> str:
    using = "YES" if with_password else "NO"
    return f"Access denied for user '{user_name(user)}'@'{host_name(session.source)}' (using password: {using})"
