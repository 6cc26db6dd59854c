# ruff: noqa: A005  (it is named after the service; nothing here imports the standard library's http)
"""Requests per second of the http decoy in a real fleet, its group on one core, with every request accounted for.

A client on the other core keeps 64 connections busy. Then the journal is read: requests recorded one by one, and those
counted in collapsed records, are together exactly the requests that were sent.
"""

import json
import os
import selectors
import socket
import sys
import time
from pathlib import Path

from bench.fleet import chaffinch, fleet

CONNECTIONS = 64
SECONDS = 6.0
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: 127.77.3.9\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n"
    b"Accept-Language: en\r\nX-Number: %08d\r\n\r\n"
)


def endpoint(state: Path) -> tuple[str, int]:
    """A Debian web server with nginx on port 80."""
    hosts = json.loads(chaffinch(state, "hosts", "--archetype", "web-server", "--limit", "60", "--json"))
    for host in hosts:
        for one in host["services"]:
            if (one["name"], one["real_port"], one["version"]) == ("http", 80, "1.22.1"):
                return host["address"], one["port"]
    raise RuntimeError("no web server among the first hosts")


def pin(pid: int, core: int) -> None:
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {core})


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drive(address: tuple[str, int], seconds: float) -> int:
    """Keep `CONNECTIONS` connections busy that long, one request at a time each; returns how many were answered."""
    selector = selectors.DefaultSelector()
    answered = sent = 0

    def connect() -> None:
        sock = socket.create_connection(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ)
        ask(sock)

    def ask(sock: socket.socket) -> None:
        nonlocal sent
        sent += 1
        sock.sendall(REQUEST % sent)

    for _ in range(CONNECTIONS):
        connect()
    until = time.monotonic() + seconds
    while selector.get_map():
        for key, _ in selector.select(1):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            got = sock.recv(65536)
            assert got.startswith(b"HTTP/1.1 200 OK\r\n"), got[:80]
            assert got.endswith(b"</html>\n"), "an answer came in parts"
            answered += 1
            closes = b"\r\nConnection: close\r\n" in got
            over = time.monotonic() > until
            if closes or over:
                selector.unregister(sock)
                sock.close()
                if not over:
                    connect()
            else:
                ask(sock)
    assert answered == sent
    return answered


def accounted(state: Path) -> tuple[int, int]:
    """Requests recorded one by one, and requests in collapsed records."""
    single = collapsed = 0
    for line in chaffinch(state, "events", "--json", "--service", "http").splitlines():
        event = json.loads(line)
        if event["kind"] == "request":
            single += 1
        elif event["kind"] == "collapsed" and event["of"] == "request":
            collapsed += event["count"]
    return single, collapsed


def measure(said: str) -> bool:
    with fleet() as state:
        group = next(g for g in json.loads(chaffinch(state, "status", "--json"))["groups"] if g["name"] == "decoys")
        pin(group["pid"], 0)
        os.sched_setaffinity(0, {1})
        where = endpoint(state)
        drive(where, 0.5)
        pin(group["pid"], 0)  # the journal's thread began with the first event
        time.sleep(1.5)
        before = sum(accounted(state))
        used, began = cpu_seconds(group["pid"]), time.monotonic()
        answered = drive(where, SECONDS)
        took = time.monotonic() - began
        used = cpu_seconds(group["pid"]) - used
        time.sleep(2.5)
        single, collapsed = accounted(state)
    whole = single + collapsed - before == answered
    print(
        f"{said}: {answered / took:,.0f} requests/s on one core, {used / answered * 1e6:.0f} us of CPU each; "
        f"{answered:,} sent, {single + collapsed - before:,} accounted for "
        f"({single:,} recorded and {collapsed:,} collapsed with the warm-up): {'exactly' if whole else 'MISMATCH'}"
    )
    return whole


def main() -> int:
    whole = measure("at the default rate")
    os.environ["CHAFFINCH_DECOYS_RECORD_RATE"] = "1000000"
    return 0 if measure("every request recorded") and whole else 1


if __name__ == "__main__":
    sys.exit(main())
