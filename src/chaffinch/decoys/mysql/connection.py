"""Packets over a session: reading them with their bounds, and writing answers in their order."""

from chaffinch.decoys.mysql import packets, results
from chaffinch.decoys.mysql.results import Result, Row, SqlError
from chaffinch.decoys.session import Session
from chaffinch.errors import PeerError

LOGIN_BYTES = 16 << 10
"""How much of a packet is kept before the login; the rest is read and thrown away."""

COMMAND_BYTES = 128 << 10
"""How much of a command is kept; a longer one is answered by its beginning."""

MAX_PACKET = 16 << 20
"""The server's `max_allowed_packet`: a command of this size or more is refused."""


class OrderError(PeerError):
    """A packet whose sequence number is not the expected one: the connection cannot go on."""


class ProxyError(PeerError):
    """The header of the PROXY protocol, from an address that may not send one."""


class Connection:
    """One client: the sequence number, what was negotiated, and how answers are written."""

    __slots__ = ("binary", "capabilities", "collation", "sequence", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.sequence = 0
        self.capabilities = 0
        self.collation = packets.UTF8MB4_GENERAL_CI
        self.binary = False

    def has(self, capability: int) -> bool:
        return bool(self.capabilities & capability)

    async def receive(self, keep: int) -> tuple[bytes, int]:
        """The next packet: at most `keep` bytes of its payload, and how long it is.

        Raises `OrderError` and `ProxyError` as soon as the packet's first four bytes tell.
        """
        header = await self.session.read_exactly(4)
        if self.sequence == 1 and header in (b"PROX", b"\r\n\r\n"):
            self.session.unread(header)
            raise ProxyError
        length = int.from_bytes(header[:3], "little")
        if header[3] != self.sequence & 0xFF:
            self.session.unread(header)
            raise OrderError
        self.sequence += 1
        payload = await self.session.read_exactly(min(length, keep))
        left = length - len(payload)
        while left:
            piece = await self.session.read(min(left, 16 << 10))
            if not piece:
                return payload, length
            left -= len(piece)
        return payload, length

    def send(self, payload: bytes) -> None:
        self.session.write(packets.packet(payload, self.sequence))
        self.sequence += 1

    def send_error(self, error: SqlError) -> None:
        self.send(packets.error(error.code, error.state, error.message))

    def fail(self, code: int, state: str, message: str, *, sqlstate: bool = True) -> None:
        self.send(packets.error(code, state, message, sqlstate=sqlstate))

    def send_columns(self, result: Result) -> None:
        """Each column's definition, and the EOF after them for clients that still want one."""
        extended = self.has(packets.EXTENDED_METADATA)
        for column in result.columns:
            self.send(results.column_definition(column, self.collation, extended=extended))

    async def send_result(self, result: Result, status: int) -> None:
        """A result: the number of columns, the columns, the rows."""
        status |= packets.NO_INDEX_USED if result.scanned else 0
        deprecated = self.has(packets.DEPRECATE_EOF)
        count = packets.length_encoded(len(result.columns))
        self.send(count + (b"\x01" if self.has(packets.CACHE_METADATA) else b""))
        self.send_columns(result)
        if not deprecated:
            self.send(packets.end_of_rows(status, deprecated=False))
        await self._send_rows(result, status)
        self.send(packets.end_of_rows(status, deprecated=deprecated))

    async def _send_rows(self, result: Result, status: int) -> None:
        """The rows, many to a write, waiting for a client that reads slowly."""
        pending = bytearray()
        for row in result.rows:
            pending += packets.packet(self._row(result, row), self.sequence)
            self.sequence += 1
            if len(pending) > 16 << 10:
                self.session.write(bytes(pending))
                pending.clear()
                await self.session.drain()
        self.session.write(bytes(pending))

    def _row(self, result: Result, row: Row) -> bytes:
        return (results.binary_row if self.binary else results.text_row)(result.columns, row)
