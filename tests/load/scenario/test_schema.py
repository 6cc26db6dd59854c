"""The published schema and the reference tables are those of the declarations, and say what the reader does."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml  # type: ignore[import-untyped]

import chaffinch.load
from chaffinch.load.scenario import schema
from tests.load.scenario.test_files import MINIMAL, WHOLE

PUBLISHED = Path(chaffinch.load.__file__).with_name("schema.json")
PAGE = Path(__file__).parents[3] / "docs" / "load-scenarios.md"


def test_the_published_schema_is_up_to_date() -> None:
    told = "run `python -m chaffinch.load.scenario.schema > src/chaffinch/load/schema.json`"
    assert PUBLISHED.read_text(encoding="utf-8") == schema.published(), told


def test_the_page_has_every_key() -> None:
    told = "run `python -m chaffinch.load.scenario.schema reference` into the page"
    assert schema.reference() in PAGE.read_text(encoding="utf-8"), told


def faults(text: str) -> list[str]:
    validator = jsonschema_rs.Draft202012Validator(json.loads(PUBLISHED.read_text(encoding="utf-8")))
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


def test_what_the_reader_takes_the_schema_takes() -> None:
    assert faults(MINIMAL) == []
    assert faults(WHOLE.replace("method: post", "method: POST")) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"1.0"', '"2.0"'),
        ("baseUrl", "baseUri"),
        ("request:", "requests:"),
        ("path: /", "path: ''"),
        ("path: /", "body: x"),
        ("name: s", "name: s, weight: -1"),
        ("path: /}", "path: /}, thinkTime: soon"),
        ("path: /}", "path: /}, extract: [{type: xpath, name: a}]"),
        ("path: /}", "path: /}, assertions: [{type: statusCode}]"),
        ("scenarios", "load: {model: rps}\nscenarios"),
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(before: str, after: str) -> None:
    assert before in MINIMAL
    assert faults(MINIMAL.replace(before, after, 1)) != []
