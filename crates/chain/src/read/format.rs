//! The formats and compressions that are read, and their names.

use std::fmt;
use std::str::FromStr;

use crate::Error;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One message a line of plain text.
    Lines,
    /// An array of objects or strings.
    Json,
    /// One object or string a line.
    Ndjson,
    /// `DiscordChatExporter`'s JSON document.
    Discord,
    /// A mailbox: mboxo or mboxrd.
    Mbox,
}

impl Format {
    pub const ALL: [Self; 5] = [
        Self::Lines,
        Self::Json,
        Self::Ndjson,
        Self::Discord,
        Self::Mbox,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Discord => "discord",
            Self::Mbox => "mbox",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| {
                Error::input(format!(
                    "{name:?} is not a format: use lines, json, ndjson, discord or mbox"
                ))
            })
    }
}

/// Told by the first bytes of a file, never by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    None,
    Gzip,
    Xz,
    Zstd,
}

impl Compression {
    /// What these first bytes begin (6 are enough).
    pub(super) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            // A frame, or a frame to skip: parallel compressors begin with one.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_an_unknown_one_lists_them() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
        let error = "csv".parse::<Format>().unwrap_err().to_string();
        assert_eq!(
            error,
            "\"csv\" is not a format: use lines, json, ndjson, discord or mbox"
        );
    }

    #[test]
    fn compression_is_told_by_the_first_bytes() {
        assert_eq!(Compression::of(b"\x1f\x8b\x08\0\0\0"), Compression::Gzip);
        assert_eq!(Compression::of(b"\xfd7zXZ\0"), Compression::Xz);
        assert_eq!(Compression::of(b"\x28\xb5\x2f\xfd"), Compression::Zstd);
        assert_eq!(Compression::of(b"hello"), Compression::None);
        assert_eq!(Compression::of(b""), Compression::None);
    }
}
