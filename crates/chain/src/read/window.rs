//! The part of the input that is held: a buffer that grows only for one large message, and the fingerprint of what went through it.

use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use super::input::Input;
use crate::Result;

/// Bytes held when no message is larger.
const BUFFER_BYTES: usize = 256 * 1024;

/// Bytes are read with [`Window::more`], looked at with [`Window::held`], consumed with
/// [`Window::advance`]; [`Window::settle`] says that a record ends there.
pub(super) struct Window {
    input: Input,
    buffer: Vec<u8>,
    /// What is held: `buffer[start..end]`.
    start: usize,
    end: usize,
    /// The bytes before `buffer[hashed]` are in `hash`, so that hashing goes by whole buffers.
    hashed: usize,
    hash: Xxh3,
    /// Where the last record ended, while that place is still in the buffer.
    mark: usize,
    /// The fingerprint at the last record when it is not.
    settled: Option<u64>,
    ended: bool,
}

impl Window {
    pub fn new(input: Input) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            hashed: 0,
            hash: Xxh3::new(),
            mark: 0,
            settled: None,
            ended: false,
        }
    }

    pub fn input(&self) -> &Input {
        &self.input
    }

    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.input.name)
    }

    #[inline]
    pub fn held(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    #[inline]
    pub fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        debug_assert!(self.start <= self.end);
    }

    #[inline]
    pub fn settle(&mut self) {
        self.mark = self.start;
        self.settled = None;
    }

    /// Reads more behind what is held; false at the end of the input.
    pub fn more(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.discard();
        if self.end == self.buffer.len() {
            let larger = (self.buffer.len() * 2).max(BUFFER_BYTES);
            self.buffer.resize(larger, 0);
        }
        let read = self.input.read(&mut self.buffer[self.end..])?;
        self.end += read;
        self.ended = read == 0;
        Ok(!self.ended)
    }

    /// Reads until `bytes` are held or the input ends.
    pub fn hold(&mut self, bytes: usize) -> Result<()> {
        while self.held().len() < bytes && self.more()? {}
        Ok(())
    }

    /// Whether nothing follows what is held, as far as was read.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// xxh3-64 of all bytes up to the end of the last record.
    pub fn fingerprint(&self) -> u64 {
        self.settled.unwrap_or_else(|| {
            let mut hash = self.hash.clone();
            hash.update(&self.buffer[self.hashed..self.mark]);
            hash.digest()
        })
    }

    fn discard(&mut self) {
        if self.start == 0 {
            return;
        }
        if self.settled.is_none() {
            self.hash.update(&self.buffer[self.hashed..self.mark]);
            self.hashed = self.mark;
            if self.mark < self.start {
                self.settled = Some(self.hash.digest());
            }
        }
        self.hash.update(&self.buffer[self.hashed..self.start]);
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        (self.start, self.hashed, self.mark) = (0, 0, 0);
        if self.buffer.len() > 4 * BUFFER_BYTES && self.end < BUFFER_BYTES {
            self.buffer.truncate(BUFFER_BYTES);
            self.buffer.shrink_to_fit();
        }
    }
}
