"""A scenario file, as structs, to a run: everything that needs more than one field is checked here."""

import os
from pathlib import Path
from typing import Final, TypeVar

from chaffinch.errors import InputError
from chaffinch.load import plan
from chaffinch.load.loaded import About, Guard, Loaded, Node, Standby
from chaffinch.load.scenario import address, declared
from chaffinch.load.scenario.data import read_data
from chaffinch.load.scenario.faults import Faults
from chaffinch.load.scenario.models import beside, model
from chaffinch.load.scenario.steps import Base, headers_of, step
from chaffinch.load.thresholds import Threshold, parse_threshold

Value = TypeVar("Value")

MOST_STEPS: Final = 10_000
"""Steps of all scenarios."""

SHORTEST_INTERVAL_MS: Final = 100
"""The engine gathers what its threads recorded every 50 ms: shorter intervals would have their neighbours' requests."""

DURATION_MS: Final = 2 * 3600 * 1000
"""How long a test lasts whose file says neither a duration nor a number of requests."""


def build(file: declared.ScenarioFile, faults: Faults, directory: Path | None, notes: tuple[str, ...] = ()) -> Loaded:
    """The run. Files that it names are relative to `directory`; None refuses them. Raises `InputError`."""
    built = _plan(file, faults, directory)
    loaded = Loaded(
        plan=built,
        about=_about(file.metadata),
        thresholds=_thresholds(file, faults),
        guard=_guard(file.memory, faults),
        standby=None if file.standby is None else Standby(file.standby.workers, file.standby.rps),
        node=Node(tenant=file.metadata.tenant or ""),
        notes=(*notes, *faults.notes),
        source=faults.source,
        files=files_of(file, directory),
        lines=_lines(file, built.scenarios),
    )
    faults.check()
    return loaded


def files_of(file: declared.ScenarioFile, directory: Path | None) -> tuple[Path, ...]:
    """The data files and recorded rates that it names, each once."""
    named = [one.data_file.path for one in file.scenarios if one.data_file is not None]
    if isinstance(file.load, declared.ReplayLoad) and file.load.path:
        named.append(file.load.path)
    return () if directory is None else tuple(dict.fromkeys(directory / path for path in named))


def _plan(file: declared.ScenarioFile, faults: Faults, directory: Path | None) -> plan.Plan:
    """What the engine reads."""
    config = file.config
    base = _base(config, faults)
    duration = config.duration
    if duration is None and config.requests is None:
        duration = DURATION_MS
    scenarios = tuple(_scenario(one, base, directory, faults) for one in file.scenarios)
    if sum(len(one.steps) for one in scenarios) > MOST_STEPS:
        faults.at(file.place.below("scenarios"), f"there are more than {MOST_STEPS:,} steps: split the file")
    if not any(one.weight > 0 for one in scenarios):
        faults.at(file.place.below("scenarios"), "every weight is 0: give one scenario a weight over 0")
    defaults = plan.Plan(base_url="", scenarios=())
    return plan.Plan(
        base_url=base.origin + base.prefix if base.origin else _first_origin(scenarios),
        resolve=_resolve(config, faults),
        tls=_tls(config, directory, faults),
        http=config.http,
        streams=config.streams,
        connections=config.connections or defaults.connections,
        idle_per_host=_or(config.pool.max_idle_per_host, defaults.idle_per_host),
        idle_ms=_or(config.pool.idle_timeout_secs, defaults.idle_ms // 1000) * 1000,
        nodelay=_or(config.tcp_nodelay, defaults.nodelay),
        keep_alive=config.keep_alive,
        connect_timeout_ms=config.connect_timeout or defaults.connect_timeout_ms,
        timeout_ms=config.timeout or defaults.timeout_ms,
        headers=_headers(config, faults),
        compression=config.compression,
        model=model(file.load, duration, directory, faults),
        users=config.workers or defaults.users,
        duration_ms=duration,
        requests=config.requests,
        drain_ms=config.drain,
        threads=config.threads,
        seed=config.seed,
        percentiles=_percentiles(file.percentiles, faults),
        scenarios=scenarios,
    )


def _or(given: Value | None, default: Value) -> Value:
    return default if given is None else given


def _base(config: declared.ConfigPart, faults: Faults) -> Base:
    if config.base_url is None:
        return Base()
    try:
        url = address.parse_url(config.base_url)
    except ValueError as error:
        faults.at(config.place.below("baseUrl"), str(error))
        return Base("http://unknown")
    if "?" in url.path:
        faults.at(config.place.below("baseUrl"), "a base URL has no query: give it to the steps as queryParams")
    return Base(url.origin, url.path.partition("?")[0].rstrip("/"))


def _first_origin(scenarios: tuple[plan.Scenario, ...]) -> str:
    """Where every step names its host, the first one stands for the run's."""
    paths = [one.path for scenario in scenarios for one in scenario.steps if address.is_url(one.path)]
    try:
        return address.parse_url(paths[0]).origin if paths else ""
    except ValueError:
        return ""


def _headers(config: declared.ConfigPart, faults: Faults) -> tuple[tuple[str, str], ...]:
    found = headers_of(config.custom_headers, config, "customHeaders", faults)
    if config.base_url is None or any(name.lower() == "authorization" for name, _ in found):
        return found
    try:
        credentials = address.parse_url(config.base_url).credentials
    except ValueError:
        return found
    return (*found, ("Authorization", address.basic_credentials(credentials))) if credentials else found


def _resolve(config: declared.ConfigPart, faults: Faults) -> tuple[plan.Resolve, ...]:
    given = config.resolve_target_addr
    texts = () if given is None else given.split(",") if isinstance(given, str) else given
    found = []
    for text in texts:
        try:
            found.append(address.resolve_entry(text))
        except ValueError as error:
            faults.at(config.place.below("resolveTargetAddr"), str(error))
    return tuple(found)


def _tls(config: declared.ConfigPart, directory: Path | None, faults: Faults) -> plan.Tls:
    tls = config.tls
    if (tls.certificate is None) != (tls.key is None):
        there, missing = ("certificate", "key") if tls.key is None else ("key", "certificate")
        faults.at(tls.place.below(there), f"a {there} needs its {missing}: give both or neither")
    return plan.Tls(
        not config.skip_tls_verify,
        _pem(tls, "ca", tls.ca, directory, faults),
        _pem(tls, "certificate", tls.certificate, directory, faults),
        _pem(tls, "key", tls.key, directory, faults),
    )


def _pem(tls: declared.TlsPart, key: str, path: str | None, directory: Path | None, faults: Faults) -> str | None:
    if path is None:
        return None
    try:
        found = beside(path, directory)
        if os.path.isfile(found):
            return str(found)
        faults.at(tls.place.below(key), f"{found} is not a file")
    except InputError as error:
        faults.at(tls.place.below(key), str(error))
    return None


def _scenario(part: declared.ScenarioPart, base: Base, directory: Path | None, faults: Faults) -> plan.Scenario:
    return plan.Scenario(
        name=part.name,
        weight=part.weight,
        timeout_ms=part.config.timeout,
        retries=part.config.retry_count,
        retry_delay_ms=part.config.retry_delay,
        keep_cookies=part.config.keep_cookies,
        data=_data(part.data_file, directory, faults),
        steps=tuple(step(one, base, faults) for one in part.steps),
    )


def _data(part: declared.DataFilePart | None, directory: Path | None, faults: Faults) -> plan.Data | None:
    if part is None:
        return None
    try:
        return read_data(beside(part.path, directory), part.format, part.strategy)
    except InputError as error:
        faults.at(part.place.below("path"), str(error))
        return None


def _percentiles(part: declared.PercentilesPart, faults: Faults) -> plan.Percentiles:
    defaults = plan.Percentiles()
    if part.interval is not None and part.interval < SHORTEST_INTERVAL_MS:
        what = f"an interval of {part.interval} ms is too short: give at least {SHORTEST_INTERVAL_MS}ms"
        faults.at(part.place.below("interval"), what)
    return plan.Percentiles(
        enabled=_or(part.enabled, defaults.enabled),
        sampling=_or(part.sampling, defaults.sampling),
        labels=_or(part.labels, defaults.labels),
        bytes=_or(part.memory, defaults.bytes),
        interval_ms=_or(part.interval, defaults.interval_ms),
        intervals=_or(part.intervals, defaults.intervals),
    )


def _guard(part: declared.MemoryPart, faults: Faults) -> Guard:
    defaults = Guard()
    # A default gives way to the one that is given.
    warning = _or(part.warning, min(defaults.warning, _or(part.critical, 1.0)))
    guard = Guard(
        limit=part.limit,
        warning=warning,
        critical=_or(part.critical, max(defaults.critical, warning)),
        auto_disable_percentiles=_or(part.auto_disable_percentiles, defaults.auto_disable_percentiles),
    )
    for key, share in (("warning", guard.warning), ("critical", guard.critical)):
        if not share:
            faults.at(part.place.below(key), "a threshold of 0% is always crossed: give more")
    if guard.warning > guard.critical:
        text = f"the warning at {guard.warning:.0%} comes after the critical threshold at {guard.critical:.0%}"
        faults.at(part.place.below("warning"), f"{text}: lower it")
    return guard


def _thresholds(file: declared.ScenarioFile, faults: Faults) -> tuple[Threshold, ...]:
    found = []
    for text in file.thresholds:
        try:
            found.append(parse_threshold(text))
        except ValueError as error:
            faults.at(file.place.below("thresholds"), str(error))
    return tuple(found)


def _about(part: declared.Metadata) -> About:
    return About(part.name or "", part.description or "", part.author or "", part.tags, part.run_id or "")


def _lines(file: declared.ScenarioFile, scenarios: tuple[plan.Scenario, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part, scenario in zip(file.scenarios, scenarios, strict=True):
        if part.place.line:
            found.setdefault(scenario.name, part.place.line)
        for written, one in zip(part.steps, scenario.steps, strict=True):
            if written.place.line:
                found.setdefault(f"{scenario.name}/{one.name}", written.place.line)
    return found
