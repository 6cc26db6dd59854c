//! Walks: drawing token after token over all parts of one chain, or of several that are mixed.

mod part;
mod stepper;
#[cfg(test)]
mod tests;

pub use part::Part;
pub use stepper::{Speaker, Stepper};
