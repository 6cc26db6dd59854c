//! What a recorder says of what it holds.

use crate::block::Block;
use crate::buckets::{Bucket, SUB_BITS, SUB_BUCKETS, span};
use crate::histogram::quantiles;
use crate::labels::{Label, OTHER};
use crate::recorder::{Place, Recorder, Series};
use crate::totals::Totals;

impl Recorder {
    /// The labels that hold values of their own, in the order in which they were first asked for. [`OTHER`] is not
    /// among them.
    pub fn labels(&self) -> impl Iterator<Item = Label> {
        let live = |&(_, series): &(u32, &Series)| series.is_live();
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

    /// Whether what is recorded under a label is its own: false for one that was folded or is not known.
    #[must_use]
    pub fn has_own(&self, label: Label) -> bool {
        self.own(label).is_some()
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
    /// 0.4 % of the value at full resolution: 0.5 divided by [`Recorder::resolution_of`]. Where only some of the values
    /// were counted, it is of those, and its ends are those of their buckets. 0 when none was.
    #[must_use]
    pub fn quantile(&self, label: Label, q: f64) -> u64 {
        let [value] = self.quantiles(label, [q]);
        value
    }

    /// The same for several shares in one pass.
    #[must_use]
    pub fn quantiles<const N: usize>(&self, label: Label, qs: [f64; N]) -> [u64; N] {
        let mut totals = *self.totals(label);
        let counted = self.counted(label);
        if counted < totals.count() {
            let first = self.spans(label).next().map_or(0, |bucket| bucket.low);
            let last = self.spans(label).last().map_or(0, |bucket| bucket.high);
            totals.min = totals.min.max(first);
            totals.max = totals.max.min(last);
        }
        quantiles(self.spans(label), counted, &totals, qs)
    }

    /// How many of a label's values quantiles are of: fewer than its totals count if some came while none were counted,
    /// or before [`Recorder::drop_counters`].
    #[must_use]
    pub fn counted(&self, label: Label) -> u64 {
        if self.partial {
            self.spans(label).map(|bucket| bucket.count).sum()
        } else {
            self.totals(label).count()
        }
    }

    /// The buckets of a label that are not empty, in rising order.
    pub fn spans(&self, label: Label) -> impl Iterator<Item = Bucket> {
        let own = self.own(label);
        let other = own.is_none().then(|| self.other.spans());
        let spanned = |(place, count): (Place, u64)| {
            let bucket = place.octave * SUB_BUCKETS + place.sub;
            let (low, high) = span::<SUB_BITS>(bucket, place.drop);
            Bucket { low, high, count }
        };
        own.map(|series| self.places(series).map(spanned))
            .into_iter()
            .flatten()
            .chain(other.into_iter().flatten())
    }

    /// The same as the index of the bucket of full resolution with the same lower bound, and the count.
    pub fn buckets(&self, label: Label) -> impl Iterator<Item = (usize, u64)> {
        let own = self.own(label);
        let other = own.is_none().then(|| self.other.buckets());
        let index = |(place, count): (Place, u64)| (place.octave * SUB_BUCKETS + place.sub, count);
        own.map(|series| self.places(series).map(index))
            .into_iter()
            .flatten()
            .chain(other.into_iter().flatten())
    }

    pub(crate) fn own(&self, label: Label) -> Option<&Series> {
        self.series
            .get(label.index())
            .filter(|series| !series.folded)
    }

    /// The counters of a label that are not zero, in rising order.
    pub(crate) fn places(&self, series: &Series) -> impl Iterator<Item = (Place, u64)> {
        let touched = series.blocks.into_iter().enumerate();
        let touched = touched.filter_map(|(octave, block)| Some((octave, block?)));
        let counters = move |(octave, block): (usize, Block)| {
            let drop = block.drop();
            let place = move |(counter, count): (usize, u64)| {
                let sub = counter << drop;
                (Place { octave, sub, drop }, count)
            };
            self.arena.non_zero(block).map(place)
        };
        touched.flat_map(counters)
    }
}
