//! Filling a request from what a step gives for it.

use super::origin::{self, Origin};
use super::outcome::{At, Failure, Why};
use super::template::{Scene, Template};
use crate::Request;

/// The byte that sized bodies are made of.
const FILLER: u8 = b'x';

/// What a request is made from.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub method: String,
    pub target: Template,
    /// For a target that begins with a variable: what is put before it, unless it became a whole URL.
    pub prefix: Option<String>,
    pub headers: Vec<(String, Template)>,
    /// Which of them is `Cookie`.
    pub cookie: Option<usize>,
    pub body: Body,
}

#[derive(Debug, Default)]
pub(super) enum Body {
    #[default]
    None,
    Text(Template),
    /// So many bytes without meaning.
    Sized(usize),
}

impl Draft {
    /// Whether nothing in it varies.
    pub(super) fn is_fixed(&self) -> bool {
        let body = match &self.body {
            Body::Text(text) => text.fixed().is_some(),
            Body::None | Body::Sized(_) => true,
        };
        body && self.target.fixed().is_some()
            && self
                .headers
                .iter()
                .all(|(_, value)| value.fixed().is_some())
    }

    /// Fills a request, whose memory is used again.
    pub(super) fn fill(
        &self,
        scene: &mut Scene<'_>,
        origin: &Origin,
        out: &mut Request,
    ) -> Result<(), Failure> {
        out.method.clear();
        out.method.push_str(&self.method);
        out.target.clear();
        self.target.render(scene, &mut out.target);
        if let Some(prefix) = &self.prefix {
            settle(&mut out.target, prefix, origin).map_err(|why| Failure::new(At::Path, why))?;
        }
        self.fill_headers(scene, out)?;
        out.body.clear();
        match &self.body {
            Body::None => {}
            Body::Sized(size) => out.body.resize(*size, FILLER),
            Body::Text(text) => {
                // Nothing is in it, so it is text, and its memory stays in use.
                let mut body = String::from_utf8(std::mem::take(&mut out.body)).unwrap_or_default();
                text.render(scene, &mut body);
                out.body = body.into_bytes();
            }
        }
        Ok(())
    }

    fn fill_headers(&self, scene: &mut Scene<'_>, out: &mut Request) -> Result<(), Failure> {
        out.headers.truncate(self.headers.len());
        out.headers
            .resize_with(self.headers.len(), Default::default);
        for (index, (name, value)) in self.headers.iter().enumerate() {
            let header = &mut out.headers[index];
            header.0.clear();
            header.0.push_str(name);
            header.1.clear();
            value.render(scene, &mut header.1);
            if value.fixed().is_none() && !is_header_value(&header.1) {
                return Err(Failure::new(At::Header(index as u16), Why::Control));
            }
        }
        Ok(())
    }
}

/// Whether a text can be the value of a header: no control characters but the tab.
pub(super) fn is_header_value(text: &str) -> bool {
    !text
        .bytes()
        .any(|byte| byte.is_ascii_control() && byte != b'\t')
}

/// Makes a target of what began with a variable: a path below the prefix, or the path of a whole URL of this origin.
fn settle(target: &mut String, prefix: &str, origin: &Origin) -> Result<(), Why> {
    let rest = if origin::is_whole(target) {
        let (other, rest) = origin::split(target).map_err(|_| Why::Elsewhere)?;
        if other != *origin {
            return Err(Why::Elsewhere);
        }
        let length = rest.len();
        target.drain(..target.len() - length);
        ""
    } else {
        prefix
    };
    if !target.starts_with('/') && (rest.is_empty() || !target.starts_with('?')) {
        target.insert(0, '/');
    }
    target.insert_str(0, rest);
    Ok(())
}
