//! How a recorder finds room: what happens at the cap, and what a memory guard can ask for.

use crate::block::{Block, MOST_DROP, Shape, Width};
use crate::buckets::{OCTAVES, SUB_BUCKETS};
use crate::labels::{Label, OTHER};
use crate::recorder::{Recorder, Series};

/// What a memory guard asks for. What is given back is the system's again at once, in steps of 256 KiB.
impl Recorder {
    /// Halve the resolution of every label, now and for what is new, and give back what that frees. False when all were
    /// at the lowest resolution already.
    pub fn halve(&mut self) -> bool {
        let mut halved = self.drop < MOST_DROP;
        self.drop = (self.drop + 1).min(MOST_DROP);
        for index in 1..self.series.len() {
            if !self.series[index].is_live() {
                self.series[index].drop = self.series[index].drop.max(self.drop);
            } else if self.series[index].drop < MOST_DROP {
                self.halve_label(index);
                halved = true;
            }
        }
        self.give_back();
        halved
    }

    /// Fold the share (0 to 1) of the labels with values that has the fewest, and give back what that frees. How many
    /// labels were folded.
    pub fn fold_coldest(&mut self, share: f64) -> usize {
        let live = self.labels().count();
        let asked = (live as f64 * share.clamp(0.0, 1.0)).ceil() as usize;
        let folded = self.coldest_of(Series::is_live, asked, |recorder, index| {
            recorder.fold(Label(index as u32));
        });
        self.give_back();
        folded
    }

    /// Percentiles off: give the counters of every label back and count values in totals only, which stay exact, until
    /// [`Recorder::restore`]. Quantiles are 0 meanwhile.
    pub fn drop_counters(&mut self) {
        self.counting = false;
        self.partial |= self.other.totals.count() > 0 || self.labels().next().is_some();
        self.arena.clear();
        for series in &mut self.series {
            series.blocks = [None; OCTAVES];
        }
        self.other.forget_counters();
    }

    /// Undo [`Recorder::halve`] and [`Recorder::drop_counters`] for what is new: quantiles are those of the values that
    /// were counted, and an octave of a label that has values keeps its resolution until [`Recorder::reset`]. What was
    /// folded stays folded until then.
    pub fn restore(&mut self) {
        self.counting = true;
        self.drop = 0;
        for series in &mut self.series {
            series.drop = 0;
        }
    }

    /// Whether values are counted in buckets, and not in totals only.
    #[must_use]
    pub const fn counts(&self) -> bool {
        self.counting
    }

    /// The lowest resolution of any label with values, in sub-buckets an octave: 128, 64, 32 or 16. A bucket is at most
    /// one part in so many of its lower bound wide.
    #[must_use]
    pub fn resolution(&self) -> usize {
        let series = self.series.iter().filter(|series| series.is_live());
        let coarsest = series.map(Self::drop_of).chain([self.other_drop()]).max();
        SUB_BUCKETS >> coarsest.unwrap_or(0)
    }

    /// The lowest resolution of any octave of a label; that of [`OTHER`] for one that was folded or is not known.
    #[must_use]
    pub fn resolution_of(&self, label: Label) -> usize {
        SUB_BUCKETS
            >> self
                .own(label)
                .map_or_else(|| self.other_drop(), Self::drop_of)
    }

    /// How often a label lost half of its resolution, since the last reset.
    #[must_use]
    pub const fn halvings(&self) -> u64 {
        self.halvings
    }

    fn drop_of(series: &Series) -> u8 {
        let blocks = series.blocks.iter().flatten();
        blocks.map(|block| block.drop()).max().unwrap_or(0)
    }

    fn other_drop(&self) -> u8 {
        self.other.drops().iter().copied().max().unwrap_or(0)
    }
}

/// What happens at the cap.
impl Recorder {
    /// A block of that width with the counts of `held`, or a new one at the resolution of `drop`, growing the arena
    /// within the cap.
    pub(crate) fn room(&mut self, held: Option<Block>, drop: u8, width: Width) -> Option<Block> {
        loop {
            let taken = match held {
                Some(block) => self.arena.promote(block, width),
                None => self.arena.allocate(Shape { width, drop }),
            };
            if taken.is_some() || !self.fits(self.arena.growth()) || !self.arena.grow() {
                return taken;
            }
        }
    }

    /// Halve the resolution of the coldest eighth of those labels that have the highest. False when all have the lowest.
    ///
    /// A share at a time, because then the labels with the most values, of which percentiles are asked first, lose
    /// resolution last. Measured with 10,000 labels at 64 MB, every octave from 1 us to 60 s in counters of 32 bits
    /// (`record_cost`): all at once leave 926 labels at 64 sub-buckets and the others at 32, half at a time leave 5463,
    /// an eighth 7801; looking for them takes 14 ms, 28 ms and a quarter of a second of the whole run.
    pub(crate) fn halve_coldest(&mut self) -> bool {
        let live = self.series.iter().filter(|series| series.is_live());
        let Some(finest) = live.map(|series| series.drop).min() else {
            return false;
        };
        if finest == MOST_DROP {
            return false;
        }
        let is_finest = |series: &Series| series.is_live() && series.drop == finest;
        let among = self.series.iter().filter(|&series| is_finest(series));
        let share = among.count().div_ceil(8);
        self.coldest_of(is_finest, share, Self::halve_label);
        true
    }

    fn halve_label(&mut self, index: usize) {
        let series = &mut self.series[index];
        series.drop += 1;
        self.halvings += 1;
        for block in series.blocks.iter_mut().flatten() {
            *block = self.arena.coarsen(*block, series.drop);
        }
    }

    /// Do something to as many of the labels as asked, those with fewer values first: by powers of two, so that nothing
    /// need be sorted or kept. To how many it was done.
    fn coldest_of(
        &mut self,
        is_meant: impl Fn(&Series) -> bool,
        asked: usize,
        act: impl Fn(&mut Self, usize),
    ) -> usize {
        let magnitude = |series: &Series| series.totals.count.max(1).ilog2() as usize;
        let mut held = [0_usize; u64::BITS as usize];
        for series in self.series.iter().filter(|&series| is_meant(series)) {
            held[magnitude(series)] += 1;
        }
        // All below the magnitude `last`, and `rest` of that one.
        let (mut last, mut rest) = (0, asked);
        while last < held.len() && rest > held[last] {
            rest -= held[last];
            last += 1;
        }
        let mut done = 0;
        for index in 1..self.series.len() {
            let series = &self.series[index];
            if !is_meant(series) || magnitude(series) > last {
                continue;
            }
            if magnitude(series) == last {
                if rest == 0 {
                    continue;
                }
                rest -= 1;
            }
            act(self, index);
            done += 1;
        }
        done
    }

    /// The label with the fewest values that holds any; `asking` if none holds fewer.
    pub(crate) fn coldest(&self, asking: Label) -> Label {
        let fewest = self
            .labels()
            .min_by_key(|&label| self.totals(label).count());
        let asks = self.totals(asking).count();
        fewest
            .filter(|&label| label != OTHER && self.totals(label).count() < asks)
            .unwrap_or(asking)
    }

    /// Move counters out of the chunks that need not be, and give those back.
    fn give_back(&mut self) {
        if !self.arena.close() {
            return;
        }
        // The largest first: small ones find room in what these leave.
        for order in crate::arena::Arena::orders() {
            for series in &mut self.series {
                for block in series.blocks.iter_mut().flatten() {
                    if let Some(moved) = self.arena.moved(*block, order) {
                        *block = moved;
                    }
                }
            }
        }
        self.arena.reopen();
    }
}
