//! The log's file header, and the frames that follow it.

use super::operation::Operation;
use crate::{Error, Result};

/// The version of the log's format that is written, and the greatest that is read.
pub(super) const LOG_VERSION: u32 = 1;

/// Two copies of the header, so that a damaged one does not cost the log.
pub const HEADER_BYTES: usize = 2 * COPY_BYTES;

/// The longest payload, in bytes: bounds what a reader believes.
pub(super) const MAX_PAYLOAD_BYTES: usize = 16 << 20;

/// What stands before a payload: its length and the checksum.
pub(super) const PREFIX_BYTES: usize = 8;

const COPY_BYTES: usize = 28;
const MAGIC: &[u8; 8] = b"CHAINLOG";

/// What every log begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub version: u32,
    pub number: u64,
    /// Each checksum of the file starts from it. It is not known to those who write messages, so
    /// that no message can carry bytes that a search for frames in a damaged file would take for
    /// one.
    pub salt: u32,
}

impl Header {
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let mut copy = Vec::with_capacity(COPY_BYTES);
        copy.extend_from_slice(MAGIC);
        copy.extend_from_slice(&self.version.to_le_bytes());
        copy.extend_from_slice(&self.number.to_le_bytes());
        copy.extend_from_slice(&self.salt.to_le_bytes());
        copy.extend_from_slice(&crc32fast::hash(&copy).to_le_bytes());
        let mut both = [0; HEADER_BYTES];
        both[..COPY_BYTES].copy_from_slice(&copy);
        both[COPY_BYTES..].copy_from_slice(&copy);
        both
    }

    /// The first whole copy and whether both are; none if neither is.
    pub fn decode(file: &[u8]) -> Option<(Self, bool)> {
        let first = file.get(..COPY_BYTES).and_then(Self::decode_copy);
        let second = file
            .get(COPY_BYTES..HEADER_BYTES)
            .and_then(Self::decode_copy);
        Some((first.or(second)?, first.is_some() && first == second))
    }

    fn decode_copy(copy: &[u8]) -> Option<Self> {
        let (body, crc) = copy.split_last_chunk::<4>()?;
        if !body.starts_with(MAGIC) || crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        Some(Self {
            version: number_at(body, 8)?,
            number: u64::from_le_bytes(*body.get(12..)?.first_chunk()?),
            salt: number_at(body, 20)?,
        })
    }
}

/// Appends a frame that holds `payload`, which is not empty and at most `MAX_PAYLOAD_BYTES` long.
pub(super) fn put_frame(out: &mut Vec<u8>, salt: u32, payload: &[u8]) {
    let length = (payload.len() as u32).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&checksum(salt, length, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// The length that the frame at the start of `bytes` claims, if a frame could be that long and end
/// within them.
pub(super) fn claimed_bytes(bytes: &[u8]) -> Option<usize> {
    let length = number_at(bytes, 0)? as usize;
    let fits = length > 0 && length <= MAX_PAYLOAD_BYTES && PREFIX_BYTES + length <= bytes.len();
    fits.then_some(length)
}

/// The payload of the frame at the start of `bytes`; none if there is no whole one.
pub(super) fn take_frame(bytes: &[u8], salt: u32) -> Option<&[u8]> {
    let claimed = claimed_bytes(bytes)?;
    let payload = &bytes[PREFIX_BYTES..][..claimed];
    let length = (payload.len() as u32).to_le_bytes();
    (number_at(bytes, 4)? == checksum(salt, length, payload)).then_some(payload)
}

/// The length counts too, so that zeros are no frame.
fn checksum(salt: u32, length: [u8; 4], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new_with_initial(salt);
    crc.update(&length);
    crc.update(payload);
    crc.finalize()
}

fn number_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// Operations that are stored together: after a crash all of them are there, or none.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    payload: Vec<u8>,
    operations: usize,
}

impl Batch {
    /// Adds an operation.
    ///
    /// # Errors
    ///
    /// `Error::Input` if the batch would be longer than 16 MiB; it stays as it was.
    pub fn push(&mut self, operation: &Operation<'_>) -> Result<()> {
        let before = self.payload.len();
        operation.put(&mut self.payload);
        if self.payload.len() > MAX_PAYLOAD_BYTES {
            self.payload.truncate(before);
            return Err(Error::input(format!(
                "what is to be stored together is longer than {} MiB: store it in smaller parts",
                MAX_PAYLOAD_BYTES >> 20
            )));
        }
        self.operations += 1;
        Ok(())
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.payload.clear();
        self.operations = 0;
    }

    #[must_use]
    pub fn operations(&self) -> usize {
        self.operations
    }

    /// The encoded length so far, for callers that cut at a size of their own.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.payload.len()
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What was pushed, in order.
    #[cfg(test)]
    fn iter(&self) -> impl Iterator<Item = Operation<'_>> {
        super::operation::Operations::of(&self.payload)
            .into_iter()
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_copy_of_the_header_is_enough() {
        let header = Header {
            version: 1,
            number: 7,
            salt: 0xDEAD_BEEF,
        };
        let whole = header.encode();
        assert_eq!(Header::decode(&whole), Some((header, true)));
        for bit in 0..HEADER_BYTES * 8 {
            let mut bytes = whole;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&bytes), Some((header, false)));
        }
        assert_eq!(Header::decode(&[0; HEADER_BYTES]), None);
        assert_eq!(Header::decode(&whole[..COPY_BYTES - 1]), None);
    }

    #[test]
    fn zeros_foreign_frames_and_cut_frames_are_none() {
        assert_eq!(take_frame(&[0; 64], 0), None);
        let mut out = Vec::new();
        put_frame(&mut out, 5, b"payload");
        assert_eq!(take_frame(&out, 5), Some(&b"payload"[..]));
        assert_eq!(take_frame(&out, 6), None);
        for length in 0..out.len() {
            assert_eq!(take_frame(&out[..length], 5), None);
        }
    }

    #[test]
    fn a_full_batch_refuses_and_keeps_what_it_has() {
        let mut batch = Batch::default();
        let name = "n".repeat(9 << 20);
        let count = Operation::Count { name: &name, by: 1 };
        batch.push(&count).unwrap();
        assert!(
            batch
                .push(&count)
                .unwrap_err()
                .to_string()
                .contains("16 MiB")
        );
        assert_eq!((batch.operations(), batch.iter().count()), (1, 1));
        batch.clear();
        assert_eq!(batch.bytes(), 0);
    }
}
