//! Many histograms in bounded memory: one a label, all in one arena, under one cap.

use crate::arena::{Arena, FIRST_PAGE};
use crate::block::{Block, Width};
use crate::buckets::{OCTAVES, SUB_BITS, SUB_BUCKETS, place};
use crate::distinct::{Distinct, REGISTERS};
use crate::error::Error;
use crate::labels::{Label, Labels, NAME_OVERHEAD, OTHER, bounded};
use crate::overflow::Overflow;
use crate::totals::Totals;

/// The histogram of one label: exact totals, and a block of counters for each octave that was touched.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) totals: Totals,
    pub(crate) blocks: [Option<Block>; OCTAVES],
    /// It was folded: what is recorded under its label goes to [`OTHER`].
    pub(crate) folded: bool,
    /// How often its resolution was halved: that of its next block. A block knows its own, which is never finer.
    pub(crate) drop: u8,
}

impl Series {
    pub(crate) const EMPTY: Self = Self {
        totals: Totals::EMPTY,
        blocks: [None; OCTAVES],
        folded: false,
        drop: 0,
    };

    pub(crate) const fn is_live(&self) -> bool {
        !self.folded && self.totals.count > 0
    }
}

/// A counter: its octave, its sub-bucket at full resolution, and how often its resolution was halved at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) octave: usize,
    pub(crate) sub: usize,
    pub(crate) drop: u8,
}

impl Place {
    pub(crate) const fn of_bucket(bucket: usize, drop: u8) -> Self {
        Self {
            octave: bucket / SUB_BUCKETS,
            sub: bucket % SUB_BUCKETS,
            drop,
        }
    }
}

/// The most labels one recorder may be asked to tell apart.
const MOST_LABELS: usize = 1 << 24;

/// More is a mistake: an arena's counters take 4 GiB at most.
const LARGEST_CAP: u64 = 1 << 40;

/// The bytes of a label's name for which room is kept.
pub const USUAL_NAME: usize = 32;

/// Latency histograms over a bounded label set, within a hard cap of bytes.
///
/// When the cap is reached, labels lose resolution first, those with the fewest values before others: 128 sub-buckets
/// an octave, then 64, 32, 16; see [`Recorder::resolution`]. Only when all are at 16, the label with the fewest values
/// folds into [`OTHER`] as a whole, so that a distribution is never missing only its tail. A label for which the label
/// set has no room folds at once. What folds is counted in [`OTHER`], in [`Recorder::folded_records`] and in
/// [`Recorder::folded_labels`].
#[derive(Debug)]
pub struct Recorder {
    cap: usize,
    fixed: usize,
    /// What counters leave to the labels that may still be named, lest those that come late find no room.
    label_room: usize,
    pub(crate) labels: Labels,
    pub(crate) series: Vec<Series>,
    pub(crate) arena: Arena,
    pub(crate) other: Overflow,
    folded_records: u64,
    folded_names: Distinct,
    /// How often the resolution of labels that are new was halved.
    pub(crate) drop: u8,
    pub(crate) halvings: u64,
    /// Values are counted in buckets, not in totals only.
    pub(crate) counting: bool,
    /// There are values that are in totals only.
    pub(crate) partial: bool,
}

impl Recorder {
    /// A recorder that never takes more than `cap` bytes and tells at most `most_labels` labels apart, besides
    /// [`OTHER`]. Memory is taken as it is touched.
    ///
    /// # Errors
    /// The cap is too small for the tables of that many labels or more than the system can give, or the labels are
    /// more than 16,777,216.
    pub fn new(cap: usize, most_labels: usize) -> Result<Self, Error> {
        if most_labels > MOST_LABELS {
            return Err(Error::TooManyLabels {
                asked: most_labels,
                most: MOST_LABELS,
            });
        }
        let names = most_labels + 1;
        let fixed = Overflow::BYTES + REGISTERS + Labels::table_bytes(names);
        let needed = Self::least_bytes(most_labels);
        if cap < needed {
            return Err(Error::CapTooSmall { cap, needed });
        }
        if cap as u64 > LARGEST_CAP {
            return Err(Error::CapTooLarge { cap });
        }
        let mut recorder = Self {
            cap,
            fixed,
            label_room: (most_labels * Self::label_bytes(USUAL_NAME)).min((cap - fixed) / 2),
            arena: Arena::new(),
            labels: Labels::new(names, cap - fixed),
            series: Vec::with_capacity(names),
            other: Overflow::new(),
            folded_records: 0,
            folded_names: Distinct::new(),
            drop: 0,
            halvings: 0,
            counting: true,
            partial: false,
        };
        recorder.series.push(Series {
            folded: true,
            ..Series::EMPTY
        });
        Ok(recorder)
    }

    /// The least cap of a recorder for that many labels: its tables and room for one block of counters.
    #[must_use]
    pub const fn least_bytes(most_labels: usize) -> usize {
        Overflow::BYTES
            + REGISTERS
            + Labels::table_bytes(most_labels + 1)
            + size_of::<Series>()
            + 64
            + FIRST_PAGE
    }

    /// What a label with a name of that many bytes takes besides its counters.
    #[must_use]
    pub const fn label_bytes(name: usize) -> usize {
        name + NAME_OVERHEAD + size_of::<Series>()
    }

    /// The label of this name: its own if it has one or there is room, else [`OTHER`].
    pub fn label(&mut self, name: &str) -> Label {
        let name = bounded(name);
        if let Some(label) = self.labels.find(&name) {
            return label;
        }
        let cost = Self::label_bytes(name.len());
        if self.labels.is_full(&name) || self.memory_bytes() + cost > self.cap {
            self.folded_names.insert(name.as_bytes());
            return OTHER;
        }
        self.series.push(Series {
            drop: self.drop,
            ..Series::EMPTY
        });
        self.labels.insert(&name)
    }

    /// Count a name among those that were folded: for those who keep names elsewhere.
    pub fn count_folded(&mut self, name: &str) {
        self.folded_names.insert(bounded(name).as_bytes());
    }

    /// Record one value in nanoseconds. A label that this recorder does not know counts as [`OTHER`].
    #[inline]
    pub fn record(&mut self, label: Label, ns: u64) {
        let (octave, sub) = place::<SUB_BITS>(ns);
        if let Some(series) = self.series.get_mut(label.index())
            && let Some(block) = series.blocks[octave]
            && self.arena.add(block, sub, 1)
        {
            series.totals.add(&Totals::of(ns, 1));
            return;
        }
        self.record_slowly(label, ns, 1);
    }

    /// Record the same value `times` times.
    pub fn record_many(&mut self, label: Label, ns: u64, times: u32) {
        if times > 0 {
            self.record_slowly(label, ns, times.into());
        }
    }

    #[cold]
    fn record_slowly(&mut self, label: Label, ns: u64, times: u64) {
        let (octave, sub) = place::<SUB_BITS>(ns);
        let place = Place {
            octave,
            sub,
            drop: 0,
        };
        self.account(label, &Totals::of(ns, times));
        self.count_in(label, place, times);
    }

    /// Add everything that `other` holds: the same as having recorded it here, with each octave of a label at the lower
    /// of the resolutions that it has in the two.
    pub fn merge(&mut self, other: &Self) {
        for label in other.labels() {
            let mine = self.label(other.name(label));
            self.merge_label(mine, other, label);
        }
        self.merge_other(other);
    }

    /// Add what one label of `other` holds of its own to a label of this recorder: a merge for those who keep names
    /// elsewhere.
    pub fn merge_label(&mut self, into: Label, other: &Self, label: Label) {
        let Some(series) = other.own(label).filter(|series| series.is_live()) else {
            return;
        };
        self.partial |= other.partial;
        self.account(into, &series.totals);
        for (place, count) in other.places(series) {
            self.count_in(into, place, count);
        }
    }

    /// Add what `other` holds in [`OTHER`], and its counts of what was folded.
    pub fn merge_other(&mut self, other: &Self) {
        self.partial |= other.partial;
        self.merge_folded(
            &other.other.totals,
            other.folded_records,
            &other.folded_names,
        );
        let drops = other.other.drops();
        for (bucket, count) in other.other.buckets() {
            let place = Place::of_bucket(bucket, drops[bucket / SUB_BUCKETS]);
            self.count_in(OTHER, place, count);
        }
    }

    /// Fold a label into [`OTHER`], now and for what is recorded under it from now on.
    pub fn fold(&mut self, label: Label) {
        let Some(series) = self.series.get_mut(label.index()) else {
            return;
        };
        if std::mem::replace(&mut series.folded, true) {
            return;
        }
        let totals = std::mem::replace(&mut series.totals, Totals::EMPTY);
        let blocks = std::mem::replace(&mut series.blocks, [None; OCTAVES]);
        self.folded_names.insert(self.labels.name(label).as_bytes());
        self.folded_records = self.folded_records.saturating_add(totals.count);
        self.other.totals.add(&totals);
        for (octave, block) in blocks.into_iter().enumerate() {
            let Some(block) = block else { continue };
            for (counter, count) in self.arena.non_zero(block) {
                let sub = counter << block.drop();
                self.other.count_in(octave, sub, block.drop(), count);
            }
            self.arena.release(block);
        }
    }

    /// Forget every value and give the memory of the counters back to the system. Labels keep their numbers, folded
    /// ones get another chance, and resolutions are those of [`Recorder::restore`] or the last [`Recorder::halve`].
    pub fn reset(&mut self) {
        self.arena.clear();
        self.series.fill(Series {
            drop: self.drop,
            ..Series::EMPTY
        });
        self.series[OTHER.index()].folded = true;
        self.other.reset();
        self.folded_records = 0;
        self.folded_names.clear();
        self.halvings = 0;
        self.partial = false;
    }

    /// Forget every value and every label.
    pub fn clear(&mut self) {
        self.series.truncate(1);
        self.labels.clear();
        self.reset();
    }

    /// How many values were counted in [`OTHER`] instead of under their own label.
    #[must_use]
    pub const fn folded_records(&self) -> u64 {
        self.folded_records
    }

    /// How many different labels were folded: an estimate, within a few percent.
    #[must_use]
    pub fn folded_labels(&self) -> u64 {
        self.folded_names.estimate()
    }

    /// Bytes taken so far, never more than [`Recorder::cap_bytes`].
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.fixed + self.label_bytes_used() + self.arena.used()
    }

    fn label_bytes_used(&self) -> usize {
        self.labels.used() + self.series.len() * size_of::<Series>()
    }

    /// Bytes that counters may still take before something has to give way.
    #[must_use]
    pub fn free_bytes(&self) -> usize {
        let labels = self.label_bytes_used().max(self.label_room);
        self.cap
            .saturating_sub(self.fixed + labels + self.arena.used())
    }

    /// Whether counters may take so much more.
    pub(crate) fn fits(&self, more: usize) -> bool {
        more <= self.free_bytes()
    }

    /// The hard cap in bytes.
    #[must_use]
    pub const fn cap_bytes(&self) -> usize {
        self.cap
    }

    pub(crate) const fn other(&self) -> &Overflow {
        &self.other
    }

    pub(crate) const fn folded_names(&self) -> &Distinct {
        &self.folded_names
    }

    /// Take over what another recorder folded, apart from its counters.
    pub(crate) fn merge_folded(&mut self, totals: &Totals, records: u64, names: &Distinct) {
        self.other.totals.add(totals);
        self.folded_records = self.folded_records.saturating_add(records);
        self.folded_names.merge(names);
    }

    /// Add to the totals of a label, or to those of [`OTHER`] if it has none of its own.
    pub(crate) fn account(&mut self, label: Label, more: &Totals) {
        match self.series.get_mut(label.index()) {
            Some(series) if !series.folded => series.totals.add(more),
            _ => {
                self.other.totals.add(more);
                self.folded_records = self.folded_records.saturating_add(more.count);
            }
        }
    }

    /// Add to one counter of a label, or of [`OTHER`] if it has none of its own. Others lose resolution or fold to make
    /// room; the totals were accounted before, so that a label that folds here takes them along.
    pub(crate) fn count_in(&mut self, label: Label, place: Place, count: u64) {
        if !self.counting {
            self.partial = true;
            return;
        }
        let Place { octave, sub, drop } = place;
        while let Some(series) = self.own(label) {
            let (mut held, fresh) = (series.blocks[octave], series.drop.max(drop));
            if let Some(block) = held.as_mut().filter(|block| block.drop() < drop) {
                *block = self.arena.coarsen(*block, drop);
                self.series[label.index()].blocks[octave] = held;
            }
            if held.is_some_and(|block| self.arena.add(block, sub, count)) {
                return;
            }
            let sum = held
                .map_or(0, |block| self.arena.get(block, sub))
                .saturating_add(count);
            match self.room(held, fresh, Width::holding(sum)) {
                Some(block) => self.series[label.index()].blocks[octave] = Some(block),
                None if self.halve_coldest() => {}
                None => self.fold(self.coldest(label)),
            }
        }
        self.other.count_in(octave, sub, drop, count);
    }
}
