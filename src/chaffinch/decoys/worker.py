"""The worker of one decoy service: accepts, keeps sessions within their bounds, leaves an account of all of them."""

from chaffinch.decoys import registry
from chaffinch.decoys.acceptor import Acceptor
from chaffinch.decoys.recorder import EventRecorder
from chaffinch.decoys.table import SessionTable
from chaffinch.events import Event, ServiceStarted, now
from chaffinch.fleet.context import Context

PREFIX = "decoy-"
"""A decoy worker is named after its service: `decoy-ssh`."""

SWEEP_SECONDS = 0.5
"""How often silent sessions are looked for and collapsed records are written."""


async def run(context: Context) -> None:
    """Serve until the context is stopping; then end the sessions and write their last facts."""
    handler = registry.load(context.name.removeprefix(PREFIX))
    settings = context.config.decoys
    journal = context.journal
    recorder = EventRecorder(journal.publish, settings, pressed=lambda: journal.pressed)
    table = SessionTable(settings.sessions, context.decoys.room)
    acceptor = Acceptor(handler, context.decoys, recorder, table)
    _export(context, recorder, table, acceptor)
    context.journal.publish(Event(time=now(), fact=ServiceStarted(context.name), service=handler.spec.name))
    try:
        acceptor.open([listener for listener in context.listeners if listener.plan.service == handler.spec.name])
        while not context.stopping.is_set():
            table.expire()
            recorder.flush()
            await context.pause(SWEEP_SECONDS, acceptor.failed)
    finally:
        acceptor.close()
        await table.close(context.config.fleet.drain_seconds / 2)
        recorder.flush()


def _export(context: Context, recorder: EventRecorder, table: SessionTable, acceptor: Acceptor) -> None:
    """Show on the metrics page, and in `status`, what this service has seen."""
    service = context.name.removeprefix(PREFIX)
    counters = recorder.counters
    context.gauge("sessions_open", lambda: len(table), service=service)
    context.counter("sessions_opened", lambda: counters.opened, service=service)
    context.counter("sessions_recorded", lambda: counters.recorded, service=service)
    context.counter("sessions_collapsed", lambda: counters.collapsed, service=service)
    context.counter("sessions_evicted", lambda: table.evicted, service=service)
    context.counter("sessions_refused", lambda: acceptor.refused, service=service)
    context.gauge("record_rate", lambda: recorder.rate, service=service)
    context.counter("events_recorded", lambda: counters.events, service=service)
    context.counter("facts_collapsed", lambda: counters.facts_collapsed, service=service)
    context.counter("connections_unserved", lambda: acceptor.unserved, service=service)
    room = context.decoys.room
    context.gauge("session_bytes", lambda: room.held)
    context.decoys.relief.export(context.metrics)
    context.counter("uploads_refused", lambda: context.decoys.quarantine.refused, service=service)
