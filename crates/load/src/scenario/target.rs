//! Compiling the path and query of a step, and finding its origin.

use super::encode::Encoding;
use super::names::Names;
use super::origin::{self, Origin};
use super::template::Template;

/// What paths are put after.
#[derive(Debug)]
pub(super) struct Base {
    pub origin: Origin,
    /// Of the base address, without a slash at its end.
    pub prefix: String,
}

/// A compiled path.
pub(super) struct Target {
    pub origin: Origin,
    pub template: Template,
    /// For a path that begins with a variable: what is put before it when it is rendered.
    pub prefix: Option<String>,
}

impl Base {
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let (origin, path) = origin::split(url)?;
        if path.contains(['?', '#']) {
            return Err(format!(
                "{url:?} has a query or fragment: write it in the path of the steps"
            ));
        }
        let mut prefix = String::new();
        Encoding::Url.push(path.trim_end_matches('/'), &mut prefix);
        Ok(Self { origin, prefix })
    }

    /// A step's path: a whole URL, or what is put after the base address. A fragment is not sent.
    pub(super) fn target(&self, path: &str, names: &Names) -> Result<Target, String> {
        let path = path.split('#').next().unwrap_or_default();
        if origin::is_whole(path) {
            let (origin, rest) = origin::split(path)?;
            let template = below("", rest, names)?;
            return Ok(Target {
                origin,
                template,
                prefix: None,
            });
        }
        let origin = self.origin.clone();
        let template = Template::compile(path, names, Encoding::Url)?;
        if template.leads_with_value() {
            return Ok(Target {
                origin,
                template,
                prefix: Some(self.prefix.clone()),
            });
        }
        let template = below(&self.prefix, path, names)?;
        Ok(Target {
            origin,
            template,
            prefix: None,
        })
    }
}

/// A path after a prefix, with a slash between them where one is missing.
fn below(prefix: &str, path: &str, names: &Names) -> Result<Template, String> {
    let mut template = Template::default();
    template.push_text(prefix, Encoding::Plain);
    let goes_on =
        path.starts_with('/') || (!prefix.is_empty() && (path.is_empty() || path.starts_with('?')));
    if !goes_on {
        template.push_text("/", Encoding::Plain);
    }
    template.append(path, names, Encoding::Url)?;
    Ok(template)
}

/// Appends parameters, whose names and values are always encoded.
pub(super) fn append_query(
    template: &mut Template,
    query: &[(String, String)],
    names: &Names,
) -> Result<(), String> {
    for (name, value) in query {
        template.push_join();
        template.append(name, names, Encoding::Parameter)?;
        template.push_text("=", Encoding::Plain);
        template.append(value, names, Encoding::Parameter)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(base: &str, path: &str) -> (String, String) {
        let mut names = Names::default();
        names.add("id").unwrap();
        let target = Base::parse(base).unwrap().target(path, &names).unwrap();
        (
            target.origin.authority(),
            target.template.fixed().unwrap_or("varies").to_owned(),
        )
    }

    #[test]
    fn paths_go_after_the_base() {
        for (base, path, authority, expected) in [
            ("http://a", "/x", "a", "/x"),
            ("http://a/", "x", "a", "/x"),
            ("http://a", "", "a", "/"),
            ("http://a", "?q=1", "a", "/?q=1"),
            ("http://a/api/", "/x?y#z", "a", "/api/x?y"),
            ("http://a/api", "x", "a", "/api/x"),
            ("http://a/api", "", "a", "/api"),
            ("http://a/api", "?q", "a", "/api?q"),
            ("http://a/api", "http://b:81/x y", "b:81", "/x%20y"),
            ("http://a/api", "https://b?q", "b", "/?q"),
            ("http://a/api", "https://b#f", "b", "/"),
            ("http://a", "/to/http://b/", "a", "/to/http://b/"),
            ("http://a", "/$id", "a", "varies"),
            ("http://a/ü", "/", "a", "/%C3%BC/"),
        ] {
            let found = target(base, path);
            assert_eq!(
                (found.0.as_str(), found.1.as_str()),
                (authority, expected),
                "{base} {path}"
            );
        }
    }

    #[test]
    fn a_base_is_an_address_only() {
        assert!(
            Base::parse("http://a/?x")
                .unwrap_err()
                .contains("query or fragment")
        );
        assert!(
            Base::parse("http://${host}/")
                .unwrap_err()
                .contains("a variable in its scheme, host or port")
        );
    }
}
