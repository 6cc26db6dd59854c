//! Scheme, host and port: what a run may speak to, all of it known before it starts.

use std::net::Ipv6Addr;

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Over TLS.
    pub secure: bool,
    /// A name in lower case or an address, IPv6 without its brackets.
    pub host: String,
    pub port: u16,
}

impl Origin {
    /// What `Host` says: the port only where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let own = if self.secure { 443 } else { 80 };
        let (open, close) = if self.host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        let host = &self.host;
        if self.port == own {
            format!("{open}{host}{close}")
        } else {
            format!("{open}{host}{close}:{}", self.port)
        }
    }
}

/// Whether a path is a whole URL: a scheme stands before its first slash.
pub(super) fn is_whole(path: &str) -> bool {
    path.find("://")
        .is_some_and(|at| !path[..at].contains(['/', '?', '#']))
}

/// Parts a whole URL into its origin and what follows, which begins with `/`, `?`, `#` or is empty.
///
/// # Errors
/// One sentence, for a URL whose origin is not known or not valid.
pub(super) fn split(url: &str) -> Result<(Origin, &str), String> {
    let (scheme, after) = url
        .split_once("://")
        .ok_or_else(|| format!("{url:?} is not a URL: write http://host/path"))?;
    let (authority, rest) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
    // First, so that no message repeats a password.
    if authority.contains('@') {
        return Err(
            "the URL holds a user and a password: write them as an Authorization header".to_owned(),
        );
    }
    if scheme.contains('$') || authority.contains('$') {
        return Err(format!(
            "{url:?} has a variable in its scheme, host or port: write them out, every host is known before a run starts"
        ));
    }
    let secure = if scheme.eq_ignore_ascii_case("https") {
        true
    } else if scheme.eq_ignore_ascii_case("http") {
        false
    } else {
        return Err(format!(
            "{url:?} begins with neither http:// nor https://: use one of them"
        ));
    };
    let (host, port) = host_and_port(authority).ok_or_else(|| {
        format!("{url:?} has no valid host and port: write host, host:port or [IPv6]:port")
    })?;
    let port = port.unwrap_or(if secure { 443 } else { 80 });
    Ok((Origin { secure, host, port }, rest))
}

fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if let Some(inside) = authority.strip_prefix('[') {
        let (address, port) = inside.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        (address.to_string(), port)
    } else {
        let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if host.is_empty() || host.len() > 253 || !host.bytes().all(is_part) {
            return None;
        }
        (host.to_ascii_lowercase(), port)
    };
    let port = match port.strip_prefix(':') {
        // `host:` means the scheme's port, as in RFC 3986.
        Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|&port| port > 0)?)
        }
        None if port.is_empty() => None,
        _ => return None,
    };
    Some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_are_parted() {
        for (url, secure, host, port, authority, rest) in [
            ("http://a.test", false, "a.test", 80, "a.test", ""),
            ("HTTPS://A.Test/x?y", true, "a.test", 443, "a.test", "/x?y"),
            ("http://a:81?q", false, "a", 81, "a:81", "?q"),
            ("http://a:/", false, "a", 80, "a", "/"),
            (
                "https://127.0.0.1:80/",
                true,
                "127.0.0.1",
                80,
                "127.0.0.1:80",
                "/",
            ),
            (
                "http://[::1]:8080/x",
                false,
                "::1",
                8080,
                "[::1]:8080",
                "/x",
            ),
            ("http://[0:0::1]#f", false, "::1", 80, "[::1]", "#f"),
        ] {
            let (origin, after) = split(url).unwrap();
            assert_eq!(
                (origin.secure, origin.host.as_str(), origin.port),
                (secure, host, port),
                "{url}"
            );
            assert_eq!(origin.authority(), authority);
            assert_eq!(after, rest);
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for (url, part) in [
            ("a.test/x", "is not a URL"),
            ("ftp://a", "neither http:// nor https://"),
            ("http://", "no valid host"),
            ("http://a b/", "no valid host"),
            ("http://ü.test/", "no valid host"),
            ("http://a:0/", "no valid host"),
            ("http://a:65536/", "no valid host"),
            ("http://a:+1/", "no valid host"),
            ("http://[::1/", "no valid host"),
            ("http://[::1]x/", "no valid host"),
            ("http://[fe80::1%25eth0]/", "no valid host"),
            ("http://me:secret@a/", "Authorization"),
            ("ftp://me:$secret@a/", "Authorization"),
            ("http://${host}/", "a variable in its scheme, host or port"),
            ("http://a:$port/", "a variable in its scheme, host or port"),
            ("${scheme}://a/", "a variable in its scheme, host or port"),
        ] {
            let said = split(url).unwrap_err();
            assert!(said.contains(part), "{url}: {said}");
            assert!(!said.contains("secret"));
        }
    }

    #[test]
    fn a_path_with_a_url_in_it_is_not_whole() {
        assert!(is_whole("http://a/"));
        assert!(is_whole("${s}://a/"));
        assert!(!is_whole("/go?to=http://a/"));
        assert!(!is_whole("go/http://a/"));
        assert!(!is_whole("$next"));
    }

    proptest! {
        #[test]
        fn any_text_is_parted_or_refused(url in "(https?://)?\\PC*") {
            if let Ok((origin, rest)) = split(&url) {
                let again = format!("http{}://{}{rest}", if origin.secure { "s" } else { "" }, origin.authority());
                prop_assert_eq!(split(&again).unwrap(), (origin, rest));
            }
        }
    }
}
