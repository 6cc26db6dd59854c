"""Asking again: how often, how long apart, and what is not asked again."""

import asyncio

import pytest

from chaffinch.chain import UnknownTenantError
from chaffinch.chat.training import patience
from chaffinch.chat.training.source import FaultError, RefusedError
from chaffinch.errors import RunError


def test_faults_are_asked_again_ever_later_up_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    told: list[str] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def ask() -> str:
        if len(waits) < 12:
            raise FaultError(f"fault {len(waits)}")
        return "said"

    monkeypatch.setattr(patience.asyncio, "sleep", sleep)
    assert asyncio.run(patience.patiently(ask, told.append)) == "said"
    assert told == [f"fault {number}" for number in range(12)] + [""]
    assert all(0.25 * 2**number <= wait <= 0.5 * 2**number for number, wait in enumerate(waits[:7]))
    assert all(30 <= wait <= 60 for wait in waits[8:])


def test_what_is_refused_is_not_asked_again() -> None:
    async def ask() -> None:
        raise RefusedError(403)

    with pytest.raises(RefusedError):
        asyncio.run(patience.patiently(ask, lambda _: None))


def test_what_a_chain_cannot_do_now_is_a_fault_with_its_sentence() -> None:
    with pytest.raises(FaultError) as raised, patience.chain_faults():
        raise RunError("the disk is full: free room")
    assert raised.value.reason == "the disk is full: free room"
    with pytest.raises(UnknownTenantError), patience.chain_faults():
        raise UnknownTenantError("there is none")
