//! Many histograms in bounded memory: one a label, all in one arena, under one cap.

use crate::arena::{Arena, Block, PAGE_BYTES, Width};
use crate::buckets::{OCTAVES, SUB_BUCKETS, bucket_of, place};
use crate::distinct::{Distinct, REGISTERS};
use crate::error::Error;
use crate::histogram::{Histogram, quantile};
use crate::labels::{Label, Labels, NAME_OVERHEAD, OTHER, bounded};
use crate::totals::Totals;

/// The histogram of one label: exact totals, and a block of counters for each octave that was touched.
#[derive(Debug, Clone)]
struct Series {
    totals: Totals,
    blocks: [Option<Block>; OCTAVES],
    /// It was folded: what is recorded under its label goes to [`OTHER`].
    folded: bool,
}

impl Series {
    const EMPTY: Self = Self {
        totals: Totals::EMPTY,
        blocks: [None; OCTAVES],
        folded: false,
    };
}

/// The most labels one recorder may be asked to tell apart.
const MOST_LABELS: usize = 1 << 24;

/// Latency histograms over a bounded label set, within a hard cap of bytes.
///
/// A label that finds no room (the label set is full, or the cap is reached) folds into [`OTHER`]: its values are
/// counted there, in [`Recorder::folded_records`] and in [`Recorder::folded_labels`]. When the cap is reached, the
/// label with the fewest values folds as a whole, so that a distribution is never missing only its tail.
#[derive(Debug)]
pub struct Recorder {
    cap: usize,
    fixed: usize,
    labels: Labels,
    series: Vec<Series>,
    arena: Arena,
    other: Histogram,
    folded_records: u64,
    folded_names: Distinct,
}

impl Recorder {
    /// A recorder that never takes more than `cap` bytes and tells at most `most_labels` labels apart, besides
    /// [`OTHER`]. The address space is reserved now; memory is taken as it is touched.
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
        let fixed = Histogram::BYTES + REGISTERS + Labels::table_bytes(names);
        let needed = fixed + size_of::<Series>() + 64 + PAGE_BYTES;
        if cap < needed {
            return Err(Error::CapTooSmall { cap, needed });
        }
        let mut recorder = Self {
            cap,
            fixed,
            arena: Arena::new(cap - fixed).map_err(|_| Error::CapTooLarge { cap })?,
            labels: Labels::new(names, cap - fixed),
            series: Vec::with_capacity(names),
            other: Histogram::new(),
            folded_records: 0,
            folded_names: Distinct::new(),
        };
        recorder.series.push(Series {
            folded: true,
            ..Series::EMPTY
        });
        Ok(recorder)
    }

    /// The label of this name: its own if it has one or there is room, else [`OTHER`].
    pub fn label(&mut self, name: &str) -> Label {
        let name = bounded(name);
        if let Some(label) = self.labels.find(&name) {
            return label;
        }
        let cost = name.len() + NAME_OVERHEAD + size_of::<Series>();
        if self.labels.is_full(&name) || self.memory_bytes() + cost > self.cap {
            self.folded_names.insert(name.as_bytes());
            return OTHER;
        }
        self.series.push(Series::EMPTY);
        self.labels.insert(&name)
    }

    /// Record one value in nanoseconds. A label that this recorder does not know counts as [`OTHER`].
    #[inline]
    pub fn record(&mut self, label: Label, ns: u64) {
        let (octave, sub) = place(ns);
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
        self.account(label, &Totals::of(ns, times));
        self.count_in(label, bucket_of(ns), times);
    }

    /// Add everything that `other` holds: the same as having recorded it here.
    pub fn merge(&mut self, other: &Self) {
        for label in other.labels() {
            let mine = self.label(other.name(label));
            self.account(mine, other.totals(label));
            for (bucket, count) in other.buckets(label) {
                self.count_in(mine, bucket, count);
            }
        }
        self.merge_folded(
            &other.other.totals,
            other.folded_records,
            &other.folded_names,
        );
        for (bucket, count) in other.other.buckets() {
            self.other.count_in(bucket, count);
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
            for sub in 0..SUB_BUCKETS {
                self.other
                    .count_in(octave * SUB_BUCKETS + sub, self.arena.get(block, sub));
            }
            self.arena.release(block);
        }
    }

    /// Forget every value and give the memory of the counters back. Labels keep their numbers, folded ones get another
    /// chance.
    pub fn reset(&mut self) {
        self.arena.clear();
        self.series.fill(Series::EMPTY);
        self.series[OTHER.index()].folded = true;
        self.other.reset();
        self.folded_records = 0;
        self.folded_names.clear();
    }

    /// Forget every value and every label.
    pub fn clear(&mut self) {
        self.series.truncate(1);
        self.labels.clear();
        self.reset();
    }

    /// The labels that hold values of their own, in the order in which they were first asked for. [`OTHER`] is not
    /// among them.
    pub fn labels(&self) -> impl Iterator<Item = Label> {
        let live = |&(_, series): &(u32, &Series)| !series.folded && series.totals.count > 0;
        (0..)
            .zip(&self.series)
            .filter(live)
            .map(|(number, _)| Label(number))
    }

    /// The name of a label; that of [`OTHER`] for one that is not known.
    #[must_use]
    pub fn name(&self, label: Label) -> &str {
        self.labels.name(if label.index() < self.labels.len() {
            label
        } else {
            OTHER
        })
    }

    /// Exact count, sum, minimum and maximum of a label; those of [`OTHER`] for one that was folded or is not known.
    #[must_use]
    pub fn totals(&self, label: Label) -> &Totals {
        self.own(label)
            .map_or(&self.other.totals, |series| &series.totals)
    }

    /// The value in nanoseconds below or at which the share `q` (0 to 1) of the label's values lies.
    ///
    /// By nearest rank; the minimum and the maximum are exact, all between is off by at most half a bucket, which is
    /// 0.4 % of the value. 0 when the label has no value.
    #[must_use]
    pub fn quantile(&self, label: Label, q: f64) -> u64 {
        match self.own(label) {
            Some(series) => quantile(self.series_buckets(series), &series.totals, q),
            None => self.other.quantile(q),
        }
    }

    /// The buckets of a label that are not empty, in rising order, with their counts.
    pub fn buckets(&self, label: Label) -> impl Iterator<Item = (usize, u64)> {
        let own = self.own(label);
        let other = own.is_none().then(|| self.other.buckets());
        own.map(|series| self.series_buckets(series))
            .into_iter()
            .flatten()
            .chain(other.into_iter().flatten())
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
        self.fixed
            + self.labels.used()
            + self.series.len() * size_of::<Series>()
            + self.arena.used()
    }

    /// The hard cap in bytes.
    #[must_use]
    pub const fn cap_bytes(&self) -> usize {
        self.cap
    }

    pub(crate) const fn other(&self) -> &Histogram {
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

    /// Add to one counter of a label, or of [`OTHER`] if it has none of its own. Colder labels fold to make room; the
    /// totals were accounted before, so that a label that folds here takes them along.
    pub(crate) fn count_in(&mut self, label: Label, bucket: usize, count: u64) {
        let (octave, sub) = (bucket / SUB_BUCKETS, bucket % SUB_BUCKETS);
        while let Some(series) = self.own(label) {
            let held = series.blocks[octave];
            if held.is_some_and(|block| self.arena.add(block, sub, count)) {
                return;
            }
            let sum = held
                .map_or(0, |block| self.arena.get(block, sub))
                .saturating_add(count);
            let width = Width::holding(sum);
            match self.room(held, width) {
                Some(block) => self.series[label.index()].blocks[octave] = Some(block),
                None => self.fold(self.coldest(label)),
            }
        }
        self.other.count_in(bucket, count);
    }

    /// A block of that width with the counts of `held`, growing the arena within the cap.
    fn room(&mut self, held: Option<Block>, width: Width) -> Option<Block> {
        let take = |arena: &mut Arena| match held {
            Some(block) => arena.promote(block, width),
            None => arena.allocate(width),
        };
        take(&mut self.arena).or_else(|| {
            if !self.arena.can_grow() || self.memory_bytes() + PAGE_BYTES > self.cap {
                return None;
            }
            self.arena.grow();
            take(&mut self.arena)
        })
    }

    /// The label with the fewest values that holds any; `asking` if none holds fewer.
    fn coldest(&self, asking: Label) -> Label {
        let fewest = self.labels().min_by_key(|&label| self.totals(label).count);
        fewest
            .filter(|&label| self.totals(label).count < self.totals(asking).count)
            .unwrap_or(asking)
    }

    fn own(&self, label: Label) -> Option<&Series> {
        self.series
            .get(label.index())
            .filter(|series| !series.folded)
    }

    fn series_buckets(&self, series: &Series) -> impl Iterator<Item = (usize, u64)> {
        let counters = move |(octave, block): (usize, Block)| {
            (0..SUB_BUCKETS)
                .map(move |sub| (octave * SUB_BUCKETS + sub, self.arena.get(block, sub)))
        };
        let touched = series
            .blocks
            .into_iter()
            .enumerate()
            .filter_map(|(octave, block)| Some((octave, block?)));
        touched.flat_map(counters).filter(|&(_, count)| count != 0)
    }
}
