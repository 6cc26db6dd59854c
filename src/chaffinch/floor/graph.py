"""The import graph: modules, the statements that import them, and what every way from the entry to a module passes.

A statement is a node between the module that it stands in and the modules that it needs: to defer it is to take that
node away. `from a import b` needs `a`, and `a.b` where that is a module, so one edge would say too little. A module
needs the packages above it: that edge is no statement.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from chaffinch.floor.measure import Measured, Use

ROOT: Final = 0


class Statement(NamedTuple):
    """One place that imports: the module that it belongs to, its file and line, the modules that it needs.

    `via`: where the import itself stands, as `file:line`, when this line calls what has it.
    """

    module: str
    file: str
    line: int
    via: str
    targets: tuple[str, ...]


class Graph:
    """Nodes are numbers: 0 is the entry, then modules, then statements."""

    def __init__(self, measured: Measured) -> None:
        self.names: list[str] = [""]
        self.numbers: dict[str, int] = {"": ROOT}
        self.origins: dict[str, str] = {}
        self.statements: list[Statement] = []
        loaded = [(one.name, one.origin) for one in measured.loads]
        for name, origin in (*loaded, *((one.name, one.origin) for one in measured.added)):
            if name not in self.numbers:
                self.numbers[name] = len(self.names)
                self.names.append(name)
            self.origins[name] = origin or self.origins.get(name, "")
        self.modules = len(self.names)
        self.bytes = [0] * self.modules
        self.seconds = [0.0] * self.modules
        self.mapped = [0] * self.modules
        self.first = [ROOT] * self.modules  # the module around the first load
        self._weigh(measured)
        self.after: list[list[int]] = [[] for _ in range(self.modules)]
        self._link(measured)
        self.before = _turned(self.after)

    def _weigh(self, measured: Measured) -> None:
        """What each module took itself: its load less those within. The rest is the entry's: nothing is lost."""
        self.bytes[ROOT], self.seconds[ROOT] = measured.anonymous_bytes, measured.seconds
        self.mapped[ROOT] = measured.mapped_bytes
        seen = {ROOT}
        owners = [self.numbers[load.name] for load in measured.loads]
        for node, load in zip(owners, measured.loads, strict=True):
            above = owners[load.above] if load.above >= 0 else ROOT
            self.bytes[node] += load.bytes
            self.seconds[node] += load.seconds
            self.bytes[above] -= load.bytes
            self.seconds[above] -= load.seconds
            self.mapped[node] += load.mapped_bytes
            self.mapped[above] -= load.mapped_bytes
            if node not in seen:
                seen.add(node)
                self.first[node] = above

    def _link(self, measured: Measured) -> None:
        merged: dict[Use, None] = dict.fromkeys(measured.uses)
        for use in merged:
            source = self.numbers[measured.loads[use.load].name] if use.load >= 0 else ROOT
            targets = tuple(name for name in use.targets if self.numbers[name] != source)
            if targets:
                via = f"{use.via}:{use.via_line}" if use.via else ""
                self._add(source, Statement(self.names[source], use.file, use.line, via, targets))
        for name, node in tuple(self.numbers.items()):
            above = self.numbers.get(name.rpartition(".")[0])
            if node != ROOT and above is not None and above != ROOT:
                self.after[node].append(above)
        # What no statement reaches a thread, or a hook of the import system, brought in.
        reached = set(self.reach(()))
        for node in range(1, self.modules):
            if node not in reached:
                above = self.first[node] if self.first[node] in reached else ROOT
                self.after[above].append(node)
                reached.update(self.reach((), node))

    def _add(self, source: int, statement: Statement) -> None:
        node = len(self.names)
        self.names.append("")
        self.statements.append(statement)
        self.after[source].append(node)
        self.after.append([self.numbers[name] for name in statement.targets])

    def statement(self, node: int) -> Statement | None:
        """The statement of a node, if it is one."""
        return self.statements[node - self.modules] if node >= self.modules else None

    def node_of(self, index: int) -> int:
        """The node of a statement."""
        return self.modules + index

    def reach(self, without: Iterable[int], start: int = ROOT) -> Iterator[int]:
        """Every node that can be reached from `start` when those are taken away."""
        seen = set(without)
        seen.add(start)
        waiting = [start]
        while waiting:
            node = waiting.pop()
            yield node
            for other in self.after[node]:
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)

    def way(self, wanted: Collection[int], without: Collection[int] = ()) -> list[int]:
        """The nodes of a shortest way from the entry to one of those, when the others are taken away; empty if there is
        none.
        """
        came, waiting = {ROOT: ROOT}, deque([ROOT])
        while waiting:
            node = waiting.popleft()
            if node in wanted:
                way = [node]
                while way[-1] != ROOT:
                    way.append(came[way[-1]])
                return way[::-1]
            for other in self.after[node]:
                if other not in came and other not in without:
                    came[other] = node
                    waiting.append(other)
        return []

    def package(self, name: str) -> list[int]:
        """The nodes of a package: the module of that name and all below it."""
        return [
            node
            for node in range(1, self.modules)
            if self.names[node] == name or self.names[node].startswith(f"{name}.")
        ]


class Weight(NamedTuple):
    """What a set of modules took itself, added up."""

    bytes: int
    seconds: float
    modules: int
    mapped_bytes: int


def weigh(graph: Graph, nodes: Iterable[int]) -> Weight:
    """What those nodes took, statements among them nothing."""
    kept = [node for node in nodes if 0 < node < graph.modules]
    return Weight(
        sum(graph.bytes[node] for node in kept),
        sum(graph.seconds[node] for node in kept),
        len(kept),
        sum(graph.mapped[node] for node in kept),
    )


def dominators(graph: Graph) -> list[int]:
    """For each node the last one that every way from the entry to it passes (Cooper, Harvey and Kennedy, "A simple,
    fast dominance algorithm", 2001).
    """
    order = _postorder(graph.after)
    rank = [-1] * len(graph.after)
    for at, node in enumerate(order):
        rank[node] = at
    above = [-1] * len(graph.after)
    above[ROOT] = ROOT
    changed = True
    while changed:
        changed = False
        for node in reversed(order[:-1]):
            found = -1
            for other in graph.before[node]:
                if above[other] < 0:
                    continue
                found = other if found < 0 else _meet(above, rank, found, other)
            if above[node] != found:
                above[node] = found
                changed = True
    return above


def dominated(graph: Graph, above: Sequence[int]) -> list[Weight]:
    """For each node what the nodes took that it dominates, itself among them: what goes when it goes."""
    totals = [
        [graph.bytes[node], graph.seconds[node], 1, graph.mapped[node]] if 0 < node < graph.modules else [0, 0.0, 0, 0]
        for node in range(len(graph.after))
    ]
    depth = _depths(above)
    for node in sorted(range(len(above)), key=depth.__getitem__, reverse=True):
        if node != ROOT and above[node] >= 0:
            for at in range(4):
                totals[above[node]][at] += totals[node][at]
    return [Weight(int(taken), seconds, int(modules), int(mapped)) for taken, seconds, modules, mapped in totals]


def _meet(above: Sequence[int], rank: Sequence[int], one: int, other: int) -> int:
    while one != other:
        while rank[one] < rank[other]:
            one = above[one]
        while rank[other] < rank[one]:
            other = above[other]
    return one


def _depths(above: Sequence[int]) -> list[int]:
    depths = [-1] * len(above)
    depths[ROOT] = 0
    for start in range(len(above)):
        chain, node = [], start
        while depths[node] < 0 and above[node] >= 0:
            chain.append(node)
            node = above[node]
        for at, one in enumerate(reversed(chain), 1):
            depths[one] = depths[node] + at
    return depths


def _postorder(after: Sequence[Sequence[int]]) -> list[int]:
    order, seen = [], {ROOT}
    waiting = [(ROOT, iter(after[ROOT]))]
    while waiting:
        node, rest = waiting[-1]
        for other in rest:
            if other not in seen:
                seen.add(other)
                waiting.append((other, iter(after[other])))
                break
        else:
            waiting.pop()
            order.append(node)
    return order


def _turned(after: Sequence[Sequence[int]]) -> list[list[int]]:
    before: list[list[int]] = [[] for _ in after]
    for node, others in enumerate(after):
        for other in others:
            before[other].append(node)
    return before
