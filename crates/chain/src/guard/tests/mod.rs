//! What is replaced, what stays, and what holds for any text.

mod ordinary;
mod planted;
mod properties;
