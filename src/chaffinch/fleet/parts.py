"""A fleet before it runs: on paper, and made."""

import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from chaffinch.config import Config
from chaffinch.fleet.workers import Worker

if TYPE_CHECKING:
    from chaffinch.capture.tap import Tap
    from chaffinch.network.listeners import Listener
    from chaffinch.network.netns.namespace import Namespace
    from chaffinch.network.plan import Plan
    from chaffinch.personas.build import Personas


class Draft(msgspec.Struct, frozen=True):
    """A fleet on paper: what it would be, with everything checked that needs no socket.

    `stated` is the configuration as it is written; `config` what the supervisor goes by, which of one group alone
    (`only`) has that group's part of the budget. `bound` is the plan with the ports that are its to bind.
    """

    config: Config
    stated: Config
    seed: bytes
    plan: "Plan"
    personas: "Personas"
    groups: Mapping[str, tuple[Worker, ...]]
    bound: "Plan"
    only: str = ""


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
    stated: Config
    """As it is written: see `Draft`."""
    seed: bytes
    state: Path
    plan: "Plan"
    personas: "Personas"
    listeners: "tuple[Listener, ...]"
    only: str = ""
    """The one group that this supervisor has; empty when it has all."""
    tap: "Tap | None" = None
    namespace: "Namespace | None" = None
    """The network of groups that face attackers, where they have one of their own."""
    page: socket.socket | None = None
    """The metrics page's socket, bound on the owner's network, where its group leaves that."""

    def inside(self) -> AbstractContextManager[None]:
        """Be where the fleet's ports are for a while: in its own network, where it has one."""
        return nullcontext() if self.namespace is None else self.namespace.inside()
