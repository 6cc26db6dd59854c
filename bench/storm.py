"""A storm on http and redis decoys with `--memory 128M`: memory, the account of all connections, who is still let in.

For 20 minutes, or for as many seconds as the argument says; two further ones say how long memory has to come back,
and how long the fleet has to settle and grow warm before. The load tester sends to http and a client of its own to
redis, both as fast as they are answered, a connection for each request; a probe asks both each second; PSS of all
processes of the fleet is read each second. Then memory has a minute to come back to what it was idle.

Idle is measured twice: of a fleet that nobody asked, and after half a minute of the same storm and some rest. What lies
between is held for good: libraries that are loaded when they are used, page caches of the databases, and pages that
Python's allocator keeps for the next objects. Memory has to come back to the second; both are shown.
"""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import bench.fleet
from bench.apart import at_most, percentile
from bench.fleet import OFFSET, chaffinch, prepare, pss_of

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 1200
MEMORY = 128 << 20
HTTP_USERS, REDIS_CLIENTS, HOSTS = 64, 64, 8
BACK_SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 60
SETTLE_SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else bench.fleet.SETTLE_SECONDS
BACK_SHARE = 0.05
PROBE_SECONDS = 10.0
RECORDED_SECONDS = 30.0
HTTP_ASKS, REDIS_ASKS = b"GET / HTTP/1.0\r\n\r\n", b"PING\r\n"
WARM_SECONDS, REST_SECONDS = (int(SETTLE_SECONDS),) * 2 if len(sys.argv) > 3 else (30, 20)


class Fleet:
    """A detached fleet and the processes that it has now."""

    def __init__(self, state: Path) -> None:
        self.state = state
        memory = f"{MEMORY >> 20}M"
        flags = ("--port-offset", str(OFFSET), "--metrics-port", "0", "--memory", memory)
        chaffinch(state, "up", "--detach", *flags)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(chaffinch(self.state, "status", "--json"))
        return found

    def pss(self) -> int:
        """Of the supervisor and all that it started, now."""
        supervisor = int((self.state / "fleet.lock").read_text(encoding="ascii"))
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text(encoding="ascii").split()
        held = 0
        for pid in (supervisor, *map(int, children)):
            with contextlib.suppress(OSError, RuntimeError):  # it was replaced just now
                held += pss_of(pid)
        return held

    def places(self, service: str, port: int) -> list[tuple[str, int]]:
        """Hosts that run the service on its usual port."""
        hosts = json.loads(chaffinch(self.state, "hosts", "--service", service, "--limit", "400", "--json"))
        wanted = port + OFFSET
        found = [
            (host["address"], wanted)
            for host in hosts
            if any(one["name"] == service and one["port"] == wanted for one in host["services"])
        ]
        return found[:HOSTS]


class Sampler(threading.Thread):
    """PSS each second, with what the groups had given up."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(daemon=True)
        self.fleet = fleet
        self.held: list[int] = []
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.wait(1.0):
            self.held.append(self.fleet.pss())


class Probe(threading.Thread):
    """A newcomer each second: how long until it is answered."""

    def __init__(self, place: tuple[str, int], asks: bytes) -> None:
        super().__init__(daemon=True)
        self.took: list[float] = []
        self.unanswered: list[str] = []
        self.connected = 0
        self.ending = threading.Event()
        self._place, self._asks = place, asks

    def run(self) -> None:
        while not self.ending.wait(1.0):
            began = time.monotonic()
            try:
                with socket.create_connection(self._place, timeout=PROBE_SECONDS) as sock:
                    self.connected += 1
                    sock.sendall(self._asks)
                    got = sock.recv(1000)
            except OSError as error:
                self.unanswered.append(str(error))
                continue
            if got:
                self.took.append(time.monotonic() - began)
            else:
                self.unanswered.append("closed without an answer")


def http_load(places: list[tuple[str, int]], seconds: int, result: Path) -> "subprocess.Popen[bytes]":
    """The load tester, which makes a connection for each request."""
    target = f"http://decoy.test:{places[0][1]}/"
    resolve = [option for host, port in places for option in ("--resolve", f"decoy.test:{host}:{port}")]
    options = ("--no-keepalive", "--concurrency", str(HTTP_USERS), "--duration", f"{seconds}s", "--quiet")
    command = [sys.executable, "-m", "chaffinch", "load", "run", target, *resolve, *options, "--json", str(result)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def redis_load(places: list[tuple[str, int]]) -> "subprocess.Popen[str]":
    where = [f"{host}:{port}" for host, port in places]
    command = [sys.executable, "-m", "bench.storm_redis", str(REDIS_CLIENTS), *where]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def blow(places: dict[str, list[tuple[str, int]]], seconds: int, folder: Path) -> tuple[dict[str, int], str]:
    """Both clients for so long: connections made to each service, and what there is to say of them."""
    tester, clients = http_load(places["http"], seconds, folder / "http.json"), redis_load(places["redis"])
    tester.wait()
    clients.send_signal(signal.SIGTERM)
    talked = json.loads(clients.communicate()[0])
    result = json.loads((folder / "http.json").read_text(encoding="utf-8"))
    made = {"http": result["phases_ms"]["connect"]["count"], "redis": talked["connected"]}
    return made, (
        f"http: {made['http']:,} connections, {result['rate']:,.0f} requests/s, errors {result['errors']}\n"
        f"redis: {made['redis']:,} connections, {made['redis'] / seconds:,.0f}/s, {talked}"
    )


def said(held: bool) -> str:
    return "PASS" if held else "MISS"


def storm(fleet: Fleet, folder: Path) -> None:
    places = {"http": fleet.places("http", 80), "redis": fleet.places("redis", 6379)}
    time.sleep(SETTLE_SECONDS)
    print(f"PSS of a fleet that nobody asked: {fleet.pss() / 1e6:.1f} MB", flush=True)
    before = fleet.status()["sessions_seen"]
    warm, _ = blow(places, WARM_SECONDS, folder)
    time.sleep(REST_SECONDS)
    idle = fleet.pss()
    sampler = Sampler(fleet)
    probes = {
        "redis": Probe(places["redis"][0], REDIS_ASKS),
        "http": Probe(places["http"][0], HTTP_ASKS),
    }
    threads: tuple[Sampler | Probe, ...] = (sampler, *probes.values())
    for thread in threads:
        thread.start()
    made, account = blow(places, SECONDS, folder)
    for probe in probes.values():
        probe.ending.set()
        probe.join()
    ended = time.monotonic()
    print(f"a storm of {SECONDS} s\n{account}", flush=True)
    connected = {name: made[name] + warm[name] + probes[name].connected for name in made}
    back = came_back(fleet, idle, ended)
    sampler.ending.set()
    sampler.join()
    told(fleet, sampler, probes, connected, before, idle, back)


def came_back(fleet: Fleet, idle: int, ended: float) -> float | None:
    """Seconds until memory is what it was idle; None when it is not within the time."""
    while time.monotonic() - ended < BACK_SECONDS:
        if fleet.pss() <= idle * (1 + BACK_SHARE):
            return time.monotonic() - ended
        time.sleep(0.5)
    return None


def recorded_sessions(fleet: Fleet, expected: int) -> list[dict[str, Any]]:
    """What `sessions` lists once it has all of them: collapsed ones are written a little later, and then collected."""
    until = time.monotonic() + RECORDED_SECONDS
    while True:
        rows: list[dict[str, Any]] = json.loads(chaffinch(fleet.state, "sessions", "--json"))
        if sum(row["count"] for row in rows) >= expected or time.monotonic() > until:
            return rows
        time.sleep(1.0)


def told(
    fleet: Fleet,
    sampler: Sampler,
    probes: dict[str, Probe],
    connected: dict[str, int],
    before: int,
    idle: int,
    back: float | None,
) -> None:
    peak, last = max(sampler.held) / 1e6, sampler.held[-1] / 1e6
    print(f"PSS idle {idle / 1e6:.1f} MB, at its peak {at_most(peak, MEMORY / 1e6, 'MB', 1)}, at the end {last:.1f} MB")
    when = f"after {back:.0f} s" if back is not None else f"not within {BACK_SECONDS} s, but {last:.1f} MB"
    print(f"back within {BACK_SHARE:.0%} of idle: {when} ({said(back is not None)})")
    rows = recorded_sessions(fleet, sum(connected.values()))
    for service, made in connected.items():
        recorded = sum(row["count"] for row in rows if row["service"] == service)
        single = sum(row["count"] == 1 for row in rows if row["service"] == service)
        account = f"{made:,} connections made, {recorded:,} recorded ({single:,} one by one)"
        print(f"{service}: {account}: {said(recorded == made)}")
    for service, probe in probes.items():
        p99 = percentile(probe.took, 0.99) * 1000 if probe.took else 0.0
        most = max(probe.took, default=0.0) * 1000
        print(
            f"{service}, a newcomer each second: {len(probe.took)} answered, p99 {p99:.0f} ms, longest {most:.0f} ms, "
            f"{len(probe.unanswered)} not ({said(not probe.unanswered)}) {sorted(set(probe.unanswered))}"
        )
    status = fleet.status()
    restarts = sum(one["restarts"] for one in status["groups"])
    print(
        f"sessions seen {status['sessions_seen'] - before:,}, lost events {status['journal_lost']}, restarts {restarts}"
    )
    for one in status["groups"]:
        print(f"  {one['name']}: {one['pss_bytes'] / 1e6:.1f} MB, given up {one['given_up']}, {one['error'] or '-'}")


def main() -> None:
    prepare()
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name:
        fleet = Fleet(Path(name) / "state")
        try:
            storm(fleet, Path(name))
        finally:
            chaffinch(fleet.state, "stop")


if __name__ == "__main__":
    main()
