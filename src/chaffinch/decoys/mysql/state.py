"""What one session's statements have changed: its user, its schema, its variables. All of it is bounded."""

import msgspec

from chaffinch.decoys.mysql import packets
from chaffinch.personas.persona import Persona, Service

MAX_CHANGES = 64
"""How many variables, created and dropped names a session may hold; further ones are accepted and forgotten."""


class Server(msgspec.Struct, frozen=True):
    """The server as this session sees it."""

    persona: Persona
    service: Service
    version: str
    port: int


class State(msgspec.Struct):
    """A session after its login. `user` is as the client gave it, `host` as the server names the client's.

    `export` is what the statement that runs asks to be written into a file: `outfile` or `dumpfile`, and the path.
    `delay` is how long its SLEEP calls last, in seconds.
    """

    server: Server
    connection_id: int
    user: str
    host: str
    source_port: int
    collation: int = packets.UTF8MB4_GENERAL_CI
    results: int = packets.UTF8MB4_GENERAL_CI
    schema: str = ""
    status: int = packets.AUTOCOMMIT
    questions: int = 0
    delay: float = 0.0
    found_rows: int = 0
    export: tuple[str, str] = ("", "")
    variables: dict[str, str] = {}
    created: dict[str, tuple[str, ...]] = {}
    dropped: set[str] = set()

    @property
    def account(self) -> str:
        return f"{self.user}@{self.host}"

    @property
    def held(self) -> int:
        """What the changes count for, in bytes."""
        made = sum(len(name) + sum(map(len, columns)) for name, columns in self.created.items())
        return made + sum(map(len, self.dropped))

    def set_variable(self, name: str, value: str) -> None:
        if name in self.variables or len(self.variables) < MAX_CHANGES:
            self.variables[name] = value[:256]

    def create(self, name: str, columns: tuple[str, ...] = ()) -> None:
        """Remember a schema (`name`) or a table (`schema.name`) that the session made."""
        self.dropped.discard(name)
        if len(self.created) < MAX_CHANGES:
            self.created[name] = columns[:32]

    def drop(self, name: str) -> None:
        """Forget what the session made under that name, or hide what the host has."""
        made = [known for known in self.created if known == name or known.startswith(name + ".")]
        for known in made:
            del self.created[known]
        if len(self.dropped) < MAX_CHANGES:
            self.dropped.add(name)
