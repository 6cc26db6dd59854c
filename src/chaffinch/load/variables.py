"""The environment variables of `--from-env`: what each allows, its default, what it means. A data table."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from chaffinch.load.scenario import units
from chaffinch.load.scenario.address import check_header, parse_url, resolve_entry
from chaffinch.load.scenario.faults import Faults, Place, shown

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
MODELS: Final = ("Concurrent", "Rps", "RampRps", "DailyTraffic")


SECRET: Final = frozenset({"API_AUTH_TOKEN", "CUSTOM_HEADERS", "JSON_PAYLOAD"})
"""Variables whose values no error shows."""


class Variable(msgspec.Struct, frozen=True):
    """One variable."""

    name: str
    read: Callable[[str], Any]
    """Raises `ValueError` with what is allowed."""
    default: str
    """As the reference shows it."""
    meaning: str


def read_variables(environment: Mapping[str, str], faults: Faults) -> dict[str, Any]:
    """What was given, by name. An empty variable is as good as none."""
    found = {}
    for one in VARIABLES:
        text = environment.get(one.name, "").strip()
        if not text:
            continue
        try:
            found[one.name] = one.read(text)
        except ValueError as error:
            told = one.name in SECRET or shown(text) in str(error)
            faults.at(Place(one.name), str(error) if told else f"it is {shown(text)}, but {error}")
    return found


def headers(text: str) -> tuple[tuple[str, str], ...]:
    r"""`Name:Value,Name:Value`; `\,` is a comma in a value, `\\` a backslash."""
    parts, part, escaped = [], "", False
    for character in text:
        if escaped:
            part += character if character in ",\\" else "\\" + character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            parts.append(part)
            part = ""
        else:
            part += character
    parts.append(part + ("\\" if escaped else ""))
    found = []
    for number, one in enumerate(parts, 1):
        name, colon, value = one.partition(":")
        if not one.strip():
            continue
        if not colon or not name.strip():
            raise ValueError(f"header {number} is not Name:Value; write a comma in a value as \\,")
        check_header(name.strip(), value.strip())
        found.append((name.strip(), value.strip()))
    return tuple(found)


def _one_of(*names: str) -> Callable[[str], str]:
    known = {name.lower(): name for name in names}

    def read(text: str) -> str:
        if text.lower() not in known:
            raise ValueError(f"it must be one of {', '.join(names)}")
        return known[text.lower()]

    return read


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("it must be true or false")
    return text.lower() in ("true", "1")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and low <= int(text) <= high):
            raise ValueError(f"it must be a whole number from {low:,} to {high:,}")
        return int(text)

    return read


def _duration(text: str) -> int:
    milliseconds = units.duration_ms(text)
    if not milliseconds:
        raise ValueError("it must be more than 0, such as 30s, 5m, 2h or 1d")
    return milliseconds


def _rotation(text: str) -> int | None:
    return None if text.lower() in ("off", "0", "false", "none") else _duration(text)


def _ratio(text: str) -> float:
    try:
        value = float(text) if len(text) <= 20 else -1.0
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError("it must be a share from 0 to 1, such as 0.125")
    return value


def _text(text: str) -> str:
    if len(text) > 65_536 or any(character < " " and character not in "\t\n\r" for character in text):
        raise ValueError("it must be a text without control characters, at most 65,536 long")
    return text


def _name(text: str) -> str:
    if len(text) > 200 or not text.isprintable():
        raise ValueError("it must be a name of printable characters, at most 200")
    return text


def _namespace(text: str) -> str:
    if not text.replace("_", "a").isalnum() or not text.isascii() or text[0].isdigit() or len(text) > 64:
        raise ValueError("it must be letters, digits and _, without a digit in front, at most 64")
    return text


def _url(text: str) -> str:
    parse_url(text)
    return text


def _resolved(text: str) -> tuple[str, ...]:
    found = tuple(one.strip() for one in text.split(",") if one.strip())
    for one in found:
        resolve_entry(one)
    return found


def _listening(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not port.isascii() or int(port[:6]) > 65535:
        raise ValueError("it must be address:port, such as 127.0.0.1:8080")
    return host.strip("[]"), int(port)


VARIABLES: Final[tuple[Variable, ...]] = (
    Variable("TARGET_URL", _url, "required without a file", "Where requests go; with a file, its `baseUrl`."),
    Variable("REQUEST_TYPE", _one_of(*METHODS), "GET", "The method."),
    Variable("SEND_JSON", _truth, "false", "Whether `JSON_PAYLOAD` is sent, as JSON."),
    Variable("JSON_PAYLOAD", _text, "", "That body."),
    Variable("CUSTOM_HEADERS", headers, "", "`Name:Value,Name:Value`; `\\,` is a comma in a value."),
    Variable("NUM_CONCURRENT_TASKS", _whole(1, 1_000_000), "10", "Users."),
    Variable("TEST_DURATION", _duration, "2h", "How long requests are begun."),
    Variable("LOAD_MODEL_TYPE", _one_of(*MODELS), "Concurrent", "Concurrent, Rps, RampRps or DailyTraffic."),
    Variable("TARGET_RPS", units.rate, "required for Rps", "The constant rate."),
    Variable("MIN_RPS", units.rate, "required for RampRps", "The rate at the beginning and the end."),
    Variable("MAX_RPS", units.rate, "required for RampRps", "The rate of the middle third."),
    Variable("RAMP_DURATION", _duration, "`TEST_DURATION`", "Thirds: up, hold, down; then `MIN_RPS`."),
    Variable("DAILY_MIN_RPS", units.rate, "required for DailyTraffic", "The rate at night."),
    Variable("DAILY_MID_RPS", units.rate, "required for DailyTraffic", "The rate in the afternoon."),
    Variable("DAILY_MAX_RPS", units.rate, "required for DailyTraffic", "The rate at the peak."),
    Variable("DAILY_CYCLE_DURATION", _duration, "required for DailyTraffic", "The length of a day."),
    Variable("MORNING_RAMP_RATIO", _ratio, "0.125", "Share of the day from min to max."),
    Variable("PEAK_SUSTAIN_RATIO", _ratio, "0.167", "Share at max."),
    Variable("MID_DECLINE_RATIO", _ratio, "0.125", "Share from max to mid."),
    Variable("MID_SUSTAIN_RATIO", _ratio, "0.167", "Share at mid."),
    Variable("EVENING_DECLINE_RATIO", _ratio, "0.167", "Share from mid to min; the rest is at min."),
    Variable("SKIP_TLS_VERIFY", _truth, "false", "Whether any certificate is taken."),
    Variable("CLIENT_CERT_PATH", _text, "", "The client's certificate, PEM; with its key or not at all."),
    Variable("CLIENT_KEY_PATH", _text, "", "Its private key."),
    Variable("RESOLVE_TARGET_ADDR", _resolved, "", "`host:address:port`, several with commas; IPv6 in brackets."),
    Variable("POOL_MAX_IDLE_PER_HOST", _whole(0, 1_000_000), "32", "Idle connections kept for one host."),
    Variable("POOL_IDLE_TIMEOUT_SECS", _whole(0, 31_536_000), "30", "Seconds after which an idle one is closed."),
    Variable("TCP_NODELAY", _truth, "true", "TCP_NODELAY."),
    Variable("REQUEST_TIMEOUT_SECS", _whole(1, 86_400), "30", "The longest that a request may take."),
    Variable("PERCENTILE_TRACKING_ENABLED", _truth, "true", "Whether latencies are recorded by label."),
    Variable("PERCENTILE_SAMPLING_RATE", units.percent, "100", "Percent of requests that are recorded."),
    Variable("MAX_HISTOGRAM_LABELS", _whole(1, 10_000_000), "100", "Labels with a histogram of their own."),
    Variable("HISTOGRAM_ROTATION_INTERVAL", _rotation, "off", "The length of an interval; off is 1 second."),
    Variable("MEMORY_WARNING_THRESHOLD_PERCENT", units.percent, "80", "When resolution is given up."),
    Variable("MEMORY_CRITICAL_THRESHOLD_PERCENT", units.percent, "90", "When percentiles may go off."),
    Variable("AUTO_DISABLE_PERCENTILES_ON_WARNING", _truth, "true", "Whether they may."),
    Variable("METRIC_NAMESPACE", _namespace, "rust_loadtest", "The prefix of metric names."),
    Variable("LOG_FORMAT", _one_of("text", "json"), "text", "How the log is written."),
    Variable("CLUSTER_NODE_ID", _name, "the host's name", "A label: who sends."),
    Variable("CLUSTER_REGION", _name, "default", "A label: from where."),
    Variable("TENANT", _name, "", "A label: for whom."),
    Variable("CLUSTER_HEALTH_ADDR", _listening, "127.0.0.1:8080", "Where the control API listens."),
    Variable("API_AUTH_TOKEN", _text, "", "The bearer token of the control API; empty asks for none."),
    Variable("HEALTH_AUTH_ENABLED", _truth, "false", "Whether `/health` and `/ready` ask for it too."),
)
