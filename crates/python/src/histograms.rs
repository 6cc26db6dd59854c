//! `chaffinch_histogram` for Python: labels are integers, latencies nanoseconds, snapshots bytes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chaffinch_histogram::{Error, Label, OTHER_NAME, Recorder};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Exact totals of a label's values, in nanoseconds.
#[pyclass(frozen, get_all, module = "chaffinch._core")]
pub struct Totals {
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
    mean: f64,
}

/// A recorder behind a lock, which is never held while waiting for the GIL.
#[pyclass(frozen, module = "chaffinch._core")]
pub struct Histograms(Mutex<Recorder>);

impl Histograms {
    fn held(&self) -> MutexGuard<'_, Recorder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(error: Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

#[pymethods]
impl Histograms {
    /// The name of the label into which others fold; its number is 0.
    #[classattr]
    const OTHER: &'static str = OTHER_NAME;

    #[new]
    #[pyo3(signature = (cap_bytes, most_labels))]
    fn new(cap_bytes: usize, most_labels: usize) -> PyResult<Self> {
        Recorder::new(cap_bytes, most_labels)
            .map(|recorder| Self(Mutex::new(recorder)))
            .map_err(refused)
    }

    fn label(&self, name: &str) -> u32 {
        self.held().label(name).0
    }

    #[pyo3(signature = (label, ns, times = 1))]
    fn record(&self, label: u32, ns: u64, times: u32) {
        let mut recorder = self.held();
        if times == 1 {
            recorder.record(Label(label), ns);
        } else {
            recorder.record_many(Label(label), ns, times);
        }
    }

    fn labels(&self) -> Vec<(u32, String)> {
        let recorder = self.held();
        recorder
            .labels()
            .map(|label| (label.0, recorder.name(label).to_owned()))
            .collect()
    }

    fn totals(&self, label: u32) -> Totals {
        let recorder = self.held();
        let totals = recorder.totals(Label(label));
        Totals {
            count: totals.count(),
            sum: totals.sum(),
            min: totals.min(),
            max: totals.max(),
            mean: totals.mean(),
        }
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 hands sequences over by value
    fn quantiles(&self, label: u32, qs: Vec<f64>) -> Vec<u64> {
        let recorder = self.held();
        qs.iter()
            .map(|&q| recorder.quantile(Label(label), q))
            .collect()
    }

    fn fold(&self, label: u32) {
        self.held().fold(Label(label));
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let bytes = py.detach(|| self.held().to_bytes());
        PyBytes::new(py, &bytes)
    }

    fn merge_bytes(&self, py: Python<'_>, snapshot: &[u8]) -> PyResult<()> {
        py.detach(|| self.held().merge_bytes(snapshot))
            .map_err(refused)
    }

    fn reset(&self) {
        self.held().reset();
    }

    fn clear(&self) {
        self.held().clear();
    }

    #[getter]
    fn folded_records(&self) -> u64 {
        self.held().folded_records()
    }

    #[getter]
    fn folded_labels(&self) -> u64 {
        self.held().folded_labels()
    }

    #[getter]
    fn memory_bytes(&self) -> usize {
        self.held().memory_bytes()
    }

    #[getter]
    fn cap_bytes(&self) -> usize {
        self.held().cap_bytes()
    }
}
