"""The scenario file, version 1.0: every table and key with its type, bounds and meaning.

This is the one definition. `reader` reads by it, `schema` makes the JSON Schema and the reference tables of it.
A key is the field's name in camel case; what it may also be called stands in `also`. A default in brackets is one that
the environment may take the place of.
"""

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from chaffinch.load.scenario.faults import Place
from chaffinch.load.scenario.kinds import (
    BodyValue,
    JsonValue,
    Milliseconds,
    Percent,
    Rate,
    ResponseTime,
    Size,
    SomeMilliseconds,
    Statuses,
)

VERSIONS: Final = ("1.0",)

MOST_USERS: Final = 10_000

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=65536)]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Variable: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]
Headers: TypeAlias = dict[str, str | tuple[str, ...]]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]


def also(*names: str, says: str) -> Any:
    """The description of a field that has other names too."""
    return Meta(description=says, extra={"also": names})


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One table of the file."""

    place: Annotated[Place, Meta(extra={"hidden": True})] = Place()


class Metadata(Part, frozen=True, kw_only=True):
    """What the test is; nothing of it changes what is sent."""

    name: Annotated[str | None, Meta(description="The title of reports.")] = None
    description: Annotated[str | None, Meta(description="What is tested and why.")] = None
    author: Annotated[str | None, Meta(description="Who to ask.")] = None
    tags: Annotated[tuple[str, ...], Meta(description="Words to find it by.", max_length=64)] = ()
    tenant: Annotated[Name | None, Meta(description="Whose test it is; a label of the metrics.")] = None
    run_id: Annotated[Name | None, Meta(description="A name for the run; a label of the metrics.")] = msgspec.field(
        default=None, name="run_id"
    )


class PoolPart(Part, frozen=True, kw_only=True):
    """Connections that are kept."""

    max_idle_per_host: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None, Meta(description="Idle connections kept for one host [10000].")
    ] = None
    idle_timeout_secs: Annotated[
        Annotated[int, Meta(ge=0, le=31_536_000)] | None,
        Meta(description="Seconds after which an idle one is closed [30]."),
    ] = None
    metrics_reuse_threshold_ms: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None,
        Meta(description="Read and not used: reuse is counted, not guessed from times."),
    ] = None


class TlsPart(Part, frozen=True, kw_only=True):
    """Certificates: PEM files, relative to the scenario file."""

    ca: Annotated[
        Text | None,
        Meta(description="Authorities, or servers' own certificates, that are trusted instead of the system's."),
    ] = None
    certificate: Annotated[Text | None, also("cert", says="The client's certificate, with its chain.")] = None
    key: Annotated[Text | None, Meta(description="Its private key; both or neither.")] = None


class ConfigPart(Part, frozen=True, kw_only=True):
    """Where requests go, how many users there are, how long it lasts."""

    base_url: Annotated[Text | None, Meta(description="`http://` or `https://`, host, port and a path in front.")] = (
        None
    )
    timeout: Annotated[
        SomeMilliseconds | None,
        Meta(description="The longest that a request may take, from when it is to be sent [30s]."),
    ] = None
    workers: Annotated[Annotated[int, Meta(ge=1, le=MOST_USERS)] | None, Meta(description="Users at once [10].")] = None
    duration: Annotated[SomeMilliseconds | None, Meta(description="How long requests are begun [2h].")] = None
    skip_tls_verify: Annotated[bool | None, Meta(description="Whether any certificate is taken [false].")] = None
    custom_headers: Annotated[Headers, Meta(description="Headers of every request.")] = {}
    resolve_target_addr: Annotated[
        Text | Annotated[tuple[Text, ...], Meta(max_length=1000)] | None,
        Meta(description="`host:address:port`, several in a list; IPv6 in brackets; port 0 keeps the port."),
    ] = None
    pool: PoolPart = PoolPart()
    requests: Annotated[
        Annotated[int, Meta(ge=0, le=10**15)] | None, Meta(description="End after so many requests.")
    ] = None
    http: Annotated[Literal["1.1", "2"], Meta(description="The version of HTTP.")] = "1.1"
    streams: Annotated[Annotated[int, Meta(ge=1, le=1000)], Meta(description="Streams of one HTTP/2 connection.")] = 1
    connections: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | None, Meta(description="Connections open at once [10000].")
    ] = None
    connect_timeout: Annotated[SomeMilliseconds | None, Meta(description="The longest for TCP and TLS [10s].")] = None
    keep_alive: Annotated[bool, Meta(description="Whether connections are used again.")] = True
    tcp_nodelay: Annotated[bool | None, Meta(description="TCP_NODELAY [true].")] = None
    compression: Annotated[bool, Meta(description="Whether compressed answers are asked for.")] = False
    threads: Annotated[Annotated[int, Meta(ge=1, le=256)], Meta(description="Threads that send.")] = 1
    seed: Annotated[
        Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None, Meta(description="Repeats every random choice.")
    ] = None
    drain: Annotated[Milliseconds, Meta(description="How long requests may still take at the end.")] = 5000
    tls: TlsPart = TlsPart()


class ConcurrentLoad(Part, frozen=True, kw_only=True, tag_field="model", tag="concurrent"):
    """As fast as the users go: each begins again when it is done."""


class RpsLoad(Part, frozen=True, kw_only=True, tag_field="model", tag="rps"):
    """A constant rate."""

    target: Annotated[Rate, also("rate", says="Iterations begun a second.")]


class RampLoad(Part, frozen=True, kw_only=True, tag_field="model", tag="ramp"):
    """A third of `rampDuration` up, a third at `max`, a third down, then `min` until the end."""

    min: Annotated[Rate, Meta(description="The rate at the beginning and at the end.")]
    max: Annotated[Rate, Meta(description="The rate of the middle third.")]
    ramp_duration: Annotated[SomeMilliseconds | None, Meta(description="All three thirds [`config.duration`].")] = None


class DailyLoad(Part, frozen=True, kw_only=True, tag_field="model", tag="dailytraffic"):
    """A day: night at `min`, morning ramp, peak at `max`, decline to `mid`, `mid`, evening decline; again and again."""

    min: Annotated[Rate, Meta(description="At night.")]
    mid: Annotated[Rate, Meta(description="In the afternoon.")]
    max: Annotated[Rate, Meta(description="At the peak.")]
    cycle_duration: Annotated[SomeMilliseconds, Meta(description="The length of the day.")]
    morning_ramp_ratio: Annotated[Share, Meta(description="Share of the day from `min` to `max`.")] = 0.125
    peak_sustain_ratio: Annotated[Share, Meta(description="Share at `max`.")] = 0.167
    mid_decline_ratio: Annotated[Share, Meta(description="Share from `max` to `mid`.")] = 0.125
    mid_sustain_ratio: Annotated[Share, Meta(description="Share at `mid`.")] = 0.167
    evening_decline_ratio: Annotated[Share, Meta(description="Share from `mid` to `min`; the rest is night.")] = 0.167


class LoadStep(Part, frozen=True, kw_only=True):
    """One step of the model `steps`."""

    rate: Annotated[Rate, also("target", "rps", says="Iterations begun a second.")]
    duration: Annotated[SomeMilliseconds, also("for", says="How long.")]


class StepsLoad(Part, frozen=True, kw_only=True, tag_field="model", tag="steps"):
    """One rate after another; the last one stays."""

    steps: Annotated[tuple[LoadStep, ...], Meta(description="The rates.", min_length=1, max_length=10_000)]


class ReplayLoad(Part, frozen=True, kw_only=True, tag_field="model", tag="replay"):
    """A recorded series of rates, in the file or in one beside it with a number a line."""

    interval: Annotated[SomeMilliseconds, Meta(description="How long one rate lasts.")]
    rates: Annotated[tuple[Rate, ...], Meta(description="The rates.", max_length=1_000_000)] = ()
    path: Annotated[Text | None, Meta(description="A file with a rate a line, instead of `rates`.")] = None
    repeat: Annotated[bool, Meta(description="Whether it begins again at its end; else nothing more is sent.")] = False


ALSO_CALLED: Final = {
    "concurrent": ("closed",),
    "rps": ("constant",),
    "ramp": ("rampRps",),
    "dailytraffic": ("daily",),
}
"""Other names of models: those of the command line and of the environment."""

LoadPart: TypeAlias = ConcurrentLoad | RpsLoad | RampLoad | DailyLoad | StepsLoad | ReplayLoad


class StandbyPart(Part, frozen=True, kw_only=True):
    """What is sent between tests when the control API is on."""

    workers: Annotated[Annotated[int, Meta(ge=0, le=MOST_USERS)], Meta(description="Users.")] = 2
    rps: Annotated[Rate, Meta(description="Their rate together; 0 sends nothing.")] = 0.0


class PercentilesPart(Part, frozen=True, kw_only=True):
    """The histograms."""

    enabled: Annotated[bool | None, Meta(description="Whether latencies are recorded by label [true].")] = None
    sampling: Annotated[Percent | None, Meta(description="Percent of requests that are recorded [100].")] = None
    labels: Annotated[
        Annotated[int, Meta(ge=1, le=10_000_000)] | None,
        also("maxLabels", says="Labels with a histogram of their own; the others share `__other__` [1000]."),
    ] = None
    memory: Annotated[Size | None, Meta(description="Bytes that all histograms may hold [16MiB].")] = None
    interval: Annotated[
        SomeMilliseconds | None, Meta(description="The length of an interval, at least 100ms [1s].")
    ] = None
    intervals: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | None, Meta(description="Intervals that are kept [600].")
    ] = None


class MemoryPart(Part, frozen=True, kw_only=True):
    """The memory guard."""

    limit: Annotated[Size | None, Meta(description="What the process may hold; else the machine's memory.")] = None
    warning: Annotated[Percent | None, Meta(description="Percent of it at which resolution is given up [80].")] = None
    critical: Annotated[Percent | None, Meta(description="Percent at which percentiles may go off [90].")] = None
    auto_disable_percentiles: Annotated[bool | None, Meta(description="Whether they may [true].")] = None


class ScenarioConfig(Part, frozen=True, kw_only=True):
    """What holds for one scenario."""

    timeout: Annotated[SomeMilliseconds | None, Meta(description="Instead of `config.timeout`.")] = None
    retry_count: Annotated[
        Annotated[int, Meta(ge=0, le=100)], also("retries", says="How often a failed request is sent again.")
    ] = 0
    retry_delay: Annotated[Milliseconds, Meta(description="The wait before that.")] = 0
    keep_cookies: Annotated[
        bool, Meta(description="Whether a user's cookies stay for its next iteration, as those of one visitor.")
    ] = False


class DataFilePart(Part, frozen=True, kw_only=True):
    """Rows whose columns are variables; one row an iteration."""

    path: Annotated[Text, also("file", says="The file, relative to the scenario file.")]
    format: Annotated[
        Literal["csv", "json"] | None,
        Meta(description="CSV with a line of names, or a JSON list of objects [by the ending]."),
    ] = None
    strategy: Annotated[
        Literal["sequential", "random", "cycle", "unique"],
        Meta(description="Each user in order; at random; in turn over all users; each row once in the run."),
    ] = "sequential"


class RequestPart(Part, frozen=True, kw_only=True):
    """What is sent. Every text may have variables, except the host."""

    method: Annotated[Method, Meta(description="The method.")] = "GET"
    path: Annotated[Text, also("url", says="A path that begins with `/`, or a full URL.")]
    query_params: Annotated[Headers, also("query", says="Added to the path, encoded.")] = {}
    headers: Annotated[Headers, Meta(description="Headers of this request.")] = {}
    body: Annotated[BodyValue | None, also("json", says="What is sent.")] = None
    body_size: Annotated[Size | None, Meta(description="A body of that many bytes instead.")] = None


class JsonExtract(Part, frozen=True, kw_only=True, tag_field="type", tag="jsonPath"):
    """A value of a JSON answer."""

    name: Annotated[Variable, also("variable", "as", says="The variable.")]
    path: Annotated[Text, also("jsonPath", "expression", "query", says="Such as `$.items[0].id`.")]
    default: Annotated[str | None, Meta(description="Its value where the answer has none.")] = None


class RegexExtract(Part, frozen=True, kw_only=True, tag_field="type", tag="regex"):
    """What a pattern finds in the body."""

    name: Annotated[Variable, also("variable", "as", says="The variable.")]
    pattern: Annotated[Text, also("regex", "expression", says="A regular expression.")]
    group: Annotated[Annotated[int, Meta(ge=0, le=99)], Meta(description="Which group; 0 is all of it.")] = 1
    default: Annotated[str | None, Meta(description="Its value where nothing is found.")] = None


class HeaderExtract(Part, frozen=True, kw_only=True, tag_field="type", tag="header"):
    """A header of the answer."""

    name: Annotated[Variable, also("variable", "as", says="The variable.")]
    header: Annotated[Name, also("headerName", "expression", "key", says="The header's name.")]
    default: Annotated[str | None, Meta(description="Its value where there is none.")] = None


class CookieExtract(Part, frozen=True, kw_only=True, tag_field="type", tag="cookie"):
    """A cookie that the answer sets."""

    name: Annotated[Variable, also("variable", "as", says="The variable.")]
    cookie: Annotated[Name, also("cookieName", "expression", "key", says="The cookie's name.")]
    default: Annotated[str | None, Meta(description="Its value where there is none.")] = None


ExtractPart: TypeAlias = JsonExtract | RegexExtract | HeaderExtract | CookieExtract


class StatusAssertion(Part, frozen=True, kw_only=True, tag_field="type", tag="statusCode"):
    """The status; without one a step passes on 200 to 399."""

    expected: Annotated[Statuses, also("status", "statusCode", "code", "value", "is", says="What it must be.")]


class TimeAssertion(Part, frozen=True, kw_only=True, tag_field="type", tag="responseTime"):
    """The time from sending to the last byte."""

    max: Annotated[
        ResponseTime, also("maxMs", "below", "lessThan", "expected", "value", "threshold", says="It must be under.")
    ]


class JsonAssertion(Part, frozen=True, kw_only=True, tag_field="type", tag="jsonPath"):
    """A value of a JSON answer."""

    path: Annotated[Text, also("jsonPath", "expression", "query", says="Such as `$.ok`.")]
    expected: Annotated[
        JsonValue | None, also("equals", "value", "is", says="What it must be; without it, that it is there.")
    ] = None


class ContainsAssertion(Part, frozen=True, kw_only=True, tag_field="type", tag="bodyContains"):
    """A text in the body."""

    text: Annotated[Text, also("contains", "expected", "value", "substring", says="The text.")]


class MatchesAssertion(Part, frozen=True, kw_only=True, tag_field="type", tag="bodyMatches"):
    """A pattern that the body has."""

    pattern: Annotated[Text, also("regex", "matches", "expression", "expected", "value", says="The pattern.")]


class HeaderAssertion(Part, frozen=True, kw_only=True, tag_field="type", tag="headerExists"):
    """A header of the answer."""

    header: Annotated[Name, also("headerName", "name", "expected", "key", says="The header's name.")]
    contains: Annotated[Text | None, also("value", says="A text that it must have in it.")] = None


AssertionPart: TypeAlias = (
    StatusAssertion | TimeAssertion | JsonAssertion | ContainsAssertion | MatchesAssertion | HeaderAssertion
)


class CachePart(Part, frozen=True, kw_only=True):
    """Answers that a user remembers: the step is not sent again while one is fresh."""

    ttl: Annotated[SomeMilliseconds, Meta(description="How long it is.")]


class ThinkRange(Part, frozen=True, kw_only=True):
    """A wait drawn anew each time."""

    min: Annotated[Milliseconds, Meta(description="The shortest.")]
    max: Annotated[Milliseconds, Meta(description="The longest.")]


class StepPart(Part, frozen=True, kw_only=True):
    """One request of a scenario."""

    name: Annotated[Name | None, Meta(description="Part of its label [method and path].")] = None
    request: RequestPart
    extract: Annotated[tuple[ExtractPart, ...], also("extractors", says="Variables for later steps.")] = ()
    assertions: Annotated[tuple[AssertionPart, ...], Meta(description="What must hold, besides the status.")] = ()
    cache: CachePart | None = None
    think_time: Annotated[Milliseconds | ThinkRange | None, Meta(description="The wait after it, fixed or drawn.")] = (
        None
    )
    timeout: Annotated[SomeMilliseconds | None, Meta(description="Instead of the scenario's.")] = None
    label: Annotated[Name | None, Meta(description="What it is counted under [`scenario/step`].")] = None


class ScenarioPart(Part, frozen=True, kw_only=True):
    """What a user does, from the first step to the last."""

    name: Annotated[Name, Meta(description="Part of the labels.")]
    weight: Annotated[
        Annotated[float, Meta(ge=0, le=1_000_000)], Meta(description="How often it is chosen, beside the others.")
    ] = 1.0
    config: ScenarioConfig = ScenarioConfig()
    data_file: Annotated[DataFilePart | None, also("data", says="Rows of variables.")] = None
    steps: Annotated[tuple[StepPart, ...], Meta(description="The requests.", min_length=1, max_length=1000)]


class ScenarioFile(Part, frozen=True, kw_only=True):
    """A scenario file."""

    version: Annotated[Literal["1.0"], Meta(description="The version of the format.")]
    metadata: Metadata = Metadata()
    config: ConfigPart = ConfigPart()
    load: Annotated[LoadPart, Meta(description="How many requests when; `concurrent` where it is missing.")] = (
        ConcurrentLoad()
    )
    standby: StandbyPart | None = None
    thresholds: Annotated[
        tuple[Text, ...], Meta(description="What decides the exit code, such as `p99<200ms`.", max_length=1000)
    ] = ()
    percentiles: PercentilesPart = PercentilesPart()
    memory: MemoryPart = MemoryPart()
    scenarios: Annotated[tuple[ScenarioPart, ...], Meta(description="What users do.", min_length=1, max_length=1000)]
