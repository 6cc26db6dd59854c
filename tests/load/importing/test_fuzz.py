"""Importers under mutated input: what they make is a scenario that the reader takes, or they refuse in one sentence."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from chaffinch.errors import InputError
from chaffinch.load import load_text
from chaffinch.load.importing.curl import from_curl
from chaffinch.load.importing.har import from_har
from chaffinch.load.importing.openapi import from_openapi
from tests.load.scenario.test_fuzz import changed, mutated, rounds

ROUNDS = 120

HAR: Any = {"log": {"version": "1.2", "creator": {"name": "x"}, "entries": [
    {"startedDateTime": "2026-01-01T00:00:00.000Z", "time": 12.5, "request": {
        "method": "POST", "url": "http://127.0.0.1:9/a?b=c", "headers": [
            {"name": "Accept", "value": "text/html"}, {"name": "Cookie", "value": "a=b"},
        ], "queryString": [{"name": "b", "value": "c"}], "cookies": [{"name": "a", "value": "b"}],
        "postData": {"mimeType": "application/json", "text": '{"a": 1}', "params": []},
    }, "response": {"status": 200, "content": {"mimeType": "text/html"}}},
    {"startedDateTime": "2026-01-01T00:00:02Z", "time": 1, "request": {
        "method": "POST", "url": "https://b.test/form", "headers": [], "queryString": [],
        "postData": {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "u", "value": "é"}]},
    }, "response": {"status": 302}},
]}}  # fmt: skip

API: Any = {
    "openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "security": [{"k": []}],
    "servers": [{"url": "http://{h}.test/v1", "variables": {"h": {"default": "a"}}}],
    "paths": {"/a/{id}": {
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 3}}],
        "get": {"parameters": [
            {"name": "q", "in": "query", "required": True, "schema": {"enum": ["x", "y"]}},
            {"$ref": "#/components/parameters/P"},
        ], "responses": {"200": {"description": "ok"}}},
        "post": {
            "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S"}}}},
            "responses": {"201": {"description": "made"}, "default": {}},
        },
    }},
    "components": {
        "parameters": {"P": {"name": "X-A", "in": "header", "required": True, "example": "e"}},
        "schemas": {"S": {"type": "object", "required": ["a"], "properties": {
            "a": {"type": "string", "format": "date-time"},
            "b": {"type": "array", "items": {"$ref": "#/components/schemas/S"}},
            "c": {"allOf": [{"type": "object", "properties": {"z": {"type": "number", "example": 1.5}}}]},
            "d": {"oneOf": [{"type": "boolean"}, {"type": "null"}]},
            "e": {"type": "string", "pattern": "a+", "minLength": 3},
        }}},
    },
}  # fmt: skip

CURL = r"""curl -X POST 'http://127.0.0.1:8080/a?b=c' -H 'Content-Type: application/json' --data-raw '{"a": "b"}' \
  --compressed -u user:pass -k --max-time 5
curl "http://127.0.0.1/x" -d a=b --data-urlencode 'q=a b' -G -A agent -e ref -b 'a=b' --resolve a.test:80:127.0.0.1
# what else
curl $'http://a.test/\x41' -F x=y
"""


def _har(text: str) -> str:
    return from_har(text.encode("utf-8", "surrogatepass"), "recorded", hosts=(), keep_cookies=True)


def _openapi(text: str) -> str:
    return from_openapi(text, "described")


def _curl(text: str) -> str:
    return from_curl(text, "commands")


@pytest.mark.parametrize(
    ("importer", "text", "tree"),
    [
        (_har, json.dumps(HAR), None),
        (_har, "", HAR),
        (_openapi, json.dumps(API), None),
        (_openapi, yaml.safe_dump(API), None),
        (_openapi, "", API),
        (_curl, CURL, None),
    ],
    ids=["har text", "har tree", "openapi json", "openapi yaml", "openapi tree", "curl"],
)
def test_what_is_made_can_be_run(importer: Callable[[str], str], text: str, tree: Any, tmp_path: Path) -> None:
    made = 0
    slowest = 0.0
    for chance in rounds(ROUNDS, 11):
        given = mutated(text, chance) if tree is None else json.dumps(changed(tree, chance))
        began, said, scenario = time.process_time(), "", ""
        try:
            scenario = importer(given)
        except InputError as error:
            said = str(error)
        slowest = max(slowest, time.process_time() - began)
        assert max(map(len, said.split("\n"))) < 1000
        if scenario:
            made += 1
            assert load_text(scenario, "made.yaml", tmp_path).plan.scenarios[0].steps
    assert made
    assert slowest < 2
