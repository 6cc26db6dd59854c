"""The http decoy beside the real nginx on the same bytes, and real clients against it."""

import asyncio
import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.decoys.http import pages, site
from chaffinch.events import Credential, Request, Upload
from tests.clients.http_probes import MODIFIED, PROBES
from tests.clients.wire import ask, ask_all, free_port, need, run
from tests.decoys.harness import decoy, persona

pytestmark = pytest.mark.clients

CONFIGURATION = """daemon off; master_process off; pid {root}/pid; error_log {root}/error.log;
events {{ worker_connections 512; }}
http {{ sendfile on; tcp_nopush on; types_hash_max_size 2048; include /etc/nginx/mime.types;
default_type application/octet-stream; access_log off; gzip on;
client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u;
scgi_temp_path {root}/s;
server {{ listen 127.0.0.1:{port} default_server; root {root}/html; index index.html index.htm index.nginx-debian.html;
server_name _; {extra} location / {{ try_files $uri $uri/ =404; }} }} }}
"""
HTPASSWD = "root:{PLAIN}letmein\n"


@contextlib.contextmanager
def nginx(root: Path, files: dict[str, bytes], extra: str = "") -> Iterator[tuple[str, int]]:
    """The real server with Debian's default configuration, on a port of its own."""
    program = need("nginx")
    (root / "html").mkdir()
    for name, content in files.items():
        path = root / "html" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        subprocess.run(["touch", "-d", f"@{MODIFIED}", path], check=True)
    port = free_port()
    (root / "nginx.conf").write_text(CONFIGURATION.format(root=root, port=port, extra=extra))
    server = subprocess.Popen(
        [program, "-p", str(root), "-e", str(root / "error.log"), "-c", str(root / "nginx.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield "127.0.0.1", port
    finally:
        server.terminate()
        server.wait(10)


def wait_for(port: int) -> None:
    import socket

    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail("nginx did not start")


def comparable(answer: tuple[bytes, str]) -> tuple[bytes, str]:
    """An answer without what differs from one second, and one count of temporary names, to the next."""
    text = re.sub(rb"Date: [^\r]*", b"Date: now", answer[0])
    return re.sub(rb"\d{20}", b"boundary", text), answer[1]


@pytest.fixture(scope="module", autouse=True)
def same_file_times() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site, "_FIRST_INSTALL", MODIFIED)
        patch.setattr(site, "_INSTALL_SPAN", 1)
        site.site.cache_clear()
        yield
    site.site.cache_clear()


Answers = dict[str, tuple[bytes, str]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Answers, Answers]:
    """What nginx and the decoy answer to every probe."""

    async def asked(address: tuple[str, int]) -> tuple[Answers, Answers]:
        async with decoy("http", persona("http")) as ours:
            return await asyncio.gather(ask_all(address, PROBES), ask_all((ours.address, ours.port), PROBES))

    with nginx(tmp_path_factory.mktemp("nginx"), {"index.nginx-debian.html": pages.welcome("1.22.1")}) as address:
        return asyncio.run(asked(address))


@pytest.mark.parametrize("name", PROBES)
def test_answers_every_probe_as_nginx(both: tuple[Answers, Answers], name: str) -> None:
    real, ours = both
    assert comparable(ours[name]) == comparable(real[name])


HALVED = {
    name: PROBES[name] for name in ("plain", "pipe", "m1", "almost", "lf", "09", "tls", "clpart404", "te", "crlf")
}


def test_answers_a_half_closed_client_as_nginx(tmp_path: Path) -> None:
    async def asked(address: tuple[str, int]) -> tuple[Answers, Answers]:
        async with decoy("http", persona("http")) as ours:
            there = (ours.address, ours.port)
            return await asyncio.gather(ask_all(address, HALVED, half=True), ask_all(there, HALVED, half=True))

    with nginx(tmp_path, {"index.nginx-debian.html": pages.welcome("1.22.1")}) as address:
        real, ours = asyncio.run(asked(address))
    assert {name: comparable(answer) for name, answer in ours.items()} == {
        name: comparable(answer) for name, answer in real.items()
    }


AUTHORIZED = {
    "none": PROBES["plain"],
    "wrong": PROBES["basic"],
    "right": b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic cm9vdDpsZXRtZWlu\r\n\r\n",
    "missing": b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "put": PROBES["put"],
    "head": PROBES["head"],
    "digest": b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Digest x\r\n\r\n",
    "broken": b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic !!!\r\n\r\n",
    "gzip": PROBES["gzip"],
}


def test_basic_authentication_as_nginx(tmp_path: Path) -> None:
    async def asked(address: tuple[str, int]) -> tuple[Answers, Answers]:
        async with decoy("http", persona("http", realm="Restricted")) as ours:
            there = (ours.address, ours.port)
            return await asyncio.gather(ask_all(address, AUTHORIZED), ask_all(there, AUTHORIZED))

    (tmp_path / "htpasswd").write_text(HTPASSWD)
    extra = f'auth_basic "Restricted"; auth_basic_user_file {tmp_path}/htpasswd;'
    with nginx(tmp_path, {"index.nginx-debian.html": pages.welcome("1.22.1")}, extra) as address:
        real, ours = asyncio.run(asked(address))
    for name in AUTHORIZED:
        assert comparable(ours[name]) == comparable(real[name]), name


DEVICE = {
    "page": PROBES["plain"],
    "index": b"GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n",
    "style": b"GET /assets/style.css HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
    "moved": b"GET /assets?x=1 HTTP/1.1\r\nHost: A:99\r\n\r\n",
    "moved-post": b"POST /assets HTTP/1.1\r\nHost: a\r\n\r\n",
    "moved-head": b"HEAD /assets HTTP/1.1\r\nHost: a\r\n\r\n",
    "forbidden": b"GET /assets/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "forbidden-post": b"POST /assets/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "forbidden-put": b"PUT /assets/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "forbidden-gzip": b"GET /assets/ HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
}


def test_serves_a_device_page_as_nginx_serves_a_file(tmp_path: Path) -> None:
    async def fetched() -> tuple[Answers, dict[str, bytes]]:
        async with decoy("http", persona("http", page="printer", model="LaserJet 400")) as ours:
            there = (ours.address, ours.port)
            bodies = {}
            for name in ("index.html", "assets/style.css"):
                got, _ = await ask(there, f"GET /{name} HTTP/1.0\r\n\r\n".encode())
                bodies[name] = got.partition(b"\r\n\r\n")[2]
            return await ask_all(there, DEVICE), bodies

    ours, files = asyncio.run(fetched())
    with nginx(tmp_path, files) as address:
        real = asyncio.run(ask_all(address, DEVICE))
    for name in DEVICE:
        text, end = comparable(ours[name])
        text = re.sub(rb"(Location: http://a):\d+/", rb"\1/", text)
        text_real, end_real = comparable(real[name])
        assert (text, end) == (re.sub(rb"(Location: http://a):\d+/", rb"\1/", text_real), end_real), name


def test_curl(tmp_path: Path) -> None:
    async def drive() -> None:
        upload = tmp_path / "tool.bin"
        upload.write_bytes(b"\x7fELF" + bytes(9000))
        async with decoy("http", persona("http")) as ours:
            base = f"http://{ours.address}:{ours.port}"
            code, out = await run("curl", "-s", "--compressed", f"{base}/")
            assert code == 0
            assert "<h1>Welcome to nginx!</h1>" in out
            _, out = await run("curl", "-sI", f"{base}/")
            assert "Server: nginx/1.22.1\r\n" in out
            _, out = await run("curl", "-s", "-d", "log=admin&pwd=hunter2", f"{base}/wp-login.php")
            assert "404 Not Found" in out
            _, out = await run("curl", "-s", "-H", "Expect:", "-T", str(upload), f"{base}/")
            assert "404 Not Found" in out  # curl puts to /tool.bin
            await run("curl", "-s", "-u", "admin:admin", f"{base}/manager/html")
            await run("curl", "-s", "--path-as-is", f"{base}/../../etc/passwd")
            await ours.settled()
            asked = [(fact.method, fact.target, fact.status) for fact in ours.recorded.of(Request)]
            assert asked == [
                ("GET", "/", 200),
                ("HEAD", "/", 200),
                ("POST", "/wp-login.php", 404),
                ("PUT", "/tool.bin", 404),
                ("GET", "/manager/html", 404),
                ("GET", "/../../etc/passwd", 400),
            ]
            pairs = [(fact.username, fact.secret, fact.mechanism) for fact in ours.recorded.of(Credential)]
            assert pairs == [("admin", "hunter2", "form"), ("admin", "admin", "basic")]
            (kept,) = ours.recorded.of(Upload)
            assert kept.size == 9004
            assert ours.recorded.files[kept.sha256] == upload.read_bytes()

    asyncio.run(drive())


SCRIPTS = "http-title,http-methods,http-server-header,http-headers"


def test_nmap_sees_what_it_sees_of_nginx(tmp_path: Path) -> None:
    async def scan(address: str, port: int) -> list[str]:
        _, out = await run(
            "nmap", "-Pn", "-n", "-sV", "--script", SCRIPTS, "-p", str(port), address, timeout=110
        )  # fmt: skip
        seen = out[out.index("PORT") : out.index("Service detection performed")]
        seen = re.sub(r"Date: .*", "Date: now", seen.replace(str(port), "PORT"))
        return sorted(line.strip("|_ ") for line in re.sub(" +", " ", seen).splitlines())  # scripts end in any order

    async def both_scans(address: tuple[str, int]) -> tuple[list[str], list[str]]:
        async with decoy("http", persona("http")) as ours:
            return await asyncio.gather(scan(*address), scan(ours.address, ours.port))

    with nginx(tmp_path, {"index.nginx-debian.html": pages.welcome("1.22.1")}) as address:
        real, ours = asyncio.run(both_scans(address))
    assert any("open http nginx 1.22.1" in line for line in ours)
    assert ours == real


def test_hydra_finds_the_weak_password(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("123456\npassword\nletmein\n")

    async def drive() -> None:
        async with decoy("http", persona("http", page="router")) as ours:
            form = "/login.cgi:username=^USER^&password=^PASS^:F=Invalid username"
            _, out = await run(
                "hydra", "-I", "-t", "1", "-l", "root", "-P", str(words), "-s", str(ours.port), ours.address,
                "http-post-form", form,
            )  # fmt: skip
            assert "login: root   password: letmein" in out
            tried = [fact for fact in ours.recorded.of(Credential) if fact.mechanism == "form"]
            assert {fact.secret for fact in tried} >= {"123456", "password", "letmein"}
            assert {fact.secret for fact in tried if fact.accepted} == {"letmein"}
        async with decoy("http", persona("http", realm="Login")) as ours:
            _, out = await run(
                "hydra", "-I", "-t", "1", "-l", "root", "-P", str(words), "-s", str(ours.port), ours.address,
                "http-get", "/",
            )  # fmt: skip
            assert "login: root   password: letmein" in out
            assert "letmein" in {fact.secret for fact in ours.recorded.of(Credential) if fact.accepted}

    asyncio.run(drive())
