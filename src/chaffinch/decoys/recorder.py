"""From a session's facts to events: recorded one by one up to a rate, collapsed with a count past it, never
dropped.
"""

import time
from collections.abc import Callable, Hashable

import msgspec

from chaffinch.config import DecoySettings
from chaffinch.decoys.rates import Rates
from chaffinch.decoys.session import Session
from chaffinch.events import Collapsed, Event, Fact, SessionClosed, SessionOpened, kind_of

SESSION = "session"
"""What `Collapsed.of` says for whole sessions: their opening and their closing are one."""

LEAST_RATE, LEAST_BURST, LEAST_ENTRIES = 1.0, 16, 16
"""What collapsing earlier never takes: so many facts of one kind a second, at once, and so many sources told apart."""

_MANY = "many"
"""The source of a collapsed record that gathers sources for which there was no room."""


class Tally(msgspec.Struct):
    """Facts of one kind, source and service that wait to be written as one record."""

    service: str
    address: str
    source: str
    of: str
    port: int
    first: int
    last: int
    count: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class Counters(msgspec.Struct):
    """What one process has seen since it started. `opened == recorded + collapsed`, at every moment."""

    opened: int = 0
    recorded: int = 0
    collapsed: int = 0
    closed: int = 0
    events: int = 0
    facts_collapsed: int = 0


class EventRecorder:
    """Gives each fact its envelope and hands it to the journal, fewer of them while the journal is `pressed`.

    A session whose opening was recorded has its closing recorded too, whatever the rate: it is one row in every
    listing.
    """

    def __init__(
        self,
        publish: Callable[[Event], None],
        settings: DecoySettings,
        clock: Callable[[], int] = time.time_ns,
        pressed: Callable[[], bool] = lambda: False,
    ) -> None:
        self.counters = Counters()
        self._publish = publish
        self._pressed = pressed
        self._clock = clock
        self._settings = settings
        self._rates = Rates(settings.record_rate, settings.record_burst, settings.rate_entries)
        self._most_tallies = settings.rate_entries
        self._tallies: dict[tuple[str, str, str], Tally] = {}
        self._collapsed_sessions: set[str] = set()

    @property
    def rate(self) -> float:
        """How many facts of one kind are recorded a second now for one source."""
        return self._rates.rate

    def halve(self, times: int) -> bool:
        """Record the settings' rate, burst and number of sources, halved so many times; whether that changed them.

        Records that no longer have a place of their own are written, so that no count is lost.
        """
        settings, before = self._settings, (self._rates.rate, self._rates.burst, self._rates.entries)
        rate = max(min(LEAST_RATE, settings.record_rate), settings.record_rate / 2**times)
        burst = max(min(LEAST_BURST, settings.record_burst), settings.record_burst >> times)
        entries = max(min(LEAST_ENTRIES, settings.rate_entries), settings.rate_entries >> times)
        self._rates.limit_to(rate, burst, entries)
        self._most_tallies = entries
        if len(self._tallies) > entries:
            self.flush()
        return before != (rate, float(burst), entries)

    def limit_to(self, entries: int) -> None:
        """Tell so many sources apart, from the next `halve` on."""
        self._settings = msgspec.structs.replace(self._settings, rate_entries=entries)

    def record(self, session: Session, fact: Fact) -> None:
        """Record the fact, or count it with others of its kind."""
        if isinstance(fact, SessionOpened):
            self._open(session, fact)
        elif isinstance(fact, SessionClosed):
            self._close(session, fact)
        elif self._allows(session, type(fact)):
            self._emit(session, fact)
        else:
            self.counters.facts_collapsed += 1
            self._tally(session, kind_of(type(fact))).count += 1

    def _allows(self, session: Session, kind: Hashable) -> bool:
        """Whether one more fact of the kind is recorded by itself: not past the source's rate, and not while so much
        waits for the disk that more might be lost.
        """
        return not self._pressed() and self._rates.allows((session.source, session.spec.name, kind))

    def _open(self, session: Session, fact: SessionOpened) -> None:
        self.counters.opened += 1
        if self._allows(session, SESSION):
            self.counters.recorded += 1
            self._emit(session, fact)
        else:
            self.counters.collapsed += 1
            self._collapsed_sessions.add(session.id)
            self._tally(session, SESSION).count += 1

    def _close(self, session: Session, fact: SessionClosed) -> None:
        self.counters.closed += 1
        if session.id not in self._collapsed_sessions:
            return self._emit(session, fact)
        self._collapsed_sessions.discard(session.id)
        tally = self._tally(session, SESSION)
        tally.bytes_in += fact.bytes_in
        tally.bytes_out += fact.bytes_out
        return None

    def _emit(self, session: Session, fact: Fact) -> None:
        self.counters.events += 1
        self._publish(
            Event(
                time=self._clock(),
                fact=fact,  # type: ignore[arg-type]
                service=session.spec.name,
                address=session.address,
                source=session.source,
                session=session.id,
            )
        )

    def _tally(self, session: Session, kind: str) -> Tally:
        now = self._clock()
        source, address = session.source, session.address
        if (source, session.spec.name, kind) not in self._tallies and len(self._tallies) >= self._most_tallies:
            source = address = _MANY
        key = (source, session.spec.name, kind)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally(session.spec.name, address, source, kind, session.port, now, now)
        tally.last = max(tally.last, now)
        return tally

    def flush(self) -> None:
        """Write what was collapsed since the last call, one record for each source, service and kind."""
        tallies, self._tallies = self._tallies, {}
        for tally in tallies.values():
            if not tally.count:  # only bytes of sessions that were counted before: they wait for the next record
                self._wait(tally)
                continue
            self.counters.events += 1
            fact = Collapsed(
                of=tally.of,
                count=tally.count,
                first=tally.first,
                last=tally.last,
                port=tally.port,
                bytes_in=tally.bytes_in,
                bytes_out=tally.bytes_out,
            )
            self._publish(
                Event(time=tally.last, fact=fact, service=tally.service, address=tally.address, source=tally.source)
            )

    def _wait(self, tally: Tally) -> None:
        """Keep what cannot be written yet; with others of its service where there are too many."""
        if len(self._tallies) >= self._most_tallies:
            tally.source = tally.address = _MANY
        key = (tally.source, tally.service, tally.of)
        known = self._tallies.setdefault(key, tally)
        if known is not tally:
            known.bytes_in += tally.bytes_in
            known.bytes_out += tally.bytes_out
            known.first, known.last = min(known.first, tally.first), max(known.last, tally.last)
