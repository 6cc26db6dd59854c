//! Looking into answers: what is extracted from them and what they have to be.

use memchr::memmem::Finder;
use regex::bytes::Regex;
use serde_json::Value;

use super::cookies::{self, Jar, Site};
use super::json::{self, Fault, Path};
use super::outcome::Why;
use crate::{Answer, Nanos};

/// Bytes that an extracted value takes in the answer.
pub(super) const MOST_VALUE: usize = 64 << 10;

/// An answer as extractions and assertions see it.
pub(super) struct Look<'a> {
    pub status: u16,
    pub took: Nanos,
    /// None when it was not kept.
    pub answer: Option<&'a Answer>,
    /// False when the body's coding could not be undone.
    pub is_readable: bool,
    pub patterns: &'a [Regex],
    pub jar: &'a Jar,
    pub site: Site<'a>,
}

/// A value taken from an answer.
#[derive(Debug)]
pub(super) struct Extract {
    pub slot: u16,
    pub source: Source,
    pub default: Option<String>,
}

#[derive(Debug)]
pub(super) enum Source {
    Json(Path),
    /// The number of a pattern of the program.
    Regex {
        pattern: usize,
        group: usize,
    },
    Header(String),
    Cookie(String),
}

/// What an answer has to be.
#[derive(Debug)]
pub(super) enum Check {
    /// Within one of these ranges, first and last.
    Status(Vec<(u16, u16)>),
    Below(Nanos),
    Json {
        path: Path,
        is: Option<Value>,
    },
    Contains(Box<Finder<'static>>),
    Matches {
        pattern: usize,
    },
    Header {
        name: String,
        contains: Option<Box<Finder<'static>>>,
    },
}

impl Extract {
    /// Whether the body is needed for it.
    pub(super) fn needs_body(&self) -> bool {
        matches!(self.source, Source::Json(_) | Source::Regex { .. })
    }

    /// Fills a text, which is empty, with the value or its default.
    pub(super) fn fill(&self, look: &Look<'_>, out: &mut String) -> Result<(), Why> {
        self.source.fill(look, out).or_else(|why| {
            let default = self.default.as_ref().ok_or(why)?;
            out.clear();
            out.push_str(default);
            Ok(())
        })
    }
}

impl Source {
    fn fill(&self, look: &Look<'_>, out: &mut String) -> Result<(), Why> {
        match self {
            Self::Json(path) => {
                let found = look.find(path)?;
                if found.len() > MOST_VALUE {
                    return Err(Why::TooLong);
                }
                found.push_to(out).map_err(Why::from)
            }
            Self::Regex { pattern, group } => {
                let (body, pattern) = (look.body()?, &look.patterns[*pattern]);
                let found = if *group == 0 {
                    pattern.find(body)
                } else {
                    pattern.captures(body).and_then(|all| all.get(*group))
                };
                push(found.ok_or_else(|| look.missing())?.as_bytes(), out)
            }
            Self::Header(name) => {
                let value = look.answer.and_then(|answer| answer.header(name));
                push(value.ok_or(Why::Missing)?, out)
            }
            Self::Cookie(name) => push(look.cookie(name).ok_or(Why::Missing)?.as_bytes(), out),
        }
    }
}

impl Check {
    pub(super) fn needs_body(&self) -> bool {
        matches!(
            self,
            Self::Json { .. } | Self::Contains(_) | Self::Matches { .. }
        )
    }

    pub(super) fn holds(&self, look: &Look<'_>) -> Result<(), Why> {
        let (holds, why) = match self {
            Self::Status(ranges) => {
                let status = look.status;
                (
                    ranges
                        .iter()
                        .any(|(first, last)| (*first..=*last).contains(&status)),
                    Why::Status,
                )
            }
            Self::Below(limit) => (look.took < *limit, Why::Slow),
            Self::Json { path, is } => {
                let found = look.find(path)?;
                let is_same = is
                    .as_ref()
                    .map_or(Ok(true), |expected| json::equals(found, expected));
                (is_same.map_err(Why::from)?, Why::Differs)
            }
            Self::Contains(text) => (text.find(look.body()?).is_some(), look.missing()),
            Self::Matches { pattern } => (
                look.patterns[*pattern].is_match(look.body()?),
                look.missing(),
            ),
            Self::Header { name, contains } => {
                let headers = look.answer.into_iter().flat_map(Answer::headers);
                let mut values = headers
                    .filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
                    .map(|(_, value)| value)
                    .peekable();
                let why = if values.peek().is_some() {
                    Why::Differs
                } else {
                    Why::Missing
                };
                let fits = |value: &[u8]| {
                    contains
                        .as_ref()
                        .is_none_or(|text| text.find(value).is_some())
                };
                (values.any(fits), why)
            }
        };
        if holds { Ok(()) } else { Err(why) }
    }
}

impl Look<'_> {
    fn body(&self) -> Result<&[u8], Why> {
        if self.is_readable {
            Ok(self.answer.map_or(&[], |answer| &answer.body))
        } else {
            Err(Why::Unreadable)
        }
    }

    fn is_cut(&self) -> bool {
        self.answer.is_some_and(|answer| answer.is_cut)
    }

    /// Why something is not in the body.
    fn missing(&self) -> Why {
        if self.is_cut() {
            Why::Cut
        } else {
            Why::Missing
        }
    }

    fn find(&self, path: &Path) -> Result<json::Found<'_>, Why> {
        match path.find(self.body()?) {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(self.missing()),
            // A long body that broke off where it was cut.
            Err(Fault::NotJson) if self.is_cut() => Err(Why::Cut),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Of the answer, the last one that counts, or what was set in an earlier step.
    fn cookie(&self, name: &str) -> Option<&str> {
        let headers = self.answer.into_iter().flat_map(Answer::headers);
        headers
            .filter(|(known, _)| known.eq_ignore_ascii_case(b"set-cookie"))
            .filter_map(|(_, value)| cookies::pair(value))
            .filter(|(known, _, _)| *known == name)
            .last()
            .map(|(_, value, _)| value)
            .or_else(|| self.jar.value(name, &self.site))
    }
}

fn push(value: &[u8], out: &mut String) -> Result<(), Why> {
    if value.len() > MOST_VALUE {
        return Err(Why::TooLong);
    }
    out.push_str(std::str::from_utf8(value).map_err(|_| Why::NotText)?);
    Ok(())
}

impl From<Fault> for Why {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotJson => Self::NotJson,
            Fault::NotText => Self::NotText,
            Fault::TooMuch => Self::TooMuch,
        }
    }
}
