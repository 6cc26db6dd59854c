//! Bounded, mergeable latency histograms.
