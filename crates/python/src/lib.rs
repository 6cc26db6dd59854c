//! PyO3 bindings only: convert, release the GIL, nothing more.

use pyo3::prelude::*;

#[pymodule]
mod _core {}
