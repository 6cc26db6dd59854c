"""What recording latencies by label costs: processor time, sampled or not, and memory, by the number of labels.

A closed loop of 64 users on core 1 against nginx on core 0, several times in turn. Processor times are the least of
each kind, since what else the machine does only adds to them; memory is the median. The only difference between kinds
of the same number of labels is the recording. Both parts are tables of docs/load-memory.md.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.apart import Figures, at_most, command
from bench.load import CONNECTIONS, median, nginx, pinned
from chaffinch.load import budget
from chaffinch.load.capacity import plan_for
from chaffinch.load.loaded import Loaded
from chaffinch.load.plan import Data, Plan, Scenario, Step
from chaffinch.load.target import Options, plan_for_url

REQUESTS = 200_000
ROUNDS = 5
KINDS = {"all": (100, True), "10 %": (10, True), "1 %": (1, True), "none": (100, False)}
"""The percentage of requests whose latency is recorded by label, and whether there are percentiles of labels at all."""
LABELS = (100, 1_000, 10_000, 100_000)
MIB = 1 << 20


def plan(url: str, labels: int, percent: int, enabled: bool, requests: int) -> Plan:
    """As many labels as said, one after another; with one label the paths are as many all the same."""
    options = Options(concurrency=CONNECTIONS, requests=requests, labels=labels + 2, sampling=percent / 100)
    asked = plan_for_url(url, options)
    rows = msgspec.Raw(json.dumps([[str(number)] for number in range(labels if labels > 1 else 10_000)]).encode())
    step = Step(name="item", path="/item/${item}", label="item" if labels == 1 else "item ${item}")
    made = Scenario(name="run", data=Data(columns=("item",), rows=rows, strategy="cycle"), steps=(step,))
    percentiles = msgspec.structs.replace(asked.percentiles, enabled=enabled)
    return msgspec.structs.replace(asked, scenarios=(made,), percentiles=percentiles)


def recorded(url: str, labels: int, percent: int, enabled: bool, requests: int) -> Figures:
    """Make the run in this interpreter, as the command line does."""
    from chaffinch.load.run import Runner

    result = Runner(Loaded(plan=plan(url, labels, percent, enabled, requests))).run()
    assert result.requests >= requests
    assert result.failed == 0
    return {
        "cpu_us": result.generator.cpu_s / result.requests * 1e6,
        "peak_bytes": result.memory.peak_rss_bytes,
        "histogram_bytes": result.histograms.bytes,
        "labels": result.histograms.labels,
        "folded": result.folded.labels,
    }


def measured(url: str, labels: int, kind: str, requests: int = REQUESTS) -> Figures:
    percent, enabled = KINDS[kind]
    call = command(recorded, url=url, labels=labels, percent=percent, enabled=enabled, requests=requests)
    figures: Figures = json.loads(pinned(*call).output.splitlines()[-1])
    return figures


def least(runs: list[Figures], name: str) -> float:
    return float(min(one[name] for one in runs))


def show(*cells: str) -> None:
    """A line of a table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def sampling(url: str) -> None:
    """The same closed loop with all latencies recorded, with some, and with none."""
    heads = ("labels", "latencies recorded", "CPU a request", "beside none", "the process", "histograms")
    show(*heads)
    show(*["---"] * len(heads))
    for labels in (1, 10_000):
        runs: dict[str, list[Figures]] = {kind: [] for kind in KINDS}
        for _ in range(ROUNDS):
            for kind, found in runs.items():
                found.append(measured(url, labels, kind))
        for kind, found in runs.items():
            show(
                f"{labels:,}",
                kind,
                f"{least(found, 'cpu_us'):.2f} us",
                f"{least(found, 'cpu_us') / least(runs['none'], 'cpu_us') - 1:+.1%}",
                f"{median(found, 'peak_bytes') / MIB:.1f} MiB",
                f"{median(found, 'histogram_bytes') / MIB:.1f} MiB",
            )


def labels(url: str) -> None:
    """Memory and processor time by the bound on labels, each of which is reached."""
    heads = ("labels", "CPU a request", "histograms", "the process", "computed", "at full resolution")
    show(*heads)
    show(*["---"] * len(heads))
    verdicts = []
    for count in LABELS:
        requests = max(REQUESTS, 2 * count)  # each label has its turn at least twice
        found = [measured(url, count, "all", requests) for _ in range(ROUNDS)]
        computed = budget.budget_of(plan(url, count, 100, True, requests)).bytes
        full = plan_for(1 << 40, labels=count, concurrency=CONNECTIONS).process_bytes
        peak = median(found, "peak_bytes")
        show(
            f"{count:,}",
            f"{least(found, 'cpu_us'):.2f} us",
            f"{median(found, 'histogram_bytes') / MIB:,.1f} MiB",
            f"{peak / MIB:,.0f} MiB",
            f"{computed / MIB:,.0f} MiB",
            f"{full / MIB:,.0f} MiB",
        )
        verdicts.append(
            f"{count:,} labels: {at_most(peak / MIB, round(computed / MIB, 1), 'MiB', 1)} peak RSS; "
            f"{found[0]['labels']:,} had a place, {at_most(found[0]['folded'], 0, 'folded', 0)}"
        )
    print("\n".join(("", *verdicts)))


def main(parts: Sequence[str]) -> None:
    for part in parts or ("sampling", "labels"):
        with tempfile.TemporaryDirectory(prefix="chaffinch-bench-") as name, nginx(Path(name)) as ports:
            globals()[part](f"http://127.0.0.1:{ports['plain']}")


if __name__ == "__main__":
    main(sys.argv[1:])
