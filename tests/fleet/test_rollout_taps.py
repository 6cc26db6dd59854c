"""Which raw socket is given up when a rollout does not get where it should."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from chaffinch.errors import RunError
from chaffinch.fleet.reload import Change
from chaffinch.fleet.rollout import Rollout, Side
from tests.fleet.test_rehearsal import parts_of

NOTHING = Change((), (), (), (), (), (), (), ())


class Tap:
    """One that says what became of it; it `refuses` a plan as one does whose process has lost the privilege."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.did: list[str] = []
        self.refuses = refuses

    def admit(self, _: object) -> None:
        if self.refuses:
            raise RunError("no filter")
        self.did.append("admit")

    def shut(self) -> None:
        self.did.append("shut")

    def end(self, heir: "Tap | None" = None) -> None:
        assert heir is not self
        self.did.append("end")


class Processes(SimpleNamespace):
    """Of no group; what its groups are told after a hand-over fails."""

    def budget(self, *_: object) -> None:
        raise RunError("no budget")


@pytest.mark.parametrize("does_refuse", [False, True])
def test_the_way_back_gives_up_the_new_one_even_where_the_old_takes_no_filter(
    tmp_path: Path, does_refuse: bool
) -> None:
    taps = Tap(refuses=does_refuse), Tap()
    old, new = (Side(msgspec.structs.replace(parts_of(tmp_path), tap=tap), {}, Any) for tap in taps)
    processes: Any = Processes(parts=old.parts, leaving=(), leaving_tap=None, groups={})
    rollout = Rollout(processes, old, new, NOTHING, NOTHING)
    assert list(rollout.run()) == []
    assert "no budget; on the way back" in rollout.error
    assert processes.parts.tap is taps[0]
    assert (taps[0].did[0], taps[0].did.count("end")) == ("shut", 0)
    assert taps[1].did[0] == "admit"
    assert taps[1].did[-1] == "end"
    assert processes.leaving_tap is None
