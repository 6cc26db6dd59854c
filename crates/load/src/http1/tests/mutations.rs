//! Real answers with flipped bits, bytes put in, taken out and repeated: they are read alike
//! however they are split, within bounds, and never as more than came.

use std::time::Instant;

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::servers::ANSWERS;
use super::*;

/// How many mutations are tried; with `CHAFFINCH_SECONDS` as many as fit.
const CASES: u64 = 4000;

struct Mutator(Xoshiro256PlusPlus);

impl Mutator {
    fn below(&mut self, bound: usize) -> usize {
        (self.0.next_u64() % bound.max(1) as u64) as usize
    }

    /// Something that means something in an answer, or any byte.
    fn piece(&mut self) -> Vec<u8> {
        const TELLING: [&[u8]; 16] = [
            b"\r\n",
            b"\n",
            b"\r",
            b"\r\n\r\n",
            b":",
            b",",
            b"0",
            b"f",
            b";",
            b" ",
            b"-",
            b"\0",
            b"HTTP/1.1 100 x\r\n\r\n",
            b"Content-Length: 7\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Connection: close\r\n",
        ];
        match self.below(TELLING.len() + 4) {
            known if known < TELLING.len() => TELLING[known].to_vec(),
            _ => vec![self.0.next_u64() as u8],
        }
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        let end = (at + 1 + self.below(8)).min(bytes.len());
        match self.below(6) {
            _ if bytes.is_empty() => bytes.extend(self.piece()),
            0 => bytes[at] ^= 1 << self.below(8),
            1 => drop(bytes.splice(at..at, self.piece())),
            2 => drop(bytes.splice(at..end, self.piece())),
            3 => drop(bytes.drain(at..end)),
            4 => bytes.truncate(at),
            _ => {
                let again = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, again));
            }
        }
    }

    /// Cuts `bytes` at up to four places.
    fn cut<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        for _ in 0..self.below(5) {
            let (piece, rest) = bytes.split_at(self.below(bytes.len() + 1));
            pieces.push(piece);
            bytes = rest;
        }
        pieces.push(bytes);
        pieces
    }
}

#[test]
fn mutated_answers_are_read_alike_however_they_are_split() {
    let (lasts, begun) = (crate::long::lasts(), Instant::now());
    let mut whole_ones = 0;
    let mut case = 0;
    while lasts.map_or(case < CASES, |lasts| begun.elapsed() < lasts) {
        let mut mutator = Mutator(Xoshiro256PlusPlus::seed_from_u64(case));
        let ((name, recorded), ..) = ANSWERS[mutator.below(ANSWERS.len())];
        let mut bytes = recorded.to_vec();
        for _ in 0..=mutator.below(4) {
            mutator.mutate(&mut bytes);
        }
        let kind = if mutator.below(8) == 0 {
            Kind::Head
        } else {
            Kind::Other
        };
        let outcome = whole(kind, &bytes);
        let pieces = mutator.cut(&bytes);
        assert_eq!(read(kind, pieces), outcome, "case {case} of {name}");
        assert_eq!(
            read(kind, bytes.chunks(1)),
            outcome,
            "case {case} of {name}, byte by byte"
        );
        if let Ok(done) = outcome.result {
            assert!(done.body_bytes <= bytes.len() as u64, "case {case}");
            whole_ones += 1;
        }
        case += 1;
    }
    assert!(
        case < 100 || (whole_ones > case / 20 && whole_ones < case),
        "{whole_ones} of {case} were whole"
    );
}
