"""The http decoy, byte by byte: what it answers, what it records, what it holds."""

import asyncio

from chaffinch.decoys.http import conversation
from chaffinch.events import Credential, Probe, Request, SessionClosed, Upload
from chaffinch.personas.persona import Persona, Service
from tests.decoys.harness import Decoy, decoy, persona

ADDRESS = "127.77.3.9"
HEAD = b" HTTP/1.1\r\nHost: a\r\n"


def talk(sent: bytes, host: Persona | None = None, **options: str) -> tuple[bytes, Decoy]:
    """What one connection gets, and the decoy after it has settled."""

    async def run() -> tuple[bytes, Decoy]:
        async with decoy("http", host or persona("http", address=ADDRESS, seed=b"test", **options)) as running:
            got = await running.talk(sent, wait=0.4)
            await running.settled()
            return got, running

    return asyncio.run(run())


def post(path: bytes, body: bytes, more: bytes = b"") -> bytes:
    return b"POST " + path + HEAD + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_welcome_page_in_nginx_order() -> None:
    got, running = talk(b"GET /" + HEAD + b"\r\n")
    head, _, body = got.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0] for line in head.split(b"\r\n")]
    assert names == [
        b"HTTP/1.1 200 OK", b"Server", b"Date", b"Content-Type", b"Content-Length", b"Last-Modified", b"Connection",
        b"ETag", b"Accept-Ranges",
    ]  # fmt: skip
    assert len(body) == 615
    (asked,) = running.recorded.of(Request)
    assert asked == Request("GET", "/", "HTTP/1.1", 200, (("Host", "a"),))


def test_file_time_is_the_hosts_own_and_stays() -> None:
    def etag(host: Persona) -> bytes:
        got, _ = talk(b"HEAD /" + HEAD + b"\r\n", host)
        return got.partition(b"ETag: ")[2].partition(b"\r\n")[0]

    assert etag(persona("http")) == etag(persona("http"))
    assert etag(persona("http")) != etag(persona("http", address="127.77.3.10"))


def test_version_shows_in_header_page_and_welcome() -> None:
    host = persona("http")
    service = Service("http", 80, "nginx", "1.18.0 (Ubuntu)")
    ubuntu = Persona(**{name: getattr(host, name) for name in host.__struct_fields__} | {"services": (service,)})
    got, _ = talk(b"GET / HTTP/1.0\r\n\r\n", ubuntu)
    assert b"Server: nginx/1.18.0 (Ubuntu)\r\n" in got
    assert b"Content-Length: 612\r\n" in got
    got, _ = talk(b"GET /x HTTP/1.0\r\n\r\n", ubuntu)
    assert b"<hr><center>nginx/1.18.0 (Ubuntu)</center>\r\n" in got


def test_every_pipelined_request_is_answered_and_recorded() -> None:
    got, running = talk((b"GET /a" + HEAD + b"\r\n") * 40)
    assert got.count(b"HTTP/1.1 404 Not Found\r\n") == 40
    assert len(running.recorded.of(Request)) == 40


def test_thousandth_request_closes() -> None:
    got, running = talk((b"HEAD /a" + HEAD + b"\r\n") * 1001)
    assert got.count(b"HTTP/1.1 404") == 1000
    assert got.count(b"Connection: close") == 1
    assert len(running.recorded.of(Request)) == 1000


def test_request_in_single_bytes() -> None:
    async def run() -> None:
        async with decoy("http") as running:
            got = await running.talk(b"GET /x" + HEAD + b"X: y\r\n\r\n", chunk=1)
            assert got.startswith(b"HTTP/1.1 404")

    asyncio.run(run())


def test_form_login_is_recorded_and_refused() -> None:
    body = b"username=admin&password=p%40ss+w%C3%B6rd"
    got, running = talk(post(b"/login.cgi", body), page="router", model="AX-55")
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Invalid username or password." in got
    assert b"<title>AX-55 Login</title>" in got
    assert running.recorded.of(Credential) == [Credential("admin", "p@ss wörd", "form", accepted=False)]
    (asked,) = running.recorded.of(Request)
    assert (asked.body, asked.body_bytes, asked.status) == (body.decode(), len(body), 200)


def test_form_login_with_the_weak_password_opens_the_device() -> None:
    async def run() -> None:
        async with decoy("http", persona("http", page="printer")) as running:
            sent = post(b"/hp/device/signin", b"agentIdSelect=root&PasswordTextBox=letmein")
            got = await running.talk(sent)
            assert got.startswith(b"HTTP/1.1 302 Moved Temporarily\r\n")
            cookie = got.partition(b"Set-Cookie: ")[2].partition(b";")[0]
            got = await running.talk(b"GET /" + HEAD + b"Cookie: " + cookie + b"\r\n\r\n")
            assert b"Black Cartridge" in got
            got = await running.talk(b"GET /" + HEAD + b"Cookie: session=0\r\n\r\n")
            assert b'type="password"' in got
            assert [fact.accepted for fact in running.recorded.of(Credential)] == [True]

    asyncio.run(run())


def test_login_form_whose_body_comes_late() -> None:
    async def run() -> None:
        async with decoy("http", persona("http", page="nas")) as running:
            reader, writer = await asyncio.open_connection(running.address, running.port)
            body = b"username=a&passwd=b"
            head = b"POST /webman/login.cgi" + HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
            writer.write(head)
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(body[:5])
            await asyncio.sleep(0.05)
            writer.write(body[5:])
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
            writer.close()
            await running.settled()
            assert [fact.secret for fact in running.recorded.of(Credential)] == ["b"]

    asyncio.run(run())


def test_login_in_json_to_a_server_without_a_form() -> None:
    got, running = talk(post(b"/api/login", b'{"user": "admin", "password": "x\\"y"}'))
    assert got.startswith(b"HTTP/1.1 404")
    assert running.recorded.of(Credential) == [Credential("admin", 'x\\\\"y', "form")]


def test_basic_login() -> None:
    wrong = b"GET /" + HEAD + b"Authorization: Basic cm9vdDp0b29y\r\n\r\n"
    got, running = talk(wrong, realm="Switch")
    assert got.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b'WWW-Authenticate: Basic realm="Switch"\r\n' in got
    assert running.recorded.of(Credential) == [Credential("root", "toor", "basic")]
    got, running = talk(b"GET /" + HEAD + b"Authorization: Basic cm9vdDpsZXRtZWlu\r\n\r\n", realm="Switch")
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert [fact.accepted for fact in running.recorded.of(Credential)] == [True]


def test_upload_is_kept_up_to_a_bound() -> None:
    small = bytes(range(256)) * 100
    _, running = talk(post(b"/up.php", small))
    (kept,) = running.recorded.of(Upload)
    assert (kept.name, kept.size, kept.kept, kept.via) == ("/up.php", len(small), True, "http")
    assert running.recorded.files[kept.sha256] == small
    big = bytes(300 << 10)
    _, running = talk(post(b"/up.php", big))
    assert running.recorded.of(Upload) == []
    (asked,) = running.recorded.of(Request)
    assert asked.body_bytes == len(big)
    assert len(asked.body) < 10_000


def test_body_past_the_limit_is_refused() -> None:
    got, running = talk(b"POST /" + HEAD + b"Content-Length: 1048577\r\n\r\n" + bytes(1000))
    assert got.startswith(b"HTTP/1.1 413 Request Entity Too Large\r\n")
    (asked,) = running.recorded.of(Request)
    assert (asked.status, asked.body_bytes) == (413, 1000)


def test_what_is_not_http_is_a_probe() -> None:
    for sent, status in (
        (b"\x16\x03\x01\0\xc8\x01", b"400"),
        (b"SSH-2.0-x\r\n", b"400"),
        (b"GET / HTTP/1337\r\n", b"505"),
    ):
        got, running = talk(sent)
        assert got.startswith(b"HTTP/1.1 " + status)
        (probe,) = running.recorded.of(Probe)
        assert probe.data
        assert running.recorded.of(Request) == []


def test_refused_request_is_a_request() -> None:
    _, running = talk(b"GET /x HTTP/1.1\r\n\r\n")
    assert [(fact.target, fact.status) for fact in running.recorded.of(Request)] == [("/x", 400)]


def test_record_is_bounded() -> None:
    head = (
        b"GET /"
        + b"a" * 7000
        + HEAD
        + b"".join(b"X-%d: y\r\n" % n for n in range(100))
        + b"Z: "
        + b"z" * 5000
        + b"\r\n\r\n"
    )
    _, running = talk(head)
    (asked,) = running.recorded.of(Request)
    assert len(asked.headers) == conversation.RECORDED_HEADERS
    assert len(asked.target) <= 2 * conversation.RECORDED_BYTES + 1


def test_silence_ends_as_with_nginx() -> None:
    async def run() -> None:
        async with decoy("http") as running:
            _, writer = await asyncio.open_connection(running.address, running.port)
            await asyncio.sleep(0.05)
            (session,) = running.sessions.values()
            assert session.idle == conversation.HEAD_SECONDS
            writer.write(b"GET /" + HEAD + b"\r\n")
            await asyncio.sleep(0.05)
            assert session.idle == conversation.KEEP_ALIVE_SECONDS
            writer.write(b"GET /slow HT")
            await asyncio.sleep(0.05)
            assert 50 < session.idle <= conversation.HEAD_SECONDS
            session.expire(session.last_read + 61)
            await running.settled()
            writer.close()
            assert [fact.note for fact in running.recorded.of(Probe)] == ["unfinished"]
            assert running.recorded.of(SessionClosed)[0].reason == "idle"

    asyncio.run(run())


def test_slow_head_has_one_deadline() -> None:
    async def run() -> None:
        async with decoy("http") as running:
            _, writer = await asyncio.open_connection(running.address, running.port)
            await asyncio.sleep(0.05)
            (session,) = running.sessions.values()
            session.opened -= 59.7
            for piece in (b"GET / HTTP/1.1\r\n", b"A: b\r\n"):
                writer.write(piece)
                await asyncio.sleep(0.05)
            assert session.idle < 0.4  # what is left of the minute, however often something arrives
            writer.close()

    asyncio.run(run())
