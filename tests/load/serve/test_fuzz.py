"""Anything at all, over a connection or in a body: the control API is well after it, and what runs goes on."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.load.loaded import Control
from tests.http.fuzzing import CUTS, LEAVINGS, QUICK, VALUES, attempt, examples, streams_of
from tests.load.serve.running import Running, running, values
from tests.load.serve.target import scenario, target

EXAMPLES = examples(150)

TOKEN = "sesame-nobody-guesses"

TARGETS = (
    *("/health", "/ready", "/config", "/start", "/stop", "/load", "/metrics", "/result", "//health"),
    *("/", "/status", "/status?since=3", "/status?since=-1", "/status?since=%ff"),
    *("/health/", "/Health", "/%68ealth", "http://a/health", "/health?a=b", "/stop?%ff", "/health#a"),
)
SAFE = (("POST", "/load"), *(("GET", path) for path in ("/health", "/metrics", "/result", "/ready", "/status")))
SHOWN = (f"Authorization: Bearer {TOKEN}",)
streams = streams_of(SAFE, TARGETS, SHOWN, (), (b'{"rate": 5}', b"0\r\n\r\nGET /health HTTP/1.1\r\n"))

KEYS = st.sampled_from(("load", "rate", "workers", "users", "tenant", "model", "target", "version", "config"))
BODY = st.one_of(
    st.dictionaries(KEYS, VALUES, max_size=4).map(lambda value: json.dumps(value).encode()),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=80),
    st.sampled_from((b"[" * 60_000, b"{a: " * 10_000, b"&a [*a]", b"!!python/object:os.system {}", b"\xef\xbb\xbf{}")),
    st.sampled_from((b"{rate: 1e400}", b"{rate: .nan}", b"{workers: 99999999999999999999}", b"{rate: 0x10}")),
)


@pytest.fixture
def server(caplog: pytest.LogCaptureFixture) -> Iterator[Running]:
    with (
        target() as site,
        running(scenario(site, duration="24h"), control=Control(port=0, token=TOKEN), bounds=QUICK) as one,
    ):
        yield one
        well(one)
        assert not [line for line in values(one.page, "chaffinch_load_http_requests_total") if 'status="500"' in line]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def well(server: Running) -> None:
    """It answers the next good request, and nothing of the last peer is left."""
    assert server.ask("GET", "/ready").status == 200
    assert server.served is not None
    end = time.monotonic() + 10
    while server.served.doors.open:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_any_bytes_leave_the_server_alive(server: Running) -> None:
    with asyncio.Runner() as runner:

        @given(streams, CUTS, LEAVINGS)
        @settings(max_examples=EXAMPLES, deadline=None)
        def fuzz(sent: bytes, cut: int, leaving: str) -> None:
            assert TOKEN.encode() not in runner.run(attempt(server.port, sent, cut, leaving))
            well(server)

        fuzz()
    said = "".join(values(server.page, "chaffinch_load_http_requests_total"))
    for status in ("200", "400", "401", "404", "405"):
        assert f'status="{status}"' in said, "requests that are none at all test little"


@pytest.mark.parametrize("path", ["/load", "/config", "/stop"])
def test_any_body_is_taken_or_refused(path: str, server: Running) -> None:
    @given(BODY)
    @settings(max_examples=EXAMPLES, deadline=None)
    def fuzz(body: bytes) -> None:
        answer = server.ask("POST", path, body)
        assert answer.status in {200, 400, 409}, answer
        if answer.status != 200:
            assert answer.json.keys() == {"title", "status", "code", "detail", "type"}
            assert answer.json["status"] == answer.status

    fuzz()
    if path != "/stop":
        assert server.health["run"] == "1"
