//! Taking a message's transitions off the states that they went into.

use crate::dead::Dead;
use crate::delta::{Delta, Ref, Side};
use crate::segment::states::{BOUNDARY, Malformed, NONE, State};
use crate::segment::{Direction, Segment};

const MAX_ORDER: usize = 4;

/// Of a segment's message. Transitions that were left out for want of support are not there to be
/// taken off.
pub fn in_segment(segment: &Segment, tokens: &[u32], dead: &mut Dead) -> Result<(), Malformed> {
    let order = segment.about().order;
    for (direction, message) in readings(tokens) {
        let (words, roots) = (segment.words(direction), segment.roots(direction));
        if words.is_empty() {
            continue;
        }
        let longer = |state: u32, token: u32| -> Result<Option<u32>, Malformed> {
            if state == NONE {
                return Ok(None);
            }
            Ok(State::at(words, state)?.find(token).map(|found| found.next))
        };
        let root = |token: u32| roots.get(token as usize).copied().unwrap_or(NONE);
        let removed = dead.side_mut(direction);
        let remove = |state, token| removed.remove(state, token);
        take_off(order, message, root, longer, remove)?;
    }
    Ok(())
}

/// Of a delta's message.
pub fn in_delta(delta: &Delta, message: u32, dead: &mut Dead) {
    let sides: [(Direction, Option<&Side>); 2] = [
        (Direction::Forward, Some(delta.forward())),
        (Direction::Backward, delta.backward()),
    ];
    for ((direction, message), (_, side)) in readings(delta.message(message)).into_iter().zip(sides)
    {
        let Some(side) = side else { continue };
        let root = |token: u32| side.state(&[token]).map_or(NONE, Ref::number);
        let longer = |state: u32, token: u32| {
            let longer = |state| {
                side.longer(Ref::from_number(state), token)
                    .map_or(NONE, Ref::number)
            };
            Ok((state != NONE).then(|| longer(state)))
        };
        let removed = dead.side_mut(direction);
        let remove = |state, token| {
            let followed = side.followed(Ref::from_number(state));
            removed.remove_from(state, token, followed);
        };
        let done = take_off(delta.order(), message, root, longer, remove);
        debug_assert!(done.is_ok(), "memory is not malformed");
    }
}

type Reading<'t> = Box<dyn Iterator<Item = u32> + 't>;

fn readings(tokens: &[u32]) -> [(Direction, Reading<'_>); 2] {
    let end = std::iter::once(BOUNDARY);
    [
        (
            Direction::Forward,
            Box::new(tokens.iter().copied().chain(end.clone())),
        ),
        (
            Direction::Backward,
            Box::new(tokens.iter().rev().copied().chain(end)),
        ),
    ]
}

/// Goes along a message with the states of all orders. `longer` is the state that a token leads to
/// from a shorter one; none if the token does not follow it.
fn take_off(
    order: usize,
    message: Reading<'_>,
    root: impl Fn(u32) -> u32,
    longer: impl Fn(u32, u32) -> Result<Option<u32>, Malformed>,
    mut remove: impl FnMut(u32, u32),
) -> Result<(), Malformed> {
    let mut states = [NONE; MAX_ORDER];
    states[0] = root(BOUNDARY);
    for token in message {
        let mut next = [NONE; MAX_ORDER];
        next[0] = root(token);
        for level in 0..order {
            if states[level] == NONE {
                continue;
            }
            if let Some(state) = longer(states[level], token)? {
                remove(states[level], token);
                if level + 1 < order {
                    next[level + 1] = state;
                }
            }
        }
        states = next;
    }
    Ok(())
}
