//! Texts with variables in them, compiled once and rendered for each request.

use std::fmt::Write;

use rand_core::RngCore;

use super::encode::Encoding;
use super::names::{Name, Names, is_word};

/// A text with variables.
#[derive(Debug, Default)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Name, Encoding),
    /// What stands between a path and the next parameter: `?`, or `&` after a `?`.
    Join,
}

/// Where the values of variables come from.
pub(super) struct Scene<'a> {
    pub values: &'a [String],
    pub user: u64,
    pub iteration: u64,
    pub unix_ms: u64,
    pub rng: &'a mut dyn RngCore,
}

impl Template {
    /// # Errors
    /// One sentence: a name that is not known, or a brace that is not closed.
    pub(super) fn compile(text: &str, names: &Names, encoding: Encoding) -> Result<Self, String> {
        let mut template = Self::default();
        template.append(text, names, encoding)?;
        Ok(template)
    }

    /// Appends a text with variables.
    pub(super) fn append(
        &mut self,
        text: &str,
        names: &Names,
        encoding: Encoding,
    ) -> Result<(), String> {
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            self.push_text(&rest[..at], encoding);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                self.push_text("$", encoding);
                rest = after;
            } else if let Some(braced) = rest.strip_prefix('{') {
                let end = braced.find('}').ok_or_else(|| {
                    format!(
                        "{:?} has no closing brace: write ${{name}}, or $$ for a dollar sign",
                        short(braced)
                    )
                })?;
                self.pieces
                    .push(Piece::Value(names.find(&braced[..end])?, encoding));
                rest = &braced[end + 1..];
            } else if let Some((name, what)) = names.longest_at(rest) {
                self.pieces.push(Piece::Value(what, encoding));
                rest = &rest[name.len()..];
            } else if rest.starts_with(|first: char| first.is_alphabetic() || first == '_') {
                let end = rest
                    .find(|character| !is_word(character))
                    .unwrap_or(rest.len());
                names.find(&rest[..end])?;
            } else {
                self.push_text("$", encoding);
            }
        }
        self.push_text(rest, encoding);
        Ok(())
    }

    /// Appends a text that has no variables.
    pub(super) fn push_text(&mut self, text: &str, encoding: Encoding) {
        if text.is_empty() {
            return;
        }
        if let Some(Piece::Text(last)) = self.pieces.last_mut() {
            encoding.push(text, last);
        } else {
            let mut piece = String::new();
            encoding.push(text, &mut piece);
            self.pieces.push(Piece::Text(piece));
        }
    }

    /// Appends what parts a parameter from what stands before it.
    pub(super) fn push_join(&mut self) {
        match self.pieces.as_mut_slice() {
            [Piece::Text(all)] => join(all),
            _ => self.pieces.push(Piece::Join),
        }
    }

    /// Whether it begins with a variable.
    pub(super) fn leads_with_value(&self) -> bool {
        matches!(self.pieces.first(), Some(Piece::Value(..)))
    }

    /// The text, when there is no variable in it.
    pub(super) fn fixed(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Appends the text with the values of its variables.
    pub(super) fn render(&self, scene: &mut Scene<'_>, out: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value(name, encoding) => scene.push(*name, *encoding, out),
                Piece::Join => join(out),
            }
        }
    }
}

impl Scene<'_> {
    fn push(&mut self, name: Name, encoding: Encoding, out: &mut String) {
        // Writing to a text cannot fail.
        let _ = match name {
            Name::Slot(slot) => {
                encoding.push(&self.values[usize::from(slot)], out);
                Ok(())
            }
            Name::Timestamp => write!(out, "{}", self.unix_ms),
            Name::User => write!(out, "{}", self.user),
            Name::Iteration => write!(out, "{}", self.iteration),
            Name::Random => write!(out, "{:016x}", self.rng.next_u64()),
        };
    }
}

fn join(target: &mut String) {
    if !target.contains('?') {
        target.push('?');
    } else if !target.ends_with(['?', '&']) {
        target.push('&');
    }
}

/// The first characters of a text, for a message.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    fn names() -> Names {
        let mut names = Names::default();
        for name in ["id", "idx", "a b"] {
            names.add(name).unwrap();
        }
        names
    }

    fn rendered(text: &str, encoding: Encoding) -> String {
        let values = ["7".to_owned(), "x/y z".to_owned(), "$id ${id}".to_owned()];
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut scene = Scene {
            values: &values,
            user: 3,
            iteration: 12,
            unix_ms: 1_700_000_000_123,
            rng: &mut rng,
        };
        let mut out = String::new();
        Template::compile(text, &names(), encoding)
            .unwrap()
            .render(&mut scene, &mut out);
        out
    }

    #[test]
    fn names_become_values() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("$id-${id}$idx", "7-7x/y z"),
            // A name is not found inside a longer one.
            ("$idx $id", "x/y z 7"),
            ("${a b}!", "$id ${id}!"),
            ("$$id $5 $ $", "$id $5 $ $"),
            ("$$$id", "$7"),
            (
                "u${user} i$iteration t${timestamp}",
                "u3 i12 t1700000000123",
            ),
        ] {
            assert_eq!(rendered(text, Encoding::Plain), expected, "{text}");
        }
        assert_eq!(rendered("/a b/$idx", Encoding::Url), "/a%20b/x/y%20z");
        assert_eq!(rendered("&${idx}", Encoding::Parameter), "%26x%2Fy%20z");
        let random = rendered("${random}", Encoding::Plain);
        assert!(random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (text, part) in [
            ("$idy", r#"no variable "idy" here, the nearest is "id""#),
            (
                "${idxx}",
                r#"no variable "idxx" here, the nearest is "idx""#,
            ),
            ("${}", r#"no variable """#),
            ("a ${id", "no closing brace"),
            ("$ref", "write $$"),
        ] {
            let said = Template::compile(text, &names(), Encoding::Plain).unwrap_err();
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    #[test]
    fn parameters_are_joined_to_a_query_that_is_there() {
        for (path, expected) in [
            ("/a", "/a?k"),
            ("/a?b", "/a?b&k"),
            ("/a?", "/a?k"),
            ("/$id", "/7?k"),
            ("/$id?", "/7?k"),
        ] {
            let mut template = Template::compile(path, &names(), Encoding::Url).unwrap();
            template.push_join();
            template.push_text("k", Encoding::Parameter);
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
            let values = ["7".to_owned()];
            let mut scene = Scene {
                values: &values,
                user: 0,
                iteration: 0,
                unix_ms: 0,
                rng: &mut rng,
            };
            let mut out = String::new();
            template.render(&mut scene, &mut out);
            assert_eq!(out, expected);
        }
    }

    proptest! {
        #[test]
        fn text_without_dollars_is_itself(text in "[^$]*") {
            let template = Template::compile(&text, &Names::default(), Encoding::Plain).unwrap();
            prop_assert_eq!(template.fixed(), Some(text.as_str()));
        }

        #[test]
        fn doubled_dollars_give_any_text_back(text in any::<String>()) {
            let template = Template::compile(&text.replace('$', "$$"), &Names::default(), Encoding::Plain).unwrap();
            prop_assert_eq!(template.fixed(), Some(text.as_str()));
        }

        #[test]
        fn any_text_compiles_or_is_refused(text in any::<String>()) {
            let _ = Template::compile(&text, &names(), Encoding::Url);
        }
    }
}
