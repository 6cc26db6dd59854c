"""Polls are read as they come."""

import json

from chaffinch.load.polls import decode_poll, decode_progress
from tests.load import running


def test_a_view_reads_a_poll_without_its_labels() -> None:
    labels = {f"label {number}": running.label(10) for number in range(1000)}
    data = running.poll(labels=labels)
    seen = decode_progress(data)
    assert not hasattr(seen, "labels")
    assert seen.requests == 1000
    assert len(decode_poll(data).labels) == 1000


def test_what_is_not_there_is_null_or_missing() -> None:
    bare = decode_poll(b'{"state":"running","elapsed_s":0.0,"latency_ms":{"corrected":null}}')
    assert bare.requests == 0
    assert bare.latency_ms.corrected is None
    nothing = json.loads(running.poll())["latency_ms"]["corrected"] | {"p50": None, "count": 0}
    found = decode_poll(running.poll(latency_ms={"corrected": nothing, "uncorrected": None}))
    assert found.latency_ms.corrected is not None
    assert found.latency_ms.corrected.p50 is None
