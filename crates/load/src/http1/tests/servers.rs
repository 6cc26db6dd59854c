//! Answers as they came from nginx 1.22, Node.js, Go and Python over a socket, and as others are
//! known to write them.

use super::*;

macro_rules! recorded {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("answers/", $name, ".http")).as_slice(),
        )
    };
}

type Recorded = (&'static str, &'static [u8]);

/// Recorded answers with their status, whether the connection goes on, and the length of the body.
pub(super) const ANSWERS: [(Recorded, u16, bool, u64); 20] = [
    (recorded!("nginx-return"), 200, true, 3),
    (recorded!("nginx-static"), 200, true, 615),
    (recorded!("nginx-gzip"), 200, true, 160),
    (recorded!("nginx-empty"), 204, true, 0),
    (recorded!("nginx-moved"), 301, false, 169),
    (recorded!("nginx-missing"), 404, true, 153),
    (recorded!("nginx-bad"), 400, false, 157),
    (recorded!("nginx-old"), 200, false, 3),
    (recorded!("nginx-unmodified"), 304, true, 0),
    (recorded!("node-hello"), 200, true, 5),
    (recorded!("node-parts"), 200, true, 19),
    (recorded!("node-hints"), 200, true, 6),
    (recorded!("node-trailers"), 200, true, 6),
    (recorded!("node-missing"), 404, true, 14),
    (recorded!("node-old"), 200, false, 19),
    (recorded!("python-static"), 200, false, 615),
    (recorded!("python-missing"), 404, false, 335),
    (recorded!("go-small"), 200, true, 5),
    (recorded!("go-chunks"), 200, true, 84),
    (recorded!("go-continue"), 200, true, 4),
];

#[test]
fn answers_of_servers_are_read_however_they_are_split() {
    for ((name, bytes), status, keeps_alive, body) in ANSWERS {
        let outcome = every_way(Kind::Other, bytes);
        assert_eq!(outcome.result, done(status, keeps_alive, body), "{name}");
        assert_eq!(outcome.used, Some(bytes.len()), "{name}");
        assert_eq!(outcome.heads, 1, "{name}");
        assert_eq!(outcome.body.len() as u64, body, "{name}");
    }
}

#[test]
fn an_answer_cut_short_is_truncated_and_never_done() {
    for ((name, bytes), status, ..) in ANSWERS {
        let ends_with_the_connection = ["node-old", "nginx-bad"].contains(&name);
        for cut in 1..bytes.len() {
            let result = whole(Kind::Other, &bytes[..cut]).result;
            if ends_with_the_connection && result.is_ok() {
                continue;
            }
            assert_eq!(
                result,
                Err(Fault::Truncated),
                "{name} ({status}) cut at {cut}"
            );
        }
    }
}

#[test]
fn the_answer_to_head_has_no_body() {
    let (_, bytes) = recorded!("nginx-head");
    assert_eq!(every_way(Kind::Head, bytes).result, done(200, true, 0));
    assert_eq!(whole(Kind::Other, bytes).result, Err(Fault::Truncated));
    let (_, longer) = recorded!("nginx-static");
    let outcome = whole(Kind::Head, longer);
    assert_eq!(outcome.used, Some(longer.len() - 615));
}

#[test]
fn headers_and_body_are_kept_as_they_came() {
    let (_, bytes) = recorded!("node-parts");
    let outcome = whole(Kind::Other, bytes);
    assert_eq!(outcome.body, b"onetwo, longerthree");
    let cookies = outcome
        .headers
        .iter()
        .filter(|(name, _)| name == b"Set-Cookie");
    let cookies: Vec<_> = cookies.map(|(_, value)| value.as_slice()).collect();
    assert_eq!(cookies, [b"a=1; Path=/".as_slice(), b"b=2"]);
    let (_, hinted) = recorded!("node-hints");
    let outcome = whole(Kind::Other, hinted);
    assert!(
        outcome.headers.iter().all(|(name, _)| name != b"Link"),
        "of the final head only"
    );
}

#[test]
fn heads_that_other_servers_are_known_to_write() {
    let apache = b"HTTP/1.1 200 OK\r\nDate: Mon, 27 Jul 2009 12:28:53 GMT\r\nServer: Apache/2.4.62 (Debian)\r\n\
        Last-Modified: Wed, 22 Jul 2009 19:15:56 GMT\r\nETag: \"34aa387-d-1568eb00\"\r\nAccept-Ranges: bytes\r\n\
        Content-Length: 3\r\nVary: Accept-Encoding\r\nKeep-Alive: timeout=5, max=100\r\n\
        Connection: Keep-Alive\r\nContent-Type: text/plain\r\n\r\nyes";
    let tomcat = b"HTTP/1.1 200 \r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n";
    let envoy = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nx-envoy-upstream-service-time: 1\r\nserver: envoy\r\n\r\nyes";
    let iis = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: Microsoft-IIS/10.0\r\nX-Powered-By: ASP.NET\r\n\r\nyes";
    for head in [apache.as_slice(), tomcat, envoy, iis] {
        let outcome = every_way(Kind::Other, head);
        assert_eq!(outcome.result, done(200, true, 3));
        assert_eq!(outcome.body, b"yes");
    }
    let haproxy =
        b"HTTP/1.0 503 Service Unavailable\r\nCache-Control: no-cache\r\nConnection: close\r\n\
        Content-Type: text/html\r\n\r\n<html>no</html>";
    assert_eq!(every_way(Kind::Other, haproxy).result, done(503, false, 15));
}
