"""A target that is stopped for a second under a constant rate: the latencies are those of the closed form."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from chaffinch import _core
from chaffinch.load import plan, polls, results
from chaffinch.load.report.stalled import Stall, expected_ms, table

SERVER = """
import socket, sys, threading
def serve(one):
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while one.recv(65536):
        one.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(listening.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
"""


@pytest.fixture
def server() -> Iterator[tuple[int, int]]:
    """The process and the port of a server that another process can stop."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        port = int(running.stdout.readline())
        with contextlib.closing(socket.create_connection(("127.0.0.1", port))):
            pass
        yield running.pid, port
        os.kill(running.pid, signal.SIGCONT)
        running.kill()


def test_the_latencies_of_a_stopped_target(server: tuple[int, int]) -> None:
    pid, port = server
    stall = Stall(rate=200.0, duration=4.0, begins=1.0, lasts=1.0, service=0.0005, connections=10)
    step = plan.Step(name="front", path="/")
    wanted = plan.Plan(
        base_url=f"http://127.0.0.1:{port}",
        scenarios=(plan.Scenario(name="shop", steps=(step,)),),
        model=plan.Constant(stall.rate),
        users=stall.connections,
        duration_ms=round(1000 * stall.duration),
    )
    run = _core.LoadRun(wanted.to_json())
    run.start()
    time.sleep(stall.begins)
    os.kill(pid, signal.SIGSTOP)
    stopped = time.monotonic()
    time.sleep(stall.lasts)
    os.kill(pid, signal.SIGCONT)
    lasted = time.monotonic() - stopped
    while not run.wait(1):
        pass
    result = results.finished(polls.decode_poll(run.poll()), results.describe(wanted), results.Memory())
    assert result.requests == 800
    assert result.failed == 0
    assert result.rate == 200.0
    corrected, uncorrected = result.latency_ms.corrected, result.latency_ms.uncorrected
    assert corrected is not None
    assert uncorrected is not None
    real = Stall(**{**{name: getattr(stall, name) for name in stall.__struct_fields__}, "lasts": lasted})
    for name, percent in (("p90", 90.0), ("p95", 95.0), ("p99", 99.0)):
        assert getattr(corrected, name) == pytest.approx(expected_ms(real, percent), abs=150), name
    rows = {one.name: one for one in table(real)}
    assert corrected.max == pytest.approx(rows["max"].corrected, abs=150)
    assert uncorrected.max == pytest.approx(rows["max"].uncorrected, abs=150)
    assert uncorrected.p95 is not None
    assert uncorrected.p95 < 150, "those that waited for their turn are fast when they are sent"
