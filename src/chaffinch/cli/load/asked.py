"""From the command line to a run: a URL, a file or the environment, and what the options lay over it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from chaffinch import config as configuration
from chaffinch.errors import InputError
from chaffinch.load import target as targets
from chaffinch.load.loaded import Loaded
from chaffinch.load.plan import Constant, Plan
from chaffinch.load.scenario import units
from chaffinch.load.target import Options
from chaffinch.load.thresholds import parse_thresholds

Value = TypeVar("Value")

OF_A_URL: Final = ("method", "header", "body", "body_file")
"""Options that say what is sent, which a file says by itself."""

_SUFFIXES: Final = (".yaml", ".yml", ".json")
"""What is surely meant as a file, though it be none."""


def is_url(target: str) -> bool:
    """Whether it is meant as a URL."""
    return "://" in target


def scenario_file(named: str) -> Path:
    """The scenario file of that name. Raises `InputError` for what cannot be one."""
    if not named:
        raise InputError("the scenario file has an empty name: give one, or leave it out")
    if is_url(named):
        raise InputError(f"{named} is a URL, where a scenario file belongs: name a file")
    return Path(named)


def loaded(target: str | None, given: dict[str, Any], *, from_env: bool) -> Loaded:
    """The run that is asked for. Raises `InputError` with one sentence."""
    if target is None and not from_env:
        raise InputError("say what to send to: a URL such as http://127.0.0.1:8080/, a scenario file, or --from-env")
    options = _options(given)
    thresholds = parse_thresholds(given["threshold"])
    if target is not None and is_url(target):
        if from_env:
            raise InputError("--from-env takes its URL from TARGET_URL: leave out the one that is given here")
        run = Loaded(plan=_of_url(target, options, given))
    else:
        run = _of_file_or_environment(target, given, from_env=from_env)
        run = msgspec.structs.replace(run, plan=targets.with_options(run.plan, options))
    _check_end(run.plan)
    return msgspec.structs.replace(run, thresholds=(*run.thresholds, *thresholds))


def _of_url(url: str, options: Options, given: dict[str, Any]) -> Plan:
    return targets.plan_for_url(
        url, options, method=given["method"], headers=list(_headers(given["header"])), body=_body(given)
    )


def _of_file_or_environment(target: str | None, given: dict[str, Any], *, from_env: bool) -> Loaded:
    for name in OF_A_URL:
        if given[name]:
            where = "the environment" if target is None else "a scenario file"
            raise InputError(f"--{name.replace('_', '-')} goes with a URL: {where} says by itself what is sent")
    environment = configuration.environment() if from_env else None
    if target is None:
        from chaffinch.load.environment import from_environment

        assert environment is not None
        return from_environment(environment)
    from chaffinch.load.scenario.files import load_file

    path = scenario_file(target)
    if path.suffix.lower() not in _SUFFIXES and not path.exists():
        raise InputError(f"{target} is no file; if it is a host, write http://{target}")
    return load_file(path, environment)


def _options(given: dict[str, Any]) -> Options:
    rate = read("--rate", units.rate, given["rate"])
    model = None if given["model"] is None else targets.parse_model(given["model"], rate)
    return Options(
        rate=rate,
        model=model,
        concurrency=given["concurrency"],
        duration_ms=read("--duration", units.duration_ms, given["duration"]),
        requests=given["requests"],
        http2=True if given["http2"] else None,
        streams=given["streams"],
        connections=given["connections"],
        timeout_ms=read("--timeout", units.duration_ms, given["timeout"]),
        connect_timeout_ms=read("--connect-timeout", units.duration_ms, given["connect_timeout"]),
        threads=given["threads"],
        seed=given["seed"],
        labels=given["labels"],
        percentiles=False if given["no_percentiles"] else None,
        sampling=read("--sampling", units.percent, given["sampling"]),
        keep_alive=False if given["no_keepalive"] else None,
        compression=True if given["compression"] else None,
        verify=False if given["insecure"] else None,
        ca=_path(given["ca"]),
        certificate=_path(given["cert"]),
        key=_path(given["key"]),
        resolve=given["resolve"],
    )


def _path(file: str | None) -> str | None:
    return None if file is None else str(Path(file).absolute())


def read(name: str, how: Callable[[str], Value], text: str | None) -> Value | None:
    """The value of an option, if it is given. Raises `InputError` that names the option."""
    if text is None:
        return None
    try:
        return how(text)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None


def _headers(given: Iterable[str]) -> Iterable[tuple[str, str]]:
    for one in given:
        name, colon, value = one.partition(":")
        if not colon:
            raise InputError(f"--header {one!r} has no colon: write it like 'Accept: text/html'")
        yield name.strip(), value.strip()


def _body(given: dict[str, Any]) -> str | None:
    if given["body"] is not None and given["body_file"] is not None:
        raise InputError("--body and --body-file both say what is sent: give one of them")
    if given["body_file"] is None:
        body: str | None = given["body"]
        return body
    from chaffinch.load.input_files import read_whole
    from chaffinch.load.scenario.steps import MOST_BODY

    path = Path(given["body_file"])
    named = f"--body-file {path}"
    try:
        return read_whole(path, MOST_BODY, remedy="name a file", excess=": name a smaller one", name=named).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{named} is not UTF-8 at byte {error.start}: only text can be sent") from None


def _check_end(plan: Plan) -> None:
    """A run that would wait for ever is a mistake."""
    if plan.duration_ms is None and plan.requests and plan.model == Constant(0.0):
        raise InputError(f"a rate of 0 never makes {plan.requests:,} requests: give a rate, or a --duration")
