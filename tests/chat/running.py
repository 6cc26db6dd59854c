"""`chaffinch bot discord` as a process, with a fake Discord as another one; nothing of the product knows of it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.chat.test_token import TEXT

ROOT = Path(__file__).parents[2]

WAIT_SECONDS = 30.0

RUN = """
import os, sys
from tests.chat.discord.redirecting import point_at
point_at(os.environ["CHAFFINCH_TEST_DISCORD"])
from chaffinch.cli import main
main(sys.argv[1:])
"""
"""The command line, with Discord's addresses pointed at the fake."""


def until(read: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    """What `read` gives, once it is something."""
    end = time.monotonic() + seconds
    while not (found := read()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.05)
    return found


class Discord:
    """The fake, in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Act as somebody (`say`, `slash`, ...), or look."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"{self.url}/_world{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.loads(answer.read() or b"null")


@contextlib.contextmanager
def discord(*arguments: str) -> Iterator[Discord]:
    """A fake with `python -m tests.chat.discord ARGUMENTS`."""
    command = [sys.executable, "-m", "tests.chat.discord", "--token", TEXT, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield Discord(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()


class Bot:
    """The bot's process; `said` is its log."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line

    def ready(self) -> None:
        """Wait until it is."""
        until(lambda: "bot.ready" in self.said or self.process.poll() is not None)
        assert "bot.ready" in self.said, self.said

    def end(self, number: int = signal.SIGTERM) -> int:
        """Stop it; its exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        code = self.process.wait(WAIT_SECONDS)
        self._reader.join()
        return code


@contextlib.contextmanager
def bot(fake: Discord, state: Path, *arguments: str, **environment: str) -> Iterator[Bot]:
    """The command on this state, with the token in a file unless the environment has one."""
    state.mkdir(mode=0o700, exist_ok=True)
    if not {"TOKEN", "CHAFFINCH_BOT_TOKEN"} & environment.keys():
        (state / "discord-token").write_text(TEXT)
        (state / "discord-token").chmod(0o600)
    command = [sys.executable, "-c", RUN, "bot", "discord", "--state", str(state), "--metrics-port", "0", *arguments]
    full = os.environ | {"CHAFFINCH_TEST_DISCORD": fake.url, "PYTHONPATH": str(ROOT)} | environment
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=full, cwd=ROOT) as process:
        one = Bot(process)
        try:
            yield one
        finally:
            if process.poll() is None:
                process.kill()
            one.ended()
