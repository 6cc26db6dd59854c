//! What can go wrong. Each text is one sentence: what, where, what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug)]
pub enum Error {
    /// Something the operator gave cannot be used: an option, a file, a phrase.
    Input(String),
    /// The machine did not let it happen: a full disk, a directory that cannot be written.
    Io { doing: String, source: io::Error },
    /// A file is not what was written into it.
    Damaged { file: PathBuf, what: String },
    /// A file of a later version of the format.
    Newer {
        file: PathBuf,
        version: u32,
        known: u32,
    },
    /// Another process has the chain open for writing; its pid where the lock file names one.
    Locked {
        directory: PathBuf,
        pid: Option<u32>,
    },
    /// Nothing new can be said within the tries and bounds that were asked for.
    NothingNew(String),
}

impl Error {
    pub fn input(sentence: impl Into<String>) -> Self {
        Self::Input(sentence.into())
    }

    pub fn damaged(file: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            file: file.to_owned(),
            what: what.into(),
        }
    }

    /// For `map_err`: what was being done, such as `writing /var/lib/.../000001.log`.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(sentence) | Self::NothingNew(sentence) => f.write_str(sentence),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Damaged { file, what } => write!(f, "{} is damaged: {what}", file.display()),
            Self::Newer {
                file,
                version,
                known,
            } => write!(
                f,
                "{} has format version {version}, this chaffinch reads up to {known}: upgrade it",
                file.display()
            ),
            Self::Locked { directory, pid } => {
                write!(f, "{} is open for writing in ", directory.display())?;
                match pid {
                    Some(pid) => write!(f, "process {pid}")?,
                    None => f.write_str("another process")?,
                }
                f.write_str(": stop that, or do this through it")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
