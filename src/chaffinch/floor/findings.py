"""What a measurement says: each import with its share, what deferring a statement frees, what holds the rest, and
whether the entry keeps to what was asked of it.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from chaffinch.errors import InputError
from chaffinch.floor import cut, graph
from chaffinch.floor.entry import Entry
from chaffinch.floor.graph import ROOT, Graph, Statement, Weight
from chaffinch.floor.measure import Measured, Reading

SHOWN: Final = 5
"""How many deferrals, and how many modules that several statements import, are told of."""

PULLED: Final = 5
"""How many of the statements that hold a module are told of."""


class Import(msgspec.Struct, frozen=True):
    """One module that was loaded."""

    name: str
    file: str
    """Where it comes from; `built-in` or `frozen` for what has no file."""
    above: str
    """The module that was being loaded when it was first imported; empty for the entry itself."""
    bytes: int
    """Anonymous memory that its loading took, with all that it pulled in first."""
    own_bytes: int
    """The part of it that its own loading took."""
    only_bytes: int
    """What goes with it: its own, and that of all modules that no way reaches without it."""
    seconds: float
    """How long its loading took, with all that it pulled in first."""
    own_seconds: float
    """The part of it that its own loading took."""
    failed: bool
    """Whether the import failed, and somebody went on without it."""


class Place(msgspec.Struct, frozen=True):
    """A statement that imports."""

    module: str
    """The module that it belongs to; empty for the entry itself."""
    file: str
    """Its file."""
    line: int
    """Its line."""
    via: str
    """`file:line` of the import itself, where this line only calls what has it."""
    imports: tuple[str, ...]
    """The modules that it needs."""


class Holding(msgspec.Struct, frozen=True):
    """A module that more than one statement imports."""

    module: str
    """Its name."""
    bytes: int
    """What goes with it when nothing imports it any more."""
    places: tuple[Place, ...]
    """Statements that import it, those that can be deferred first."""
    others: int
    """How many more there are."""


class Deferral(msgspec.Struct, frozen=True):
    """What one statement's deferral frees."""

    place: Place
    """The statement."""
    frees_bytes: int
    """Anonymous memory."""
    frees_seconds: float
    """Time."""
    frees_modules: int
    """Modules."""
    frees_mapped_bytes: int
    """Pages of files that are touched no more: less RSS, and less private memory where nobody else maps them."""
    held: tuple[Holding, ...]
    """The heaviest of what it needs and others import, too."""


class Freeing(msgspec.Struct, frozen=True):
    """How a package is freed."""

    package: str
    """Its name."""
    places: tuple[Place, ...]
    """The fewest statements to defer; none where that cannot be done."""
    frees_bytes: int
    """Anonymous memory that goes with all of them deferred."""
    frees_seconds: float
    """Time that goes."""
    frees_modules: int
    """Modules that go."""
    frees_mapped_bytes: int
    """Pages of files that are touched no more."""
    fixed: tuple[Place, ...]
    """Where it cannot be done: a way from the entry to it on which no statement can be deferred."""


class Forbidden(msgspec.Struct, frozen=True):
    """A package that was forbidden and is there."""

    package: str
    """Its name."""
    way: tuple[Place, ...]
    """A shortest way from the entry to it; empty where the interpreter has it before the entry begins."""


class Report(msgspec.Struct, frozen=True):
    """What `chaffinch floor` says."""

    entry: str
    """What was measured."""
    python: str
    """The version of the interpreter."""
    executable: str
    """The interpreter."""
    before: Reading
    """Memory before the entry."""
    after: Reading
    """Memory after it."""
    bytes: int
    """Anonymous memory that the entry took: exactly the sum of `own_bytes` of all imports and of the entry."""
    entry_bytes: int
    """The part of it that the entry took itself, outside of any import."""
    mapped_bytes: int
    """Pages mapped from files that it touched: other processes that map them share them."""
    seconds: float
    """How long it took."""
    modules_before: int
    """Modules that the interpreter has anyway."""
    modules: int
    """Modules that the entry brought."""
    threads: int
    """Threads that it left running."""
    compiled: int
    """Sources that were compiled while this was measured: their bytecode could not be written."""
    imports: tuple[Import, ...]
    """In the order of loading."""
    deferrals: tuple[Deferral, ...]
    """The statements whose deferral frees most, one by one."""
    shared: tuple[Holding, ...]
    """The heaviest modules that several of your statements import, so that deferring one of them frees nothing."""
    freeing: tuple[Freeing, ...]
    """How the packages are freed that were asked for."""
    budget_bytes: int
    """What RSS may be; 0: no bound."""
    forbidden: tuple[Forbidden, ...]
    """What was forbidden and is there."""

    @property
    def crossed(self) -> bool:
        """Whether the entry does not keep to its budget, or brings what was forbidden."""
        return bool(self.forbidden) or 0 < self.budget_bytes < self.after.rss_bytes


class Asked(msgspec.Struct, frozen=True):
    """What is asked beyond the measurement."""

    own: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    budget_bytes: int = 0


def report(entry: Entry, measured: Measured, asked: Asked) -> Report:
    """All that is said of one measurement. Raises `InputError` for a package to free that is not imported."""
    found = _Findings(measured, frozenset((*entry.own, *asked.own)))
    return Report(
        entry=entry.title,
        python=measured.version,
        executable=measured.executable,
        before=measured.before,
        after=measured.after,
        bytes=measured.anonymous_bytes,
        entry_bytes=found.graph.bytes[ROOT],
        mapped_bytes=measured.mapped_bytes,
        seconds=measured.seconds,
        modules_before=measured.modules_before,
        modules=len(measured.modules) - measured.modules_before,
        threads=measured.threads,
        compiled=measured.compiled,
        imports=found.imports(),
        deferrals=found.deferrals(),
        shared=found.shared(),
        freeing=tuple(found.freeing(package) for package in asked.free),
        budget_bytes=asked.budget_bytes,
        forbidden=tuple(
            Forbidden(package, found.way(package)) for package in asked.forbid if _is_there(package, measured.modules)
        ),
    )


class _Findings:
    """One measurement's graph, and what is computed of it once."""

    def __init__(self, measured: Measured, own: AbstractSet[str]) -> None:
        self.measured = measured
        self.graph = Graph(measured)
        self.above = graph.dominators(self.graph)
        self.weights = graph.dominated(self.graph, self.above)
        self.own = own
        libraries = [f"{prefix}/{lib}/python3" for prefix in measured.prefixes for lib in ("lib", "lib64")]
        self.libraries = tuple(libraries)
        self.deferrable = {
            self.graph.node_of(index)
            for index, statement in enumerate(self.graph.statements)
            if self.can_be_deferred(statement)
        }

    def can_be_deferred(self, statement: Statement) -> bool:
        """Whether it stands in the user's own code: in a package that is measured or named, or in a file that is
        neither the standard library's nor installed. The entry's own statements are what is asked for.
        """
        if not statement.module:
            return False
        if any(statement.module == name or statement.module.startswith(f"{name}.") for name in self.own):
            return True
        file = self.graph.origins.get(statement.module, "")
        installed = "/site-packages/" in file or "/dist-packages/" in file
        return file.startswith("/") and not installed and not file.startswith(self.libraries)

    def imports(self) -> tuple[Import, ...]:
        """Every module, in the order of its first load."""
        whole: dict[str, list[float]] = {}
        failed = {load.name for load in self.measured.loads} - set(self.measured.modules)
        nested = self._nested()
        for load in self.measured.loads:
            taken = whole.setdefault(load.name, [0, 0.0])
            if load.name not in nested.get(load.above, ()):
                taken[0] += load.bytes
                taken[1] += load.seconds
        found, names = [], self.graph.names
        for node in range(1, self.graph.modules):
            taken = whole.get(names[node], [0, 0.0])
            found.append(
                Import(
                    names[node],
                    self.graph.origins[names[node]],
                    names[self.graph.first[node]],
                    int(taken[0]),
                    self.graph.bytes[node],
                    self.weights[node].bytes,
                    taken[1],
                    self.graph.seconds[node],
                    names[node] in failed,
                )
            )
        return tuple(found)

    def _nested(self) -> dict[int, AbstractSet[str]]:
        """For each load the names of those around it: a module tried again within itself counts once."""
        around: dict[int, AbstractSet[str]] = {-1: frozenset()}
        for index, load in enumerate(self.measured.loads):
            above = around[load.above]
            around[index] = above if load.name in above else above | {load.name}
        return around

    def deferrals(self) -> tuple[Deferral, ...]:
        """The statements that free most, the heaviest first; what is inside of another one's is not told again."""
        ranked = sorted(self.deferrable, key=lambda node: self.weights[node].bytes, reverse=True)
        told: list[int] = []
        for node in ranked:
            if len(told) == SHOWN or self.weights[node].bytes <= 0:
                break
            if not any(self.dominates(one, node) for one in told):
                told.append(node)
        return tuple(self._deferral(node) for node in told)

    def _deferral(self, node: int) -> Deferral:
        weight = self.weights[node]
        needed = [one for one in self.graph.reach((), node) if 0 < one < self.graph.modules]
        # What every way to the statement passes is there before it, whatever becomes of it.
        held = [one for one in needed if not self.dominates(node, one) and not self.dominates(one, node)]
        return Deferral(self.place(node), *weight, tuple(self._heaviest(held, node, 1)))

    def shared(self) -> tuple[Holding, ...]:
        """The heaviest modules that several statements of the user's import."""
        targets = {self.graph.numbers[name] for node in self.deferrable for name in self._statement(node).targets}
        return tuple(self._heaviest(sorted(targets), ROOT, 2))

    def _heaviest(self, nodes: Sequence[int], beside: int, own: int) -> list[Holding]:
        """The heaviest of those modules that are not inside of one another, and who imports them beside that one.
        Those that fewer than so many statements of the user's import are left out.
        """
        told: list[int] = []
        found: list[Holding] = []
        for node in sorted(nodes, key=lambda one: self.weights[one].bytes, reverse=True):
            if len(found) == SHOWN or self.weights[node].bytes * 100 < self.measured.anonymous_bytes:
                break
            if any(self.dominates(one, node) for one in told):
                continue
            places = self.pulling(node, beside)
            if sum(one in self.deferrable for one in places) >= own and len(places) > (beside == ROOT):
                told.append(node)
                shown = tuple(self.place(one) for one in places[:PULLED])
                found.append(Holding(self.graph.names[node], self.weights[node].bytes, shown, len(places) - len(shown)))
        return found

    def pulling(self, node: int, beside: int) -> list[int]:
        """The statements that need a module, other than through itself or through that other node."""
        waiting, seen, found = [node], {node}, []
        while waiting:
            for other in self.graph.before[waiting.pop()]:
                if other in seen or self.dominates(node, other):
                    continue
                if beside != ROOT and self.dominates(beside, other):
                    continue
                seen.add(other)
                if other >= self.graph.modules:
                    found.append(other)
                elif self.graph.names[other].startswith(f"{self.graph.names[node]}."):
                    waiting.append(other)  # what needs a module needs the package above it
        return sorted(found, key=lambda one: (one not in self.deferrable, one))

    def freeing(self, package: str) -> Freeing:
        """The fewest statements to defer so that a package is not imported."""
        nodes = self.graph.package(package)
        if not nodes:
            there = (
                "the interpreter has it before" if _is_there(package, self.measured.modules) else "it is not imported"
            )
            raise InputError(f"--free {package}: {there}, so that there is nothing to defer")
        try:
            found = cut.minimum(self.graph, nodes, self.deferrable)
        except cut.Uncuttable as error:
            return Freeing(package, (), 0, 0.0, 0, 0, self._places(error.way))
        gone: set[int] = set(self.graph.reach(())) - set(self.graph.reach(found))
        weight: Weight = graph.weigh(self.graph, gone)
        return Freeing(package, tuple(self.place(node) for node in sorted(found)), *weight, ())

    def way(self, package: str) -> tuple[Place, ...]:
        """The statements of a shortest way from the entry to a package."""
        return self._places(self.graph.way(set(self.graph.package(package))))

    def _places(self, way: Sequence[int]) -> tuple[Place, ...]:
        return tuple(self.place(node) for node in way if node >= self.graph.modules)

    def place(self, node: int) -> Place:
        """A statement, as it is told."""
        one = self._statement(node)
        return Place(one.module, one.file, one.line, one.via, one.targets)

    def _statement(self, node: int) -> Statement:
        found = self.graph.statement(node)
        assert found is not None
        return found

    def dominates(self, one: int, other: int) -> bool:
        """Whether every way from the entry to `other` passes `one`."""
        while other not in (ROOT, one) and self.above[other] >= 0:
            other = self.above[other]
        return other == one


def _is_there(package: str, modules: Sequence[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for name in modules)
