//! Bounded, mergeable latency histograms in nanoseconds over a bounded set of labels.
//!
//! A [`Recorder`] holds one histogram a label within a hard cap of bytes that counts everything: counters, label
//! names, tables. Counters live in octave blocks that are allocated when an octave is first touched. What does not fit
//! loses resolution first, then folds into the label [`OTHER_NAME`], and how much did is counted. A bucket is at most
//! 1/128 (0.78 %) of its lower bound wide, whatever the value, or 1/64, 1/32, 1/16 where resolution was lost, and a
//! merge is exact: it equals having recorded everything in one place. A [`Histogram`] or [`FineHistogram`] holds one
//! quantity and always fits.

mod arena;
mod block;
mod buckets;
mod distinct;
mod error;
mod histogram;
mod labels;
mod overflow;
mod reading;
mod recorder;
mod room;
mod snapshot;
mod totals;

pub use buckets::{BUCKETS, Bucket, MAX_NS, OCTAVES, SUB_BUCKETS, bounds, bucket_of};
pub use error::Error;
pub use histogram::{Distribution, FineHistogram, Histogram};
pub use labels::{Label, Labels, MAX_NAME, OTHER, OTHER_NAME};
pub use recorder::{Recorder, USUAL_NAME};
pub use totals::Totals;
