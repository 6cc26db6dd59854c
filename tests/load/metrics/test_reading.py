"""Readings are polls of the engine."""

import msgspec

from chaffinch.load import polls
from chaffinch.load.metrics.reading import Label, Reading, Under, by_class


def test_every_field_that_is_read_is_one_that_the_engine_writes(poll: bytes) -> None:
    written = msgspec.json.decode(poll)

    def missing(struct: type[msgspec.Struct], found: dict[str, object]) -> set[str]:
        return {field.encode_name for field in msgspec.structs.fields(struct)} - found.keys()

    assert missing(Reading, written) == set()
    assert missing(Under, written["latency_under"]) == set()
    assert missing(polls.Folded, written["folded"]) == set()
    assert missing(polls.Histograms, written["histograms"]) == set()
    assert missing(polls.Generator, written["generator"]) == set()
    assert missing(Label, written["labels"]["page/a"]) == set()


def test_a_status_that_is_none_and_no_answer_count_as_none() -> None:
    found = by_class(10, {"200": 3, "204": 1, "503": 2, "999": 1})
    assert found == {"1xx": 0, "2xx": 4, "3xx": 0, "4xx": 0, "5xx": 2, "none": 4}
    assert by_class(0, {"200": 3})["none"] == 0  # counted a moment later than the status
