"""URLs, headers and DNS overrides."""

import pytest

from chaffinch.load.plan import Resolve
from chaffinch.load.scenario.address import Url, check_header, clean_path, parse_url, resolve_entry


@pytest.mark.parametrize(
    ("text", "url", "host"),
    [
        ("http://127.0.0.1", Url("http://127.0.0.1", "/"), "127.0.0.1"),
        ("HTTPS://Shop.Test:8443/A?b=C#frag", Url("https://shop.test:8443", "/A?b=C"), "shop.test"),
        ("http://[::1]:81/x", Url("http://[::1]:81", "/x"), "[::1]"),
        ("http://a.test?q=1", Url("http://a.test", "/?q=1"), "a.test"),
        ("http://a.test:/", Url("http://a.test", "/"), "a.test"),
        ("http://u:p%40@a.test/ü b", Url("http://a.test", "/%C3%BC%20b", "u:p%40"), "a.test"),
    ],
)
def test_urls(text: str, url: Url, host: str) -> None:
    assert parse_url(text) == url
    assert url.host == host


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a URL"),
        ("/path", "is not a URL"),
        ("ftp://a.test/", "is not a URL"),
        ("http://", "is not a URL"),
        ("http:///x", "is not a URL"),
        ("http://a b.test/", "is not a host"),
        ("http://a.test\nHost: evil", "is not a"),
        ("http://münchen.test/", "xn-- form"),
        ("http://a.test:0/", "is not a port"),
        ("http://a.test:65536/", "is not a port"),
        ("http://a.test:99999999/", "is not a URL"),
        ("http://[::g]/", "is not a URL"),
        ("http://[1:2]/", "is not an IP address"),
        ("http://${host}/", "has a variable in its host"),
        ("http://a.test:${port}/", "is not a URL"),
        ("http://$host.test/", "has a variable in its host"),
    ],
)
def test_what_is_no_url(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_url(text)


def test_paths_keep_variables_and_what_is_encoded() -> None:
    assert clean_path("/a b/${id}?q=%20\r\n\u20ac") == "/a%20b/${id}?q=%20%0D%0A%E2%82%AC"


def test_headers_that_cannot_be_sent() -> None:
    check_header("X-Trace", "a\tb ${id} ü")
    for name, value in (("", "x"), ("X Y", "x"), ("X:", "x"), ("X", "a\r\nB: c"), ("X", "\x00"), ("Ü", "x")):
        with pytest.raises(ValueError, match=r"header"):
            check_header(name, value)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("a.test:127.0.0.1:8443", Resolve("a.test", None, "127.0.0.1", 8443)),
        ("A.test:[2001:db8::1]:443", Resolve("a.test", None, "2001:db8::1", 443)),
        ("a.test:127.0.0.1:0", Resolve("a.test", None, "127.0.0.1", None)),
        ("a.test:127.0.0.1", Resolve("a.test", None, "127.0.0.1", None)),
    ],
)
def test_overrides(text: str, entry: Resolve) -> None:
    assert resolve_entry(text) == entry


@pytest.mark.parametrize("text", ["", "a.test", "a.test:b.test:80", "a.test:::1:80", "a.test:127.0.0.1:99999", "a:1:4"])
def test_what_is_no_override(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not"):
        resolve_entry(text)
