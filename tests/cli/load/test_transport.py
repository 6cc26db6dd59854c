"""Options of the transport against a real server: HTTP/2, TLS, compression, addresses; and what is told of labels."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.load.calling import Caller
from tests.cli.load.test_run import eventually
from tests.load.recording import recording

pytestmark = pytest.mark.skipif(
    shutil.which("nginx") is None or shutil.which("openssl") is None, reason="nginx or openssl is not installed"
)


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    """A free port for each way to listen."""
    with contextlib.ExitStack() as held:
        opened = {name: held.enter_context(socket.socket()) for name in ("plain", "h2", "tls", "verified", "v6")}
        for one in opened.values():
            one.bind(("127.0.0.1", 0))
        return {name: one.getsockname()[1] for name, one in opened.items()}


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and a server's and a client's certificate of it, for `shop.test` and 127.0.0.1."""
    directory = tmp_path_factory.mktemp("papers")
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    for line in (
        f"req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca",
        *(
            f"req -x509 {key} -keyout {name}.key -out {name}.pem -subj /CN={name} -CA ca.pem -CAkey ca.key "
            "-addext basicConstraints=CA:FALSE -addext subjectAltName=DNS:shop.test,IP:127.0.0.1"
            for name in ("server", "client")
        ),
    ):
        subprocess.run(["openssl", *line.split()], cwd=directory, check=True, capture_output=True, timeout=30)
    return directory


@pytest.fixture(scope="module")
def site(ports: dict[str, int], papers: Path) -> Iterator[dict[str, str]]:
    """A server's URLs, by how it listens."""
    tls = f"ssl_certificate {papers}/server.pem; ssl_certificate_key {papers}/server.key;"
    answer = f"gzip on; gzip_min_length 1; gzip_types text/plain; default_type text/plain; root {papers};"
    (papers / "page.txt").write_text("many words " * 10_000)
    v6 = f"server {{ listen [::1]:{ports['v6']}; {answer} }}" if has_ipv6() else ""
    config = papers / "nginx.conf"
    config.write_text(
        f"{'user root; ' if os.geteuid() == 0 else ''}daemon off; worker_processes 1;\n"
        f"pid {papers}/pid; error_log {papers}/log;\n"
        "events { worker_connections 1024; }\n"
        "http { access_log off;\n"
        f"server {{ listen 127.0.0.1:{ports['plain']}; {answer} }}\n"
        f"server {{ listen 127.0.0.1:{ports['h2']} http2; {answer} }}\n"
        f"server {{ listen 127.0.0.1:{ports['tls']} ssl http2; {tls} {answer} }}\n"
        f"server {{ listen 127.0.0.1:{ports['verified']} ssl; {tls} ssl_verify_client on; "
        f"ssl_client_certificate {papers}/ca.pem; {answer} }}\n{v6}\n}}\n"
    )
    with subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: (papers / "pid").exists() and (papers / "pid").read_text())
            yield {
                name: f"{'https' if name in ('tls', 'verified') else 'http'}://127.0.0.1:{port}/page.txt"
                for name, port in ports.items()
            }
        finally:
            process.terminate()


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as one:
        one.bind(("::1", 0))
        return True
    return False


GIVEN = ("-n", "40", "-c", "4", "--json", "-", "-q")


@pytest.mark.parametrize(
    ("name", "more"),
    [("plain", ()), ("h2", ("--http2", "--streams", "2")), ("tls", ("-k",)), ("tls", ("-k", "--http2"))],
)
def test_answers_come_over_both_versions_of_http(
    load: Caller, site: dict[str, str], name: str, more: tuple[str, ...]
) -> None:
    found = load.json("run", site[name], *GIVEN, *more)
    assert (found["requests"], found["passed"]) == (40, 40)
    assert found["run"]["http"] == ("2" if "--http2" in more else "1.1")
    assert found["bytes_in"] >= 40 * 110_000
    assert (found["phases_ms"]["tls"] is not None) == (name == "tls")


def test_whom_tls_trusts_is_said_by_an_option(load: Caller, site: dict[str, str], papers: Path) -> None:
    refused = load("run", site["tls"], "-n", "4", code=1)
    assert "errors      tls" in refused.out
    assert load.json("run", site["tls"], *GIVEN, "--ca", papers / "ca.pem")["passed"] == 40


def test_a_client_certificate_is_shown(load: Caller, site: dict[str, str], papers: Path) -> None:
    without = load.json("run", site["verified"], *GIVEN, "-k")
    assert without["passed"] == 0
    assert set(without["statuses"]) == {"400"}
    own = ("--cert", papers / "client.pem", "--key", papers / "client.key")
    assert load.json("run", site["verified"], *GIVEN, "-k", *own)["passed"] == 40


def test_compressed_answers_are_asked_for(load: Caller, site: dict[str, str]) -> None:
    plain = load.json("run", site["plain"], *GIVEN)
    packed = load.json("run", site["plain"], *GIVEN, "--compression")
    assert packed["passed"] == 40
    assert packed["bytes_in"] < plain["bytes_in"] / 10


def test_names_are_looked_up_where_they_are_told_to(load: Caller, site: dict[str, str], ports: dict[str, int]) -> None:
    resolved = ("--resolve", f"shop.test:127.0.0.1:{ports['plain']}")
    found = load.json("run", "http://shop.test/page.txt", *GIVEN, *resolved)
    assert (found["passed"], found["run"]["target"]) == (40, "http://shop.test/page.txt")
    # Where one address does not answer the next one is taken.
    dead = ("--resolve", "shop.test:127.0.0.1:1")
    assert load.json("run", "http://shop.test/page.txt", *GIVEN, *dead, *resolved)["passed"] > 0


def test_ipv6_is_written_in_brackets(load: Caller, site: dict[str, str], ports: dict[str, int]) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    url = f"http://[::1]:{ports['v6']}/page.txt"
    assert load.json("run", url, *GIVEN)["passed"] == 40
    resolved = ("--resolve", f"shop.test:[::1]:{ports['v6']}")
    assert load.json("run", "http://shop.test/page.txt", *GIVEN, *resolved)["passed"] == 40


def test_a_bound_on_labels_is_told_before_it_is_reached(load: Caller, tmp_path: Path) -> None:
    page = tmp_path / "page.yaml"
    steps = "".join(f"      - {{name: s{n}, request: {{path: /}}}}\n" for n in range(9))
    with recording() as one:
        page.write_text(
            f'version: "1.0"\nconfig: {{baseUrl: "{one.url}", workers: 1, requests: 9}}\n'
            f"scenarios:\n  - name: s\n    steps:\n{steps}"
        )
        told = load("run", page, "--labels", "12").out
        assert "labels      10 of 12 that are told apart" in " ".join(told.split("\n"))
        assert "labels      " not in load("run", page, "--labels", "20").out
        assert "folded      about" in load("run", page, "--labels", "5").out
