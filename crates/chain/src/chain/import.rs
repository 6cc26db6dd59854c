//! Making a chain from an archive: beside the place where it belongs, and put there when it is
//! whole.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::archive::{Entry, Head, Line, Lines};
use super::counters::{self, Counts};
use super::gathered::Gathered;
use super::learn::{Added, Prepared};
use super::merge::Extent;
use super::output::write_segment;
use super::publish::Change;
use super::{Chain, Opening, PLACE_BYTES, SEGMENT_MEMORY};
use crate::messages::About;
use crate::record::{check_attachments, check_name};
use crate::storage::{Disk, MessageId, RealDisk, WriterLock};
use crate::tokens::{self, Cut, Limits, Mode, Tokenizer, Tokens};
use crate::{Error, Result};

/// The chain counts on from the greatest of its own ids: so many are left.
const MAX_OWN_ID: u64 = 1 << 60;

impl Chain {
    /// Makes a chain from an archive in a directory where there is none; how many messages it
    /// holds. They keep their ids. `names` are what its guard replaces from now on, since the
    /// archive does not tell which they were. It replaces in the archive's messages too: whoever
    /// made it may have had other names, another guard or none.
    ///
    /// # Errors
    ///
    /// `Error::Input` if something is in the directory already, for a line that is not an
    /// archive's, and if the chain had names and none are given, not even an empty list;
    /// `Error::Locked` if another import into it goes on; `Error::Io`. The directory is as it was
    /// then.
    pub fn import(
        directory: &Path,
        archive: &mut dyn Read,
        names: Option<&[String]>,
    ) -> Result<u64> {
        Self::import_bounded(
            directory,
            archive,
            names,
            (SEGMENT_MEMORY / PLACE_BYTES) as u64,
        )
    }

    pub(super) fn import_bounded(
        directory: &Path,
        archive: &mut dyn Read,
        names: Option<&[String]>,
        segment_places: u64,
    ) -> Result<u64> {
        let input = MultiGzDecoder::new(BufReader::new(archive));
        let mut lines = Lines::new(BufReader::with_capacity(1 << 18, input));
        let head = lines.head()?;
        if !is_free(directory) {
            return Err(occupied(directory));
        }
        if head.names > 0 && names.is_none() {
            return Err(Error::input(format!(
                "the chain replaced {} names, which its archive does not tell: give them again \
                 (--names), or an empty list to go on without",
                head.names
            )));
        }
        let (parent, beside) = beside(directory)?;
        let made = missing(&parent);
        let imported = Self::import_beside(
            directory,
            &parent,
            &beside,
            head,
            names.unwrap_or_default(),
            &mut lines,
            segment_places,
        );
        if imported.is_err() {
            // Those that are empty: nobody else has put anything there.
            let _ = made.iter().try_for_each(fs::remove_dir);
        }
        imported
    }

    fn import_beside<R: BufRead>(
        directory: &Path,
        parent: &Path,
        beside: &Path,
        head: Head,
        names: &[String],
        lines: &mut Lines<R>,
        segment_places: u64,
    ) -> Result<u64> {
        RealDisk.create_directory(parent)?;
        let opening = Opening {
            write: true,
            create: Some(head.options),
            names: names.to_vec(),
        };
        clear(beside)?;
        let mut chain = Self::open(beside, &opening)?;
        chain.segment_places = segment_places;
        let imported = chain.take_in(lines, &head.counters).and_then(|messages| {
            fs::rename(beside, directory).map_err(|error| match error.kind() {
                ErrorKind::DirectoryNotEmpty
                | ErrorKind::AlreadyExists
                | ErrorKind::NotADirectory => occupied(directory),
                _ => Error::io(format!("putting in place {}", directory.display()))(error),
            })?;
            RealDisk.sync_directory(parent)?;
            Ok(messages)
        });
        if imported.is_err() {
            // The lock is held: everything in it is of this import. What stays is removed by the
            // next one.
            let _ = fs::remove_dir_all(beside);
        }
        imported
    }

    fn take_in<R: BufRead>(&self, lines: &mut Lines<R>, counters: &Counts) -> Result<u64> {
        let mut messages = 0;
        let mut gathered = Gathered::default();
        let mut done = Added::default();
        let mut prepared = Prepared::default();
        let mut own = HashSet::new();
        let mut check = Check::new(&self.tokenizer);
        let mut base = 1;
        loop {
            let line = match lines.next()? {
                Entry::Message(line) => line,
                Entry::End(end) if end.messages == messages => break,
                Entry::End(end) => {
                    return Err(lines.wrong(&format!(
                        "{} messages were written, {messages} are there",
                        end.messages
                    )));
                }
            };
            check
                .line(&line)
                .map_err(|error| lines.wrong(&error.to_string()))?;
            let id: MessageId = line
                .id
                .parse()
                .map_err(|error: Error| lines.wrong(&error.to_string()))?;
            let is_double = match id {
                MessageId::Own(number) => !own.insert(number),
                _ => gathered.has(&id),
            };
            if is_double || self.live().has(&id)? {
                return Err(lines.wrong(&format!("the id {id} is there twice")));
            }
            messages += 1;
            if self.replace(check.text(&line), &mut prepared) {
                take_line(&mut gathered, base, id, &line, prepared.tokens.iter())?;
            } else {
                let tokens = line.tokens.iter().map(String::as_str);
                take_line(&mut gathered, base, id, &line, tokens)?;
            }
            if gathered.places() >= self.segment_places
                || gathered.memory_bytes() >= self.gathered_bytes
            {
                done += gathered.added;
                base = self.take_in_segment(std::mem::take(&mut gathered), Counts::new())?;
                // Whether older segments have an id, they know.
                own.clear();
            }
        }
        lines.finish()?;
        done += gathered.added;
        let learned = done.learned;
        done.cut = prepared.cut;
        let mut counted = counters.clone();
        counters::add(&mut counted, &counters::counts(&done, &prepared.replaced));
        self.take_in_segment(gathered, counted)?;
        self.merge(Extent::Due)?;
        Ok(learned)
    }

    /// Fills `prepared` with the tokens of a text in which the guard replaces something, and adds
    /// up there what that took; false for any other text.
    fn replace(&self, text: &str, prepared: &mut Prepared) -> bool {
        let Some(guard) = &self.guard else {
            return false;
        };
        let before = prepared.replaced.total();
        let text = guard.redact(text, &mut prepared.replaced);
        let replaces = prepared.replaced.total() > before;
        if replaces {
            self.tokenizer
                .tokenize(&text, &mut prepared.tokens, &mut prepared.cut);
        }
        replaces
    }

    /// The sequence number of the next message.
    fn take_in_segment(&self, gathered: Gathered, counted: Counts) -> Result<u64> {
        let _merging = self.merging()?;
        let writer = self.writer()?;
        let number = {
            let mut state = self.state(writer)?;
            state.begin_building();
            state.next_sequence += gathered.table.len() as u64;
            // Own ids are not given twice.
            state.next_sequence = state.next_sequence.max(gathered.greatest_own() + 1);
            state.manifest.take_file_number()
        };
        let mut new = Vec::new();
        if !gathered.table.is_empty() {
            let options = self.options();
            let Gathered { corpus, table, .. } = gathered;
            new.push(write_segment(
                &*self.disk,
                &self.directory,
                number,
                &mut corpus.finish(),
                &table,
                &options,
            )?);
        }
        let change = Change {
            new,
            counted,
            ..Change::default()
        };
        self.publish(writer, &change)?;
        Ok(self.state(writer)?.next_sequence)
    }
}

fn take_line<'t>(
    gathered: &mut Gathered,
    base: u64,
    id: MessageId,
    line: &Line,
    tokens: impl Iterator<Item = &'t str>,
) -> Result<()> {
    let about = About {
        sequence: base + gathered.table.len() as u64,
        id,
        author: &line.author,
        channel: &line.channel,
        time_ms: line.time_ms,
        attachments: &line.attachments,
    };
    gathered.take_tokens(&about, tokens, u32::MAX)?;
    Ok(())
}

/// Whether lines are what a chain with these options has learned.
struct Check {
    limits: Limits,
    /// Without caps: what they left of a token may be cut anew.
    tokenizer: Tokenizer,
    text: String,
    again: String,
    tokens: Tokens,
}

impl Check {
    fn new(tokenizer: &Tokenizer) -> Self {
        let no_limits = Limits {
            max_tokens: u32::MAX,
            max_token_bytes: u32::MAX,
        };
        Self {
            limits: tokenizer.limits(),
            tokenizer: Tokenizer::new(tokenizer.mode(), no_limits),
            text: String::new(),
            again: String::new(),
            tokens: Tokens::new(),
        }
    }

    fn line(&mut self, line: &Line) -> Result<()> {
        if matches!(line.id.parse()?, MessageId::Own(number) if number > MAX_OWN_ID) {
            return Err(Error::input(format!("the id {} is too great", line.id)));
        }
        check_name("author", &line.author)?;
        check_name("channel", &line.channel)?;
        check_attachments(&line.attachments)?;
        let most = self.limits.max_tokens;
        if line.tokens.is_empty() || line.tokens.len() > most as usize {
            return Err(Error::input(format!(
                "it has {} tokens, not 1 to {most}",
                line.tokens.len()
            )));
        }
        let most = self.limits.max_token_bytes as usize;
        if let Some(token) = line
            .tokens
            .iter()
            .find(|token| token.is_empty() || token.len() > most)
        {
            return Err(Error::input(format!(
                "a token has {} bytes, not 1 to {most}",
                token.len()
            )));
        }
        if self.is_cleaned(line) {
            return Ok(());
        }
        Err(Error::input(
            "its tokens are not what the chain's mode makes of a text",
        ))
    }

    /// The text of a line that is right.
    fn text(&mut self, line: &Line) -> &str {
        let tokens = line.tokens.iter().map(String::as_str);
        tokens::join(self.tokenizer.mode(), tokens, &mut self.text);
        &self.text
    }

    /// Control characters, white space and forms that are not NFC would be said again.
    fn is_cleaned(&mut self, line: &Line) -> bool {
        let mode = self.tokenizer.mode();
        tokens::join(mode, line.tokens.iter().map(String::as_str), &mut self.text);
        self.tokenizer
            .tokenize(&self.text, &mut self.tokens, &mut Cut::default());
        if mode == Mode::Words {
            return self
                .tokens
                .iter()
                .eq(line.tokens.iter().map(String::as_str));
        }
        tokens::join(mode, self.tokens.iter(), &mut self.again);
        self.text == self.again
    }
}

/// The parent of a directory, and the place in it where its chain is made.
fn beside(directory: &Path) -> Result<(PathBuf, PathBuf)> {
    let Some(name) = directory.file_name() else {
        return Err(Error::input(format!(
            "{} cannot be made: name a new directory",
            directory.display()
        )));
    };
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".importing");
    let beside = parent.join(hidden);
    Ok((parent, beside))
}

/// Whether there is no such directory, or nothing in it.
fn is_free(directory: &Path) -> bool {
    match fs::read_dir(directory) {
        Ok(mut inside) => inside.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

/// Of a directory and those around it the ones that are not there, the innermost first.
fn missing(directory: &Path) -> Vec<PathBuf> {
    let around = directory
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty());
    around
        .take_while(|path| !path.exists())
        .map(Path::to_owned)
        .collect()
}

/// Removes what an import that was killed left behind.
fn clear(beside: &Path) -> Result<()> {
    if !beside.exists() {
        return Ok(());
    }
    let _lock = WriterLock::acquire(beside)?;
    fs::remove_dir_all(beside).map_err(Error::io(format!("removing {}", beside.display())))
}

fn occupied(directory: &Path) -> Error {
    Error::input(format!(
        "there is a chain, or something else, in {} already: remove it first, or import under \
         another name",
        directory.display()
    ))
}
