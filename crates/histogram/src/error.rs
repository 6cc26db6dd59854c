//! What can go wrong: a cap that nothing fits into, and bytes that are not a snapshot.

use std::fmt;

/// Why a recorder could not be made or a snapshot could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The cap cannot hold even the tables of an empty recorder.
    CapTooSmall { cap: usize, needed: usize },
    /// The system does not give address space for that many bytes.
    CapTooLarge { cap: usize },
    /// More labels were asked for than a recorder can number.
    TooManyLabels { asked: usize, most: usize },
    /// The bytes do not begin as a snapshot does.
    NotASnapshot,
    /// The snapshot was written in a format that this version does not know.
    UnknownVersion(u8),
    /// The snapshot ends too early or its checksum does not fit: it was cut or changed.
    Damaged,
    /// The checksum fits but a field is out of its range; `at` is the offset in bytes.
    Invalid { what: &'static str, at: usize },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CapTooSmall { cap, needed } => {
                write!(
                    f,
                    "a cap of {cap} bytes holds no histogram: at least {needed} bytes are needed"
                )
            }
            Self::CapTooLarge { cap } => {
                write!(f, "a cap of {cap} bytes is more than this system can give")
            }
            Self::TooManyLabels { asked, most } => write!(
                f,
                "{asked} labels are too many: at most {most} can be told apart"
            ),
            Self::NotASnapshot => write!(f, "these bytes are not a histogram snapshot"),
            Self::UnknownVersion(version) => write!(
                f,
                "histogram snapshot of version {version}, which is not known here"
            ),
            Self::Damaged => write!(f, "histogram snapshot is damaged: it was cut or changed"),
            Self::Invalid { what, at } => {
                write!(f, "histogram snapshot is not valid: {what} at byte {at}")
            }
        }
    }
}

impl std::error::Error for Error {}
