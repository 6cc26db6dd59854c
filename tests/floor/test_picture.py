"""Pictures of what importing took."""

from chaffinch.floor.findings import Import, Report
from chaffinch.floor.measure import Reading
from chaffinch.floor.picture import WIDTH, boxes, svg


def imported(name: str, above: str, size: int) -> Import:
    return Import(name, f"/{name}.py", above, size, size, size, 0.0, 0.0, False)


def pictured(*imports: Import) -> Report:
    nothing = Reading(0, 0, 0, 0)
    return Report("a < b", "3.11.0", "python", nothing, nothing, 0, 0, 0, 0.0, 0, 0, 0, 0, imports, (), (), (), 0, ())


def test_an_import_lies_within_the_one_around_it_also_beside_one_that_gave_memory_back() -> None:
    report = pictured(
        imported("a", "", 1000), imported("b", "a", 900), imported("c", "a", 800), imported("d", "a", -700),
        imported("e", "", 500), imported("f", "b", 900),
    )  # fmt: skip
    drawn, narrow = boxes(report)
    places = {box.one.name: box for box in drawn}
    assert narrow == 1
    assert set(places) == {"a", "b", "c", "e", "f"}
    assert places["a"].width + places["e"].width == WIDTH
    for box in drawn:
        around = places.get(box.one.above)
        if around:
            assert around.left <= box.left
            assert box.left + box.width <= around.left + around.width + 1e-6
            assert box.row == around.row + 1
    beside = sorted((box for box in drawn if box.row == 2), key=lambda box: box.left)
    assert beside[0].left + beside[0].width <= beside[1].left + 1e-6
    assert "too narrow to be seen: 1" in svg(report)


def test_a_picture_of_nothing_is_a_picture() -> None:
    assert "<svg" in svg(pictured())
    assert "a &lt; b" in svg(pictured())
