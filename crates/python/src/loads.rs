//! `chaffinch_load` for Python: a plan goes in as JSON, what came of it comes out as JSON.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use chaffinch_load::Error;
use chaffinch_load::engine::{Relief, Run};
use chaffinch_load::model::Model;
use chaffinch_load::plan::Plan;
use chaffinch_load::record::Budget;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

create_exception!(
    chaffinch._core,
    LoadError,
    PyException,
    "Kind and sentence: `input` or `run`."
);

#[allow(clippy::needless_pass_by_value, reason = "`map_err` gives it away")]
fn refused(error: Error) -> PyErr {
    let kind = match &error {
        Error::Input(_) => "input",
        Error::Run(_) => "run",
    };
    LoadError::new_err((kind, error.to_string()))
}

/// The longest that one call waits: Python looks for signals in between.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The fewest bytes of histograms and counts that a run needs with so many labels, threads and kept intervals.
#[pyfunction]
pub fn least_record_bytes(labels: usize, threads: usize, intervals: usize) -> usize {
    Budget::least_bytes(labels, threads, intervals)
}

/// One run, whose threads send without the GIL. Only `start` keeps others waiting: who looks up names for other
/// scenarios, or waits for the end, does not keep those from it who ask how the run goes.
#[pyclass(frozen, module = "chaffinch._core")]
pub struct LoadRun(RwLock<Run>);

impl LoadRun {
    fn held(&self) -> RwLockReadGuard<'_, Run> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl LoadRun {
    #[new]
    fn new(py: Python<'_>, plan: &str) -> PyResult<Self> {
        // Names are looked up here.
        py.detach(|| Plan::from_json(plan).and_then(Run::new))
            .map(|run| Self(RwLock::new(run)))
            .map_err(refused)
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        let start = || {
            self.0
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .start()
        };
        py.detach(start).map_err(refused)
    }

    fn wait(&self, py: Python<'_>, seconds: f64) -> bool {
        let most = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO);
        py.detach(|| self.held().wait(most.min(LONGEST_WAIT)))
    }

    fn stop(&self) {
        self.held().stop();
    }

    fn end(&self) {
        self.held().end();
    }

    fn change(&self, model: &str, users: u32) -> PyResult<()> {
        let model: Model = serde_json::from_str(model)
            .map_err(|error| refused(Error::input(format!("the model cannot be read: {error}"))))?;
        self.held().change(model, users).map_err(refused)
    }

    fn replace(&self, py: Python<'_>, plan: &str) -> PyResult<()> {
        // Names are looked up here too.
        py.detach(|| Plan::from_json(plan).and_then(|plan| self.held().replace(plan)))
            .map_err(refused)
    }

    fn guard(&self, action: &str) -> PyResult<()> {
        let relief = match action {
            "drop_intervals" => Relief::DropIntervals,
            "halve" => Relief::Halve,
            "fold_cold" => Relief::FoldCold,
            "percentiles_off" => Relief::PercentilesOff,
            "restore" => Relief::Restore,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "no action is called {action:?}"
                )));
            }
        };
        self.held().relieve(relief);
        Ok(())
    }

    #[pyo3(signature = (since = 0, *, labels = true))]
    fn poll<'py>(
        &self,
        py: Python<'py>,
        since: u64,
        labels: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let view = py.detach(|| serde_json::to_vec(&self.held().view(since, labels)));
        let view = view.map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &view))
    }
}
