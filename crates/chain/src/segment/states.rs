//! States as they lie in a segment: 32-bit words, each state in the encoding that suits it.
//!
//! A reference to a state is the number of its first word, the head; 0 is no state. The head's
//! three upper bits tell the encoding, the other 29 are given below. `n` is how often the state was
//! left, `m` how many distinct successors it has, which are sorted by token; `next` refers to the
//! state that follows.
//!
//! | encoding | head | further words |
//! | --- | --- | --- |
//! | once (0) | token | next: one successor, seen once |
//! | single (1) | n | token, next: one successor |
//! | raw (2) | m (14 bits), n (14 bits) | n pairs (token, next): one for each occurrence |
//! | cumulative (3) | m | m running sums, m pairs (token, next) |
//! | alias (4) | n | m, then m rows (threshold, alias, token, next, count) |

use crate::rng::Rng;

/// The token that begins and ends a message.
pub const BOUNDARY: u32 = 0;

/// No state.
pub const NONE: u32 = 0;

/// Tokens and occurrences that a head can hold are below this.
pub const HEAD_LIMIT: u32 = 1 << SHIFT;
const SHIFT: u32 = 29;

const ONCE: u32 = 0;
const SINGLE: u32 = 1;
const RAW: u32 = 2;
const CUMULATIVE: u32 = 3;
const ALIAS: u32 = 4;

/// Bits of each of the two numbers in the head of a raw list.
const RAW_BITS: u32 = 14;
/// Words of a row of an alias table.
const ROW: usize = 5;
/// Up to this many successors a search through running sums stays within a few cache lines.
const NARROW: u32 = 64;

/// One way on from a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    pub token: u32,
    pub next: u32,
    pub count: u32,
}

/// A drawn way on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub token: u32,
    pub next: u32,
}

/// What words say that cannot be: the file is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The smallest encoding; a wide state gets one that draws in constant time.
fn encoding(occurrences: u32, distinct: u32) -> u32 {
    let (n, m) = (u64::from(occurrences), u64::from(distinct));
    let counted = if distinct <= NARROW {
        CUMULATIVE
    } else {
        ALIAS
    };
    match (n, m) {
        (1, _) => ONCE,
        (_, 1) => SINGLE,
        _ if n >> RAW_BITS == 0 && words(RAW, n, m) <= words(counted, n, m) => RAW,
        _ => counted,
    }
}

fn words(encoding: u32, n: u64, m: u64) -> u64 {
    match encoding {
        ONCE => 2,
        SINGLE => 3,
        RAW => 1 + 2 * n,
        CUMULATIVE => 1 + 3 * m,
        _ => 2 + ROW as u64 * m,
    }
}

/// Words that a state takes; 0 for one without successors.
#[must_use]
pub fn size(occurrences: u32, distinct: u32) -> u64 {
    if distinct == 0 {
        return 0;
    }
    words(
        encoding(occurrences, distinct),
        occurrences.into(),
        distinct.into(),
    )
}

/// Appends a state; `successors` are sorted by token, and their counts are positive.
pub fn write(successors: &[Transition], into: &mut Vec<u32>) {
    let Some(first) = successors.first() else {
        return;
    };
    let occurrences: u32 = successors.iter().map(|one| one.count).sum();
    let distinct = successors.len() as u32;
    let encoding = encoding(occurrences, distinct);
    let tag = encoding << SHIFT;
    match encoding {
        ONCE => into.extend([tag | first.token, first.next]),
        SINGLE => into.extend([tag | occurrences, first.token, first.next]),
        RAW => {
            into.push(tag | distinct << RAW_BITS | occurrences);
            for one in successors {
                for _ in 0..one.count {
                    into.extend([one.token, one.next]);
                }
            }
        }
        CUMULATIVE => {
            into.push(tag | distinct);
            let mut sum = 0;
            into.extend(successors.iter().map(|one| {
                sum += one.count;
                sum
            }));
            into.extend(successors.iter().flat_map(|one| [one.token, one.next]));
        }
        _ => {
            into.extend([tag | occurrences, distinct]);
            write_alias(successors, occurrences, into);
        }
    }
}

/// Vose's construction (1991) on integers: each of the m columns holds n, so that no rounding moves
/// a probability.
fn write_alias(successors: &[Transition], occurrences: u32, into: &mut Vec<u32>) {
    let capacity = u64::from(occurrences);
    let columns = successors.len();
    let mut weights: Vec<u64> = successors
        .iter()
        .map(|one| u64::from(one.count) * columns as u64)
        .collect();
    let mut alias: Vec<u32> = (0..columns as u32).collect();
    let (mut small, mut large): (Vec<u32>, Vec<u32>) =
        (0..columns as u32).partition(|&column| weights[column as usize] < capacity);
    while let (Some(&lesser), Some(&greater)) = (small.last(), large.last()) {
        small.pop();
        let missing = capacity - weights[lesser as usize];
        alias[lesser as usize] = greater;
        weights[greater as usize] -= missing;
        if weights[greater as usize] < capacity {
            large.pop();
            small.push(greater);
        }
    }
    for (column, one) in successors.iter().enumerate() {
        let threshold = weights[column].min(capacity) as u32;
        into.extend([threshold, alias[column], one.token, one.next, one.count]);
    }
}

/// One state within the words of a segment.
#[derive(Clone, Copy)]
pub struct State<'w> {
    encoding: u32,
    occurrences: u32,
    distinct: u32,
    /// The words after the numbers above; for a state left once the head and its next.
    body: &'w [u32],
}

impl<'w> State<'w> {
    /// The state at `reference`, which is not `NONE`.
    ///
    /// # Errors
    ///
    /// `Malformed` when the words there are no state.
    #[inline]
    pub fn at(words: &'w [u32], reference: u32) -> Result<Self, Malformed> {
        let state = words.get(reference as usize..).ok_or(Malformed)?;
        let (&head, rest) = state.split_first().ok_or(Malformed)?;
        let value = head & (HEAD_LIMIT - 1);
        let (encoding, occurrences, distinct, body) = match head >> SHIFT {
            ONCE => (ONCE, 1, 1, state.get(..2)),
            SINGLE => (SINGLE, value, 1, rest.get(..2)),
            RAW => {
                let n = value & ((1 << RAW_BITS) - 1);
                (RAW, n, value >> RAW_BITS, rest.get(..2 * n as usize))
            }
            CUMULATIVE => {
                let body = rest.get(..3 * value as usize);
                let last = (value as usize).wrapping_sub(1);
                (CUMULATIVE, *rest.get(last).ok_or(Malformed)?, value, body)
            }
            ALIAS => {
                let (&m, rows) = rest.split_first().ok_or(Malformed)?;
                (ALIAS, value, m, rows.get(..ROW * m as usize))
            }
            _ => return Err(Malformed),
        };
        if distinct == 0 || distinct > occurrences {
            return Err(Malformed);
        }
        Ok(Self {
            encoding,
            occurrences,
            distinct,
            body: body.ok_or(Malformed)?,
        })
    }

    /// How often the state was left.
    #[inline]
    #[must_use]
    pub fn occurrences(&self) -> u32 {
        self.occurrences
    }

    /// Different tokens that followed.
    #[inline]
    #[must_use]
    pub fn distinct(&self) -> u32 {
        self.distinct
    }

    /// Draws a successor in proportion to its count.
    ///
    /// # Errors
    ///
    /// `Malformed` when a row refers to none.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> Result<Step, Malformed> {
        let (body, m) = (self.body, self.distinct as usize);
        let pair = match self.encoding {
            ONCE => {
                return Ok(Step {
                    token: body[0] & (HEAD_LIMIT - 1),
                    next: body[1],
                });
            }
            SINGLE => body,
            RAW => &body[2 * rng.below(self.occurrences) as usize..],
            CUMULATIVE => {
                let (sums, pairs) = body.split_at(m);
                let drawn = rng.below(self.occurrences);
                let index = sums.partition_point(|&sum| sum <= drawn);
                pairs.get(2 * index..).ok_or(Malformed)?
            }
            _ => {
                let column = rng.below(self.distinct) as usize;
                let row = &body[ROW * column..];
                if rng.below(self.occurrences) < row[0] {
                    &row[2..]
                } else {
                    body.get(ROW * row[1] as usize + 2..).ok_or(Malformed)?
                }
            }
        };
        match *pair {
            [token, next, ..] => Ok(Step { token, next }),
            _ => Err(Malformed),
        }
    }

    /// The successor `token`, if it ever followed.
    #[must_use]
    pub fn find(&self, token: u32) -> Option<Transition> {
        let body = self.body;
        if self.encoding == ONCE {
            return self.successors().find(|one| one.token == token);
        }
        let (rows, stride, offset) = match self.encoding {
            RAW => (self.occurrences as usize, 2, 0),
            CUMULATIVE => (self.distinct as usize, 2, self.distinct as usize),
            ALIAS => (self.distinct as usize, ROW, 2),
            _ => (1, 2, 0),
        };
        let token_at = |row: usize| body[offset + stride * row];
        let first = partition(rows, |row| token_at(row) < token);
        if first == rows || token_at(first) != token {
            return None;
        }
        let place = offset + stride * first;
        let count = match self.encoding {
            SINGLE => self.occurrences,
            RAW => (partition(rows, |row| token_at(row) <= token) - first) as u32,
            CUMULATIVE => body[first].wrapping_sub(if first > 0 { body[first - 1] } else { 0 }),
            _ => body[place + 2],
        };
        Some(Transition {
            token,
            next: body[place + 1],
            count,
        })
    }

    /// Every successor, in the order of tokens.
    pub fn successors(&self) -> impl Iterator<Item = Transition> + use<'w> {
        let state = *self;
        let mut place = 0;
        std::iter::from_fn(move || {
            let one = state.successor(place)?;
            place += if state.encoding == RAW {
                one.count as usize
            } else {
                1
            };
            Some(one)
        })
    }

    /// The successor in a row; in a raw list its count is that of the rows from there on.
    fn successor(&self, row: usize) -> Option<Transition> {
        let body = self.body;
        let (token, next, count) = match self.encoding {
            ONCE if row == 0 => (body[0] & (HEAD_LIMIT - 1), body[1], 1),
            SINGLE if row == 0 => (body[0], body[1], self.occurrences),
            RAW => {
                let pairs = body.get(2 * row..).filter(|pairs| !pairs.is_empty())?;
                let same = pairs.chunks_exact(2).take_while(|pair| pair[0] == pairs[0]);
                (pairs[0], pairs[1], same.count() as u32)
            }
            CUMULATIVE if row < self.distinct as usize => {
                let (sums, pairs) = body.split_at(self.distinct as usize);
                let before = row.checked_sub(1).map_or(0, |before| sums[before]);
                (
                    pairs[2 * row],
                    pairs[2 * row + 1],
                    sums[row].wrapping_sub(before),
                )
            }
            ALIAS => {
                let row = body.get(ROW * row..ROW * (row + 1))?;
                (row[2], row[3], row[4])
            }
            _ => return None,
        };
        Some(Transition { token, next, count })
    }
}

fn partition(length: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low.midpoint(high);
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
