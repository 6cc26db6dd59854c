"""Kill -9 while `chaffinch chain` works: what was acknowledged is there, message by message, and the rest is not.

The crate's own tests fail each single write; these loops kill real processes wherever they happen to be. What they do
beside the core, step by step, is in `tests/cli/chain/test_swap.py`.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaffinch.chain.engine import Chain
from tests.cli.chain.calling import archived, call, command, environment

SEED = 20240517

Ended = Callable[[], bool]
When = Callable[[Ended], object]

STARTS_IN = 0.08
"""Seconds before a command does anything: its interpreter starts."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def chain_of(state: Path) -> Path:
    return state / "chains" / "t"


def done(state: Path, *arguments: str | Path) -> Any:
    """A command that is left alone; its JSON."""
    said = call(state, *arguments, "--json")
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def killed(state: Path, *arguments: str | Path, when: Callable[[Ended], object]) -> bytes | None:
    """Kill a command once `when` returned; None if it was killed, else what it had said by then."""
    with subprocess.Popen(
        command(state, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as running:
        when(lambda: running.poll() is not None)
        running.kill()
        out, err = running.communicate(timeout=60)
    assert running.returncode in (0, -signal.SIGKILL), err
    return out if running.returncode == 0 else None


def after(seconds: float) -> When:
    return lambda _ended: time.sleep(seconds)


def touched(directory: Path, seconds: float) -> When:
    """So long after a file of that chain came, went, grew or was replaced, or the command ended."""

    def files() -> set[tuple[str, int, int]]:
        found = set()
        with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
            for entry in entries:
                facts = entry.stat()
                found.add((entry.name, facts.st_ino, facts.st_size))
        return {one for one in found if one[0] != "lock"}

    before = files()

    def wait(ended: Ended) -> None:
        while not ended() and files() == before:
            time.sleep(0.0002)
        time.sleep(seconds)

    return wait


def sound(state: Path) -> None:
    """Every byte is as it was written, and whoever only reads can."""
    with Chain.open(chain_of(state)) as chain:
        assert chain.verify().damage == ()
        assert chain.stats().damage == ()


def people(path: Path, count: int, start: int = 0) -> Path:
    """Messages with everything that a message can have."""
    rows = (
        {
            "id": f"m{n}",
            "author": f"a{n % 10}",
            "channel": f"c{n % 3}",
            "time": 1767225600 + n,
            "text": f"message {n} of {n % 97} that {n % 89} wrote",
        }
        for n in range(start, start + count)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def folder_of(path: Path, files: int) -> Path:
    """So many files of 100 messages each."""
    path.mkdir()
    for number in range(files):
        people(path / f"{number:03}.ndjson", 100, number * 100)
    return path


def test_a_killed_training_of_many_files_goes_on_exactly(state: Path, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    folder = folder_of(tmp_path / "in", 40)
    done(tmp_path / "undisturbed", "train", "t", folder)
    whole = archived(chain_of(tmp_path / "undisturbed"))
    assert len(whole) == 4000
    counts = [0]
    for attempt in range(30):  # ever later, so that some are in the middle however slow the machine is
        if len(set(counts)) > 4:
            break
        when = touched(chain_of(state), rng.uniform(0, 0.01 * (attempt + 1)))
        if killed(state, "train", "t", folder, when=when) is not None:
            break
        if not (chain_of(state) / "manifest.json").exists():
            continue  # killed while it was made: the next run makes it
        sound(state)
        found = archived(chain_of(state))
        assert found == whole[: len(found)]
        assert len(found) % 100 == 0, "a part of a file was kept"
        assert len(found) >= counts[-1], "what was there is gone"
        counts.append(len(found))
    assert len(set(counts)) > 2, "nothing was gone on with"
    last = done(state, "train", "t", folder)
    assert (last["resumed"], last["learned"]) == (counts[-1], 4000 - counts[-1])
    assert archived(chain_of(state)) == whole
    assert done(state, "train", "t", folder)["resumed"] == 4000


def published(state: Path, segments: int) -> When:
    """Once the chain is there and has so many segments."""

    def wait(ended: Ended) -> None:
        while not ended():
            try:
                manifest = json.loads((chain_of(state) / "manifest.json").read_bytes())
            except FileNotFoundError:
                manifest = {"segments": None}
            if manifest["segments"] is not None and len(manifest["segments"]) >= segments:
                return
            time.sleep(0.002)

    return wait


def test_a_killed_training_of_one_large_file_goes_on_exactly(state: Path, tmp_path: Path) -> None:
    """Larger than a segment may be: within a file, what is in segments is what was acknowledged."""
    rng = random.Random(SEED)
    large = tmp_path / "large.txt"
    large.write_text("".join(f"m{n} {'a b ' * 450}\n" for n in range(16_000)))
    train = ("train", "t", large, "--order", "1")
    done(tmp_path / "undisturbed", *train)
    whole = archived(chain_of(tmp_path / "undisturbed"))
    assert len(whole) == 16_000
    counts = []
    for when in (published(state, 0), published(state, 1), after(STARTS_IN + rng.uniform(0, 0.2))):
        assert killed(state, *train, when=when) is None
        sound(state)
        with Chain.open(chain_of(state)) as chain:
            counts.append(chain.stats().messages)
    assert 0 == counts[0] < counts[1] <= counts[2] < 16_000, "no segment was there before the end"
    assert archived(chain_of(state)) == whole[: counts[-1]]
    last = done(state, *train)
    assert (last["resumed"], last["learned"]) == (counts[-1], 16_000 - counts[-1])
    assert archived(chain_of(state)) == whole


def test_a_killed_clean_leaves_the_old_chain_or_the_new_one(state: Path, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    folder = folder_of(tmp_path / "in", 60)
    done(tmp_path / "undisturbed", "train", "t", folder)
    new = archived(chain_of(tmp_path / "undisturbed"))
    done(state, "train", "t", "--starter", "chat")
    old = archived(chain_of(state))
    for attempt in range(5):
        when = touched(state / "chains" / ".t.clean", rng.uniform(0, 0.02 * (attempt + 1)))
        finished = killed(state, "train", "t", folder, "--clean", when=when) is not None
        assert [row["tenant"] for row in done(state, "list")] == ["t"]
        sound(state)
        assert archived(chain_of(state)) in (old, new)
        if finished:  # the kill came too late: the next one begins anew
            done(state, "train", "t", "--starter", "chat", "--clean")
    resumed = done(state, "train", "t", folder, "--clean")["resumed"]
    assert resumed % 100 == 0
    assert resumed > 0 or finished, "nothing was gone on with"
    assert archived(chain_of(state)) == new
    assert {path.name for path in (state / "chains").iterdir()} == {"t", ".placing"}


def test_a_killed_merge_loses_and_revives_nothing(state: Path, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    done(state, "train", "t", people(tmp_path / "a.ndjson", 20_000))
    with Chain.open(chain_of(state), write=True) as chain:
        assert chain.train(people(tmp_path / "b.ndjson", 2_000, 20_000)).added.learned == 2_000
    wanted = archived(chain_of(state))
    assert len(wanted) == 22_000
    shutil.copytree(state, tmp_path / "undisturbed")
    began = time.monotonic()
    done(tmp_path / "undisturbed", "merge", "t", "--whole")
    takes = time.monotonic() - began - STARTS_IN
    kills = 0
    for author in range(6):
        done(state, "forget", "t", "--author", f"a{author}")
        wanted = [line for line in wanted if json.loads(line)["author"] != f"a{author}"]
        when = touched(chain_of(state), rng.uniform(0, takes / 2))
        kills += killed(state, "merge", "t", "--whole", when=when) is None
        sound(state)
        assert archived(chain_of(state)) == wanted
    assert kills
    done(state, "merge", "t", "--whole")
    assert archived(chain_of(state)) == wanted
    stats = done(state, "stats", "t")
    assert (stats["messages"], stats["forgotten"], stats["segments"]) == (8_800, 0, 1)
    left = {path.suffix for path in chain_of(state).iterdir()}
    assert left == {"", ".json", ".log", ".messages", ".segment"}


def test_a_killed_forget_was_whole_or_nothing(state: Path, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    done(state, "train", "t", people(tmp_path / "a.ndjson", 10_000))
    wanted = archived(chain_of(state))
    for author in range(8):
        when = touched(chain_of(state), rng.uniform(0, 0.004))
        said = killed(state, "forget", "t", "--author", f"a{author}", when=when)
        found = archived(chain_of(state))
        without = [line for line in wanted if json.loads(line)["author"] != f"a{author}"]
        assert found == without or (said is None and found == wanted)
        if said is not None:
            assert said.startswith(b"forgot 1,000 messages\n")
        wanted = found
    sound(state)


def test_two_that_train_at_once_lose_nothing(state: Path, tmp_path: Path) -> None:
    files = [people(tmp_path / f"{number}.ndjson", 20_000, number * 20_000) for number in range(3)]
    running = [
        subprocess.Popen(
            command(state, "train", "t", file), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        )
        for file in files
    ]
    learned = 0
    for one in running:
        _out, err = one.communicate(timeout=60)
        if one.returncode == 0:
            learned += 20_000
        else:
            assert (one.returncode, err.count(b"\n")) == (1, 1), err
            assert b"is open for writing in " in err
    assert learned
    assert len(archived(chain_of(state))) == learned
    for file in files:
        done(state, "train", "t", file)
    assert len(archived(chain_of(state))) == 60_000
