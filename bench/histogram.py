"""What the histograms cost: nanoseconds a record, and bytes for 10,000 labels under a cap of 64 MB.

Measured in Rust, by `crates/histogram/examples/record_cost.rs`: from Python a record costs the call besides.
"""

from bench.apart import at_most
from bench.example import figures_of

SHAPES = {
    "lognormal_100_a_label": "100 latencies around 5 ms each",
    "lognormal_1000_a_label": "1,000 each",
    "lognormal_10000_a_label": "10,000 each",
    "lognormal_1000000_a_label": "1,000,000 each",
    "every_octave": "every octave from 1 ns to hours touched, counters of 8 bits",
    "every_octave_u16": "the same, promoted to 16 bits",
    "every_octave_u32": "the same, promoted to 32 bits",
    "us_to_minute_u32": "1 us to 60 s, counters of 32 bits",
}
RESOLUTIONS = (128, 64, 32, 16)
"""Sub-buckets an octave, from which a histogram goes to the next where memory is short."""


def main() -> None:
    figures = figures_of("chaffinch-histogram", "record_cost")
    for labels in ("one_label", "100_labels", "10000_labels"):
        print(f"a record under {labels.replace('_', ' ')}: {at_most(figures[f'record_{labels}'], 25, 'ns', 1)}")
    for name, what in SHAPES.items():
        at = ((figures[f"{name}_at_{resolution}"], resolution) for resolution in RESOLUTIONS)
        shares = ", ".join(f"{count:,.0f} labels at {resolution} sub-buckets" for count, resolution in at if count)
        print(
            f"10,000 labels, {what}: {at_most(figures[name], 64, 'MB', 1)}, "
            f"{at_most(figures[f'{name}_folded'], 0, 'folded', 0)}; {shares}"
        )


if __name__ == "__main__":
    main()
