"""MySQL: a MariaDB server that lets the host's weak accounts in and answers what clients, dumps and bots ask.

Options: `users` (`name:password,...`) are its accounts, by default the host's own with weak passwords; `database` names
the application's schema; `wait_timeout` (seconds) is how long a logged-in client may be silent.
"""

from chaffinch.decoys.mysql import packets
from chaffinch.decoys.mysql.connection import Connection, OrderError, ProxyError
from chaffinch.decoys.mysql.login import connection_id, host_name, log_in, server_version, user_name
from chaffinch.decoys.registry import service
from chaffinch.decoys.session import Session
from chaffinch.events import Probe, printable

CONNECT_TIMEOUT = 10.0
"""How long a client may take to log in, in seconds, before the server closes without a word."""

WAIT_TIMEOUT = 28800
"""How long a logged-in client may be silent, in seconds."""


def refuse(session: Session) -> bytes:
    """`max_connections` reached: an error as the first packet. The server does not know yet that the client speaks 4.1,
    so there is no SQL state in it.
    """
    return packets.packet(packets.error(1040, "08004", "Too many connections", sqlstate=False), 0)


@service("mysql", tcp=3306, idle=CONNECT_TIMEOUT, total=43200.0, bytes_in=64 << 20, refuse=refuse)
async def serve(session: Session) -> None:
    connection = Connection(session)
    try:
        await _serve(connection)
    except OrderError:
        session.record(Probe(data=printable(await _waiting(session), 512), note="packets out of order"))
        connection.fail(1156, "08S01", "Got packets out of order")
    except ProxyError:
        session.record(Probe(data=printable(await _waiting(session), 512), note="PROXY header"))
        connection.fail(1130, "HY000", f"Proxy header is not accepted from {session.source}")


async def _serve(connection: Connection) -> None:
    session = connection.session
    number = connection_id(session)
    login = await log_in(connection, number)
    if login is None:
        return
    # What answers statements is imported by the first session that logs in.
    from chaffinch.decoys.mysql import catalogue
    from chaffinch.decoys.mysql.commands import Commands
    from chaffinch.decoys.mysql.results import Done, SqlError
    from chaffinch.decoys.mysql.state import Server, State

    server = Server(session.persona, session.service, server_version(session.service.version), session.service.port)
    host = host_name(session.source)
    state = State(
        server, number, user_name(login.user), host, session.source_port, connection.collation, connection.collation
    )
    session.idle = float(session.service.option("wait_timeout", str(WAIT_TIMEOUT)))
    commands = Commands(connection, state)
    done = Done()
    if login.database:
        try:
            state.schema = catalogue.require_schema(state, login.database.decode("utf-8", "surrogateescape"))
        except SqlError as error:
            connection.send_error(error)
            return
        done = Done(schema=state.schema)
    commands.accept(done)
    await commands.run()


async def _waiting(session: Session) -> bytes:
    """What arrived with the bytes that could not be understood."""
    return await session.read(512) if session.buffered else b""
