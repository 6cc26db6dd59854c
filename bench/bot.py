"""The Discord bot against a Discord on loopback: memory with 50 guilds, a training, and `/mark` while it goes on.

The Discord is the tests' own, in a process of its own, without rate limits; the bot is `chaffinch bot discord`. Times
of `/mark` are from the event's being written to its connection to the first REST call that it leads to (the one that
tells Discord that an answer follows), and to the answer; both are taken by the Discord, and include what it takes
itself.
"""

import argparse
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from bench import corpus
from bench.apart import at_least, at_most, percentile
from chaffinch.chain import Chain, Options, directory_of
from chaffinch.chat import worker
from chaffinch.chat.names import tenant_of
from chaffinch.config import Config
from chaffinch.fleet import budget
from chaffinch.fleet.workers import BOT
from chaffinch.metrics import memory

GUILDS = 50
MESSAGES = 1_000_000
SPEAKERS = 10
"""Guilds with a chain of `TAUGHT` messages, in which `/mark` is given in turn."""
TAUGHT = 20_000
MARKS_A_SECOND = 20
SETTLED_SECONDS = 20
LONGEST_SECONDS = 900.0
CITY = "city"
TOKEN = "MTAwMDAwMDAwMDAwMDAwMDAw.bench1.nobody-has-this-token-but-the-bench-itself"


class Discord:
    """The fake Discord's process, asked over HTTP."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.pid = process.pid
        said = json.loads(process.stdout.readline())
        self.url, self.token = said["url"], said["token"]
        self._connection = http.client.HTTPConnection("127.0.0.1", said["port"], timeout=60)

    def get(self, path: str) -> Any:
        return self._asked("GET", path, None)

    def post(self, path: str, **body: Any) -> Any:
        return self._asked("POST", path, json.dumps(body))

    def _asked(self, method: str, path: str, body: str | None) -> Any:
        self._connection.request(method, f"/_world{path}", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} /_world{path}: {answer.status} {text.decode()}")
        return json.loads(text)

    def slash(self, guild: str, channel: str, command: str, **options: Any) -> str:
        """Give a command as the guild's moderator; the interaction."""
        asked = self.post("/slash", guild=guild, channel=channel, member="moderator", command=command, options=options)
        return str(asked["interaction"])

    def answer(self, interaction: str) -> Any:
        """Wait for what is answered."""
        return wait_for(lambda: (self.get(f"/interactions/{interaction}")["answers"] or [None])[0])


def wait_for(found: Any, seconds: float = 60.0, pause: float = 0.1) -> Any:
    ends = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < ends, "the bot did not do it in time"
        time.sleep(pause)
    return value


@contextlib.contextmanager
def ended(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextlib.contextmanager
def logged(path: Path) -> Iterator[IO[str]]:
    """A file for the bot's log, the end of which is shown where the bench fails."""
    with path.open("w+", encoding="utf-8") as log:
        try:
            yield log
        except BaseException:
            print(*path.read_text(encoding="utf-8").splitlines()[-20:], sep="\n", file=sys.stderr)
            raise


def point_at(url: str) -> None:
    """discord.py's addresses: by hand, so that the bot's process imports nothing of the Discord that it talks to."""
    import yarl
    from discord.asset import Asset
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

    Route.BASE = f"{url}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url.replace("http", "ws", 1) + "/")
    Asset.BASE = url


def bot(url: str, state: str) -> int:
    """The bot's process."""
    point_at(url)
    sys.argv = ["chaffinch", "--state", state, "bot", "discord", "--metrics-port", "0"]
    from chaffinch.cli import main as cli

    return cli()


def teach(discord: Discord, state: Path, file: Path) -> list[str]:
    """Give some guilds a chain; their names."""
    lines = file.read_text(encoding="utf-8").split("\n")[:TAUGHT]
    part = state / "part"
    part.write_text("\n".join(lines), encoding="utf-8")
    taught = [guild for guild in discord.get("")["guilds"] if guild["name"] != CITY][:SPEAKERS]
    for guild in taught:
        with Chain.open(directory_of(state, tenant_of(int(guild["id"]))), write=True, create=Options()) as chain:
            chain.train(part)
    return [guild["name"] for guild in taught]


class Trained(NamedTuple):
    """A training, and `/mark` in other guilds meanwhile: until the first REST call and until the answer, in ms.

    `most_bytes` of memory that is no file's the bot had.
    """

    seconds: float
    most_bytes: int
    firsts: list[float]
    answers: list[float]


def train(discord: Discord, pid: int, channels: list[str], speakers: list[str], rate: float) -> Trained:
    """Train the large guild, with so many `/mark` a second."""
    progress = discord.answer(discord.slash(CITY, channels[0], "train"))
    began = time.monotonic()
    asked: list[str] = []
    looked = measured = began
    most = 0

    def result() -> Any:
        said = discord.get(f"/posted?guild={CITY}&channel={channels[0]}&after={progress['id']}")
        return next((one for one in said if one["reply_to"] == progress["id"]), None)

    while True:
        now = time.monotonic()
        assert now - began < LONGEST_SECONDS, "the training did not end"
        if rate and len(asked) < (now - began) * rate:
            asked.append(discord.slash(speakers[len(asked) % len(speakers)], "general", "mark"))
        if now - measured > 0.02:
            measured = now
            held = memory.read(pid)
            most = max(most, held.private_bytes - held.file_bytes)
        if now - looked > 0.25:
            looked = now
            if result():
                break
        time.sleep(0.002)
    seconds = time.monotonic() - began
    time.sleep(1)
    found = [discord.get(f"/interactions/{one}") for one in asked]
    firsts = [(one["callback_ns"] - one["sent_ns"]) / 1e6 for one in found]
    answers = [(one["answers"][0]["posted_ns"] - one["sent_ns"]) / 1e6 for one in found]
    return Trained(seconds, most, firsts, answers)


def is_deployed(discord: Discord) -> bool:
    """Whether the bot has given Discord its commands."""
    return any("/commands" in route and "GET" not in route for route in discord.get("/counts")["requests"])


def least_share() -> tuple[int, dict[str, str]]:
    """The least share of the bot's group, and what the bot goes by in it."""
    division = budget.divide(0, {"out": (BOT,)})
    share = division.parts[0].least_bytes
    chain = worker.within(Config(), share).chain
    bounds = {"CHAFFINCH_CHAIN_SEGMENT_MEMORY": chain.segment_memory, "CHAFFINCH_CHAIN_MEMORY": chain.memory}
    return share, {name: str(value) for name, value in bounds.items()}


def rss_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def measure(messages: int) -> None:
    fake = [sys.executable, "-m", "tests.chat.discord", "--guilds", str(GUILDS - 1), "--messages", str(messages)]
    fake += ["--token", TOKEN]
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as folder, ended(fake, stdout=subprocess.PIPE) as one:
        discord, state = Discord(one), Path(folder)
        speakers = teach(discord, state, corpus.written(state, TAUGHT))
        command = [sys.executable, "-m", "bench.bot", "--url", discord.url, "--state", folder]
        environment = os.environ | {"CHAFFINCH_BOT_TOKEN": discord.token}
        with logged(state / "log") as log, ended(command, env=environment, stderr=log) as running:
            wait_for(lambda: is_deployed(discord))
            time.sleep(SETTLED_SECONDS)
            print(f"{GUILDS} guilds, idle: RSS {at_most(rss_bytes(running.pid) / 1e6, 64, 'MB', 1)}")
            city = next(guild for guild in discord.get("")["guilds"] if guild["name"] == CITY)
            channels = [name for name in city["channels"] if name.startswith("channel")]
            options = {f"channel-{number}": {"channel": name} for number, name in enumerate(channels, 1)}
            discord.answer(discord.slash(CITY, channels[0], "listen add", **options))
            alone = train(discord, running.pid, channels, speakers, 0)
            print(
                f"training of {city['messages']:,} messages: {alone.seconds:.1f} s, "
                f"{at_least(city['messages'] / alone.seconds, 20_000, '/s')}; "
                f"memory of its own {alone.most_bytes / 1e6:.1f} MB at the most, RSS afterwards "
                f"{rss_bytes(running.pid) / 1e6:.1f} MB"
            )
            quiet = [discord.slash(speakers[number % len(speakers)], "general", "mark") for number in range(20)]
            for interaction in quiet:
                discord.answer(interaction)
            seconds, _, firsts, answers = train(discord, running.pid, channels, speakers, MARKS_A_SECOND)
            print(
                f"/mark in other guilds meanwhile ({len(firsts)} in {seconds:.1f} s): first REST call p50 "
                f"{percentile(firsts, 0.5):.1f} ms, p99 {at_most(percentile(firsts, 0.99), 20, 'ms', 1)}; answer p50 "
                f"{percentile(answers, 0.5):.1f} ms, p99 {percentile(answers, 0.99):.1f} ms"
            )
        share, bounds = least_share()
        with logged(state / "log") as log, ended(command, env=environment | bounds, stderr=log) as running:
            time.sleep(SETTLED_SECONDS)
            small = train(discord, running.pid, channels, speakers, 0)
            print(
                f"the same bounded as in the least share of a fleet's budget: {small.seconds:.1f} s, memory of its own "
                f"{at_most(small.most_bytes / 1e6, share / 1e6, 'MB', 1)} at the most"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES, help="of the large guild")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--state", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.url:
        return bot(given.url, given.state)
    measure(given.messages)
    return 0


if __name__ == "__main__":
    sys.exit(main())
