"""The load engine beside wrk and h2load against nginx: requests per second, processor time, memory, and exact rates.

nginx answers `return 200` with one worker on core 0; clients have core 1, one after the other, several times over.
Ratios are of the medians.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.apart import Figures, Run, at_least, at_most, command, run
from bench.example import built

CONNECTIONS = 64
SECONDS = 5
ROUNDS = 3
SERVER_CORE, CLIENT_CORE = 0, 1
PACED = ((10, 3_000), (10, 7_000), (10, 20_000), (64, 50_000))
"""Users, and iterations a second."""

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log crit; worker_rlimit_nofile 65536;
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; default_type text/plain;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  server {{ listen 127.0.0.1:{plain} backlog=8192; location / {{ return 200 "ok"; }}
            location /login {{ return 200 '{{"token":"abc123","items":[{{"id":7}},{{"id":8}}]}}'; }} }}
  server {{ listen 127.0.0.1:{tls} ssl backlog=8192; location / {{ return 200 "ok"; }} }}
  server {{ listen 127.0.0.1:{h2} http2 backlog=8192; location / {{ return 200 "ok"; }} }}
}}
"""


def found(program: str) -> str | None:
    """Where a program lies; servers lie where only root looks."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[dict[str, int]]:
    """nginx on its core; its ports by name."""
    names = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "2"]
    subprocess.run([*names, *files, "-subj", "/CN=localhost"], check=True, capture_output=True)
    ports = {name: free_port() for name in ("plain", "tls", "h2")}
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, **ports), encoding="utf-8")
    server = [
        "taskset",
        "-c",
        str(SERVER_CORE),
        str(found("nginx")),
        "-c",
        str(folder / "nginx.conf"),
        "-p",
        str(folder),
    ]
    with subprocess.Popen(server, stderr=subprocess.DEVNULL) as process:
        try:
            for port in ports.values():
                wait_for(port)
            yield ports
        finally:
            process.send_signal(signal.SIGTERM)


def wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("nginx does not answer")


def pinned(*arguments: str) -> Run:
    return run(["taskset", "-c", str(CLIENT_CORE), *arguments])


def loaded(plan: str) -> Figures:
    """Run a plan in this interpreter, and nothing else of the package besides the core."""
    from chaffinch._core import LoadRun

    load = LoadRun(plan)
    load.start()
    while not load.wait(1):
        pass
    view: Figures = json.loads(load.poll(labels=False))
    view.pop("intervals")
    return view | {"peak_rss_bytes": most_resident()}


def most_resident() -> int:
    """The most RSS that this process had; what its parent had before it began is not counted."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def soaked(plan: str) -> Figures:
    """Run a plan and look at the memory of this process each second; the view, and the RSS second by second."""
    from chaffinch._core import LoadRun
    from chaffinch.metrics.memory import resident_bytes

    load = LoadRun(plan)
    load.start()
    resident = []
    while not load.wait(1):
        resident.append(resident_bytes())
    view: Figures = json.loads(load.poll(labels=False))
    return view | {"resident": resident}


def planned(url: str, **options: object) -> str:
    from chaffinch.load.target import Options, plan_for_url

    made = plan_for_url(url, Options(threads=1, verify=False, **options))  # type: ignore[arg-type]
    return json.dumps(json.loads(made.to_json()))


def ours(plan: str) -> Figures:
    """One run of a plan in an interpreter of its own, on the client's core."""
    done = pinned(*command(loaded, plan=plan))
    view: Figures = json.loads(done.output.splitlines()[-1])
    view["rate"] = view["requests"] / view["elapsed_s"]
    view["cpu_us"] = view["generator"]["cpu_s"] / max(1, view["requests"]) * 1e6
    view["peak_bytes"] = view["peak_rss_bytes"]
    return view


def wrk(url: str) -> Figures:
    done = pinned("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", url)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.output)
    assert found, done.output
    rate = float(found[1])
    return {"rate": rate, "cpu_us": done.cpu_seconds / (rate * SECONDS) * 1e6, "peak_bytes": done.peak_bytes}


def h2load(url: str, *options: str) -> Figures:
    done = pinned("h2load", "-t1", f"-c{CONNECTIONS}", f"-D{SECONDS}", *options, url)
    found = re.search(r"finished in [\d.]+s, ([\d.]+) req/s", done.output)
    assert found, done.output
    rate = float(found[1])
    return {"rate": rate, "cpu_us": done.cpu_seconds / (rate * SECONDS) * 1e6, "peak_bytes": done.peak_bytes}


def median(runs: list[Figures], name: str) -> float:
    return float(statistics.median(one[name] for one in runs))


def versus(what: str, plan: str, peer: str, its: list[Figures], mine: list[Figures], bound: float) -> None:
    rate, theirs = median(mine, "rate"), median(its, "rate")
    print(
        f"{what}: {rate:,.0f} requests/s, {median(mine, 'cpu_us'):.2f} us of CPU each; {peer} {theirs:,.0f}/s, "
        f"{median(its, 'cpu_us'):.2f} us each: {at_least(rate / theirs, bound, 'x', 2)} (medians of {len(mine)})"
    )
    assert all(one["failed"] == 0 for one in mine), plan


def closed(ports: dict[str, int]) -> None:
    """The closed loop, every metric on."""
    url = f"http://127.0.0.1:{ports['plain']}/"
    plan = planned(url, concurrency=CONNECTIONS, duration_ms=SECONDS * 1000)
    its, mine = [], []
    for _ in range(ROUNDS):
        its.append(wrk(url))
        mine.append(ours(plan))
    versus("HTTP/1.1, closed loop", plan, "wrk", its, mine, 1.0)
    print(f"  {at_most(median(mine, 'cpu_us'), 7, 'us')} of CPU a request")
    print(f"  {at_most(median(mine, 'peak_bytes') / 1e6, 48, 'MB', 1)} peak RSS of the Python process")
    alone = json.loads(pinned(str(built("chaffinch-load", "get")), url, str(CONNECTIONS), "3").output)
    print(f"  {at_most(alone['peak_rss_bytes'] / 1e6, 16, 'MB', 1)} peak RSS of the engine alone")


def others(ports: dict[str, int]) -> None:
    """TLS and HTTP/2 beside h2load."""
    cases: tuple[tuple[str, str, tuple[str, ...], dict[str, object]], ...] = (
        ("TLS, HTTP/1.1", f"https://127.0.0.1:{ports['tls']}/", ("--h1",), {}),
        ("HTTP/2", f"http://127.0.0.1:{ports['h2']}/", (), {"http2": True}),
    )
    for what, url, options, mode in cases:
        plan = planned(url, concurrency=CONNECTIONS, duration_ms=SECONDS * 1000, **mode)
        its, mine = [], []
        for _ in range(ROUNDS):
            its.append(h2load(url, *options))
            mine.append(ours(plan))
        versus(what, plan, "h2load", its, mine, 0.9)


def paced(ports: dict[str, int]) -> None:
    """Ten seconds at a rate: how many were sent, and how late."""
    url = f"http://127.0.0.1:{ports['plain']}/"
    for users, rate in PACED:
        view = ours(planned(url, concurrency=users, rate=float(rate), duration_ms=10_000))
        sent = view["requests"] + view["unanswered"]
        off = abs(sent - rate * 10) / (rate * 10) * 100
        corrected = view["latency_ms"]["corrected"]
        verdict = f"; {view['generator']['why'][0]}" if view["generator"]["why"] else ""
        print(
            f"{users} users at {rate:,}/s for 10 s: {sent:,} sent, {at_most(off, 0.1, '%', 3)} off; corrected "
            f"p50 {corrected['p50']:.2f} ms, p99 {corrected['p99']:.2f} ms; {view['cpu_us']:.1f} us of CPU each"
            f"{verdict}"
        )


SCENARIO = """
version: "1.0"
config: {{baseUrl: "http://127.0.0.1:{port}", workers: 64, duration: 5s}}
load: {{model: concurrent}}
scenarios:
  - name: shop
    steps:
      - name: login
        request: {{method: GET, path: /login}}
        extract: [{{name: token, type: jsonPath, path: $.token}}]
        assertions: [{{type: statusCode, expected: 200}}]
      - name: item
        request: {{method: GET, path: "/item?token=${{token}}"}}
        assertions: [{{type: bodyContains, text: ok}}]
      - name: cart
        request: {{method: GET, path: "/cart/${{token}}", headers: {{X-Token: "${{token}}"}}}}
        assertions: [{{type: statusCode, expected: 200}}]
      - name: pay
        request: {{method: POST, path: /pay, body: '{{"token":"${{token}}"}}'}}
        assertions: [{{type: statusCode, expected: 200}}]
      - name: bye
        request: {{method: GET, path: /login}}
        extract: [{{name: item, type: jsonPath, path: "$.items[1].id"}}]
        assertions: [{{type: jsonPath, path: $.token, expected: abc123}}]
"""


def scenario(ports: dict[str, int]) -> None:
    """Five steps with extraction and assertions, no think time."""
    from chaffinch.load import load_text

    read = load_text(SCENARIO.format(port=ports["plain"]), "bench")
    view = ours(json.dumps(json.loads(read.plan.to_json())))
    cores = view["generator"]["cpu_share"]
    print(
        f"a scenario of 5 steps: {at_least(view['rate'], 60_000, ' steps/s')} on one core ({cores[0]:.0%} of it), "
        f"{view['cpu_us']:.2f} us of CPU a step; {view['failed']} failed"
    )


def urls(ports: dict[str, int]) -> None:
    """100,000 different URLs, each its own label as far as there is room."""
    plan = json.loads(planned(f"http://127.0.0.1:{ports['plain']}/", concurrency=CONNECTIONS, requests=100_000))
    step = plan["scenarios"][0]["steps"][0]
    step["path"] = step["label"] = "/user/${user}/item/${iteration}"
    view = ours(json.dumps(plan))
    histograms, folded = view["histograms"], view["folded"]
    print(
        f"100,000 different URLs: {at_most(view['peak_bytes'] / 1e6, 100, 'MB', 1)} peak RSS; {histograms['labels']:,} "
        f"have a label, {folded['requests']:,} requests of about {folded['labels']:,} others are counted in __other__"
    )


def many(ports: dict[str, int]) -> None:
    """5,000 connections at 50,000/s."""
    url = f"http://127.0.0.1:{ports['plain']}/"
    view = ours(planned(url, concurrency=5000, rate=50_000.0, duration_ms=10_000))
    print(
        f"5,000 users at 50,000/s: {view['rate']:,.0f}/s, {at_most(view['peak_bytes'] / 1e6, 512, 'MB', 0)} peak RSS, "
        f"errors {view['errors']}; {'; '.join(view['generator']['why']) or 'the generator kept up'}"
    )


def soak(ports: dict[str, int]) -> None:
    """20,000/s for `CHAFFINCH_SOAK_SECONDS` (30), answered, then with nobody who answers: does memory grow?"""
    seconds = int(os.environ.get("CHAFFINCH_SOAK_SECONDS", "30"))
    for what, port in (("answered", ports["plain"]), ("refused", free_port())):
        plan = planned(f"http://127.0.0.1:{port}/", rate=20_000.0, duration_ms=seconds * 1000)
        view: Figures = json.loads(pinned(*command(soaked, plan=plan)).output.splitlines()[-1])
        later = view["resident"][len(view["resident"]) // 5 :]
        slope = statistics.linear_regression(range(len(later)), later).slope
        print(
            f"20,000/s for {seconds} s, {what}: {view['requests']:,} requests, errors {view['errors']}, RSS "
            f"{min(later) / 1e6:.2f} to {max(later) / 1e6:.2f} MB, slope {slope * 3600 / 1e6:+.3f} MB an hour"
        )


def day(_: dict[str, int]) -> None:
    """50,000/s under 5,000 labels from a virtual clock, for `CHAFFINCH_DAY_HOURS` (1) of its hours."""
    hours = os.environ.get("CHAFFINCH_DAY_HOURS", "1")
    done = subprocess.run([built("chaffinch-load", "day"), hours], check=True, capture_output=True, text=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    figures = {words[0]: float(words[1]) for words in lines}
    seen = [(float(words[1]), float(words[3])) for words in lines if words[0] == "hour"]
    later = [one for one in seen if one[0] >= seen[-1][0] / 2]
    slope = statistics.linear_regression(*zip(*later, strict=True)).slope
    print(
        f"{float(hours):g} hours at 50,000/s under 5,000 labels, replayed in {figures['day']:.0f} s: "
        f"{figures['requests']:,.0f} requests, {figures['folded']:.0f} folded; RSS {seen[-1][1]:.1f} MB, slope of the "
        f"later half {slope:+.3f} MB an hour\n"
        f"  a request, recorded in five histograms: {figures['record']:.1f} ns under one label, "
        f"{figures['record_all_labels']:.1f} ns under 5,000; percentiles off by at most "
        f"{figures['error_of_all']:.3f} %"
    )


def main() -> None:
    missing = [name for name in ("nginx", "wrk", "h2load", "openssl") if found(name) is None]
    if missing:
        sys.exit(f"{', '.join(missing)} cannot be found: apt-get install nginx-light wrk nghttp2-client openssl")
    for part in sys.argv[1:] or ("closed", "others", "paced", "scenario", "urls", "many", "day", "soak"):
        with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name, nginx(Path(name)) as ports:
            globals()[part](ports)


if __name__ == "__main__":
    main()
