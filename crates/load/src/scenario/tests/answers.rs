use std::io::Read;

use proptest::prelude::*;

use super::super::{At, Why};
use super::*;

const JSON: &str =
    r#"{"ok": true, "n": 1.0, "user": {"name": "A\u00f6", "tags": ["x", "y"]}, "token": "t-1"}"#;

#[test]
fn assertions_hold_or_say_how_they_do_not() {
    let head = [("Server", "nginx/1"), ("X-A", "one"), ("x-a", "two")];
    for (assert, why) in [
        (json!({"what": "status", "is": [201, 200]}), None),
        (json!({"what": "status", "between": [[200, 299]]}), None),
        (
            json!({"what": "status", "is": [404], "between": [[300, 399]]}),
            Some(Why::Status),
        ),
        // An answer takes 5 ms here.
        (json!({"what": "time", "below_ms": 5.001}), None),
        (json!({"what": "time", "below_ms": 5}), Some(Why::Slow)),
        (json!({"what": "json", "path": "$.ok", "is": true}), None),
        (
            json!({"what": "json", "path": "$.ok", "is": "true"}),
            Some(Why::Differs),
        ),
        (json!({"what": "json", "path": "$.n", "is": 1}), None),
        (
            json!({"what": "json", "path": "$.user.name", "is": "Aö"}),
            None,
        ),
        (
            json!({"what": "json", "path": "$.user.tags", "is": ["x", "y"]}),
            None,
        ),
        (
            json!({"what": "json", "path": "$.user.tags[-1]", "is": "x"}),
            Some(Why::Differs),
        ),
        (json!({"what": "json", "path": "$..tags"}), None),
        (
            json!({"what": "json", "path": "$.none"}),
            Some(Why::Missing),
        ),
        (json!({"what": "body", "contains": "\"token\""}), None),
        (
            json!({"what": "body", "contains": "Token"}),
            Some(Why::Missing),
        ),
        (json!({"what": "body", "matches": "t-[0-9]+"}), None),
        (
            json!({"what": "body", "matches": "^t-"}),
            Some(Why::Missing),
        ),
        (json!({"what": "header", "header": "server"}), None),
        (
            json!({"what": "header", "header": "X-A", "contains": "tw"}),
            None,
        ),
        (
            json!({"what": "header", "header": "X-A", "contains": "Two"}),
            Some(Why::Differs),
        ),
        (
            json!({"what": "header", "header": "X-B"}),
            Some(Why::Missing),
        ),
    ] {
        let (outcome, _) = judged(json!({"assert": [assert]}), 200, &head, JSON);
        let expected = why.map(|why| Failure {
            at: At::Assert(0),
            why,
        });
        assert_eq!(outcome.failure, expected, "{assert}");
        assert_eq!(
            (outcome.passed, outcome.held),
            (why.is_none(), u16::from(why.is_none()))
        );
    }
}

#[test]
fn a_status_passes_on_2xx_and_3xx_unless_an_assertion_says_otherwise() {
    for (status, passes) in [
        (199, false),
        (200, true),
        (302, true),
        (399, true),
        (400, false),
        (503, false),
    ] {
        let (outcome, said) = judged(json!({}), status, &[], "");
        assert_eq!((outcome.passed, outcome.status), (passes, status));
        assert_eq!(said.is_some(), !passes);
    }
    let wanted = json!({"assert": [{"what": "status", "is": [404]}]});
    assert!(judged(wanted.clone(), 404, &[], "").0.passed);
    assert!(!judged(wanted, 200, &[], "").0.passed);
}

#[test]
fn the_first_failure_is_told_in_a_line() {
    let given = json!({"name": "login", "assert": [{"what": "status", "is": [200]}, {"what": "json", "path": "$.ok", "is": 1}],
        "extract": [{"from": "json", "name": "a", "path": "$.b"}]});
    let (outcome, said) = judged(given.clone(), 200, &[], r#"{"ok": 2}"#);
    assert_eq!(outcome.held, 1);
    assert_eq!(outcome.failure.unwrap().class(), "assertion");
    assert_eq!(
        said.unwrap(),
        r#"scenario "s", step "login", assert 2: the value is another"#
    );
    let (outcome, said) = judged(given, 200, &[], r#"{"ok": 1}"#);
    assert_eq!(outcome.failure.unwrap().class(), "extraction");
    assert_eq!(
        said.unwrap(),
        r#"scenario "s", step "login", extract 1: the answer has no such value"#
    );
    assert_eq!(outcome.next, END);
}

/// What a value extracted in one step becomes in the body of the next.
fn extracted(extract: Value, headers: &[(&str, &str)], body: &str) -> Result<String, Why> {
    let mut extract = extract;
    extract["name"] = json!("v");
    let program = program(&[json!({"extract": [extract]}), json!({"body": "$v"})]);
    let mut walk = Walk::begun(&program);
    walk.sent();
    let outcome = walk.answered(200, headers, body);
    match outcome.failure {
        None => Ok(String::from_utf8(walk.sent().body).unwrap()),
        Some(Failure {
            at: At::Extract(0),
            why,
        }) => Err(why),
        Some(other) => panic!("{other:?}"),
    }
}

#[test]
fn values_are_extracted() {
    let head = [
        ("Location", "/next"),
        ("Set-Cookie", "sid=1; Path=/"),
        ("Set-Cookie", "sid=2=; Path=/x"),
    ];
    for (extract, expected) in [
        (json!({"from": "json", "path": "$.token"}), Ok("t-1")),
        (json!({"from": "json", "path": "$.user.name"}), Ok("Aö")),
        (json!({"from": "json", "path": "$.n"}), Ok("1.0")),
        (
            json!({"from": "json", "path": "$.user.tags"}),
            Ok(r#"["x", "y"]"#),
        ),
        (json!({"from": "json", "path": "$.none"}), Err(Why::Missing)),
        (
            json!({"from": "json", "path": "$.none", "default": "d"}),
            Ok("d"),
        ),
        (
            json!({"from": "json", "path": "$.none", "default": ""}),
            Ok(""),
        ),
        // The extractor by regular expression finds what is there.
        (json!({"from": "regex", "pattern": r"t-(\d)"}), Ok("1")),
        (
            json!({"from": "regex", "pattern": r"t-(\d)", "group": 0}),
            Ok("t-1"),
        ),
        (json!({"from": "regex", "pattern": r"t-\d"}), Ok("t-1")),
        (
            json!({"from": "regex", "pattern": r"(q)|(t)-", "group": 2}),
            Ok("t"),
        ),
        (
            json!({"from": "regex", "pattern": r"(q)|(t)-", "group": 1}),
            Err(Why::Missing),
        ),
        (json!({"from": "regex", "pattern": "T-"}), Err(Why::Missing)),
        (json!({"from": "header", "header": "location"}), Ok("/next")),
        (json!({"from": "header", "header": "X"}), Err(Why::Missing)),
        (json!({"from": "cookie", "cookie": "sid"}), Ok("2=")),
        (
            json!({"from": "cookie", "cookie": "SID"}),
            Err(Why::Missing),
        ),
    ] {
        assert_eq!(
            extracted(extract.clone(), &head, JSON),
            expected.map(str::to_owned),
            "{extract}"
        );
    }
}

#[test]
fn what_cannot_be_extracted_says_why() {
    let json = json!({"from": "json", "path": "$.a"});
    let long = format!(r#"{{"a": "{}"}}"#, "x".repeat(70_000));
    for (body, why) in [
        ("<html>", Why::NotJson),
        ("", Why::NotJson),
        (r#"{"a": "\ud800"}"#, Why::NotText),
        (long.as_str(), Why::TooLong),
    ] {
        assert_eq!(extracted(json.clone(), &[], body), Err(why));
    }
    assert_eq!(
        extracted(json.clone(), &[("Content-Encoding", "br")], r#"{"a": 1}"#),
        Err(Why::Unreadable)
    );
    let far = format!(r#"{{"b": "{}", "a": 1}}"#, "x".repeat(2 << 20));
    assert_eq!(extracted(json, &[], &far), Err(Why::Cut));
    assert_eq!(
        extracted(json!({"from": "regex", "pattern": "\"a\""}), &[], &far),
        Err(Why::Cut)
    );
}

#[test]
fn a_cookie_of_an_earlier_step_can_be_extracted() {
    let given = json!({"extract": [{"from": "cookie", "name": "c", "cookie": "sid"}]});
    for path in ["/", "/$user"] {
        let mut given = given.clone();
        given["path"] = json!(path);
        let program = program(&[
            json!({}),
            given,
            json!({"path": "http://b.test", "body": "$c"}),
        ]);
        let mut walk = Walk::begun(&program);
        walk.pass(&[("Set-Cookie", "sid=9")], "");
        walk.pass(&[], "");
        assert_eq!(walk.sent().body, b"9");
    }
}

#[test]
fn packed_bodies_are_unpacked_first() {
    let program = program(&[json!({"assert": [{"what": "json", "path": "$.ok", "is": true}]})]);
    let mut walk = Walk::begun(&program);
    walk.sent();
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(JSON.as_bytes(), flate2::Compression::fast())
        .read_to_end(&mut packed)
        .unwrap();
    let mut answer = answer(&[("content-encoding", "gzip")], "");
    answer.push_body(&packed);
    assert!(
        program
            .answer(
                &mut walk.user,
                200,
                Some(&mut answer),
                0,
                NOW,
                &mut walk.rng
            )
            .passed
    );
}

#[test]
fn an_answer_that_was_not_kept_fails_what_looks_into_it() {
    let program = program(&[json!({"assert": [{"what": "body", "contains": "a"}]})]);
    let mut walk = Walk::begun(&program);
    let outcome = program.answer(&mut walk.user, 200, None, 0, NOW, &mut walk.rng);
    assert_eq!(
        outcome.failure.map(|failure| failure.why),
        Some(Why::Missing)
    );
}

proptest! {
    #[test]
    fn any_answer_is_taken(
        status in 0..1000_u16,
        headers in prop::collection::vec((prop_oneof!["Set-Cookie", "Content-Encoding", "X"], prop::collection::vec(any::<u8>(), 0..30)), 0..5),
        body in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let program = program(&[
            json!({"extract": [
                {"from": "json", "name": "a", "path": "$..a", "default": "d"},
                {"from": "regex", "name": "b", "pattern": "(.)", "default": "d"},
                {"from": "header", "name": "c", "header": "X", "default": "d"},
                {"from": "cookie", "name": "d", "cookie": "a", "default": "d"},
            ], "cache_ttl_ms": 5}),
            json!({"path": "/$a$b$c$d", "headers": [["A", "$a$b"]]}),
        ]);
        let mut walk = Walk::begun(&program);
        walk.sent();
        let mut answer = Answer::default();
        for (name, value) in &headers {
            answer.push_header(name.as_bytes(), value);
        }
        answer.push_body(&body);
        let outcome = program.answer(&mut walk.user, status, Some(&mut answer), 0, NOW, &mut walk.rng);
        prop_assert_eq!(outcome.passed, (200..400).contains(&status));
        if outcome.passed {
            walk.ready();
        }
    }
}
