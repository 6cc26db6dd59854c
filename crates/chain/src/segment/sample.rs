//! For tests: a few messages as segments and deltas, and the same messages in a list, which is slow
//! and plain.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{Corpus, Plan, Support};
use super::states::BOUNDARY;
use super::{Direction, Segment};
use crate::dead::Dead;
use crate::delta::Delta;
use crate::generate::Voice;
use crate::rng::Rng;
use crate::walk::{Part, Speaker};

pub type Message = Vec<String>;

/// The boundary, where contexts and successors are written as text.
pub const END: &str = "";

pub fn message(text: &str) -> Message {
    text.split(' ').map(str::to_owned).collect()
}

pub fn messages(texts: &[&str]) -> Vec<Message> {
    texts.iter().map(|text| message(text)).collect()
}

/// Messages of 1 to `longest` tokens out of `tokens` different ones, some far more frequent.
pub fn random_messages(rng: &mut Rng, count: usize, tokens: u32, longest: u32) -> Vec<Message> {
    let token = |rng: &mut Rng| {
        let below = 1 + rng.below(tokens);
        format!("w{}", rng.below(below))
    };
    (0..count)
        .map(|_| {
            let length = 1 + rng.below(longest);
            (0..length).map(|_| token(rng)).collect()
        })
        .collect()
}

/// What one part was made of.
enum Built {
    Segment(Box<Segment>),
    Delta(Box<Delta>),
}

/// Parts of a chain, without the chain.
pub struct Sample {
    folder: tempfile::TempDir,
    parts: Vec<(Built, Dead, Vec<Message>)>,
    pub order: usize,
    pub max_copied_tokens: u32,
}

impl Sample {
    pub fn new(order: usize, max_copied_tokens: u32) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            parts: Vec::new(),
            order,
            max_copied_tokens,
        }
    }

    pub fn segment(self, messages: &[Message]) -> Self {
        self.supported_segment(messages, None)
    }

    pub fn supported_segment(mut self, messages: &[Message], support: Option<Support>) -> Self {
        let mut corpus = Corpus::default();
        for message in messages {
            for token in message {
                corpus
                    .text
                    .push(corpus.vocabulary.intern(token, u32::MAX).unwrap());
            }
            corpus.text.push(BOUNDARY);
        }
        let plan = Plan {
            order: self.order,
            backward: true,
            max_copied_tokens: self.max_copied_tokens,
            support,
        };
        let path = self.folder.path().join(format!("{}", self.parts.len()));
        corpus
            .write(&plan, std::fs::File::create(&path).unwrap())
            .unwrap();
        let segment = Segment::open(&path).unwrap();
        segment.verify().unwrap();
        let built = Built::Segment(Box::new(segment));
        self.parts.push((built, Dead::default(), messages.to_vec()));
        self
    }

    pub fn delta(mut self, messages: &[Message]) -> Self {
        let delta = Delta::new(self.order, true, self.max_copied_tokens);
        let built = Built::Delta(Box::new(delta));
        self.parts.push((built, Dead::default(), Vec::new()));
        self.learn(self.parts.len() - 1, messages);
        self
    }

    /// Teaches a delta more.
    pub fn learn(&mut self, part: usize, messages: &[Message]) {
        let (Built::Delta(delta), _, all) = &mut self.parts[part] else {
            panic!("part {part} is a segment")
        };
        for message in messages {
            delta.learn(message.iter().map(String::as_str)).unwrap();
        }
        all.extend_from_slice(messages);
    }

    /// Forgets one message of a part.
    pub fn forget(&mut self, part: usize, message: usize) {
        if !self.parts[part].1.mark(message as u32) {
            return;
        }
        for direction in [Direction::Forward, Direction::Backward] {
            let tokens = read(&self.parts[part].2[message], direction);
            let parts = self.parts(direction);
            let mut taken = Vec::new();
            for (context, token) in transitions(&tokens, self.order) {
                let numbers = numbers(&parts[part], context);
                let state = parts[part].state(&numbers).unwrap();
                taken.push((state, self::numbers(&parts[part], &[token.to_owned()])[0]));
            }
            for (state, token) in taken {
                let (built, dead, _) = &mut self.parts[part];
                let removed = dead.side_mut(direction);
                let side = match built {
                    Built::Segment(_) => None,
                    Built::Delta(delta) if direction == Direction::Forward => Some(delta.forward()),
                    Built::Delta(delta) => delta.backward(),
                };
                match side {
                    Some(side) => {
                        let followed = side.followed(crate::delta::Ref::from_number(state));
                        removed.remove_from(state, token, followed);
                    }
                    None => removed.remove(state, token),
                }
            }
        }
    }

    /// All messages that are not forgotten.
    pub fn live(&self) -> Vec<Message> {
        let live = |(_, dead, messages): &(Built, Dead, Vec<Message>)| {
            let numbered = messages.iter().enumerate();
            let alive = numbered.filter(|(index, _)| !dead.contains(*index as u32));
            alive.map(|(_, one)| one.clone()).collect::<Vec<_>>()
        };
        self.parts.iter().flat_map(live).collect()
    }

    /// The segment that a part is.
    pub fn segment_at(&self, part: usize) -> &Segment {
        match &self.parts[part].0 {
            Built::Segment(segment) => segment,
            Built::Delta(_) => panic!("part {part} is a delta"),
        }
    }

    pub fn parts(&self, direction: Direction) -> Vec<Part<'_>> {
        let parts = self.parts.iter();
        parts
            .map(|(built, dead, _)| part(built, dead, direction))
            .collect()
    }

    pub fn speaker(&self, direction: Direction, weight: u32) -> Speaker<'_> {
        Speaker {
            parts: self.parts(direction),
            silent: Vec::new(),
            order: self.order,
            weight,
        }
    }

    pub fn voice(&self, weight: u32) -> Voice<'_> {
        Voice {
            forward: self.speaker(Direction::Forward, weight),
            backward: Some(self.speaker(Direction::Backward, weight)),
            max_copied_tokens: self.max_copied_tokens,
        }
    }
}

fn part<'s>(built: &'s Built, dead: &'s Dead, direction: Direction) -> Part<'s> {
    match built {
        Built::Segment(segment) => Part::of_segment(segment, dead.side(direction), direction),
        Built::Delta(delta) => Part::of_delta(delta, dead.side(direction), direction).unwrap(),
    }
}

/// Token numbers of a part; `END` is the boundary.
pub fn numbers(part: &Part<'_>, tokens: &[String]) -> Vec<u32> {
    let number = |token: &String| match token.as_str() {
        END => BOUNDARY,
        token => part.find(token.as_bytes()).unwrap_or(u32::MAX),
    };
    tokens.iter().map(number).collect()
}

/// A message as it is read in a direction, with both boundaries.
pub fn read(message: &[String], direction: Direction) -> Message {
    let mut tokens = message.to_vec();
    if direction == Direction::Backward {
        tokens.reverse();
    }
    tokens.insert(0, END.into());
    tokens.push(END.into());
    tokens
}

/// Every context of 1 to `order` tokens, and what follows it there.
pub fn transitions(tokens: &[String], order: usize) -> impl Iterator<Item = (&[String], &str)> {
    (1..tokens.len()).flat_map(move |place| {
        let contexts = (1..=order.min(place)).map(move |length| &tokens[place - length..place]);
        contexts.map(move |context| (context, tokens[place].as_str()))
    })
}

/// What followed each context, counted from a list of messages.
pub struct Model {
    pub order: usize,
    pub contexts: BTreeMap<Message, BTreeMap<String, u64>>,
    /// By context and token: the messages that had the transition.
    pub speakers: BTreeMap<(Message, String), BTreeSet<usize>>,
}

impl Model {
    pub fn of(messages: &[Message], order: usize, direction: Direction) -> Self {
        let mut model = Self {
            order,
            contexts: BTreeMap::new(),
            speakers: BTreeMap::new(),
        };
        for (index, message) in messages.iter().enumerate() {
            for (context, token) in transitions(&read(message, direction), order) {
                let (context, token) = (context.to_vec(), token.to_owned());
                let counts = model.contexts.entry(context.clone()).or_default();
                *counts.entry(token.clone()).or_default() += 1;
                let speakers = model.speakers.entry((context, token)).or_default();
                speakers.insert(index);
            }
        }
        model
    }

    /// What follows the longest end of a context that anything follows.
    pub fn after(&self, context: &[String]) -> BTreeMap<String, f64> {
        let longest = context.len().min(self.order);
        let found = (1..=longest)
            .rev()
            .find_map(|length| self.contexts.get(&context[context.len() - length..]));
        let counts = found.into_iter().flatten();
        counts
            .map(|(token, &count)| (token.clone(), count as f64))
            .collect()
    }

    /// Every message of at most `longest` tokens that a walk can make, and how likely it is.
    pub fn all_messages(&self, longest: usize) -> BTreeMap<Message, f64> {
        let mut all = BTreeMap::new();
        let mut open = vec![(vec![END.to_owned()], 1.0)];
        while let Some((tokens, likely)) = open.pop() {
            let after = self.after(&tokens);
            let total: f64 = after.values().sum();
            for (token, count) in after {
                let likely = likely * count / total;
                if token == END {
                    *all.entry(tokens[1..].to_vec()).or_insert(0.0) += likely;
                } else if tokens.len() <= longest {
                    let mut tokens = tokens.clone();
                    tokens.push(token);
                    open.push((tokens, likely));
                }
            }
        }
        all
    }
}

/// Whether a message is one of the sources, or has a run of more than `most` tokens (0: of any
/// number) from one of them that does not lie within the given ones.
pub fn is_copy(
    said: &[String],
    given: &std::ops::Range<usize>,
    most: usize,
    sources: &[Message],
) -> bool {
    sources.iter().any(|source| source == said)
        || most > 0
            && said.windows(most + 1).enumerate().any(|(start, run)| {
                let within = given.start <= start && start + run.len() <= given.end;
                let copied = |source: &Message| source.windows(run.len()).any(|one| one == run);
                !within && sources.iter().any(copied)
            })
}
