//! Compiling extractions and assertions.

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

use super::json::Path;
use super::look::{Check, Extract, Source};
use super::names::Names;
use crate::{Nanos, plan};

/// Bytes that a compiled regular expression may take, and again as many for its states in each thread.
const MOST_PATTERN: usize = 1 << 20;

/// The regular expressions of a program, each once.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    pub compiled: Vec<Regex>,
}

impl Patterns {
    fn add(&mut self, text: &str) -> Result<usize, String> {
        if let Some(at) = self
            .compiled
            .iter()
            .position(|known| known.as_str() == text)
        {
            return Ok(at);
        }
        let mut builder = RegexBuilder::new(text);
        let compiled = builder
            .size_limit(MOST_PATTERN)
            .dfa_size_limit(MOST_PATTERN)
            .build();
        let compiled = compiled.map_err(|error| {
            // Its message draws the expression over several lines: the last one says what is wrong.
            let said = error.to_string();
            let said = said
                .lines()
                .last()
                .unwrap_or_default()
                .trim()
                .trim_start_matches("error: ")
                .to_owned();
            format!("the regular expression {text:?} is not valid: {said}")
        })?;
        self.compiled.push(compiled);
        Ok(self.compiled.len() - 1)
    }
}

/// Compiles an extraction, whose name is known from now on.
pub(super) fn extract(
    extract: &plan::Extract,
    names: &mut Names,
    patterns: &mut Patterns,
) -> Result<Extract, String> {
    let (name, source, default) = match extract {
        plan::Extract::Json {
            name,
            path,
            default,
        } => (name, Source::Json(Path::compile(path)?), default),
        plan::Extract::Regex {
            name,
            pattern,
            group,
            default,
        } => {
            let at = patterns.add(pattern)?;
            let last = patterns.compiled[at].captures_len() - 1;
            let group = group.unwrap_or_else(|| last.min(1));
            if group > last {
                return Err(format!(
                    "the regular expression {pattern:?} has {last} groups, not {group}: choose one of them"
                ));
            }
            (name, Source::Regex { pattern: at, group }, default)
        }
        plan::Extract::Header {
            name,
            header,
            default,
        } => {
            header_name(header)?;
            (name, Source::Header(header.clone()), default)
        }
        plan::Extract::Cookie {
            name,
            cookie,
            default,
        } => (name, Source::Cookie(cookie.clone()), default),
    };
    Ok(Extract {
        slot: names.add(name)?,
        source,
        default: default.clone(),
    })
}

/// Compiles an assertion; one about the body may be two.
pub(super) fn check(assert: &plan::Assert, patterns: &mut Patterns) -> Result<Check, String> {
    Ok(match assert {
        plan::Assert::Status { is, between } => {
            Check::Status(ranges(is.as_deref(), between.as_deref())?)
        }
        plan::Assert::Time { below_ms } => Check::Below(nanos(*below_ms)?),
        plan::Assert::Json { path, is } => Check::Json {
            path: Path::compile(path)?,
            is: is.clone(),
        },
        plan::Assert::Body {
            contains: Some(text),
            matches: None,
        } => Check::Contains(finder(text)),
        plan::Assert::Body {
            contains: None,
            matches: Some(pattern),
        } => Check::Matches {
            pattern: patterns.add(pattern)?,
        },
        plan::Assert::Body { .. } => {
            return Err(
                "an assertion on the body has either contains or matches: give one".to_owned(),
            );
        }
        plan::Assert::Header { header, contains } => {
            header_name(header)?;
            Check::Header {
                name: header.clone(),
                contains: contains.as_deref().map(finder),
            }
        }
    })
}

fn ranges(is: Option<&[u16]>, between: Option<&[(u16, u16)]>) -> Result<Vec<(u16, u16)>, String> {
    let single = is
        .unwrap_or_default()
        .iter()
        .map(|&status| (status, status));
    let ranges: Vec<_> = single
        .chain(between.unwrap_or_default().iter().copied())
        .collect();
    let is_valid = |&(first, last): &(u16, u16)| 100 <= first && first <= last && last <= 999;
    if ranges.is_empty() || !ranges.iter().all(is_valid) {
        return Err(
            "an assertion on the status lists statuses from 100 to 999: give at least one"
                .to_owned(),
        );
    }
    Ok(ranges)
}

fn nanos(milliseconds: f64) -> Result<Nanos, String> {
    if milliseconds.is_finite() && milliseconds > 0.0 {
        // From a float to an integer it stays within the integer's range.
        Ok((milliseconds * 1e6) as Nanos)
    } else {
        Err(format!(
            "{milliseconds} ms is no time to stay below: give more than 0"
        ))
    }
}

fn finder(text: &str) -> Box<Finder<'static>> {
    Box::new(Finder::new(text).into_owned())
}

/// Whether a text is the name of a header or a method (a token of RFC 9110).
pub(super) fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

pub(super) fn header_name(name: &str) -> Result<(), String> {
    if is_token(name) {
        return Ok(());
    }
    Err(format!(
        "{name:?} is not the name of a header: use letters, digits and -"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_looked_for_is_refused() {
        let body = |contains: Option<&str>, matches: Option<&str>| plan::Assert::Body {
            contains: contains.map(str::to_owned),
            matches: matches.map(str::to_owned),
        };
        for (assert, part) in [
            (
                plan::Assert::Status {
                    is: None,
                    between: None,
                },
                "at least one",
            ),
            (
                plan::Assert::Status {
                    is: Some(vec![99]),
                    between: None,
                },
                "from 100 to 999",
            ),
            (
                plan::Assert::Status {
                    is: None,
                    between: Some(vec![(299, 200)]),
                },
                "from 100 to 999",
            ),
            (plan::Assert::Time { below_ms: 0.0 }, "more than 0"),
            (plan::Assert::Time { below_ms: f64::NAN }, "more than 0"),
            (
                plan::Assert::Json {
                    path: "a".to_owned(),
                    is: None,
                },
                "not understood",
            ),
            (body(None, None), "either contains or matches"),
            (body(Some("a"), Some("b")), "either contains or matches"),
            (body(None, Some("(")), "unclosed group"),
            (body(None, Some("(a{1000}){1000}")), "size limit"),
            (
                plan::Assert::Header {
                    header: "a b".to_owned(),
                    contains: None,
                },
                "not the name of a header",
            ),
        ] {
            let said = check(&assert, &mut Patterns::default()).unwrap_err();
            assert!(said.contains(part), "{assert:?}: {said}");
            assert!(!said.contains('\n'));
        }
    }

    #[test]
    fn the_group_is_the_first_one_or_the_match() {
        let group = |pattern: &str, group| {
            let plan = plan::Extract::Regex {
                name: "a".to_owned(),
                pattern: pattern.to_owned(),
                group,
                default: None,
            };
            match extract(&plan, &mut Names::default(), &mut Patterns::default())?.source {
                Source::Regex { group, .. } => Ok(group),
                _ => Err(String::new()),
            }
        };
        assert_eq!(group("a(b)(c)", None), Ok(1));
        assert_eq!(group("abc", None), Ok(0));
        assert_eq!(group("a(b)(c)", Some(2)), Ok(2));
        assert!(
            group("a(b)", Some(2))
                .unwrap_err()
                .contains("has 1 groups, not 2")
        );
    }

    #[test]
    fn a_pattern_is_compiled_once() {
        let mut patterns = Patterns::default();
        assert_eq!(
            (patterns.add("a"), patterns.add("b"), patterns.add("a")),
            (Ok(0), Ok(1), Ok(0))
        );
    }
}
