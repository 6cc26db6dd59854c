//! The live messages of several parts, as one corpus or as many as their bound makes of them.

use super::gathered::Ids;
use super::plan::Input;
use crate::messages::Table;
use crate::segment::build::Corpus;
use crate::segment::states::BOUNDARY;
use crate::{Error, Result};

/// All live messages of a group, in their order. Of two with the same id the earlier one: while the
/// segment that has it could not be read, the other was learned in its place.
pub(super) struct Gathering<'g> {
    group: &'g [Input],
    /// How far each part was read.
    places: Vec<usize>,
    ids: Ids,
    /// Places that a corpus may have: what was made under a larger bound becomes several.
    most: u64,
}

impl<'g> Gathering<'g> {
    pub fn of(group: &'g [Input], most: u64) -> Self {
        Self {
            group,
            places: vec![0; group.len()],
            ids: Ids::default(),
            most,
        }
    }

    /// The next messages; none if there are no more.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` for a segment that cannot be read.
    pub fn next(&mut self) -> Result<Option<(Corpus, Table)>> {
        let group = self.group;
        let mut corpus = Corpus::default();
        let mut table = Table::new();
        let mut numbers: Vec<Vec<u32>> = group
            .iter()
            .map(|input| vec![BOUNDARY; input.tokens()])
            .collect();
        let mut tokens = Vec::new();
        let mut attachments = Vec::new();
        while (corpus.text.len() as u64) < self.most.max(2) {
            let next = (0..group.len())
                .filter(|&index| self.places[index] < group[index].messages())
                .min_by_key(|&index| group[index].sequence(self.places[index]));
            let Some(index) = next else { break };
            let (input, message) = (&group[index], self.places[index]);
            self.places[index] += 1;
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
            if group.len() > 1 && !self.ids.insert(&about.id) {
                continue;
            }
            table.push(&about)?;
            for &token in &tokens {
                let number = renumber(&mut corpus, &mut numbers[index], input, token)?;
                corpus.text.push(number);
            }
            corpus.text.push(BOUNDARY);
        }
        Ok((!table.is_empty()).then_some((corpus, table)))
    }
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
