//! Answers of one connection, read as they arrive.

use super::Fault;
use super::chunks::{Chunks, Taken};
use super::head::{self, Ending, Head, MOST_HEAD};
use super::length::Length;
use crate::Answer;

/// Interim answers (1xx) before a final one.
pub const MOST_INTERIM: u8 = 100;

/// What was asked, as far as it decides how the answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// HEAD: its answer has no body, whatever its headers say.
    Head,
    Other,
}

/// A whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    pub status: u16,
    /// The peer takes another request on this connection. What the request said of it is not known
    /// here.
    pub keeps_alive: bool,
    /// Without what frames chunks.
    pub body_bytes: u64,
}

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that belonged to the answer. Fewer than were given when it is done and something
    /// follows it.
    pub used: usize,
    /// The head of the final answer came to its end here.
    pub head: bool,
    pub done: Option<Done>,
}

/// Where a reader is.
#[derive(Debug, Clone, Copy)]
enum State {
    /// No answer is expected.
    Idle,
    Head,
    Bytes(u64),
    Chunks(Chunks),
    Closing,
}

/// Reads the answers of one connection, one after the other.
#[derive(Debug)]
pub struct Reader {
    /// A head that is split across reads, as far as it came.
    gathered: Vec<u8>,
    body_bytes: u64,
    state: State,
    status: u16,
    interim: u8,
    ending: Ending,
    kind: Kind,
    keeps_alive: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            gathered: Vec::new(),
            body_bytes: 0,
            state: State::Idle,
            status: 0,
            interim: 0,
            ending: Ending::InLine,
            kind: Kind::Other,
            keeps_alive: false,
        }
    }

    /// The next bytes answer a request that was sent, or is about to be.
    pub fn expect(&mut self, to: Kind) {
        self.stop();
        self.state = State::Head;
        self.body_bytes = 0;
        self.interim = 0;
        self.kind = to;
    }

    /// Whether anything of the expected answer came. As long as nothing did, the request may be
    /// sent again elsewhere.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        match self.state {
            State::Idle => false,
            State::Head => self.interim > 0 || !self.gathered.is_empty(),
            State::Bytes(_) | State::Chunks(_) | State::Closing => true,
        }
    }

    /// Bytes of memory besides the reader itself: 0 but for a split head, and never more than
    /// [`MOST_HEAD`].
    #[must_use]
    pub fn held(&self) -> usize {
        self.gathered.capacity()
    }

    /// Takes what belongs to the expected answer. `keep` is cleared and filled when given, and must
    /// then be given with every call for the same answer. Bytes that no answer is expected for are
    /// left alone (`used` is 0): the peer must not have sent them.
    ///
    /// # Errors
    /// What the peer did wrong. Nothing is expected any more then: the connection is of no further
    /// use.
    pub fn read(&mut self, bytes: &[u8], keep: Option<&mut Answer>) -> Result<Progress, Fault> {
        let progress = self.advance(bytes, keep);
        if progress.is_err() {
            self.stop();
        }
        progress
    }

    /// The peer closed the connection.
    ///
    /// # Errors
    /// [`Fault::Closed`] when nothing of an answer came, [`Fault::Truncated`] or what is wrong with
    /// its beginning when something did, unless it was an answer that ends with the connection.
    pub fn end(&mut self) -> Result<Done, Fault> {
        let fault = match self.state {
            State::Closing => return Ok(self.finish()),
            State::Head if !self.gathered.is_empty() => {
                head::parse(&self.gathered, self.kind, None)
                    .err()
                    .unwrap_or(Fault::Truncated)
            }
            _ if self.has_begun() => Fault::Truncated,
            _ => Fault::Closed,
        };
        self.stop();
        Err(fault)
    }

    fn advance(&mut self, bytes: &[u8], mut keep: Option<&mut Answer>) -> Result<Progress, Fault> {
        let mut progress = Progress {
            used: 0,
            head: false,
            done: None,
        };
        if matches!(self.state, State::Head) {
            let Some(used) = self.heads(bytes, keep.as_deref_mut())? else {
                progress.used = bytes.len();
                return Ok(progress);
            };
            progress.used = used;
            progress.head = true;
        }
        let (used, is_over) = self.body(&bytes[progress.used..], keep)?;
        progress.used += used;
        progress.done = is_over.then(|| self.finish());
        Ok(progress)
    }

    /// Reads heads up to the final one; None when all bytes went by before its end.
    fn heads(
        &mut self,
        bytes: &[u8],
        mut keep: Option<&mut Answer>,
    ) -> Result<Option<usize>, Fault> {
        let mut used = 0;
        while used < bytes.len() {
            let Some((here, head)) = self.head(&bytes[used..], keep.as_deref_mut())? else {
                return Ok(None);
            };
            used += here;
            if !head.is_interim() {
                self.begin(head);
                return Ok(Some(used));
            }
            if self.interim == MOST_INTERIM {
                return Err(Fault::TooManyInterim);
            }
            self.interim += 1;
        }
        Ok(None)
    }

    /// Reads one head: in place when it is whole, else gathered until it is.
    fn head(
        &mut self,
        bytes: &[u8],
        mut keep: Option<&mut Answer>,
    ) -> Result<Option<(usize, Head)>, Fault> {
        if self.gathered.is_empty() {
            let within = &bytes[..bytes.len().min(MOST_HEAD)];
            let found = head::parse(within, self.kind, keep.as_deref_mut())?;
            if found.is_some() {
                return Ok(found);
            }
            self.ending = Ending::InLine;
        }
        self.gather(bytes, keep)
    }

    /// Adds to the gathered head and reads it once its end is there.
    #[cold]
    fn gather(
        &mut self,
        bytes: &[u8],
        keep: Option<&mut Answer>,
    ) -> Result<Option<(usize, Head)>, Fault> {
        let room = MOST_HEAD - self.gathered.len();
        let within = &bytes[..bytes.len().min(room)];
        let end = self.ending.find(within);
        let here = end.unwrap_or(within.len());
        self.grow(here);
        self.gathered.extend_from_slice(&within[..here]);
        let is_full = self.gathered.len() == MOST_HEAD;
        // The first bytes are looked at as they come: what does not speak HTTP may never send an
        // empty line.
        if end.is_none() && !is_full && self.gathered.len() - here >= 8 {
            return Ok(None);
        }
        let found = head::parse(&self.gathered, self.kind, keep)?;
        match (found, end) {
            (Some((_, head)), Some(_)) => {
                self.gathered = Vec::new();
                Ok(Some((here, head)))
            }
            (None, None) if !is_full => Ok(None),
            (None, None) => Err(Fault::HeadTooLong),
            // The parser and the search for the end see different lines: nobody knows where the
            // body begins.
            _ => Err(Fault::BadHead),
        }
    }

    /// Makes room, doubling it, without ever going beyond the longest head.
    fn grow(&mut self, more: usize) {
        let wanted = self.gathered.len() + more;
        if wanted > self.gathered.capacity() {
            let room = wanted.max(self.gathered.capacity() * 2).min(MOST_HEAD);
            self.gathered.reserve_exact(room - self.gathered.len());
        }
    }

    fn begin(&mut self, head: Head) {
        self.status = head.status;
        self.keeps_alive = head.keeps_alive;
        self.state = match head.length {
            Length::Bytes(bytes) => State::Bytes(bytes),
            Length::Chunks => State::Chunks(Chunks::new()),
            Length::Closing => State::Closing,
        };
    }

    /// How many bytes belong to the body, and whether it is over.
    fn body(&mut self, bytes: &[u8], keep: Option<&mut Answer>) -> Result<(usize, bool), Fault> {
        let (used, is_over) = match &mut self.state {
            State::Idle | State::Head => return Ok((0, false)),
            State::Chunks(chunks) => {
                let Taken {
                    used,
                    body,
                    is_over,
                } = chunks.take(bytes, keep)?;
                self.body_bytes += body;
                return Ok((used, is_over));
            }
            State::Bytes(left) => {
                let used = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= used as u64;
                (used, *left == 0)
            }
            State::Closing => (bytes.len(), false),
        };
        self.body_bytes += used as u64;
        if let Some(answer) = keep {
            answer.push_body(&bytes[..used]);
        }
        Ok((used, is_over))
    }

    fn finish(&mut self) -> Done {
        self.state = State::Idle;
        Done {
            status: self.status,
            keeps_alive: self.keeps_alive,
            body_bytes: self.body_bytes,
        }
    }

    fn stop(&mut self) {
        self.state = State::Idle;
        if self.gathered.capacity() > 0 {
            self.gathered = Vec::new();
        }
    }
}
