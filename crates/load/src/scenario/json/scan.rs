//! Walking over the bytes of a JSON text.

use super::{Fault, MOST_PASSES};

/// A text and how much of it may still be gone over.
pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    fuel: usize,
}

/// The elements of an array or the members of an object, one after the other.
pub(super) struct Children {
    /// Where the next one, or what parts it from the last one, begins.
    pub(super) at: usize,
    close: u8,
    is_first: bool,
}

/// One element or member.
pub(super) struct Child<'a> {
    /// Between its quotes; none in an array.
    pub(super) key: Option<Key<'a>>,
    /// Where its value begins.
    pub(super) value: usize,
}

#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) raw: &'a [u8],
    pub(super) is_escaped: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let fuel = bytes.len().saturating_mul(MOST_PASSES) + 1024;
        Self { bytes, fuel }
    }

    /// The first byte at or after a place that is no white space.
    pub(super) fn space(&self, mut at: usize) -> usize {
        while matches!(self.bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            at += 1;
        }
        at
    }

    /// The children of the value that begins here; none for a value that cannot have any.
    pub(super) fn children(&self, at: usize) -> Option<Children> {
        let close = match self.bytes.get(at)? {
            b'{' => b'}',
            b'[' => b']',
            _ => return None,
        };
        Some(Children {
            at: at + 1,
            close,
            is_first: true,
        })
    }

    /// Where the value that begins here ends.
    pub(super) fn skip(&mut self, at: usize) -> Result<usize, Fault> {
        let end = match self.bytes.get(at) {
            Some(b'"') => self.string(at + 1)?.0,
            Some(b'{' | b'[') => self.container(at)?,
            _ => self.scalar(at)?,
        };
        self.spend(end - at)?;
        Ok(end)
    }

    /// So many bytes were gone over.
    fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        self.fuel = self.fuel.checked_sub(bytes).ok_or(Fault::TooMuch)?;
        Ok(())
    }

    fn scalar(&self, at: usize) -> Result<usize, Fault> {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let is_part =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        match rest
            .iter()
            .position(|byte| !is_part(byte))
            .unwrap_or(rest.len())
        {
            0 => Err(Fault::NotJson),
            length => Ok(at + length),
        }
    }

    /// From after the opening quote: where the string ends, its closing quote included, and whether it has escapes.
    fn string(&self, start: usize) -> Result<(usize, bool), Fault> {
        let mut at = start;
        let mut is_escaped = false;
        // Most strings are short: a plain loop is faster than the start of a vectorised one.
        let near = self.bytes.len().min(start + 16);
        while at < near && !matches!(self.bytes[at], b'"' | b'\\') {
            at += 1;
        }
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            at += memchr::memchr2(b'"', b'\\', rest).ok_or(Fault::NotJson)?;
            if self.bytes[at] == b'"' {
                return Ok((at + 1, is_escaped));
            }
            is_escaped = true;
            at += 2;
        }
    }

    /// Where an array or object ends: brackets are counted, strings jumped over.
    fn container(&self, start: usize) -> Result<usize, Fault> {
        let mut depth = 0_usize;
        let mut at = start;
        loop {
            match self.bytes.get(at).ok_or(Fault::NotJson)? {
                b'"' => {
                    at = self.string(at + 1)?.0;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn expect(&self, at: usize, byte: u8) -> Result<usize, Fault> {
        if self.bytes.get(at) == Some(&byte) {
            Ok(at + 1)
        } else {
            Err(Fault::NotJson)
        }
    }
}

impl Children {
    /// The next child, or none and `at` after the closing bracket. Before the next call `at` is to be set to where its
    /// value ends.
    pub(super) fn next<'a>(
        &mut self,
        scanner: &mut Scanner<'a>,
    ) -> Result<Option<Child<'a>>, Fault> {
        let mut at = scanner.space(self.at);
        if scanner.bytes.get(at) == Some(&self.close) {
            scanner.spend(at + 1 - self.at)?;
            self.at = at + 1;
            return Ok(None);
        }
        if !self.is_first {
            at = scanner.space(scanner.expect(at, b',')?);
        }
        self.is_first = false;
        let key = if self.close == b']' {
            None
        } else {
            let start = scanner.expect(at, b'"')?;
            let (end, is_escaped) = scanner.string(start)?;
            at = scanner.space(scanner.expect(scanner.space(end), b':')?);
            let raw = &scanner.bytes[start..end - 1];
            Some(Key { raw, is_escaped })
        };
        scanner.spend(at - self.at + 1)?;
        Ok(Some(Child { key, value: at }))
    }
}
