"""The HTTP API under a steady 2,000 requests a second, on one core, while a million messages are trained.

Requests are due at fixed times, whatever the server does, and each is measured from when it was due to the end of its
answer: a server that falls behind cannot hide it. The server, with all its threads, has core 0; the client has core 1,
before everything else there. The training is the command line's, on a chain of its own, again and again until the last
request is answered.
"""

import contextlib
import itertools
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench import corpus
from bench.apart import Figures, at_least, at_most, command, percentile

CONNECTIONS = 32
RATE = 2000
SECONDS = 8.0
SERVER_CORE, CLIENT_CORE = 0, 1
TENANT = "bench"
POSTED = 50_000
"""Messages of one body."""
GENERATE = f"/v1/chains/{TENANT}/generate"
CLI = (sys.executable, "-m", "chaffinch")


class Driven(NamedTuple):
    """What a client saw."""

    answered: int
    seconds: float
    cpu_us: float
    """Processor time of the server for each answer, user and system."""
    latencies_ms: list[float]


class Served(NamedTuple):
    port: int
    pid: int
    token: str


def request(token: str, path: str, body: bytes, kind: str = "application/json") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nAccept: */*\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@contextlib.contextmanager
def served(state: Path) -> Iterator[Served]:
    """The server on its core, with the token that it made."""
    serve = ["taskset", "--cpu-list", str(SERVER_CORE), *CLI, "chain", "serve", "--state", str(state), "--port", "0"]
    with subprocess.Popen(serve, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "serving chains on" not in (line := process.stderr.readline()):
            assert line, "the server did not start"
        try:
            yield Served(
                int(line.partition(";")[0].rpartition(":")[2]),
                process.pid,
                (state / "chain-token").read_text(encoding="ascii").strip(),
            )
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def receive(sock: socket.socket) -> bytes:
    """The body of one answer, which has to be a 200."""
    got = b""
    while True:
        got += sock.recv(65536)
        head, end, body = got.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            assert got.startswith(b"HTTP/1.1 200 "), got[:200]
            return body


def drive(server: Served, rate: float, seconds: float, body: bytes = b'{"n":1}') -> Driven:
    """Send so many requests a second, or with a rate of 0 as fast as answers come."""
    sent = request(server.token, GENERATE, body)
    due: deque[float] = deque()
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        idle: deque[socket.socket] = deque()
        asked: dict[socket.socket, float] = {}
        for _ in range(CONNECTIONS):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(sock, selectors.EVENT_READ)
            idle.append(sock)
        used, began = cpu_seconds(server.pid), time.perf_counter()
        planned = 0
        while True:
            now = time.perf_counter()
            over = now - began > seconds
            if rate and not over:
                while began + planned / rate <= now:
                    due.append(began + planned / rate)
                    planned += 1
            elif not rate and not over:
                due.extend([now] * (len(idle) - len(due)))
            while idle and due:
                sock = idle.popleft()
                asked[sock] = due.popleft()
                sock.sendall(sent)
            if over and not due and not asked:
                break
            wait = max(0.0, began + planned / rate - time.perf_counter()) if rate and not over and not due else 0.1
            for key, _ in selector.select(wait):
                ready = key.fileobj
                assert isinstance(ready, socket.socket)
                assert b'{"messages":[{"text":"' in receive(ready)
                latencies.append((time.perf_counter() - asked.pop(ready)) * 1000)
                idle.append(ready)
        took = time.perf_counter() - began
        used = cpu_seconds(server.pid) - used
    return Driven(len(latencies), took, used / len(latencies) * 1e6, latencies)


def trained(state: str, file: str) -> Figures:
    """Train the file again and again, until killed; tells the seconds of each time."""
    while True:
        began = time.perf_counter()
        again = [*CLI, "chain", "train", "--clean", "--state", state, "trained", file]
        subprocess.run(again, check=True, capture_output=True)
        print(f"{time.perf_counter() - began:.2f} s", flush=True)


def posted(port: int, token: str, file: str) -> Figures:
    """Post the messages of a file to another chain of the server, each with its id, until killed; tells the rates."""
    with Path(file).open(encoding="utf-8", newline="\n") as lines:
        numbered = enumerate(lines)
        while True:
            some = itertools.islice(numbered, POSTED)
            body = b"".join(json.dumps({"id": str(n), "text": line}).encode() + b"\n" for n, line in some)
            if not body:
                time.sleep(60)
            with socket.create_connection(("127.0.0.1", port)) as sock:
                began = time.perf_counter()
                sock.sendall(request(token, "/v1/chains/posted/messages", body, "application/x-ndjson"))
                learned = json.loads(receive(sock))["learned"]
                print(f"{learned / (time.perf_counter() - began):,.0f}/s", flush=True)


@contextlib.contextmanager
def beside(core: int, command: list[str], *, nice: int = 0) -> Iterator[list[str]]:
    """Run a command on a core meanwhile, then kill it with its children; the lines that it said."""
    said: list[str] = []
    full = ["taskset", "--cpu-list", str(core), "nice", "-n", str(nice), *command]
    with subprocess.Popen(full, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        time.sleep(0.5)
        try:
            yield said
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            assert process.stdout is not None
            said += process.stdout.read().splitlines()


def show(what: str, driven: Driven, bounded: bool) -> None:
    rate, each = driven.answered / driven.seconds, driven.latencies_ms
    p99 = percentile(each, 0.99)
    print(
        f"{what}: {at_least(rate, RATE * 0.99, '/s') if bounded else f'{rate:,.0f}/s'}, "
        f"p50 {percentile(each, 0.5):.2f} ms, p99 {at_most(p99, 10, 'ms') if bounded else f'{p99:.2f} ms'}, "
        f"p99.9 {percentile(each, 0.999):.2f} ms, longest {max(each):.1f} ms; "
        f"{driven.cpu_us:.0f} us of CPU each, {driven.cpu_us * rate / 1e6:.0%} of the core"
    )


def main() -> None:
    messages = corpus.arguments(__doc__).messages
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name:
        folder = Path(name)
        file = corpus.written(folder, messages)
        state = folder / "state"
        subprocess.run(
            [*CLI, "chain", "train", "--state", str(state), TENANT, str(file)], check=True, stderr=subprocess.DEVNULL
        )
        print(f"the corpus: {corpus.NATURE}; {messages:,} messages, {CONNECTIONS} connections, one message an answer")
        with served(state) as server:
            os.sched_setaffinity(0, {CLIENT_CORE})
            with contextlib.suppress(PermissionError):
                # A client that waits for its turn would be taken for a slow server. What it starts is none.
                os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
            drive(server, RATE, 1.0)
            show("alone, as fast as it can", drive(server, 0, SECONDS / 2), bounded=False)
            show(f"alone, {RATE:,}/s asked", drive(server, RATE, SECONDS), bounded=True)
            train = command(trained, state=str(folder / "other"), file=str(file))
            post = command(posted, port=server.port, token=server.token, file=str(file))
            for what, core, program, nice in (
                ("training beside it, on the client's core", CLIENT_CORE, train, 0),
                ("training on the server's core, at nice 19", SERVER_CORE, train, 19),
                ("the server itself learns what another client posts", CLIENT_CORE, post, 0),
            ):
                with beside(core, program, nice=nice) as said:
                    driven = drive(server, RATE, SECONDS)
                show(what, driven, bounded=program is train)
                print(f"  meanwhile, each time: {', '.join(said) or 'not one whole time'}")


if __name__ == "__main__":
    main()
