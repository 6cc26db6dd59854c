"""Steps of a file to steps of the plan."""

from typing import Final

import msgspec

from chaffinch.load import plan
from chaffinch.load.scenario import address, declared
from chaffinch.load.scenario.faults import Faults

MOST_BODY: Final = 64 << 20
"""The largest body without content."""


class Base(msgspec.Struct, frozen=True):
    """What steps are relative to."""

    origin: str = ""
    """Empty: every step names its own."""
    prefix: str = ""
    """In front of paths, which the engine puts there; no slash at its end."""


def step(part: declared.StepPart, base: Base, faults: Faults) -> plan.Step:
    """One step; what is wrong goes to the faults."""
    request = part.request
    path, credentials = _path(request, base, faults)
    headers = headers_of(request.headers, request, "headers", faults)
    names = {name.lower() for name, _ in headers}
    if credentials and "authorization" not in names:
        headers += (("Authorization", address.literal(address.basic_credentials(credentials))),)
    if request.body is not None and request.body.is_json and "content-type" not in names:
        headers += (("Content-Type", "application/json"),)
    if request.body is not None and request.body_size is not None:
        faults.at(request.place.below("bodySize"), "there is a body too: keep one of them")
    if request.body_size is not None and request.body_size > MOST_BODY:
        faults.at(request.place.below("bodySize"), f"it is more than {MOST_BODY >> 20} MiB")
    return plan.Step(
        name=part.name or _name(request.method, path),
        method=request.method,
        path=path,
        query=pairs(request.query_params),
        headers=headers,
        body=None if request.body is None else request.body.text,
        body_size=request.body_size,
        label=part.label,
        extract=tuple(map(_extract, part.extract)),
        asserts=tuple(_assertion(one) for one in part.assertions),
        cache_ttl_ms=None if part.cache is None else part.cache.ttl,
        think_ms=_think(part, faults),
        timeout_ms=part.timeout,
    )


def _name(method: str, path: str) -> str:
    """What a step without a name is called: its method and path, without the query and what may be secret in it."""
    if address.is_url(path):
        _, slash, path = path.partition("://")[2].partition("/")
        path = slash + path
    return f"{method} {path.partition('?')[0]}"[:200]


def headers_of(given: declared.Headers, owner: declared.Part, key: str, faults: Faults) -> plan.Pairs:
    """The headers of `owner`, checked; those that the engine writes itself are left out, with a note."""
    found = []
    for name, value in pairs(given):
        place = owner.place.below(key)
        try:
            address.check_header(name, value)
        except ValueError as error:
            faults.at(place, str(error))
        if address.is_engines(name):
            faults.notes.append(f"{place}: the header {name} plays no part: the engine writes it")
        else:
            found.append((name, value))
    return tuple(found)


def pairs(given: declared.Headers) -> plan.Pairs:
    """Names with their values, a name for each of several."""
    return tuple((name, value) for name, values in given.items() for value in _each(values))


def _each(values: str | tuple[str, ...]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else values


def _path(request: declared.RequestPart, base: Base, faults: Faults) -> tuple[str, str]:
    """The path of the plan, and the credentials that a full URL had in it."""
    at = request.place.below("path")
    if address.is_url(request.path):
        try:
            url = address.parse_url(request.path)
        except ValueError as error:
            faults.at(at, str(error))
            return request.path, ""
        return url.origin + url.path, url.credentials
    if not request.path.startswith(("/", "$", "?")):
        faults.at(at, "a path begins with / or a variable, or is a full URL that begins with http:// or https://")
    elif not base.origin:
        faults.at(at, "there is no host for this path: give config.baseUrl, or a full URL")
    return address.clean_path(request.path.partition("#")[0]), ""


def _think(part: declared.StepPart, faults: Faults) -> tuple[int, int]:
    think = part.think_time
    if think is None:
        return (0, 0)
    if isinstance(think, int):
        return (think, think)
    if think.min > think.max:
        faults.at(think.place.below("min"), f"{think.min} ms is more than max, {think.max} ms")
    return (think.min, think.max)


def _extract(part: declared.ExtractPart) -> plan.Extract:
    match part:
        case declared.JsonExtract():
            return plan.JsonExtract(part.name, part.path, part.default)
        case declared.RegexExtract():
            return plan.RegexExtract(part.name, part.pattern, part.group, part.default)
        case declared.HeaderExtract():
            return plan.HeaderExtract(part.name, part.header, part.default)
        case declared.CookieExtract():
            return plan.CookieExtract(part.name, part.cookie, part.default)


def _assertion(part: declared.AssertionPart) -> plan.Assert:
    match part:
        case declared.StatusAssertion():
            return plan.StatusAssert(part.expected)
        case declared.TimeAssertion():
            return plan.TimeAssert(part.max)
        case declared.JsonAssertion():
            expected = "null" if part.expected is None else part.expected.text
            return plan.JsonAssert(part.path, msgspec.Raw(expected.encode()))
        case declared.ContainsAssertion():
            return plan.ContainsAssert(part.text)
        case declared.MatchesAssertion():
            return plan.MatchesAssert(part.pattern)
        case declared.HeaderAssertion():
            return plan.HeaderAssert(part.header, part.contains)
