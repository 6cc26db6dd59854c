"""curl command lines, as browsers copy them and documents print them, to a scenario file: a step a command."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from chaffinch.errors import InputError
from chaffinch.load.importing.draft import MOST_STEPS, Draft, DraftStep, write
from chaffinch.load.importing.shell import ShellError, commands
from chaffinch.load.scenario.address import (
    basic_credentials,
    check_header,
    clean_path,
    parse_url,
    resolve_entry,
)
from chaffinch.load.scenario.faults import nearest, shown

MOST_CHARACTERS: Final = 4 << 20

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

Effect: TypeAlias = Literal["flag", "value", "none", "skip"]
"""Whether an option is a flag, takes a value, or is read and plays no part (`skip` takes a value that plays none)."""

_SHORT: Final[Mapping[str, str]] = {
    "X": "request", "H": "header", "d": "data", "F": "form", "u": "user", "b": "cookie", "A": "user-agent",
    "e": "referer", "k": "insecure", "G": "get", "I": "head", "m": "max-time", "E": "cert", "L": "location",
    "s": "silent", "S": "show-error", "v": "verbose", "i": "include", "o": "output", "O": "remote-name", "f": "fail",
    "w": "write-out", "N": "no-buffer", "4": "ipv4", "6": "ipv6", "g": "globoff", "#": "progress-bar",
}  # fmt: skip
_OPTIONS: Final[Mapping[str, Effect]] = {
    **dict.fromkeys(
        ("request", "header", "data", "data-ascii", "data-raw", "data-binary", "data-urlencode", "json", "form",
         "form-string", "user", "cookie", "user-agent", "referer", "url", "url-query", "max-time",
         "cacert", "cert", "key", "resolve"),
        "value",
    ),
    **dict.fromkeys(("insecure", "get", "head", "location", "compressed", "http2", "http2-prior-knowledge"), "flag"),
    **dict.fromkeys(
        ("silent", "show-error", "verbose", "include", "remote-name", "fail", "fail-with-body", "no-buffer", "ipv4",
         "ipv6", "globoff", "progress-bar", "no-progress-meter", "path-as-is", "http1.1", "basic", "tlsv1.2",
         "tlsv1.3", "no-keepalive", "tcp-nodelay", "location-trusted"),
        "none",
    ),
    **dict.fromkeys(("output", "write-out", "connect-timeout", "max-redirs", "retry", "retry-delay"), "skip"),
}  # fmt: skip


class _WrongError(ValueError):
    """What is wrong with one command."""


def from_curl(text: str, source: str = "curl") -> str:
    """The scenario file of one or several curl commands. Raises `InputError` that names the line and what is wrong."""
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"{source} is larger than {MOST_CHARACTERS >> 20} MiB: import fewer commands")
    try:
        found = commands(text)
    except ShellError as error:
        raise InputError(f"{source}:{error.line}: {error}") from None
    if not found:
        raise InputError(f"{source}:1: there is no command: paste one that begins with curl")
    if len(found) > MOST_STEPS:
        raise InputError(f"{source} has {len(found):,} commands: at most {MOST_STEPS:,} are allowed")
    read = []
    for line, words in found:
        try:
            read.append(_Command(words))
        except ValueError as error:
            raise InputError(f"{source}:{line}: {error}") from None
    return write(_draft(read))


def _draft(read: "list[_Command]") -> Draft:
    notes = ["Imported from curl."]
    if any("location" in one.flags for one in read):
        notes.append("--location: a redirect is an answer here, it is not followed.")
    first = read[0]
    return Draft(
        name="curl",
        steps=tuple(one.step for one in read),
        notes=tuple(notes),
        skip_tls_verify=any("insecure" in one.flags for one in read),
        compression=any("compressed" in one.flags for one in read),
        http2=any({"http2", "http2-prior-knowledge"} & one.flags for one in read),
        resolve=tuple(dict.fromkeys(entry for one in read for entry in one.resolved)),
        tls=tuple(
            (key, first.values[option][-1])
            for option, key in (("cacert", "ca"), ("cert", "certificate"), ("key", "key"))
            if option in first.values
        ),
    )


class _Command:
    """One command: its options, then the step that they make."""

    def __init__(self, words: list[str]) -> None:
        self.flags: set[str] = set()
        self.values: dict[str, list[str]] = {}
        self._given: list[tuple[str, str]] = []
        self._urls: list[str] = []
        if words[0].rpartition("/")[2] not in ("curl", "curl.exe"):
            raise _WrongError(f"{shown(words[0])} is not curl: paste a command that begins with curl")
        self._parse(words[1:])
        self.step = self._step()
        self.resolved = self._resolved()

    def _resolved(self) -> list[str]:
        """`host:port:address` of curl as ours."""
        found = []
        for text in self.values.get("resolve", []):
            host, _, rest = text.lstrip("+").partition(":")
            port, _, address = rest.partition(":")
            first = address.split(",")[0].strip("[]")
            entry = f"{host}:[{first}]" if ":" in first else f"{host}:{first}"
            if not port.isdigit() or not first:
                raise _WrongError(f"--resolve {shown(text)} is not host:port:address")
            resolve_entry(entry)
            found.append(entry)
        return found

    def _parse(self, words: list[str]) -> None:
        rest = iter(words)
        for word in rest:
            if word == "--":
                self._urls += rest
            elif word.startswith("--"):
                if word[2:] not in _OPTIONS:
                    what = "is not known here: leave it out if it does not matter"
                    raise _WrongError(f"the option {shown(word)} {what}{_near(word[2:])}")
                self._take(word[2:], None, rest)
            elif word.startswith("-") and len(word) > 1:
                self._short(word[1:], rest)
            else:
                self._urls.append(word)

    def _short(self, letters: str, rest: Iterator[str]) -> None:
        for at, letter in enumerate(letters):
            name = _SHORT.get(letter)
            if name is None:
                raise _WrongError(f"the option -{letter} is not known here: leave it out if it does not matter")
            attached = letters[at + 1 :]
            if _OPTIONS[name] in ("value", "skip"):
                self._take(name, attached or None, rest)
                return
            self._take(name, None, rest)

    def _take(self, name: str, value: str | None, rest: Iterator[str]) -> None:
        effect = _OPTIONS[name]
        if effect == "flag":
            self.flags.add(name)
        if effect in ("flag", "none"):
            return
        given = value if value is not None else next(rest, None)
        if given is None:
            raise _WrongError(f"the option --{name} has no value after it")
        if name == "url":
            self._urls.append(given)
        elif effect == "value":
            self.values.setdefault(name, []).append(given)
            self._given.append((name, given))

    def _step(self) -> DraftStep:
        if len(self._urls) != 1:
            raise _WrongError(f"there are {len(self._urls)} URLs in this command: give each command one")
        written = self._urls[0]
        url = parse_url(written if "://" in written else f"http://{written}")
        headers = self._headers(url.credentials)
        body, kind = self._body()
        query = [_encoded(text) for text in self.values.get("url-query", [])]
        if "get" in self.flags and body is not None:
            query, body = [*query, body], None
        names = {name.lower() for name, _ in headers}
        if body is not None and "content-type" not in names:
            headers.append(("Content-Type", kind))
        if "json" in self.values and "accept" not in names:
            headers.append(("Accept", "application/json"))
        path = url.path + ("&" if "?" in url.path else "?") + "&".join(query) if query else url.path
        method = self.values.get("request", [self._method(body)])[-1].upper()
        if method not in METHODS:
            raise _WrongError(f"{shown(method)} is not a method here: {', '.join(METHODS)}")
        return DraftStep(
            method=method,
            origin=url.origin,
            path=clean_path(path),
            name=f"{method} {url.path.partition('?')[0]}",
            headers=tuple(headers),
            body=body,
            timeout_ms=self._timeout(),
        )

    def _method(self, body: str | None) -> str:
        if "head" in self.flags:
            return "HEAD"
        return "GET" if body is None or "get" in self.flags else "POST"

    def _timeout(self) -> int | None:
        if "max-time" not in self.values:
            return None
        text = self.values["max-time"][-1]
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) or float(text) == 0:
            raise _WrongError(f"--max-time {shown(text)} is not a number of seconds")
        return max(1, round(float(text) * 1000))

    def _headers(self, credentials: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for text in self.values.get("header", []):
            if text.startswith("@"):
                raise _WrongError(f"--header {shown(text)} reads a file: write the headers")
            name, colon, value = text.partition(":")
            if not colon and not text.rstrip().endswith(";"):
                raise _WrongError(f"--header {shown(text)} is not Name: value")
            name, value = name.strip().rstrip(";"), value.strip()
            if colon and not value:
                continue  # it takes one of curl's own away
            check_header(name, value)
            # The engine writes the length, and asks for what it can unpack.
            if name.lower() == "content-length" or (name.lower() == "accept-encoding" and "compressed" in self.flags):
                continue
            found.append((name, value))
        names = {name.lower() for name, _ in found}
        for option, name in (("user-agent", "User-Agent"), ("referer", "Referer")):
            if option in self.values and name.lower() not in names:
                found.append((name, self.values[option][-1]))
        if cookies := self.values.get("cookie"):
            if any("=" not in one for one in cookies):
                raise _WrongError("--cookie reads a file: write the cookies as name=value")
            found.append(("Cookie", "; ".join(cookies)))
        user = self.values.get("user", [credentials])[-1]
        if user and "authorization" not in names:
            if ":" not in user:
                raise _WrongError("--user asks for a password: write it as user:password")
            found.append(("Authorization", basic_credentials(user)))
        for name, value in found:
            check_header(name, value)
        return found

    def _body(self) -> tuple[str | None, str]:
        """What is sent, and its type."""
        parts = [(name, value) for name, value in self._given if name in _BODIES]
        forms = [(name, value) for name, value in self._given if name in ("form", "form-string")]
        if forms and parts:
            raise _WrongError("--form and --data send two bodies: keep one of them")
        if forms:
            return _multipart(forms)
        if not parts:
            return None, ""
        for name, value in parts:
            if value.startswith("@") and name not in ("data-raw", "data-urlencode"):
                raise _WrongError(f"--{name} {shown(value)} reads a file: write what is in it")
        if "json" in self.values:
            return "".join(value for _, value in parts), "application/json"
        pieces = [_encoded(value) if name == "data-urlencode" else value for name, value in parts]
        return "&".join(pieces), "application/x-www-form-urlencoded"


_BODIES: Final = ("data", "data-ascii", "data-raw", "data-binary", "data-urlencode", "json")


def _near(name: str) -> str:
    close = nearest(name, _OPTIONS)
    return close if "did you mean" in close else ""


def _encoded(text: str) -> str:
    """`--data-urlencode`: `content`, `=content`, `name=content`."""
    from urllib.parse import quote

    if "@" in text.partition("=")[0]:
        raise _WrongError(f"{shown(text)} reads a file: write what is in it")
    name, equals, value = text.partition("=")
    if not equals:
        return quote(text, safe="")
    return f"{name}={quote(value, safe='')}" if name else quote(value, safe="")


def _multipart(forms: list[tuple[str, str]]) -> tuple[str, str]:
    """A form as browsers send it: RFC 7578."""
    everything = "".join(value for _, value in forms)
    number = 0
    while (boundary := f"chaffinch-{number:08d}") in everything:
        number += 1
    lines = []
    for option, text in forms:
        name, equals, value = text.partition("=")
        if not equals:
            raise _WrongError(f"--{option} {shown(text)} is not name=value")
        kind = ""
        if option == "form" and value.startswith(("@", "<")):
            raise _WrongError(f"--form {shown(text)} reads a file: write what is in it")
        if option == "form" and (match := re.fullmatch(r"(?s)(.*);type=([^;\s]+)", value)):
            value, kind = match[1], f"\r\nContent-Type: {match[2]}"
        safe = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        disposition = f'Content-Disposition: form-data; name="{safe}"'
        lines.append(f"--{boundary}\r\n{disposition}{kind}\r\n\r\n{value}\r\n")
    return "".join(lines) + f"--{boundary}--\r\n", f"multipart/form-data; boundary={boundary}"
