//! `chaffinch_confine` for Python. Errors are `OSError`.

use std::io;
use std::path::{Path, PathBuf};

use pyo3::prelude::*;

/// What `confine` could do on this kernel.
#[pyclass(frozen, get_all, module = "chaffinch._core")]
pub struct Confinement {
    abi: u32,
    connect_denied: bool,
    bind_denied: bool,
}

#[pymethods]
impl Confinement {
    fn __bool__(&self) -> bool {
        self.abi > 0
    }

    fn __str__(&self) -> String {
        let mut said = self.abi.to_string();
        for (denied, what) in [(self.connect_denied, "connect"), (self.bind_denied, "bind")] {
            if denied {
                said = said + ", no " + what;
            }
        }
        said
    }
}

#[allow(clippy::needless_pass_by_value)] // PyO3 hands sequences over by value
#[pyfunction]
#[pyo3(signature = (writable, allow_connect = false, allow_bind = None))]
pub fn confine(
    writable: Vec<PathBuf>,
    allow_connect: bool,
    allow_bind: Option<bool>,
) -> io::Result<Confinement> {
    let paths: Vec<&Path> = writable.iter().map(PathBuf::as_path).collect();
    let applied =
        chaffinch_confine::confine(&paths, allow_connect, allow_bind.unwrap_or(allow_connect))?;
    Ok(Confinement {
        abi: applied.abi,
        connect_denied: applied.connect_denied,
        bind_denied: applied.bind_denied,
    })
}

#[pyfunction]
pub fn landlock_abi() -> u32 {
    chaffinch_confine::landlock_abi()
}

#[pyfunction]
pub fn no_new_privs() -> io::Result<()> {
    chaffinch_confine::no_new_privs()
}

#[pyfunction]
pub fn drop_bounding_set() -> io::Result<u32> {
    chaffinch_confine::drop_bounding_set()
}

#[pyfunction]
pub fn drop_capabilities() -> io::Result<()> {
    chaffinch_confine::drop_capabilities()
}

#[pyfunction]
pub fn set_dumpable(dumpable: bool) -> io::Result<()> {
    chaffinch_confine::set_dumpable(dumpable)
}

#[pyfunction]
pub fn set_parent_death_signal(signal: i32) -> io::Result<()> {
    chaffinch_confine::set_parent_death_signal(signal)
}

#[pyfunction]
pub fn give_back_memory(py: Python<'_>) -> bool {
    py.detach(chaffinch_confine::give_back_memory)
}

#[pyfunction]
pub fn set_process_name(name: &str) -> io::Result<()> {
    chaffinch_confine::set_process_name(name)
}

#[allow(clippy::needless_pass_by_value)] // PyO3 hands paths over by value
#[pyfunction]
pub fn enter_network_namespace(path: PathBuf) -> io::Result<()> {
    chaffinch_confine::enter_network_namespace(&path)
}

#[allow(clippy::needless_pass_by_value)] // PyO3 hands paths over by value
#[pyfunction]
pub fn make_network_namespace(path: PathBuf) -> io::Result<()> {
    chaffinch_confine::make_network_namespace(&path)
}

#[allow(clippy::needless_pass_by_value)] // PyO3 hands paths over by value
#[pyfunction]
pub fn remove_network_namespace(path: PathBuf) -> io::Result<()> {
    chaffinch_confine::remove_network_namespace(&path)
}
