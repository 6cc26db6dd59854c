//! Percent-encoding of what becomes part of a request target.

use std::fmt::Write;

/// How a text becomes part of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is: bodies, header values, labels.
    Plain,
    /// Part of a URL: what may stand in one stays, so that a value can hold several segments or a query.
    Url,
    /// The name or value of a query parameter: all but letters, digits and `-._~` is encoded.
    Parameter,
}

const PARAMETER: u8 = 1;
const URL: u8 = 2;

/// Which bytes stay as they are (RFC 3986, sections 2.2 and 2.3, and brackets, which browsers leave alone too).
const STAYS: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 128 {
        let byte = at as u8;
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            table[at] = PARAMETER | URL;
        } else if matches!(
            byte,
            b'!' | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
                | b'/'
                | b'?'
                | b'['
                | b']'
        ) {
            table[at] = URL;
        }
        at += 1;
    }
    table
};

impl Encoding {
    /// Appends a text, encoded.
    pub(super) fn push(self, text: &str, out: &mut String) {
        let kept = match self {
            Self::Plain => return out.push_str(text),
            Self::Url => URL,
            Self::Parameter => PARAMETER,
        };
        let bytes = text.as_bytes();
        let mut done = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            let stays = STAYS[usize::from(byte)] & kept != 0
                || (byte == b'%' && self == Self::Url && is_escape(&bytes[at..]));
            if !stays {
                // An encoded byte may lie inside a character, what stays is ASCII: the cuts are at characters.
                out.push_str(text.get(done..at).unwrap_or_default());
                let _ = write!(out, "%{byte:02X}");
                done = at + 1;
            }
        }
        out.push_str(text.get(done..).unwrap_or_default());
    }
}

/// Whether bytes that begin with `%` are an escape already.
fn is_escape(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(u8::is_ascii_hexdigit)
        && bytes.get(2).is_some_and(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(encoding: Encoding, text: &str) -> String {
        let mut out = String::new();
        encoding.push(text, &mut out);
        out
    }

    fn decoded(text: &str) -> Vec<u8> {
        let bytes = text.as_bytes();
        let mut out = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] == b'%' {
                out.push(u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
                at += 3;
            } else {
                out.push(bytes[at]);
                at += 1;
            }
        }
        out
    }

    #[test]
    fn each_place_keeps_what_it_may_hold() {
        assert_eq!(
            encoded(Encoding::Parameter, "a b&c=d/ü%20"),
            "a%20b%26c%3Dd%2F%C3%BC%2520"
        );
        assert_eq!(
            encoded(Encoding::Url, "/a b/ü?x=1&y=%20%zz#f"),
            "/a%20b/%C3%BC?x=1&y=%20%25zz%23f"
        );
        assert_eq!(encoded(Encoding::Plain, "a b\n"), "a b\n");
    }

    proptest! {
        #[test]
        fn parameters_decode_to_what_they_were(text in any::<String>()) {
            let sent = encoded(Encoding::Parameter, &text);
            prop_assert!(sent.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(decoded(&sent), text.into_bytes());
        }

        #[test]
        fn targets_hold_no_space_or_control(text in any::<String>()) {
            let sent = encoded(Encoding::Url, &text);
            prop_assert!(sent.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
            prop_assert_eq!(encoded(Encoding::Url, &sent), sent.clone());
        }
    }
}
