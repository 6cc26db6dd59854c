//! A recorder as bytes, to be kept or sent to the process that merges.
//!
//! ```text
//! magic     4 bytes   "CFHS"
//! version   1 byte    3; 1 and 2 are read too
//! folded    varint    records counted in OTHER instead of under their own label
//! registers varint    how many registers of the sketch of folded labels follow, at most 1024
//!   each:   varint    distance from the register before it, less one (the first: from -1)
//!           1 byte    its value, 1 to 55
//! series    varint    how many follow; the first is OTHER, with an empty name
//!   name    varint    length in bytes, at most 255, then as much UTF-8
//!   count   varint    values; 0 ends the series here
//!   sum     varint    of all values in ns, 128 bits
//!   min     varint    in ns
//!   span    varint    maximum less minimum, in ns
//!   coarse  varint    how many octaves of lower resolution follow, at most 41, before version 3 36 (version 1: not
//!                     there, none)
//!     each: varint    distance from the octave before it, less one (the first: from -1)
//!           1 byte    how often its resolution was halved, 1 to 3
//!   buckets varint    how many that are not empty follow, at most 5248, before version 3 4608
//!     each: varint    distance from the bucket before it, less one (the first: from -1); of a coarse bucket the first
//!                     of those of full resolution that it spans
//!           varint    its count, at least 1
//! checksum  8 bytes   of all bytes before it, little-endian (FNV-1a with the MurmurHash3 finalizer)
//! ```
//!
//! The counts of the buckets are `count` together, or less where values were counted in totals only (not in version 1).
//! Before version 3 the last bucket held all from 73 minutes on: what is in it counts where the maximum lies.
//! A varint is LEB128 in the fewest bytes. The widths of counters are not part of it. Bytes are checked as a whole
//! before any of them counts, and nothing is allocated by a length that they state.

use crate::block::{Block, MOST_DROP};
use crate::buckets::{MAX_NS, OCTAVES, SUB_BUCKETS, bucket_of};
use crate::distinct::{Distinct, MAX_REGISTER, REGISTERS, stable_hash};
use crate::error::Error;
use crate::labels::{MAX_NAME, OTHER};
use crate::recorder::{Place, Recorder};
use crate::totals::Totals;

const MAGIC: &[u8; 4] = b"CFHS";
const VERSION: u8 = 3;
const HEADER: usize = MAGIC.len() + 1;
const CHECKSUM: usize = size_of::<u64>();

/// What the last bucket reached to before version 3.
const OLD_MAX_NS: u64 = (1 << 42) - 1;

impl Recorder {
    /// Everything recorded so far, as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        varint(&mut out, self.folded_records().into());
        varint(&mut out, self.folded_names().registers().count() as u128);
        let mut next = 0;
        for (register, rank) in self.folded_names().registers() {
            varint(&mut out, (register - next) as u128);
            out.push(rank);
            next = register + 1;
        }
        varint(&mut out, self.labels().count() as u128 + 1);
        let other = self.other();
        write_series(&mut out, "", &other.totals, other.drops(), || {
            other.buckets()
        });
        for label in self.labels() {
            let drops = self.series[label.index()]
                .blocks
                .map(|block| block.map_or(0, Block::drop));
            write_series(
                &mut out,
                self.name(label),
                self.totals(label),
                &drops,
                || self.buckets(label),
            );
        }
        let checksum = stable_hash(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Add what `to_bytes` of another recorder gave: the same as having recorded it here.
    ///
    /// # Errors
    /// The bytes are not a whole and valid snapshot; nothing of them was added.
    pub fn merge_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let (version, body) = checked(bytes)?;
        walk(version, body, &mut Check)?;
        walk(
            version,
            body,
            &mut Merge {
                into: self,
                label: OTHER,
            },
        )
    }

    /// A recorder with these limits that holds what `to_bytes` gave.
    ///
    /// # Errors
    /// As [`Recorder::new`] and [`Recorder::merge_bytes`].
    pub fn from_bytes(bytes: &[u8], cap: usize, most_labels: usize) -> Result<Self, Error> {
        let mut recorder = Self::new(cap, most_labels)?;
        recorder.merge_bytes(bytes)?;
        Ok(recorder)
    }
}

fn write_series<I>(
    out: &mut Vec<u8>,
    name: &str,
    totals: &Totals,
    drops: &[u8; OCTAVES],
    buckets: impl Fn() -> I,
) where
    I: Iterator<Item = (usize, u64)>,
{
    varint(out, name.len() as u128);
    out.extend_from_slice(name.as_bytes());
    varint(out, totals.count().into());
    if totals.count() == 0 {
        return;
    }
    varint(out, totals.sum());
    varint(out, totals.min().into());
    varint(out, (totals.max() - totals.min()).into());
    let coarse = || drops.iter().enumerate().filter(|&(_, &drop)| drop > 0);
    varint(out, coarse().count() as u128);
    let mut next = 0;
    for (octave, &drop) in coarse() {
        varint(out, (octave - next) as u128);
        out.push(drop);
        next = octave + 1;
    }
    varint(out, buckets().count() as u128);
    let mut next = 0;
    for (bucket, count) in buckets() {
        varint(out, (bucket - next) as u128);
        varint(out, count.into());
        next = bucket + 1;
    }
}

fn varint(out: &mut Vec<u8>, mut value: u128) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The version and the bytes between it and the checksum, if both fit.
fn checked(bytes: &[u8]) -> Result<(u8, &[u8]), Error> {
    if !bytes.starts_with(MAGIC) {
        return Err(if MAGIC.starts_with(bytes) {
            Error::Damaged
        } else {
            Error::NotASnapshot
        });
    }
    let version = match bytes.get(MAGIC.len()) {
        None => return Err(Error::Damaged),
        Some(&version @ 1..=VERSION) => version,
        Some(&version) => return Err(Error::UnknownVersion(version)),
    };
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(Error::Damaged)?;
    if content.len() < HEADER || stable_hash(content) != u64::from_le_bytes(*checksum) {
        return Err(Error::Damaged);
    }
    Ok((version, &content[HEADER..]))
}

/// What is done with the parts of a snapshot as they are read.
trait Visit {
    fn folded(&mut self, records: u64, names: &Distinct);
    /// A series begins; the first one, without a name, is that of [`OTHER`].
    fn series(&mut self, name: Option<&str>, totals: &Totals);
    fn bucket(&mut self, place: Place, count: u64);
    /// The buckets of the series were fewer than its values by so many.
    fn uncounted(&mut self, values: u64);
}

/// The first pass: nothing is kept.
struct Check;

impl Visit for Check {
    fn folded(&mut self, _: u64, _: &Distinct) {}
    fn series(&mut self, _: Option<&str>, _: &Totals) {}
    fn bucket(&mut self, _: Place, _: u64) {}
    fn uncounted(&mut self, _: u64) {}
}

/// The second pass.
struct Merge<'a> {
    into: &'a mut Recorder,
    label: crate::labels::Label,
}

impl Visit for Merge<'_> {
    fn folded(&mut self, records: u64, names: &Distinct) {
        self.into.merge_folded(&Totals::EMPTY, records, names);
    }

    fn series(&mut self, name: Option<&str>, totals: &Totals) {
        if let Some(name) = name {
            self.label = self.into.label(name);
            self.into.account(self.label, totals);
        } else {
            // What the other folded is in its count of folded records already.
            self.label = OTHER;
            self.into.merge_folded(totals, 0, &Distinct::new());
        }
    }

    fn bucket(&mut self, place: Place, count: u64) {
        self.into.count_in(self.label, place, count);
    }

    fn uncounted(&mut self, values: u64) {
        self.into.partial |= values > 0;
    }
}

fn walk(version: u8, body: &[u8], visit: &mut impl Visit) -> Result<(), Error> {
    let mut reader = Reader {
        version,
        body,
        at: 0,
    };
    let folded = reader.count("folded records")?;
    let mut names = Distinct::new();
    let mut next = 0;
    for _ in 0..reader.below(REGISTERS as u64 + 1, "number of registers")? {
        let register = next + reader.below((REGISTERS - next) as u64, "register")? as usize;
        let rank = reader.bytes(1)?[0];
        if rank == 0 || rank > MAX_REGISTER {
            return Err(reader.invalid("value of a register"));
        }
        names.raise(register, rank);
        next = register + 1;
    }
    visit.folded(folded, &names);
    for number in 0..reader.count("number of series")? {
        read_series(&mut reader, number == 0, visit)?;
    }
    if reader.at == body.len() {
        Ok(())
    } else {
        Err(reader.invalid("more bytes than series"))
    }
}

fn read_series(reader: &mut Reader, is_other: bool, visit: &mut impl Visit) -> Result<(), Error> {
    let length = reader.below(MAX_NAME as u64 + 1, "length of a name")? as usize;
    let name = std::str::from_utf8(reader.bytes(length)?)
        .map_err(|_| reader.invalid("name that is not UTF-8"))?;
    if is_other && length > 0 {
        return Err(reader.invalid("name of the first series"));
    }
    let count = reader.count("count")?;
    if count == 0 {
        return Ok(());
    }
    let sum = reader.varint("sum")?;
    let min = reader.count("minimum")?;
    let max = min
        .checked_add(reader.count("span")?)
        .ok_or_else(|| reader.invalid("span"))?;
    visit.series(
        (!is_other).then_some(name),
        &Totals {
            sum,
            count,
            min,
            max,
        },
    );
    let drops = read_coarse(reader)?;
    let mut first = None;
    let (mut next, mut seen) = (0, 0_u64);
    let buckets = bucket_of(reader.max_ns()) + 1;
    for _ in 0..reader.below(buckets as u64 + 1, "number of buckets")? {
        let bucket = next + reader.below((buckets - next) as u64, "bucket")? as usize;
        let spanned = 1 << drops[bucket / SUB_BUCKETS];
        if !(bucket % SUB_BUCKETS).is_multiple_of(spanned) {
            return Err(reader.invalid("bucket within a coarse one"));
        }
        let held = reader.count("count of a bucket")?;
        seen = seen
            .checked_add(held)
            .filter(|&seen| held > 0 && seen <= count)
            .ok_or_else(|| reader.invalid("count of a bucket"))?;
        if max > reader.max_ns() && reader.version < 3 && bucket + spanned == buckets {
            // Nothing more is known of them than where their ends are.
            let lowest = u64::from(min > reader.max_ns() && held > 1);
            visit.bucket(Place::of_bucket(bucket_of(min), 0), lowest);
            visit.bucket(Place::of_bucket(bucket_of(max), 0), held - lowest);
        } else {
            visit.bucket(Place::of_bucket(bucket, drops[bucket / SUB_BUCKETS]), held);
        }
        first = first.or(Some(bucket));
        next = bucket + 1;
    }
    if seen != count && reader.version == 1 {
        return Err(reader.invalid("count that is not the sum of the buckets"));
    }
    visit.uncounted(count - seen);
    let coarse = |ns: u64| {
        let bucket = bucket_of(ns.min(reader.max_ns()));
        let drop = drops[bucket / SUB_BUCKETS];
        bucket >> drop << drop
    };
    let ends = (coarse(min), coarse(max) + 1);
    match first {
        Some(first) if seen == count && (first, next) != ends => {
            Err(reader.invalid("minimum or maximum outside its bucket"))
        }
        Some(first) if first < ends.0 || next > ends.1 => {
            Err(reader.invalid("bucket outside minimum and maximum"))
        }
        _ => Ok(()),
    }
}

/// How often the resolution of each octave was halved.
fn read_coarse(reader: &mut Reader) -> Result<[u8; OCTAVES], Error> {
    let mut drops = [0; OCTAVES];
    if reader.version == 1 {
        return Ok(drops);
    }
    let mut next = 0;
    let octaves = bucket_of(reader.max_ns()) / SUB_BUCKETS + 1;
    for _ in 0..reader.below(octaves as u64 + 1, "number of coarse octaves")? {
        let octave = next + reader.below((octaves - next) as u64, "octave")? as usize;
        let drop = reader.bytes(1)?[0];
        if drop == 0 || drop > MOST_DROP {
            return Err(reader.invalid("resolution of an octave"));
        }
        drops[octave] = drop;
        next = octave + 1;
    }
    Ok(drops)
}

struct Reader<'a> {
    version: u8,
    body: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The largest value with a bucket of its own size.
    const fn max_ns(&self) -> u64 {
        if self.version < 3 { OLD_MAX_NS } else { MAX_NS }
    }

    fn invalid(&self, what: &'static str) -> Error {
        Error::Invalid {
            what,
            at: HEADER + self.at,
        }
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let end = self
            .at
            .checked_add(length)
            .filter(|&end| end <= self.body.len());
        let end = end.ok_or_else(|| self.invalid("field that runs past the end"))?;
        let bytes = &self.body[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn varint(&mut self, what: &'static str) -> Result<u128, Error> {
        let mut value = 0_u128;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.bytes(1)?[0];
            let bits = u128::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(self.invalid(what));
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.invalid(what))
    }

    fn count(&mut self, what: &'static str) -> Result<u64, Error> {
        u64::try_from(self.varint(what)?).map_err(|_| self.invalid(what))
    }

    fn below(&mut self, bound: u64, what: &'static str) -> Result<u64, Error> {
        let value = self.count(what)?;
        if value < bound {
            Ok(value)
        } else {
            Err(self.invalid(what))
        }
    }
}
