"""What a supervisor of one group has of the whole fleet's budget and ports."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.config import Config, FleetSettings
from chaffinch.errors import InputError
from chaffinch.fleet import alone, assemble, budget

DESCRIBED = assemble.describe(Config(), bytes(32))


@given(st.sampled_from(["one", "default", "split"]), st.integers(0, 1 << 34))
def test_parts_add_up_to_the_budget_and_hold_their_groups(groups: str, stated: int) -> None:
    arranged = assemble.arranged(Config(fleet=FleetSettings(groups=groups)), DESCRIBED)
    try:
        parts = alone.budgets(stated, arranged)
    except InputError as error:
        assert stated < sum(budget.divide(0, {name: rows}).least_bytes for name, rows in arranged.items())
        enough = int(str(error).split("give --memory ")[1].split("M")[0]) << 20
        parts, stated = alone.budgets(enough, arranged), enough
    assert stated - len(parts) < sum(parts.values()) <= stated
    for name, part in parts.items():
        one = budget.divide(part, {name: arranged[name]})
        assert one.share_of(name) + one.common_bytes <= part


def test_every_port_has_one_supervisor() -> None:
    arranged = assemble.arranged(Config(), DESCRIBED)
    bound = {name: alone.ports_of(DESCRIBED.plan, rows).ports for name, rows in arranged.items()}
    assert bound == {"decoys": DESCRIBED.plan.ports, "back": ()}
    split = assemble.arranged(Config(fleet=FleetSettings(groups="split")), DESCRIBED)
    every = [port for rows in split.values() for port in alone.ports_of(DESCRIBED.plan, rows).ports]
    assert sorted(every, key=lambda port: port.port) == list(DESCRIBED.plan.ports)


def test_without_a_budget_nothing_is_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "stated", lambda memory: memory)
    arranged = assemble.arranged(Config(), DESCRIBED)
    assert alone.configured(Config(), arranged, "back") == Config()
    with pytest.raises(InputError, match="no group 'front'; there are: decoys, back"):
        alone.configured(Config(), arranged, "front")
