//! Reading a whole file: its checksums, and whether its parts make sense together.

use std::ops::ControlFlow;

use super::Messages;
use super::tokens::STRIDE;
use crate::Result;

impl Messages {
    /// Reads everything: checksums first, then what the parts say.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` with the first thing that is wrong; `Error::Io`.
    pub fn verify(&self) -> Result<()> {
        self.sections.verify()?;
        self.verify_structure()
    }

    pub(super) fn verify_structure(&self) -> Result<()> {
        self.verify_rows()?;
        self.verify_names()?;
        self.verify_order()?;
        self.verify_attachments()?;
        self.verify_tokens()
    }

    fn verify_rows(&self) -> Result<()> {
        let wrong = |index: usize, what: &str| self.damaged(format!("message {index} has {what}"));
        let mut attachments = Vec::new();
        for index in 0..self.count {
            self.about_in(index, &mut attachments)?;
            if index > 0 && self.sequence(index - 1) >= self.sequence(index) {
                return Err(wrong(
                    index,
                    "no higher sequence number than the one before",
                ));
            }
        }
        Ok(())
    }

    fn verify_names(&self) -> Result<()> {
        let names = [&self.id_names, &self.author_names, &self.channel_names];
        if !names.iter().all(|names| names.whole(&self.sections, true)) {
            return Err(self.damaged("its names are not those of their index"));
        }
        if !self.addresses.whole(&self.sections, false) {
            return Err(self.damaged("the addresses of its attachments cannot be read"));
        }
        Ok(())
    }

    /// Sorted by id, then by place: nothing can stand twice, or be left out.
    fn verify_order(&self) -> Result<()> {
        let order = self.sections.slice::<u32>(&self.order);
        let key = |place: usize| {
            let index = order.get(place).map_or(place, |&index| index as usize);
            self.ids
                .get(&self.sections, index)
                .map(|code| (code, index))
        };
        let ascending = |place: usize| match (key(place - 1), key(place)) {
            (Some(before), Some(this)) => before < this,
            _ => false,
        };
        if (1..self.count).all(ascending) {
            Ok(())
        } else {
            Err(self.damaged("its ids are not in order"))
        }
    }

    fn verify_attachments(&self) -> Result<()> {
        let attached = self.sections.slice::<u32>(&self.attached);
        let last = attached.last().map_or(0, |&message| message as usize + 1);
        if attached.is_sorted() && last <= self.count {
            Ok(())
        } else {
            Err(self.damaged("its attachments are not in the order of messages"))
        }
    }

    fn verify_tokens(&self) -> Result<()> {
        let offsets = self.sections.slice::<u32>(&self.offsets);
        let bytes = self.sections.slice::<u8>(&self.tokens);
        let mut wrong = None;
        self.for_each_tokens(|index, tokens| {
            if tokens.is_empty() {
                wrong = Some(index);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if let Some(index) = wrong {
            return Err(self.damaged(format!("message {index} is empty")));
        }
        let mut ends = (0..)
            .zip(bytes)
            .filter(|&(_, &byte)| byte == 0)
            .map(|(at, _): (usize, _)| at);
        let mut expected = 0;
        for &offset in offsets {
            if offset as usize != expected {
                return Err(self.damaged("its offsets are not those of its messages"));
            }
            expected = ends.nth(STRIDE - 1).map_or(bytes.len(), |end| end + 1);
        }
        if expected == bytes.len() {
            Ok(())
        } else {
            Err(self.damaged("its tokens go on behind its last message"))
        }
    }
}
