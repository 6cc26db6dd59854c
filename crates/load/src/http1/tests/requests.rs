//! Requests as bytes, and what may not become one.

use proptest::prelude::*;

use super::*;
use crate::Error;

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Request {
    Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
    }
}

fn encoded(request: &Request, keep_alive: bool) -> String {
    let mut out = Vec::new();
    encode(request, "a.test:81", keep_alive, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_request_has_its_line_host_headers_and_body_in_this_order() {
    let get = request("GET", "/a?b=c", &[("Accept", "*/*"), ("X-B", "")], "");
    let head = "GET /a?b=c HTTP/1.1\r\nHost: a.test:81\r\nAccept: */*\r\nX-B: \r\n";
    assert_eq!(encoded(&get, true), format!("{head}\r\n"));
    assert_eq!(
        encoded(&get, false),
        format!("{head}Connection: close\r\n\r\n")
    );
    let post = request("POST", "/", &[("B", "2"), ("A", "1")], "twelve bytes");
    assert_eq!(
        encoded(&post, false),
        "POST / HTTP/1.1\r\nHost: a.test:81\r\nB: 2\r\nA: 1\r\nContent-Length: 12\r\nConnection: close\r\n\r\ntwelve bytes"
    );
}

#[test]
fn a_length_is_there_when_there_is_a_body_or_could_be_one() {
    for (method, body, length) in [
        ("GET", "", None),
        ("GET", "x", Some("1")),
        ("POST", "", Some("0")),
        ("PUT", "", Some("0")),
        ("PATCH", "", Some("0")),
        ("DELETE", "", None),
        ("DELETE", "1234567890", Some("10")),
        ("HEAD", "", None),
        ("OPTIONS", "", None),
    ] {
        let text = encoded(&request(method, "/", &[], body), true);
        let found = text
            .split("Content-Length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next());
        assert_eq!(found, length, "{method} {body}");
    }
    let long = "x".repeat(1_234_567);
    assert!(
        encoded(&request("PUT", "/", &[], &long), true)
            .contains("\r\nContent-Length: 1234567\r\n\r\nxx")
    );
}

#[test]
fn headers_that_are_written_anyway_are_not_written_twice() {
    let headers = [
        ("host", "b.test"),
        ("CONNECTION", "upgrade"),
        ("content-Length", "99"),
        ("Transfer-encoding", "chunked"),
        ("Keep-Alive", "x"),
        ("Connections", "stays"),
    ];
    assert_eq!(
        encoded(&request("POST", "/", &headers, "ab"), true),
        "POST / HTTP/1.1\r\nHost: a.test:81\r\nKeep-Alive: x\r\nConnections: stays\r\nContent-Length: 2\r\n\r\nab"
    );
}

#[test]
fn requests_are_appended() {
    let mut out = b"before".to_vec();
    encode(&request("GET", "/", &[], ""), "h", true, &mut out);
    assert_eq!(out, b"beforeGET / HTTP/1.1\r\nHost: h\r\n\r\n");
}

#[test]
fn good_requests_pass() {
    for (method, target, value) in [
        ("GET", "/", "x"),
        ("get", "/a%20b?c={d}|\"e\"", ""),
        ("M-SEARCH", "/caf\u{e9}", "caf\u{e9}\t tab"),
        ("OPTIONS", "*", "1, 2"),
        ("OPTIONS", "/*", "\u{7f}"),
    ] {
        assert_eq!(
            check(&request(
                method,
                target,
                &[("X-!#$%&'*+.^_`|~1", value)],
                "\r\n\0"
            )),
            Ok(())
        );
    }
}

#[test]
fn what_would_be_more_than_one_request_is_refused_with_its_part() {
    let long = format!("/{}", "\u{e9} ".repeat(1000));
    for (method, target, name, value, part) in [
        ("", "/", "A", "b", "method"),
        ("GE T", "/", "A", "b", "method"),
        ("GET\r\n", "/", "A", "b", "method"),
        ("GET /x HTTP/1.1\r\nX:", "/", "A", "b", "method"),
        ("G\u{c9}T", "/", "A", "b", "method"),
        ("CONNECT", "/", "A", "b", "CONNECT"),
        ("GET", "", "A", "b", "target"),
        ("GET", "*", "A", "b", "target"),
        ("GET", "a.test/", "A", "b", "target"),
        ("GET", "http://b.test/", "A", "b", "target"),
        ("GET", "/a b", "A", "b", "target"),
        ("GET", "/ HTTP/1.1\r\nX: y", "A", "b", "target"),
        ("GET", "/\n", "A", "b", "target"),
        ("GET", "/\0", "A", "b", "target"),
        ("GET", "/\t", "A", "b", "target"),
        ("GET", "/\x7f", "A", "b", "target"),
        ("GET", "/\u{85}", "A", "b", "target"),
        ("GET", "/\u{2028}", "A", "b", "target"),
        ("GET", &long, "A", "b", "target"),
        ("GET", "/", "", "b", "header name"),
        ("GET", "/", "A:", "b", "header name"),
        ("GET", "/", "A ", "b", "header name"),
        ("GET", "/", "A\r\nB", "b", "header name"),
        ("GET", "/", "\u{c4}", "b", "header name"),
        ("GET", "/", "A", "b\r\nC: d", "value"),
        ("GET", "/", "A", "b\n", "value"),
        ("GET", "/", "A", "\r", "value"),
        ("GET", "/", "A", "\0", "value"),
    ] {
        match check(&request(
            method,
            target,
            &[("Fine", "fine"), (name, value)],
            "",
        )) {
            Err(Error::Input(text)) => {
                assert!(text.contains(part), "{text}");
                assert!(
                    text.len() < 300 && !text.chars().any(char::is_control),
                    "{text}"
                );
            }
            other => panic!("{method:?} {target:?} {name:?} {value:?}: {other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(crate::long::cases(300))]

    /// A reader of requests that knows nothing of ours finds one request with the same parts, or it
    /// was refused.
    #[test]
    fn whatever_passes_is_exactly_one_request(
        method in "[A-Z\r\n ]{1,5}",
        target in "/([a-z/ %\r\n\u{85}]{0,6})",
        headers in proptest::collection::vec(("[A-Za-z:\r\n -]{1,5}", "[ -~\r\n\0\u{e9}]{0,8}"), 0..4),
        body in "[ -~\r\n]{0,20}",
        keep_alive in any::<bool>(),
    ) {
        let body = body.into_bytes();
        let request = Request { method, target, headers, body };
        if check(&request).is_ok() {
            let mut out = Vec::new();
            encode(&request, "h", keep_alive, &mut out);
            let mut room = [httparse::EMPTY_HEADER; 16];
            let mut parsed = httparse::Request::new(&mut room);
            let used = parsed.parse(&out).unwrap().unwrap();
            prop_assert_eq!(&out[used..], request.body.as_slice());
            prop_assert_eq!(parsed.method, Some(request.method.as_str()));
            prop_assert_eq!(parsed.path, Some(request.target.as_str()));
            let has_length = !request.body.is_empty();
            let count = 1 + request.headers.len() + usize::from(has_length) + usize::from(!keep_alive);
            prop_assert_eq!(parsed.headers.len(), count);
        }
    }
}
