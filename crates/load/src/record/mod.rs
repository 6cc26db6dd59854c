//! What is recorded: each thread fills a sheet of its own and hands it over on a tick; the collector adds sheets up.
//! Counts are exact always; latencies by label may be sampled and lose resolution, within a stated number of bytes.

mod budget;
mod class;
mod collector;
mod counts;
mod handover;
mod intervals;
mod outcomes;
mod sampling;
mod sheet;
mod snapshot;
#[cfg(test)]
mod tests;
mod thread;
mod whole;

pub use budget::Budget;
pub use chaffinch_histogram::{Label, OTHER, OTHER_NAME};
pub use class::{Category, Class};
pub use collector::Collector;
pub use counts::Timing;
pub use intervals::Interval;
pub use snapshot::{
    BOUNDS_MS, Both, Bytes, HistogramsView, LabelSnapshot, Latencies, Snapshot, Under,
};
pub use thread::ThreadRecord;
pub use whole::Phase;
