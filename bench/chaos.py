"""Random processes of a fleet are killed under load: nothing acknowledged is lost or twice there; how soon it is whole.

For ten minutes, or for as many seconds as the argument says, each by SIGKILL. Clients speak to redis and http decoys,
a word of its own in each session; a reader follows the journal from outside of the fleet. Acknowledged is what that
reader was shown, and each session that was answered and over longer than `FLUSH_SECONDS` before the first kill after
its beginning. Ends with 1 when any of that is missing or there twice, or when the fleet was not whole again in time.
"""

import collections
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.apart import at_most, percentile
from bench.fleet import OFFSET, chaffinch, compile_all, endpoint
from chaffinch.errors import RunError
from chaffinch.fleet import control
from chaffinch.fleet.control import Status

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
CLIENTS = 8
"""Each has an address, and `RATE` sessions a second at most: below the rate at which a source is collapsed."""
RATE = 60.0
PAUSES = (0.3, 4.0)
"""Seconds from a whole fleet to the next kill."""
SUPERVISOR_SHARE = 0.15
FLUSH_SECONDS = 1.0
"""Events wait for the disk for `journal.flush_ms`, and a commit takes some: far more than both, on a busy machine."""
WHOLE_SECONDS = 10.0
WELL = "nothing acknowledged is missing, and nothing is there twice"
FLAGS = ("--port-offset", str(OFFSET), "--metrics-port", "0")


class Told(NamedTuple):
    """A session that was answered: its word, and when it began and ended (monotonic)."""

    word: str
    began: float
    at: float


class Client(threading.Thread):
    """One session after another, each with a word of its own; keeps a ledger of those that were answered."""

    def __init__(self, number: int, where: dict[str, tuple[str, int]]) -> None:
        super().__init__(daemon=True)
        self.told: list[Told] = []
        self.failed = 0
        self.ending = threading.Event()
        self._number = number
        self._service = ("redis", "http")[number % 2]
        self._where = where[self._service]

    def run(self) -> None:
        for count in range(1 << 30):
            began = time.monotonic()
            word = f"w{self._number}x{count}"
            try:
                self._speak(word)
            except OSError:
                self.failed += 1
            else:
                self.told.append(Told(word, began, time.monotonic()))
            if self.ending.wait(max(0.0, 1 / RATE - (time.monotonic() - began))):
                return

    def _speak(self, word: str) -> None:
        source = (f"127.0.9.{self._number + 1}", 0)
        with socket.create_connection(self._where, timeout=5, source_address=source) as sock:
            if self._service == "redis":
                sock.sendall(f"ECHO {word}\r\n".encode())
            else:
                sock.sendall(f"GET /{word} HTTP/1.0\r\n\r\n".encode())
            got = b"".join(iter(lambda: sock.recv(65536), b"")) if self._service == "http" else sock.recv(1000)
            if not got:
                raise ConnectionResetError("no answer")
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass


class Reader(threading.Thread):
    """Follows the journal in a process of its own; what it was shown was durable."""

    def __init__(self, state: Path) -> None:
        super().__init__(daemon=True)
        self.seen: dict[int, str] = {}
        self.twice = 0
        command = [sys.executable, "-m", "chaffinch", "events", "--follow", "--json", "--state", str(state)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def run(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            seq = json.loads(line)["seq"]
            self.twice += seq in self.seen
            self.seen[seq] = line

    def end(self) -> None:
        time.sleep(2)
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        self.join()


class Fleet:
    """`up`, started again by an outer loop whenever its supervisor was killed, as a service manager does."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.process = self._up()
        self._ending = False
        self._loop = threading.Thread(target=self._again, daemon=True)
        self._loop.start()

    def _up(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "chaffinch", "up", *FLAGS, "--state", str(self.state)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _again(self) -> None:
        while True:
            self.process.wait()
            if self._ending:
                return
            time.sleep(0.1)
            self.process = self._up()

    def status(self) -> Status | None:
        """None while it cannot be asked."""
        try:
            return msgspec.json.decode(control.ask(self.state, "status"), type=Status)
        except RunError:
            return None

    def is_whole(self, without: int) -> bool:
        """Every worker runs, none of them in the process that was killed."""
        status = self.status()
        if status is None or without in (status.pid, *(one.pid for one in status.groups)):
            return False
        return all(one.state == "running" for one in status.workers)

    def stop(self) -> int:
        self._ending = True
        self.process.send_signal(signal.SIGTERM)
        self._loop.join()
        return int(self.process.returncode)


class Kill(NamedTuple):
    """Who was killed, when (monotonic), and how long until the fleet was whole and answered."""

    who: str
    at: float
    whole_s: float


def kill_one(fleet: Fleet, where: tuple[str, int]) -> Kill:
    status = fleet.status()
    assert status is not None, "it was whole"
    groups = {one.name: one.pid for one in status.groups}
    who = "supervisor" if random.random() < SUPERVISOR_SHARE else random.choice(list(groups))
    pid = status.pid if who == "supervisor" else groups[who]
    at = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while not fleet.is_whole(pid) or not answers(where):
        if time.monotonic() - at > 6 * WHOLE_SECONDS:
            raise RuntimeError(f"{who} was killed and the fleet is not whole: {fleet.status()}")
        time.sleep(0.02)
    return Kill(who, at, time.monotonic() - at)


def answers(where: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(where, timeout=2) as sock:
        sock.sendall(b"PING\r\n")
        return bool(sock.recv(100))
    return False


def acknowledged(clients: list[Client], kills: list[Kill]) -> Iterator[tuple[str, str]]:
    """The words of sessions that were over long enough before the next kill, and when that was."""
    for client in clients:
        for word, began, at in client.told:
            # What a killed process had answered before may still be read after.
            following = next((kill for kill in kills if kill.at > began), None)
            if following is None or following.at - at > FLUSH_SECONDS:
                last = next((kill for kill in reversed(kills) if kill.at <= at), None)
                when = f"{at - last.at:.2f} s after a kill of {last.who}" if last else "before any kill"
                yield word, when + (f", {following.at - at:.2f} s before one of {following.who}" if following else "")


def faults(state: Path, reader: Reader, words: dict[str, str]) -> Iterator[str]:
    """What is missing, and what is there twice."""
    lines = chaffinch(state, "events", "--json").splitlines()
    events = [json.loads(line) for line in lines]
    seqs = [event["seq"] for event in events]
    if seqs != list(range(1, len(seqs) + 1)):
        yield "the numbers of the events do not rise by one"
    known = dict(zip(seqs, lines, strict=True))
    changed = sum(known.get(seq) != line.rstrip("\n") for seq, line in reader.seen.items())
    if changed or reader.twice:
        yield f"{changed} events that were shown are gone or changed, {reader.twice} were shown twice"
    said = collections.Counter(
        word for event in events if (word := word_of(event)) and event["kind"] in ("command", "request")
    )
    if missing := words.keys() - said.keys():
        yield f"{len(missing)} acknowledged sessions have no event, such as {min(missing)}: {words[min(missing)]}"
    if twice := [word for word, count in said.items() if count > 1]:
        yield f"{len(twice)} events are there twice, such as {twice[0]}"
    sessions = json.loads(chaffinch(state, "sessions", "--json"))
    ids = [row["id"] for row in sessions]
    if len(ids) != len(set(ids)):
        yield f"{len(ids) - len(set(ids))} sessions are in the store twice"
    of_words = {event["session"] for event in events if word_of(event) in words}
    if lost := of_words - set(ids):
        yield f"{len(lost)} acknowledged sessions are not in the store"
    if counted := [event for event in events if event["kind"] == "journal.lost"]:
        yield f"events were lost and counted: {counted}"
    if still := [row for row in sessions if row["ended"] is None]:
        yield f"{len(still)} sessions never ended in the store"
    print(f"{len(events):,} events, {len(ids):,} sessions in the store, {len(words):,} acknowledged", flush=True)


def word_of(event: dict[str, str]) -> str:
    """The client's word in an event, or nothing."""
    text = event.get("line") or event.get("target") or ""
    word = text.rpartition(" ")[2].lstrip("/")
    return word if word.startswith("w") and "x" in word else ""


def main() -> int:
    compile_all()
    os.environ["CHAFFINCH_FLEET_SEED"] = "bench"
    with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name:
        state = Path(name) / "state"
        chaffinch(state, "up", "--detach", *FLAGS)
        where = {service: endpoint(state, service) for service in ("redis", "http")}
        chaffinch(state, "stop")
        return storm(state, where)


def storm(state: Path, where: dict[str, tuple[str, int]]) -> int:
    fleet = Fleet(state)
    while not fleet.is_whole(0):
        time.sleep(0.05)
    reader, clients = Reader(state), [Client(number, where) for number in range(CLIENTS)]
    for thread in (reader, *clients):
        thread.start()
    kills: list[Kill] = []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        time.sleep(random.uniform(*PAUSES))
        kills.append(kill_one(fleet, where["redis"]))
    time.sleep(2 * FLUSH_SECONDS)
    for client in clients:
        client.ending.set()
    for client in clients:
        client.join()
    reader.end()
    code = fleet.stop()
    return verdict(state, reader, clients, kills, code)


def verdict(state: Path, reader: Reader, clients: list[Client], kills: list[Kill], code: int) -> int:
    who = collections.Counter(kill.who for kill in kills)
    answered, failed = sum(len(client.told) for client in clients), sum(client.failed for client in clients)
    print(f"{len(kills)} kills in {SECONDS:.0f} s: {', '.join(f'{name} {count}' for name, count in who.most_common())}")
    print(f"{answered:,} sessions were answered, {failed} were cut by a kill", flush=True)
    found = list(faults(state, reader, dict(acknowledged(clients, kills))))
    print("\n".join(f"FAULT: {fault}" for fault in found) or WELL)
    for name in ("a group", "the supervisor"):
        took = [kill.whole_s for kill in kills if (kill.who == "supervisor") == (name == "the supervisor")]
        if took:
            print(
                f"whole and answering after {name} was killed: median {statistics.median(took):.2f} s, "
                f"p99 {percentile(took, 0.99):.2f} s, longest {at_most(max(took), WHOLE_SECONDS, 's')}"
            )
    if code:
        print(f"FAULT: the fleet ended with {code}")
    return 1 if found or code or max(kill.whole_s for kill in kills) > WHOLE_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
