//! A load engine: it sends what a plan says, at the times that a load model says, and measures what comes back in a
//! stated amount of memory.

/// Nanoseconds on the clock of a run; 0 is its start.
pub type Nanos = u64;

mod answer;
pub mod engine;
mod error;
pub mod http1;
pub mod http2;
#[cfg(test)]
mod long;
pub mod model;
pub mod plan;
pub mod record;
mod request;
pub mod scenario;
mod view;

pub use answer::Answer;
pub use error::{Error, Result};
pub use request::Request;
pub use view::View;
