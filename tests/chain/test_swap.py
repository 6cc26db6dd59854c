"""A chain that is replaced while others open, make and remove it: nothing acknowledged is lost, nothing is left over.

What a kill leaves at each step is in `tests/cli/chain/test_swap.py`.
"""

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from chaffinch.chain import Chain, LockedError, Message, Options, Pool, Tenants, directory_of, tenants_in
from chaffinch.chain.swap import abandon, begin, held, place, replace, settle, settled
from chaffinch.config import ChainSettings
from chaffinch.errors import ChaffinchError, RunError
from tests.chain.test_open_chains import until
from tests.cli.chain.calling import call, texts

PAUSE = 0.3


def made(directory: Path, *said: str) -> None:
    with Chain.open(directory, write=True, create=Options()) as chain:
        chain.add([Message(one) for one in said])


def left(state: Path) -> set[str]:
    return set(os.listdir(state / "chains")) - {".placing"}


def slow_renames(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Each rename takes its time afterwards; set once the first was made."""
    original, renamed = Path.rename, threading.Event()

    def rename(self: Path, target: Path) -> Path:
        to = original(self, target)
        renamed.set()
        time.sleep(PAUSE)
        return to

    monkeypatch.setattr(Path, "rename", rename)
    return renamed


def replaced(state: Path, said: str) -> None:
    """What `train --clean` does."""
    with held(state, "t") as there:
        made(begin(state, "t", b"plan"), said)
        replace(state, "t", there=there)


def test_who_adds_between_the_renames_adds_to_the_new_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(directory_of(tmp_path, "t"), "old words")
    renamed = slow_renames(monkeypatch)

    async def scene() -> None:
        async with Pool(4) as pool, Tenants(tmp_path, pool, ChainSettings()) as many:
            swap = asyncio.ensure_future(asyncio.to_thread(replaced, tmp_path, "new words"))
            await until(renamed.is_set)
            assert not directory_of(tmp_path, "t").exists()
            said, added, *_ = await asyncio.gather(
                many.generate("t", novel=False), many.add("t", [Message("more words")]), many.add("u", [Message("u")])
            )
            assert said in (["new words"], ["more words"])
            assert added.learned == 1
            await swap

    asyncio.run(scene())
    assert texts(directory_of(tmp_path, "t")) == ["new words", "more words"]
    assert left(tmp_path) == {"t", "u"}


def test_who_adds_after_a_kill_between_the_renames_adds_to_the_new_chain(tmp_path: Path) -> None:
    made(directory_of(tmp_path, "t"), "old words")
    made(begin(tmp_path, "t", b"plan"), "new words")
    directory_of(tmp_path, "t").rename(tmp_path / "chains" / ".t.old")

    async def scene() -> None:
        async with Pool(2) as pool, Tenants(tmp_path, pool) as many:
            await many.add("t", [Message("more words")])

    asyncio.run(scene())
    assert texts(directory_of(tmp_path, "t")) == ["new words", "more words"]
    assert left(tmp_path) == {"t"}


def test_a_removed_tenant_stays_removed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Pool(2) as pool, Tenants(tmp_path, pool) as many:
            for name in (".t.old", ".t.clean"):
                await many.add("t", [Message("words to forget")])
                made(tmp_path / "chains" / name, "words to forget")
                await many.remove("t")
                settle(tmp_path, "t")
                assert await many.list() == []
                assert left(tmp_path) == set()
            made(begin(tmp_path, "t", b"plan"), "words to forget")  # and there never was another
            await many.remove("t")
            assert left(tmp_path) == set()

    asyncio.run(scene())


def test_what_nobody_can_decide_is_read_but_not_written(tmp_path: Path) -> None:
    for name in ("t", ".t.old", ".t.clean"):
        made(tmp_path / "chains" / name, f"of {name}")

    async def scene() -> None:
        async with Pool(2) as pool, Tenants(tmp_path, pool) as many:
            assert await many.generate("t", novel=False) == ["of t"]
            with pytest.raises(RunError, match="move away the two that are not wanted"):
                await many.add("t", [Message("more words")])
            await many.remove("t")

    asyncio.run(scene())
    assert left(tmp_path) == set()


def test_a_chain_that_went_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    made(begin(tmp_path, "t", b"plan"), "new words")
    with pytest.raises(RunError, match="was removed meanwhile: give the same command again"):
        replace(tmp_path, "t", there=True)
    made(directory_of(tmp_path, "t"), "old words")
    with pytest.raises(RunError, match="was made meanwhile: give the same command again"):
        replace(tmp_path, "t", there=False)
    assert texts(directory_of(tmp_path, "t")) == ["old words"]


def test_nothing_is_placed_over_what_is_there(tmp_path: Path) -> None:
    made(tmp_path / "chains" / "new", "new words")
    directory_of(tmp_path, "t").symlink_to("nowhere")
    assert not place(tmp_path, "t", tmp_path / "chains" / "new")
    directory_of(tmp_path, "t").unlink()
    assert place(tmp_path, "t", tmp_path / "chains" / "new")
    assert tenants_in(tmp_path) == ["t"]


SWAPS = 30


def test_swaps_beside_many_that_open_and_make(tmp_path: Path) -> None:
    """Whoever holds the writer's lock says what it does: each chain has exactly what was done to it, in that order."""
    expected, stop, failures = ["swap 0"], threading.Event(), []
    made(directory_of(tmp_path, "t"), "swap 0")

    def learn(name: str) -> None:
        number = 0
        while not stop.is_set():
            try:
                with settled(tmp_path, "t", make=True):
                    chain = Chain.open(directory_of(tmp_path, "t"), write=True, create=Options())
            except LockedError:
                continue
            except ChaffinchError as error:
                failures.append(error)
                return
            with chain:
                number += 1
                chain.add([Message(f"{name} {number}")])
                expected.append(f"{name} {number}")
            time.sleep(0.002)  # the others have a turn too

    learners = [threading.Thread(target=learn, args=(name,)) for name in ("one", "two", "three")]
    for learner in learners:
        learner.start()
    try:
        swaps = 0
        while swaps < SWAPS:
            made(begin(tmp_path, "t", b"plan"), f"swap {swaps + 1}")
            try:
                with held(tmp_path, "t") as there:
                    assert there
                    assert texts(directory_of(tmp_path, "t")) == expected
                    swaps += 1
                    expected[:] = [f"swap {swaps}"]
                    replace(tmp_path, "t", there=there)
            except LockedError:
                abandon(tmp_path, "t", b"plan")
    finally:
        stop.set()
        for learner in learners:
            learner.join()
    assert failures == []
    assert texts(directory_of(tmp_path, "t")) == expected
    assert left(tmp_path) == {"t"}


CLEANS = 12


def test_cleans_beside_a_server_that_learns_all_the_time(tmp_path: Path) -> None:
    """Of what was acknowledged each chain has an unbroken run: from its own beginning to the end of the one before."""
    acknowledged: list[int] = []
    state, refused, cleans = tmp_path / "state", 0, 0

    async def learn(many: Tenants, stop: asyncio.Event) -> None:
        nonlocal refused
        number = 0
        while not stop.is_set():
            number += 1
            while True:
                try:
                    await many.add("t", [Message(f"server {number}", id=f"s{number}")])
                    break
                except LockedError:
                    refused += 1
                    await asyncio.sleep(0.001)
            acknowledged.append(number)
            if number % 20 == 0:  # now and then nobody has the chain open for writing
                await until(lambda: not len(many._chains))
                await asyncio.sleep(0.05)

    async def speak(many: Tenants, stop: asyncio.Event) -> None:
        while not stop.is_set():
            assert await many.generate("t", novel=False)
            await asyncio.sleep(0.3)

    async def scene() -> None:
        nonlocal cleans
        settings = ChainSettings(idle_seconds=0.02)
        async with Pool(4) as pool, Tenants(state, pool, settings) as many:
            await many.add("t", [Message("first")])
            stop = asyncio.Event()
            tasks = [asyncio.ensure_future(learn(many, stop)), asyncio.ensure_future(speak(many, stop))]
            try:
                while cleans < CLEANS:
                    file = tmp_path / f"clean{cleans}"
                    file.write_text(f"clean {cleans}\n")
                    done = await asyncio.to_thread(call, state, "train", "t", file, "--clean")
                    if done.returncode:
                        assert b"is open for writing in " in done.stderr
                        continue
                    begun = len(acknowledged)
                    await until(lambda begun=begun: len(acknowledged) > begun + 2)  # type: ignore[misc]
                    known = len(acknowledged)
                    first, *others = texts(directory_of(state, "t"))
                    numbers = [int(one.removeprefix("server ")) for one in others]
                    assert first == f"clean {cleans}"
                    assert numbers == list(range(numbers[0], numbers[-1] + 1))
                    assert numbers[0] <= begun + 1
                    assert numbers[-1] >= known
                    cleans += 1
            finally:
                stop.set()
                await asyncio.gather(*tasks)

    asyncio.run(asyncio.wait_for(scene(), 60))
    assert left(state) == {"t"}
    assert texts(directory_of(state, "t"))[-1] == f"server {acknowledged[-1]}"
    assert call(state, "verify", "t").returncode == 0
