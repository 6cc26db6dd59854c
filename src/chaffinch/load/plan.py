"""The plan of a run: what the engine reads, as JSON with every field written. Times are whole milliseconds."""

from typing import Final, Literal, TypeAlias

import msgspec

USUAL_RECORDS: Final = 16 << 20
"""Bytes that records may take where nobody says how many."""


class Resolve(msgspec.Struct, frozen=True):
    """A host whose address is not asked of DNS."""

    host: str
    port: int | None
    """Only for connections to this port."""
    address: str
    to_port: int | None
    """Connect to this port instead."""


class Tls(msgspec.Struct, frozen=True):
    """Whom TLS trusts and who it says it is; PEM files."""

    verify: bool = True
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


class Closed(msgspec.Struct, frozen=True, tag_field="kind", tag="closed"):
    """Each user begins again when it is done."""


class Constant(msgspec.Struct, frozen=True, tag_field="kind", tag="constant"):
    """Iterations begun a second."""

    rate: float


class Ramp(msgspec.Struct, frozen=True, tag_field="kind", tag="ramp"):
    """From one rate to another, hold, and back; then the first one until the end."""

    start: float = msgspec.field(name="from")
    to: float
    over_ms: int
    hold_ms: int
    back_ms: int


class Daily(msgspec.Struct, frozen=True, tag_field="kind", tag="daily"):
    """A day, again and again; the shares are of its length, in order, and the rest is at `min`."""

    min: float
    mid: float
    max: float
    cycle_ms: int
    morning: float = 0.125
    peak: float = 0.167
    decline: float = 0.125
    sustain: float = 0.167
    evening: float = 0.167


class RateStep(msgspec.Struct, frozen=True):
    """A rate for a while."""

    rate: float
    for_ms: int


class Steps(msgspec.Struct, frozen=True, tag_field="kind", tag="steps"):
    """One rate after another; the last one stays."""

    steps: tuple[RateStep, ...]


class Replay(msgspec.Struct, frozen=True, tag_field="kind", tag="replay"):
    """A recorded series of rates."""

    interval_ms: int
    rates: tuple[float, ...]
    repeat: bool = False


Model: TypeAlias = Closed | Constant | Ramp | Daily | Steps | Replay


class Percentiles(msgspec.Struct, frozen=True):
    """The histograms."""

    enabled: bool = True
    sampling: float = 1.0
    """The share of requests that are recorded."""
    labels: int = 1000
    bytes: int | None = None
    """The cap of all records; None: `USUAL_RECORDS`, or what labels, threads and intervals need where that is more."""
    interval_ms: int = 1000
    intervals: int = 600


class Data(msgspec.Struct, frozen=True):
    """Rows of variables."""

    columns: tuple[str, ...]
    rows: msgspec.Raw
    """A JSON array of arrays of texts: a million rows as objects would cost more than the run."""
    strategy: Literal["sequential", "random", "cycle", "unique"] = "sequential"


class JsonExtract(msgspec.Struct, frozen=True, tag_field="from", tag="json"):
    """A variable from a JSON answer."""

    name: str
    path: str
    default: str | None = None


class RegexExtract(msgspec.Struct, frozen=True, tag_field="from", tag="regex"):
    """A variable from what a pattern finds."""

    name: str
    pattern: str
    group: int = 1
    default: str | None = None


class HeaderExtract(msgspec.Struct, frozen=True, tag_field="from", tag="header"):
    """A variable from a header."""

    name: str
    header: str
    default: str | None = None


class CookieExtract(msgspec.Struct, frozen=True, tag_field="from", tag="cookie"):
    """A variable from a cookie."""

    name: str
    cookie: str
    default: str | None = None


Extract: TypeAlias = JsonExtract | RegexExtract | HeaderExtract | CookieExtract


class StatusAssert(msgspec.Struct, frozen=True, tag_field="what", tag="status"):
    """The status is in one of the ranges, both ends in them."""

    between: tuple[tuple[int, int], ...]


class TimeAssert(msgspec.Struct, frozen=True, tag_field="what", tag="time"):
    """The answer took less."""

    below_ms: float


class JsonAssert(msgspec.Struct, frozen=True, tag_field="what", tag="json"):
    """A value is there, or is `expected`."""

    path: str
    expected: msgspec.Raw = msgspec.field(name="is", default=msgspec.Raw(b"null"))


class ContainsAssert(msgspec.Struct, frozen=True, tag_field="what", tag="body"):
    """The body has a text in it."""

    contains: str


class MatchesAssert(msgspec.Struct, frozen=True, tag_field="what", tag="body"):
    """A pattern matches in the body."""

    matches: str


class HeaderAssert(msgspec.Struct, frozen=True, tag_field="what", tag="header"):
    """A header is there, or has a text in it."""

    header: str
    contains: str | None = None


Assert: TypeAlias = StatusAssert | TimeAssert | JsonAssert | ContainsAssert | MatchesAssert | HeaderAssert

Pairs: TypeAlias = tuple[tuple[str, str], ...]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One request. Texts are templates: `${name}`, `$$` for a dollar sign."""

    name: str
    method: str = "GET"
    path: str
    query: Pairs = ()
    headers: Pairs = ()
    body: str | None = None
    body_size: int | None = None
    label: str | None = None
    extract: tuple[Extract, ...] = ()
    asserts: tuple[Assert, ...] = msgspec.field(name="assert", default=())
    cache_ttl_ms: int | None = None
    think_ms: tuple[int, int] = (0, 0)
    timeout_ms: int | None = None


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What a user does in one iteration."""

    name: str
    weight: float = 1.0
    timeout_ms: int | None = None
    retries: int = 0
    retry_delay_ms: int = 0
    keep_cookies: bool = False
    data: Data | None = None
    steps: tuple[Step, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run, from its start to its end."""

    base_url: str
    """The origin of steps whose path is not a full URL."""
    resolve: tuple[Resolve, ...] = ()
    tls: Tls = Tls()
    http: Literal["1.1", "2"] = "1.1"
    streams: int = 1
    connections: int = 10_000
    idle_per_host: int = 10_000
    idle_ms: int = 30_000
    nodelay: bool = True
    keep_alive: bool = True
    connect_timeout_ms: int = 10_000
    timeout_ms: int = 30_000
    headers: Pairs = ()
    compression: bool = False
    model: Model = Closed()
    users: int = 10
    duration_ms: int | None = None
    requests: int | None = None
    drain_ms: int = 5000
    threads: int = 1
    seed: int | None = None
    percentiles: Percentiles = Percentiles()
    scenarios: tuple[Scenario, ...]

    def to_json(self) -> str:
        """As the engine reads it."""
        own = self.percentiles
        if own.bytes is None:
            count = max(USUAL_RECORDS, least_records(own.labels, self.threads, own.intervals))
            capped = msgspec.structs.replace(self, percentiles=msgspec.structs.replace(own, bytes=count))
            return capped.to_json()
        return msgspec.json.encode(self).decode()


def least_records(labels: int, threads: int, intervals: int) -> int:
    """The fewest bytes in which the engine records that many labels and keeps that many intervals."""
    from chaffinch import _core  # 1.6 MB, for those who run or add up

    return _core.least_record_bytes(labels, threads, intervals)
