"""What bodies must be and what answers are."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from chaffinch.errors import InputError
from chaffinch.load import plan
from chaffinch.load.polls import Progress
from chaffinch.load.results import Run
from chaffinch.load.scenario import declared
from chaffinch.load.scenario.faults import Faults
from chaffinch.load.scenario.kinds import Rate
from chaffinch.load.scenario.models import model
from chaffinch.load.scenario.nodes import Table, compose
from chaffinch.load.scenario.reader import read_part

SOURCE: Final = "the request"


class Ready(msgspec.Struct, frozen=True):
    """The server takes commands."""

    ready: bool = True


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How it goes."""

    state: str
    """idle, ready, running or standby."""
    rate: float
    """Requests a second that are answered now."""
    asked_rate: float | None
    """Iterations a second that the load asks for, where that is constant."""
    workers: int
    """Users."""
    time_left_s: float | None
    """Seconds in which requests still begin; null where nothing but a stop ends the test, or none runs."""
    draining: bool
    """The test is over but for the answers that are waited for."""
    node: str
    region: str
    tenant: str
    run: str
    """The name of the run; empty where none is."""
    name: str
    """What the loaded test is called."""


class MemoryNow(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of the process, and its guard."""

    rss_bytes: int
    peak_rss_bytes: int
    """The most that was seen while the test ran; what is held now between tests."""
    bound_bytes: int | None = None
    """What it may take; null where nothing was promised."""
    guard: str | None = None
    """normal, warning or critical; null where no test runs."""
    guard_bound_bytes: int | None = None
    """What the guard holds it to: the promise, a cgroup's limit or the RAM."""
    guard_in_force: tuple[str, ...] = ()
    """What is given up just now."""
    guard_actions: int = 0
    """How often it acted in this run."""
    guard_last: str = ""
    """What it did last."""
    guard_last_at_s: float | None = None


class Status(Health, frozen=True, kw_only=True):
    """How it goes, with all that a live view shows: more than strangers should see."""

    about: Run | None = None
    """What was asked for; null where no test runs."""
    progress: Progress | None = None
    """The test at this moment, without labels, with the intervals from `since` on; null where none runs."""
    memory: MemoryNow


class Replaced(msgspec.Struct, frozen=True):
    """The test that was ended for another one."""

    run: str
    tenant: str


class Begun(msgspec.Struct, frozen=True):
    """A test was begun."""

    run: str
    state: str = "running"
    replaced: Replaced | msgspec.UnsetType = msgspec.UNSET
    """The test that ran until then, whoever sent it; left out where none did."""


class Stopped(msgspec.Struct, frozen=True):
    """Whether a test was stopped, and what is now."""

    stopped: bool
    state: str


class Changed(msgspec.Struct, frozen=True):
    """The load from now on."""

    run: str
    model: plan.Model
    users: int


class StopRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose test is to be stopped; anybody's if that is not said."""

    tenant: Annotated[str, Meta(max_length=200)] | None = None


class ChangeRequest(declared.Part, frozen=True, kw_only=True):
    """Another load: a table `load` as scenario files have it, or a constant `rate`; and users."""

    load: Annotated[declared.LoadPart, Meta(description="The model.")] = declared.ConcurrentLoad()
    rate: Annotated[Rate | None, Meta(description="A constant rate.")] = None
    workers: Annotated[
        Annotated[int, Meta(ge=1, le=declared.MOST_USERS)] | None, declared.also("users", says="Users at once.")
    ] = None


class Change(msgspec.Struct, frozen=True):
    """The same, read; what is None stays as it is."""

    model: plan.Model | None
    users: int | None


def change_of(text: str, running: plan.Plan) -> Change:
    """What a body asks for, in YAML or JSON. Raises `InputError` that names field and line."""
    faults = Faults(SOURCE)
    root: Any = compose(text, faults)
    if not isinstance(root, Table):
        raise InputError(f"{SOURCE}: send a mapping such as {{load: {{model: rps, target: 500}}, workers: 50}}")
    found = read_part(root, ChangeRequest, faults)
    faults.check()
    assert found is not None
    has_load = root.get("load") is not None
    if has_load and found.rate is not None:
        faults.add(root.line, "rate", "there is a load as well: give one of them")
    if not has_load and found.rate is None and found.workers is None:
        faults.add(root.line, "", "nothing is to be changed: give load, rate or workers")
    asked: plan.Model | None = None if found.rate is None else plan.Constant(found.rate)
    if has_load:
        asked = model(found.load, running.duration_ms, None, faults)
    faults.check()
    return Change(asked, found.workers)
