"""The place of one chain among those that are open, and the states that it goes through."""

import asyncio
import enum
import time
from typing import Final

from chaffinch.chain.engine import Chain
from chaffinch.chain.results import Options
from chaffinch.errors import ChaffinchError


class State(enum.Enum):
    """Where a slot is; `MOVES` are the ways from here."""

    WAITING = "waiting"
    """For room."""
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    """It was open, and is closed as soon as nobody uses it. Nobody new gets it."""
    SECLUDED = "secluded"
    """It has no chain, and keeps everybody from opening one."""
    GONE = "gone"


MOVES: Final = {
    State.WAITING: {State.OPENING, State.GONE},
    State.OPENING: {State.OPEN, State.CLOSING, State.GONE},
    State.OPEN: {State.CLOSING},
    State.CLOSING: {State.GONE},
    State.SECLUDED: {State.GONE},
    State.GONE: set(),
}


def key_of(tenant: str, *, anew: bool) -> str:
    """Under which name a slot is found; no tenant has that of a chain anew."""
    return f".{tenant}" if anew else tenant


class Slot:
    """The place of a tenant's chain, or of the one `anew` that is made beside it: once it is open, and who uses it."""

    def __init__(
        self,
        tenant: str,
        *,
        anew: bool = False,
        write: bool = False,
        create: Options | None = None,
        wait: bool = False,
        state: State = State.WAITING,
    ) -> None:
        self.tenant = tenant
        self.anew = anew
        self.key = key_of(tenant, anew=anew)
        self.state = state
        self.write = write
        self.create = create
        self.wait = wait
        """Whether it may wait for room, in the pool and among the open chains."""
        self.chain: Chain | None = None
        self.writes = False
        self.made = False
        """Whether it was made for this slot, and nobody learned anything in it yet."""
        self.users = 0
        self.memory = 0
        self.unmerged = 0
        """Those bytes of it that a merge would put on the disk."""
        self.counted = 0
        self.leaves = state is State.SECLUDED
        """Whether it is closed as soon as nobody uses it, and nobody new gets it; said before it is open, too."""
        self.goes = False
        """Whether its chain is moved or thrown away once it is closed: it is not merged first."""
        self.published = False
        """Whether the chain anew that it kept closed is the tenant's now."""
        self.wants_merge = False
        self.counts_support = False
        self.unheard = False
        """Whether it counts who said what, and cannot say yet what it learned since its last merge."""
        self.merge_after = 0.0
        """On the monotonic clock: no background merge of it begins before."""
        self.merging: asyncio.Task[None] | None = None
        """The last merge in the background."""
        self.merges_failed = 0
        """One after the other."""
        self.opened_at = self.used_at = time.monotonic()
        loop = asyncio.get_running_loop()
        self.turn: asyncio.Future[None] = loop.create_future()
        """Done when there is room for it."""
        self.opened: asyncio.Future[None] = loop.create_future()
        self.gone = asyncio.Event()

    @property
    def open_chain(self) -> Chain:
        assert self.chain is not None
        return self.chain

    @property
    def is_idle(self) -> bool:
        """Whether it could be closed now."""
        return self.state is State.OPEN and self.users == 0

    @property
    def is_due(self) -> bool:
        """Whether it should be merged."""
        return self.wants_merge or self.unheard

    def wants(self) -> tuple[bool, bool, bool]:
        """What its opening was asked for: somebody who asked for something else may have more luck."""
        return self.write, self.create is not None, self.wait

    def measure(self) -> None:
        """Note what the chain holds. It may wait for somebody who learns: for threads of the pool."""
        try:
            self.memory, self.unmerged = self.open_chain.memory_bytes, self.open_chain.unmerged_bytes
            self.wants_merge = self.writes and self.open_chain.wants_merge
        except ChaffinchError:  # a chain that broke says so to who uses it; what it held last stands
            self.wants_merge = False
