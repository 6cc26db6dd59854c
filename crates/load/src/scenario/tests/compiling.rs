use proptest::prelude::*;

use super::super::Wants;
use super::*;

#[test]
fn faults_name_scenario_step_and_field() {
    for (given, said) in [
        (
            json!({"path": "/$idd"}),
            r#"path: there is no variable "idd" here, the nearest is "id""#,
        ),
        (
            json!({"path": "http://${id}/"}),
            "path: \"http://${id}/\" has a variable in its scheme, host or port",
        ),
        (
            json!({"query": [["a", "${b}"]]}),
            r#"query: there is no variable "b" here"#,
        ),
        (
            json!({"headers": [["X-A", "$b"]]}),
            r#"header "X-A": there is no variable "b" here"#,
        ),
        (
            json!({"headers": [["X-A", "a\r\nB: c"]]}),
            r#"header "X-A": its value has a line break"#,
        ),
        (
            json!({"headers": [["a b", "c"]]}),
            r#"header "a b": "a b" is not the name of a header"#,
        ),
        (
            json!({"headers": [["Content-Length", "3"]]}),
            r#"header "Content-Length": it belongs to the connection"#,
        ),
        (
            json!({"headers": [["Host", "$id"]]}),
            r#"header "Host": the host cannot be a variable"#,
        ),
        (
            json!({"body": "${b}"}),
            r#"body: there is no variable "b" here"#,
        ),
        (
            json!({"body": "a", "body_size": 3}),
            "body: it is given as text and as a size",
        ),
        (
            json!({"body_size": 99_999_999_999_u64}),
            "body: 99999999999 bytes are more than",
        ),
        (
            json!({"method": "GET /"}),
            "method: \"GET /\" is not a method",
        ),
        (
            json!({"label": "$b"}),
            r#"label: there is no variable "b" here"#,
        ),
        (
            json!({"think_ms": [2, 1]}),
            "think_ms: the least is more than the most",
        ),
        (
            json!({"assert": [{"what": "status", "is": [200]}, {"what": "json", "path": "a"}]}),
            r#"assert 2: the path "a" is not understood"#,
        ),
        (
            json!({"extract": [{"from": "regex", "name": "a", "pattern": "("}]}),
            r#"extract 1: the regular expression "(""#,
        ),
        (
            json!({"extract": [{"from": "header", "name": "a}", "header": "X"}]}),
            r#"extract 1: "a}" cannot name a variable"#,
        ),
    ] {
        let first = json!({"extract": [{"from": "header", "name": "id", "header": "X"}]});
        let mut last = given.clone();
        last["name"] = json!("login");
        let found = refused(&[first, last]);
        assert!(
            found.starts_with(&format!("scenario \"shop\", step \"login\", {said}")),
            "{given}: {found}"
        );
        assert!(!found.contains('\n'));
    }
}

#[test]
fn a_value_is_known_only_after_its_step() {
    let given = json!({"path": "/$t", "extract": [{"from": "header", "name": "t", "header": "X"}]});
    assert!(refused(&[given]).contains("no variable \"t\""));
}

#[test]
fn scenarios_that_cannot_run_are_refused() {
    let data = |columns: Value, rows: Value| json!({"data": {"columns": columns, "rows": rows, "strategy": "cycle"}});
    for (given, said) in [
        (json!({"weight": -1.0}), "scenario \"s\", weight: "),
        (json!({"weight": 0.0}), "no scenario with a weight above 0"),
        (json!({"steps": []}), "scenario \"s\", steps: "),
        (
            data(json!(["a"]), json!([])),
            "scenario \"s\", data: it has no rows",
        ),
        (
            data(json!(["a"]), json!([["1", "2"]])),
            "it has 1 columns and rows of 2 values",
        ),
        (
            data(json!(["a", "a"]), json!([["1", "2"]])),
            "two columns are named \"a\"",
        ),
        (
            data(json!([""]), json!([["1"]])),
            "\"\" cannot name a variable",
        ),
    ] {
        let error = Program::compile(&[scenario(&given)], "http://a", &[]).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let error = Program::compile(&[scenario(&json!({}))], "a.test", &[]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("base_url: \"a.test\" is not a URL")
    );
    assert!(Program::compile(&[], "http://a", &[]).is_err());
}

#[test]
fn steps_say_all_that_sending_needs() {
    let program = program(&[
        json!({"name": "one"}),
        json!({"name": "two", "path": "https://b.test/x", "timeout_ms": 5, "label": "L"}),
        json!({"name": "three", "path": "http://[::1]:81/x", "label": "$user", "headers": [["host", "c.test"]]}),
        json!({"path": "http://A.TEST:80/y"}),
    ]);
    let origins: Vec<_> = program
        .origins()
        .iter()
        .map(super::super::Origin::authority)
        .collect();
    assert_eq!(origins, ["a.test", "b.test", "[::1]:81"]);
    let steps = program.steps();
    let seen: Vec<_> = steps
        .iter()
        .map(|step| (step.origin(), step.host(), step.label(), step.timeout_ms()))
        .collect();
    assert_eq!(seen[0], (0, "a.test", Some("s/one"), None));
    assert_eq!(seen[1], (1, "b.test", Some("L"), Some(5)));
    assert_eq!(seen[2], (2, "c.test", None, None));
    assert_eq!(seen[3], (0, "a.test", Some("s/x"), None));
    assert!(header(steps[2].fixed().unwrap(), "host").is_none());
    assert_eq!(
        (
            steps[1].scenario(),
            steps[1].scenario_name(),
            steps[1].name()
        ),
        (0, "s", "two")
    );
    assert_eq!(program.scenarios().collect::<Vec<_>>(), ["s"]);
    let walk = &mut Walk::begun(&program);
    let mut label = String::new();
    walk.user.step = 2;
    program.label(&walk.user, NOW, &mut walk.rng, &mut label);
    assert_eq!(label, "1");
}

#[test]
fn a_scenarios_timeout_is_that_of_its_steps() {
    let steps = [step(&json!({})), step(&json!({"timeout_ms": 5}))];
    let plan = scenario(&json!({"timeout_ms": 7, "steps": steps}));
    let program = Program::compile(&[plan], "http://a", &[]).unwrap();
    let timeouts: Vec<_> = program
        .steps()
        .iter()
        .map(super::super::Step::timeout_ms)
        .collect();
    assert_eq!(timeouts, [Some(7), Some(5)]);
}

#[test]
fn only_what_is_looked_into_is_wanted() {
    let wants = |given: Value| program(&[given]).steps()[0].wants();
    let body = Wants {
        head: true,
        body: true,
        cookies: false,
    };
    let head = Wants {
        head: true,
        ..Wants::default()
    };
    for (given, expected) in [
        (json!({}), Wants::default()),
        (
            json!({"assert": [{"what": "status", "is": [200]}, {"what": "time", "below_ms": 5}]}),
            Wants::default(),
        ),
        (json!({"cache_ttl_ms": 5}), Wants::default()),
        (json!({"assert": [{"what": "json", "path": "$"}]}), body),
        (json!({"assert": [{"what": "body", "contains": "a"}]}), body),
        (json!({"assert": [{"what": "body", "matches": "a"}]}), body),
        (json!({"assert": [{"what": "header", "header": "a"}]}), head),
        (
            json!({"extract": [{"from": "json", "name": "a", "path": "$"}]}),
            body,
        ),
        (
            json!({"extract": [{"from": "regex", "name": "a", "pattern": "a"}]}),
            body,
        ),
        (
            json!({"extract": [{"from": "header", "name": "a", "header": "a"}]}),
            head,
        ),
        (
            json!({"extract": [{"from": "cookie", "name": "a", "cookie": "a"}]}),
            head,
        ),
    ] {
        assert_eq!(wants(given.clone()), expected, "{given}");
    }
    let program = program(&[
        json!({}),
        json!({"path": "http://b.test/"}),
        json!({"path": "http://x.b.test/"}),
        json!({}),
    ]);
    let cookies: Vec<_> = program
        .steps()
        .iter()
        .map(|step| step.wants().cookies)
        .collect();
    // The last two steps have none after them that is of their host.
    assert_eq!(cookies, [true, true, false, false]);
}

#[test]
fn what_varies_is_not_prepared() {
    for (given, is_fixed) in [
        (json!({}), true),
        (
            json!({"query": [["a", "b"]], "headers": [["A", "$$b"]], "body": "c"}),
            true,
        ),
        (json!({"body_size": 5}), true),
        (json!({"path": "/$user"}), false),
        (json!({"path": "$user"}), false),
        (json!({"query": [["$user", "b"]]}), false),
        (json!({"headers": [["A", "${random}"]]}), false),
        (json!({"body": "$timestamp"}), false),
    ] {
        assert_eq!(
            program(std::slice::from_ref(&given)).steps()[0]
                .fixed()
                .is_some(),
            is_fixed,
            "{given}"
        );
    }
}

proptest! {
    #[test]
    fn any_texts_compile_or_are_refused(
        texts in prop::collection::vec(prop_oneof!["(https?://)?[a$/:.{}?#&=% ]*", "(\\$(user|\\{random\\}|[^a]))*", ".*"], 6),
    ) {
        let given = step(&json!({"path": texts[0], "query": [[texts[1], texts[2]]], "headers": [["A", texts[3]]],
            "body": texts[4], "label": texts[5]}));
        let plan = scenario(&json!({"steps": [given]}));
        match Program::compile(&[plan], "http://a.test", &[]) {
            Ok(program) => {
                let mut walk = Walk::begun(&program);
                let sent = walk.sent();
                prop_assert!(sent.target.starts_with('/'));
                prop_assert!(sent.target.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(!sent.headers[0].1.contains(['\r', '\n']));
            }
            Err(error) => prop_assert!(error.to_string().starts_with("scenario \"s\", step \"x\", ")),
        }
    }
}
