//! Counters that outlast the process: what was not learned as it came.

use std::collections::BTreeMap;

use super::learn::Added;
use crate::guard::Replaced;

const TOKENS_DROPPED: &str = "tokens_dropped";
const TOKENS_SHORTENED: &str = "tokens_shortened";
const MESSAGES_CUT: &str = "messages_cut";
const MESSAGES_EMPTY: &str = "messages_empty";
const NO_ROOM: &str = "vocabulary_full";
pub(super) const RECORDS_BAD: &str = "records_bad";
/// Before the kind of what was replaced.
const REPLACED: &str = "replaced_";

/// What to add to counters, by name; none of it is 0.
pub(super) type Counts = BTreeMap<String, u64>;

pub(super) fn counts(added: &Added, replaced: &Replaced) -> Counts {
    let plain = [
        (TOKENS_DROPPED, added.cut.tokens_dropped),
        (TOKENS_SHORTENED, added.cut.tokens_shortened),
        (MESSAGES_CUT, added.cut.messages_cut),
        (MESSAGES_EMPTY, added.empty),
        (NO_ROOM, added.no_room),
    ];
    let plain = plain.into_iter().map(|(name, by)| (name.to_owned(), by));
    let replaced = replaced
        .iter()
        .map(|(kind, by)| (format!("{REPLACED}{}", kind.name()), by));
    plain.chain(replaced).filter(|(_, by)| *by > 0).collect()
}

pub(super) fn add(to: &mut Counts, counts: &Counts) {
    for (name, by) in counts {
        *to.entry(name.clone()).or_default() += by;
    }
}

pub(super) fn take_off(from: &mut Counts, counts: &Counts) {
    for (name, by) in counts {
        if let Some(count) = from.get_mut(name) {
            *count = count.saturating_sub(*by);
        }
    }
    from.retain(|_, count| *count > 0);
}
