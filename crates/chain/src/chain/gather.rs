//! The live messages of several parts as one corpus.

use super::gathered::Ids;
use super::plan::Input;
use crate::messages::Table;
use crate::segment::build::Corpus;
use crate::segment::states::BOUNDARY;
use crate::{Error, Result};

/// All live messages of a group, in their order. Of two with the same id the earlier one: while the
/// segment that has it could not be read, the other was learned in its place.
///
/// # Errors
///
/// `Error::Damaged` for a segment that cannot be read.
pub(super) fn gather(group: &[Input]) -> Result<(Corpus, Table)> {
    let mut corpus = Corpus::default();
    let mut table = Table::new();
    let mut numbers: Vec<Vec<u32>> = group
        .iter()
        .map(|input| vec![BOUNDARY; input.tokens()])
        .collect();
    let mut places = vec![0; group.len()];
    let mut ids = Ids::default();
    let mut tokens = Vec::new();
    let mut attachments = Vec::new();
    loop {
        let next = (0..group.len())
            .filter(|&index| places[index] < group[index].messages())
            .min_by_key(|&index| group[index].sequence(places[index]));
        let Some(index) = next else { break };
        let (input, message) = (&group[index], places[index]);
        places[index] += 1;
        if input.dead().contains(message as u32) {
            continue;
        }
        let about = match input {
            Input::Held(held) => {
                held.messages.tokens(message, &mut tokens)?;
                held.messages.about_in(message, &mut attachments)?
            }
            Input::Frozen(frozen) => {
                tokens.clear();
                tokens.extend_from_slice(frozen.fresh.delta.message(message as u32));
                frozen.fresh.table.about(message)
            }
        };
        if group.len() > 1 && !ids.insert(&about.id) {
            continue;
        }
        table.push(&about)?;
        for &token in &tokens {
            let number = renumber(&mut corpus, &mut numbers[index], input, token)?;
            corpus.text.push(number);
        }
        corpus.text.push(BOUNDARY);
    }
    Ok((corpus, table))
}

/// The corpus's number of a part's token, looked up once.
fn renumber(corpus: &mut Corpus, numbers: &mut [u32], input: &Input, token: u32) -> Result<u32> {
    let unknown = |input: &Input| match input {
        Input::Held(held) => {
            Error::damaged(held.segment.path(), format!("it has no token {token}"))
        }
        Input::Frozen(_) => Error::input("the delta has no such token"),
    };
    let known = numbers
        .get_mut(token as usize)
        .ok_or_else(|| unknown(input))?;
    if *known == BOUNDARY {
        let text = match input {
            Input::Held(held) => held.segment.vocabulary().get(token),
            Input::Frozen(frozen) => frozen.fresh.delta.vocabulary().get(token),
        };
        if text.is_empty() {
            return Err(unknown(input));
        }
        *known = corpus
            .vocabulary
            .intern(text, u32::MAX)
            .ok_or_else(|| Error::input("a segment's vocabulary is full"))?;
    }
    Ok(*known)
}
