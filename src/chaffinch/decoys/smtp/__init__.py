"""Postfix as Debian installs it, which takes mail and delivers none.

The options that it reads: `auth` (`yes` offers AUTH PLAIN and LOGIN), `relay` (`open` takes any recipient, `refuse`
answers 554 for others' domains, anything else Debian's 454), `banner` (what follows the host's name in the greeting).
"""

from chaffinch.decoys.registry import service
from chaffinch.decoys.session import Session
from chaffinch.decoys.smtp.dialogue import IDLE_SECONDS, Dialogue, banner
from chaffinch.errors import PeerIdleError


def refuse(session: Session) -> bytes:
    """`smtpd_client_connection_count_limit` reached. Past `default_process_limit` the client would wait unserved."""
    return f"421 4.7.0 {session.persona.fqdn} Error: too many connections from {session.source}\r\n".encode()


@service("smtp", tcp=25, idle=IDLE_SECONDS, bytes_in=64 << 20, refuse=refuse)
async def serve(session: Session) -> None:
    # Nothing is built for a client that only connects: before its first byte it holds this frame and a read.
    host = session.persona.fqdn
    session.write(f"220 {host} {banner(session.persona, session.service)}\r\n".encode())
    try:
        session.unread(await session.read())
        if not session.at_eof:
            await Dialogue(session).run()
    except PeerIdleError:
        session.write(f"421 4.4.2 {host} Error: timeout exceeded\r\n".encode())
        raise
