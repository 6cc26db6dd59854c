//! Following a path: the first match in the order of RFC 9535 (a node before what lies in it) wins.

use super::path::{Path, Segment};
use super::scan::{Child, Key, Scanner};
use super::text::unescape;
use super::{Fault, Found, MOST_DEPTH};

/// Where a value begins and ends.
type Place = (usize, usize);

impl Path {
    /// The first value of the path, if there is one.
    pub(in crate::scenario) fn find<'a>(&self, text: &'a [u8]) -> Result<Option<Found<'a>>, Fault> {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let mut scanner = Scanner::new(text);
        let start = scanner.space(0);
        let place = follow(&mut scanner, start, &self.segments)?;
        Ok(place.map(|(start, end)| Found {
            raw: &text[start..end],
        }))
    }
}

/// The first value below the one at `at`.
fn follow(scanner: &mut Scanner<'_>, at: usize, path: &[Segment]) -> Result<Option<Place>, Fault> {
    let Some((segment, rest)) = path.split_first() else {
        return Ok(Some((at, scanner.skip(at)?)));
    };
    if let Segment::Deep(name) = segment {
        return Ok(deep(scanner, at, name, rest, 0)?.0);
    }
    let Some(mut children) = scanner.children(at) else {
        scanner.skip(at)?;
        return Ok(None);
    };
    let mut left = match segment {
        Segment::Index(index) => match from_start(scanner, at, *index)? {
            Some(left) => left,
            None => return Ok(None),
        },
        _ => 0,
    };
    while let Some(child) = children.next(scanner)? {
        let (fits, is_only) = match segment {
            Segment::Name(name) => (is_named(&child, name), true),
            Segment::Index(_) => (child.key.is_none() && left == 0, true),
            _ => (true, false),
        };
        if fits {
            let place = follow(scanner, child.value, rest)?;
            if is_only || place.is_some() {
                return Ok(place);
            }
        }
        left = left.wrapping_sub(1);
        children.at = scanner.skip(child.value)?;
    }
    Ok(None)
}

/// An index counted from the start, which for a negative one takes a pass over the array.
fn from_start(scanner: &mut Scanner<'_>, at: usize, index: i32) -> Result<Option<usize>, Fault> {
    if let Ok(index) = usize::try_from(index) {
        return Ok(Some(index));
    }
    let mut count = 0_usize;
    if let Some(mut children) = scanner.children(at) {
        while let Some(child) = children.next(scanner)? {
            children.at = scanner.skip(child.value)?;
            count += 1;
        }
    }
    Ok(count.checked_sub(index.unsigned_abs() as usize))
}

/// The first value of `rest` below a member of this name in the value at `at`, and where that value ends. A member of
/// an outer object comes before those of inner ones; each byte is visited once, besides what `rest` takes.
fn deep(
    scanner: &mut Scanner<'_>,
    at: usize,
    name: &str,
    rest: &[Segment],
    depth: usize,
) -> Result<(Option<Place>, usize), Fault> {
    let Some(mut children) = scanner.children(at) else {
        return Ok((None, scanner.skip(at)?));
    };
    if depth == MOST_DEPTH {
        return Err(Fault::NotJson);
    }
    let (mut own, mut inner) = (None, None);
    while let Some(child) = children.next(scanner)? {
        if own.is_none() && is_named(&child, name) {
            own = follow(scanner, child.value, rest)?;
            if own.is_some() && depth == 0 {
                return Ok((own, at));
            }
        }
        if own.is_none() && inner.is_none() {
            (inner, children.at) = deep(scanner, child.value, name, rest, depth + 1)?;
        } else {
            children.at = scanner.skip(child.value)?;
        }
    }
    Ok((own.or(inner), children.at))
}

fn is_named(child: &Child<'_>, name: &str) -> bool {
    match child.key {
        Some(Key {
            raw,
            is_escaped: false,
        }) => raw == name.as_bytes(),
        Some(Key { raw, .. }) => {
            let mut key = String::new();
            unescape(raw, &mut key).is_ok() && key == name
        }
        None => false,
    }
}
