"""One run from its start to its result: the engine is polled, and its intervals, its memory, its signals and its file
are looked after. `Runner.run` is for who has nothing else to do, `run_scenario` for asyncio.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from chaffinch import _core
from chaffinch.load import figures, polls, results
from chaffinch.load.changes import Changes, translated
from chaffinch.load.loaded import Loaded
from chaffinch.load.open_files import within_files
from chaffinch.load.plan import Model, Plan
from chaffinch.load.polls import Interval, Progress
from chaffinch.load.relief import Relief
from chaffinch.load.results import GuardAction, Memory, Result, Run
from chaffinch.load.room import Room, check_reading
from chaffinch.load.stopping import Stopping
from chaffinch.load.thresholds import judged
from chaffinch.load.timeline import Timeline
from chaffinch.metrics import memory as memory_of
from chaffinch.metrics.guard import Action, Guard, Thresholds, Transition, Watch

if TYPE_CHECKING:
    from chaffinch.load.reload import Reload
    from chaffinch.load.report.csv import IntervalFile
    from chaffinch.metrics.registry import Registry

EVERY_S: Final = 0.25
"""How often a run is looked at."""

ASLEEP_S: Final = 0.02
"""How long asyncio sleeps between looks whether the run has ended."""

MOST_GUARD_ACTIONS: Final = 1000
"""Of which a result tells."""

MUCH: Final = 1 << 20
"""Bytes of a poll from which on freed memory is given back before what it says is made: 10,000 labels leave 6 MB."""

NO_INTERVALS: Final = 1 << 62
"""A number that no interval has."""

Ended = Literal["", "stopped", "memory"]

Show = Callable[[Progress, Memory], object]
Say = Callable[[str], object]


class Runner:
    """A run of `loaded`. `start`, then `turn` until it is true, then `result`; or `run`, which does all of it.

    `memory` is what the process may hold in bytes, instead of what the file says, and `memory_name` what said so; a
    run that cannot fit is refused here. `floor_bytes` is what the process holds without any run, where it holds another
    one now; `served` counts what a control API makes of it besides. `csv` gets the intervals as they come. `reload` has
    the file looked at while the run goes on. `show` is given each poll and `say` each sentence about what happened
    meanwhile.

    Raises `InputError` with one sentence.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        memory: int | None = None,
        memory_name: str = "--memory",
        csv: Path | None = None,
        floor_bytes: int | None = None,
        served: bool = False,
        reload: "Reload | None" = None,
        show: Show | None = None,
        say: Say | None = None,
    ) -> None:
        self.ended_by: Ended = ""
        """Why it ended before its end: it was stopped, or the guard could not hold the bound."""
        self.say = say or _nobody
        self._show, self._csv_path = show, csv
        explicit, name = (loaded.guard.limit, "memory.limit") if memory is None else (memory, memory_name)
        self._room = Room(explicit, name, floor_bytes=floor_bytes, served=served)
        self._notes = list(loaded.notes)
        self._given_up: dict[str, str] = {}
        """What figures lack for want of memory, by what the guard did."""
        plan, notes = self._room.fitted(within_files(loaded.plan, self._notes), loaded.guard.warning)
        self._notes += notes
        self._changes = Changes(loaded, plan, self._check)
        self._core: _core.LoadRun | None = None
        self._csv: IntervalFile | None = None
        self._timeline = Timeline()
        self._acted: list[GuardAction] = []
        self._elapsed_s = 0.0
        self._stopped_at: Progress | None = None
        """The poll of when it was stopped before its end."""
        self._watch = self._guarded(loaded)
        self._peak = 0
        self._is_closed = False
        self._reloading = None if reload is None else reload.beginning(loaded.files)
        self.about: Run = self._described()

    @property
    def given(self) -> Loaded:
        """The run as it was given; a file that was taken over counts."""
        return self._changes.given

    @property
    def plan(self) -> Plan:
        """What the engine does now."""
        return self._changes.plan

    def _described(self) -> Run:
        loaded = self._changes.loaded
        return results.describe(loaded.plan, started=_now(), name=loaded.about.name, source=loaded.source)

    # Before it -------------------------------------------------------------------------------------------------------

    def _guarded(self, loaded: Loaded) -> Watch:
        own = loaded.guard
        stop = Action("end_run", self._out_of_memory, only_critical=True)
        relief = Relief(self._relieve).actions(
            percentiles_may_go=own.auto_disable_percentiles, forget=self._forget, tell=self._lack, stop=stop
        )
        thresholds = Thresholds(warning=own.warning, critical=own.critical)
        return Watch(Guard(self._room.limit, relief, thresholds), limit=self._room.read, every_s=EVERY_S)

    def start(self) -> None:
        """Open the file of intervals, make the engine ready, and begin. Raises `InputError` or `RunError`."""
        if self._csv_path is not None:
            from chaffinch.load.report.csv import IntervalFile

            self._csv = IntervalFile(self._csv_path)
        self.prepare()
        self.begin()

    def prepare(self) -> None:
        """Make the engine ready; nothing is sent yet. Looks up names, so not on an event loop. Raises as `start`."""
        try:
            core = _core.LoadRun(self.plan.to_json())
        except _core.LoadError as error:
            self.close()
            raise translated(error, self._changes.loaded) from None
        if not self._is_closed:  # by who did not want to wait for names
            self._core = core

    def begin(self, registry: "Registry | None" = None) -> None:
        """Begin to send; a registry shows this run's guard from now on. Raises `RunError`."""
        core = self._core
        if core is None:
            return
        if registry is not None:
            self._watch = Watch(self._watch.guard, registry, limit=self._room.read, every_s=EVERY_S)
        self.about = self._described()
        try:
            core.start()
        except _core.LoadError as error:
            self.close()
            raise translated(error, self._changes.loaded) from None
        if self._is_closed:  # meanwhile: nobody would look after the run
            core.end()
            self._core = None

    # While it goes on ------------------------------------------------------------------------------------------------

    def run(self, stopping: Stopping | None = None) -> Result:
        """All of it. Signals stop it in order where `stopping` counts them."""
        try:
            self.start()
            while not self.turn():
                self._running.wait(min(EVERY_S, self._watch.next_s))
                if stopping is not None and stopping.signals:
                    self.end() if stopping.signals > 1 else self.stop()
            return self.result()
        finally:
            self.close()

    def turn(self) -> bool:
        """Look at the run once; whether it has ended."""
        poll = polls.decode_progress(self._running.poll(self._timeline.next, labels=False))
        fresh = self._timeline.add(poll)
        self._elapsed_s = poll.elapsed_s
        self._write(fresh)
        for one in self._watch.poll():
            self._note(one)
        if self._show is not None:
            self._show(msgspec.structs.replace(poll, intervals=fresh), self.memory())
        if poll.state == "running":
            self._look_for_the_end(poll)
            if self._reloading is not None:
                self._reloading.turn(time.monotonic(), self, self.say)
        return poll.state == "ended"

    async def rest(self) -> None:
        """Wait until it is time for the next turn, or the run has ended: never in the core, which asyncio waits for."""
        import asyncio

        until = time.monotonic() + self._watch.next_s
        while time.monotonic() < until and not self._running.wait(0.0):
            await asyncio.sleep(ASLEEP_S)

    def stop(self) -> None:
        """Begin nothing more and wait for answers, as long as the plan says."""
        self._stopped("stopped")
        self._running.stop()

    def end(self) -> None:
        """Wait for nothing more."""
        self._stopped("stopped")
        self._running.end()

    def check(self, model: Model, users: int) -> None:
        """Raise `InputError` with the arithmetic if another load would not fit."""
        self._changes.check_load(msgspec.structs.replace(self.plan, model=model, users=users))

    def change(self, model: Model, users: int) -> None:
        """Another load from now on. Raises `InputError` or `RunError`; the old one goes on then."""
        self._changes.change(self._running, model, users, self._elapsed_s)

    def take_over(self, loaded: Loaded) -> str:
        """What a changed file says, as far as a run can while it goes on; what came of it, in a sentence.

        Raises as `change`, also where it would not fit beside what is there now.
        """
        plan = self._changes.to_take_over(loaded, self._held_versions)
        self._changes.hand_over(self._running, plan, loaded)
        return self._changes.took_over(plan, loaded, self._elapsed_s)

    async def take_over_aside(self, loaded: Loaded) -> str:
        """The same, while the event loop goes on: names may have to be looked up."""
        import asyncio

        plan = self._changes.to_take_over(loaded, self._held_versions)
        await asyncio.to_thread(self._changes.hand_over, self._running, plan, loaded)
        return self._changes.took_over(plan, loaded, self._elapsed_s)

    def _held_versions(self) -> tuple[int, ...]:
        return polls.decode_progress(self._running.poll(NO_INTERVALS, labels=False)).versions

    def check_reading(self, count: int) -> None:
        """Raise `InputError` with the arithmetic if files of so many bytes cannot be read while the run goes on."""
        check_reading(self._watch.guard.limit, count)

    def _check(self, plan: Plan, held_bytes: int) -> None:
        self._room.refuse(plan, self._watch.guard.limit, held_bytes)

    def memory(self) -> Memory:
        """The memory of the process, as the guard saw it last."""
        rss = self._watch.guard.rss_bytes
        self._peak = max(self._peak, rss)
        return Memory(self._peak, self._room.promised, rss, tuple(self._acted))

    def polled(self, since: int = NO_INTERVALS, *, labels: bool = True) -> bytes | None:
        """How the engine says that it goes, with the intervals from number `since` on; None where it does not run. May
        take long where labels are wanted, and may be asked from any thread.
        """
        core = self._core
        return None if core is None else core.poll(since, labels=labels)

    @property
    def is_running(self) -> bool:
        """Whether it was started and its result was not taken."""
        return self._core is not None

    @property
    def _running(self) -> _core.LoadRun:
        if self._core is None:
            raise RuntimeError("the run has not been started, or is over")
        return self._core

    @property
    def lost_intervals(self) -> int:
        """Those that the CSV lacks."""
        return 0 if self._csv is None else self._csv.lost

    def _look_for_the_end(self, poll: Progress) -> None:
        """Requests that failed before they were sent count as well: a target that is down does not go on for ever."""
        wanted = self.plan.requests
        if wanted is not None and poll.requests >= wanted:
            self._running.stop()

    def _stopped(self, by: Ended) -> None:
        if self.ended_by:
            return
        self.ended_by = by
        now = polls.decode_progress(self._running.poll(NO_INTERVALS, labels=False))
        if now.state == "running":
            self._stopped_at = now

    def _write(self, fresh: tuple[Interval, ...]) -> None:
        if self._csv is None or not fresh:
            return
        if told := self._csv.write(fresh):
            self.say(told)

    def _note(self, one: Transition) -> None:
        told = ("taken", "undone", "failed", "exhausted", "bound")
        if one.kind in told and len(self._acted) < MOST_GUARD_ACTIONS:
            limit = self._watch.guard.limit
            what = {
                "taken": one.action,
                "exhausted": "nothing is left to give up",
                "bound": f"the bound is another: {limit.source}",
            }
            why = f"RSS {figures.size(one.rss_bytes)} of {figures.size(limit.bytes)}"
            action = what.get(one.kind, f"{one.action} {one.kind}")
            self._acted.append(GuardAction(self._elapsed_s, action, why))

    def _relieve(self, action: str) -> None:
        self._running.guard(action)

    def _forget(self) -> None:
        """Drop the intervals that are kept here too."""
        if len(self._timeline.intervals) < 2:
            return
        emptied = Timeline()
        emptied.next, emptied.missed = self._timeline.next, self._timeline.missed
        self._timeline = emptied
        self._lack("drop_intervals", "intervals before {when} were dropped for want of memory; --csv has all of them")

    def _lack(self, action: str, sentence: str) -> None:
        self._given_up[action] = sentence.format(when=figures.span(self._elapsed_s))

    def _out_of_memory(self) -> None:
        self._stopped("memory")
        self._running.end()

    # After it --------------------------------------------------------------------------------------------------------

    def result(self) -> Result:
        """What is left of a run that has ended, with a verdict for each threshold. The engine's memory is free then."""
        polled = self._running.poll(self._timeline.next)
        self._core = None  # its memory is free before the labels, which may be many, are made of what it said
        if len(polled) > MUCH:
            memory_of.give_back()
        last = polls.decode_poll(polled)
        del polled
        self._write(self._timeline.add(last))
        self.close()
        memory = self.memory()
        memory = msgspec.structs.replace(memory, peak_rss_bytes=max(memory.peak_rss_bytes, memory_of.peak_bytes()))
        found = results.finished(
            last,
            self.about,
            memory,
            self._timeline.intervals,
            cut_short_s=self._cut_short_s,
            notes=tuple(self._all_notes()),
        )
        return judged(found, self._changes.loaded.thresholds)

    def drop_intervals(self) -> None:
        """Forget those that are kept, of a run whose result was taken and to which somebody holds on."""
        self._timeline = Timeline()

    def close(self) -> None:
        """End what goes on and close what is open; more than once is well."""
        self._is_closed = True
        if self._csv is not None:
            self._csv.close()
        self._core = None  # whose threads are joined where it is dropped

    @property
    def _cut_short_s(self) -> float | None:
        """When it was stopped, where that was before its end."""
        then, duration_ms = self._stopped_at, self.plan.duration_ms
        if then is None or (duration_ms is not None and then.elapsed_s * 1000 >= duration_ms):
            return None
        return then.elapsed_s

    def _all_notes(self) -> list[str]:
        notes = [*self._notes, *self._changes.notes(), *self._given_up.values()]
        if self.ended_by == "memory":
            notes.append(
                f"the run was ended after {figures.span(self._elapsed_s)}: it could not be held within "
                f"{figures.size(self._watch.guard.limit.bytes)} ({self._watch.guard.limit.source})"
            )
        if self._timeline.missed:
            notes.append(f"{figures.counted(self._timeline.missed, 'interval')} went before they were read")
        if self.lost_intervals:
            lost = figures.counted(self.lost_intervals, "interval")
            notes.append(f"{lost} could not be written to {self._csv_path}: the disk may be full")
        return notes


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _nobody(_sentence: str) -> None:
    """Nobody wants to know."""


async def run_scenario(
    loaded: Loaded | Plan,
    *,
    memory: int | None = None,
    csv: Path | None = None,
    show: Show | None = None,
    say: Say | None = None,
) -> Result:
    """Run a scenario to its end inside asyncio, which goes on meanwhile: the engine has threads of its own.

    `show` is given each poll, four a second, with the memory of the process; `say` what happened besides. Cancelling
    ends the run at once. Raises `InputError` or `RunError` with one sentence.
    """
    import asyncio

    runner = Runner(
        Loaded(plan=loaded) if isinstance(loaded, Plan) else loaded,
        memory=memory,
        memory_name="memory",
        csv=csv,
        show=show,
        say=say,
    )
    try:
        await asyncio.to_thread(runner.start)  # looks up names
        while not runner.turn():
            await runner.rest()
        return await asyncio.to_thread(runner.result)
    except asyncio.CancelledError:
        if runner.is_running:
            runner.end()
            await runner.rest()  # its threads end meanwhile, for which `close` would hold up the loop
        raise
    finally:
        runner.close()
