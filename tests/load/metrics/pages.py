"""Polls of real runs, labels and pages."""

from chaffinch import _core
from chaffinch.load import load_text
from chaffinch.load.latencies import Corrected, Latencies
from chaffinch.load.metrics.exposition import Family, render
from chaffinch.load.metrics.families import RunName
from chaffinch.load.metrics.reading import Label
from tests.load.serve.target import Target
from tests.metrics.openmetrics import parse

ONE = RunName("1", "web")


def poll_of(site: Target, text: str) -> bytes:
    run = _core.LoadRun(load_text(text, "a test").plan.to_json())
    run.start()
    while not run.wait(0.1):
        pass
    return run.poll()


def page(*families: Family) -> str:
    made = render(families)
    parse(made)
    return made.decode()


def label(requests: int, mean: float | None = None) -> Label:
    latencies = None if mean is None else Latencies(count=requests, mean=mean, p99=5.0)
    return Label(requests=requests, statuses={"200": requests}, latency_ms=Corrected(latencies, latencies))
