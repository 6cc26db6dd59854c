"""From the preamble to asyncssh: one connection from its KEXINIT to its end. Importing this brings asyncssh in."""

from collections.abc import Iterator
from itertools import chain

from chaffinch.decoys.session import Session
from chaffinch.decoys.ssh import hostkeys
from chaffinch.decoys.ssh.connection import DecoyConnection
from chaffinch.decoys.ssh.preamble import Close, Offered, Opening, Pass, Plain, Say, Step
from chaffinch.decoys.ssh.programs import Programs
from chaffinch.decoys.ssh.transport import SessionTransport

CONNECTION_BYTES = 64 << 10
"""What a connection takes that asyncssh serves, with its channel and its shell: 32 KiB logged in, 56 at a prompt."""


async def converse(
    session: Session, opening: Opening, plain: Plain, offered: Offered, rest: Iterator[Step], sent: int
) -> None:
    """Serve a client whose KEXINIT is `offered`; `rest` decides on what came behind it, `sent` packets have left."""
    assert offered.agreement is not None
    received = plain.sequence
    algorithm = offered.agreement.host_key
    key = await hostkeys.key_of(session.persona, hostkeys.kind_of(algorithm))
    session.hold(CONNECTION_BYTES)
    programs = Programs(session)
    connection = DecoyConnection(session, SessionTransport(session), opening, programs.start)
    connection.take_over(hostkeys.HostKey(key, algorithm), sent=sent, received=received)

    def arrived(data: bytes) -> None:
        if not data:
            connection.eof_received()
        else:
            _carry_out(plain.feed(data), connection)

    try:
        _carry_out(chain((Pass(offered.data),), rest), connection)
        session.feed_to(arrived)
        await connection.wait_closed()
    finally:
        session.feed_to(None)
        await connection.ended()
        await programs.ended()


def _carry_out(steps: Iterator[Step], connection: DecoyConnection) -> None:
    """Do what the preamble decided, until the connection is over."""
    for step in steps:
        if connection.over:
            return
        if isinstance(step, Close):
            if step.payload:
                connection.send_packet(step.payload[0], step.payload[1:])
            connection.abort()
            return
        if isinstance(step, Say):
            connection.send_packet(step.payload[0], step.payload[1:])
        if step.data:
            connection.receive(step.data)
