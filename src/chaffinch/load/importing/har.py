"""A recording of a browser (HAR 1.2) to a scenario file: its requests in order, with the pauses between them.

http://www.softwareishard.com/blog/har-12-spec/
"""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Final

import msgspec

from chaffinch.errors import InputError
from chaffinch.load.importing.draft import MOST_STEPS, Draft, DraftStep, write
from chaffinch.load.scenario.address import Url, check_header, is_url, parse_url
from chaffinch.load.scenario.faults import shown

MOST_BYTES: Final = 64 << 20

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})

_OURS: Final = frozenset(
    {"host", "content-length", "connection", "keep-alive", "transfer-encoding", "accept-encoding", "upgrade", "te"}
)
"""Headers that the engine writes itself."""


class _Pair(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class _PostData(msgspec.Struct, frozen=True, rename="camel"):
    mime_type: str = ""
    text: str | None = None
    params: tuple[_Pair, ...] | None = None


class _Request(msgspec.Struct, frozen=True, rename="camel"):
    method: str
    url: str
    headers: tuple[_Pair, ...] = ()
    post_data: _PostData | None = None


class _Entry(msgspec.Struct, frozen=True, rename="camel"):
    request: _Request
    started_date_time: str
    time: float | None = 0.0
    """Milliseconds."""


class _Log(msgspec.Struct, frozen=True):
    entries: tuple[_Entry, ...]


class _Har(msgspec.Struct, frozen=True):
    log: _Log


class _Found(msgspec.Struct, frozen=True):
    """An entry that can be sent."""

    entry: _Entry
    url: Url
    began: float
    """Seconds of the epoch."""

    @property
    def ended(self) -> float:
        return self.began + max(0.0, self.entry.time or 0.0) / 1000


def from_har(text: str | bytes, source: str, *, hosts: Collection[str] = (), keep_cookies: bool = False) -> str:
    """The scenario file of a recording.

    Only requests to `hosts` become steps; where none are named, those to the first request's host: nothing else is
    ever contacted. Cookies are the session of who recorded: they are left out unless `keep_cookies`, and the run keeps
    those that it is given. Raises `InputError` with the file, the entry and what is wrong.
    """
    entries = _entries(text, source)
    skipped: Counter[str] = Counter()
    found = [one for at, entry in enumerate(entries) if (one := _sendable(entry, at, source, skipped))]
    if not found:
        raise InputError(f"{source} has no request over http or https that can be sent: record some")
    named = {host.lower().strip("[]") for host in hosts} or {_host(found[0].url)}
    kept = [one for one in found if _host(one.url) in named]
    if not kept:
        there = ", ".join(sorted({_host(one.url) for one in found})[:20])
        raise InputError(f"{source} has no request to {', '.join(sorted(named))}: it has some to {there}")
    if len(kept) > MOST_STEPS:
        raise InputError(f"{source} has {len(kept):,} requests: at most {MOST_STEPS:,} can be steps, name fewer hosts")
    kept.sort(key=lambda one: one.began)
    left_out = Counter(_host(one.url) for one in found if _host(one.url) not in named)
    notes = ["Imported from a recording (HAR)."]
    if left_out:
        hosts_left = ", ".join(f"{host} ({count})" for host, count in left_out.most_common(20))
        notes.append(f"Left out, because the host was not named: {hosts_left}.")
    notes += [f"Left out: {count} {what}." for what, count in skipped.items()]
    if not keep_cookies and any(_is_cookie(pair) for one in kept for pair in one.entry.request.headers):
        notes.append("Recorded cookies are left out: extract or log in anew.")
    steps = tuple(
        _step(one, after, keep_cookies=keep_cookies) for one, after in zip(kept, [*kept[1:], None], strict=True)
    )
    return write(Draft(name="recording", steps=steps, notes=tuple(notes), compression=True))


def _entries(text: str | bytes, source: str) -> tuple[_Entry, ...]:
    if len(text) > MOST_BYTES:
        raise InputError(f"{source} is larger than {MOST_BYTES >> 20} MiB: record without the answers' bodies")
    try:
        written = text.encode() if isinstance(text, str) else text
        return msgspec.json.decode(written.removeprefix(b"\xef\xbb\xbf"), type=_Har).log.entries
    except msgspec.ValidationError as error:
        what, _, at = str(error).partition(" - at ")
        raise InputError(f"{source}: {at.strip('`$.') or 'the file'} is not as HAR 1.2 has it: {what}") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InputError(f"{source} is not JSON: {error}") from None


def _sendable(entry: _Entry, at: int, source: str, skipped: Counter[str]) -> _Found | None:
    """The entry if it is of a kind that is sent; what is wrong with such a one is an error."""
    request = entry.request
    where = f"{source}: log.entries[{at}]"
    if not is_url(request.url):
        skipped["that are not http or https"] += 1
        return None
    if request.method.upper() not in METHODS:
        skipped[f"with the method {request.method[:20]}"] += 1
        return None
    try:
        url = parse_url(request.url)
    except ValueError as error:
        raise InputError(f"{where}.request.url: {error}") from None
    try:
        began = datetime.fromisoformat(entry.started_date_time).timestamp()
    except (ValueError, OverflowError):
        text = shown(entry.started_date_time)
        raise InputError(f"{where}.startedDateTime: {text} is not a time such as 2026-01-02T03:04:05.678Z") from None
    for pair in request.headers:
        if not pair.name.startswith(":"):
            try:
                check_header(pair.name, pair.value)
            except ValueError as error:
                raise InputError(f"{where}.request.headers: {error}") from None
    return _Found(entry, url, began)


def _host(url: Url) -> str:
    return url.host.strip("[]")


def _is_cookie(pair: _Pair) -> bool:
    return pair.name.lower() == "cookie"


def _step(one: _Found, after: _Found | None, *, keep_cookies: bool) -> DraftStep:
    request = one.entry.request
    headers = tuple(
        (pair.name, pair.value)
        for pair in request.headers
        if not pair.name.startswith(":") and pair.name.lower() not in _OURS and (keep_cookies or not _is_cookie(pair))
    )
    body = _body(request.post_data)
    kind = request.post_data.mime_type if body is not None and request.post_data is not None else ""
    if kind.isprintable() and kind and not any(name.lower() == "content-type" for name, _ in headers):
        headers += (("Content-Type", kind),)
    pause = 0 if after is None else max(0, round((after.began - one.ended) * 1000))
    method = request.method.upper()
    return DraftStep(
        method=method,
        origin=one.url.origin,
        path=one.url.path,
        name=f"{method} {one.url.path.partition('?')[0]}",
        headers=headers,
        body=body,
        think_ms=min(pause, _LONGEST_MS),
    )


_LONGEST_MS: Final = 86_400_000
"""The longest pause that is kept: a day."""


def _body(data: _PostData | None) -> str | None:
    if data is None:
        return None
    if data.text is not None or not data.params:
        return data.text
    from urllib.parse import urlencode

    return urlencode([(pair.name, pair.value) for pair in data.params])
