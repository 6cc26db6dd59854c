"""The fewest statements whose deferral frees a package: a minimum cut between the entry and the package.

Each statement that can be deferred has the capacity 1, each other one none that is finite; a way through the graph
passes statements only, so that the cut is one of nodes: a node is split in two with its capacity between (Ford and
Fulkerson; shortest ways first after Edmonds and Karp).
"""

from collections import deque
from collections.abc import Collection

from chaffinch.floor.graph import ROOT, Graph, weigh


class Uncuttable(Exception):  # noqa: N818 - it is an answer, not a failure
    """There is a way that no statement which can be deferred lies on: the nodes of it, from the entry on."""

    def __init__(self, way: list[int]) -> None:
        super().__init__()
        self.way = way


def minimum(graph: Graph, package: Collection[int], deferrable: Collection[int]) -> list[int]:
    """The nodes of the fewest statements without which none of the package's modules is imported.

    Of the cuts with that many, the one that frees more of those nearest the entry and nearest the package.
    Raises `Uncuttable`.
    """
    wanted, free = set(package), set(deferrable)
    way = graph.way(wanted, without=free)
    if way:
        raise Uncuttable(way)
    flow = _Flow(graph, wanted, free)
    while flow.augment():
        pass
    cuts = (flow.near_entry(), flow.near_package())
    whole = set(graph.reach(()))
    return max(cuts, key=lambda cut: weigh(graph, whole - set(graph.reach(cut))).bytes)


class _Flow:
    """Unit flows through the graph. A place is a node and its side: 0 before its capacity, 1 behind it."""

    def __init__(self, graph: Graph, wanted: set[int], free: set[int]) -> None:
        self.graph, self.wanted, self.free = graph, wanted, free
        self.used: set[int] = set()  # statements that a flow goes through
        self.carried: dict[tuple[int, int], int] = {}  # edges between nodes, and how many flows they carry

    def augment(self) -> bool:
        """Find one more flow; whether there is one."""
        came = self._search()
        end = next((place for place in came if place[0] in self.wanted), None)
        if end is None:
            return False
        place = end
        while place != (ROOT, 0):
            back = came[place]
            self._turn(back, place)
            place = back
        return True

    def near_entry(self) -> list[int]:
        """The cut whose statements the flows leave full first."""
        reached = set(self._search())
        return [node for node in self.free if (node, 0) in reached and (node, 1) not in reached]

    def near_package(self) -> list[int]:
        """The cut whose statements stand last before the package."""
        reaching = self._search_back()
        return [node for node in self.free if (node, 1) in reaching and (node, 0) not in reaching]

    def _turn(self, back: tuple[int, int], place: tuple[int, int]) -> None:
        (one, _), (other, _) = back, place
        if one == other:
            if one in self.free:
                self.used ^= {one}
        elif back[1] == 1:
            self.carried[one, other] = self.carried.get((one, other), 0) + 1
        else:
            self.carried[other, one] -= 1

    def _steps(self, place: tuple[int, int]) -> list[tuple[int, int]]:
        """Where the residual graph leads from a place."""
        node, side = place
        if side == 1:
            found = [(other, 0) for other in self.graph.after[node]]
            if node not in self.free or node in self.used:
                found.append((node, 0))
            return found
        found = [(other, 1) for other in self.graph.before[node] if self.carried.get((other, node))]
        if node not in self.free or node not in self.used:
            found.append((node, 1))
        return found

    def _search(self) -> dict[tuple[int, int], tuple[int, int]]:
        """All places that can be reached from the entry, breadth first, and from where; ends at the package."""
        start = (ROOT, 0)
        came = {start: start}
        waiting = deque([start])
        while waiting:
            place = waiting.popleft()
            for other in self._steps(place):
                if other not in came:
                    came[other] = place
                    if other[0] in self.wanted:
                        return came
                    waiting.append(other)
        return came

    def _search_back(self) -> set[tuple[int, int]]:
        """All places from which the package can be reached."""
        into: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for node in range(len(self.graph.after)):
            for place in ((node, 0), (node, 1)):
                for other in self._steps(place):
                    into.setdefault(other, []).append(place)
        reaching = {(node, 0) for node in self.wanted}
        waiting = deque(reaching)
        while waiting:
            for place in into.get(waiting.popleft(), ()):
                if place not in reaching:
                    reaching.add(place)
                    waiting.append(place)
        return reaching
