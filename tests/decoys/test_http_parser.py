"""The pure parts of the http decoy: heads, paths, bodies, conditions, logins."""

import zlib

import pytest

from chaffinch.decoys.http import answers, conditional, forms
from chaffinch.decoys.http.body import KEEP_BYTES, PREVIEW_BYTES, Body
from chaffinch.decoys.http.parser import Head, Refusal, resolve


def refused(data: bytes) -> int:
    """The status of the refusal, 0 for none."""
    head = Head()
    try:
        head.read(data)
    except Refusal as refusal:
        return refusal.status
    return 0


def test_head() -> None:
    head = Head()
    data = b"\r\nPOST http://Host.example:8080/a%20b?c#d HTTP/1.1\r\nHost: x\r\nCookie:  a=b \r\n"
    data += b"Content-Length: 3\r\n\r\nrest"
    assert data[head.read(data) :] == b"rest"
    assert (head.method, head.target, head.path, head.version) == (b"POST", b"/a%20b?c#d", b"/a b", 1001)
    assert (head.host, head.length, head.keep_alive, head.complete) == (b"Host.example", 3, True, True)
    assert head.headers == [(b"Host", b"x"), (b"Cookie", b"a=b"), (b"Content-Length", b"3")]


@pytest.mark.parametrize(
    "line", [b"GET / HTTP/1.1", b"GET http://[::1]:80/x?y HTTP/1.0", b"A_B-C  /x  HTTP/1.25  ", b"GET /a"]
)
def test_every_beginning_of_a_good_line_may_be_continued(line: bytes) -> None:
    assert [refused(line[:end]) for end in range(len(line) + 1)] == [0] * (len(line) + 1)
    assert refused(line + b"\r") == 0


@pytest.mark.parametrize("header", [b"Host: a", b"X-Odd_: b", b"Bare", b"Odd(: x"])
def test_every_beginning_of_a_good_header_may_be_continued(header: bytes) -> None:
    start = b"GET / HTTP/1.1\r\n"
    assert [refused(start + header[:end]) for end in range(len(header) + 1)] == [0] * (len(header) + 1)


def test_a_bad_byte_is_refused_before_its_line_ends() -> None:
    assert refused(b"g") == 400
    assert refused(b"GET /a\x01") == 400
    assert refused(b"GET / HTTP/2") == 505
    assert refused(b"GET / HTTP/1.1\r\n ") == 400
    assert refused(b"GET / HTTP/1.1\r\nA: \0") == 400


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", b"/"), (b"//a///b", b"/a/b"), (b"/a/./b/../c", b"/a/c"), (b"/a/..", b"/"), (b"/a/.", b"/a/"),
        (b"/%2e%2E/", None), (b"/a%2f..%2fb", b"/b"), (b"/%zz", None), (b"/%", None), (b"/a%00", None), (b"/..", None),
        (b"/a?/../..", b"/a"),
        (b"/a#?b", b"/a"), (b"/%3f%23", b"/?#"), (b"/...", b"/..."), (b"/a/b/..", b"/a/"),
    ],
)  # fmt: skip
def test_resolve(target: bytes, path: bytes | None) -> None:
    if path is None:
        with pytest.raises(Refusal):
            resolve(target)
    else:
        assert resolve(target) == path


def test_body_of_a_length() -> None:
    body = Body(5)
    assert body.feed(b"abc") == b""
    assert body.feed(b"defg") == b"fg"
    assert (body.done, body.size, bytes(body.kept), body.whole) == (True, 5, b"abcde", True)


@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_chunked_body_in_any_pieces(step: int) -> None:
    data = b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nNEXT"
    body = Body(-1)
    rest = b""
    for at in range(0, len(data), step):
        rest = body.feed(rest + data[at : at + step])
    assert (body.done, bytes(body.kept), rest[:1]) == (True, b"abc0123456789", b"N")


@pytest.mark.parametrize("data", [b"x", b"3\r\nabcd", b"3\rx", b"ffffffffffffffffff\r\n", b"0\r\n\rx"])
def test_broken_chunks(data: bytes) -> None:
    body = Body(-1)
    body.feed(data)
    assert body.broken


def test_body_is_held_up_to_a_bound() -> None:
    body = Body(KEEP_BYTES * 4)
    for _ in range(KEEP_BYTES * 4 // 4096):
        body.feed(bytes(4096))
        assert len(body.kept) <= KEEP_BYTES
    assert (body.done, body.size, len(body.kept), body.whole) == (True, KEEP_BYTES * 4, PREVIEW_BYTES, False)


def test_dates() -> None:
    assert conditional.format_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    for text in (b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"):
        assert conditional.parse_date(text) == 784111777
    for seconds in range(0, 4_000_000_000, 86_399 * 77):
        assert conditional.parse_date(conditional.format_date(seconds).encode()) == seconds
    assert conditional.parse_date(b"Sun, 06 Foo 1994 08:49:37 GMT") == -1


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        (b"bytes=0-9", [(0, 10)]), (b"bytes=-5", [(95, 100)]), (b"bytes=90-", [(90, 100)]), (b"bytes=100-", []),
        (b"x=0-1", None), (b"bytes=0-1,5-6", [(0, 2), (5, 7)]), (b"bytes=0-,0-", None), (b"bytes=", None),
        (b"bytes=a", []), (b"bytes=5-1", []),
    ],
)  # fmt: skip
def test_ranges(asked: bytes, parts: list[tuple[int, int]] | None) -> None:
    assert conditional.ranges({b"range": asked}, 100, b'"e"', 0) == parts


@pytest.mark.parametrize(
    ("accepted", "wanted"),
    [
        (b"gzip", True), (b"gzip;q=0", False), (b"gzip;q=0.001", True), (b"x-gzip", False),
        (b"br, gzip;q=1.0, *", True), (b"*", False),
    ],
)  # fmt: skip
def test_wants_gzip(accepted: bytes, wanted: bool) -> None:
    assert conditional.wants_gzip({b"accept-encoding": accepted}, 1001) is wanted


def test_gzip_opens_again() -> None:
    for size in (0, 20, 615, 5000, 70_000):
        body = bytes(range(256)) * (size // 256 + 1)
        assert zlib.decompress(answers.gzip(body), 31) == body


@pytest.mark.parametrize(
    ("body", "pair"),
    [
        (b"log=admin&pwd=x&wp-submit=Log+In", (b"admin", b"x")),
        (b"csrf=1&user_email=a%40b.c&user_password=%26", (b"a@b.c", b"&")),
        (b'{"Username":"u","Password":"p"}', (b"u", b"p")),
        (b"q=search", None),
        (b"username=only", None),
        (b"", None),
    ],
)
def test_login_of_a_form(body: bytes, pair: tuple[bytes, bytes] | None) -> None:
    assert forms.login(body) == pair


def test_basic() -> None:
    assert forms.basic(b"Basic YTpiOmM=") == (b"a", b"b:c")
    assert forms.basic(b"Basic YQ==") is None
    assert forms.basic(b"Basic Y") is None
    assert forms.basic(b"Bearer YTpi") is None
