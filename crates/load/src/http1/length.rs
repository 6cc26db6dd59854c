//! How long a body is: Content-Length and Transfer-Encoding, by RFC 9112 section 6.

use super::Fault;
use super::token::is_whole_token;

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Bytes(u64),
    Chunks,
    /// With the connection.
    Closing,
}

/// What the headers said of the length so far.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    content: Option<u64>,
    coding: Coding,
}

/// The last of the transfer codings.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Coding {
    #[default]
    None,
    Chunked,
    /// Any other, with whether chunked came before it.
    Other {
        after_chunked: bool,
    },
}

impl Lengths {
    /// A Content-Length: one number, or a list of equal ones, as intermediaries make of repeated
    /// headers.
    ///
    /// # Errors
    /// [`Fault::BadLength`] for anything but digits, for more than 2^63 - 1, and for two different
    /// numbers.
    pub(super) fn content(&mut self, value: &[u8]) -> Result<(), Fault> {
        for one in value.split(|&byte| byte == b',') {
            let bytes = decimal(trim(one)).ok_or(Fault::BadLength)?;
            if self.content.is_some_and(|known| known != bytes) {
                return Err(Fault::BadLength);
            }
            self.content = Some(bytes);
        }
        Ok(())
    }

    /// A Transfer-Encoding: codings in the order in which they were applied, over as many headers
    /// as there are.
    ///
    /// # Errors
    /// [`Fault::BadLength`] when chunked is applied twice or has a parameter, which it does not
    /// define, and for what is no list of names: an empty element as well.
    pub(super) fn coding(&mut self, value: &[u8]) -> Result<(), Fault> {
        for one in value.split(|&byte| byte == b',').map(trim) {
            let name = one.split(|&byte| byte == b';').next().map_or(one, trim);
            if !is_whole_token(name) {
                return Err(Fault::BadLength);
            }
            let is_chunked = name.eq_ignore_ascii_case(b"chunked");
            let had_chunked = matches!(
                self.coding,
                Coding::Chunked
                    | Coding::Other {
                        after_chunked: true
                    }
            );
            if is_chunked && (had_chunked || name.len() != one.len()) {
                return Err(Fault::BadLength);
            }
            self.coding = if is_chunked {
                Coding::Chunked
            } else {
                Coding::Other {
                    after_chunked: had_chunked,
                }
            };
        }
        Ok(())
    }

    pub(super) fn has_coding(&self) -> bool {
        self.coding != Coding::None
    }

    /// # Errors
    /// [`Fault::BadLength`] when both headers are there: RFC 9112 section 6.3 wants an error, since
    /// two readers of such an answer need not agree on where it ends.
    pub(super) fn decide(&self) -> Result<Length, Fault> {
        match (self.coding, self.content) {
            (Coding::None, Some(bytes)) => Ok(Length::Bytes(bytes)),
            (Coding::None | Coding::Other { .. }, None) => Ok(Length::Closing),
            (Coding::Chunked, None) => Ok(Length::Chunks),
            (_, Some(_)) => Err(Fault::BadLength),
        }
    }
}

/// Without the white space around it; a folded line counts as that (RFC 9112 section 5.2).
pub(super) fn trim(value: &[u8]) -> &[u8] {
    value.trim_ascii()
}

/// Digits only, at most 2^63 - 1.
fn decimal(digits: &[u8]) -> Option<u64> {
    const MOST: u64 = i64::MAX as u64;
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.wrapping_sub(b'0');
        let number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
        (digit < 10 && number <= MOST).then_some(number)
    })
}
