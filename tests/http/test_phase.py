"""Phases: each can be reached and left, and no way is taken that is not in the table."""

import asyncio
import itertools
from typing import Any
from unittest.mock import Mock

import pytest

from chaffinch.http.doors import Doors
from chaffinch.http.phase import MOVES, Phase
from chaffinch.http.protocol import Connection


def test_every_phase_is_reached_from_the_first_and_ends() -> None:
    reached = {Phase.WAITING}
    for _ in Phase:
        reached |= {one for phase in reached for one in MOVES[phase]}
    assert reached == set(Phase) == MOVES.keys()
    assert {phase for phase in Phase if Phase.GONE not in MOVES[phase]} == {Phase.GONE}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Phase, Phase)))
def test_a_way_that_is_not_in_the_table_fails_loudly(before: Phase, after: Phase) -> None:
    async def run() -> None:
        answer: Any = Mock()
        connection = Connection(answer, Doors(1, Mock()))
        connection.phase = before
        if after in MOVES[before]:
            connection._enter(after)
            assert connection.phase is after
        else:
            with pytest.raises(AssertionError, match=f"is {before.value} cannot be {after.value}"):
                connection._enter(after)

    asyncio.run(run())
