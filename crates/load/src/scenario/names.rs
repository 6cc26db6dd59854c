//! Which variables a template may name, and where their values are.

/// What a name in a template stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// A column of the data or an extracted value, by its number.
    Slot(u16),
    Timestamp,
    User,
    Iteration,
    Random,
}

const BUILT_IN: [(&str, Name); 4] = [
    ("timestamp", Name::Timestamp),
    ("user", Name::User),
    ("iteration", Name::Iteration),
    ("random", Name::Random),
];

/// Most variables of one scenario.
const MOST_SLOTS: usize = 1024;

/// The names known at one place of a scenario. What it names itself hides a built-in of the same name.
#[derive(Debug, Default)]
pub(super) struct Names {
    slots: Vec<String>,
}

impl Names {
    /// The number of a variable, which is known from now on.
    pub(super) fn add(&mut self, name: &str) -> Result<u16, String> {
        if name.is_empty() || name.contains(['{', '}', '$']) {
            return Err(format!(
                "{name:?} cannot name a variable: use letters, digits, _ and -"
            ));
        }
        if let Some(slot) = self.slots.iter().position(|known| known == name) {
            return Ok(slot as u16);
        }
        if self.slots.len() == MOST_SLOTS {
            return Err(format!(
                "a scenario holds at most {MOST_SLOTS} variables: split it"
            ));
        }
        self.slots.push(name.to_owned());
        Ok((self.slots.len() - 1) as u16)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn all(&self) -> impl Iterator<Item = (&str, Name)> {
        let own = self.slots.iter().enumerate();
        own.map(|(slot, name)| (name.as_str(), Name::Slot(slot as u16)))
            .chain(BUILT_IN)
    }

    /// What a name stands for, or why it does not.
    pub(super) fn find(&self, name: &str) -> Result<Name, String> {
        let found = self.all().find(|(known, _)| *known == name);
        found.map(|(_, what)| what).ok_or_else(|| {
            let near = self.all().map(|(known, _)| known);
            let near = near.min_by_key(|known| distance(known, name));
            format!(
                "there is no variable {name:?} here, the nearest is {:?} (write $$ for a dollar sign)",
                near.unwrap_or_default()
            )
        })
    }

    /// The longest name at the start of a text that does not go on as a word.
    pub(super) fn longest_at<'a>(&'a self, text: &str) -> Option<(&'a str, Name)> {
        let fits = self.all().filter(|(name, _)| {
            text.strip_prefix(name)
                .is_some_and(|rest| !rest.starts_with(is_word))
        });
        // The first of equals: the scenario's own before a built-in.
        fits.reduce(|best, next| {
            if next.0.len() > best.0.len() {
                next
            } else {
                best
            }
        })
    }
}

pub(super) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Edits of one character that turn one text into the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (line, left) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, right) in other.chars().enumerate() {
            let swap = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            row[column + 1] = swap.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_whole_name_is_found() {
        let mut names = Names::default();
        for name in ["id", "idx", "user-id", "user"] {
            names.add(name).unwrap();
        }
        let longest = |text: &str| names.longest_at(text).map(|(name, _)| name.to_owned());
        assert_eq!(longest("id/x").as_deref(), Some("id"));
        assert_eq!(longest("idx").as_deref(), Some("idx"));
        assert_eq!(longest("idy"), None);
        assert_eq!(longest("user-id-").as_deref(), Some("user-id"));
        assert_eq!(longest("user-ids").as_deref(), Some("user"));
        assert_eq!(longest("timestamp ").as_deref(), Some("timestamp"));
    }

    #[test]
    fn own_names_hide_built_in_ones_and_keep_their_number() {
        let mut names = Names::default();
        assert_eq!(names.find("user"), Ok(Name::User));
        assert_eq!(names.add("user"), Ok(0));
        assert_eq!(names.add("b"), Ok(1));
        assert_eq!(names.add("user"), Ok(0));
        assert_eq!(names.find("user"), Ok(Name::Slot(0)));
        assert_eq!(names.longest_at("user"), Some(("user", Name::Slot(0))));
        assert_eq!(names.len(), 2);
        assert!(names.add("a}b").is_err());
    }

    #[test]
    fn the_nearest_name_is_told() {
        let mut names = Names::default();
        names.add("token").unwrap();
        let said = names.find("tokn").unwrap_err();
        assert!(
            said.contains(r#"no variable "tokn" here, the nearest is "token""#),
            "{said}"
        );
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
    }
}
