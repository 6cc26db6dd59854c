"""Recordings to scenario files."""

from typing import Any

import msgspec
import pytest

from chaffinch.errors import InputError
from chaffinch.load.importing.har import from_har
from chaffinch.load.plan import Plan
from chaffinch.load.scenario.files import load_text


def entry(url: str, at: str, *, method: str = "GET", time: float = 100.0, **request: Any) -> dict[str, Any]:
    """As Firefox and Chromium write them, with what the importer has no use for."""
    return {
        "startedDateTime": f"2026-01-02T03:04:{at}Z",
        "time": time,
        "pageref": "page_1",
        "_resourceType": "xhr",
        "request": {
            "method": method, "url": url, "httpVersion": "http/2.0", "cookies": [], "queryString": [],
            "headersSize": -1, "bodySize": 0,
            "headers": [
                {"name": ":authority", "value": "shop.test"}, {"name": "Host", "value": "shop.test"},
                {"name": "Accept", "value": "*/*"}, {"name": "Cookie", "value": "sid=secret"},
                {"name": "Accept-Encoding", "value": "br"}, {"name": "Content-Length", "value": "3"},
            ],
            **request,
        },
        "response": {"status": 200, "content": {"size": 1, "mimeType": "text/html"}},
        "cache": {},
        "timings": {"wait": 1},
    }  # fmt: skip


def har(*entries: dict[str, Any]) -> str:
    log = {"version": "1.2", "creator": {"name": "Firefox", "version": "140"}, "pages": [], "entries": list(entries)}
    return msgspec.json.encode({"log": log}).decode()


RECORDED = har(
    entry("https://shop.test/?q=$1", "00.000"),
    entry("https://tracker.test/pixel.gif", "00.050"),
    entry("data:image/png;base64,AA", "00.060"),
    entry("https://shop.test:8443/api", "02.600", time=50),
    entry(
        "https://shop.test/login", "02.620", method="POST",
        postData={"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "user", "value": "a b"}]},
    ),
    entry("https://shop.test/json", "04.000", method="PUT",
          postData={"mimeType": "application/json", "text": '{"a":"$"}'}),
)  # fmt: skip


def plan_of(text: str, **options: Any) -> Plan:
    return load_text(from_har(text, "r.har", **options), "imported.yaml").plan


def test_requests_and_the_pauses_between_them() -> None:
    plan = plan_of(RECORDED)
    assert plan.base_url == "https://shop.test"
    steps = plan.scenarios[0].steps
    assert [(one.method, one.path, one.think_ms[0]) for one in steps] == [
        ("GET", "/?q=$$1", 2500),
        ("GET", "https://shop.test:8443/api", 0),
        ("POST", "/login", 1280),
        ("PUT", "/json", 0),
    ]
    assert steps[0].headers == (("Accept", "*/*"),)
    assert steps[2].body == "user=a+b"
    assert steps[2].headers[-1] == ("Content-Type", "application/x-www-form-urlencoded")
    assert steps[3].body == '{"a":"$$"}'


def test_the_file_says_what_is_left_out() -> None:
    text = from_har(RECORDED, "r.har")
    assert "# Left out, because the host was not named: tracker.test (1)." in text
    assert "# Left out: 1 that are not http or https." in text
    assert "# Recorded cookies are left out" in text
    assert "secret" not in text


def test_only_hosts_that_are_named() -> None:
    plan = plan_of(RECORDED, hosts=["Tracker.test"], keep_cookies=True)
    assert plan.base_url == "https://tracker.test"
    assert [one.path for one in plan.scenarios[0].steps] == ["/pixel.gif"]
    assert ("Cookie", "sid=secret") in plan.scenarios[0].steps[0].headers
    assert len(plan_of(RECORDED, hosts=["tracker.test", "shop.test"]).scenarios[0].steps) == 5


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<html>", "r.har is not JSON: JSON is malformed: invalid character (byte 0)"),
        ("", "r.har is not JSON: Input data was truncated"),
        ('{"log": {}}', "r.har: log is not as HAR 1.2 has it: Object missing required field `entries`"),
        (
            har({"startedDateTime": "2026-01-02T03:04:05Z", "request": {"method": "GET", "url": 5}}),
            "r.har: log.entries[0].request.url is not as HAR 1.2 has it: Expected `str`, got `int`",
        ),
        (har(), "r.har has no request over http or https that can be sent: record some"),
        (har(entry("http://", "00")), 'r.har: log.entries[0].request.url: "http://" is not a URL'),
        (
            har(entry("http://a/", "00") | {"startedDateTime": "yesterday"}),
            'r.har: log.entries[0].startedDateTime: "yesterday" is not a time such as 2026-01-02T03:04:05.678Z',
        ),
        (
            har(entry("http://a/", "00", headers=[{"name": "A", "value": "b\r\nC: d"}])),
            "r.har: log.entries[0].request.headers: the header A has a line break",
        ),
        (
            har(*[entry("http://a/", "00")] * 1001),
            "r.har has 1,001 requests: at most 1,000 can be steps, name fewer hosts",
        ),
        ("[" * 100_000, "r.har"),
    ],
    ids=range(10),
)
def test_what_is_broken_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        from_har(text, "r.har")
    assert str(error.value).startswith(sentence)


def test_a_host_that_is_not_in_it() -> None:
    with pytest.raises(InputError) as error:
        from_har(RECORDED, "r.har", hosts=["other.test"])
    assert str(error.value) == "r.har has no request to other.test: it has some to shop.test, tracker.test"
