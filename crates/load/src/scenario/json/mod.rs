//! The first value that a path names in a JSON text, found without building a tree: what lies beside the path is
//! skipped, not validated; what is found is.

mod equal;
mod find;
mod path;
mod scan;
mod text;

pub(super) use equal::equals;
pub(super) use path::Path;

/// Why a text has no value for a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The text is not JSON where it was read, or nested deeper than [`MOST_DEPTH`].
    NotJson,
    /// The value is a text that is not valid Unicode.
    NotText,
    /// The search went over the text too often.
    TooMuch,
}

/// Levels of nesting that are followed.
const MOST_DEPTH: usize = 128;

/// How often a search may go over the whole text.
const MOST_PASSES: usize = 40;

/// A value as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found<'a> {
    /// With the quotes of a string.
    raw: &'a [u8],
}

impl<'a> Found<'a> {
    /// Bytes that it takes in the text.
    pub(super) fn len(self) -> usize {
        self.raw.len()
    }

    /// Appends a string without quotes and escapes, any other value as its JSON text.
    pub(super) fn push_to(self, out: &mut String) -> Result<(), Fault> {
        if let Some(inside) = self.string() {
            return text::unescape(inside, out);
        }
        let text = std::str::from_utf8(self.raw).map_err(|_| Fault::NotText)?;
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|_| Fault::NotJson)?;
        out.push_str(text);
        Ok(())
    }

    /// What stands between the quotes of a string.
    fn string(self) -> Option<&'a [u8]> {
        match self.raw {
            [b'"', inside @ .., b'"'] => Some(inside),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
