//! What the guard replaces, by which placeholder, and how often it did.

use std::ops::AddAssign;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What stood where a placeholder stands. Where finds overlap, the longest
        /// names them all, and of equally long ones the earliest kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// Every kind, in order of precedence.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The name in counts, metrics and documentation, such as `mail`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// What stands in the text instead, such as `<mail>`: one token without a space.
            #[must_use]
            pub const fn placeholder(self) -> &'static str {
                match self { $(Self::$kind => concat!("<", $name, ">"),)* }
            }
        }
    };
}

kinds! {
    /// An API key, a token, a private key block, a hash, an opaque string.
    Key = "key",
    /// What follows a word such as "password", an option such as `-p`, a name such as `DB_PASS=`.
    Password = "password",
    /// Digits with the check digit of a payment card.
    Card = "card",
    /// An international bank account number.
    Iban = "iban",
    /// A national, ticket, order or account identifier, a UUID.
    Id = "id",
    /// Geographic coordinates.
    Place = "place",
    /// An address with a scheme, or one that starts with `www.`.
    Url = "url",
    /// A mail address, plain or spelt out, and `user@host`.
    Mail = "mail",
    /// A path that names a user, a share or a Windows drive.
    Path = "path",
    /// An IPv4 or IPv6 address, with its port or prefix length.
    Ip = "ip",
    /// A hardware address.
    Mac = "mac",
    /// A host name, qualified or not.
    Host = "host",
    /// A street with a number, a postcode with a city, a post office box.
    Address = "address",
    /// A day: numeric, or with the name of a month.
    Date = "date",
    /// A telephone number.
    Phone = "phone",
    /// A mention, an account name after `@`, `user:` or before `#1234`.
    Handle = "handle",
    /// A custom emoji: its number names the community that made it.
    Emoji = "emoji",
    /// A listed name, or what follows "Mr.", "Dr.", "my name is".
    Name = "name",
    /// Any other long number.
    Number = "number",
}

/// Replacements by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    counts: [u64; Kind::ALL.len()],
}

impl Replaced {
    /// Counts one replacement more.
    pub fn add(&mut self, kind: Kind) {
        self.counts[kind as usize] += 1;
    }

    #[must_use]
    pub fn get(&self, kind: Kind) -> u64 {
        self.counts[kind as usize]
    }

    /// The kinds that were replaced at least once, in order of precedence.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, u64)> + '_ {
        let counted = Kind::ALL.iter().map(|&kind| (kind, self.get(kind)));
        counted.filter(|&(_, count)| count > 0)
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl AddAssign<&Replaced> for Replaced {
    fn add_assign(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
    }
}

impl AddAssign for Replaced {
    fn add_assign(&mut self, other: Self) {
        *self += &other;
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Replaced};

    #[test]
    fn placeholders_differ_and_have_no_space() {
        for (at, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, at);
            assert!(!kind.placeholder().contains(char::is_whitespace));
            assert_eq!(kind.placeholder(), format!("<{}>", kind.name()));
            let others = &Kind::ALL[at + 1..];
            assert!(others.iter().all(|other| other.name() != kind.name()));
        }
    }

    #[test]
    fn counts_add_up() {
        let mut all = Replaced::default();
        let mut one = Replaced::default();
        one.add(Kind::Mail);
        one.add(Kind::Mail);
        one.add(Kind::Ip);
        all += &one;
        all += one;
        assert_eq!(all.get(Kind::Mail), 4);
        assert_eq!(all.total(), 6);
        let kinds: Vec<_> = all.iter().collect();
        assert_eq!(kinds, [(Kind::Mail, 4), (Kind::Ip, 2)]);
    }
}
