"""Many tenants at once: what each is told, that nothing crosses, and that nothing is lost or left open."""

import asyncio
import gc
import itertools
import logging
import os
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.chain import (
    BusyError,
    Chain,
    Message,
    NothingNewError,
    Options,
    Pool,
    Tenants,
    UnknownTenantError,
    directory_of,
    running,
    tenants_in,
)
from chaffinch.config import ChainSettings
from chaffinch.errors import InputError, RunError
from tests.chain.test_open_chains import descriptors, until

Scene = Callable[[Tenants], Coroutine[None, None, None]]


def play(
    state: Path, scene: Scene, *, threads: int = 4, queue: int = 256, registry: None = None, **values: object
) -> None:
    """A scene with tenants that are closed after it; nothing of them may stay open."""

    async def run() -> None:
        async with (
            Pool(threads, queue) as pool,
            Tenants(state, pool, ChainSettings(**values)) as many,  # type: ignore[arg-type]
        ):
            await scene(many)

    asyncio.run(asyncio.wait_for(run(), 60))
    assert descriptors(state) == []
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("chain ")] == []


def total(many: Tenants, name: str) -> float:
    return many._measures.registry.snapshot().total(name)


def idle(many: Tenants) -> bool:
    """Whether nothing runs on any chain and none is due to be merged."""
    return not any(slot.users or slot.is_due for slot in many._chains._slots.values())


def messages(*texts: str, **more: str) -> list[Message]:
    return [Message(text, **more) for text in texts]


def test_a_tenant_begins_with_its_first_message_and_ends_with_its_removal(tmp_path: Path) -> None:
    async def scene(many: Tenants) -> None:
        assert await many.list() == []
        for call in (many.generate, many.stats, many.merge, many.verify, many.remove):
            with pytest.raises(UnknownTenantError, match="there is no chain"):
                await call("pets")
        with pytest.raises(UnknownTenantError):
            await many.forget("pets", author="ann")
        assert not (tmp_path / "chains" / "pets").exists()
        added = await many.add("pets", messages("the cat sat down", "the dog sat up"))
        assert added.learned == 2
        assert await many.list() == ["pets"]
        assert (await many.stats("pets")).messages == 2
        assert (await many.verify("pets")).damage == ()
        await many.remove("pets")
        assert await many.list() == []
        with pytest.raises(UnknownTenantError):
            await many.generate("pets")
        await many.add("pets", messages("anew"))
        assert (await many.stats("pets")).messages == 1

    play(tmp_path, scene)


@pytest.mark.parametrize("failing", ["add", "train"])
def test_a_first_call_that_is_refused_leaves_no_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    (tmp_path / "file").write_text("some words\n")
    full = True

    def refused(original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **keywords: object) -> object:
            if full:
                raise RunError("there is no room on the disk")
            return original(*arguments, **keywords)

        return call

    monkeypatch.setattr(Chain, failing, refused(getattr(Chain, failing)))

    async def scene(many: Tenants) -> None:
        nonlocal full

        async def learn() -> None:
            await (many.train("t", tmp_path / "file") if failing == "train" else many.add("t", messages("some words")))

        for _ in range(2):
            tries = await asyncio.gather(*(learn() for _ in range(8)), return_exceptions=True)
            assert {type(one) for one in tries} <= {RunError, BusyError}
            await until(lambda: not many._chains._slots)
            assert await many.list() == []
            assert [one for one in os.listdir(tmp_path / "chains") if one != ".placing"] == []
        full = False
        await learn()
        full = True
        with pytest.raises(RunError):
            await learn()
        assert (await many.stats("t")).messages == 1  # one that learned something stays
        await many.forget("t", before=datetime.now(UTC))
        assert await many.list() == ["t"]

    play(tmp_path, scene)
    with Chain.open(directory_of(tmp_path, "t")) as chain:
        assert chain.stats().messages == 1


def test_a_first_message_for_which_the_queue_has_no_room_leaves_no_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(many: Tenants) -> None:
        original = many._pool.submit

        async def submit(*arguments: object, operation: str, ended: Callable[[], None], **more: object) -> object:
            if operation == "add":
                ended()
                raise many._pool.refusal("no room")
            return await original(*arguments, operation=operation, ended=ended, **more)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(
                many._pool,
                "submit",
                lambda *arguments, operation, ended=None, **more: submit(
                    *arguments, operation=operation, ended=ended, **more
                ),
            )
            with pytest.raises(BusyError):
                await many.add("t", messages("some words"))
            await until(lambda: not many._chains._slots)
            assert await many.list() == []
        await many.add("t", messages("some words"))
        assert await many.list() == ["t"]

    play(tmp_path, scene)


def test_a_chain_whose_making_is_refused_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a disk that is full once the manifest is there."""
    original = Chain.open

    def refused(directory: Path, *, create: Options | None = None, **more: object) -> Chain:
        chain = original(directory, create=create, **more)  # type: ignore[arg-type]
        if create is None:
            return chain
        chain.close()
        raise RunError("there is no room on the disk")

    async def scene(many: Tenants) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(Chain, "open", refused)
            with pytest.raises(RunError, match="no room"):
                await many.add("t", messages("some words"))
        assert await many.list() == []
        await many.add("t", messages("some words"))
        with monkeypatch.context() as patched:
            patched.setattr(Chain, "open", refused)
            assert (await many.stats("t")).messages == 1

    play(tmp_path, scene)


def test_a_chain_of_nothing_but_empty_messages_is_one(tmp_path: Path) -> None:
    async def scene(many: Tenants) -> None:
        assert (await many.add("t", messages(" "))).empty == 1

    play(tmp_path, scene)
    assert tenants_in(tmp_path) == ["t"]


@pytest.mark.parametrize("name", ["", "x", "long " * 1000])
def test_names_that_no_chain_could_be_opened_with_are_refused_at_once(tmp_path: Path, name: str) -> None:
    async def scene(many: Tenants) -> None:
        raise AssertionError("it began")

    with pytest.raises(InputError, match=r"^chain\.names: the name .*: "):
        play(tmp_path, scene, names=("Jane Doe", name))


def test_what_is_learned_and_forgotten_is_seen_by_the_next_call(tmp_path: Path) -> None:
    async def scene(many: Tenants) -> None:
        await many.add("t", [Message("red fish swim", id="1", author="ann"), Message("red birds fly", id="2")])
        said = set(await many.generate("t", 50, novel=False))
        assert said >= {"red fish swim", "red birds fly"}
        assert await many.forget("t", author="ann") == 1
        assert set(await many.generate("t", 50, novel=False)) == {"red birds fly"}
        assert await many.forget("t", message="2") == 1
        with pytest.raises(NothingNewError):
            await many.generate("t", novel=False)
        await many.add("t", [Message("old words", time_ms=1000), Message("new words", time_ms=5000)])
        assert await many.forget("t", before=datetime.fromtimestamp(2, UTC)) == 1
        assert await many.generate("t", novel=False) == ["new words"]
        assert (await many.merge("t")).dropped == 3
        assert (await many.say("t", novel=False))[0].text == "new words"
        assert (await many.references("t", "new words"))[0].text == "new words"
        assert await many.illustration("t", "new words") is None
        await many.add("t", [Message("edited words", id=one, author="ann", attachments=(one,)) for one in "12"])
        assert await many.count("t", author="ann") == 2
        assert await many.forget("t", messages=["1", "3"]) == 1
        found = await many.illustration("t", "new words", rng_seed=1)
        assert found is not None
        assert found.attachments == ("2",)

    play(tmp_path, scene)


def test_a_file_is_learned_and_an_archive_written(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("one line of words\nanother line of words\n")

    async def scene(many: Tenants) -> None:
        trained = await many.train("t", file)
        assert (trained.added.learned, trained.records) == (2, 2)
        assert (await many.train("t", file)).resumed == 2
        assert await many.export("t", tmp_path / "archive") == 2
        with pytest.raises(InputError, match="line 1"):
            await many.train("t", file, format="ndjson", key="other")

    play(tmp_path / "state", scene)
    assert Chain.import_archive(tmp_path / "copy", tmp_path / "archive") == 2


def test_the_settings_make_the_chain(tmp_path: Path) -> None:
    async def scene(many: Tenants) -> None:
        await many.add("t", [Message("mail Jane Doe at jane@example.org", author=author) for author in "abc"])
        await until(lambda: total(many, "chain_cache_open") == 1 and idle(many))
        options = (await many.stats("t")).options
        assert options == Options(max_vocabulary=99, max_copied_tokens=9, backward=True, guarded=True, min_authors=3)
        assert await many.generate("t", novel=False) == ["mail <name> at <mail>"]

    play(
        tmp_path / "one",
        scene,
        max_vocabulary=99,
        max_copied_tokens=9,
        backward=True,
        guarded=True,
        names=("Jane Doe",),
    )

    async def other(many: Tenants) -> None:
        await many.add("t", messages("abc"))
        assert (await many.stats("t")).options == Options(order=1, mode="graphemes", min_authors=2)

    play(tmp_path / "other", other, order=1, mode="graphemes", min_authors=2)


def test_a_mix_needs_room_for_all_its_voices(tmp_path: Path) -> None:
    async def scene(many: Tenants) -> None:
        names = [f"t{number}" for number in range(6)]
        for name in names:
            await many.add(name, messages(f"{name} likes tea", f"{name} likes coffee"))
        mixes = [
            many.mix([(one, 1), (other, 2)], 5, novel=False, wait=True) for one in names for other in reversed(names)
        ]
        for said in await asyncio.gather(*mixes):
            assert len(said) == 5
        words = {word for one in await many.mix([("t0", 1), ("t1", 0)], 20, novel=False) for word in one.text.split()}
        assert words == {"t0", "likes", "tea", "coffee"}
        with pytest.raises(UnknownTenantError, match="tenant absent"):
            await many.mix([("t0", 1), ("absent", 1)])
        with pytest.raises(InputError, match="at least one chain"):
            await many.mix([])

    play(tmp_path, scene, open_chains=1)


def test_more_callers_than_descriptors_wait_their_turn(tmp_path: Path) -> None:
    """A thousand callers at once, with room for eight chains and a queue of four."""

    async def scene(many: Tenants) -> None:
        names = [f"t{number}" for number in range(100)]
        await asyncio.gather(*(many.add(name, messages(f"only {name}"), wait=True) for name in names))
        said = await asyncio.gather(*(many.generate(name, novel=False, wait=True) for name in names * 10))
        assert said == [[f"only {name}"] for name in names] * 10
        assert len(many._chains) <= 8
        assert total(many, "chain_cache_open") <= 8
        assert total(many, "chain_queue_refused") == 0

    play(tmp_path, scene, threads=2, queue=4, open_chains=8)


def test_the_memory_of_many_tenants_stays_within_the_cap(tmp_path: Path) -> None:
    cap = 1 << 20

    async def scene(many: Tenants) -> None:
        highest = 0.0
        for first in range(0, 200, 4):
            await asyncio.gather(
                *(
                    many.add(f"t{number}", [Message(f"t{number} says w{n} v{n % 7} x{n % 11}") for n in range(100)])
                    for number in range(first, first + 4)
                )
            )
            highest = max(highest, total(many, "chain_cache_bytes"))
        assert cap // 2 < highest <= cap
        assert total(many, "chain_cache_evictions") > 100
        for number in range(0, 200, 9):
            assert {text.split()[0] for text in await many.generate(f"t{number}", 3)} == {f"t{number}"}
        assert total(many, "chain_cache_bytes") <= cap

    play(tmp_path, scene, memory=cap)


def test_a_full_queue_pushes_back_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    original = Chain.add

    def slowly(chain: Chain, what: list[Message]) -> object:
        go.wait(10)
        return original(chain, what)

    monkeypatch.setattr(Chain, "add", slowly)

    async def scene(many: Tenants) -> None:
        first = asyncio.ensure_future(many.add("t", messages("number 0")))
        await until(lambda: total(many, "chain_busy_threads") == 1 and "t" in many._chains._slots)
        await asyncio.sleep(0.05)
        adds = [asyncio.ensure_future(many.add("t", messages(f"number {n}"))) for n in range(1, 10)]
        await asyncio.sleep(0.05)
        assert total(many, "chain_queue_depth") == 3
        patient = asyncio.ensure_future(many.add("t", messages("number 10"), wait=True))
        await asyncio.sleep(0)
        go.set()
        results = await asyncio.gather(first, patient, *adds, return_exceptions=True)
        busy = [one for one in results if isinstance(one, BusyError)]
        assert len(busy) == 6
        assert (await many.stats("t")).messages == 5
        assert total(many, "chain_queue_refused") == 6

    play(tmp_path, scene, threads=1, queue=3)


def test_who_no_longer_waits_leaves_no_trace_or_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go, running = threading.Event(), threading.Event()
    original = Chain.add

    def slowly(chain: Chain, what: list[Message]) -> object:
        running.set()
        go.wait(10)
        return original(chain, what)

    async def scene(many: Tenants) -> None:
        await many.add("t", messages("there before"))
        monkeypatch.setattr(Chain, "add", slowly)
        runs = asyncio.ensure_future(many.add("t", messages("was running")))
        await until(running.is_set)
        queued = asyncio.ensure_future(many.add("t", messages("was queued")))
        await until(lambda: total(many, "chain_queue_depth") == 1)
        for task in (queued, runs):
            task.cancel()
        await asyncio.gather(queued, runs, return_exceptions=True)
        assert many._chains._slots["t"].users == 1  # the one that runs keeps its chain
        removal = asyncio.ensure_future(many.remove("other"))
        go.set()
        await asyncio.gather(removal, return_exceptions=True)
        await until(lambda: many._chains._slots["t"].users == 0)
        said = set(await many.generate("t", 50, novel=False))
        assert "was queued" not in said
        assert (await many.stats("t")).messages == 2
        assert total(many, "chain_messages") == 2

    play(tmp_path, scene, threads=1)


def test_long_calls_leave_threads_for_short_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    running: list[str] = []
    original = Chain.verify

    def slowly(chain: Chain) -> object:
        running.append(chain.directory.name)
        go.wait(10)
        return original(chain)

    monkeypatch.setattr(Chain, "verify", slowly)

    async def scene(many: Tenants) -> None:
        await many.add("t", messages("some words"))
        long = [asyncio.ensure_future(many.verify("t", wait=True)) for _ in range(8)]
        await until(lambda: len(running) == 2)
        for _ in range(20):
            assert await many.generate("t", novel=False) == ["some words"]
        assert len(running) == 2
        with pytest.raises(BusyError, match="2 long calls, such as trainings and merges, run already"):
            await many.merge("t")
        with pytest.raises(UnknownTenantError):
            await many.stats("absent")
        long.pop().cancel()
        long.pop(0).cancel()  # it runs, and keeps its place until it has ended
        await asyncio.sleep(0.01)
        assert len(running) == 2
        go.set()
        await asyncio.gather(*long)
        assert len(running) == 7
        for _ in range(3):
            with pytest.raises(UnknownTenantError):
                await many.verify("absent")
        assert (await many.verify("t")).damage == ()

    play(tmp_path, scene)


def test_a_removal_waits_for_who_uses_the_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go, running = threading.Event(), threading.Event()
    original = Chain.stats

    def slowly(chain: Chain) -> object:
        running.set()
        go.wait(10)
        return original(chain)

    monkeypatch.setattr(Chain, "stats", slowly)

    async def scene(many: Tenants) -> None:
        await many.add("t", messages("some words"))
        stats = asyncio.ensure_future(many.stats("t"))
        await until(running.is_set)
        removal = asyncio.ensure_future(many.remove("t"))
        await asyncio.sleep(0.01)
        again = asyncio.ensure_future(many.add("t", messages("later words")))
        await asyncio.sleep(0.01)
        assert await many.list() == ["t"]
        go.set()
        assert (await stats).messages == 1
        await removal
        assert (await again).learned == 1
        assert (await many.stats("t")).messages == 1
        assert await many.generate("t", novel=False) == ["later words"]

    play(tmp_path, scene)


def eager(monkeypatch: pytest.MonkeyPatch, most: int = 1) -> None:
    """Chains that want to be merged from `most` bytes in memory on."""
    monkeypatch.setattr(Chain, "wants_merge", property(lambda chain: chain.memory_bytes >= most))


def test_what_is_due_is_merged_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Chain.open(tmp_path / "empty", write=True, create=Options()) as chain:
        eager(monkeypatch, chain.memory_bytes + 1)

    async def scene(many: Tenants) -> None:
        await asyncio.gather(*(many.add(f"t{n % 3}", messages(f"words {n} of many")) for n in range(30)))
        await until(lambda: idle(many))
        for name in ("t0", "t1", "t2"):
            stats = await many.stats(name)
            assert (stats.delta_messages, stats.messages) == (0, 10)
        assert total(many, "chain_merge_failed") == 0
        merges = many._measures.registry.latency("chain_merge_seconds").histograms
        assert 3 <= merges.totals(1).count <= 30

    play(tmp_path, scene)


def test_who_learns_much_waits_for_a_merge_that_is_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    merging, original = threading.Event(), Chain.merge

    def merge(chain: Chain, **values: Any) -> object:
        assert merging.wait(10)
        return original(chain, **values)

    monkeypatch.setattr(Chain, "merge", merge)

    async def scene(many: Tenants) -> None:
        await many.caught_up("t")  # there is none
        number = 0
        while (slot := many._chains.found("t", anew=False)) is None or slot.unmerged <= 1 << 19:
            await many.caught_up("t")
            await many.add("t", messages(*(f"words {number} of {n}" for n in range(200))))
            number += 1
        waiting = asyncio.ensure_future(many.caught_up("t"))
        await many.add("t", messages("who is not asked to wait"))
        assert await asyncio.wait((waiting,), timeout=0.05) == (set(), {waiting})
        merging.set()
        await waiting
        assert slot.unmerged < 1 << 18
        assert (await many.stats("t")).messages == 200 * number + 1

    play(tmp_path, scene, segment_memory=1 << 20)


def test_parts_of_a_chain_are_as_small_as_the_setting_says(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("".join(f"what was said as {number} of many\n" for number in range(20_000)), encoding="utf-8")
    found: dict[int, int] = {}

    async def scene(many: Tenants) -> None:
        await many.train("t", file)
        found[many._behind_bytes] = (await many.stats("t")).segments

    play(tmp_path / "small", scene, segment_memory=1 << 20)
    play(tmp_path / "large", scene)
    assert found == {1 << 19: 4, 100 << 20: 1}


def test_a_merge_that_fails_is_tried_again_later_and_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    eager(monkeypatch)
    began: list[float] = []
    failing = [True]
    original = Chain.merge

    def merge(chain: Chain) -> object:
        began.append(time.monotonic())
        if failing[0]:
            raise RunError("the disk is full")
        return original(chain)

    monkeypatch.setattr(Chain, "merge", merge)
    monkeypatch.setattr(running, "MERGE_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(running, "MERGE_AGAIN_LIMIT", 0.2)

    async def scene(many: Tenants) -> None:
        await many.add("t", messages("first words"))
        slot = many._chains._slots["t"]
        await until(lambda: slot.merges_failed == 5)
        pauses = [after - before for before, after in itertools.pairwise(began)]
        assert all(pause >= least for pause, least in zip(pauses, (0.05, 0.1, 0.2, 0.2), strict=True)), pauses
        assert total(many, "chain_merge_failed") == 5
        assert (await many.add("t", messages("second words"))).learned == 1
        failing[0] = False
        await until(lambda: slot.merges_failed == 0)
        assert (await many.stats("t")).messages == 2
        await until(lambda: not slot.users)
        failing[0] = True

    with caplog.at_level(logging.WARNING, logger="chaffinch.chain"):
        play(tmp_path, scene)
    said = [record.getMessage() for record in caplog.records if "not merged" in record.getMessage()]
    assert said[:5] == ["chain not merged: tenant=t error=the disk is full"] * 5


def test_a_guarded_chain_says_what_it_learned_soon(tmp_path: Path) -> None:
    """It speaks from what was merged only, so that is done without being asked for, but not after each message."""

    async def scene(many: Tenants) -> None:
        for number in range(30):
            await many.add("t", [Message(f"word{number} and more", author=author) for author in "abc"])
        await until(lambda: idle(many) and not many._chains._slots["t"].unheard)
        said = set(await many.generate("t", 500, novel=False))
        assert {f"word{number} and more" for number in range(30)} <= said
        merges = many._measures.registry.latency("chain_merge_seconds").histograms
        assert merges.totals(1).count < 30

    play(tmp_path, scene, guarded=True)

    with Chain.open(directory_of(tmp_path, "t"), write=True) as chain:
        chain.add([Message("left in the log", author=author) for author in "abc"])

    async def later(many: Tenants) -> None:
        await many.generate("t", novel=False)
        await until(lambda: idle(many))
        assert "left in the log" in await many.generate("t", 500, novel=False)

    play(tmp_path, later, guarded=True)


def test_closing_waits_for_calls_and_merges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    eager(monkeypatch)

    async def scene(many: Tenants) -> None:
        adds = [asyncio.ensure_future(many.add(f"t{n}", messages("words to keep"))) for n in range(12)]
        await asyncio.sleep(0.005)
        await many.close()
        learned = [one for one in await asyncio.gather(*adds, return_exceptions=True) if not isinstance(one, RunError)]
        assert descriptors(tmp_path) == []
        names = await many.list()
        assert len(learned) <= len(names)
        with pytest.raises(RunError, match="were closed"):
            await many.generate("t0")
        with pytest.raises(RunError, match="were closed"):
            await many.remove("t0")

    play(tmp_path, scene)


def test_closing_ends_a_merge_and_begins_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    eager(monkeypatch)
    go = threading.Event()
    merged: list[str] = []
    original = Chain.merge

    def slowly(chain: Chain) -> object:
        merged.append(chain.directory.name)
        go.wait(10)
        return original(chain)

    monkeypatch.setattr(Chain, "merge", slowly)

    async def scene(many: Tenants) -> None:
        for name in ("a", "b", "c"):
            await many.add(name, messages("words to keep"))
        await until(lambda: len(merged) == 1)
        closing = asyncio.ensure_future(many.close())
        await asyncio.sleep(0.01)
        go.set()
        await closing
        assert merged == ["a"]

    play(tmp_path, scene, threads=2)


def test_a_merge_has_more_time_than_what_somebody_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit, asked = Pool.submit, set()

    async def noted(pool: Pool, call: Any, **how: Any) -> Any:
        asked.add((how["operation"], how.get("long", False)))
        return await submit(pool, call, **how)

    async def test() -> None:
        async with Pool() as pool, Tenants(tmp_path, pool) as many:
            await many.add("guild-7", messages("a word", "another word"))
            await many.merge("guild-7")

    monkeypatch.setattr(Pool, "submit", noted)
    asyncio.run(test())
    assert {("open", False), ("add", False), ("merge", True)} <= asked


def test_a_slow_call_is_logged_with_its_tenant_and_never_its_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with Pool(slow_ms=0.000001) as pool, Tenants(tmp_path, pool) as many:
            await many.add("guild-7", messages("a secret word", "another secret word"))
            await many.generate("guild-7", 3, novel=False, starting="a secret")
            await many.forget("guild-7", author="ann")

    with caplog.at_level(logging.DEBUG, logger="chaffinch.chain"):
        asyncio.run(test())
    assert "secret" not in caplog.text
    assert "ann" not in caplog.text
    lines = [
        record.getMessage().rpartition(" run_ms=")[0] for record in caplog.records if record.name == "chaffinch.chain"
    ]
    assert lines[:4] == [
        "slow chain operation: operation=open tenant=guild-7 size=0",
        "slow chain operation: operation=add tenant=guild-7 size=2",
        "slow chain operation: operation=generate tenant=guild-7 size=3",
        "slow chain operation: operation=forget tenant=guild-7 size=0",
    ]


def test_a_call_that_failed_keeps_nothing_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FailedError(Exception):
        pass

    def fail(chain: Chain, what: object) -> None:
        raise FailedError

    async def scene(many: Tenants) -> None:
        await many.add("t", messages("some words"))
        monkeypatch.setattr(Chain, "add", fail)
        gc.collect()
        gc.disable()
        try:
            kept = []
            try:
                await many.add("t", messages("many words"))
            except FailedError as error:
                kept.append(weakref.ref(error))
            await asyncio.sleep(0.01)
            assert kept[0]() is None
        finally:
            gc.enable()

    play(tmp_path, scene)


NAMES = ("ant", "bee", "cow", "dog")

Step = tuple[str, str, int]

STEPS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "add", "generate", "say", "mix", "forget", "merge", "stats", "remove"]),
            st.sampled_from(NAMES),
            st.integers(0, 9),
        ),
        min_size=1,
        max_size=6,
    ),
    min_size=1,
    max_size=8,
)


class World:
    """What is asked of tenants at random, and what each must hold: the author of each of its messages by its text.

    Each message has words that no other has, with its tenant's name in them.
    """

    def __init__(self, many: Tenants) -> None:
        self.many = many
        self.held: dict[str, dict[str, str]] = {}
        self.number = 0

    async def play(self, batches: list[list[Step]]) -> None:
        for batch in batches:
            changed: set[str] = set()
            running = []
            for what, tenant, value in batch:
                if what in ("add", "forget", "remove"):
                    if tenant in changed:
                        continue  # one change of a tenant at once: else nobody could say what it must hold
                    changed.add(tenant)
                running.append(getattr(self, what)(tenant, value))
            await asyncio.gather(*running)
            for tenant in NAMES:
                await self.check(tenant)

    async def add(self, tenant: str, value: int) -> None:
        texts = {}
        for _ in range(value % 4 + 1):
            self.number += 1
            texts[f"{tenant}{self.number}a {tenant} {tenant}{self.number}b"] = f"{tenant}{value}"
        added = await self.many.add(tenant, [Message(text, author=author) for text, author in texts.items()], wait=True)
        assert added.learned == len(texts)
        self.held.setdefault(tenant, {}).update(texts)

    async def forget(self, tenant: str, value: int) -> None:
        held = self.held.get(tenant)
        if held is None:
            with pytest.raises(UnknownTenantError):
                await self.many.forget(tenant, author=f"{tenant}{value}", wait=True)
            return
        gone = [text for text, author in held.items() if author == f"{tenant}{value}"]
        assert await self.many.forget(tenant, author=f"{tenant}{value}", wait=True) == len(gone)
        for text in gone:
            del held[text]

    async def remove(self, tenant: str, _: int) -> None:
        if self.held.pop(tenant, None) is None:
            with pytest.raises(UnknownTenantError):
                await self.many.remove(tenant)
        else:
            await self.many.remove(tenant)

    async def generate(self, tenant: str, value: int) -> None:
        for text in await self.tried(self.many.generate(tenant, value + 1, novel=value % 2 == 0, wait=True)):
            self.is_of(text, {tenant})

    async def say(self, tenant: str, value: int) -> None:
        for one in await self.tried(self.many.say(tenant, value + 1, novel=False, wait=True)):
            self.is_of(one.text, {tenant})

    async def mix(self, tenant: str, value: int) -> None:
        other = NAMES[value % len(NAMES)]
        for one in await self.tried(self.many.mix([(tenant, 1), (other, 2)], 5, novel=False, wait=True)):
            self.is_of(one.text, {tenant, other})

    async def merge(self, tenant: str, value: int) -> None:
        await self.tried(self.many.merge(tenant, whole=value % 2 == 0, wait=True))

    async def stats(self, tenant: str, _: int) -> None:
        await self.tried(self.many.stats(tenant, wait=True))

    @staticmethod
    async def tried(call: Coroutine[None, None, object]) -> list:  # type: ignore[type-arg]
        """What a call gives, or nothing if there is no chain now, or none that has anything to say."""
        try:
            result = await call
        except (UnknownTenantError, NothingNewError):
            return []
        return result if isinstance(result, list) else []

    @staticmethod
    def is_of(text: str, tenants: set[str]) -> None:
        assert {word.rstrip("0123456789ab") for word in text.split()} <= tenants, text

    async def check(self, tenant: str) -> None:
        """Nothing but what the tenant holds now, and all of it."""
        held = self.held.get(tenant)
        if held is None:
            with pytest.raises(UnknownTenantError):
                await self.many.stats(tenant, wait=True)
            return
        assert (await self.many.stats(tenant, wait=True)).messages == len(held)
        words = {word for text in held for word in text.split()}
        said = {
            word
            for text in await self.tried(self.many.generate(tenant, 20, novel=False, wait=True))
            for word in text.split()
        }
        assert said <= words
        assert bool(said) == bool(words)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_nothing_of_one_tenant_comes_out_of_another(batches: list[list[Step]]) -> None:
    with tempfile.TemporaryDirectory() as folder:

        async def scene(many: Tenants) -> None:
            await World(many).play(batches)

        play(Path(folder), scene, open_chains=2)


def test_the_property_test_would_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two tenants on one directory it fails."""
    original = directory_of
    monkeypatch.setattr(
        "chaffinch.chain.open_chains.directory_of", lambda state, tenant: original(state, tenant).with_name("same")
    )

    async def scene(many: Tenants) -> None:
        await World(many).play([[("add", "ant", 1)], [("add", "bee", 2)]])

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        play(tmp_path, scene, open_chains=1)
    assert os.listdir(tmp_path / "chains") == ["same"]
