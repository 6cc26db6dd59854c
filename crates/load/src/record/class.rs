//! What can go wrong with one request, and what the answers' statuses say.

use std::fmt;

/// The class of an error. Each is counted for itself; none ends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// The target accepted no connection.
    Connect,
    /// The host's name has no address.
    Dns,
    /// The handshake failed or the certificate was refused.
    Tls,
    /// The answer was not whole in time.
    Timeout,
    /// The target reset the connection.
    Reset,
    /// The target closed the connection before the answer was whole.
    Closed,
    /// What came is not an answer of the protocol.
    Protocol,
    /// The answer is longer than what is read of one.
    TooLong,
    /// The answer's status is 400 or more, and nothing was asserted of it.
    Status,
    /// The request could not be filled in: a variable has no value.
    Template,
    /// The answer is not what was asserted of it.
    Assertion,
    /// What should be taken from the answer is not there.
    Extraction,
    /// The answer is in an encoding that cannot be undone.
    Encoding,
    /// No connection or user was free before the run ended.
    Unsent,
    /// The system refused something: descriptors, ports, memory.
    System,
}

impl Class {
    pub const COUNT: usize = 15;

    pub const ALL: [Self; Self::COUNT] = [
        Self::Connect,
        Self::Dns,
        Self::Tls,
        Self::Timeout,
        Self::Reset,
        Self::Closed,
        Self::Protocol,
        Self::TooLong,
        Self::Status,
        Self::Template,
        Self::Assertion,
        Self::Extraction,
        Self::Encoding,
        Self::Unsent,
        Self::System,
    ];

    /// Its name in reports and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::TooLong => "too_long",
            Self::Status => "status",
            Self::Template => "template",
            Self::Assertion => "assertion",
            Self::Extraction => "extraction",
            Self::Encoding => "encoding",
            Self::Unsent => "unsent",
            Self::System => "system",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The coarser category of tools that know six of them, where no answer came whose status says more.
    const fn category(self) -> Category {
        match self {
            Self::Connect | Self::Dns | Self::Reset | Self::Closed => Category::Network,
            Self::Tls => Category::Tls,
            Self::Timeout => Category::Timeout,
            Self::Status
            | Self::Protocol
            | Self::TooLong
            | Self::Template
            | Self::Assertion
            | Self::Extraction
            | Self::Encoding
            | Self::Unsent
            | Self::System => Category::Other,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whose fault an error is, roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Category {
    Client,
    Server,
    Network,
    Timeout,
    Tls,
    Other,
}

impl Category {
    pub const COUNT: usize = 6;

    pub const ALL: [Self; Self::COUNT] = [
        Self::Client,
        Self::Server,
        Self::Network,
        Self::Timeout,
        Self::Tls,
        Self::Other,
    ];

    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Other => "other",
        }
    }

    /// That of a request that failed, whose answer had this status; 0 where none came.
    #[must_use]
    pub const fn of(class: Class, status: u16) -> Self {
        match status {
            400..=499 => Self::Client,
            500..=599 => Self::Server,
            _ => class.category(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_stands_at_its_index_and_has_a_name_of_its_own() {
        let mut names: Vec<_> = Class::ALL.map(Class::name).to_vec();
        for (index, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), index);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Class::COUNT);
    }
}
