"""After the login: one command after the other until the client quits."""

from collections.abc import Awaitable, Callable

from chaffinch.decoys.mysql import (
    auth,
    catalogue,
    exports,
    login,
    packets,
    prepared,
    results,
    rows,
    show_server,
    sql,
    statements,
)
from chaffinch.decoys.mysql.connection import COMMAND_BYTES, LOGIN_BYTES, MAX_PACKET, Connection
from chaffinch.decoys.mysql.packets import Cursor, Login, MalformedError
from chaffinch.decoys.mysql.prepared import Prepared
from chaffinch.decoys.mysql.results import Answer, Done, Result, SqlError
from chaffinch.decoys.mysql.sql import Statement
from chaffinch.decoys.mysql.state import State
from chaffinch.events import Command, Probe, Upload, printable

_UNKNOWN = SqlError(1047, "08S01", "Unknown command")


class Commands:
    """The command phase of one session."""

    def __init__(self, connection: Connection, state: State) -> None:
        self.connection = connection
        self.session = connection.session
        self.state = state
        self.prepared: dict[int, Prepared] = {}
        self.next_prepared = 1

    async def run(self) -> None:
        """Answer commands; returns when the client quits or the server would close."""
        while True:
            self.connection.sequence = 0
            payload, length = await self.connection.receive(COMMAND_BYTES)
            if length >= MAX_PACKET - 1:
                self.connection.fail(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes")
                return
            self.state.questions += 1
            if not await self._answer(payload):
                return
            del payload  # a client that is silent holds none
            self.session.hold(self.state.held + sum(made.held for made in self.prepared.values()))

    def accept(self, done: Done) -> None:
        """Tell the client that it is logged in."""
        self._ok(done)

    async def _answer(self, payload: bytes) -> bool:
        """Answer one command; False ends the session."""
        if payload[:1] == b"\x01":
            return False
        handler = _COMMANDS.get(payload[0]) if payload else None
        try:
            if handler is None:
                self._note("UNKNOWN", payload)
                raise _UNKNOWN
            return await handler(self, payload[1:])
        except SqlError as error:
            self.connection.send_error(error)
        except MalformedError:
            self.session.record(Probe(data=printable(payload, 512), note="malformed command"))
            self.connection.fail(1835, "HY000", "Malformed communication packet")
        return True

    def _note(self, name: str, payload: bytes = b"") -> None:
        """Record a command that is not a statement."""
        self.session.record(Command(line=f"{name} {printable(payload, 256)}".rstrip()))

    def _ok(self, done: Done | None = None, status: int | None = None) -> None:
        done = done or Done()
        changes = b""
        if self.connection.has(packets.SESSION_TRACK):
            for name, value in done.changes:
                changes += packets.variable_changed(name.encode(), value.encode("utf-8", "surrogateescape"))
            if done.schema:
                changes += packets.schema_changed(done.schema.encode("utf-8", "surrogateescape"))
        status = self.state.status if status is None else status
        payload = packets.ok(done.affected, done.insert_id, status, done.warnings, done.info.encode(), changes)
        self.connection.send(payload)

    # Statements

    async def query(self, payload: bytes) -> bool:
        self.session.record(Command(line=printable(payload, 4096)))
        source = payload.decode("utf-8", "surrogateescape")
        waiting = list(_bounded(source))
        if not waiting:
            raise SqlError(1065, "42000", "Query was empty")
        if len(waiting) > 1 and not self.connection.has(packets.MULTI_STATEMENTS):
            raise sql.syntax_error(source, waiting[1].tokens[0].start if waiting[1].tokens else len(source))
        for at, statement in enumerate(waiting):
            more = packets.MORE_RESULTS if at < len(waiting) - 1 else 0
            await self._send(await self._compute(statement), more)
        return True

    async def _compute(self, statement: Statement) -> Answer:
        state = self.state
        state.delay, state.export = 0.0, ("", "")
        answer = statements.answer(state, statement)
        if state.delay:
            await self.session.sleep(state.delay)
        if isinstance(answer, Result) and state.export[1]:
            return self._export(answer)
        self.connection.collation = state.results
        return answer

    def _export(self, result: Result) -> Done:
        """Keep what INTO OUTFILE would have written, and answer as if it had been, or could not be."""
        kind, path = self.state.export
        data = exports.content(result, kind)[: 4 << 20]
        digest, kept = self.session.quarantine.keep(data)
        self.session.record(Upload(name=printable(path, 256), size=len(data), sha256=digest, kept=kept, via="mysql"))
        exports.check(path)
        return Done(affected=len(result.rows))

    async def _send(self, answer: Answer, more: int = 0) -> None:
        if isinstance(answer, Done):
            self._ok(answer, self.state.status | more)
        else:
            await self.connection.send_result(answer, self.state.status | more)

    # Prepared statements

    async def prepare(self, payload: bytes) -> bool:
        self.session.record(Command(line="PREPARE " + printable(payload, 4096)))
        made = prepared.prepare(payload.decode("utf-8", "surrogateescape"))
        columns = self._columns_of(made)
        while len(self.prepared) >= prepared.MAX_STATEMENTS:
            del self.prepared[next(iter(self.prepared))]
        number, self.next_prepared = self.next_prepared, self.next_prepared + 1
        self.prepared[number] = made
        self.connection.send(prepared.prepared_ok(number, len(columns), len(made.places)))
        for group in ((prepared.PLACEHOLDER,) * len(made.places), columns):
            if group:
                self.connection.send_columns(Result(group, []))
                if not self.connection.has(packets.DEPRECATE_EOF):
                    self.connection.send(packets.end_of_rows(self.state.status, deprecated=False))
        return True

    def _columns_of(self, made: Prepared) -> tuple[results.Column, ...]:
        """The columns a statement will have; statements that change something are not run to learn it."""
        first = next(iter(_bounded(made.source)), None)
        if first is None:
            raise SqlError(1065, "42000", "Query was empty")
        if not (first.tokens and first.tokens[0].is_word("select", "show")):
            return ()
        answer = statements.answer(self.state, first)
        return answer.columns if isinstance(answer, Result) else ()

    async def execute(self, payload: bytes) -> bool:
        number = Cursor(payload).number(4)
        made = self.prepared.get(number)
        if made is None:
            raise SqlError(1243, "HY000", f"Unknown prepared statement handler ({number}) given to mysqld_stmt_execute")
        source = prepared.bind(made, b"\x17" + payload)
        self.session.record(Command(line="EXECUTE " + printable(source, 4096)))
        first = next(iter(_bounded(source)), None)
        if first is None:
            raise SqlError(1065, "42000", "Query was empty")
        answer = await self._compute(first)
        self.connection.binary = True
        try:
            await self._send(answer)
        finally:
            self.connection.binary = False
        return True

    async def close_prepared(self, payload: bytes) -> bool:
        self.prepared.pop(Cursor(payload).number(4), None)
        return True

    async def long_data(self, payload: bytes) -> bool:
        return True  # answered by nothing, and not kept

    # Everything else

    async def init_db(self, payload: bytes) -> bool:
        self._note("USE", payload)
        name = payload.decode("utf-8", "surrogateescape")
        self.state.schema = catalogue.require_schema(self.state, name)
        self._ok(Done(schema=self.state.schema))
        return True

    async def field_list(self, payload: bytes) -> bool:
        self._note("FIELD_LIST", payload)
        name = payload.partition(b"\0")[0].decode("utf-8", "surrogateescape")
        table = catalogue.table(self.state, "", name)
        for field in table.fields:
            column = catalogue.column(table, table.name, field)
            extended = self.connection.has(packets.EXTENDED_METADATA)
            described = results.column_definition(column, self.connection.collation, extended=extended)
            self.connection.send(
                described + (b"\xfb" if field.default is None else packets.counted(field.default.encode()))
            )
        self.connection.send(
            packets.end_of_rows(self.state.status, deprecated=self.connection.has(packets.DEPRECATE_EOF))
        )
        return True

    async def ok(self, payload: bytes) -> bool:
        self._note("PING")
        self._ok()
        return True

    async def end_of_file(self, payload: bytes) -> bool:
        self._note("OPTION", payload)
        self.connection.send(packets.end_of_rows(self.state.status, deprecated=False))
        return True

    async def statistics(self, payload: bytes) -> bool:
        self._note("STATISTICS")
        seconds = rows.uptime(self.state)
        asked = rows.questions(self.state)
        self.connection.send(
            f"Uptime: {seconds}  Threads: 2  Questions: {asked}  Slow queries: 0  Opens: 31  Open tables: 24  "
            f"Queries per second avg: {asked / seconds:.3f}".encode()
        )
        return True

    async def process_info(self, payload: bytes) -> bool:
        self._note("PROCESS_INFO")
        await self._send(show_server.processes(self.state, None))
        return True

    async def kill(self, payload: bytes) -> bool:
        number = Cursor(payload).number(4)
        self._note(f"KILL {number}")
        raise SqlError(1094, "HY000", f"Unknown thread id: {number}")

    async def shutdown(self, payload: bytes) -> bool:
        self._note("SHUTDOWN")
        needed = "Access denied; you need (at least one of) the SHUTDOWN privilege(s) for this operation"
        raise SqlError(1227, "42000", needed)

    async def binlog_dump(self, payload: bytes) -> bool:
        self._note("BINLOG_DUMP", payload)
        self.connection.fail(1236, "HY000", "Binary log is not open")
        return False

    async def register_slave(self, payload: bytes) -> bool:
        self._note("REGISTER_SLAVE", payload)
        raise SqlError(1105, "HY000", "Failed to register slave: too long 'report-host'")

    async def change_user(self, payload: bytes) -> bool:
        """Log in anew within the session: always by a fresh salt."""
        cursor = Cursor(payload)
        user = cursor.terminated()
        salt = auth.new_salt(self.session)
        self.connection.send(packets.switch_request(salt))
        answer, _ = await self.connection.receive(LOGIN_BYTES)
        again = Login(self.connection.capabilities, packets.UTF8MB4_GENERAL_CI, user, b"", b"", packets.NATIVE_PASSWORD)
        if not login.check(self.connection, again, salt, answer):
            return False
        self.state.user, self.state.schema = login.user_name(user), ""
        self._ok()
        return True


def _bounded(source: str) -> list[Statement]:
    """The statements of one query, at most 50 of them."""
    found: list[Statement] = []
    for statement in sql.statements(source):
        found.append(statement)
        if len(found) == 50:
            break
    return found


_COMMANDS: dict[int, Callable[[Commands, bytes], Awaitable[bool]]] = {
    0x02: Commands.init_db,
    0x03: Commands.query,
    0x04: Commands.field_list,
    0x07: Commands.ok,
    0x08: Commands.shutdown,
    0x09: Commands.statistics,
    0x0A: Commands.process_info,
    0x0C: Commands.kill,
    0x0D: Commands.end_of_file,
    0x0E: Commands.ok,
    0x11: Commands.change_user,
    0x12: Commands.binlog_dump,
    0x15: Commands.register_slave,
    0x16: Commands.prepare,
    0x17: Commands.execute,
    0x18: Commands.long_data,
    0x19: Commands.close_prepared,
    0x1A: Commands.ok,
    0x1B: Commands.end_of_file,
    0x1F: Commands.ok,
}
