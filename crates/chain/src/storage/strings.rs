//! A list of texts in one piece of memory: how tokens and attachments travel, from the caller to
//! the log and back.

use std::str;

use super::encoding::{Input, put_number};

/// A buffer to fill with texts; cleared and filled again, it allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct StringsBuffer {
    count: u64,
    /// The texts' lengths in bytes, each as LEB128.
    lengths: Vec<u8>,
    text: String,
}

impl StringsBuffer {
    pub fn clear(&mut self) {
        self.count = 0;
        self.lengths.clear();
        self.text.clear();
    }

    pub fn push(&mut self, text: &str) {
        self.count += 1;
        put_number(&mut self.lengths, text.len() as u64);
        self.text.push_str(text);
    }

    #[must_use]
    pub fn strings(&self) -> Strings<'_> {
        Strings {
            count: self.count,
            lengths: &self.lengths,
            text: &self.text,
        }
    }
}

impl<T: AsRef<str>> FromIterator<T> for StringsBuffer {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut buffer = Self::default();
        for text in texts {
            buffer.push(text.as_ref());
        }
        buffer
    }
}

/// A list of texts, borrowed; its lengths are known to be those of its texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strings<'a> {
    count: u64,
    lengths: &'a [u8],
    text: &'a str,
}

impl<'a> Strings<'a> {
    #[must_use]
    pub fn iter(self) -> StringsIter<'a> {
        StringsIter {
            lengths: Input(self.lengths),
            text: self.text,
        }
    }

    pub(super) fn put(self, out: &mut Vec<u8>) {
        put_number(out, self.count);
        put_number(out, self.lengths.len() as u64);
        put_number(out, self.text.len() as u64);
        out.extend_from_slice(self.lengths);
        out.extend_from_slice(self.text.as_bytes());
    }

    /// None unless the lengths are `count` many, end between characters, and add up to the text.
    pub(super) fn take(input: &mut Input<'a>) -> Option<Self> {
        let count = input.number()?;
        let (lengths, text) = (input.number()?, input.number()?);
        let lengths = input.bytes(lengths)?;
        let text = str::from_utf8(input.bytes(text)?).ok()?;
        let mut rest = (Input(lengths), text);
        // Each length takes a byte at least, so `count` bounds the loop only together with the
        // bytes.
        for _ in 0..count {
            let length = usize::try_from(rest.0.number()?).ok()?;
            rest.1 = rest.1.get(length..)?;
        }
        let whole = rest.0.is_empty() && rest.1.is_empty();
        whole.then_some(Self {
            count,
            lengths,
            text,
        })
    }
}

impl<'a> IntoIterator for Strings<'a> {
    type Item = &'a str;
    type IntoIter = StringsIter<'a>;

    fn into_iter(self) -> StringsIter<'a> {
        self.iter()
    }
}

#[derive(Clone, Debug)]
pub struct StringsIter<'a> {
    lengths: Input<'a>,
    text: &'a str,
}

impl<'a> Iterator for StringsIter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.lengths.number()?).ok()?;
        let (text, rest) = self.text.split_at_checked(length)?;
        self.text = rest;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_that_do_not_fit_the_text_are_none() {
        for bytes in [
            &[1, 1, 2, 1, b'a', b'b'][..], // a byte is left over
            &[1, 1, 1, 2, b'a'],           // one is missing
            &[2, 1, 1, 1, b'a'],           // a length is missing
            &[2, 2, 2, 1, 1, 0xC3, 0xA9],  // between the bytes of one character
            &[0xFF, 0xFF, 0xFF, 0x7F, 0, 0],
        ] {
            assert_eq!(Strings::take(&mut Input(bytes)), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_put_is_taken(texts: Vec<String>) {
            let buffer = StringsBuffer::from_iter(&texts);
            let mut out = Vec::new();
            buffer.strings().put(&mut out);
            let taken = Strings::take(&mut Input(&out)).unwrap();
            prop_assert_eq!(taken.iter().collect::<Vec<_>>(), texts.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
