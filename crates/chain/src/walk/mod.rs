//! Walks: drawing token after token over all parts of one chain, or of several chains that are mixed.

mod part;
mod stepper;

pub use part::{Drawn, Part, UNKNOWN};
pub use stepper::{Piece, Speaker, Stepper};
