//! What became of a step and what its user does next.

use std::fmt;

use crate::Nanos;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// On the clock of the run.
    pub at: Nanos,
    pub unix_ms: u64,
}

/// What becomes of a user who is to begin an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// It is at the first step of the scenario of this number.
    At { scenario: usize },
    /// Every scenario has used up its data: no iteration can begin any more.
    Over,
}

/// What is to be sent for a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// The step's fixed request, as it is; the one given was not touched.
    Fixed,
    /// The request given, which was filled.
    Filled,
    /// Nothing: the user has the answer already and is where the outcome says.
    Cached(Outcome),
    /// Nothing: no request can be made, and the step failed.
    Refused(Outcome),
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Of the answer; 0 when there was none.
    pub status: u16,
    pub passed: bool,
    /// Assertions that held, before the first that did not.
    pub held: u16,
    /// What failed first in a step that did not pass; none when no answer came.
    pub failure: Option<Failure>,
    pub next: Next,
}

/// What a user does next, and after how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Its next step.
    Step { after: Nanos },
    /// The same step again.
    Again { after: Nanos },
    /// The iteration is over: all its steps passed or one failed. The next one may begin after the think time.
    End { after: Nanos },
}

/// What failed first, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    pub at: At,
    pub why: Why,
}

/// Where it failed; numbers count from 0 here and from 1 in texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The status, where no assertion is about it.
    Status,
    Assert(u16),
    Extract(u16),
    /// The request could not be made: the path.
    Path,
    /// The request could not be made: a header of the step, in the order in which they are sent.
    Header(u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Status,
    Slow,
    Missing,
    Differs,
    NotJson,
    NotText,
    /// An extracted value of more than 64 KiB.
    TooLong,
    /// A path that made the search go over the body too often.
    TooMuch,
    /// A content coding that is not known or not kept to.
    Unreadable,
    /// Not found in the part of a long body that is kept.
    Cut,
    /// A control character in a header value.
    Control,
    /// A URL of another origin than the step's.
    Elsewhere,
}

impl Failure {
    pub(super) fn new(at: At, why: Why) -> Self {
        Self { at, why }
    }

    /// `status`, `assertion`, `extraction` or `request`: what is to be looked at.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self.at {
            At::Status => "status",
            At::Assert(_) => "assertion",
            At::Extract(_) => "extraction",
            At::Path | At::Header(_) => "request",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.why.text())
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Assert(index) => write!(f, "assert {}", index + 1),
            Self::Extract(index) => write!(f, "extract {}", index + 1),
            Self::Path => f.write_str("path"),
            Self::Header(index) => write!(f, "header {}", index + 1),
        }
    }
}

impl Why {
    fn text(self) -> &'static str {
        match self {
            Self::Status => "the status is not one that passes",
            Self::Slow => "the answer took longer",
            Self::Missing => "the answer has no such value",
            Self::Differs => "the value is another",
            Self::NotJson => "the body is not JSON",
            Self::NotText => "the value is not valid UTF-8",
            Self::TooLong => "the value is longer than 64 KiB",
            Self::TooMuch => "the path goes over the body too often, name the way to the value",
            Self::Unreadable => {
                "the body is in a content coding other than gzip or deflate, or not in the one it names"
            }
            Self::Cut => "not found in the first MiB of the body",
            Self::Control => "a variable put a control character into the value, nothing was sent",
            Self::Elsewhere => {
                "the path became a URL of another origin than the step's, nothing was sent"
            }
        }
    }
}
