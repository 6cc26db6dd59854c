"""Who may use the control API: whoever has the token; without one, programs on this machine, but no web page."""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping

from chaffinch.http.bearer import shown_token, unauthorized
from chaffinch.http.problem import RefusalError


class Admission:
    """The rules of one server."""

    def __init__(self, token: str, health_needs_token: bool) -> None:
        self.health_needs_token = health_needs_token
        self._digest = hashlib.sha256(token.encode()).digest() if token else None

    def admit(self, headers: Mapping[str, str]) -> None:
        """Raise `RefusalError` 401 without the token. Without one at all: 403 for what a browser's page may have sent.

        A page of anybody can make its reader's browser send requests to loopback: it then says so in `Origin`, or in
        `Sec-Fetch-Site`, or comes by a name that was made to lead here.
        """
        if self._digest is None:
            self._refuse_pages(headers)
            return
        presented = shown_token(headers.get("authorization", ""))
        if not hmac.compare_digest(hashlib.sha256(presented.encode("latin-1")).digest(), self._digest):
            raise unauthorized("give the token: `Authorization: Bearer ...`")

    @staticmethod
    def _refuse_pages(headers: Mapping[str, str]) -> None:
        if "origin" in headers or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise RefusalError(403, "forbidden", "a web page cannot steer this server: set a token, or use a program")
        if not _is_here(headers.get("host", "")):
            raise RefusalError(
                403, "forbidden", "the Host header names another machine: ask 127.0.0.1 or localhost, or set a token"
            )


def _is_here(host: str) -> bool:
    """Whether a Host header names this machine's loopback. HTTP/1.0 may have none."""
    if not host:
        return True
    name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
