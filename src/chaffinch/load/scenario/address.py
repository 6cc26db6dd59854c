"""URLs, header lines and DNS overrides, checked. Functions raise `ValueError` with what is allowed."""

import re
from typing import Final

import msgspec

from chaffinch.load.plan import Resolve
from chaffinch.load.scenario.faults import shown

_URL: Final = re.compile(r"(?i)(https?)://(?:([^/?#@]*)@)?(\[[0-9a-f:.]+\]|[^/?#:@\[\]]+)(?::([0-9]{0,5}))?([/?#].*)?")
_HOST: Final = re.compile(r"(?i)(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}")
_UNSAFE: Final = re.compile(r"[^\x21-\x7e]|[\"<>\\^`]")
_ENGINES: Final = frozenset(
    {"content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "upgrade"}
)
_RESOLVE: Final = re.compile(r"([^:\[\]\s]+):(\[[^\]\s]+\]|[^:\[\]\s]+)(?::([0-9]{1,5}))?")


class Url(msgspec.Struct, frozen=True):
    """An http or https URL."""

    origin: str
    """Scheme, host and, if it was given, port; no slash at the end."""
    path: str
    """With the query; begins with a slash."""
    credentials: str = ""
    """`user:password` if it had any."""

    @property
    def host(self) -> str:
        """The host in lower case; IPv6 in brackets."""
        return re.sub(r":[0-9]+$", "", self.origin.partition("://")[2])


def parse_url(text: str) -> Url:
    """An absolute URL. A variable in its host is refused: only hosts that the owner names are contacted."""
    match = _URL.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{shown(text)} is not a URL: write it like http://127.0.0.1:8080/path")
    scheme, credentials, host, port, rest = match.groups()
    if "$" in host + (port or ""):
        raise ValueError(f"{shown(text)} has a variable in its host: only hosts that are named are contacted")
    if host.startswith("["):
        _address(host[1:-1])
    elif not _HOST.fullmatch(host) or len(host) > 253:
        raise ValueError(f"{shown(host)} is not a host: write names outside of ASCII in their xn-- form")
    if port and not 1 <= int(port) <= 65535:
        raise ValueError(f"{shown(port)} is not a port: 1 to 65535")
    origin = f"{scheme.lower()}://{host.lower()}" + (f":{int(port)}" if port else "")
    path = (rest or "/").partition("#")[0]
    return Url(origin, clean_path(path if path.startswith("/") else f"/{path}"), credentials or "")


def clean_path(path: str) -> str:
    """The path with what no URL may have in it percent-encoded; variables stay."""
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace")), path)


def is_url(path: str) -> bool:
    """Whether it names a host of its own."""
    return path.lower().startswith(("http://", "https://"))


def is_engines(name: str) -> bool:
    """Whether the engine writes this header itself: it belongs to the connection or to the length of the body."""
    return name.lower() in _ENGINES


def check_header(name: str, value: str) -> None:
    """Raise for a header that cannot be sent."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{shown(name)} is not a header's name: use letters, digits and hyphens")
    if any((character < " " and character != "\t") or character == "\x7f" for character in value):
        raise ValueError(f"the header {name} has a line break or control character in its value")


def resolve_entry(text: str) -> Resolve:
    """A DNS override of the form `host:address:port`; IPv6 in brackets; without a port, or with 0, it is kept."""
    match = _RESOLVE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{shown(text)} is not host:address:port, such as example.test:127.0.0.1:8443")
    host, address, port = match.groups()
    to_port = int(port or 0)
    if to_port > 65535:
        raise ValueError(f"{shown(port)} is not a port: 1 to 65535")
    return Resolve(host.lower(), None, _address(address.strip("[]")), to_port or None)


def basic_credentials(credentials: str) -> str:
    """The value of `Authorization` for `user:password`."""
    import base64

    return "Basic " + base64.b64encode(credentials.encode("utf-8", "replace")).decode()


def literal(text: str) -> str:
    """A template that stands for the text itself."""
    return text.replace("$", "$$")


def _address(text: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{shown(text)} is not an IP address") from None
