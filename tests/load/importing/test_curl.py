"""curl commands to scenario files."""

import pytest

from chaffinch.errors import InputError
from chaffinch.load.importing.curl import from_curl
from chaffinch.load.plan import Plan, Resolve, Step
from chaffinch.load.scenario.files import load_text

BROWSER = r"""curl 'https://shop.test/api/cart?items\[\]=1' \
  -X 'PUT' \
  -H 'accept: application/json, text/plain, */*' \
  -H 'accept-language: de-DE,de;q=0.9' \
  -H 'content-type: application/json' \
  -H $'x-name: J\u00f6rg\'s' \
  -b 'sid=abc; theme=dark' \
  -H 'user-agent: Mozilla/5.0 (X11; Linux x86_64)' \
  --compressed \
  --insecure \
  --data-raw $'{"id":"$5","text":"a\\nb \u0021"}'
"""


def plan_of(text: str) -> Plan:
    return load_text(from_curl(text), "imported.yaml").plan


def step_of(text: str) -> Step:
    (step,) = plan_of(text).scenarios[0].steps
    return step


def test_what_a_browser_copies() -> None:
    plan = plan_of(BROWSER)
    assert plan.base_url == "https://shop.test"
    assert plan.compression
    assert not plan.tls.verify
    (step,) = plan.scenarios[0].steps
    assert (step.method, step.path) == ("PUT", "/api/cart?items%5C[%5C]=1")
    assert step.body == '{"id":"$$5","text":"a\\nb !"}'
    assert step.headers == (
        ("accept", "application/json, text/plain, */*"),
        ("accept-language", "de-DE,de;q=0.9"),
        ("content-type", "application/json"),
        ("x-name", "Jörg's"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("Cookie", "sid=abc; theme=dark"),
    )


@pytest.mark.parametrize(
    ("text", "method", "path", "body"),
    [
        ("curl http://a.test", "GET", "/", None),
        ("curl -sSLf -o /dev/null a.test/x", "GET", "/x", None),
        ("curl -d a=1 -d b=2 http://a.test/", "POST", "/", "a=1&b=2"),
        ("curl -da=1 -XPATCH http://a.test/", "PATCH", "/", "a=1"),
        ("curl -G -d a=1 --data-urlencode 'b=c d&' http://a.test/?x=1", "GET", "/?x=1&a=1&b=c%20d%26", None),
        ("curl --data-urlencode 'b=c d' --url http://a.test/", "POST", "/", "b=c%20d"),
        ("curl --url-query 'q=a b' http://a.test/", "GET", "/?q=a%20b", None),
        ("curl -I http://a.test/", "HEAD", "/", None),
        ("curl --request delete http://a.test/1", "DELETE", "/1", None),
        ("curl --json '{}' http://a.test/", "POST", "/", "{}"),
        ("curl --data-binary 'a\nb' http://a.test/", "POST", "/", "a\nb"),
        ("curl --data-raw @x http://a.test/", "POST", "/", "@x"),
    ],
)
def test_methods_paths_and_bodies(text: str, method: str, path: str, body: str | None) -> None:
    step = step_of(text)
    assert (step.method, step.path, step.body) == (method, path, body)


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("curl -d a http://a.test", {"Content-Type": "application/x-www-form-urlencoded"}),
        ("curl -d a -H 'Content-Type: x/y' http://a.test", {"Content-Type": "x/y"}),
        ("curl --json '{}' http://a.test", {"Content-Type": "application/json", "Accept": "application/json"}),
        ("curl -u ann:secret http://a.test", {"Authorization": "Basic YW5uOnNlY3JldA=="}),
        ("curl http://ann:secret@a.test", {"Authorization": "Basic YW5uOnNlY3JldA=="}),
        ("curl -A me -e http://b.test/ http://a.test", {"User-Agent": "me", "Referer": "http://b.test/"}),
        ("curl -H 'Accept:' -H 'X-Empty;' http://a.test", {"X-Empty": ""}),
        ("curl --cookie a=1 --cookie b=2 http://a.test", {"Cookie": "a=1; b=2"}),
    ],
)
def test_headers(text: str, headers: dict[str, str]) -> None:
    assert dict(step_of(text).headers) == headers


def test_forms() -> None:
    step = step_of("curl -F 'name=Ann' -F 'doc={};type=application/json' --form-string 'raw=@x' http://a.test/")
    assert step.method == "POST"
    assert dict(step.headers) == {"Content-Type": "multipart/form-data; boundary=chaffinch-00000000"}
    assert step.body == (
        '--chaffinch-00000000\r\nContent-Disposition: form-data; name="name"\r\n\r\nAnn\r\n'
        '--chaffinch-00000000\r\nContent-Disposition: form-data; name="doc"\r\n'
        "Content-Type: application/json\r\n\r\n{}\r\n"
        '--chaffinch-00000000\r\nContent-Disposition: form-data; name="raw"\r\n\r\n@x\r\n'
        "--chaffinch-00000000--\r\n"
    )


def test_several_commands_are_steps() -> None:
    plan = plan_of("curl http://a.test/1 -m 2.5\n\ncurl --http2 http://b.test:81/2 --resolve b.test:81:127.0.0.1\n")
    assert [(one.path, one.timeout_ms) for one in plan.scenarios[0].steps] == [
        ("/1", 2500),
        ("http://b.test:81/2", None),
    ]
    assert plan.http == "2"
    assert plan.resolve == (Resolve("b.test", None, "127.0.0.1", None),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "c.sh:1: there is no command: paste one that begins with curl"),
        ("wget http://a", 'c.sh:1: "wget" is not curl: paste a command that begins with curl'),
        ("curl", "c.sh:1: there are 0 URLs in this command: give each command one"),
        ("curl http://a http://b", "c.sh:1: there are 2 URLs in this command: give each command one"),
        (
            "curl http://a\ncurl --upload-file x http://b",
            'c.sh:2: the option "--upload-file" is not known here: leave it out',
        ),
        ("curl --compresed http://a", "did you mean 'compressed'?"),
        ("curl -T x http://a", "c.sh:1: the option -T is not known here: leave it out if it does not matter"),
        ("curl http://a -H", "c.sh:1: the option --header has no value after it"),
        ("curl http://a -H nope", 'c.sh:1: --header "nope" is not Name: value'),
        ("curl http://a -d @file", 'c.sh:1: --data "@file" reads a file: write what is in it'),
        ("curl http://a -F f=@file", 'c.sh:1: --form "f=@file" reads a file: write what is in it'),
        ("curl http://a -F f=1 -d x", "c.sh:1: --form and --data send two bodies: keep one of them"),
        ("curl http://a -b jar.txt", "c.sh:1: --cookie reads a file: write the cookies as name=value"),
        ("curl http://a -u ann", "c.sh:1: --user asks for a password: write it as user:password"),
        ("curl ftp://a", 'c.sh:1: "ftp://a" is not a URL: write it like http://127.0.0.1:8080/path'),
        ("curl http://a -X BREW", 'c.sh:1: "BREW" is not a method here: GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS'),
        ("curl http://a -m soon", 'c.sh:1: --max-time "soon" is not a number of seconds'),
        ("curl http://a --resolve x", 'c.sh:1: --resolve "x" is not host:port:address'),
        ("curl 'http://a", "c.sh:1: a ' is not closed"),
        ("curl http://$HOST/", "c.sh:1: a shell would put something in place of"),
    ],
)
def test_what_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        from_curl(text, "c.sh")
    assert sentence in str(error.value)


def test_any_text_arrives_as_it_was() -> None:
    body = "".join(map(chr, [*range(9, 11), *range(32, 128), 0x85, 0xA0, 0x2028, 0xFEFF, 0xFFFE, 0x1F600]))
    quoted = "'" + body.replace("'", "'\\''") + "'"
    step = step_of(f"curl http://a.test/ --data-raw {quoted}")
    assert step.body is not None
    assert step.body.replace("$$", "$") == body
