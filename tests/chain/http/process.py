"""`chaffinch chain serve` in a process of its own, on a free port, and a client that sees every byte."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from chaffinch.chain.http.serve import TOKEN_FILE
from tests.http.client import Answer, head_of

COMMAND = (sys.executable, "-m", "chaffinch", "chain", "serve")


ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CHAFFINCH_")} | {
    "XDG_CONFIG_HOME": "/nonexistent"
}
"""Without what configures a fleet."""


def command(state: Path, *arguments: str) -> list[str]:
    return [*COMMAND, "--state", str(state), "--port", "0", *arguments]


class Served:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], port: int, said: str, state: Path) -> None:
        self.process = process
        self.port = port
        self.said = said
        """What it said before it served."""
        self._state = state

    @property
    def token(self) -> str:
        """The token that it made."""
        return (self._state / TOKEN_FILE).read_text().strip()

    def line(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 10)

    def ask(self, sent: bytes) -> Answer:
        with self.connect() as peer:
            peer.sendall(sent)
            return answer_of(peer)


def answer_of(peer: socket.socket) -> Answer:
    got = b""
    while b"\r\n\r\n" not in got:
        got += received(peer)
    head, _, body = got.partition(b"\r\n\r\n")
    status, headers = head_of(head.decode())
    while len(body) < int(headers.get("content-length", "0")):
        body += received(peer)
    return Answer(status, headers, body)


def received(peer: socket.socket) -> bytes:
    data = peer.recv(65536)
    assert data, "closed without an answer"
    return data


@contextlib.contextmanager
def served(state: Path, *arguments: str) -> Iterator[Served]:
    with subprocess.Popen(command(state, *arguments), stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        try:
            assert process.stderr is not None
            said = ""
            while "serving chains on" not in (line := process.stderr.readline()):
                assert line, said
                said += line
            yield Served(process, int(line.partition(";")[0].rpartition(":")[2]), said, state)
        finally:
            process.kill()
