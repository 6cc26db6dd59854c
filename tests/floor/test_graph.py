"""The import graph on made-up measurements: what a statement frees, and the fewest to free a package, by trying all."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.floor import cut
from chaffinch.floor.graph import ROOT, Graph, dominated, dominators, weigh
from chaffinch.floor.measure import Added, Load, Measured, Reading, Use

NOTHING = Reading(0, 0, 0, 0)


def measurement(sizes: dict[str, int], uses: list[tuple[str, tuple[str, ...]]]) -> Measured:
    """One with a load for each module, all of them the entry's own, and statements at lines of their own."""
    names = list(sizes)
    return Measured(
        version="3.11.0", executable="python", prefixes=(), before=NOTHING, after=NOTHING, seconds=1.0,
        anonymous_bytes=sum(sizes.values()) + 7, mapped_bytes=0, modules_before=0, modules=tuple(names),
        loads=tuple(Load(name, -1, 0.0, size, 0, False, f"/{name}.py") for name, size in sizes.items()),
        added=(), threads=0, compiled=0, ended=None,
        uses=tuple(
            Use(names.index(source) if source else -1, targets, f"/{source}.py", line, "", 0)
            for line, (source, targets) in enumerate(uses, 1)
        ),
    )  # fmt: skip


@st.composite
def measurements(draw: st.DrawFn) -> Measured:
    """Up to 8 modules, some of them below others, and statements any way round: cycles, diamonds, chains."""
    names = ["a", "b", "c", "d", "a.x", "a.y", "b.x", "b.x.z"][: draw(st.integers(1, 8))]
    sizes = {name: draw(st.integers(0, 1000)) for name in names}
    targets = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True).map(tuple)
    uses = draw(st.lists(st.tuples(st.sampled_from(["", "", *names]), targets), max_size=10))
    return measurement(sizes, uses)


@given(measurements())
def test_what_a_node_frees_is_what_cannot_be_reached_without_it(measured: Measured) -> None:
    graph = Graph(measured)
    above = dominators(graph)
    weights = dominated(graph, above)
    whole = set(graph.reach(()))
    assert whole >= set(range(graph.modules))
    for node in range(1, len(graph.after)):
        if node in whole:
            assert weights[node] == weigh(graph, whole - set(graph.reach([node])))


@given(measurements(), st.data())
def test_a_cut_is_the_smallest_of_all_that_free_the_package(measured: Measured, data: st.DataObject) -> None:
    graph = Graph(measured)
    package = graph.package(data.draw(st.sampled_from([name for name in graph.names if name])).partition(".")[0])
    statements = [graph.node_of(index) for index, one in enumerate(graph.statements) if one.module]
    free = set(data.draw(st.lists(st.sampled_from(statements), unique=True))) if statements else set()

    def frees(chosen: tuple[int, ...]) -> bool:
        return not set(graph.reach(chosen)) & set(package)

    sizes = [
        size for size in range(len(free) + 1) if any(frees(chosen) for chosen in itertools.combinations(free, size))
    ]
    if sizes:
        found = cut.minimum(graph, package, free)
        assert len(found) == sizes[0]
        assert frees(tuple(found))
        return
    with pytest.raises(cut.Uncuttable) as raised:
        cut.minimum(graph, package, free)
    way = raised.value.way
    assert way[0] == ROOT
    assert way[-1] in package
    assert not free & set(way)


def test_nothing_of_the_memory_is_lost() -> None:
    graph = Graph(measurement({"a": 5, "b": 6, "b.c": 7}, [("", ("a",)), ("a", ("b.c",))]))
    assert sum(graph.bytes) == 5 + 6 + 7 + 7
    assert graph.bytes[ROOT] == 7


def test_a_module_needs_the_packages_above_it() -> None:
    graph = Graph(measurement({"a": 5, "a.b": 6}, [("", ("a.b",))]))
    weights = dominated(graph, dominators(graph))
    assert weights[graph.node_of(0)].bytes == 11
    assert weights[graph.numbers["a.b"]].bytes == 11
    assert weights[graph.numbers["a"]].bytes == 5


def test_of_two_smallest_cuts_the_one_that_frees_more_is_told() -> None:
    measured = measurement({"m": 1, "big": 100, "last": 1}, [("", ("m",)), ("m", ("big",)), ("big", ("last",))])
    graph = Graph(measured)
    assert cut.minimum(graph, graph.package("last"), [graph.node_of(1), graph.node_of(2)]) == [graph.node_of(1)]


@pytest.mark.parametrize("name", ["typing.io", "thread_made"])
def test_a_module_that_no_statement_reaches_belongs_to_the_entry(name: str) -> None:
    measured = measurement({"typing": 5}, [("", ("typing",))])
    graph = Graph(
        Measured(
            **{field: getattr(measured, field) for field in measured.__struct_fields__} | {"added": (Added(name, ""),)}
        )
    )
    assert graph.numbers[name] in set(graph.reach(()))
