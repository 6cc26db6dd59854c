//! A corpus made on a thread of its own, while the next messages are read.
//!
//! Looking up tokens in a large vocabulary waits for memory, cutting messages into them does not:
//! the two take a processor each. A short file costs no thread, since the corpus stays here until
//! a batch is full.

use std::collections::HashSet;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::segment::build::Corpus;
use crate::{Error, Result};

/// Bytes of tokens handed over at once. All batches fit in a second-level cache; tests make do with
/// less text for several.
const BATCH_BYTES: usize = if cfg!(test) { 1 << 8 } else { 1 << 17 };

/// One batch is filled, one interned, one on its way.
const BATCHES: usize = 3;

/// A corpus that is given its messages.
pub(super) struct Interning {
    /// Empty while a worker has it.
    corpus: Corpus,
    worker: Option<Worker>,
    batch: Batch,
    /// The most texts that the vocabulary can have once it has all that was given.
    most_texts: usize,
    places: u64,
    /// What the corpus took when last heard of.
    memory_bytes: usize,
}

impl Default for Interning {
    fn default() -> Self {
        let corpus = Corpus::default();
        Self {
            most_texts: corpus.vocabulary.len(),
            places: corpus.text.len() as u64,
            memory_bytes: corpus.memory_bytes(),
            corpus,
            worker: None,
            batch: Batch::default(),
        }
    }
}

impl Interning {
    /// Places that the corpus takes of a segment.
    pub fn places(&self) -> u64 {
        self.places
    }

    /// Bytes that it takes in memory, the last batches aside.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Gives it a message; false, and nothing is given, when the vocabulary has no room for all its
    /// tokens: those of a refused one would take it from the next.
    ///
    /// # Errors
    ///
    /// `Error::Io` when no thread can be started.
    pub fn push<'t>(
        &mut self,
        tokens: impl Iterator<Item = &'t str>,
        most_tokens: u32,
    ) -> Result<bool> {
        let before = self.batch.ends.len();
        self.batch.push(tokens);
        let count = self.batch.ends.len() - before - 1;
        // Most messages pass without a look at what they have.
        if self.most_texts + count > most_tokens as usize + 1 {
            let message = self.batch.split_off(before);
            self.settle();
            if !message.fits(&self.corpus, most_tokens) {
                return Ok(false);
            }
            self.batch = message;
        }
        self.most_texts += count;
        self.places += count as u64 + 1;
        if self.batch.text.len() >= BATCH_BYTES {
            self.hand_over()?;
        }
        Ok(true)
    }

    /// The corpus with all that was given.
    pub fn finish(mut self) -> Corpus {
        self.settle();
        self.corpus
    }

    /// Takes the corpus back, and puts into it what it has not got yet.
    fn settle(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.corpus = worker.finish();
        }
        self.batch.move_to(&mut self.corpus);
        self.most_texts = self.corpus.vocabulary.len();
        self.memory_bytes = self.corpus.memory_bytes();
    }

    fn hand_over(&mut self) -> Result<()> {
        let worker = match &mut self.worker {
            Some(worker) => worker,
            none => none.insert(Worker::start(std::mem::take(&mut self.corpus))?),
        };
        let Ok(done) = worker.done.recv() else {
            self.settle(); // the thread panicked, and so does this
            return Ok(());
        };
        let _ = worker
            .full
            .send(std::mem::replace(&mut self.batch, done.batch));
        self.most_texts -= done.known;
        self.memory_bytes = done.memory_bytes;
        Ok(())
    }
}

/// Messages end to end.
#[derive(Default)]
struct Batch {
    text: String,
    /// Where each token ends, and after the last one of a message its end once more: no token is
    /// empty.
    ends: Vec<u32>,
}

impl Batch {
    fn push<'t>(&mut self, tokens: impl Iterator<Item = &'t str>) {
        for token in tokens {
            self.text.push_str(token);
            self.ends.push(self.text.len() as u32);
        }
        self.ends.push(self.text.len() as u32);
    }

    /// Takes out what came after so many ends.
    fn split_off(&mut self, ends: usize) -> Self {
        let start = ends.checked_sub(1).map_or(0, |last| self.ends[last]);
        Self {
            text: self.text.split_off(start as usize),
            ends: self.ends.drain(ends..).map(|end| end - start).collect(),
        }
    }

    /// The tokens, and an empty one after each message.
    fn tokens(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.text[start as usize..end as usize])
    }

    /// Whether a vocabulary has room for the tokens that it has not.
    fn fits(&self, corpus: &Corpus, most_tokens: u32) -> bool {
        let vocabulary = &corpus.vocabulary;
        let new: HashSet<&str> = self
            .tokens()
            .filter(|token| vocabulary.find(token).is_none())
            .collect();
        vocabulary.len() + new.len() <= most_tokens as usize + 1
    }

    /// Empties itself into a corpus. Gives back how many of its tokens that had already.
    ///
    /// # Panics
    ///
    /// When the vocabulary takes 4 GiB.
    fn move_to(&mut self, corpus: &mut Corpus) -> usize {
        let Corpus { vocabulary, text } = corpus;
        let (texts, mut tokens) = (vocabulary.len(), 0);
        for token in self.tokens() {
            // The empty text's number is the boundary.
            let number = vocabulary.intern(token, u32::MAX);
            text.push(number.expect("who gathers makes a segment long before"));
            tokens += usize::from(!token.is_empty());
        }
        self.text.clear();
        self.ends.clear();
        tokens - (vocabulary.len() - texts)
    }
}

/// An empty batch, and what the corpus took from it when it was full.
#[derive(Default)]
struct Done {
    batch: Batch,
    /// Tokens that the vocabulary had already.
    known: usize,
    /// What the corpus takes since.
    memory_bytes: usize,
}

/// A thread that has a corpus.
struct Worker {
    full: SyncSender<Batch>,
    done: Receiver<Done>,
    thread: JoinHandle<Corpus>,
}

impl Worker {
    /// # Errors
    ///
    /// `Error::Io` when no thread can be started.
    fn start(mut corpus: Corpus) -> Result<Self> {
        let (full, batches) = sync_channel::<Batch>(BATCHES);
        let (emptied, done) = sync_channel(BATCHES);
        for _ in 1..BATCHES {
            let _ = emptied.send(Done {
                memory_bytes: corpus.memory_bytes(),
                ..Done::default()
            });
        }
        let intern = move || {
            for mut batch in batches {
                let known = batch.move_to(&mut corpus);
                let memory_bytes = corpus.memory_bytes();
                let _ = emptied.send(Done {
                    batch,
                    known,
                    memory_bytes,
                });
            }
            corpus
        };
        let thread = thread::Builder::new()
            .spawn(intern)
            .map_err(Error::io("starting a thread that interns"))?;
        Ok(Self { full, done, thread })
    }

    fn finish(self) -> Corpus {
        drop(self.full);
        self.thread
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::states::BOUNDARY;

    const MANY: u32 = 10_000;

    /// Messages of which most tokens were there before, several batches of them.
    fn messages() -> Vec<Vec<String>> {
        (0..MANY)
            .map(|number| vec!["the".into(), format!("w{}", number % 997), "end".into()])
            .collect()
    }

    fn push(interning: &mut Interning, message: &[String], most_tokens: u32) -> bool {
        let tokens = message.iter().map(String::as_str);
        interning.push(tokens, most_tokens).unwrap()
    }

    fn texts(corpus: &Corpus) -> Vec<Vec<String>> {
        corpus.text[1..corpus.text.len() - 1]
            .split(|&token| token == BOUNDARY)
            .map(|message| {
                let text = |&token| corpus.vocabulary.get(token).to_owned();
                message.iter().map(text).collect()
            })
            .collect()
    }

    #[test]
    fn all_messages_are_there_in_their_order_when_a_thread_took_them() {
        let mut interning = Interning::default();
        for message in messages() {
            assert!(push(&mut interning, &message, u32::MAX));
        }
        assert!(interning.worker.is_some());
        let (places, memory_bytes) = (interning.places(), interning.memory_bytes());
        let corpus = interning.finish();
        assert_eq!(texts(&corpus), messages());
        assert_eq!(places, corpus.text.len() as u64);
        assert!(memory_bytes * 2 > corpus.memory_bytes());
    }

    #[test]
    fn a_short_file_needs_no_thread() {
        let mut interning = Interning::default();
        push(&mut interning, &messages()[0], u32::MAX);
        assert!(interning.worker.is_none());
        assert_eq!(texts(&interning.finish()), messages()[..1]);
    }

    #[test]
    fn a_full_vocabulary_refuses_what_is_new_to_it_and_nothing_else() {
        // "the", "end" and 100 words, whichever thread has the vocabulary when it is full.
        let most_tokens = 102;
        let mut interning = Interning::default();
        let taken: Vec<_> = messages()
            .into_iter()
            .filter(|message| push(&mut interning, message, most_tokens))
            .collect();
        let corpus = interning.finish();
        assert_eq!(texts(&corpus), taken);
        assert_eq!(corpus.vocabulary.len(), most_tokens as usize + 1);
        let fitting = (0..MANY).filter(|number| number % 997 < 100).count();
        assert_eq!(taken.len(), fitting);
    }

    #[test]
    fn a_refused_message_takes_no_room() {
        let mut interning = Interning::default();
        let message = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(push(&mut interning, &message("a b"), 3));
        assert!(!push(&mut interning, &message("c d"), 3));
        assert!(push(&mut interning, &message("a c c"), 3));
        assert_eq!(
            texts(&interning.finish()),
            [message("a b"), message("a c c")]
        );
    }
}
