"""`--from-env`: a run from environment variables, alone or over a scenario file. What is given wins over the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from chaffinch.load.loaded import DEFAULT_NAMESPACE, Control, Loaded, Node
from chaffinch.load.scenario import declared
from chaffinch.load.scenario.address import basic_credentials, literal, parse_url
from chaffinch.load.scenario.build import DURATION_MS, build
from chaffinch.load.scenario.faults import Faults, Place
from chaffinch.load.scenario.kinds import Body
from chaffinch.load.variables import read_variables

SOURCE: Final = "the environment"

IDLE_PER_HOST: Final = 32
"""Idle connections of one host without a file."""

LABELS: Final = 100
"""Labels without a file."""

SCENARIO: Final = "url"
"""The name of the one scenario without a file."""

AnyPart = TypeVar("AnyPart", bound=declared.Part)

_GUARD: Final = ("MEMORY_WARNING_THRESHOLD_PERCENT", "MEMORY_CRITICAL_THRESHOLD_PERCENT")
_ALONE: Final = ("REQUEST_TYPE", "SEND_JSON", "JSON_PAYLOAD")
_RATES: Final[Mapping[type[declared.Part], Mapping[str, str]]] = {
    declared.ConcurrentLoad: {},
    declared.RpsLoad: {"target": "TARGET_RPS"},
    declared.RampLoad: {"min": "MIN_RPS", "max": "MAX_RPS", "ramp_duration": "RAMP_DURATION"},
    declared.DailyLoad: {
        "min": "DAILY_MIN_RPS",
        "mid": "DAILY_MID_RPS",
        "max": "DAILY_MAX_RPS",
        "cycle_duration": "DAILY_CYCLE_DURATION",
        "morning_ramp_ratio": "MORNING_RAMP_RATIO",
        "peak_sustain_ratio": "PEAK_SUSTAIN_RATIO",
        "mid_decline_ratio": "MID_DECLINE_RATIO",
        "mid_sustain_ratio": "MID_SUSTAIN_RATIO",
        "evening_decline_ratio": "EVENING_DECLINE_RATIO",
    },
}
_MODELS: Final[Mapping[str, type[Any]]] = {
    "Concurrent": declared.ConcurrentLoad,
    "Rps": declared.RpsLoad,
    "RampRps": declared.RampLoad,
    "DailyTraffic": declared.DailyLoad,
}


def from_environment(environment: Mapping[str, str]) -> Loaded:
    """The run that the variables say by themselves. Raises `InputError` that names each wrong variable."""
    faults = Faults(SOURCE)
    values = read_variables(environment, faults)
    request = _request(values, faults)
    faults.check()
    file = declared.ScenarioFile(
        version="1.0",
        config=declared.ConfigPart(
            duration=DURATION_MS, pool=declared.PoolPart(max_idle_per_host=IDLE_PER_HOST, idle_timeout_secs=30)
        ),
        percentiles=declared.PercentilesPart(labels=LABELS),
        scenarios=(
            declared.ScenarioPart(
                name=SCENARIO, steps=(declared.StepPart(place=Place("TARGET_URL"), request=request),)
            ),
        ),
    )
    here = {name: value for name, value in values.items() if name not in ("TARGET_URL", "CUSTOM_HEADERS", *_ALONE)}
    notes = ("JSON_PAYLOAD plays no part while SEND_JSON is false",) if _spare_payload(values) else ()
    return _laid_over(file, faults, Path(), here, notes)


def over(file: declared.ScenarioFile, faults: Faults, directory: Path | None, environment: Mapping[str, str]) -> Loaded:
    """The run of a file with the variables over it."""
    found = Faults(SOURCE)
    values = read_variables(environment, found)
    found.check()
    notes = tuple(f"{name} plays no part where a file says what is sent" for name in _ALONE if name in values)
    return _laid_over(file, faults, directory, values, notes)


def _laid_over(
    file: declared.ScenarioFile, faults: Faults, directory: Path | None, values: dict[str, Any], notes: tuple[str, ...]
) -> Loaded:
    load, unused = _load(file.load, values, faults)
    faults.check()
    changed = msgspec.structs.replace(
        file,
        config=_config(file.config, values),
        load=load,
        percentiles=_replaced(
            file.percentiles,
            place=Place("HISTOGRAM_ROTATION_INTERVAL") if values.get("HISTOGRAM_ROTATION_INTERVAL") else None,
            enabled=values.get("PERCENTILE_TRACKING_ENABLED"),
            sampling=values.get("PERCENTILE_SAMPLING_RATE"),
            labels=values.get("MAX_HISTOGRAM_LABELS"),
            interval=values.get("HISTOGRAM_ROTATION_INTERVAL"),
        ),
        memory=_replaced(
            file.memory,
            place=Place(", ".join(_GUARD)) if values.keys() & set(_GUARD) else None,
            warning=values.get("MEMORY_WARNING_THRESHOLD_PERCENT"),
            critical=values.get("MEMORY_CRITICAL_THRESHOLD_PERCENT"),
            auto_disable_percentiles=values.get("AUTO_DISABLE_PERCENTILES_ON_WARNING"),
        ),
    )
    built = build(changed, faults, directory, (*notes, *unused))
    return _with_the_rest(built, values)


def _with_the_rest(built: Loaded, values: dict[str, Any]) -> Loaded:
    """What the engine does not know."""
    host, port = values.get("CLUSTER_HEALTH_ADDR", (Control().host, Control().port))
    return msgspec.structs.replace(
        built,
        control=Control(host, port, values.get("API_AUTH_TOKEN", ""), values.get("HEALTH_AUTH_ENABLED", False)),
        node=Node(
            values.get("CLUSTER_NODE_ID", ""),
            values.get("CLUSTER_REGION", Node().region),
            values.get("TENANT", built.node.tenant),
        ),
        namespace=values.get("METRIC_NAMESPACE", DEFAULT_NAMESPACE),
        log_format=values.get("LOG_FORMAT", "text"),
    )


def _request(values: dict[str, Any], faults: Faults) -> declared.RequestPart:
    """The one request without a file. Its texts are no templates."""
    if "TARGET_URL" not in values and not faults:
        faults.at(Place("TARGET_URL"), "it is missing: give it a URL such as http://127.0.0.1:8080/, or name a file")
    headers: dict[str, str | tuple[str, ...]] = {}
    for name, value in values.get("CUSTOM_HEADERS", ()):
        headers[name] = (*headers.get(name, ()), literal(value))
    url = parse_url(values.get("TARGET_URL", "http://missing/"))
    if url.credentials and not any(name.lower() == "authorization" for name in headers):
        headers["Authorization"] = basic_credentials(url.credentials)
    body = None
    if values.get("SEND_JSON"):
        if "JSON_PAYLOAD" not in values:
            faults.at(Place("JSON_PAYLOAD"), "it is missing: SEND_JSON is true, so give it a body")
        body = Body(literal(values.get("JSON_PAYLOAD", "")), is_json=True)
    return declared.RequestPart(
        place=Place("TARGET_URL"),
        method=values.get("REQUEST_TYPE", "GET"),
        path=url.origin + literal(url.path),
        headers=headers,
        body=body,
    )


def _spare_payload(values: dict[str, Any]) -> bool:
    return "JSON_PAYLOAD" in values and not values.get("SEND_JSON")


def _config(config: declared.ConfigPart, values: dict[str, Any]) -> declared.ConfigPart:
    timeout = values.get("REQUEST_TIMEOUT_SECS")
    headers = dict(config.custom_headers)
    for name, value in values.get("CUSTOM_HEADERS", ()):
        headers = {known: text for known, text in headers.items() if known.lower() != name.lower()}
        headers[name] = literal(value)
    tls = _replaced(
        config.tls, certificate=_absolute(values, "CLIENT_CERT_PATH"), key=_absolute(values, "CLIENT_KEY_PATH")
    )
    if "CLIENT_CERT_PATH" in values or "CLIENT_KEY_PATH" in values:
        tls = _replaced(tls, place=Place("CLIENT_CERT_PATH, CLIENT_KEY_PATH"))
    return _replaced(
        config,
        base_url=values.get("TARGET_URL"),
        workers=values.get("NUM_CONCURRENT_TASKS"),
        duration=values.get("TEST_DURATION"),
        timeout=None if timeout is None else timeout * 1000,
        skip_tls_verify=values.get("SKIP_TLS_VERIFY"),
        custom_headers=headers,
        resolve_target_addr=values.get("RESOLVE_TARGET_ADDR"),
        tcp_nodelay=values.get("TCP_NODELAY"),
        pool=_replaced(
            config.pool,
            max_idle_per_host=values.get("POOL_MAX_IDLE_PER_HOST"),
            idle_timeout_secs=values.get("POOL_IDLE_TIMEOUT_SECS"),
        ),
        tls=tls,
    )


def _absolute(values: dict[str, Any], name: str) -> str | None:
    """A path of the environment is relative to where the command runs, not to the scenario file."""
    return str(Path(values[name]).absolute()) if name in values else None


def _load(part: declared.LoadPart, values: dict[str, Any], faults: Faults) -> tuple[declared.LoadPart, tuple[str, ...]]:
    """The model that the variables make of a file's, and a note for each variable that it has no use for."""
    chosen = values.get("LOAD_MODEL_TYPE")
    kind = _MODELS[chosen] if chosen else type(part)
    rates = _RATES.get(kind, {})
    given = {field: values[name] for field, name in rates.items() if name in values}
    others = {name for one in _RATES.values() for name in one.values()} - set(rates.values())
    model = kind.__struct_config__.tag
    notes = tuple(f"{name} plays no part in the model {model}" for name in sorted(others & values.keys()))
    if isinstance(part, kind):
        return _replaced(part, place=Place(SOURCE) if given else None, **given), notes
    needed = [field.name for field in msgspec.structs.fields(kind) if field.required and field.name not in given]
    for name in needed:
        faults.at(Place(rates[name]), f"it is missing: LOAD_MODEL_TYPE is {chosen}, which needs it")
    return part if needed else kind(place=Place(SOURCE), **given), notes


def _replaced(part: AnyPart, **given: Any) -> AnyPart:
    """The part with what is given; None is not."""
    return msgspec.structs.replace(part, **{name: value for name, value in given.items() if value is not None})
