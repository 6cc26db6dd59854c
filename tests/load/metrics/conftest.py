"""What the engine says at the end of a run: what metrics are made of."""

from collections.abc import Iterator

import pytest

from chaffinch.load.metrics.reading import Reading, decode
from tests.load.metrics.pages import poll_of
from tests.load.serve.target import scenario, target

STEPS = (
    "      - {name: a, request: {path: /}, assertions: [{type: statusCode, expected: 200}]}\n"
    "      - {name: b, request: {path: /missing}}\n"
)


@pytest.fixture(scope="module")
def poll() -> Iterator[bytes]:
    """What the engine says at the end of a run of 20 iterations, every second request of which fails."""
    with target() as site:
        yield poll_of(site, scenario(site, requests=40, steps=STEPS))


@pytest.fixture
def reading(poll: bytes) -> Reading:
    return decode(poll)
