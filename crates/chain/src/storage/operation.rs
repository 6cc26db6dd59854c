//! What a log holds: the operations that make a chain what it is, and their encoding.

use super::encoding::{Input, put_number, put_signed, put_text};
use super::message_id::MessageId;
use super::strings::Strings;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    Learn(Learn<'a>),
    Forget {
        what: Forget,
        /// Messages with a greater sequence came later and stay.
        up_to_sequence: u64,
    },
    /// Adds to a counter that outlasts the process, such as caps hit.
    Count {
        name: &'a str,
        by: u64,
    },
}

/// One message, as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learn<'a> {
    /// The chain's own running number of the message.
    pub sequence: u64,
    pub id: MessageId,
    /// Empty: unknown.
    pub author: &'a str,
    /// Empty: unknown.
    pub channel: &'a str,
    /// Milliseconds since 1970 in UTC; none when unknown.
    pub time_ms: Option<i64>,
    pub attachments: Strings<'a>,
    pub text_tokens: Strings<'a>,
}

/// Which messages go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Forget {
    Message(MessageId),
    Author(String),
    Channel(String),
    /// Those with a known time before this one, in milliseconds since 1970 in UTC.
    Before(i64),
}

// The tags of the format; a number is never given twice, and 3 is of an operation that is gone.
const LEARN: u8 = 1;
const FORGET: u8 = 2;
const COUNT: u8 = 4;

const ID_NUMBER: u8 = 0;
const ID_TEXT: u8 = 1;
const ID_OWN: u8 = 2;

const FORGET_MESSAGE: u8 = 0;
const FORGET_AUTHOR: u8 = 1;
const FORGET_CHANNEL: u8 = 2;
const FORGET_BEFORE: u8 = 3;

impl<'a> Operation<'a> {
    /// Appends the operation's bytes to `out`.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Learn(learn) => {
                out.push(LEARN);
                learn.put(out);
            }
            Self::Forget {
                what,
                up_to_sequence,
            } => {
                out.push(FORGET);
                what.put(out);
                put_number(out, *up_to_sequence);
            }
            Self::Count { name, by } => {
                out.push(COUNT);
                put_text(out, name);
                put_number(out, *by);
            }
        }
    }

    /// None if the bytes are not an operation's.
    pub(super) fn take(input: &mut Input<'a>) -> Option<Self> {
        Some(match input.byte()? {
            LEARN => Self::Learn(Learn::take(input)?),
            FORGET => Self::Forget {
                what: Forget::take(input)?,
                up_to_sequence: input.number()?,
            },
            COUNT => Self::Count {
                name: input.text()?,
                by: input.number()?,
            },
            _ => return None,
        })
    }
}

impl<'a> Learn<'a> {
    fn put(&self, out: &mut Vec<u8>) {
        put_number(out, self.sequence);
        self.id.put(out);
        put_text(out, self.author);
        put_text(out, self.channel);
        out.push(u8::from(self.time_ms.is_some()));
        if let Some(time) = self.time_ms {
            put_signed(out, time);
        }
        self.attachments.put(out);
        self.text_tokens.put(out);
    }

    fn take(input: &mut Input<'a>) -> Option<Self> {
        Some(Self {
            sequence: input.number()?,
            id: MessageId::take(input)?,
            author: input.text()?,
            channel: input.text()?,
            time_ms: if input.flag()? {
                Some(input.signed()?)
            } else {
                None
            },
            attachments: Strings::take(input)?,
            text_tokens: Strings::take(input)?,
        })
    }
}

impl MessageId {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => {
                out.push(ID_NUMBER);
                put_number(out, *number);
            }
            Self::Text(text) => {
                out.push(ID_TEXT);
                put_text(out, text);
            }
            Self::Own(number) => {
                out.push(ID_OWN);
                put_number(out, *number);
            }
        }
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        Some(match input.byte()? {
            ID_NUMBER => Self::Number(input.number()?),
            ID_TEXT => Self::Text(input.text()?.to_owned()),
            ID_OWN => Self::Own(input.number()?),
            _ => return None,
        })
    }
}

impl Forget {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Message(id) => {
                out.push(FORGET_MESSAGE);
                id.put(out);
            }
            Self::Author(author) => {
                out.push(FORGET_AUTHOR);
                put_text(out, author);
            }
            Self::Channel(channel) => {
                out.push(FORGET_CHANNEL);
                put_text(out, channel);
            }
            Self::Before(time) => {
                out.push(FORGET_BEFORE);
                put_signed(out, *time);
            }
        }
    }

    fn take(input: &mut Input<'_>) -> Option<Self> {
        Some(match input.byte()? {
            FORGET_MESSAGE => Self::Message(MessageId::take(input)?),
            FORGET_AUTHOR => Self::Author(input.text()?.to_owned()),
            FORGET_CHANNEL => Self::Channel(input.text()?.to_owned()),
            FORGET_BEFORE => Self::Before(input.signed()?),
            _ => return None,
        })
    }
}

/// The operations of one payload, in order. Ends early where the bytes are not an operation's.
#[derive(Clone, Debug)]
pub(super) struct Operations<'a>(Input<'a>);

impl<'a> Operations<'a> {
    /// None unless all of the payload is operations: those of a batch are there together or not at
    /// all.
    pub fn of(payload: &'a [u8]) -> Option<Self> {
        let (_, whole) = Self::examine(payload);
        whole.then_some(Self(Input(payload)))
    }

    /// How many bytes it took to tell, and whether all of the payload is operations.
    pub fn examine(payload: &'a [u8]) -> (usize, bool) {
        let mut input = Input(payload);
        let mut whole = true;
        while whole && !input.is_empty() {
            whole = Operation::take(&mut input).is_some();
        }
        (payload.len() - input.0.len(), whole)
    }
}

impl<'a> Iterator for Operations<'a> {
    type Item = Operation<'a>;

    fn next(&mut self) -> Option<Operation<'a>> {
        Operation::take(&mut self.0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::strings::StringsBuffer;
    use super::*;

    /// An operation that owns its texts, as tests make and compare them.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) enum Owned {
        Learn(u64, MessageId, [String; 2], Option<i64>, [Vec<String>; 2]),
        Forget(Forget, u64),
        Count(String, u64),
    }

    impl Owned {
        pub(crate) fn with<R>(&self, use_it: impl FnOnce(&Operation<'_>) -> R) -> R {
            match self.clone() {
                Self::Learn(sequence, id, [author, channel], time_ms, lists) => {
                    let [attachments, tokens] = lists.map(StringsBuffer::from_iter);
                    use_it(&Operation::Learn(Learn {
                        sequence,
                        id,
                        author: &author,
                        channel: &channel,
                        time_ms,
                        attachments: attachments.strings(),
                        text_tokens: tokens.strings(),
                    }))
                }
                Self::Forget(what, up_to_sequence) => use_it(&Operation::Forget {
                    what,
                    up_to_sequence,
                }),
                Self::Count(name, by) => use_it(&Operation::Count { name: &name, by }),
            }
        }
    }

    impl From<Operation<'_>> for Owned {
        fn from(operation: Operation<'_>) -> Self {
            let list = |strings: Strings<'_>| strings.iter().map(str::to_owned).collect();
            match operation {
                Operation::Learn(learn) => Self::Learn(
                    learn.sequence,
                    learn.id,
                    [learn.author.to_owned(), learn.channel.to_owned()],
                    learn.time_ms,
                    [list(learn.attachments), list(learn.text_tokens)],
                ),
                Operation::Forget {
                    what,
                    up_to_sequence,
                } => Self::Forget(what, up_to_sequence),
                Operation::Count { name, by } => Self::Count(name.to_owned(), by),
            }
        }
    }

    fn message_id() -> impl Strategy<Value = MessageId> {
        prop_oneof![
            any::<u64>().prop_map(MessageId::Number),
            any::<String>().prop_map(MessageId::Text),
            any::<u64>().prop_map(MessageId::Own),
        ]
    }

    pub(crate) fn operation() -> impl Strategy<Value = Owned> {
        let forget = prop_oneof![
            message_id().prop_map(Forget::Message),
            any::<String>().prop_map(Forget::Author),
            any::<String>().prop_map(Forget::Channel),
            any::<i64>().prop_map(Forget::Before),
        ];
        prop_oneof![
            (
                any::<u64>(),
                message_id(),
                any::<[String; 2]>(),
                any::<Option<i64>>(),
                any::<[Vec<String>; 2]>()
            )
                .prop_map(|(sequence, id, names, time, lists)| {
                    Owned::Learn(sequence, id, names, time, lists)
                }),
            (forget, any::<u64>()).prop_map(|(what, up_to)| Owned::Forget(what, up_to)),
            any::<(String, u64)>().prop_map(|(name, by)| Owned::Count(name, by)),
        ]
    }

    #[test]
    fn the_tag_of_an_operation_that_is_gone_is_no_other() {
        assert!(Operations::of(&[3, 1, b'f', 4, 5, 1]).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_put_is_taken(operations in prop::collection::vec(operation(), 0..6)) {
            let mut out = Vec::new();
            for operation in &operations {
                operation.with(|operation| operation.put(&mut out));
            }
            let taken: Vec<Owned> = Operations::of(&out).unwrap().map(Owned::from).collect();
            prop_assert_eq!(taken, operations);
        }

        #[test]
        fn a_cut_operation_is_none(operation in operation()) {
            let mut out = Vec::new();
            operation.with(|operation| operation.put(&mut out));
            for length in 1..out.len() {
                prop_assert!(Operations::of(&out[..length]).is_none());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_bytes_are_operations_or_none(mut bytes in prop::collection::vec(any::<u8>(), 0..200), tag in 0..5_u8) {
            // A tag that exists, so that more than the first byte is looked at.
            bytes.insert(0, tag);
            if let Some(operations) = Operations::of(&bytes) {
                prop_assert!(operations.count() <= bytes.len());
            }
        }
    }
}
