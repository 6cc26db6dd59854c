//! The cookies of one iteration (RFC 6265 as far as a run needs it: what a server sets goes back to it).

use super::date::unix_seconds;
use crate::Answer;

/// Cookies of one iteration; what comes after them is not kept.
pub(super) const MOST_COOKIES: usize = 64;

/// Bytes of a cookie's name, value, path and domain.
pub(super) const MOST_COOKIE: usize = 4096;

/// Cookies in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
    /// Cookies that did not fit since the last look.
    pub(super) refused: u64,
}

#[derive(Debug)]
struct Cookie {
    /// `name=value`, then the path, then the domain: one buffer for the three.
    text: String,
    name: u16,
    pair: u16,
    path: u16,
    /// Whether hosts below the domain get it too.
    for_below: bool,
    secure: bool,
    until_ms: u64,
}

/// Who sets or gets cookies, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    pub host: &'a str,
    pub secure: bool,
    /// Of the request, with or without its query.
    pub path: &'a str,
    pub unix_ms: u64,
}

/// Name and value that a `Set-Cookie` header gives, and its attributes.
pub(super) fn pair(header: &[u8]) -> Option<(&str, &str, &str)> {
    let text = std::str::from_utf8(header).ok()?;
    let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
    let (name, value) = pair.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let is_sendable = !name.is_empty() && !pair.bytes().any(|byte| byte.is_ascii_control());
    is_sendable.then_some((name, value, attributes))
}

impl Jar {
    /// Bytes of a full jar.
    pub(super) const MOST_BYTES: usize = MOST_COOKIES * (MOST_COOKIE + size_of::<Cookie>());

    pub(super) fn clear(&mut self) {
        self.cookies.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }

    /// Takes what all `Set-Cookie` headers of an answer say.
    pub(super) fn take(&mut self, answer: &Answer, site: &Site<'_>) {
        for (name, value) in answer.headers() {
            if name.eq_ignore_ascii_case(b"set-cookie") {
                self.set(value, site);
            }
        }
    }

    /// Takes what a `Set-Cookie` header says.
    pub(super) fn set(&mut self, header: &[u8], site: &Site<'_>) {
        match Cookie::parse(header, site) {
            Some(cookie) => self.put(cookie, site),
            None => self.refused += 1,
        }
    }

    fn put(&mut self, cookie: Cookie, site: &Site<'_>) {
        let is_gone = cookie.until_ms <= site.unix_ms;
        match self.cookies.iter().position(|known| known.is_same(&cookie)) {
            Some(at) if is_gone => {
                self.cookies.remove(at);
            }
            Some(at) => self.cookies[at] = cookie,
            None if is_gone => {}
            None if self.cookies.len() == MOST_COOKIES => self.refused += 1,
            None => self.cookies.push(cookie),
        }
    }

    /// Whether any goes to a site.
    pub(super) fn has(&self, site: &Site<'_>) -> bool {
        self.cookies.iter().any(|cookie| cookie.goes_to(site))
    }

    /// Appends what `Cookie` says to a site, after a `; ` when something stands there already.
    pub(super) fn push_to(&self, site: &Site<'_>, out: &mut String) {
        for cookie in self.cookies.iter().filter(|cookie| cookie.goes_to(site)) {
            if !out.is_empty() {
                out.push_str("; ");
            }
            out.push_str(&cookie.text[..usize::from(cookie.pair)]);
        }
    }

    /// The value of a cookie that goes to a site.
    pub(super) fn value(&self, name: &str, site: &Site<'_>) -> Option<&str> {
        let mut fits = self.cookies.iter().filter(|cookie| cookie.goes_to(site));
        fits.find(|cookie| cookie.name() == name)
            .map(|cookie| &cookie.text[usize::from(cookie.name) + 1..usize::from(cookie.pair)])
    }
}

impl Cookie {
    fn parse(header: &[u8], site: &Site<'_>) -> Option<Self> {
        let (name, value, attributes) = pair(header)?;
        let (mut path, mut domain, mut secure) = (None, None, false);
        let (mut max_age, mut expires) = (None, None);
        for attribute in attributes.split(';') {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let (key, value) = (key.trim(), value.trim());
            if key.eq_ignore_ascii_case("path") {
                path = Some(value).filter(|value| value.starts_with('/'));
            } else if key.eq_ignore_ascii_case("domain") {
                domain = Some(value.strip_prefix('.').unwrap_or(value))
                    .filter(|value| !value.is_empty());
            } else if key.eq_ignore_ascii_case("secure") {
                secure = true;
            } else if key.eq_ignore_ascii_case("max-age") {
                max_age = value.parse::<i64>().ok();
            } else if key.eq_ignore_ascii_case("expires") {
                expires = unix_seconds(value);
            }
        }
        let path = path.unwrap_or_else(|| directory(site.path));
        let domain = domain
            .map(str::to_ascii_lowercase)
            .filter(|domain| domain != site.host);
        if domain
            .as_ref()
            .is_some_and(|domain| !is_below(site.host, domain))
        {
            return None;
        }
        let pair = name.len() + 1 + value.len();
        let for_below = domain.is_some();
        let domain = domain.as_deref().unwrap_or(site.host);
        if pair + path.len() + domain.len() > MOST_COOKIE {
            return None;
        }
        Some(Self {
            text: [name, "=", value, path, domain].concat(),
            name: name.len() as u16,
            pair: pair as u16,
            path: path.len() as u16,
            for_below,
            secure,
            until_ms: until(max_age, expires, site.unix_ms),
        })
    }

    fn name(&self) -> &str {
        &self.text[..usize::from(self.name)]
    }

    fn path_and_domain(&self) -> (&str, &str) {
        self.text[usize::from(self.pair)..].split_at(usize::from(self.path))
    }

    /// Whether one takes the other's place.
    fn is_same(&self, other: &Self) -> bool {
        self.name() == other.name() && self.path_and_domain() == other.path_and_domain()
    }

    fn goes_to(&self, site: &Site<'_>) -> bool {
        let (path, domain) = self.path_and_domain();
        let is_host = site.host == domain || (self.for_below && is_below(site.host, domain));
        is_host
            && (site.secure || !self.secure)
            && self.until_ms > site.unix_ms
            && is_under(site.path, path)
    }
}

/// Unix milliseconds at which a cookie goes; `Max-Age` comes before `Expires`.
fn until(max_age: Option<i64>, expires: Option<u64>, unix_ms: u64) -> u64 {
    match (max_age, expires) {
        (Some(seconds), _) => u64::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds > 0)
            .map_or(0, |seconds| {
                unix_ms.saturating_add(seconds.saturating_mul(1000))
            }),
        (None, Some(seconds)) => seconds.saturating_mul(1000),
        (None, None) => u64::MAX,
    }
}

/// Whether a host lies below a domain. An address does not.
fn is_below(host: &str, domain: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_err()
        && host
            .strip_suffix(domain)
            .is_some_and(|left| left.ends_with('.'))
}

/// Whether a request's path is the cookie's or lies under it.
fn is_under(path: &str, of: &str) -> bool {
    let path = &path[..path.find(['?', '#']).unwrap_or(path.len())];
    path.strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || of.ends_with('/') || rest.starts_with('/'))
}

/// The path of a cookie that names none: that of the request up to its last slash.
fn directory(path: &str) -> &str {
    let path = &path[..path.find(['?', '#']).unwrap_or(path.len())];
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &path[..at],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_700_000_000_000;

    fn site<'a>(host: &'a str, path: &'a str) -> Site<'a> {
        Site {
            host,
            secure: false,
            path,
            unix_ms: NOW,
        }
    }

    fn sent(jar: &Jar, site: &Site<'_>) -> String {
        let mut out = String::new();
        jar.push_to(site, &mut out);
        out
    }

    fn jar(headers: &[&str], site: &Site<'_>) -> Jar {
        let mut jar = Jar::default();
        for header in headers {
            jar.set(header.as_bytes(), site);
        }
        jar
    }

    #[test]
    fn what_is_set_goes_back() {
        let at = site("a.test", "/x/y?q=/z");
        for (headers, path, expected) in [
            (&["sid=1; Path=/; HttpOnly"][..], "/", "sid=1"),
            (
                &["a=1; Path=/", "b = \"two\" ;path=/"],
                "/z",
                "a=1; b=\"two\"",
            ),
            (&["a=1; Path=/", "a=2; Path=/"], "/", "a=2"),
            (&["a=1"], "/x", "a=1"),
            (&["a=1"], "/x/z", "a=1"),
            (&["a=1"], "/xy", ""),
            (&["a=1"], "/?p=/x", ""),
            (&["a=1; Path=/x/"], "/x", ""),
            (&["a=1; Path=bad"], "/x", "a=1"),
            (&["a=1; Path=/; Max-Age=1"], "/", "a=1"),
            (&["a=1; Path=/", "a=; Path=/; Max-Age=0"], "/", ""),
            (&["a=1; Path=/", "a=; Path=/; Max-Age=-5"], "/", ""),
            (
                &[
                    "a=1; Path=/",
                    "a=; Path=/; Expires=Thu, 01-Jan-1970 00:00:00 GMT",
                ],
                "/",
                "",
            ),
            (
                &["a=1; Path=/; Expires=Fri, 31 Dec 2099 23:59:59 GMT"],
                "/",
                "a=1",
            ),
            (
                &["a=1; Path=/; Expires=Thu, 01-Jan-1970 00:00:00 GMT; Max-Age=9"],
                "/",
                "a=1",
            ),
            (&["a=1; Path=/; Expires=soon"], "/", "a=1"),
            (&["a=1; Path=/; Secure"], "/", ""),
            (&["a=b=c; Path=/"], "/", "a=b=c"),
            (&["a=; Path=/"], "/", "a="),
        ] {
            assert_eq!(
                sent(&jar(headers, &at), &site("a.test", path)),
                expected,
                "{headers:?} {path}"
            );
        }
        let jar = jar(&["a=1; Secure; Path=/"], &at);
        assert_eq!(sent(&jar, &Site { secure: true, ..at }), "a=1");
        assert_eq!(jar.value("a", &Site { secure: true, ..at }), Some("1"));
        assert_eq!(jar.value("b", &Site { secure: true, ..at }), None);
    }

    #[test]
    fn a_cookie_keeps_to_its_host() {
        let at = site("a.x.test", "/");
        let own = jar(&["a=1"], &at);
        assert_eq!(sent(&own, &at), "a=1");
        assert_eq!(sent(&own, &site("b.x.test", "/")), "");
        assert_eq!(sent(&own, &site("c.a.x.test", "/")), "");
        let wide = jar(&["a=1; Domain=.X.test"], &at);
        assert_eq!(sent(&wide, &site("b.x.test", "/")), "a=1");
        assert_eq!(sent(&wide, &site("yx.test", "/")), "");
        let foreign = jar(&["a=1; Domain=b.x.test", "b=2; Domain=0.0.1"], &at);
        assert_eq!((sent(&foreign, &at).as_str(), foreign.refused), ("", 2));
        let address = jar(&["b=2; Domain=0.0.1"], &site("127.0.0.1", "/"));
        assert_eq!(address.refused, 1);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let at = site("a", "/");
        let mut jar = Jar::default();
        for number in 0..70 {
            jar.set(format!("c{number}=1").as_bytes(), &at);
        }
        assert_eq!((jar.cookies.len(), jar.refused), (MOST_COOKIES, 6));
        jar.set(b"c0=2", &at);
        assert!(sent(&jar, &at).starts_with("c0=2; c1=1"));
        jar.clear();
        jar.set(format!("a={}", "x".repeat(MOST_COOKIE)).as_bytes(), &at);
        jar.set(b"no pair", &at);
        jar.set(b"=v", &at);
        jar.set(b"a=\xff", &at);
        jar.set(b"a=\x00", &at);
        assert!(jar.is_empty());
        assert_eq!(jar.refused, 11);
    }

    proptest! {
        #[test]
        fn any_header_is_taken(headers in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                "[ab]=[a-z;= ]{0,9}; ?(path=/[a/]*|domain=[.ax]*|max-age=[-0-9]*|secure)(;.{0,9})?"
                    .prop_map(String::into_bytes),
            ], 0..80)) {
            let at = site("a.x", "/a/a");
            let mut jar = Jar::default();
            for header in &headers {
                jar.set(header, &at);
            }
            prop_assert!(jar.cookies.len() <= MOST_COOKIES);
            let sent = sent(&jar, &at);
            prop_assert!(!sent.bytes().any(|byte| byte.is_ascii_control()));
        }
    }
}
