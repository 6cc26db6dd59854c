//! `chaffinch_chain` for Python: options and results are JSON, which the Python face makes into structs.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use chaffinch_chain as chain;
use chaffinch_chain::read::{Format, Source};
use chaffinch_chain::{Error, Extent, Forget, Opening, Options, Record, Start, Training};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;

create_exception!(
    chaffinch._core,
    ChainError,
    PyException,
    "Kind and sentence: `input`, `io`, `damaged`, `newer`, `locked` or `nothing_new`."
);

#[allow(clippy::needless_pass_by_value, reason = "`map_err` gives it away")]
fn refused(error: Error) -> PyErr {
    let kind = match &error {
        Error::Input(_) => "input",
        Error::Io { .. } => "io",
        Error::Damaged { .. } => "damaged",
        Error::Newer { .. } => "newer",
        Error::Locked { .. } => "locked",
        Error::NothingNew(_) => "nothing_new",
    };
    ChainError::new_err((kind, error.to_string()))
}

fn bad(sentence: impl Into<String>) -> PyErr {
    refused(Error::input(sentence))
}

fn json(value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn options(text: &str) -> PyResult<Options> {
    serde_json::from_str(text).map_err(|error| bad(error.to_string()))
}

/// Walks that one message may cost: a tenth of a second, or so.
const MAX_TRIES: u32 = 100_000;

/// Messages that one call may give: it cannot be interrupted.
const MAX_COUNT: usize = 1_000_000;

/// What is asked for; checked once, used for any number of messages.
#[pyclass(frozen, module = "chaffinch._core")]
pub struct Ask(chain::Ask);

#[pymethods]
impl Ask {
    #[new]
    #[pyo3(signature = (
        *, max_tries = 1000, min_score = 0, min_tokens = 1, max_tokens = 200, max_bytes = 2000, novel = true,
        seed = None, starting = None, containing = None, ending = None
    ))]
    #[allow(clippy::too_many_arguments)] // one argument for each field
    fn new(
        max_tries: u32,
        min_score: u64,
        min_tokens: u32,
        max_tokens: u32,
        max_bytes: u32,
        novel: bool,
        seed: Option<String>,
        starting: Option<String>,
        containing: Option<String>,
        ending: Option<String>,
    ) -> PyResult<Self> {
        let start = match (seed, starting) {
            (Some(_), Some(_)) => return Err(bad("give a seed or words to start with, not both")),
            (Some(words), None) => Start::Seed(words),
            (None, Some(words)) => Start::Beginning(words),
            (None, None) => Start::Anywhere,
        };
        if !(1..=MAX_TRIES).contains(&max_tries) {
            return Err(bad(format!(
                "max_tries is {max_tries}: give a number from 1 to {MAX_TRIES}"
            )));
        }
        Ok(Self(chain::Ask {
            max_tries,
            min_score,
            min_tokens,
            max_tokens,
            max_bytes,
            novel,
            start,
            containing,
            ending,
        }))
    }
}

/// Id, author, channel, milliseconds since 1970, text, attachments.
type Row = (String, String, String, Option<i64>, String, Vec<String>);

/// One open chain, until it is closed.
#[pyclass(frozen, module = "chaffinch._core")]
pub struct Chain {
    directory: PathBuf,
    open: RwLock<Option<Arc<chain::Chain>>>,
}

impl Chain {
    fn said(
        &self,
        py: Python<'_>,
        ask: &Ask,
        count: usize,
        rng_seed: Option<u64>,
    ) -> PyResult<Vec<chain::Said>> {
        check_count(count)?;
        self.run(py, |chain| chain.generate(&ask.0, count, rng_seed))
    }

    fn held(&self) -> PyResult<Arc<chain::Chain>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.clone().ok_or_else(|| {
            bad(format!(
                "the chain in {} is closed: open it again",
                self.directory.display()
            ))
        })
    }

    /// Runs without the GIL.
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        what: impl FnOnce(&chain::Chain) -> chain::Result<T> + Send,
    ) -> PyResult<T> {
        let held = self.held()?;
        py.detach(|| what(&held)).map_err(refused)
    }
}

#[pymethods]
impl Chain {
    #[staticmethod]
    #[pyo3(
        signature = (directory, *, write = false, create = None, names = Vec::new(), segment_memory = None),
        text_signature = "(directory, *, write=False, create=None, names=(), segment_memory=None)"
    )]
    fn open(
        py: Python<'_>,
        directory: PathBuf,
        write: bool,
        create: Option<&str>,
        names: Vec<String>,
        segment_memory: Option<usize>,
    ) -> PyResult<Self> {
        let opening = Opening {
            write,
            create: create.map(options).transpose()?,
            names,
        };
        let mut open = py
            .detach(|| chain::Chain::open(&directory, &opening))
            .map_err(refused)?;
        if let Some(bytes) = segment_memory {
            open = open.with_segment_memory(bytes);
        }
        Ok(Self {
            directory,
            open: RwLock::new(Some(Arc::new(open))),
        })
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            drop(
                self.open
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take(),
            );
        });
    }

    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, chain::Chain::refresh)
    }

    #[getter]
    fn options(&self, py: Python<'_>) -> PyResult<String> {
        json(&self.run(py, |chain| Ok(chain.options()))?)
    }

    #[getter]
    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.run(py, chain::Chain::names)
    }

    #[getter]
    fn is_writer(&self) -> PyResult<bool> {
        Ok(self.held()?.is_writer())
    }

    #[getter]
    fn memory_bytes(&self, py: Python<'_>) -> PyResult<usize> {
        self.run(py, |chain| Ok(chain.memory_bytes()))
    }

    #[getter]
    fn unmerged_bytes(&self, py: Python<'_>) -> PyResult<usize> {
        self.run(py, |chain| Ok(chain.unmerged_bytes()))
    }

    #[getter]
    fn wants_merge(&self, py: Python<'_>) -> PyResult<bool> {
        self.run(py, |chain| Ok(chain.wants_merge()))
    }

    fn add(&self, py: Python<'_>, messages: Vec<Row>) -> PyResult<String> {
        let records: Vec<Record> = messages
            .into_iter()
            .map(|(id, author, channel, time_ms, text, attachments)| Record {
                id,
                author,
                channel,
                time_ms,
                text,
                attachments,
            })
            .collect();
        json(&self.run(py, |chain| chain.add(&records))?)
    }

    #[pyo3(signature = (key, path, *, format = None, skip_bad = false, report = None))]
    #[allow(clippy::needless_pass_by_value)] // PyO3 hands paths and callables over by value
    fn train(
        &self,
        py: Python<'_>,
        key: &str,
        path: PathBuf,
        format: Option<&str>,
        skip_bad: bool,
        report: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let format: Option<Format> = format.map(str::parse).transpose().map_err(refused)?;
        let mut raised = None;
        let trained = self.run(py, |chain| {
            let mut source = Source::open(&path, format)?;
            let mut tell = |progress: chain::Progress| {
                let Some(report) = &report else { return true };
                Python::attach(|py| {
                    let told = report
                        .call1(py, (progress.records, progress.bytes, progress.size))
                        .and_then(|answer| answer.is_truthy(py));
                    told.unwrap_or_else(|error| {
                        raised = Some(error);
                        false
                    })
                })
            };
            chain.train(key, &mut source, Training { skip_bad }, &mut tell)
        });
        match raised {
            Some(error) => Err(error),
            None => json(&trained?),
        }
    }

    #[pyo3(signature = (ask, count = 1, rng_seed = None))]
    fn generate(
        &self,
        py: Python<'_>,
        ask: &Ask,
        count: usize,
        rng_seed: Option<u64>,
    ) -> PyResult<Vec<String>> {
        let said = self.said(py, ask, count, rng_seed)?;
        Ok(said.into_iter().map(|one| one.text).collect())
    }

    #[pyo3(signature = (ask, count = 1, rng_seed = None))]
    fn say(
        &self,
        py: Python<'_>,
        ask: &Ask,
        count: usize,
        rng_seed: Option<u64>,
    ) -> PyResult<Vec<(String, u64, u32)>> {
        let said = self.said(py, ask, count, rng_seed)?;
        Ok(said
            .into_iter()
            .map(|one| (one.text, one.score, one.tries))
            .collect())
    }

    #[staticmethod]
    #[pyo3(signature = (chains, ask, count = 1, rng_seed = None))]
    #[allow(clippy::needless_pass_by_value)] // PyO3 hands sequences over by value
    fn mix(
        py: Python<'_>,
        chains: Vec<(PyRef<'_, Self>, u32)>,
        ask: &Ask,
        count: usize,
        rng_seed: Option<u64>,
    ) -> PyResult<Vec<(String, u64, u32)>> {
        check_count(count)?;
        let held = chains
            .iter()
            .map(|(chain, weight)| Ok((chain.held()?, *weight)))
            .collect::<PyResult<Vec<_>>>()?;
        let said = py
            .detach(|| {
                let chains: Vec<_> = held
                    .iter()
                    .map(|(chain, weight)| (&**chain, *weight))
                    .collect();
                chain::generate_mixed(&chains, &ask.0, count, rng_seed)
            })
            .map_err(refused)?;
        Ok(said
            .into_iter()
            .map(|one| (one.text, one.score, one.tries))
            .collect())
    }

    #[pyo3(signature = (text, most = 5))]
    fn references(&self, py: Python<'_>, text: &str, most: usize) -> PyResult<String> {
        json(&self.run(py, |chain| chain.references(text, most))?)
    }

    /// JSON, or nothing.
    #[pyo3(signature = (text, rng_seed = None))]
    fn illustration(
        &self,
        py: Python<'_>,
        text: &str,
        rng_seed: Option<u64>,
    ) -> PyResult<Option<String>> {
        let found = self.run(py, |chain| chain.illustration(text, rng_seed))?;
        found.as_ref().map(json).transpose()
    }

    fn count_author(&self, py: Python<'_>, author: String) -> PyResult<u64> {
        self.run(py, |chain| chain.count(&Forget::Author(author)))
    }

    fn count_channel(&self, py: Python<'_>, channel: String) -> PyResult<u64> {
        self.run(py, |chain| chain.count(&Forget::Channel(channel)))
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 hands sequences over by value
    fn forget_messages(&self, py: Python<'_>, ids: Vec<String>) -> PyResult<u64> {
        let what = ids
            .iter()
            .map(|id| Ok(Forget::Message(id.parse().map_err(refused)?)))
            .collect::<PyResult<Vec<_>>>()?;
        self.run(py, |chain| chain.forget_all(&what))
    }

    fn forget_author(&self, py: Python<'_>, author: String) -> PyResult<u64> {
        self.run(py, |chain| chain.forget(&Forget::Author(author)))
    }

    fn forget_channel(&self, py: Python<'_>, channel: String) -> PyResult<u64> {
        self.run(py, |chain| chain.forget(&Forget::Channel(channel)))
    }

    fn forget_before(&self, py: Python<'_>, time_ms: i64) -> PyResult<u64> {
        self.run(py, |chain| chain.forget(&Forget::Before(time_ms)))
    }

    #[pyo3(signature = (*, whole = false, options = None))]
    fn merge(&self, py: Python<'_>, whole: bool, options: Option<&str>) -> PyResult<String> {
        let extent = match options {
            Some(text) => Extent::Changed(self::options(text)?),
            None if whole => Extent::Whole,
            None => Extent::Due,
        };
        json(&self.run(py, |chain| chain.merge(extent))?)
    }

    fn stats(&self, py: Python<'_>) -> PyResult<String> {
        json(&self.run(py, chain::Chain::stats)?)
    }

    fn verify(&self, py: Python<'_>) -> PyResult<String> {
        json(&self.run(py, chain::Chain::verify)?)
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 hands paths over by value
    fn export(&self, py: Python<'_>, path: PathBuf) -> PyResult<u64> {
        self.run(py, |chain| {
            let mut new = OpenOptions::new();
            let mut file = new
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(|error| {
                    if error.kind() == io::ErrorKind::AlreadyExists {
                        return Error::input(format!(
                            "{} is there already: remove it, or export to another file",
                            path.display()
                        ));
                    }
                    doing(&path)(error)
                })?;
            let done = chain.export(&mut file).and_then(|messages| {
                file.sync_all().map_err(doing(&path))?;
                Ok(messages)
            });
            if done.is_err() {
                let _ = std::fs::remove_file(&path);
            }
            done
        })
    }

    #[staticmethod]
    #[allow(clippy::needless_pass_by_value)] // PyO3 hands paths over by value
    #[pyo3(signature = (directory, path, names = None))]
    fn import_archive(
        py: Python<'_>,
        directory: PathBuf,
        path: PathBuf,
        names: Option<Vec<String>>,
    ) -> PyResult<u64> {
        py.detach(|| {
            let mut file = File::open(&path).map_err(doing(&path))?;
            chain::Chain::import(&directory, &mut file, names.as_deref())
        })
        .map_err(refused)
    }
}

fn doing(path: &Path) -> impl FnOnce(io::Error) -> Error {
    Error::io(format!("{}", path.display()))
}

fn check_count(count: usize) -> PyResult<()> {
    if count > MAX_COUNT {
        return Err(bad(format!(
            "{count} messages are asked for at once: ask for at most {MAX_COUNT}"
        )));
    }
    Ok(())
}

/// What a text becomes before a guarded chain learns it.
#[allow(clippy::needless_pass_by_value)] // PyO3 hands sequences over by value
#[pyfunction]
#[pyo3(signature = (text, names = Vec::new()), text_signature = "(text, names=())")]
pub fn redact(text: &str, names: Vec<String>) -> PyResult<String> {
    let guard = chain::Guard::new(&names).map_err(refused)?;
    Ok(guard
        .redact(text, &mut chain::Replaced::default())
        .into_owned())
}
