//! Scenarios, compiled once and gone through without I/O: time and randomness come in, requests and what to do next come
//! out. What never varies is prepared; what is not looked into need not be kept.

mod cache;
mod chance;
mod compile;
mod cookies;
mod date;
mod decode;
mod draft;
mod encode;
mod feed;
mod inspect;
mod json;
mod look;
mod names;
mod origin;
mod outcome;
mod program;
mod step;
mod target;
mod template;
mod user;

pub use origin::Origin;
pub use outcome::{At, Begin, Failure, Moment, Next, Outcome, Ready, Why};
pub use program::Program;
pub use step::{Step, Wants};
pub use user::User;

#[cfg(test)]
mod tests;
