"""What a registry held at one moment: frozen, small enough to send, and mergeable across processes."""

import functools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

import msgspec

from chaffinch.errors import ChaffinchError

if TYPE_CHECKING:
    from chaffinch._core import Histograms

Labels = tuple[tuple[str, str], ...]
"""Names and values of labels, in the order of the names."""

MERGED_BYTES = 4 << 20
"""The most that the histograms of one latency may take while snapshots are merged or shown."""

MERGED_LABELS = 1024


class SnapshotError(ChaffinchError):
    """Bytes that are not a snapshot of this version: another version wrote them, or they were cut or changed."""


class Sample(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One value of a counter or gauge."""

    labels: Labels
    value: int | float


class Family(msgspec.Struct, frozen=True, array_like=True):
    """All values of one counter or gauge."""

    name: str
    kind: Literal["counter", "gauge"]
    samples: tuple[Sample, ...]


class Latency(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The histograms of one latency, as `_core.Histograms.to_bytes` gives them. `label` names what tells them apart."""

    name: str
    label: str
    histograms: bytes


class Snapshot(msgspec.Struct, frozen=True, tag="chaffinch.metrics.1"):
    """Counters, gauges and latencies of one process, or of several after `merge`. Families are ordered by name."""

    families: tuple[Family, ...] = ()
    latencies: tuple[Latency, ...] = ()

    def to_bytes(self) -> bytes:
        """As MessagePack."""
        return msgspec.msgpack.encode(self)

    @staticmethod
    def from_bytes(data: bytes) -> "Snapshot":
        """The snapshot that `to_bytes` gave. Raises `SnapshotError`."""
        try:
            return _decoder().decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SnapshotError(f"these {len(data)} bytes are not a metrics snapshot: {error}") from None

    def counters(self) -> "Snapshot":
        """What stays true of a process that has ended: its counters, without its gauges and latencies."""
        return Snapshot(tuple(family for family in self.families if family.kind == "counter"))

    def total(self, name: str) -> int | float:
        """The sum of a counter or gauge over all its labels; 0 for one that nobody registered."""
        return sum(sample.value for family in self.families if family.name == name for sample in family.samples)


@functools.cache
def _decoder() -> msgspec.msgpack.Decoder[Snapshot]:
    return msgspec.msgpack.Decoder(Snapshot)


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """One snapshot of them all, as if one process had counted everything.

    Values with the same labels are added; histograms are merged exactly. Raises `SnapshotError` for damaged histograms.
    """
    values: dict[tuple[str, Literal["counter", "gauge"]], dict[Labels, int | float]] = {}
    latencies: dict[tuple[str, str], list[bytes]] = {}
    for snapshot in snapshots:
        for family in snapshot.families:
            held = values.setdefault((family.name, family.kind), {})
            for sample in family.samples:
                held[sample.labels] = held.get(sample.labels, 0) + sample.value
        for latency in snapshot.latencies:
            latencies.setdefault((latency.name, latency.label), []).append(latency.histograms)
    return Snapshot(
        families=tuple(
            Family(name, kind, tuple(Sample(labels, held[labels]) for labels in sorted(held)))
            for (name, kind), held in sorted(values.items())
        ),
        latencies=tuple(
            Latency(name, label, parts[0] if len(parts) == 1 else histograms(name, parts).to_bytes())
            for (name, label), parts in sorted(latencies.items())
        ),
    )


def histograms(name: str, parts: Iterable[bytes]) -> "Histograms":
    """The histograms of the latency `name`, from these snapshots of it. Raises `SnapshotError`."""
    from chaffinch import _core

    merged = _core.Histograms(MERGED_BYTES, MERGED_LABELS)
    try:
        for part in parts:
            merged.merge_bytes(part)
    except ValueError as error:
        raise SnapshotError(f"latency {name}: {error}") from None
    return merged


def labelled(found: "Histograms") -> Iterator[tuple[int, str]]:
    """Number and name of each label that holds values, the one that others folded into last."""
    yield from found.labels()
    if found.totals(0).count:
        yield 0, found.OTHER
