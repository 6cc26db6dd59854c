"""The page of metrics: families of samples as OpenMetrics 1.0, or as the text format 0.0.4 that came before it."""

from collections.abc import Collection, Iterable
from typing import Final, Literal, TypeAlias

import msgspec

from chaffinch.metrics.catalogue import PREFIX, Kind, describe
from chaffinch.metrics.exposition import TYPES, escaped, line
from chaffinch.metrics.snapshot import Labels

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The media type of the older format."""

Number: TypeAlias = int | float
Type: TypeAlias = Literal["counter", "gauge", "summary", "histogram", "unknown"]
"""`unknown`: its name is another tool's, and says by its end what it is not."""


class Sample(msgspec.Struct, frozen=True):
    """One line of a page. `suffix` is what stands behind the family's name."""

    labels: Labels
    value: Number
    suffix: str = ""


class Family(msgspec.Struct, frozen=True):
    """All samples of one name. The name of a counter's samples ends in `_total`, its own does not."""

    name: str
    type: Type
    samples: tuple[Sample, ...]
    help: str = ""
    unit: str = ""


def family(name: str, kind: Kind, samples: Collection[Sample]) -> Family:
    """The samples of a metric of the catalogue."""
    metric = describe(name, kind)
    return Family(PREFIX + name, TYPES[kind], tuple(samples), metric.help, metric.unit)


def render(families: Iterable[Family], *, text: bool = False) -> bytes:
    """The page."""
    lines: list[str] = []
    for one in sorted(families, key=lambda one: one.name):
        if not one.samples:
            continue
        # The older format calls a counter by the name of its samples, has another word for unknown, and knows no units.
        name = one.name + ("_total" if text and one.type == "counter" else "")
        kind = "untyped" if text and one.type == "unknown" else one.type
        lines.append(f"# TYPE {name} {kind}")
        if one.unit and not text:
            lines.append(f"# UNIT {name} {one.unit}")
        if one.help:
            lines.append(f"# HELP {name} {escaped(one.help)}")
        lines += [line(one.name + sample.suffix, sample.labels, sample.value) for sample in one.samples]
    return "\n".join([*lines, *(() if text else ("# EOF",)), ""]).encode()
