//! Snapshots that were cut, changed or made up give an error, never a panic, and add nothing.

mod support;

use chaffinch_histogram::{Error, Recorder};
use support::Random;

const CAP: usize = 1 << 20;

fn filled() -> Recorder {
    let mut random = Random(11);
    let mut recorder = Recorder::new(CAP, 5).expect("cap");
    for _ in 0..400 {
        let label = recorder.label(&format!("step {}", random.below(8)));
        recorder.record_many(label, random.latency(), random.below(70_000) as u32);
    }
    recorder.halve();
    recorder.restore();
    for _ in 0..50 {
        let label = recorder.label(&format!("step {}", random.below(8)));
        recorder.record(label, random.latency());
    }
    recorder
}

fn empty() -> Recorder {
    Recorder::new(CAP, 16).expect("cap")
}

#[test]
fn an_empty_recorder_round_trips() {
    let bytes = empty().to_bytes();
    assert_eq!(
        Recorder::from_bytes(&bytes, CAP, 16)
            .expect("snapshot")
            .to_bytes(),
        bytes
    );
}

#[test]
fn what_version_1_wrote_is_read() {
    let written = "434648530103010901030003f39e0ed1df040001970a0305474554202faf0287cf80900105bc843d020501ee0d\
                   ae0208504f5354202fc3bcf1a204ffffffffffffffffff0100ffffffffffffffffff010200f0a204fe2301a613\
                   45ef60dda580";
    let pairs = written.as_bytes().chunks_exact(2);
    let bytes: Vec<u8> = pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
        .collect();
    let mut read = Recorder::from_bytes(&bytes, CAP, 16).expect("snapshot");
    assert_eq!((read.folded_records(), read.folded_labels()), (3, 1));
    let (get, post) = (read.label("GET /"), read.label("POST /\u{fc}"));
    assert_eq!(
        (read.totals(get).count(), read.quantile(get, 0.0)),
        (303, 5)
    );
    assert_eq!(read.quantile(get, 1.0), 1_000_001);
    assert_eq!(
        (read.totals(post).count(), read.totals(post).max()),
        (70_001, u64::MAX)
    );
    let again = Recorder::from_bytes(&read.to_bytes(), CAP, 16).expect("snapshot");
    assert_eq!(again.to_bytes(), read.to_bytes());
}

#[test]
fn what_shared_the_last_bucket_of_version_2_lies_where_its_ends_do() {
    // 0 folded records, 0 registers, 2 series; OTHER without values.
    let mut bytes = b"CFHS\x02\x00\x00\x02\x00\x00".to_vec();
    let mut varint = |mut value: u128| {
        while value > 0x7f {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
    };
    let hours = |count: u128| count * 3_600_000_000_000;
    varint(1);
    varint(u128::from(b'a'));
    // 10 values from 5 to 20 hours, no coarse octave, one bucket: the last of 4608.
    let sums = [10, hours(100), hours(5), hours(15), 0, 1, 4607, 10];
    sums.into_iter().for_each(&mut varint);
    bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
    let mut read = Recorder::from_bytes(&bytes, CAP, 16).expect("snapshot");
    let label = read.label("a");
    let quantiles = read.quantiles(label, [0.0, 0.5, 1.0]);
    let near = quantiles.map(|ns| (ns as f64 / hours(1) as f64).round() as u64);
    assert_eq!(near, [5, 20, 20]);
    let again = Recorder::from_bytes(&read.to_bytes(), CAP, 16).expect("snapshot");
    assert_eq!(again.to_bytes(), read.to_bytes());
}

#[test]
fn folded_counts_travel_along() {
    let (source, mut target) = (filled(), empty());
    target.merge_bytes(&source.to_bytes()).expect("snapshot");
    assert_eq!(target.folded_records(), source.folded_records());
    assert_eq!(target.folded_labels(), source.folded_labels());
    assert!(source.folded_records() > 0);
}

#[test]
fn every_cut_is_an_error() {
    let bytes = filled().to_bytes();
    for length in 0..bytes.len() {
        let mut target = empty();
        assert_eq!(
            target.merge_bytes(&bytes[..length]),
            Err(Error::Damaged),
            "cut at {length}"
        );
        assert_eq!(target.to_bytes(), empty().to_bytes());
    }
}

#[test]
fn every_changed_byte_is_an_error() {
    let bytes = filled().to_bytes();
    for at in 0..bytes.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= change;
            let mut target = empty();
            assert!(target.merge_bytes(&changed).is_err(), "byte {at}");
            assert_eq!(target.to_bytes(), empty().to_bytes());
        }
    }
    assert_eq!(
        empty().merge_bytes(b"PK\x03\x04 something else"),
        Err(Error::NotASnapshot)
    );
    assert_eq!(
        empty().merge_bytes(b"CFHS\x04"),
        Err(Error::UnknownVersion(4))
    );
}

#[test]
fn what_a_right_checksum_covers_is_checked_all_the_same() {
    let bytes = filled().to_bytes();
    let body = &bytes[..bytes.len() - 8];
    let mut refused = 0;
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let mut forged = body.to_vec();
        for _ in 0..=random.below(4) {
            let at = 5 + random.below(forged.len() as u64 - 5) as usize;
            match random.below(4) {
                0 => forged.truncate(at.max(6)),
                1 => forged.insert(at, random.next() as u8),
                _ => forged[at] = random.next() as u8,
            }
        }
        forged.extend_from_slice(&checksum(&forged).to_le_bytes());
        let mut target = empty();
        match target.merge_bytes(&forged) {
            Ok(()) => assert!(target.memory_bytes() <= target.cap_bytes()),
            Err(Error::Invalid { .. }) => {
                refused += 1;
                assert_eq!(target.to_bytes(), empty().to_bytes());
            }
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    assert!(refused > 10_000, "{refused} refused");
}

/// Written from the description of the format, not taken from the code.
fn checksum(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
