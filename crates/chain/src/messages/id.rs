//! Message ids as numbers of 64 bits: two bits of kind, 62 of value.
//!
//! | kind | value |
//! | --- | --- |
//! | number (0) | the number itself |
//! | text (1) | number of the text among the names |
//! | own (2) | 0: the message's sequence number; else one more than the number |
//! | large (3) | what 62 bits do not hold, as text among the names: `123`, or `~123` for own |
//!
//! That an own id says no more than "the sequence" keeps a column of them alike, whatever was
//! forgotten in between.

use crate::storage::MessageId;

const SHIFT: u32 = 62;
const LIMIT: u64 = 1 << SHIFT;

const NUMBER: u64 = 0;
const TEXT: u64 = 1;
const OWN: u64 = 2;
const LARGE: u64 = 3;

/// The id is the sequence number.
pub(super) const SEQUENCE: u64 = OWN << SHIFT;

/// The code of an id; none where `name` has no number for a text.
pub(super) fn encode(
    id: &MessageId,
    sequence: u64,
    mut name: impl FnMut(&str) -> Option<u32>,
) -> Option<u64> {
    let (kind, value) = match id {
        MessageId::Own(number) if *number == sequence => return Some(SEQUENCE),
        MessageId::Own(number) if *number < LIMIT - 1 => (OWN, number + 1),
        MessageId::Own(number) => (LARGE, name(&format!("~{number}"))?.into()),
        MessageId::Number(number) if *number < LIMIT => (NUMBER, *number),
        MessageId::Number(number) => (LARGE, name(&number.to_string())?.into()),
        MessageId::Text(text) => (TEXT, name(text)?.into()),
    };
    Some(kind << SHIFT | value)
}

/// The id of a code; none where it names a text that is none.
pub(super) fn decode<'n>(
    code: u64,
    sequence: u64,
    name: impl FnOnce(u32) -> Option<&'n str>,
) -> Option<MessageId> {
    let value = code & (LIMIT - 1);
    let name = || u32::try_from(value).ok().and_then(name);
    Some(match code >> SHIFT {
        NUMBER => MessageId::Number(value),
        TEXT => MessageId::Text(name()?.to_owned()),
        OWN => MessageId::Own(value.checked_sub(1).unwrap_or(sequence)),
        _ => {
            let text = name()?;
            match text.strip_prefix('~') {
                Some(number) => MessageId::Own(number.parse().ok()?),
                None => MessageId::Number(text.parse().ok()?),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_survives() {
        let numbers = [0, 1, 17, LIMIT - 2, LIMIT - 1, LIMIT, u64::MAX];
        let mut ids = vec![MessageId::Text("<a@b>".to_owned())];
        ids.extend(numbers.map(MessageId::Number));
        ids.extend(numbers.map(MessageId::Own));
        for id in ids {
            for sequence in [0, 17, u64::MAX] {
                let mut named = String::new();
                let code = encode(&id, sequence, |text| {
                    text.clone_into(&mut named);
                    Some(7)
                });
                let code = code.unwrap();
                let name = |number| (number == 7).then_some(named.as_str());
                assert_eq!(decode(code, sequence, name), Some(id.clone()));
            }
        }
    }

    #[test]
    fn an_own_id_takes_no_room_of_its_own() {
        let code = |number| encode(&MessageId::Own(number), number, |_| None);
        assert_eq!(code(3), Some(SEQUENCE));
        assert_eq!(code(900), Some(SEQUENCE));
    }

    #[test]
    fn a_text_without_number_has_no_code() {
        assert_eq!(encode(&MessageId::Text("x".to_owned()), 1, |_| None), None);
        assert_eq!(decode(TEXT << SHIFT | 9, 1, |_| None), None);
        assert_eq!(decode(LARGE << SHIFT | 1, 1, |_| Some("twelve")), None);
    }
}
