"""The published schema is that of the structs, and says what results are."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import chaffinch.load.report
from chaffinch.load import polls, results
from chaffinch.load.report import schema
from chaffinch.load.thresholds import judged, parse_thresholds
from tests.load import running

PUBLISHED = Path(chaffinch.load.report.__file__).with_name("schema.json")


def test_the_published_schema_is_up_to_date() -> None:
    told = "run `python -m chaffinch.load.report.schema > src/chaffinch/load/report/schema.json`"
    assert PUBLISHED.read_text() == schema.published(), told


def validator() -> Any:
    return jsonschema_rs.validator_for(json.loads(PUBLISHED.read_text()))


def test_results_are_what_it_says() -> None:
    labels = {name: running.label(5, 1) for name in running.HOSTILE}
    memory = results.Memory(peak_rss_bytes=1, guard=(results.GuardAction(1.0, "halve"),))
    result = judged(running.ran(labels=labels, memory=memory), parse_thresholds(["p99<1s", "label[x].p99<1s"]))
    for one in (result, results.finished(polls.Poll(), results.Run(), results.Memory())):
        validator().validate(json.loads(one.to_json()))


@pytest.mark.parametrize(
    "change", [{"requests": "many"}, {"rate": None}, {"labels": [1]}, {"thresholds": [{"verdict": "maybe"}]}]
)
def test_what_no_results_are_is_refused(change: dict[str, Any]) -> None:
    body = json.loads(running.ran().to_json())
    with pytest.raises(jsonschema_rs.ValidationError):
        validator().validate(body | change)


def test_fields_of_a_newer_version_pass() -> None:
    validator().validate(json.loads(running.ran().to_json()) | {"planet": "Earth"})


def test_what_every_version_has_is_required() -> None:
    body = json.loads(running.ran().to_json())
    for name in schema.ALWAYS:
        with pytest.raises(jsonschema_rs.ValidationError):
            validator().validate({key: value for key, value in body.items() if key != name})
