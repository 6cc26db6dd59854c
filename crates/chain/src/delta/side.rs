//! The states of one direction, growing: a trie over contexts, and for each state the list of what
//! followed.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::hashing::Hash;
use super::lists::{List, Lists};
use crate::rng::Rng;
use crate::segment::states::BOUNDARY;

/// A state; it means something to the side that gave it only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ref(u32);

impl Ref {
    /// A number for the state, never 0, for where references of all parts are held alike.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0 + 1
    }

    /// The state of a number that `number` gave.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        Self(number.wrapping_sub(1))
    }
}

/// No state, as a root or as a parent.
const NO_STATE: u32 = u32::MAX;

/// Tokens of the longest context.
const MOST_ORDER: usize = 4;

/// A state of full order has no children to count. While it was left less often than this its list
/// is searched for a token, which costs two cache lines; from there on what followed it is entered
/// in a set.
const SEARCHED: u32 = 32;

#[derive(Clone, Copy, Debug)]
struct State {
    /// The state that `token` followed, one token shorter.
    parent: u32,
    token: u32,
    /// Distinct successors, and in `ENDED` whether the boundary is among them.
    distinct: u32,
    followed: List,
}

/// Distinct successors are fewer: a delta holds fewer places.
const ENDED: u32 = 1 << 31;

/// What followed each context, in one direction of reading.
///
/// A context is the last 1 to order token numbers, oldest first; `BOUNDARY` can only be its first.
#[derive(Clone, Debug)]
pub struct Side {
    order: usize,
    states: Vec<State>,
    /// By token: the state of the context that is this token alone.
    roots: Vec<u32>,
    /// States of two tokens and more, by parent and token.
    children: HashTable<u32>,
    children_hash: Hash,
    lists: Lists,
    /// State and token, of states of full order that were left too often to be searched.
    wide: HashTable<u64>,
    wide_hash: Hash,
    transitions: u64,
}

fn key(state: u32, token: u32) -> u64 {
    u64::from(state) << 32 | u64::from(token)
}

impl Side {
    pub(super) fn new(order: usize) -> Self {
        assert!(
            (1..=MOST_ORDER).contains(&order),
            "the order of a chain is 1 to 4, not {order}"
        );
        Self {
            order,
            states: Vec::new(),
            roots: Vec::new(),
            children: HashTable::new(),
            children_hash: Hash::random(),
            lists: Lists::default(),
            wide: HashTable::new(),
            wide_hash: Hash::random(),
            transitions: 0,
        }
    }

    /// Learns one message, given in the direction of this side and without boundaries.
    pub(super) fn learn(&mut self, message: impl Iterator<Item = u32>) {
        // The states of the contexts that end here, shortest first.
        let mut ending = [self.root(BOUNDARY); MOST_ORDER];
        let mut depth = 1;
        for token in message {
            let mut next = [self.root(token); MOST_ORDER];
            let shorter = depth.min(self.order - 1);
            for length in 0..shorter {
                next[length + 1] = self.follow(ending[length], token);
            }
            if depth == self.order {
                self.follow_full(ending[depth - 1], token);
            }
            depth = shorter + 1;
            ending = next;
        }
        for &state in &ending[..depth.min(self.order - 1)] {
            self.end(state);
        }
        if depth == self.order {
            self.follow_full(ending[depth - 1], BOUNDARY);
        }
    }

    #[must_use]
    pub fn order(&self) -> usize {
        self.order
    }

    /// The state of a context that occurred.
    #[inline]
    #[must_use]
    pub fn state(&self, context: &[u32]) -> Option<Ref> {
        let (&first, rest) = context.split_first()?;
        let root = *self.roots.get(first as usize)?;
        if root == NO_STATE {
            return None;
        }
        rest.iter()
            .try_fold(Ref(root), |state, &token| self.longer(state, token))
    }

    /// The state of the same context and one token more, if that occurred and is not beyond the
    /// order.
    #[inline]
    #[must_use]
    pub fn longer(&self, state: Ref, token: u32) -> Option<Ref> {
        let hash = self.children_hash.of(key(state.0, token));
        let child = self.children.find(hash, |&child| {
            let child = &self.states[child as usize];
            child.parent == state.0 && child.token == token
        });
        child.map(|&child| Ref(child))
    }

    /// How often the state was left.
    #[inline]
    #[must_use]
    pub fn occurrences(&self, state: Ref) -> u32 {
        self.states[state.0 as usize].followed.len()
    }

    /// Different tokens that followed, the boundary being one; exact.
    #[inline]
    #[must_use]
    pub fn distinct(&self, state: Ref) -> u32 {
        self.states[state.0 as usize].distinct & !ENDED
    }

    /// Draws a token in proportion to its count: where in `followed` it stands, and the token.
    #[inline]
    pub fn draw(&self, state: Ref, rng: &mut Rng) -> (u32, u32) {
        match self.followed(state) {
            [only] => (0, *only),
            // A state was left at least once: when it is made, what follows it is at hand.
            followed => {
                let place = rng.below(followed.len() as u32);
                (place, followed[place as usize])
            }
        }
    }

    /// How often a token followed. Reads the whole list of the state.
    #[must_use]
    pub fn count(&self, state: Ref, token: u32) -> u32 {
        self.followed(state)
            .iter()
            .filter(|&&one| one == token)
            .count() as u32
    }

    /// Each token that followed and how often, sorted by token. Sorts the whole list of the state.
    #[must_use]
    pub fn successors(&self, state: Ref) -> Vec<(u32, u32)> {
        let mut followed = self.followed(state).to_vec();
        followed.sort_unstable();
        followed
            .chunk_by(|one, other| one == other)
            .map(|equal| (equal[0], equal.len() as u32))
            .collect()
    }

    /// Everything that followed the state, in the order in which it was learned.
    #[inline]
    #[must_use]
    pub fn followed(&self, state: Ref) -> &[u32] {
        self.lists.get(&self.states[state.0 as usize].followed)
    }

    /// How many states there are, all lengths together.
    #[must_use]
    pub fn states(&self) -> u64 {
        self.states.len() as u64
    }

    /// How many distinct successors all states have together.
    #[must_use]
    pub fn transitions(&self) -> u64 {
        self.transitions
    }

    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<State>() * self.states.capacity()
            + 4 * self.roots.capacity()
            + self.children.allocation_size()
            + self.lists.memory_bytes()
            + self.wide.allocation_size()
    }

    fn root(&mut self, token: u32) -> u32 {
        let place = token as usize;
        if place >= self.roots.len() {
            self.roots.resize(place + 1, NO_STATE);
        }
        if self.roots[place] == NO_STATE {
            self.roots[place] = self.states.len() as u32;
            self.states.push(State::new(NO_STATE, token));
        }
        self.roots[place]
    }

    /// Notes that a token followed a state below the full order; the state of the context that is
    /// longer by it.
    #[inline]
    fn follow(&mut self, state: u32, token: u32) -> u32 {
        let states = &self.states;
        let hash = &self.children_hash;
        let found = self.children.entry(
            hash.of(key(state, token)),
            |&child| {
                let child = &states[child as usize];
                child.parent == state && child.token == token
            },
            |&child| {
                let child = &states[child as usize];
                hash.of(key(child.parent, child.token))
            },
        );
        let (child, new) = match found {
            Entry::Occupied(child) => (*child.get(), false),
            Entry::Vacant(vacant) => {
                let child = self.states.len() as u32;
                vacant.insert(child);
                self.states.push(State::new(state, token));
                (child, true)
            }
        };
        let state = &mut self.states[state as usize];
        self.lists.push(&mut state.followed, token);
        state.distinct += u32::from(new);
        self.transitions += u64::from(new);
        child
    }

    /// Notes that a message ended after a state below the full order.
    fn end(&mut self, state: u32) {
        let state = &mut self.states[state as usize];
        self.lists.push(&mut state.followed, BOUNDARY);
        if state.distinct & ENDED == 0 {
            state.distinct = (state.distinct + 1) | ENDED;
            self.transitions += 1;
        }
    }

    /// Notes that a token, or the boundary, followed a state of full order.
    #[inline]
    fn follow_full(&mut self, number: u32, token: u32) {
        let state = &mut self.states[number as usize];
        let followed = self.lists.get(&state.followed);
        let new = if state.followed.len() < SEARCHED {
            !followed.contains(&token)
        } else {
            if state.followed.len() == SEARCHED {
                for &one in followed {
                    enter(&mut self.wide, self.wide_hash, key(number, one));
                }
            }
            enter(&mut self.wide, self.wide_hash, key(number, token))
        };
        state.distinct += u32::from(new);
        self.transitions += u64::from(new);
        self.lists.push(&mut state.followed, token);
    }
}

impl State {
    fn new(parent: u32, token: u32) -> Self {
        Self {
            parent,
            token,
            distinct: 0,
            followed: List::default(),
        }
    }
}

/// Whether the key is new to the set.
pub(super) fn enter(set: &mut HashTable<u64>, hash: Hash, key: u64) -> bool {
    match set.entry(hash.of(key), |&held| held == key, |&held| hash.of(held)) {
        Entry::Occupied(_) => false,
        Entry::Vacant(vacant) => {
            vacant.insert(key);
            true
        }
    }
}
