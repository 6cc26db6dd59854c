"""What the decoys of one process give up when its memory is short, as its guard asks, and take again.

Quick calls on the event loop: nothing here waits.
"""

import re
import weakref
from typing import TYPE_CHECKING, Final

from chaffinch import caches

if TYPE_CHECKING:
    from chaffinch.decoys.overlay import Overlays
    from chaffinch.decoys.recorder import EventRecorder
    from chaffinch.metrics.registry import Registry
    from chaffinch.personas.build import Personas

MOST_HALVINGS: Final = 4
"""How often the recorded rate may be halved: a sixteenth of it is left, or the recorder's own floor."""


class Relief:
    """The actions of `fleet`'s guard for the decoys that share a process. `refusing`: who connects now is refused."""

    def __init__(self, personas: "Personas", overlays: "Overlays") -> None:
        self._own: tuple[caches.Cache, ...] = (personas, overlays)
        self._forgotten = 0
        """By caches that were this process's before."""
        self._recorders: weakref.WeakSet[EventRecorder] = weakref.WeakSet()
        self._is_shrunk = False
        self._is_shown = False
        self.halvings = 0
        self.refusing = False

    def own(self, personas: "Personas", overlays: "Overlays") -> None:
        """These are the caches from now on; they are as small as the last ones were."""
        new = (personas, overlays)
        self._forgotten += sum(cache.forgotten for cache in self._own if cache not in new)
        self._own = new
        for cache in new:
            cache.shrink() if self._is_shrunk else cache.grow()

    def follow(self, recorder: "EventRecorder") -> None:
        """Have this recorder, of one service, collapse earlier with the others, for as long as it lives."""
        self._recorders.add(recorder)
        recorder.halve(self.halvings)

    def limit_to(self, entries: int) -> None:
        """Let each recorder remember so many sources, less what is given up of that now."""
        for recorder in self._recorders:
            recorder.limit_to(entries)
            recorder.halve(self.halvings)

    def shrink(self) -> bool:
        """Give up what is kept only to be quicker, and most of what sources left behind, and hold little of it from
        now on; False when there was nothing. `grow` takes that back.
        """
        if self._is_shrunk:
            return False
        self._is_shrunk = True
        gone = sum(cache.shrink() for cache in self._own) + caches.shrink()
        re.purge()  # 512 patterns, some of them visitors'
        return gone > 0

    def grow(self) -> None:
        """Let what was shrunk grow again."""
        self._is_shrunk = False
        for cache in self._own:
            cache.grow()
        caches.grow()

    def collapse_earlier(self) -> bool:
        """Halve the rate past which events are collapsed, and how many sources are told apart; False at the floor."""
        if self.halvings >= MOST_HALVINGS:
            return False
        changed = [recorder.halve(self.halvings + 1) for recorder in self._recorders]
        if not any(changed):
            return False
        self.halvings += 1
        return True

    def collapse_later(self) -> None:
        """Take one halving back."""
        self.halvings = max(0, self.halvings - 1)
        for recorder in self._recorders:
            recorder.halve(self.halvings)

    @property
    def forgotten(self) -> int:
        """What sources changed on hosts that went for want of room since the process started."""
        return self._forgotten + sum(cache.forgotten for cache in (*self._own, *caches.registered()))

    def export(self, metrics: "Registry") -> None:
        """Show that, once for the process."""
        if not self._is_shown:
            self._is_shown = True
            metrics.counter_from("changes_forgotten", lambda: self.forgotten)

    def refuse(self) -> None:
        """Answer new connections as the product does when it has too many; open sessions go on."""
        self.refusing = True

    def accept(self) -> None:
        """Serve new connections again."""
        self.refusing = False
