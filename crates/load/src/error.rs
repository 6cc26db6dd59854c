//! What can be wrong before and after a run. What happens to single requests is counted, not raised.

use std::fmt;

/// One sentence: what is wrong, where, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// What was asked cannot be done: the owner has to change it.
    Input(String),
    /// The system refused something that the run needs.
    Run(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    #[must_use]
    pub fn input(what: impl Into<String>) -> Self {
        Self::Input(what.into())
    }

    #[must_use]
    pub fn run(what: impl Into<String>) -> Self {
        Self::Run(what.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(what) | Self::Run(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}
