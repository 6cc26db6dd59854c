"""Who may come in: OpenSSH's rules for authentication requests (RFC 4252). Pure: a request in, a verdict out."""

import base64
import hashlib
import random

import msgspec

from chaffinch.decoys.ssh.wire import Reader, WireError
from chaffinch.events import Credential, printable
from chaffinch.personas.persona import Persona, Service

MAX_FAILURES = 6
"""MaxAuthTries of sshd_config(5)."""

_LEAST_DELAY = 0.005
_SPREAD = 0.0042
_HOST_BOUND = b"publickey-hostbound-v00@openssh.com"
_TEXT_BYTES = 512  # of a name, a password or a key type in a fact


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of one request.

    `delay`: seconds before the answer. `goodbye`: the text of a disconnect instead of an answer. `broken`: the
    request cannot be read, and sshd closes without a word.
    """

    accepted: bool = False
    fact: Credential | None = None
    delay: float = 0.0
    goodbye: bytes = b""
    broken: bool = False


class Login:
    """The authentication of one connection.

    Service options: `methods` (what is offered, `publickey,password` unless the service says otherwise), `fail_delay`
    (seconds that PAM waits after a wrong password, 2).
    """

    __slots__ = ("_attempts", "_failures", "_pam_delay", "_persona", "_random", "_user", "methods")

    def __init__(self, persona: Persona, service: Service, source: random.Random) -> None:
        windows = "windows" in service.product.lower()
        default = "publickey,password,keyboard-interactive" if windows else "publickey,password"
        self.methods = tuple(service.option("methods", default).encode().split(b","))
        self._pam_delay = float(service.option("fail_delay", "0" if windows else "2"))
        self._persona = persona
        self._random = source
        self._user: tuple[bytes, bytes] | None = None
        self._attempts = 0
        self._failures = 0

    @property
    def username(self) -> str:
        """The name of the account that is asked for."""
        return self._user[0].decode("utf-8", "replace") if self._user else ""

    def judge(self, request: bytes) -> Verdict:
        """The verdict on a request, given without its message number."""
        fields = Reader(request)
        try:
            user, service, method = fields.string(), fields.string(), fields.string()
            if self._user not in (None, (user, service)):
                return Verdict(goodbye=self._changed(user, service))
            self._user = (user, service)
            self._attempts += 1
            if method == b"password" and method in self.methods:
                return self._password(fields)
            if method in (b"publickey", _HOST_BOUND) and b"publickey" in self.methods:
                return self._public_key(fields, host_bound=method == _HOST_BOUND)
        except WireError:
            return Verdict(broken=True)
        free = method == b"none" and self._attempts == 1
        return self._failed(None, 0.0, counted=not free) if method == b"none" else self._failed(None, self._delay(0.0))

    def _changed(self, user: bytes, service: bytes) -> bytes:
        assert self._user is not None
        return b"Change of username or service not allowed: (%s,%s) -> (%s,%s)" % (*self._user, user, service)

    def _password(self, fields: Reader) -> Verdict:
        change, password = fields.boolean(), fields.string()
        if change:
            fields.string()
        fields.end()
        accepted = not change and self._persona.accepts(self.username, password.decode("utf-8", "replace"))
        fact = Credential(self._printable_user(), printable(password, _TEXT_BYTES), "password", accepted)
        if accepted:
            return Verdict(accepted=True, fact=fact)
        return self._failed(fact, self._delay(self._pam_delay * self._random.uniform(0.75, 1.25)))

    def _public_key(self, fields: Reader, *, host_bound: bool) -> Verdict:
        signed, algorithm, blob = fields.boolean(), fields.string(), fields.string()
        if host_bound:
            fields.string()
        if signed:
            fields.string()
        fields.end()
        fingerprint = base64.b64encode(hashlib.sha256(blob).digest()).rstrip(b"=").decode()
        secret = f"{printable(algorithm, 64)} SHA256:{fingerprint}"
        return self._failed(Credential(self._printable_user(), secret, "publickey"), self._delay(0.0))

    def _failed(self, fact: Credential | None, delay: float, *, counted: bool = True) -> Verdict:
        self._failures += counted
        goodbye = b"Too many authentication failures" if self._failures >= MAX_FAILURES else b""
        return Verdict(fact=fact, delay=delay, goodbye=goodbye)

    def _delay(self, elapsed: float) -> float:
        """The time to which OpenSSH stretches a failure that took `elapsed` seconds: it depends on the user's name,
        so that it does not
        tell whether the account exists."""
        share = int.from_bytes(self._persona.derive(f"ssh-delay {self.username}", 4), "big") / 2**32
        delay = _LEAST_DELAY + _SPREAD * share
        while delay < elapsed:
            delay *= 2
        return delay

    def _printable_user(self) -> str:
        return printable(self._user[0] if self._user else b"", _TEXT_BYTES)
