"""Descriptions of APIs to scenario files."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.errors import InputError
from chaffinch.load.importing.openapi import from_openapi
from chaffinch.load.importing.samples import Document, Sampler, SpecError
from chaffinch.load.plan import Plan, StatusAssert, Step
from chaffinch.load.scenario.files import load_text

SHOP = """\
openapi: 3.1.0
info: {title: Shop API, version: "1"}
servers:
  - url: https://{region}.shop.test/v{version}
    variables:
      region: {default: eu, enum: [eu, us]}
      version: {default: "2"}
security: [{key: []}]
paths:
  /items:
    parameters:
      - {name: X-Tenant, in: header, required: true, schema: {type: string, enum: [blue, red]}}
    get:
      operationId: listItems
      parameters:
        - {name: limit, in: query, schema: {type: integer}, example: 10}
        - {name: cursor, in: query, schema: {type: string}}
        - {name: tags, in: query, required: true, schema: {type: array, items: {type: string}}}
      responses: {"200": {description: ok}, "206": {description: part}, default: {description: error}}
    post:
      requestBody:
        content:
          text/xml: {schema: {type: string}}
          application/json:
            schema: {$ref: "#/components/schemas/Item"}
      responses: {"201": {description: made}}
  /items/{id}:
    parameters:
      - $ref: "#/components/parameters/id"
    get:
      responses: {2XX: {description: ok}}
    delete:
      responses: {"204": {description: gone}}
  /login:
    post:
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema:
              type: object
              properties: {user: {type: string, format: email}, pin: {type: integer, minimum: 1000}}
components:
  parameters:
    id: {name: id, in: path, required: true, schema: {type: string, format: uuid}}
  schemas:
    Item:
      allOf:
        - type: object
          required: [name]
          properties:
            id: {type: string, readOnly: true}
            name: {type: string, example: "Lamp $5"}
            price: {type: number, exclusiveMinimum: 0}
        - type: object
          properties:
            parent: {$ref: "#/components/schemas/Item"}
            size: {oneOf: [{type: "null"}, {type: integer, default: 3}]}
            when: {type: [string, "null"], format: date}
"""

PETS = {
    "openapi": "3.0.3",
    "info": {"title": "Pets", "version": "1"},
    "servers": [{"url": "http://127.0.0.1:8080"}],
    "paths": {
        "/pets": {
            "post": {
                "requestBody": {
                    "content": {
                        "application/json": {
                            "examples": {"dog": {"$ref": "#/components/examples/dog"}},
                            "schema": {"type": "object"},
                        }
                    }
                },
                "responses": {"200": {"description": "ok"}},
            }
        }
    },
    "components": {"examples": {"dog": {"value": {"name": "Rex \U0001f600", "age": 3}}}},
}


def plan_of(text: str, **options: Any) -> Plan:
    return load_text(from_openapi(text, "api.yaml", **options), "imported.yaml").plan


def steps_of(text: str) -> dict[str, Step]:
    return {step.name: step for step in plan_of(text).scenarios[0].steps}


def test_a_step_for_each_operation() -> None:
    plan = plan_of(SHOP)
    assert plan.base_url == "https://eu.shop.test"
    steps = steps_of(SHOP)
    assert list(steps) == ["listItems", "POST /items", "GET /items/{id}", "DELETE /items/{id}", "POST /login"]
    listed = steps["listItems"]
    assert listed.path == "/v2/items?limit=10&tags=text"
    assert listed.headers == (("X-Tenant", "blue"),)
    assert listed.asserts == (StatusAssert(((200, 200), (206, 206))),)
    assert steps["GET /items/{id}"].path == "/v2/items/00000000-0000-4000-8000-000000000001"
    assert steps["GET /items/{id}"].asserts == (StatusAssert(((200, 299),)),)
    login = steps["POST /login"]
    assert login.body == "user=user%40example.test&pin=1000"
    assert login.headers == (("Content-Type", "application/x-www-form-urlencoded"),)


def test_bodies_come_from_the_schema() -> None:
    step = steps_of(SHOP)["POST /items"]
    assert step.body is not None
    body = msgspec.json.decode(step.body.replace("$$", "$"))
    assert body["name"] == "Lamp $5"
    assert body["price"] == 0.5
    assert body["size"] == 3
    assert body["when"] == "2026-01-02"
    assert "id" not in body
    assert body["parent"]["name"] == "Lamp $5"


def test_bodies_come_from_examples() -> None:
    (step,) = plan_of(msgspec.json.encode(PETS).decode()).scenarios[0].steps
    assert step.body == '{"name":"Rex \U0001f600","age":3}'


def test_the_file_says_what_to_look_at() -> None:
    text = from_openapi(SHOP, "api.yaml")
    assert text.startswith("# Imported from the OpenAPI description Shop API.\n# 3 of 5 steps may change")
    assert "# The API asks for credentials" in text


def test_a_title_of_spaces_is_none() -> None:
    assert plan_of(SHOP.replace("title: Shop API", 'title: " "')).scenarios[0].name == "api"


def test_another_host() -> None:
    assert plan_of(SHOP, base_url="http://127.0.0.1:8080/x").scenarios[0].steps[0].path.startswith("/x/items?")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "api.yaml:2: this is not YAML"),
        ('{"openapi": ', "api.yaml is not JSON: Input data was truncated"),
        ("[]", "api.yaml: this is not an OpenAPI description: it must be an object"),
        ("a: 1", "api.yaml: openapi is missing: 3.0 and 3.1 are read, convert others first"),
        ("swagger: '2.0'", "api.yaml: this is Swagger 2.0: 3.0 and 3.1 are read, convert others first"),
        ("openapi: 4.0.0", 'api.yaml: openapi is "4.0.0": 3.0 and 3.1 are read, convert others first'),
        ("openapi: 3.0.0", "api.yaml: /servers: no server is named: give a base URL"),
        (
            "{openapi: 3.0.0, servers: [{url: /v1}]}",
            'api.yaml: /servers/0/url: "/v1" names no host: give a base URL',
        ),
        ("{openapi: 3.0.0, servers: [{url: 'http://a'}]}", "api.yaml: /paths: there is no operation: describe one"),
        (
            "{openapi: 3.0.0, servers: [{url: 'http://{h}'}], paths: {}}",
            'api.yaml: /servers/0/variables: "h" has no default',
        ),
        (
            "{openapi: 3.0.0, servers: [{url: 'http://a'}], paths: {/x: {get: {parameters: [{$ref: 'b.yaml#/x'}]}}}}",
            'api.yaml: /paths/~1x/get/parameters/0: $ref "b.yaml#/x" leads out of the document: bundle it into one',
        ),
        (
            "{openapi: 3.0.0, servers: [{url: 'http://a'}], paths: {/x: {get: {parameters: [{$ref: '#/x/y'}]}}}}",
            'api.yaml: /paths/~1x/get/parameters/0: $ref "#/x/y" leads nowhere',
        ),
        (
            "{openapi: 3.0.0, servers: [{url: 'http://a'}], paths: {'/{x}': {get: {}}}}",
            "api.yaml: /paths/~1{x}/get: the path has {x}, but no parameter describes it",
        ),
        (
            "{openapi: 3.0.0, servers: [{url: 'http://a'}], a: {$ref: '#/a'}, paths: {/x: {$ref: '#/a'}}}",
            'api.yaml: /paths/~1x: $ref "#/a" leads to itself',
        ),
    ],
)
def test_what_is_broken_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        from_openapi(text, "api.yaml")
    assert str(error.value).startswith(sentence)


def posting(schema: Any, **more: Any) -> str:
    paths = {"/x": {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}}
    return msgspec.json.encode({**PETS, **more, "paths": paths}).decode()


def test_a_schema_without_an_end_is_refused() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/s"}}}
    with pytest.raises(InputError, match="this schema requires itself without an end"):
        from_openapi(posting(schema, s=schema), "api.json")


def test_a_schema_that_multiplies_is_refused() -> None:
    properties = {f"p{n}": {"type": "array", "minItems": 9999, "items": {"type": "string"}} for n in range(9)}
    with pytest.raises(InputError, match=r"has more than 10,000 values: write one"):
        from_openapi(posting({"properties": properties}), "api.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "properties", "items", "allOf", "oneOf", "$ref", "minimum", "required", "enum", "example",
             "minItems",
             "format", "minLength", "maxLength", "exclusiveMinimum", "additionalProperties"]
        ),
        inner | st.sampled_from(["object", "array", "string", "integer", "#/a", "date"]),
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_any_schema_has_a_sample_or_is_refused(schema: Any) -> None:
    document = Document({"a": schema})
    with contextlib.suppress(SpecError):
        msgspec.json.encode(Sampler(document).of(schema, "/a"))


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_any_operation_is_read_or_refused(value: Any) -> None:
    text = msgspec.json.encode(
        {**PETS, "a": value, "paths": {"/{b}": {"get": {"parameters": [value], "requestBody": value}}}}
    )
    with contextlib.suppress(InputError):
        load_text(from_openapi(text.decode(), "api.json"), "imported.yaml")
