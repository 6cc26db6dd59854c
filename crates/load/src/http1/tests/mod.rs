//! Answers of real servers, every rule of RFC 9112 that decides where an answer ends, and peers
//! that break them.

use super::*;
use crate::{Answer, Request};

mod framing;
mod generated;
mod heads;
mod hostile;
mod mutations;
mod requests;
mod servers;
mod speed;

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    result: Result<Done, Fault>,
    /// Bytes that belonged to it; not known of a broken one.
    used: Option<usize>,
    /// How often the final head came to its end.
    heads: usize,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

/// Reads the pieces one after the other, and the end of the connection after them.
fn read<'a>(kind: Kind, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut answer = Answer::default();
    let mut outcome = Outcome {
        result: Err(Fault::Closed),
        used: None,
        heads: 0,
        headers: Vec::new(),
        body: Vec::new(),
    };
    let mut reader = Reader::new();
    reader.expect(kind);
    let mut used = 0;
    let mut over = None;
    for piece in pieces {
        match reader.read(piece, Some(&mut answer)) {
            Err(fault) => over = Some(Err(fault)),
            Ok(progress) => {
                assert!(progress.used <= piece.len());
                assert!(progress.used == piece.len() || progress.done.is_some());
                outcome.heads += usize::from(progress.head);
                used += progress.used;
                over = progress.done.map(Ok);
            }
        }
        assert!(reader.held() <= MOST_HEAD);
        if over.is_some() {
            assert!(!reader.has_begun());
            assert_eq!(reader.held(), 0);
            break;
        }
    }
    outcome.result = over.unwrap_or_else(|| reader.end());
    assert_eq!(reader.held(), 0);
    if let Ok(done) = outcome.result {
        assert_eq!(answer.status, done.status);
        outcome.used = Some(used);
        outcome.body.clone_from(&answer.body);
        let headers = answer
            .headers()
            .map(|(name, value)| (name.to_vec(), value.to_vec()));
        outcome.headers = headers.collect();
    } else {
        outcome.heads = 0;
    }
    outcome
}

fn whole(kind: Kind, bytes: &[u8]) -> Outcome {
    read(kind, [bytes])
}

/// Reads in one piece, byte by byte and split at every place; all must agree.
fn every_way(kind: Kind, bytes: &[u8]) -> Outcome {
    let outcome = whole(kind, bytes);
    assert_eq!(read(kind, bytes.chunks(1)), outcome, "byte by byte");
    for at in 0..=bytes.len() {
        let (first, second) = bytes.split_at(at);
        assert_eq!(read(kind, [first, second]), outcome, "split at {at}");
    }
    outcome
}

/// What a whole answer is read as.
#[expect(clippy::unnecessary_wraps, reason = "results are compared with it")]
fn done(status: u16, keeps_alive: bool, body_bytes: u64) -> Result<Done, Fault> {
    Ok(Done {
        status,
        keeps_alive,
        body_bytes,
    })
}
