//! Bounded, mergeable latency histograms in nanoseconds over a bounded set of labels.
//!
//! A [`Recorder`] holds one histogram a label within a hard cap of bytes that counts everything: counters, label
//! names, tables. Counters live in octave blocks that are allocated when an octave is first touched; what does not fit
//! folds into the label [`OTHER_NAME`], and how much did is counted. A bucket is at most 1/128 (0.78 %) of its lower
//! bound wide, whatever the value, and a merge is exact: it equals having recorded everything in one place.

mod arena;
mod buckets;
mod distinct;
mod error;
mod histogram;
mod labels;
mod recorder;
mod snapshot;
mod totals;

pub use buckets::{BUCKETS, MAX_NS, OCTAVES, SUB_BUCKETS, bounds, bucket_of};
pub use error::Error;
pub use histogram::Histogram;
pub use labels::{Label, MAX_NAME, OTHER, OTHER_NAME};
pub use recorder::Recorder;
pub use totals::Totals;
