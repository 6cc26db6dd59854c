"""Which recipients a host takes, and what it says to the others."""

from chaffinch.decoys.smtp.grammar import Address
from chaffinch.personas.persona import Persona, Service

_SYSTEM = frozenset((
    "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data", "backup",
    "list", "irc", "_apt", "nobody", "systemd-network", "messagebus", "sshd", "postfix",
    "postmaster", "mailer-daemon", "abuse",
))  # fmt: skip
"""The accounts that a Debian system has and the aliases that its mail has."""


class Recipients:
    """The recipients of one host, by its service's option `relay`."""

    __slots__ = ("_persona", "_relay")

    def __init__(self, persona: Persona, service: Service) -> None:
        self._persona = persona
        self._relay = service.option("relay")

    def refuse(self, whom: Address, *, authenticated: bool) -> str:
        """Postfix's reply to a recipient that it does not take; empty when it takes it."""
        shown = whom.text.decode("utf-8", "surrogateescape")
        if not self._is_local(whom):
            if self._relay == "open" or authenticated:
                return ""
            code = "554 5.7.1" if self._relay == "refuse" else "454 4.7.1"
            return f"{code} <{shown}>: Relay access denied"
        name = whom.local.partition(b"+")[0].decode("utf-8", "replace").lower()
        if not name or name in _SYSTEM or any(user.name.lower() == name for user in self._persona.users):
            return ""
        return f"550 5.1.1 <{shown}>: Recipient address rejected: User unknown in local recipient table"

    def _is_local(self, whom: Address) -> bool:
        if any(sign in whom.local for sign in (b"@", b"!", b"%")):
            return False
        host = self._persona
        domain = whom.domain.decode("utf-8", "replace").lower()
        return domain in (
            "", host.fqdn, host.hostname, host.domain, f"localhost.{host.domain}", "localhost", f"[{host.address}]"
        )  # fmt: skip
