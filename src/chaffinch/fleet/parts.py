"""A fleet before it runs: on paper, and made."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from chaffinch.config import Config
from chaffinch.fleet.workers import Worker

if TYPE_CHECKING:
    from chaffinch.network.listeners import Listener
    from chaffinch.network.plan import Plan
    from chaffinch.personas.build import Personas


class Draft(msgspec.Struct, frozen=True):
    """A fleet on paper: what it would be, with everything checked that needs no socket."""

    config: Config
    seed: bytes
    plan: "Plan"
    personas: "Personas"
    groups: Mapping[str, tuple[Worker, ...]]


class Origin(Protocol):
    """Where a fleet's configuration comes from: asked anew by a reload, without a trace where it is refused."""

    def load(self) -> Config:
        """The configuration as it is written now. Raises `InputError`."""
        ...

    def draft(self, config: Config) -> Draft:
        """The fleet that it describes. Raises `InputError`, with the place in the file where it knows that."""
        ...

    def taken_over(self, config: Config) -> None:
        """The fleet runs with it. Raises `OSError` where that cannot be written down."""
        ...


class Parts(msgspec.Struct, frozen=True):
    """What the supervisor made before it forked, and every group uses."""

    config: Config
    seed: bytes
    state: Path
    plan: "Plan"
    personas: "Personas"
    listeners: "tuple[Listener, ...]"
