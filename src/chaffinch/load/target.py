"""A run of one URL, or of a file, with the options of the command line."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from chaffinch.errors import InputError
from chaffinch.load import plan
from chaffinch.load.plan import Model, Plan
from chaffinch.load.scenario import units
from chaffinch.load.scenario.address import (
    basic_credentials,
    check_header,
    is_engines,
    literal,
    parse_url,
    resolve_entry,
)
from chaffinch.load.scenario.data import read_rates
from chaffinch.load.scenario.faults import nearest, shown

AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)

DURATION_MS: Final = 10_000
"""How long a URL is tested where neither a duration nor a number of requests is given."""

USERS: Final = 10
"""Users of a closed model."""

OPEN_USERS: Final = 1000
"""Users of an open model at most: past them what is due waits, and its wait counts."""

MOST_USERS: Final = 1_000_000

MODELS: Final = ("closed", "constant", "ramp", "daily", "steps", "replay")

_METHOD: Final = re.compile(r"[A-Za-z]{1,20}")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a command line gives; None is not given. Times are milliseconds."""

    rate: float | None = None
    """Iterations begun a second: an open model."""
    concurrency: int | None = None
    duration_ms: int | None = None
    requests: int | None = None
    model: Model | None = None
    """Instead of what `rate` says."""
    http2: bool | None = None
    streams: int | None = None
    connections: int | None = None
    timeout_ms: int | None = None
    connect_timeout_ms: int | None = None
    threads: int | None = None
    seed: int | None = None
    labels: int | None = None
    percentiles: bool | None = None
    sampling: float | None = None
    """The share of requests that are recorded."""
    keep_alive: bool | None = None
    compression: bool | None = None
    verify: bool | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    resolve: tuple[str, ...] = ()
    """`host:address:port` each, besides those of a file."""


def plan_for_url(
    url: str,
    options: Options | None = None,
    *,
    method: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: str | None = None,
    body_size: int | None = None,
) -> Plan:
    """The plan of one URL: `method` is GET, or POST where there is a body. Nothing in it is a template.

    Raises `InputError` with one sentence.
    """
    try:
        parsed = parse_url(url)
        sent = tuple(headers)
        for name, value in sent:
            check_header(name, value)
            if is_engines(name):
                raise ValueError(f"the engine writes the header {name} itself: leave it out")
    except ValueError as error:
        raise InputError(str(error)) from None
    if body is not None and body_size is not None:
        raise InputError("there is a body and a size of one: give one of them")
    chosen = ("GET" if body is None and body_size is None else "POST") if method is None else method
    if not _METHOD.fullmatch(chosen):
        raise InputError(f"{shown(chosen)} is not a method: use letters, such as GET or POST")
    if parsed.credentials and not any(name.lower() == "authorization" for name, _ in sent):
        sent += (("Authorization", basic_credentials(parsed.credentials)),)
    step = plan.Step(
        name=f"{chosen.upper()} {parsed.path.partition('?')[0]}"[:200],
        method=chosen.upper(),
        path=literal(parsed.path),
        headers=tuple((name, literal(value)) for name, value in sent),
        body=None if body is None else literal(body),
        body_size=body_size,
    )
    base = Plan(
        base_url=parsed.origin,
        duration_ms=DURATION_MS,
        users=0,
        scenarios=(plan.Scenario(name="url", steps=(step,)),),
    )
    return with_options(base, options or Options())


def with_options(base: Plan, options: Options) -> Plan:
    """The plan with what is given in place of its own. Raises `InputError` with one sentence."""
    _check(options)
    model = options.model or (base.model if options.rate is None else plan.Constant(options.rate))
    users = options.concurrency or base.users or (USERS if isinstance(model, plan.Closed) else OPEN_USERS)
    try:
        resolve = (*map(resolve_entry, options.resolve), *base.resolve)
    except ValueError as error:
        raise InputError(str(error)) from None
    tls = _replaced(base.tls, verify=options.verify, ca=options.ca, certificate=options.certificate, key=options.key)
    if (tls.certificate is None) != (tls.key is None):
        raise InputError("a client certificate needs its key, and a key its certificate: give both or neither")
    percentiles = _replaced(
        base.percentiles, enabled=options.percentiles, sampling=options.sampling, labels=options.labels
    )
    # A number of requests that is given ends the run by itself: the file's duration does not.
    duration = options.duration_ms if options.requests is not None else options.duration_ms or base.duration_ms
    return msgspec.structs.replace(
        _replaced(
            base,
            requests=options.requests,
            streams=options.streams,
            connections=options.connections,
            timeout_ms=options.timeout_ms,
            connect_timeout_ms=options.connect_timeout_ms,
            threads=options.threads,
            seed=options.seed,
            keep_alive=options.keep_alive,
            compression=options.compression,
        ),
        model=model,
        users=users,
        duration_ms=duration,
        resolve=resolve,
        tls=tls,
        percentiles=percentiles,
        http=base.http if options.http2 is None else _version(options.http2),
    )


def parse_model(text: str, rate: float | None = None) -> Model:
    """A load model as the command line has it. Raises `InputError`.

    `closed`, `constant` (with `rate`), `ramp:10-500:1m` and then a time to hold and one to go back,
    `daily:10-50-100:24h`, `steps:100/s*30s,200/s*1m`, `replay:FILE:1s`.
    """
    kind, _, rest = text.strip().partition(":")
    try:
        match kind.lower():
            case "closed" | "concurrent" if not rest:
                return plan.Closed()
            case "constant" | "rps":
                return plan.Constant(units.rate(rest) if rest else _given(rate))
            case "ramp":
                return _ramp(rest)
            case "daily":
                return _daily(rest)
            case "steps":
                pairs = (one.partition("*") for one in rest.split(","))
                return plan.Steps(tuple(plan.RateStep(units.rate(one), _time(long)) for one, _, long in pairs))
            case "replay":
                file, _, interval = rest.rpartition(":")
                return plan.Replay(_time(interval), read_rates(Path(file)))
    except ValueError as error:
        raise InputError(f"the model {shown(text)}: {error}") from None
    raise InputError(f"{shown(text)} is not a model{nearest(kind, MODELS)}")


def _given(rate: float | None) -> float:
    if rate is None:
        raise ValueError("it needs a rate: give one, or write constant:500")
    return rate


def _time(text: str) -> int:
    milliseconds = units.duration_ms(text)
    if not milliseconds:
        raise ValueError("a time of 0 is no time: give more")
    return milliseconds


def _ramp(rest: str) -> plan.Ramp:
    rates, *times = rest.split(":")
    low, _, high = rates.partition("-")
    if not 1 <= len(times) <= 3:
        raise ValueError("write it like ramp:10-500:1m, or ramp:10-500:1m:5m:1m with a time to hold and to go back")
    over, hold, back = (*map(units.duration_ms, times), 0, 0)[:3]
    if len(times) == 1:
        # Without a time to hold it stays up: there is nothing to come back for.
        return plan.Ramp(start=units.rate(low), to=units.rate(high), over_ms=over, hold_ms=units.LONGEST_MS, back_ms=0)
    return plan.Ramp(start=units.rate(low), to=units.rate(high), over_ms=over, hold_ms=hold, back_ms=back)


def _daily(rest: str) -> plan.Daily:
    rates, _, cycle = rest.partition(":")
    parts = rates.split("-")
    if len(parts) != 3 or not cycle:
        raise ValueError("write it like daily:10-50-100:24h, with the rates of night, afternoon and peak")
    low, middle, high = map(units.rate, parts)
    if not low <= middle <= high:
        raise ValueError("the rates must not fall: night, afternoon, peak")
    return plan.Daily(low, middle, high, _time(cycle))


def _check(options: Options) -> None:
    bounds: tuple[tuple[str, float | None, float, float], ...] = (
        ("rate", options.rate, 0, units.HIGHEST_RATE),
        ("concurrency", options.concurrency, 1, MOST_USERS),
        ("duration", options.duration_ms, 1, units.LONGEST_MS),
        ("requests", options.requests, 0, 10**15),
        ("streams", options.streams, 1, 1000),
        ("connections", options.connections, 1, MOST_USERS),
        ("timeout", options.timeout_ms, 1, units.LONGEST_MS),
        ("connect-timeout", options.connect_timeout_ms, 1, units.LONGEST_MS),
        ("threads", options.threads, 1, 256),
        ("seed", options.seed, 0, (1 << 63) - 1),
        ("labels", options.labels, 1, 10_000_000),
        ("sampling", options.sampling, 0, 1),
    )
    for name, value, low, high in bounds:
        if value is not None and not low <= value <= high:
            raise InputError(f"{name} is {value:,}: it must be from {low:,} to {high:,}")
    if options.rate is not None and options.model is not None and not isinstance(options.model, plan.Constant):
        raise InputError("a rate goes with no model but constant: the others have their own rates")


def _version(http2: bool) -> Literal["1.1", "2"]:
    return "2" if http2 else "1.1"


def _replaced(of: AnyStruct, **given: object) -> AnyStruct:
    """The struct with what is given; None is not."""
    return msgspec.structs.replace(of, **{name: value for name, value in given.items() if value is not None})
