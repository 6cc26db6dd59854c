"""A fleet whose configuration file a test rewrites while it runs."""

import contextlib
import json
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fleet.running import Fleet


class Reloadable(Fleet):
    """All that it is told stands in its file: no flag wins over what a test writes."""

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str] | None = None,
        *,
        offset: int | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        super().__init__(folder / "state", environment=environment, offset=offset, prefix=prefix)
        self.file = folder / "chaffinch.toml"
        self.flags = ("--config", str(self.file))
        self.write()

    def write(self, text: str = "", *, network: str = "", metrics: int = 0, offset: int = 0) -> None:
        """The file: `network` are more lines of that section, `text` is what else there is."""
        self.file.write_text(
            f"[metrics]\nport = {metrics}\n[network]\nport_offset = {offset or self.offset}\n{network}\n{text}\n",
            encoding="utf-8",
        )

    def reload(self, text: str = "", *, network: str = "", metrics: int = 0, offset: int = 0) -> list[str]:
        """Write the file, reload, and what the command says."""
        self.write(text, network=network, metrics=metrics, offset=offset)
        done = self.call("reload")
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    def pids(self) -> dict[str, int]:
        return {group["name"]: group["pid"] for group in self.status()["groups"]}

    def since(self, *without: str) -> dict[str, float]:
        """Since when each worker runs."""
        return {one["name"]: one["since"] for one in self.status()["workers"] if one["name"] not in without}

    def states(self) -> set[str]:
        return {worker["state"] for worker in self.status()["workers"]}

    def effective(self) -> Any:
        return json.loads((self.state / "effective.json").read_text(encoding="utf-8"))


@contextlib.contextmanager
def reloadable(folder: Path, text: str = "", *, environment: dict[str, str] | None = None) -> Iterator[Reloadable]:
    """One that is up inside the block."""
    fleet = Reloadable(folder, environment)
    fleet.write(text)
    try:
        fleet.start()
        yield fleet
    finally:
        if fleet.process is not None and fleet.process.poll() is None:
            fleet.stop()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def page(port: int) -> str:
    """The metrics page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def answers(address: str, port: int, sends: bytes = b"", timeout: float = 5) -> bytes:
    """The first bytes that a service says there, after `sends`; nothing where it closes or resets."""
    with socket.create_connection((address, port), timeout=timeout) as one:
        try:
            if sends:
                one.sendall(sends)
            return one.recv(200)
        except ConnectionResetError:
            return b""


def refuses(address: str, port: int) -> bool:
    """Whether nobody listens there; who is kept silent by the filter does not refuse."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False
    return False
