"""The page is the format to the letter, whatever a target calls its paths."""

from chaffinch.load.metrics.exposition import Family, Sample, render
from chaffinch.load.metrics.families import RunName, of_run
from chaffinch.load.metrics.labels import Shown
from chaffinch.load.metrics.reading import Reading
from tests.load.metrics.pages import label
from tests.metrics.openmetrics import parse


def test_names_from_a_target_cannot_break_the_page() -> None:
    hostile = 'a"b\\c\nd} 1\n# EOF\n\ud800\u202e'
    made = Reading(labels={hostile: label(1, 1.0)})
    families = parse(render(of_run(made, RunName(hostile, hostile), Shown())))
    names = {dict(at)["label"] for _, at in families["chaffinch_load_label_requests"].samples}
    assert names == {hostile.replace("\ud800", "?")}


def test_numbers_are_written_as_the_format_has_them() -> None:
    samples = tuple(
        Sample((("n", str(number)),), number) for number in (0, 1.5, 1e-9, 1e20, float("inf"), float("nan"))
    )
    lines = render([Family("a_b", "gauge", samples)]).decode().splitlines()[1:-1]
    assert [line.split()[-1] for line in lines] == ["0", "1.5", "1e-09", "1e+20", "+Inf", "NaN"]
