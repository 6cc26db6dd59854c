"""Running one session from its first to its last fact: the boundary at which a handler's fault stays its own."""

import asyncio
import logging

from chaffinch.decoys.registry import Handler
from chaffinch.decoys.session import Session
from chaffinch.errors import PeerError
from chaffinch.events import SessionClosed, SessionOpened, Syn

log = logging.getLogger("chaffinch.decoys")


REFUSED = "refused"
"""The reason of a session that memory was too short for."""


def start(session: Session, handler: Handler, syn: Syn | None = None) -> asyncio.Task[None]:
    """Record the session as opened and start its handler. The caller owns the task."""
    _opened(session, syn)
    return session.start(_run(session, handler))


def refuse(session: Session, handler: Handler, syn: Syn | None = None) -> None:
    """Say what the product says to one connection too many, and close: a whole session, recorded as any other, in one
    call without a task.
    """
    _opened(session, syn)
    session.reason = REFUSED
    try:
        if said := handler.refuse(session):  # an empty datagram would be an answer
            session.write(said)
    except Exception:  # as in `_run`: a service's fault is contained
        session.reason = "error"
        log.exception("session.failed service=%s session=%s", session.spec.name, session.id)
    finally:
        session.close()
        session.record(closing_fact(session))


def _opened(session: Session, syn: Syn | None) -> None:
    session.record(
        SessionOpened(port=session.port, source_port=session.source_port, transport=session.transport, syn=syn)
    )


async def _run(session: Session, handler: Handler) -> None:
    reset = False
    try:
        await handler(session)
        session.reason = session.reason or ("peer" if session.at_eof else "service")
        await session.flush()
    except PeerError as error:
        session.reason = session.reason or error.reason
        await session.flush(0.2)
    except asyncio.CancelledError:
        session.reason = session.reason or "shutdown"
        reset = session.reason == "evicted"
        task = asyncio.current_task()
        if session.reason != "shutdown" and task is not None:
            task.uncancel()  # the session was ended, not this process: the task may finish as usual
    except Exception:  # the one place where a service's fault is contained
        session.reason = "error"
        log.exception("session.failed service=%s session=%s", session.spec.name, session.id)
    finally:
        session.close(reset=reset)
        session.record(closing_fact(session))


def closing_fact(session: Session) -> SessionClosed:
    """The session's last fact: when, how long, how much and why it ended."""
    return SessionClosed(
        port=session.port,
        source_port=session.source_port,
        started=session.started,
        duration_ns=session.elapsed_ns,
        bytes_in=session.bytes_in,
        bytes_out=session.bytes_out,
        reason=session.reason,
    )
