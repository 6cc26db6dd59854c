"""What the reader says of wrong files, and what of right ones it takes."""

import textwrap

import pytest

from chaffinch.errors import InputError
from chaffinch.load.scenario import declared
from chaffinch.load.scenario.kinds import Body, Json
from chaffinch.load.scenario.reader import read_scenario


def read(text: str) -> declared.ScenarioFile:
    file, _ = read_scenario(textwrap.dedent(text), "shop.yaml")
    return file


def faults(text: str) -> list[str]:
    with pytest.raises(InputError) as error:
        read(text)
    return str(error.value).splitlines()


def with_step(step: str, above: str = "") -> str:
    return f'version: "1.0"\n{above}scenarios:\n  - name: s\n    steps:\n      - {step}\n'


def test_every_fault_is_told_with_line_field_and_what_is_allowed() -> None:
    assert faults("""\
        version: "1.0"
        config:
          baseUrl: http://127.0.0.1
          timeot: 30s
          workers: 10001
          duration: soon
          skipTlsVerify: maybe
        load: {model: rpm, target: 5}
        scenarios:
          - name: shop
            weight: -1
            steps:
              - request: {path: /a}
              - request: {path: /b}
              - request:
                  method: FETCH
                  path: /c
                thinkTime: [1s, 2s]
              - assertions: [{type: statusCode, expected: 700}, {type: bodyContains}, {type: bodyLooks}]
                request: {}
                extract:
                  - {type: jsonPath, name: 1st, path: $.a}
        """) == [
        "shop.yaml:4: field config: there is no key \"timeot\" here: did you mean 'timeout'?",
        'shop.yaml:5: field config.workers: "10001" is out of range: from 1 to 10,000',
        'shop.yaml:6: field config.duration: "soon" is not a duration: write it like 500ms, 30s, 5m, 1h30m or 2d',
        'shop.yaml:7: field config.skipTlsVerify: "maybe" must be true or false',
        'shop.yaml:8: field load.model: "rpm" is not a model: concurrent, rps, ramp, dailytraffic, steps, replay',
        'shop.yaml:11: field scenarios[0].weight: "-1" is out of range: from 0 to 1,000,000',
        (
            'shop.yaml:16: field scenarios[0].steps[2].request.method: "FETCH" is not a method: '
            "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"
        ),
        "shop.yaml:18: field scenarios[0].steps[2].thinkTime: this is a list: it must be a duration or a mapping",
        (
            'shop.yaml:19: field scenarios[0].steps[3].assertions[0].expected: "700" is not a status: '
            "write 200, 2xx, 200-299 or a list of those"
        ),
        "shop.yaml:19: field scenarios[0].steps[3].assertions[1]: text is missing: give a text",
        (
            'shop.yaml:19: field scenarios[0].steps[3].assertions[2].type: "bodyLooks" is not a type: '
            "statusCode, responseTime, jsonPath, bodyContains, bodyMatches, headerExists"
        ),
        "shop.yaml:20: field scenarios[0].steps[3].request: path is missing: give a text",
        (
            'shop.yaml:22: field scenarios[0].steps[3].extract[0].name: "1st" cannot name a variable: '
            "use letters, digits, _, . and -, at most 64, with a letter in front"
        ),
    ]


def test_twenty_faults_are_shown() -> None:
    found = faults(with_step("request: {path: /}", "config:\n" + "".join(f"  wrong{n}: 1\n" for n in range(50))))
    assert len(found) == 21
    assert found[0].startswith("shop.yaml:3: field config: there is no key")
    assert found[-1] == "shop.yaml: 30 more, not shown: mend these first"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("version: '2.0'\nnew: 1\n", 'shop.yaml:1: field version: "2.0" is not known: "1.0"'),
        ("scenarios: []\n", 'shop.yaml:1: version is missing: write version: "1.0"'),
        ("- a\n", 'shop.yaml:1: a scenario file is a mapping that begins with version: "1.0"'),
        ("hello\n", 'shop.yaml:1: a scenario file is a mapping that begins with version: "1.0"'),
        ("version: '1.0'\n", "shop.yaml:1: scenarios is missing: give a list of mappings"),
        ("version: '1.0'\nscenarios: []\n", "shop.yaml:2: field scenarios: it is empty: give at least 1"),
        (with_step("request: {path: }"), "shop.yaml:5: field scenarios[0].steps[0].request.path: it is empty"),
        (
            with_step("{request: {path: /a, url: /b}}"),
            "shop.yaml:5: field scenarios[0].steps[0].request.url: this is the same as path: keep one of them",
        ),
    ],
)
def test_one_fault_is_one_sentence(text: str, sentence: str) -> None:
    assert faults(text)[0].startswith(sentence)


def test_the_version_may_stand_without_quotes() -> None:
    assert read(with_step("request: {path: /}").replace('"1.0"', "1.0")).version == "1.0"


def test_a_key_without_a_value_is_not_given() -> None:
    file = read(with_step("request: {path: /}", "metadata:\nconfig:\n  pool:\n  timeout:\nstandby: {}\n"))
    assert file.config.timeout is None
    assert file.metadata.tags == ()
    assert file.standby is not None
    assert file.standby.workers == 2


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{type: jsonPath, name: a, path: $.x}", declared.JsonExtract(name="a", path="$.x")),
        ("{type: jsonPath, name: a, jsonPath: $.x}", declared.JsonExtract(name="a", path="$.x")),
        ("{type: jsonpath, variable: a, expression: $.x}", declared.JsonExtract(name="a", path="$.x")),
        ("{type: regex, name: a, pattern: 'i(d)'}", declared.RegexExtract(name="a", pattern="i(d)")),
        ("{type: regex, name: a, regex: 'i(d)', group: 0}", declared.RegexExtract(name="a", pattern="i(d)", group=0)),
        ("{type: header, name: a, header: X}", declared.HeaderExtract(name="a", header="X")),
        (
            "{type: cookie, name: a, cookie: sid, default: none}",
            declared.CookieExtract(name="a", cookie="sid", default="none"),
        ),
    ],
)
def test_extractions_in_all_their_spellings(written: str, expected: declared.Part) -> None:
    step = read(with_step(f"{{request: {{path: /}}, extract: [{written}]}}")).scenarios[0].steps[0]
    assert without_places(step.extract[0]) == without_places(expected)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{type: statusCode, expected: 200}", declared.StatusAssertion(expected=((200, 200),))),
        ("{type: status_code, code: 204}", declared.StatusAssertion(expected=((204, 204),))),
        ("{type: statusCode, status: 2XX}", declared.StatusAssertion(expected=((200, 299),))),
        ("{type: statusCode, value: [200, 301-302]}", declared.StatusAssertion(expected=((200, 200), (301, 302)))),
        ("{type: responseTime, max: 500ms}", declared.TimeAssertion(max=500)),
        ("{type: responseTime, maxMs: 500}", declared.TimeAssertion(max=500)),
        ("{type: responseTime, lessThan: 1s}", declared.TimeAssertion(max=1000)),
        ("{type: jsonPath, path: $.a}", declared.JsonAssertion(path="$.a")),
        ("{type: jsonPath, jsonPath: $.a, expected: 1.0}", declared.JsonAssertion(path="$.a", expected=Json("1.0"))),
        ("{type: jsonPath, path: $.a, equals: '1'}", declared.JsonAssertion(path="$.a", expected=Json('"1"'))),
        ("{type: bodyContains, text: ok}", declared.ContainsAssertion(text="ok")),
        ("{type: bodyContains, expected: ok}", declared.ContainsAssertion(text="ok")),
        ("{type: bodyMatches, regex: '^ok'}", declared.MatchesAssertion(pattern="^ok")),
        ("{type: bodyMatches, pattern: '^ok'}", declared.MatchesAssertion(pattern="^ok")),
        ("{type: headerExists, header: ETag}", declared.HeaderAssertion(header="ETag")),
        ("{type: headerExists, name: ETag}", declared.HeaderAssertion(header="ETag")),
    ],
)
def test_assertions_in_all_their_spellings(written: str, expected: declared.Part) -> None:
    step = read(with_step(f"{{request: {{path: /}}, assertions: [{written}]}}")).scenarios[0].steps[0]
    assert without_places(step.assertions[0]) == without_places(expected)


def test_bodies_are_texts_or_json() -> None:
    def body(written: str) -> Body | None:
        return read(with_step(f"request: {{path: /, body: {written}}}")).scenarios[0].steps[0].request.body

    assert body("'a=1'") == Body("a=1")
    assert body("12") == Body("12")
    assert body("{id: '${id}', price: 1.10, tags: [a, true, null]}") == Body(
        '{"id":"${id}","price":1.10,"tags":["a",true,null]}', is_json=True
    )


def test_headers_and_parameters_take_numbers_and_lists() -> None:
    request = (
        read(with_step("request: {path: /, headers: {X-N: 5}, query: {q: [a, 1.0]}}")).scenarios[0].steps[0].request
    )
    assert request.headers == {"X-N": "5"}
    assert request.query_params == {"q": ("a", "1.0")}


def without_places(part: declared.Part) -> dict[str, object]:
    return {"": type(part)} | {name: getattr(part, name) for name in part.__struct_fields__ if name != "place"}
