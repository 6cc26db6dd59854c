"""A group that took memory and then rests gives back what the C library keeps of what was freed, budget or none."""

from typing import Final

REST_SECONDS: Final = 10.0
"""A process that did so little for that long rests; what it gives back is seldom wanted again at once."""

REST_SHARE: Final = 0.05
"""Of one processor: what beats and an occasional session take."""

WORTH_BYTES: Final = 1 << 20
"""Held beyond what was held when memory was given back last: for less, free pages are not looked for."""


class Rest:
    """Whether it is time, told now and then the processor time that the process used and the memory that it holds."""

    def __init__(self, now: float, cpu_seconds: float) -> None:
        self._seen, self._cpu = now, cpu_seconds
        self._rests_since = now
        self._held: int | None = None
        """The least since memory was given back last."""

    def is_due(self, now: float, cpu_seconds: float, held_bytes: int) -> bool:
        """Once for each time that the process took memory and came to rest."""
        took, used = now - self._seen, cpu_seconds - self._cpu
        self._seen, self._cpu = now, cpu_seconds
        if used > took * REST_SHARE:
            self._rests_since = now
        least = held_bytes if self._held is None else min(self._held, held_bytes)
        is_due = held_bytes - least >= WORTH_BYTES and now - self._rests_since >= REST_SECONDS
        self._held = None if is_due else least  # what is left then is what it needs
        return is_due
