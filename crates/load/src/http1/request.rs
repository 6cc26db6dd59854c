//! Requests as bytes.

use super::token::is_whole_token;
use crate::{Error, Request, Result};

/// Appends a request: its line, Host, its headers in their order, and what the connection and the
/// length need.
///
/// `host` is what a URL has between `//` and the path, with the port where it is not the scheme's
/// own; it comes from the plan, where all hosts of a run are known. Headers that are written here
/// are left out where `request` has them. Nothing is checked: see [`check`].
pub fn encode(request: &Request, host: &str, keep_alive: bool, out: &mut Vec<u8>) {
    let headers = request
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4);
    let texts = request.method.len() + request.target.len() + host.len() + request.body.len();
    out.reserve(texts + headers.sum::<usize>() + 96);
    put(
        out,
        &[
            &request.method,
            " ",
            &request.target,
            " HTTP/1.1\r\nHost: ",
            host,
            "\r\n",
        ],
    );
    for (name, value) in &request.headers {
        if !is_ours(name) {
            put(out, &[name, ": ", value, "\r\n"]);
        }
    }
    if !request.body.is_empty() || matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
        out.extend_from_slice(b"Content-Length: ");
        put_decimal(out, request.body.len());
        out.extend_from_slice(b"\r\n");
    }
    if !keep_alive {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&request.body);
}

/// Whether `request` is one request and no more: no text in it can end a line or a head early.
///
/// Whoever fills a request calls this before [`encode`]: for a fixed request once, when the
/// scenario is compiled; for one with templates each time, since a value comes from data files and
/// from answers of the peer. It takes a few nanoseconds a header.
///
/// # Errors
/// [`Error::Input`] that names the part.
pub fn check(request: &Request) -> Result<()> {
    check_method(&request.method)?;
    check_target(&request.method, &request.target)?;
    for (name, value) in &request.headers {
        check_header(name, value)?;
    }
    Ok(())
}

fn check_method(method: &str) -> Result<()> {
    if !is_whole_token(method.as_bytes()) {
        return Err(Error::input(format!(
            "the method {} is not a name like GET: write letters only",
            shown(method)
        )));
    }
    if method == "CONNECT" {
        return Err(Error::input(
            "the method CONNECT opens a tunnel, which is of no use here: take another method",
        ));
    }
    Ok(())
}

fn check_target(method: &str, target: &str) -> Result<()> {
    let is_rooted = target.starts_with('/') || (target == "*" && method == "OPTIONS");
    if !is_rooted {
        return Err(Error::input(format!(
            "the target {} does not begin with /: put a / before it",
            shown(target)
        )));
    }
    let is_plain = target.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain
        && target
            .chars()
            .any(|one| one.is_whitespace() || one.is_control())
    {
        return Err(Error::input(format!(
            "the target {} has a space or a control character: write it as %20 and the like",
            shown(target)
        )));
    }
    Ok(())
}

fn check_header(name: &str, value: &str) -> Result<()> {
    if !is_whole_token(name.as_bytes()) {
        return Err(Error::input(format!(
            "the header name {} is not a name like Accept: write letters, digits and - only",
            shown(name)
        )));
    }
    if memchr::memchr3(b'\r', b'\n', 0, value.as_bytes()).is_some() {
        return Err(Error::input(format!(
            "the value {} of the header {name} has a line break or a NUL: take it out",
            shown(value)
        )));
    }
    Ok(())
}

/// Escaped, and cut where it is long: it can come from a peer.
fn shown(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Whether a header belongs to the connection or the length.
fn is_ours(name: &str) -> bool {
    let ours = match name.len() {
        4 => "host",
        10 => "connection",
        14 => "content-length",
        17 => "transfer-encoding",
        _ => return false,
    };
    name.eq_ignore_ascii_case(ours)
}

fn put(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

fn put_decimal(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len() - 1;
    while number > 9 {
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        first -= 1;
    }
    digits[first] = b'0' + number as u8;
    out.extend_from_slice(&digits[first..]);
}
