use proptest::prelude::*;

use super::super::{At, Why};
use super::*;

/// The request of a step after one that set `id`, `idx` and `q`.
fn after(given: Value, id: &str, idx: &str) -> Result<Request, (At, Why)> {
    let extract = |name: &str| json!({"from": "json", "name": name, "path": format!("$.{name}")});
    let program = program(&[json!({"extract": [extract("id"), extract("idx")]}), given]);
    let mut walk = Walk::begun(&program);
    walk.pass(&[], &json!({"id": id, "idx": idx}).to_string());
    match walk.ready() {
        Ready::Filled => Ok(walk.request.clone()),
        Ready::Refused(outcome) => {
            assert_eq!(
                (outcome.passed, outcome.status, outcome.next),
                (false, 0, END)
            );
            let failure = outcome.failure.unwrap();
            assert_eq!(failure.class(), "request");
            Err((failure.at, failure.why))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_reach_every_part_of_a_request() {
    let sent = after(
        json!({"method": "POST", "path": "/a/$id?x=${idx}", "query": [["k $id", "v&${idx}=ü"]],
            "headers": [["X-Id", "<$id>"], ["B", "c"]], "body": "{\"id\": \"${id}\", \"$$\": \"$idx\"}"}),
        "7",
        "1 2",
    )
    .unwrap();
    assert_eq!(sent.method, "POST");
    assert_eq!(sent.target, "/a/7?x=1%202&k%207=v%261%202%3D%C3%BC");
    assert_eq!(
        sent.headers,
        [
            ("X-Id".to_owned(), "<7>".to_owned()),
            ("B".to_owned(), "c".to_owned())
        ]
    );
    assert_eq!(sent.body, br#"{"id": "7", "$": "1 2"}"#);
}

#[test]
fn a_name_is_not_found_inside_a_longer_one() {
    let sent = after(json!({"path": "/$idx/$id"}), "short", "long").unwrap();
    assert_eq!(sent.target, "/long/short");
}

#[test]
fn query_parameters_are_encoded() {
    let program = program(&[json!({"query": [["q", "a b&c=d/e"], ["r", "100%"], ["", ""]]})]);
    assert_eq!(
        program.steps()[0].fixed().unwrap().target,
        "/?q=a%20b%26c%3Dd%2Fe&r=100%25&="
    );
    let sent = after(
        json!({"path": "/$id", "query": [["q", "$idx"]]}),
        "s?t=1",
        "a&b",
    )
    .unwrap();
    assert_eq!(sent.target, "/s?t=1&q=a%26b");
}

#[test]
fn a_value_cannot_add_a_header() {
    let given = json!({"headers": [["A", "b"], ["X", "$id"]]});
    for value in ["a\r\nX: y", "a\n", "\0", "\u{7f}"] {
        assert_eq!(
            after(given.clone(), value, ""),
            Err((At::Header(1), Why::Control)),
            "{value:?}"
        );
    }
    assert!(after(given, "a\tü", "").is_ok());
    let sent = after(json!({"path": "/$id"}), "a\r\nHost: b c", "").unwrap();
    assert_eq!(sent.target, "/a%0D%0AHost:%20b%20c");
}

#[test]
fn a_path_that_is_a_value_stays_on_its_origin() {
    for (value, expected) in [
        ("/next?page=2", Ok("/next?page=2&q=1")),
        ("next", Ok("/next?q=1")),
        ("?page=2", Ok("/?page=2&q=1")),
        ("", Ok("/?q=1")),
        ("http://a.test/next", Ok("/next?q=1")),
        ("HTTP://A.test:80", Ok("/?q=1")),
        ("http://a.test:81/next", Err((At::Path, Why::Elsewhere))),
        ("https://a.test/next", Err((At::Path, Why::Elsewhere))),
        ("http://evil.test/", Err((At::Path, Why::Elsewhere))),
        ("ftp://a.test/", Err((At::Path, Why::Elsewhere))),
        ("//evil.test/", Ok("//evil.test/?q=1")),
    ] {
        let sent = after(json!({"path": "$id", "query": [["q", "1"]]}), value, "");
        assert_eq!(
            sent.map(|sent| sent.target),
            expected.map(str::to_owned),
            "{value}"
        );
    }
}

#[test]
fn a_path_that_is_a_value_goes_after_the_base() {
    for (value, expected) in [
        ("/x", "/api/x"),
        ("x", "/api/x"),
        ("?x", "/api?x"),
        ("http://a/y", "/y"),
    ] {
        let data = json!({"columns": ["p"], "rows": [[value]], "strategy": "cycle"});
        let plan = scenario(&json!({"data": data, "steps": [step(&json!({"path": "${p}"}))]}));
        let program = Program::compile(&[plan], "http://a/api/", &[]).unwrap();
        assert_eq!(Walk::begun(&program).sent().target, expected, "{value}");
    }
}

#[test]
fn headers_of_the_run_give_way_to_those_of_a_step() {
    let headers = [
        ("A".to_owned(), "run $user".to_owned()),
        ("B".to_owned(), "run".to_owned()),
    ];
    let steps = [step(
        &json!({"headers": [["b", "step"], ["C", "x"], ["C", "y"]]}),
    )];
    let program =
        Program::compile(&[scenario(&json!({"steps": steps}))], "http://a", &headers).unwrap();
    let sent = Walk::begun(&program).sent();
    let seen: Vec<_> = sent
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        seen,
        [("A", "run 1"), ("b", "step"), ("C", "x"), ("C", "y")]
    );
}

#[test]
fn built_in_variables_have_their_values() {
    let program = program(&[json!({"body": "$user ${iteration} $timestamp ${random}"})]);
    let mut walk = Walk::begun(&program);
    walk.begin();
    let body = String::from_utf8(walk.sent().body).unwrap();
    assert!(body.starts_with("1 2 1700000000000 "), "{body}");
    assert_ne!(walk.sent().body, body.into_bytes());
}

#[test]
fn sized_bodies_have_their_size() {
    assert_eq!(
        program(&[json!({"body_size": 10_240})]).steps()[0]
            .fixed()
            .unwrap()
            .body
            .len(),
        10_240
    );
    assert_eq!(
        after(json!({"path": "/$id", "body_size": 3}), "", "")
            .unwrap()
            .body,
        b"xxx"
    );
}

#[test]
fn a_request_is_filled_over_the_last_one() {
    let program = program(&[
        json!({"path": "/$user/long", "headers": [["A", "$user"], ["B", "$user"], ["C", "c"]], "body": "$user"}),
        json!({"path": "/$user", "headers": [["D", "$user"]]}),
    ]);
    let mut walk = Walk::begun(&program);
    walk.pass(&[], "");
    let sent = walk.sent();
    let expected = Request {
        method: "GET".to_owned(),
        target: "/1".to_owned(),
        headers: vec![("D".to_owned(), "1".to_owned())],
        body: Vec::new(),
    };
    assert_eq!(sent, expected);
}

#[test]
fn cookies_go_back_within_their_iteration() {
    let program = program(&[
        json!({"path": "/login/form"}),
        json!({"path": "/login/go"}),
        json!({"path": "/home", "headers": [["Cookie", "own=1"]]}),
        json!({"path": "http://b.test/"}),
        json!({"path": "/login/go"}),
    ]);
    let mut walk = Walk::begun(&program);
    assert_eq!(walk.ready(), Ready::Fixed);
    walk.pass(
        &[
            ("Set-Cookie", "sid=x; Path=/; HttpOnly"),
            ("set-cookie", "form=y"),
        ],
        "",
    );
    assert_eq!(header(&walk.pass(&[], ""), "cookie"), Some("sid=x; form=y"));
    assert_eq!(header(&walk.pass(&[], ""), "cookie"), Some("own=1; sid=x"));
    // No cookie goes to another host: the prepared request does.
    assert_eq!(walk.ready(), Ready::Fixed);
    walk.pass(&[], "");
    walk.answered(500, &[("Set-Cookie", "form=; Path=/login; Max-Age=0")], "");
    // One jar for each iteration.
    walk.begin();
    assert_eq!(walk.ready(), Ready::Fixed);
    walk.pass(&[("Set-Cookie", "nonsense")], "");
    assert_eq!(walk.ready(), Ready::Fixed);
    assert_eq!(
        (
            walk.user.take_refused_cookies(),
            walk.user.take_refused_cookies()
        ),
        (1, 0)
    );
}

#[test]
fn cookies_stay_for_who_keeps_them() {
    let steps = [
        step(&json!({"path": "/seen"})),
        step(&json!({"path": "/in"})),
    ];
    let kept = scenario(&json!({"keep_cookies": true, "steps": steps}));
    let program = Program::compile(&[kept], "http://a.test", &[]).unwrap();
    let mut walk = Walk::begun(&program);
    walk.pass(&[], "");
    // The last step of one iteration comes before the first of the next.
    walk.pass(&[("Set-Cookie", "sid=x")], "");
    walk.begin();
    assert_eq!(header(&walk.pass(&[], ""), "cookie"), Some("sid=x"));
}

#[test]
fn a_cookie_without_a_path_is_of_the_rendered_one() {
    let program = program(&[
        json!({"path": "/$user/in"}),
        json!({"path": "/$user/x"}),
        json!({"path": "/2/x"}),
    ]);
    let mut walk = Walk::begun(&program);
    walk.pass(&[("Set-Cookie", "a=1")], "");
    assert_eq!(header(&walk.pass(&[], ""), "cookie"), Some("a=1"));
    assert_eq!(header(&walk.pass(&[], ""), "cookie"), None);
}

proptest! {
    #[test]
    fn no_value_breaks_a_request(id in any::<String>(), idx in any::<String>()) {
        let given = json!({"path": "/a$id", "query": [["$id", "$idx"]], "headers": [["A", "$idx"]], "body": "$id"});
        match after(given, &id, &idx) {
            Ok(sent) => {
                prop_assert!(sent.target.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(!sent.headers[0].1.contains(['\r', '\n', '\0']));
                prop_assert_eq!(sent.body, id.into_bytes());
            }
            Err(failure) => {
                prop_assert_eq!(failure, (At::Header(0), Why::Control));
                prop_assert!(idx.contains(|c: char| c.is_ascii_control()));
            }
        }
    }
}
