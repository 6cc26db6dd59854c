"""What the log says of a request whose chain failed."""

import asyncio
from pathlib import Path

import pytest

from tests.chain.http.running import running


def test_a_fault_of_a_handler_is_a_500_without_details(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with running(tmp_path) as server, asyncio.timeout(20):

            async def fail(*_: object) -> list[str]:
                raise ValueError("what nobody else may know")

            server.tenants.list = fail  # type: ignore[method-assign]
            server.tenants.stats = fail  # type: ignore[assignment]
            for path in ("/v1/chains", "/v1/chains/r%6Fom/stats"):
                answer = await server.ask("GET", path)
                assert (answer.status, answer.json["code"]) == (500, "failed")
                assert b"nobody else" not in answer.body
            assert server.token not in caplog.text

    asyncio.run(run())
    said = [(record.name, record.message) for record in caplog.records]
    assert said == [
        ("chaffinch.chain.http", "http.failed path=chains tenant="),
        ("chaffinch.chain.http", "http.failed path=stats tenant=r%6Fom"),
    ]
