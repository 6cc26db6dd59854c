//! From a corpus to states: one sort of all places by what follows them gives the states of every
//! order.
//!
//! A corpus is one run of token numbers in which `BOUNDARY` stands before, between and after
//! messages. Each place begins a gram of up to order + 1 tokens, cut after the boundary that ends
//! its message. Sorted, the grams that share their first j tokens lie together: they are the state
//! of those j tokens, and what stands at j tells its successors. The state of order j < order leads
//! to the longer state of the same words; at the full order the successor drops the oldest token,
//! which is the state that begins one place later: it is looked up by place.

mod grams;
mod visit;

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use super::states::NONE;
use grams::{Entry, Piece, Sorter};
use visit::{Assign, Measure, Visit, Walk, Write};

/// Places of a corpus that one segment can hold: what is left of 32 bits beside two lengths.
pub const MAX_PLACES: usize = 1 << grams::PLACE_BITS;

/// Whether a transition that occurs at these places may be used. Guarded chains count authors here.
pub type Supported<'c> = dyn Fn(&mut dyn Iterator<Item = u32>) -> bool + Sync + 'c;

/// The sorted grams of a corpus, cut into pieces of whole first tokens, and where each state will
/// lie.
pub struct Trie<'c> {
    text: &'c [u32],
    order: usize,
    supported: Option<&'c Supported<'c>>,
    entries: Vec<Entry>,
    /// For each token the end of its entries.
    ends: Vec<u32>,
    pieces: Vec<Piece>,
    /// By place: the state of full order that begins there.
    begins: Vec<AtomicU32>,
    /// By token: its state of order 1.
    roots: Vec<AtomicU32>,
    words: u64,
    pub counts: Counts,
}

/// What a trie holds, all orders together where not said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub words: u64,
    pub states: u64,
    pub transitions: u64,
    /// Transitions between states of the full order.
    pub full_transitions: u64,
    /// Transitions left out for want of support. What only they lead to is not counted again.
    pub unsupported: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.words += other.words;
        self.states += other.states;
        self.transitions += other.transitions;
        self.full_transitions += other.full_transitions;
        self.unsupported += other.unsupported;
    }
}

/// Runs the same work on two threads: it takes its jobs from where both do.
fn on_two_threads(work: impl Fn() + Sync) {
    thread::scope(|scope| {
        scope.spawn(&work);
        work();
    });
}

impl<'c> Trie<'c> {
    /// Sorts and measures. `text` begins and ends with `BOUNDARY`, and its numbers are below
    /// `vocabulary`.
    ///
    /// # Panics
    ///
    /// When `text` has `MAX_PLACES` numbers or more, or the order is none of 1 to 4.
    #[must_use]
    pub fn sort(
        text: &'c [u32],
        vocabulary: usize,
        order: usize,
        supported: Option<&'c Supported<'c>>,
    ) -> Self {
        assert!(text.len() < MAX_PLACES && (1..=4).contains(&order));
        let ends = grams::count(text, vocabulary);
        let mut trie = Self {
            text,
            order,
            supported,
            entries: grams::scatter(text, &ends),
            pieces: grams::cut(&ends),
            ends,
            begins: Vec::new(),
            roots: zeros(vocabulary),
            words: 0,
            counts: Counts::default(),
        };
        trie.sort_pieces();
        let mut base = 1; // the first word of all is nobody's, so that 0 is no state
        for piece in &mut trie.pieces {
            piece.base = base;
            base += piece.counts.words;
            trie.counts.add(&piece.counts);
        }
        trie.words = base;
        trie.begins = zeros(text.len());
        trie.assign();
        trie
    }

    /// Words that `write` will hand out, the first one included.
    #[must_use]
    pub fn words(&self) -> u64 {
        self.words
    }

    /// By token: the reference of its state of order 1.
    pub fn roots(&self) -> impl ExactSizeIterator<Item = u32> {
        self.roots.iter().map(|root| root.load(Ordering::Relaxed))
    }

    /// Hands all words to `sink`, in order, built by two threads.
    ///
    /// # Errors
    ///
    /// The first error of the sink, which is not called again.
    pub fn write<E: Send>(
        &self,
        sink: &mut (dyn FnMut(&[u32]) -> Result<(), E> + Send),
    ) -> Result<(), E> {
        sink(&[0])?;
        let next = AtomicUsize::new(0);
        let turn = Mutex::new((0, Ok(()), sink));
        let changed = Condvar::new();
        on_two_threads(|| {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(piece) = self.pieces.get(index) else {
                    return;
                };
                let mut words = Write::new(self, piece);
                self.visit_piece(piece, &mut words);
                let mut held = turn.lock().unwrap_or_else(PoisonError::into_inner);
                while held.0 != index {
                    held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
                }
                if held.1.is_ok() {
                    held.1 = (held.2)(&words.words);
                }
                held.0 += 1;
                changed.notify_all();
            }
        });
        turn.into_inner().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Sorts the entries of each piece and counts what they will take.
    fn sort_pieces(&mut self) {
        let mut rest = self.entries.as_mut_slice();
        let mut jobs = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let (mine, later) = rest.split_at_mut(piece.entries(&self.ends).len());
            rest = later;
            jobs.push((*piece, mine));
        }
        let (ends, text, order, supported) = (&self.ends, self.text, self.order, self.supported);
        let done = Mutex::new(vec![Counts::default(); jobs.len()]);
        let jobs = Mutex::new(jobs.into_iter().enumerate());
        on_two_threads(|| {
            let mut sorter = Sorter::default();
            loop {
                // The lock is held for this statement alone.
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((index, (piece, entries))) = job else {
                    return;
                };
                for (_, range) in piece.tokens(ends) {
                    sorter.sort(text, order, &mut entries[range]);
                }
                let mut measure = Measure::of_order(order);
                let mut walk = Walk::new(text, order, supported, None, &mut measure);
                for (_, range) in piece.tokens(ends) {
                    walk.state(1, &entries[range]);
                }
                measure.counts.unsupported = walk.unsupported;
                done.lock().unwrap_or_else(PoisonError::into_inner)[index] = measure.counts;
            }
        });
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (piece, counts) in self.pieces.iter_mut().zip(done) {
            piece.counts = counts;
        }
    }

    /// Gives every state its number.
    fn assign(&self) {
        let next = AtomicUsize::new(0);
        on_two_threads(|| {
            while let Some(piece) = self.pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.visit_piece(piece, &mut Assign::new(self, piece));
            }
        });
    }

    fn visit_piece<V: Visit>(&self, piece: &Piece, visit: &mut V) {
        let entries = &self.entries[piece.entries(&self.ends)];
        let begins = V::WHOLE.then_some(self.begins.as_slice());
        let mut walk = Walk::new(self.text, self.order, self.supported, begins, visit);
        for (token, range) in piece.tokens(&self.ends) {
            let root = walk.state(1, &entries[range]);
            self.roots[token].store(root, Ordering::Relaxed);
        }
    }
}

fn zeros(length: usize) -> Vec<AtomicU32> {
    (0..length).map(|_| AtomicU32::new(NONE)).collect()
}
