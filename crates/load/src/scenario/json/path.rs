//! The paths that are understood.

const SUPPORTED: &str =
    "paths are made of $, .name, ['name'], [0], [-1], [*] and ..name, for example $.items[0].id";

/// Most parts of a path.
const MOST_SEGMENTS: usize = 32;

/// A path, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenario) struct Path {
    pub(super) segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Name(String),
    /// From the start, or from the end when it is negative.
    Index(i32),
    /// Every element or member.
    Any,
    /// Every member of this name, however deep.
    Deep(String),
}

impl Path {
    /// # Errors
    /// One sentence that says where the path is not understood and what is.
    pub(in crate::scenario) fn compile(text: &str) -> Result<Self, String> {
        let refuse = |rest: &str| {
            let rest: String = rest.chars().take(40).collect();
            format!("the path {text:?} is not understood at {rest:?}: {SUPPORTED}")
        };
        let mut rest = text.trim().strip_prefix('$').ok_or_else(|| refuse(text))?;
        let mut segments = Vec::new();
        while !rest.is_empty() {
            let (segment, after) = segment(rest).ok_or_else(|| refuse(rest))?;
            segments.push(segment);
            rest = after;
        }
        if segments.len() > MOST_SEGMENTS {
            return Err(format!(
                "the path {text:?} has more than {MOST_SEGMENTS} parts: use fewer"
            ));
        }
        Ok(Self { segments })
    }
}

/// The first segment of a path and what follows it.
fn segment(text: &str) -> Option<(Segment, &str)> {
    if let Some(rest) = text.strip_prefix("..") {
        let (name, rest) = bare(rest)?;
        return Some((Segment::Deep(name.to_owned()), rest));
    }
    if let Some(rest) = text.strip_prefix(".*") {
        return Some((Segment::Any, rest));
    }
    if let Some(rest) = text.strip_prefix('.') {
        let (name, rest) = bare(rest)?;
        return Some((Segment::Name(name.to_owned()), rest));
    }
    let inside = text.strip_prefix('[')?.trim_start();
    let (segment, rest) = match inside.chars().next()? {
        '*' => (Segment::Any, &inside[1..]),
        quote @ ('\'' | '"') => {
            let (name, rest) = quoted(&inside[1..], quote)?;
            (Segment::Name(name), rest)
        }
        _ => {
            let end = inside
                .find(|c: char| !c.is_ascii_digit() && c != '-')
                .unwrap_or(inside.len());
            (Segment::Index(inside[..end].parse().ok()?), &inside[end..])
        }
    };
    Some((segment, rest.trim_start().strip_prefix(']')?))
}

/// A name without quotes: letters, digits, `_` and `-`.
fn bare(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A name up to its closing quote; a backslash takes the next character as it is.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => name.push(characters.next()?.1),
            _ if character == quote => return Some((name, &text[at + 1..])),
            _ => name.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_parted() {
        use Segment::{Any, Deep, Index, Name};
        let name = |text: &str| Name(text.to_owned());
        for (text, expected) in [
            ("$", vec![]),
            ("$.a.b-c_1", vec![name("a"), name("b-c_1")]),
            ("$.ü", vec![name("ü")]),
            (
                "$['a.b'][\"c'\"]['d\\'\\\\']",
                vec![name("a.b"), name("c'"), name("d'\\")],
            ),
            (
                "$[''][ 0 ][-1][*].*",
                vec![name(""), Index(0), Index(-1), Any, Any],
            ),
            (
                "$..id[0]..x",
                vec![Deep("id".to_owned()), Index(0), Deep("x".to_owned())],
            ),
        ] {
            assert_eq!(Path::compile(text).unwrap().segments, expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_with_what_is() {
        for text in [
            "",
            "a.b",
            "$a",
            "$.",
            "$..",
            "$..*",
            "$..[0]",
            "$[",
            "$[]",
            "$[a]",
            "$[1:2]",
            "$[0,1]",
            "$[?(@.a)]",
            "$['a'",
            "$['a]",
            "$.a b",
            "$.a[--1]",
            "$[99999999999]",
            "@.a",
            "$.length()",
        ] {
            let said = Path::compile(text).unwrap_err();
            assert!(said.contains("..name, for example"), "{text}: {said}");
        }
        assert!(Path::compile(&format!("${}", ".a".repeat(33))).is_err());
    }

    proptest! {
        #[test]
        fn any_text_compiles_or_is_refused(text in "\\$?[.a\\[\\]*'\"\\\\0-9ü-]*") {
            let _ = Path::compile(&text);
        }
    }
}
