"""A chain that is made beside a tenant's to take its place: nothing told to it is lost, and no call fails."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaffinch.chain import Chain, LockedError, Message, Options, Tenants, UnknownTenantError, directory_of, swap
from chaffinch.errors import RunError
from tests.chain.test_open_chains import until
from tests.chain.test_swap import left, made, slow_renames
from tests.chain.test_tenants import idle, messages, play
from tests.cli.chain.calling import call, environment, texts

MOST_STEPS = 60


def of(state: Path, tenant: str = "t") -> list[str]:
    return texts(directory_of(state, tenant))


@pytest.mark.parametrize("there", [True, False])
def test_the_new_chain_takes_the_place_of_the_old_one(tmp_path: Path, there: bool) -> None:
    async def scene(many: Tenants) -> None:
        if there:
            await many.add("t", messages("old words here"))
        assert not await many.is_anew("t")
        await many.add("t", messages("new words", author="ann"), anew=True)
        await many.add("t", [Message("more new words", id="1"), Message("bad words", id="2")], anew=True)
        assert await many.forget("t", messages=["2", "3"], anew=True) == 1
        assert await many.is_anew("t")
        assert await many.list() == (["t"] if there else [])
        if there:
            assert await many.generate("t", novel=False) == ["old words here"]
            await many.add("t", messages("old words there"))
            assert (await many.stats("t")).messages == 2
        assert (await many.stats("t", anew=True)).messages == 2
        await many.publish("t")
        assert not await many.is_anew("t")
        assert set(await many.generate("t", 50, novel=False)) == {"new words", "more new words"}
        assert (await many.add("t", [Message("known", id="1")])).duplicates == 1
        await many.publish("t")

    play(tmp_path, scene)
    assert of(tmp_path) == ["new words", "more new words"]
    assert left(tmp_path) == {"t"}


def test_an_empty_chain_can_take_the_place_too(tmp_path: Path) -> None:
    async def scene(many: Tenants) -> None:
        await many.add("t", messages("old words here"))
        await many.add("t", [], anew=True)
        assert await many.is_anew("t")
        await many.publish("t")
        assert (await many.stats("t")).messages == 0

    play(tmp_path, scene)


def test_it_is_made_with_the_options_that_are_given_or_configured(tmp_path: Path) -> None:
    async def scene(many: Tenants) -> None:
        await many.add("t", messages("old words here"), options=Options(order=1))
        await many.add("t", messages("new words here"), anew=True)
        assert (await many.stats("t", anew=True)).options.order == 3
        await many.abandon("t")
        file = tmp_path / "file"
        file.write_text("new words\n")
        await many.train("t", file, anew=True, options=Options(order=4))
        await many.publish("t")
        assert (await many.stats("t")).options.order == 4

    play(tmp_path, scene, order=3)


def test_what_is_abandoned_leaves_nothing(tmp_path: Path) -> None:
    async def scene(many: Tenants) -> None:
        await many.abandon("t")
        await many.add("t", messages("old words here"))
        await many.add("t", messages("new words here"), anew=True)
        await many.abandon("t")
        assert not await many.is_anew("t")
        for asked in (many.stats, many.merge):
            with pytest.raises(UnknownTenantError, match="no chain is made anew for the tenant t"):
                await asked("t", anew=True)
        with pytest.raises(UnknownTenantError):
            await many.forget("t", message="1", anew=True)
        await many.publish("t")
        with pytest.raises(UnknownTenantError, match="it has none"):
            await many.publish("nobody")

    play(tmp_path, scene)
    assert of(tmp_path) == ["old words here"]
    assert left(tmp_path) == {"t"}


def test_removing_the_tenant_removes_it_too(tmp_path: Path) -> None:
    async def scene(many: Tenants) -> None:
        for there in (True, False):
            if there:
                await many.add("t", messages("old words here"))
            await many.add("t", messages("new words here"), anew=True)
            await many.remove("t")
            assert not await many.is_anew("t")
            assert left(tmp_path) == set()

    play(tmp_path, scene)


@pytest.mark.parametrize("open_chains", [1, 256])
def test_calls_that_come_while_it_is_published_wait_and_go_on_with_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_chains: int
) -> None:
    async def scene(many: Tenants) -> None:
        await many.add("t", [Message("old words here", id="old")])
        await many.add("t", [Message("new words here", id="new"), Message("words to forget", id="gone")], anew=True)
        renamed = slow_renames(monkeypatch)
        publishing = asyncio.ensure_future(many.publish("t"))
        await until(renamed.is_set)
        assert not directory_of(tmp_path, "t").exists()
        said, added, anew, gone, none, numbers, published, also = await asyncio.gather(
            many.generate("t", novel=False, wait=True),
            many.add("t", messages("added meanwhile"), wait=True),
            many.add("t", messages("added to the new one meanwhile"), anew=True, wait=True),
            many.forget("t", message="gone", anew=True, wait=True),
            many.forget("t", message="old", wait=True),
            many.stats("t", anew=True, wait=True),
            many.publish("t"),
            publishing,
        )
        assert (len(said), added.learned, anew.learned, gone, none) == (1, 1, 1, 1, 0)
        assert 1 <= numbers.messages <= 4
        assert published is None is also
        assert not await many.is_anew("t")

    play(tmp_path, scene, open_chains=open_chains)
    assert sorted(of(tmp_path)) == ["added meanwhile", "added to the new one meanwhile", "new words here"]
    assert left(tmp_path) == {"t"}


def test_learning_never_stops_while_chains_are_made_and_published(tmp_path: Path) -> None:
    """Who tells both chains everything, and nothing between, finds all of it in each that is published, in order."""
    rounds, told, turn = 12, 0, asyncio.Lock()

    async def learn(many: Tenants, stop: asyncio.Event) -> None:
        nonlocal told
        while not stop.is_set():
            message = Message(f"message {told}", id=str(told))
            async with turn:
                await many.add("t", [message], wait=True)
                if await many.is_anew("t"):
                    await many.add("t", [message], anew=True, wait=True)
                told += 1

    async def speak(many: Tenants, stop: asyncio.Event) -> None:
        while not stop.is_set():
            assert await many.generate("t", novel=False, wait=True)

    async def scene(many: Tenants) -> None:
        await many.add("t", messages("before all"))
        stop = asyncio.Event()
        tasks = [asyncio.ensure_future(learn(many, stop)), *(asyncio.ensure_future(speak(many, stop)) for _ in "ab")]
        for number in range(rounds):
            async with turn:
                await many.add("t", messages(f"round {number}"), anew=True, wait=True)
                begun = told
            await until(lambda begun=begun: told > begun + 5)  # type: ignore[misc]
            async with turn:
                await many.publish("t")
            ended = told
            await until(lambda ended=ended: told > ended + 1)  # type: ignore[misc]
            first, *others = of(tmp_path)
            numbers = [int(one.removeprefix("message ")) for one in others]
            assert first == f"round {number}"
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
            assert numbers[0] == begun
            assert numbers[-1] >= ended
            assert [task.exception() for task in tasks if task.done()] == []
        stop.set()
        await asyncio.gather(*tasks)

    play(tmp_path, scene, idle_seconds=0.02, open_chains=2)
    assert left(tmp_path) == {"t"}


def test_a_guarded_chain_speaks_as_soon_as_it_is_published(tmp_path: Path) -> None:
    async def scene(many: Tenants) -> None:
        for author in ("ann", "ben", "cid"):
            await many.add("t", messages("the same words", author=author), anew=True, options=Options.for_lures())
        await many.publish("t")
        assert await many.generate("t", novel=False) == ["the same words"]
        await until(lambda: idle(many))

    play(tmp_path, scene)


def test_one_that_another_process_writes_is_not_replaced(tmp_path: Path) -> None:
    async def scene(many: Tenants) -> None:
        await many.add("t", messages("new words"), anew=True)
        for place in (directory_of(tmp_path, "t"), tmp_path / "chains" / ".t.clean"):
            await many._secluded("t", "close", lambda: None)
            with Chain.open(place, write=True, create=Options()):
                with pytest.raises(LockedError, match="is open for writing"):
                    await many.publish("t")
                if place.name == "t":
                    await many.add("t", messages("more new words"), anew=True)
                else:
                    with pytest.raises(LockedError):
                        await many.add("t", messages("more new words"), anew=True)
            assert await many.is_anew("t")
        await many.publish("t")

    play(tmp_path, scene)
    assert of(tmp_path) == ["new words", "more new words"]
    assert left(tmp_path) == {"t"}


@pytest.mark.parametrize("there", [True, False])
def test_the_command_line_does_not_go_on_with_it_and_does_not_throw_it_away(tmp_path: Path, there: bool) -> None:
    (tmp_path / "in").write_text("words of a file\n")
    clean = ("train", "t", tmp_path / "in", "--clean")

    async def scene(many: Tenants) -> None:
        if there:
            await many.add("t", messages("old words"))
        await many.add("t", messages("new words"), anew=True)
        await many._secluded("t", "close", lambda: None)
        done = await asyncio.to_thread(call, tmp_path, *clean)
        assert done.returncode == 1
        assert b"is being made by a program" in done.stderr
        await many.add("t", messages("more new words"), anew=True)
        await many.publish("t")
        await many._secluded("t", "close", lambda: None)
        assert of(tmp_path) == ["new words", "more new words"]
        assert (await asyncio.to_thread(call, tmp_path, *clean)).returncode == 0

    play(tmp_path, scene)
    assert of(tmp_path) == ["words of a file"]
    assert left(tmp_path) == {"t"}


def test_half_a_chain_of_the_command_line_is_thrown_away_unless_it_is_at_work(tmp_path: Path) -> None:
    async def scene(many: Tenants) -> None:
        await many.add("t", messages("old words"))
        with swap.making(tmp_path, "t", b"plan") as beside:
            with pytest.raises(LockedError, match="in use in another process"):
                await many.add("t", messages("new words"), anew=True)
            made(beside, "half of a file")
            await many.abandon("t")
            assert texts(beside) == ["half of a file"]
            await many.publish("t")
        assert not await many.is_anew("t")
        assert (await many.stats("t")).messages == 1
        await many.add("t", messages("new words"), anew=True)
        with pytest.raises(RunError, match=r"remove .*\.t\.clean and .*\.t\.clean\.plan"):
            swap.begin(tmp_path, "t", b"plan")
        await many.publish("t")

    play(tmp_path, scene)
    assert of(tmp_path) == ["new words"]


def test_a_plan_without_a_chain_is_in_nobodys_way(tmp_path: Path) -> None:
    """It is left where a kill came right after the renames, or right before the chain was made."""
    made(directory_of(tmp_path, "t"), "old words")
    swap.begin(tmp_path, "t", swap.ANEW)
    assert not swap.is_anew(tmp_path, "t")
    assert swap.publish(tmp_path, "t")
    swap.begin(tmp_path, "t", b"plan")
    swap.abandon(tmp_path, "t", swap.ANEW)
    swap.abandon(tmp_path, "t", b"plan")
    assert left(tmp_path) == {"t"}
    assert of(tmp_path) == ["old words"]


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from chaffinch.chain import Message, Options, Pool, Tenants, swap
import chaffinch.chain.removal
left = int(sys.argv[2])
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree", "fcntl.flock"}
def look(event, arguments):
    global left
    if event in CHANGES or event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
async def run():
    async with Pool(1) as pool, Tenants(Path(sys.argv[1]), pool) as many:
        if sys.argv[3] == "begin":
            await many.add("t", [Message("first words"), Message("new words")], anew=True)
        else:
            await getattr(many, sys.argv[3])("t")
sys.addaudithook(look)
asyncio.run(run())
"""


def killed(before: Path, state: Path, what: str) -> Iterator[int]:
    """Do it on a copy of a state again and again, killed one step later each time, until it is not."""
    for step in range(MOST_STEPS):
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(before, state)
        run = [sys.executable, "-B", "-c", KILLED, str(state), str(step), what]
        done = subprocess.run(run, capture_output=True, timeout=60, env=environment(), check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        yield step
        if done.returncode == 0:
            return
    raise AssertionError(f"not done after {MOST_STEPS} steps")


@pytest.mark.parametrize("there", [True, False])
def test_a_publishing_that_was_killed_is_whole_or_absent_and_can_be_ended(tmp_path: Path, there: bool) -> None:
    before, state, seen = tmp_path / "before", tmp_path / "state", set()
    if there:
        made(directory_of(before, "t"), "old words")
    with swap.begun(before, "t") as beside:
        made(beside, "new words")

    async def scene(many: Tenants) -> None:
        anew = await many.is_anew("t")  # the first that looks settles it
        said = await many.generate("t", novel=False) if await many.list() else []
        seen.update(said)
        assert anew == (said != ["new words"])
        await many.publish("t")
        assert await many.generate("t", novel=False) == ["new words"]

    last = 0
    for step in killed(before, state, "publish"):
        play(state, scene)
        assert left(state) == {"t"}
        last = step
    assert last > 8
    assert seen == ({"old words", "new words"} if there else {"new words"})


def test_an_abandoning_that_was_killed_can_be_done_again(tmp_path: Path) -> None:
    before, state = tmp_path / "before", tmp_path / "state"
    made(directory_of(before, "t"), "old words")
    with swap.begun(before, "t") as beside:
        made(beside, "new words")

    async def scene(many: Tenants) -> None:
        if await many.is_anew("t"):
            assert (await many.stats("t", anew=True)).messages == 1
        await many.abandon("t")
        assert not await many.is_anew("t")

    for _ in killed(before, state, "abandon"):
        play(state, scene)
        assert left(state) == {"t"}
        assert of(state) == ["old words"]


def test_a_beginning_that_was_killed_can_be_done_again(tmp_path: Path) -> None:
    """Also over half a chain of the command line, of which nothing may be left in the new one."""
    before, state = tmp_path / "before", tmp_path / "state"
    made(swap.begin(before, "t", b"plan"), "half of a file")

    async def scene(many: Tenants) -> None:
        anew = await many.is_anew("t")
        added = await many.add("t", messages("new words"), anew=True)
        known = (await many.stats("t", anew=True)).messages
        assert (added.learned, known) in {(1, 1), (1, 2), (1, 3)}
        assert anew or known == 1
        await many.publish("t")

    for _ in killed(before, state, "begin"):
        play(state, scene)
        assert set(of(state)) <= {"first words", "new words"}
        assert set(os.listdir(state / "chains")) == {"t", ".placing"}
