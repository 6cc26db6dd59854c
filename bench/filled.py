"""Bounds under `--memory 128M`: what decoys hold with all of them filled at once, and whether their queue loses events.

First a storm of sources, each of them seen once or twice, so that nothing is collapsed for its rate; then clients that
send thousands of commands at once; then, in a fleet of its own, as much of everything as visitors can make a process
hold, and how it is after they left.
"""

import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.apart import at_most
from bench.fleet import chaffinch, prepare
from bench.storm import MEMORY, Fleet, said

SECONDS = 20
CLIENTS, PROCESSES = 48, 2
SILENT, BODIES, REQUESTS, NEWCOMERS, SOURCES = 2600, 400, 60, 6000, 12
AFTER_SECONDS = 30
TALK = rb"PING\r\nSET storm:1 value\r\nGET storm:1\r\nINFO\r\nECHO one\r\nECHO two\r\nQUIT\r\n"
MANY = rb"ECHO hallo-hallo\r\n"

CLIENT = """
import asyncio, random, sys, time
host, port, until, talk = sys.argv[1], int(sys.argv[2]), time.monotonic() + float(sys.argv[3]), sys.argv[4].encode()
talk = talk.decode("unicode_escape").encode() * int(sys.argv[5]) + b"QUIT\\r\\n"

async def client(draw):
    while time.monotonic() < until:
        source = f"127.{draw.randrange(2, 60)}.{draw.randrange(256)}.{draw.randrange(1, 255)}"
        reader, writer = await asyncio.open_connection(host, port, local_addr=(source, 0))
        writer.write(talk)
        await reader.read(-1)
        writer.close()

async def main():
    await asyncio.gather(*(client(random.Random()) for _ in range(int(sys.argv[6]))))

asyncio.run(main())
"""


class Sampler(threading.Thread):
    """What the group of decoys holds, each second."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(daemon=True)
        self.fleet = fleet
        self.groups: list[dict[str, Any]] = []
        self.pss: list[int] = []
        self.ending = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.ending.wait(0.5):
            self.pss.append(self.fleet.pss())
            self.groups.append(decoys(self.fleet))

    def end(self) -> None:
        self.ending.set()
        self.join()


def decoys(fleet: Fleet) -> dict[str, Any]:
    group: dict[str, Any] = next(one for one in fleet.status()["groups"] if one["name"] == "decoys")
    return group


def storm(fleet: Fleet, name: str, talk: bytes, times: int) -> None:
    """Short sessions with redis from ever other sources."""
    host, port = fleet.places("redis", 6379)[0]
    before, began = fleet.status(), time.monotonic()
    arguments = [host, str(port), str(SECONDS), talk.decode(), str(times), str(CLIENTS)]
    clients = [subprocess.Popen([sys.executable, "-c", CLIENT, *arguments]) for _ in range(PROCESSES)]
    for one in clients:
        one.wait()
    took = time.monotonic() - began
    time.sleep(2)
    status = fleet.status()
    events, sessions = status["events"] - before["events"], status["sessions_seen"] - before["sessions_seen"]
    lost = status["journal_lost"]
    rate = f"{events / took:,.0f} events/s for {took:.0f} s"
    print(f"{name}: {sessions:,} sessions, {rate}, {lost:,} lost ({said(not lost)})", flush=True)


class Visitors(ExitStack):
    """Connections that stay open, each from a source of its own."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__()
        ports = {"telnet": 23, "redis": 6379, "memcached": 11211, "http": 80}
        self.places = {name: fleet.places(name, port)[0] for name, port in ports.items()}
        self.count = 0

    def visit(self, service: str, *says: bytes) -> None:
        """What is sent to a full process may be cut off."""
        self.count += 1
        one = self.enter_context(socket.socket())
        one.settimeout(3)
        one.bind((f"127.1.{self.count >> 8}.{self.count & 255}", 0))
        try:
            one.connect(self.places[service])
            for data in says:
                one.sendall(data)
        except OSError:
            return


def fill(visitors: Visitors) -> None:
    """As much of everything as visitors can make a process hold."""
    for _ in range(SOURCES):
        keys = [b"".join(b"SET key:%d:%d value-%d\r\n" % (n, m, m) for m in range(800)) for n in range(20)]
        visitors.visit("redis", *keys)
    for _ in range(SOURCES):
        item = b"x" * 150
        items = [b"".join(b"set %d:%d 0 0 150 noreply\r\n%s\r\n" % (n, m, item) for m in range(400)) for n in range(20)]
        visitors.visit("memcached", *items)
    for _ in range(SILENT):
        visitors.visit("telnet")
    for _ in range(BODIES):
        visitors.visit("http", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 250000\r\n\r\n" + bytes(185_000))
    for _ in range(REQUESTS):
        visitors.visit("redis", b"*2\r\n$3\r\nGET\r\n$900000\r\n" + bytes(800_000))
    for number in range(NEWCOMERS):
        visitors.visit(("redis", "telnet")[number % 2])


def pong(place: tuple[str, int]) -> bytes:
    with socket.create_connection(place, timeout=5) as one:
        one.sendall(b"PING\r\n")
        return one.recv(100).strip()


def filled(fleet: Fleet) -> None:
    sampler = Sampler(fleet)
    with Visitors(fleet) as visitors:
        fill(visitors)
        time.sleep(3)
        full = decoys(fleet)
        print(f"a newcomer then: {pong(visitors.places['redis'])!r}")
    time.sleep(AFTER_SECONDS)
    sampler.end()
    last, most = decoys(fleet), max(one["private_bytes"] for one in sampler.groups)
    share, pss = last["budget_bytes"] / 1e6, at_most(max(sampler.pss) / 1e6, MEMORY / 1e6, "MB", 1)
    peak, left = at_most(most / 1e6, share, "MB", 1), at_most(full["private_bytes"] / 1e6, share, "MB", 1)
    print(f"{visitors.count:,} connections: the peak against the share {peak}; PSS of all {pss}")
    print(f"full, once the guard has acted: {left}, given up {full['given_up']}")
    print(f"{AFTER_SECONDS} s after all left: {last['private_bytes'] / 1e6:.1f} MB, given up {last['given_up']}")
    answer, restarts = pong(visitors.places["redis"]), last["restarts"]
    print(f"a newcomer then: {answer!r} ({said(answer == b'+PONG')}); restarts {restarts} ({said(not restarts)})")


def main() -> None:
    prepare()
    for part in ("storms", "filled"):
        with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name:
            fleet = Fleet(Path(name) / "state")
            try:
                if part == "filled":
                    filled(fleet)
                else:
                    storm(fleet, "7 commands a session", TALK, 1)
                    storm(fleet, "4,500 commands at once", MANY, 4500)
            finally:
                chaffinch(fleet.state, "stop")


if __name__ == "__main__":
    main()
