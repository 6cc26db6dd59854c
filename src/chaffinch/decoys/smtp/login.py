"""AUTH PLAIN and AUTH LOGIN (RFC 4954), as Postfix offers them through SASL."""

import binascii
from collections.abc import Awaitable, Callable

from chaffinch.decoys.session import Session
from chaffinch.events import Credential, printable

FAILED_SECONDS = 1.5
"""How long a refused login takes: what the password check behind it waits."""

_FAILED = "535 5.7.8 Error: authentication failed: authentication failure"
_ABORTED = "501 5.7.0 Authentication aborted"
_BAD_BASE64 = "535 5.7.8 Error: authentication failed: Invalid base64 data in continued response"
_USERNAME, _PASSWORD = b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"


class Login:
    """One session's authentication. `offered` when the host's option says so, `done` once it succeeded."""

    __slots__ = ("_session", "done", "offered")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.offered = session.service.option("auth") == "yes"
        self.done = False

    async def authenticate(self, rest: bytes, read_line: Callable[[], Awaitable[bytes]]) -> str:
        """Postfix's reply to `AUTH rest`, after what the mechanism asks for."""
        if not self.offered:
            return "503 5.5.1 Error: authentication not enabled"
        if self.done:
            return "503 5.5.1 Error: already authenticated"
        words = rest.split()
        if not 1 <= len(words) <= 2:
            return "501 5.5.4 Syntax: AUTH mechanism"
        mechanism, initial = words[0].upper(), words[1] if len(words) == 2 else None
        if mechanism == b"PLAIN":
            given = initial if initial is not None else await self._ask(b"334 \r\n", read_line)
            return await self._plain(given)
        if mechanism == b"LOGIN":
            user = initial if initial is not None else await self._ask(_USERNAME, read_line)
            if user == b"*":
                return _ABORTED
            return await self._login(user, await self._ask(_PASSWORD, read_line))
        return "535 5.7.8 Error: authentication failed: Invalid authentication mechanism"

    async def _ask(self, prompt: bytes, read_line: Callable[[], Awaitable[bytes]]) -> bytes:
        self._session.write(prompt)
        return (await read_line()).strip()

    async def _plain(self, given: bytes) -> str:
        if given == b"*":
            return _ABORTED
        decoded = _decode(given)
        if decoded is None:
            return _BAD_BASE64
        _, _, pair = decoded.partition(b"\0")
        user, _, secret = pair.partition(b"\0")
        return await self._check(user, secret, "plain")

    async def _login(self, given_user: bytes, given_secret: bytes) -> str:
        if given_secret == b"*":
            return _ABORTED
        user, secret = _decode(given_user), _decode(given_secret)
        if user is None or secret is None:
            return _BAD_BASE64
        return await self._check(user, secret, "login")

    async def _check(self, user: bytes, secret: bytes, mechanism: str) -> str:
        name, password = user.decode("utf-8", "replace"), secret.decode("utf-8", "replace")
        persona = self._session.persona
        self.done = persona.accepts(name, password) or persona.accepts(name.partition("@")[0], password)
        self._session.record(
            Credential(printable(user, 256), printable(secret, 256), mechanism=mechanism, accepted=self.done)
        )
        if self.done:
            return "235 2.7.0 Authentication successful"
        await self._session.sleep(FAILED_SECONDS)
        return _FAILED


def _decode(given: bytes) -> bytes | None:
    try:
        return binascii.a2b_base64(given, strict_mode=True) if given != b"=" else b""
    except binascii.Error:
        return None
