//! Where a body ends: RFC 9112 sections 6 and 7.

use super::*;

/// An answer with these headers and bytes after its head.
fn answer(headers: &str, rest: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n{rest}").into_bytes()
}

fn result(headers: &str, rest: &str) -> Result<Done, Fault> {
    every_way(Kind::Other, &answer(headers, rest)).result
}

fn chunked(rest: &str) -> Result<Done, Fault> {
    result("Transfer-Encoding: chunked", rest)
}

#[test]
fn a_length_counts_bytes_and_what_follows_is_left() {
    let outcome = every_way(
        Kind::Other,
        &answer("Content-Length: 5", "12345HTTP/1.1 200"),
    );
    assert_eq!(outcome.result, done(200, true, 5));
    assert_eq!(outcome.body, b"12345");
    assert_eq!(
        outcome.used,
        Some(answer("Content-Length: 5", "12345").len())
    );
    assert_eq!(result("Content-Length: 0", "x"), done(200, true, 0));
    assert_eq!(result("Content-Length: 5", "1234"), Err(Fault::Truncated));
    assert_eq!(
        result("content-LENGTH:\t 5 \t", "12345"),
        done(200, true, 5)
    );
    assert_eq!(
        result("Content-Length: 0000000000000000000000005", "12345"),
        done(200, true, 5)
    );
}

#[test]
fn equal_lengths_are_one_and_different_ones_a_fault() {
    for equal in [
        "5, 5",
        "5,5",
        "5 ,\t5",
        "5\r\nContent-Length: 5",
        "5\r\ncontent-length: 5, 5",
    ] {
        assert_eq!(
            result(&format!("Content-Length: {equal}"), "12345"),
            done(200, true, 5),
            "{equal}"
        );
    }
    for bad in [
        "5, 6",
        "5\r\nContent-Length: 6",
        "5,",
        ",5",
        "5,,5",
        "",
        "+5",
        "-5",
        "-0",
        "5.0",
        "0x5",
        "5 5",
        "5;",
        "five",
        "\"5\"",
        "5\u{660}",
        "9223372036854775808",
        "18446744073709551616",
        "99999999999999999999999999",
    ] {
        assert_eq!(
            result(&format!("Content-Length: {bad}"), "12345"),
            Err(Fault::BadLength),
            "{bad}"
        );
    }
    assert_eq!(
        result("Content-Length: 9223372036854775807", "12345"),
        Err(Fault::Truncated)
    );
}

#[test]
fn both_lengths_are_a_fault_in_either_order() {
    for both in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: gzip\r\nContent-Length: 5",
        "Transfer-Encoding: identity\r\nContent-Length: 5",
    ] {
        assert_eq!(
            result(both, "5\r\n12345\r\n0\r\n\r\n"),
            Err(Fault::BadLength),
            "{both}"
        );
    }
}

#[test]
fn only_chunked_as_the_last_coding_frames_a_body() {
    let body = "5\r\n12345\r\n0\r\n\r\n";
    for framed in [
        "chunked",
        "CHUNKED",
        " chunked\t",
        "gzip, chunked",
        "gzip\r\nTransfer-Encoding: chunked",
        "x;q=\"1\", chunked",
    ] {
        assert_eq!(
            result(&format!("Transfer-Encoding: {framed}"), body),
            done(200, true, 5),
            "{framed}"
        );
    }
    for closing in [
        "gzip",
        "identity",
        "chunked, gzip",
        "xchunked",
        "x;a=chunked",
    ] {
        let bytes = body.len() as u64;
        assert_eq!(
            result(&format!("Transfer-Encoding: {closing}"), body),
            done(200, false, bytes),
            "{closing}"
        );
    }
    for bad in [
        "",
        "chunked,",
        ",chunked",
        "chunked, chunked",
        "chunked, gzip, chunked",
        "chunked;a=b",
        "\"chunked\"",
    ] {
        assert_eq!(
            result(&format!("Transfer-Encoding: {bad}"), body),
            Err(Fault::BadLength),
            "{bad}"
        );
    }
    assert_eq!(
        result(
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            body
        ),
        Err(Fault::BadLength)
    );
}

#[test]
fn without_a_length_the_body_ends_with_the_connection() {
    assert_eq!(result("Server: x", "12345"), done(200, false, 5));
    assert_eq!(result("Connection: keep-alive", ""), done(200, false, 0));
}

#[test]
fn some_answers_have_no_body_whatever_they_say() {
    for headers in [
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "Content-Length: 5\r\nTransfer-Encoding: x",
        "A: b",
    ] {
        let bytes = answer(headers, "left");
        let outcome = every_way(Kind::Head, &bytes);
        assert_eq!(
            (outcome.result, outcome.used),
            (done(200, true, 0), Some(bytes.len() - 4)),
            "{headers}"
        );
        for status in [204, 304] {
            let bytes = format!("HTTP/1.1 {status} x\r\n{headers}\r\n\r\nleft");
            let outcome = every_way(Kind::Other, bytes.as_bytes());
            assert_eq!(outcome.result, done(status, true, 0), "{headers}");
            assert_eq!(outcome.used, Some(bytes.len() - 4), "{headers}");
        }
    }
    let reset = b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(every_way(Kind::Other, reset).result, done(205, true, 0));
}

#[test]
fn chunks_are_put_together() {
    for (rest, body) in [
        ("0\r\n\r\n", ""),
        ("5\r\n12345\r\n0\r\n\r\n", "12345"),
        ("1\r\na\r\n00002\r\nbc\r\n000\r\n\r\n", "abc"),
        (
            "A\r\n0123456789\r\na\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n",
            "0123456789\r\n\r\n\r\n\r\n\r\n",
        ),
        ("3;a\r\nabc\r\n0;b=c\r\n\r\n", "abc"),
        ("3 ; a = \"b;\\\"c\" \t;d\r\nabc\r\n0\r\n\r\n", "abc"),
        ("3  \r\nabc\r\n0\t\r\n\r\n", "abc"),
        ("3;\u{e9}\r\nabc\r\n0\r\nX-Sum: 1\r\nEmpty:\r\n\r\n", "abc"),
    ] {
        let bytes = answer("Transfer-Encoding: chunked", &format!("{rest}HTTP"));
        let outcome = every_way(Kind::Other, &bytes);
        assert_eq!(
            outcome.result,
            done(200, true, body.len() as u64),
            "{rest:?}"
        );
        assert_eq!(outcome.body, body.as_bytes(), "{rest:?}");
        assert_eq!(outcome.used, Some(bytes.len() - 4), "{rest:?}");
    }
}

#[test]
fn chunks_that_break_the_rules_are_a_fault() {
    for bad in [
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "+1\r\n",
        " 1\r\na",
        "0x1\r\na",
        ";a\r\n",
        "1\na\r\n0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "1\r\r\na",
        "1\r\nab\r\n",
        "1\r\na0\r\n\r\n",
        "1 1\r\na",
        "1 a\r\n",
        "1;a\nb\r\n",
        "1;a\0\r\n",
        "1;\x7f\r\n",
        "1;\ra\r\n",
        "8000000000000000\r\n",
        "10000000000000000\r\n",
        "fffffffffffffffff\r\n",
        "0\n\r\n",
        "0\r\n\n",
        "0\r\n\rx",
        "0\r\n folded\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\n: v\r\n\r\n",
        "0\r\nA: \n\r\n",
        "0\r\nA: \0\r\n\r\n",
        "0\r\nA\r\n\r\n",
        "0\r\nA: b\rc\r\n\r\n",
    ] {
        assert_eq!(chunked(bad), Err(Fault::BadChunk), "{bad:?}");
    }
    for short in [
        "",
        "1",
        "1\r\n",
        "1\r\na",
        "1\r\na\r\n",
        "0\r\n",
        "0\r\n\r",
        "0\r\nA: b\r\n",
        "7fffffffffffffff\r\nabc",
    ] {
        assert_eq!(chunked(short), Err(Fault::Truncated), "{short:?}");
    }
}

#[test]
fn connections_go_on_by_version_and_header() {
    for (version, header, goes_on) in [
        ("1.1", "A: b", true),
        ("1.1", "Connection: keep-alive", true),
        ("1.1", "Connection: close", false),
        ("1.1", "CONNECTION: CLOSE", false),
        ("1.1", "Connection: x, Close ,y", false),
        ("1.1", "Connection: upgrade\r\nConnection: close", false),
        ("1.1", "Connection: closed", true),
        ("1.1", "Connection:", true),
        ("1.1", "Proxy-Connection: close", true),
        ("1.1", "Connection: keep-alive, close", false),
        ("1.0", "A: b", false),
        ("1.0", "Connection: keep-alive", true),
        ("1.0", "Connection: Keep-Alive", true),
        ("1.0", "Connection: a,keep-alive", true),
        ("1.0", "Connection: close, keep-alive", false),
        ("1.0", "Proxy-Connection: keep-alive", false),
    ] {
        let bytes = format!("HTTP/{version} 200 OK\r\n{header}\r\nContent-Length: 0\r\n\r\n");
        let outcome = every_way(Kind::Other, bytes.as_bytes());
        assert_eq!(outcome.result, done(200, goes_on, 0), "{version} {header}");
    }
    let old = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n\
        1\r\na\r\n0\r\n\r\n";
    assert_eq!(
        every_way(Kind::Other, old).result,
        done(200, false, 1),
        "codings are not of HTTP/1.0"
    );
}
