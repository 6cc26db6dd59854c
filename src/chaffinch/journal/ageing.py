"""How old is a segment? Told by a clock of the journal's own, which nobody can set.

Within one boot the journal's clock runs with the kernel's boot clock, whatever the wall clock says: a wall clock that
is set back or jumps ahead ages nothing. Over a reboot only the wall clock can tell how long the machine was off, and
it may be wrong: then the journal's clock moves by what the wall clock moved, never backwards, and by a tenth of the
greatest age at most. So a clock that comes up years ahead costs a tenth of the history, and a machine that was off
for long keeps its events longer than asked; the bound in bytes holds all the same.
"""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

DAY_NS = 86_400 * 1_000_000_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Reading(msgspec.Struct, frozen=True):
    """The machine's clocks at one moment, in ns. `boot_id` tells which boot `boot_ns` counts from; empty if unknown."""

    boot_id: str
    boot_ns: int
    wall_ns: int


class AgeClock(msgspec.Struct, frozen=True):
    """The journal's clock: `now_ns` was its time when the machine's clocks stood at `at`."""

    at: Reading
    now_ns: int = 0

    def moved_to(self, reading: Reading, max_age_ns: int) -> "AgeClock":
        """The clock at a later reading."""
        if reading.boot_id and reading.boot_id == self.at.boot_id:
            passed = reading.boot_ns - self.at.boot_ns
        else:
            passed = min(reading.wall_ns - self.at.wall_ns, max_age_ns // 10)
        return AgeClock(reading, self.now_ns + max(0, passed))


def read_clocks(wall: Callable[[], int] = time.time_ns) -> Reading:
    """The machine's clocks now."""
    try:
        boot_id = _BOOT_ID.read_text().strip()
    except OSError:
        boot_id = ""
    return Reading(boot_id, time.clock_gettime_ns(time.CLOCK_BOOTTIME), wall())
