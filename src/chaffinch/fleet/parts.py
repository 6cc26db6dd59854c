"""What a supervisor makes before it forks."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from chaffinch.config import Config

if TYPE_CHECKING:
    from chaffinch.network.listeners import Listener
    from chaffinch.network.plan import Plan
    from chaffinch.personas.build import Personas


class Parts(msgspec.Struct, frozen=True):
    """What the supervisor made before it forked, and every group uses."""

    config: Config
    state: Path
    plan: "Plan"
    personas: "Personas"
    listeners: "tuple[Listener, ...]"
