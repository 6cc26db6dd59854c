use rustix::time::{ClockId, clock_gettime};

use super::*;

const STEPS: u32 = 2_000_000;

/// Nanoseconds that this thread ran.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn measure(what: &str, mut run: impl FnMut()) {
    let start = cpu();
    for _ in 0..STEPS {
        run();
    }
    println!("{what}: {:.0} ns", (cpu() - start) / f64::from(STEPS));
}

/// Figures, not checks: `cargo test --release -- --ignored --nocapture speed`.
#[test]
#[ignore = "measures"]
fn speed() {
    let body = r#"{"id": 4711, "name": "a name", "tags": ["x", "y"], "token": "0123456789abcdef", "ok": true}"#;
    let head = [
        ("Server", "nginx/1.22.1"),
        ("Date", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("Content-Type", "application/json"),
        ("Content-Length", "97"),
        ("Connection", "keep-alive"),
    ];
    let extract = json!({"extract": [{"from": "json", "name": "t", "path": "$.token"}]});
    let with_check = json!({"path": "/a", "extract": [{"from": "json", "name": "t", "path": "$.token"}],
        "assert": [{"what": "status", "is": [200]}, {"what": "json", "path": "$.ok", "is": true}]});
    let regex =
        json!({"extract": [{"from": "regex", "name": "t", "pattern": "\"token\": \"([^\"]*)\""}]});
    let uses = json!({"path": "/item/$timestamp", "query": [["u", "$user"]], "headers": [["Authorization", "Bearer ${random}"]]});
    for (what, given) in [
        ("a fixed step", json!({})),
        ("extraction by JSON path", extract),
        ("extraction and two assertions", with_check.clone()),
        ("extraction by regular expression", regex),
        ("a step with four variables", uses.clone()),
    ] {
        let program = program(&[given]);
        let mut walk = Walk::begun(&program);
        let mut kept = answer(&head, body);
        let wants = program.steps()[0].wants();
        measure(what, || {
            walk.begin();
            assert!(!matches!(walk.ready(), Ready::Refused(_)));
            let given = wants.head.then_some(&mut kept);
            assert!(
                program
                    .answer(&mut walk.user, 200, given, 5, NOW, &mut walk.rng)
                    .passed
            );
        });
    }
    let uses = |n: u32| {
        json!({"path": format!("/item/{n}/$t"), "headers": [["Authorization", "Bearer ${t}"]],
        "assert": [{"what": "body", "contains": "ok"}]})
    };
    let program = program(&[
        with_check,
        uses(1),
        uses(2),
        uses(3),
        json!({"path": "/bye"}),
    ]);
    let mut walk = Walk::begun(&program);
    let mut kept = answer(&head, body);
    kept.push_header(b"Set-Cookie", b"sid=0123456789; Path=/; HttpOnly");
    measure("a step of five, with a cookie set by each", || {
        walk.ready();
        let outcome = program.answer(&mut walk.user, 200, Some(&mut kept), 5, NOW, &mut walk.rng);
        assert!(outcome.passed);
        if matches!(outcome.next, Next::End { .. }) {
            walk.begin();
        }
    });
    println!("a user: {} bytes", size_of::<User>());
}
