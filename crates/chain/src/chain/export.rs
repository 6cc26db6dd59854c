//! Writing an archive.

use std::io::{BufWriter, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::Chain;
use super::archive::{End, Head, Line, VERSION};
use super::fresh::Fresh;
use super::held::Held;
use super::live::Live;
use crate::dead::Dead;
use crate::{Error, Result};

impl Chain {
    /// Writes every live message to an archive; how many there were. It is the chain as it was at
    /// the beginning; nobody waits meanwhile.
    ///
    /// # Errors
    ///
    /// `Error::Io`, and `Error::Damaged` for a segment or log that cannot be read: a part is not
    /// passed off as the whole.
    pub fn export(&self, into: &mut dyn Write) -> Result<u64> {
        let live = self.live().clone();
        let counters = match &self.writer {
            Some(writer) => self.state(writer)?.counters.clone(),
            None => live.counters.clone(),
        };
        if let Some((entry, why)) = live.broken.first() {
            return Err(Error::damaged(
                &self.directory,
                format!("segment {} cannot be exported: {why}", entry.number),
            ));
        }
        if let Some(why) = live.log_damage.first() {
            return Err(Error::damaged(
                &self.directory,
                format!("it cannot be exported: {why}"),
            ));
        }
        for held in &live.segments {
            held.check(&self.directory).or_else(|error| match error {
                // A merge may have replaced it since; what is mapped is still there.
                Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
                error => Err(error),
            })?;
        }
        let mut out = GzEncoder::new(BufWriter::new(into), Compression::fast());
        let head = Head {
            chaffinch_chain: VERSION,
            options: live.options.clone(),
            counters,
            names: live.names,
        };
        put(&mut out, &head)?;
        let mut messages = 0;
        each(&live, &mut |line| {
            messages += 1;
            put(&mut out, line)
        })?;
        put(&mut out, &End { messages })?;
        let finished = out.finish().and_then(|mut rest| rest.flush());
        finished.map_err(Error::io("writing the archive"))?;
        Ok(messages)
    }
}

/// Messages of which some may be forgotten.
enum Part<'l> {
    Held(&'l Held),
    Delta(&'l Fresh, &'l Dead),
}

impl Part<'_> {
    fn messages(&self) -> usize {
        match self {
            Self::Held(held) => held.messages.len(),
            Self::Delta(fresh, _) => fresh.table.len(),
        }
    }

    fn sequence(&self, message: usize) -> u64 {
        match self {
            Self::Held(held) => held.messages.sequence(message),
            Self::Delta(fresh, _) => fresh.table.sequence(message),
        }
    }

    fn is_dead(&self, message: usize) -> bool {
        match self {
            Self::Held(held) => held.dead.contains(message as u32),
            Self::Delta(_, dead) => dead.contains(message as u32),
        }
    }

    fn line(&self, message: usize, numbers: &mut Vec<u32>) -> Result<Line> {
        let (about, tokens) = match self {
            Self::Held(held) => {
                held.messages.tokens(message, numbers)?;
                let vocabulary = held.segment.vocabulary();
                let tokens = numbers
                    .iter()
                    .map(|&token| vocabulary.get(token).to_owned())
                    .collect();
                (held.messages.about(message)?, tokens)
            }
            Self::Delta(fresh, _) => {
                let vocabulary = fresh.delta.vocabulary();
                let tokens = fresh.delta.message(message as u32).iter();
                let tokens = tokens
                    .map(|&token| vocabulary.get(token).to_owned())
                    .collect();
                (fresh.table.about(message).into_owned(), tokens)
            }
        };
        Ok(Line {
            id: about.id.to_string(),
            author: about.author,
            channel: about.channel,
            time_ms: about.time_ms,
            attachments: about.attachments,
            tokens,
        })
    }
}

/// Every live message, in the order in which they were learned.
fn each(live: &Live, take: &mut dyn FnMut(&Line) -> Result<()>) -> Result<()> {
    let deltas = live.deltas().map(|(fresh, dead)| Part::Delta(fresh, dead));
    let parts: Vec<Part<'_>> = live.segments.iter().map(Part::Held).chain(deltas).collect();
    let mut places = vec![0; parts.len()];
    let mut numbers = Vec::new();
    loop {
        let rest = (0..parts.len()).filter(|&part| places[part] < parts[part].messages());
        let Some(part) = rest.min_by_key(|&part| parts[part].sequence(places[part])) else {
            return Ok(());
        };
        let message = places[part];
        places[part] += 1;
        if !parts[part].is_dead(message) {
            take(&parts[part].line(message, &mut numbers)?)?;
        }
    }
}

fn put(out: &mut dyn Write, value: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value).map_err(|error| Error::input(error.to_string()))?;
    line.push(b'\n');
    out.write_all(&line)
        .map_err(Error::io("writing the archive"))
}
