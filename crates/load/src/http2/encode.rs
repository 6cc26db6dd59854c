//! A request as a header block that can be sent again: it refers to the static table only.

use std::io::Write;

use super::hpack::put_field;
use crate::Request;

/// Headers that belong to a connection of HTTP/1.1 (RFC 9113 8.2.2), or that are said in another way here.
const DROPPED: [&str; 8] = [
    "connection",
    "content-length",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// Appends the header block of a request to `out`. Names become lower case; headers that belong to a connection of
/// HTTP/1.1 are left out; the length of the body is added where there is one or the method is known to have one.
pub fn encode(request: &Request, scheme: &str, authority: &str, out: &mut Vec<u8>) {
    let target = match request.target.as_str() {
        "" => "/",
        target => target,
    };
    put_field(":method", request.method.as_bytes(), out);
    put_field(":scheme", scheme.as_bytes(), out);
    put_field(":path", target.as_bytes(), out);
    put_field(":authority", authority.as_bytes(), out);
    let mut lower = String::new();
    for (name, value) in &request.headers {
        let mut name = name.as_str();
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            name.clone_into(&mut lower);
            lower.make_ascii_lowercase();
            name = &lower;
        }
        let value = value.trim_matches([' ', '\t']);
        let is_dropped = DROPPED.contains(&name) || name == "te" && value != "trailers";
        if !is_dropped {
            put_field(name, value.as_bytes(), out);
        }
    }
    let has_length = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH");
    if has_length || !request.body.is_empty() {
        put_length(request.body.len(), out);
    }
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut rest = &mut digits[..];
    // Twenty digits hold every length.
    let _ = write!(rest, "{length}");
    let unused = rest.len();
    put_field("content-length", &digits[..digits.len() - unused], out);
}

#[cfg(test)]
mod tests {
    use super::super::hpack::{Field, Fields, STATIC};
    use super::*;

    fn fields(request: &Request) -> Vec<(String, String)> {
        let mut block = Vec::new();
        encode(request, "http", "a.test:8080", &mut block);
        let mut fields = Fields::new(&block);
        let mut found = Vec::new();
        while let Some(field) = fields.next().unwrap() {
            let text = |text: super::super::hpack::Text| {
                let mut out = Vec::new();
                text.decode(&mut out).unwrap();
                String::from_utf8(out).unwrap()
            };
            found.push(match field {
                Field::Indexed(at) => (STATIC[at - 1].0.into(), STATIC[at - 1].1.into()),
                Field::Named(at, value) => (STATIC[at - 1].0.into(), text(value)),
                Field::Literal(name, value) => (text(name), text(value)),
            });
        }
        found
    }

    fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Request {
            method: method.into(),
            target: target.into(),
            headers: headers.iter().map(own).collect(),
            body: body.to_vec(),
        }
    }

    #[test]
    fn the_example_of_appendix_c4_without_indexing() {
        let mut block = Vec::new();
        let request = request("GET", "/", &[], b"");
        encode(&request, "http", "www.example.com", &mut block);
        let expected = [
            0x82, 0x86, 0x84, 0x01, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab,
            0x90, 0xf4, 0xff,
        ];
        assert_eq!(block, expected);
    }

    #[test]
    fn names_are_lowered_and_a_connections_headers_left_out() {
        let headers = [
            ("User-Agent", " chaffinch "),
            ("Connection", "keep-alive"),
            ("Keep-Alive", "5"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("TE", "gzip"),
            ("te", "trailers"),
            ("Host", "b.test"),
            ("X-Id", "7"),
        ];
        let found = fields(&request("GET", "", &headers, b""));
        let expected = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "a.test:8080"),
            ("user-agent", "chaffinch"),
            ("te", "trailers"),
            ("x-id", "7"),
        ];
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|&(name, value)| (name.into(), value.into()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_body_has_its_length() {
        let length = |request: &Request| {
            fields(request)
                .pop()
                .filter(|(name, _)| name == "content-length")
        };
        let said = |text: &str| Some(("content-length".to_owned(), text.to_owned()));
        assert_eq!(length(&request("POST", "/", &[], b"")), said("0"));
        assert_eq!(
            length(&request("POST", "/", &[("Content-Length", "9")], b"abc")),
            said("3")
        );
        assert_eq!(
            length(&request("GET", "/", &[], &[0; 12_345])),
            said("12345")
        );
        assert_eq!(length(&request("GET", "/", &[], b"")), None);
    }
}
