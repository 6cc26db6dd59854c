"""Every metric that exists: a table. Names stand here as code uses them, without the prefix `chaffinch_`."""

from typing import Final, Literal

import msgspec

PREFIX: Final = "chaffinch_"

Kind = Literal["counter", "gauge", "latency"]


class Metric(msgspec.Struct, frozen=True, gc=False):
    """One row. A name ends in its unit, if it has one; latencies are shown in seconds."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""

    @property
    def exposed(self) -> str:
        """The name of its samples on the metrics page."""
        return PREFIX + self.name + ("_total" if self.kind == "counter" else "")


METRICS: Final = (
    Metric("sessions_open", "gauge", "Sessions that are open now.", ("service", "group")),
    Metric("sessions_opened", "counter", "Connections that became a session.", ("service",)),
    Metric("sessions_recorded", "counter", "Sessions recorded one by one.", ("service",)),
    Metric("sessions_collapsed", "counter", "Sessions counted in a collapsed record.", ("service",)),
    Metric("sessions_evicted", "counter", "Sessions ended to make room for new ones.", ("service",)),
    Metric("connections_unserved", "counter", "Connections that no service answers, closed at once.", ("service",)),
    Metric("events_recorded", "counter", "Events handed to the journal.", ("service",)),
    Metric("facts_collapsed", "counter", "Facts counted in a collapsed record.", ("service",)),
    Metric("uploads_refused", "counter", "Uploads of which only the hash was kept.", ("service",)),
    Metric("journal_appended", "counter", "Events that the journal made durable."),
    Metric("journal_lost", "counter", "Events that the journal could not keep."),
    Metric("journal_full", "gauge", "1 while the disk takes no events and they wait in memory.", ("group",)),
    Metric("process_resident_memory_bytes", "gauge", "RSS of the process.", ("group",), "bytes"),
    Metric("process_proportional_memory_bytes", "gauge", "PSS: shared pages count by share.", ("group",), "bytes"),
    Metric("process_private_memory_bytes", "gauge", "Memory that only this process maps.", ("group",), "bytes"),
    Metric("process_memory_limit_bytes", "gauge", "The least of cgroup limits and RAM.", ("group",), "bytes"),
    Metric("metrics_histogram_bytes", "gauge", "Bytes that a latency's histograms hold.", ("metric", "group"), "bytes"),
    Metric("metrics_folded_records", "counter", "Values counted under __other__ for want of room.", ("metric",)),
    Metric("metrics_folded_labels", "gauge", "Labels that fold into __other__, estimated.", ("metric",)),
)

_BY_NAME: Final = {metric.name: metric for metric in METRICS}


def describe(name: str, kind: Kind) -> Metric:
    """The row of this name; a bare one for a metric that somebody else's package adds."""
    return _BY_NAME.get(name) or Metric(name, kind, "", unit="seconds" if kind == "latency" else "")
