"""Faults in the log: where and of which kind, and never with what somebody wrote."""

import asyncio
import gc
import logging
import time
from collections.abc import Iterator

import pytest

from chaffinch.chat.faults import Terse

WORD = "xylophone"


@pytest.fixture(autouse=True)
def terse() -> Iterator[None]:
    one = Terse()
    logging.getLogger("asyncio").addFilter(one)
    yield
    logging.getLogger("asyncio").removeFilter(one)


def test_of_a_task_that_nobody_awaited_the_kind_of_its_error_is_told_and_where(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def breaks() -> None:
        raise ValueError(WORD)

    async def test() -> None:
        asyncio.create_task(breaks(), name="bot told")  # noqa: RUF006 - that nobody holds it is what is looked at
        await asyncio.sleep(0.01)
        gc.collect()

    asyncio.run(test())
    assert "Task exception was never retrieved task=bot told task=" in caplog.text
    assert "breaks error=ValueError" in caplog.text
    assert "in breaks" in caplog.text
    assert WORD not in caplog.text


def test_debug_mode_shows_no_results(caplog: pytest.LogCaptureFixture) -> None:
    async def slow() -> str:
        time.sleep(0.15)  # noqa: ASYNC251 - what debug mode complains of
        return WORD

    with caplog.at_level(logging.DEBUG):
        asyncio.run(slow(), debug=True)
    assert "Executing something took 0.1" in caplog.text
    assert "slow" in caplog.text
    assert WORD not in caplog.text
    assert "Using selector" in caplog.text
