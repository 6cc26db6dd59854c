//! Answers that are changed at random: a user does what its plan says or fails the step, and holds no more than was
//! planned for.

use std::time::Instant;

use rand_xoshiro::rand_core::RngCore;

use super::*;

/// Sessions that are changed, where no time is given.
const SESSIONS: u64 = 3000;

/// The answers of a session: headers and body.
const ANSWERS: [(&[(&str, &str)], &str); 3] = [
    (
        &[
            ("Set-Cookie", "sid=abc; Path=/; HttpOnly"),
            ("Set-Cookie", "theme=\"dark\"; Domain=a.test; Max-Age=60"),
            ("X-Trace", "t-1"),
            ("Content-Encoding", "identity"),
        ],
        r#"{"token": "aö\u00e9\ud83d\ude00", "next": "/cart?a=b c", "items": [{"id": 1}, {"id": "2"}], "ok": true}"#,
    ),
    (
        &[("Set-Cookie", "sid=; Max-Age=0"), ("ETag", "\"x\"")],
        "<a href='/item/17'>one</a> csrf=0123abc <b>total: 1.50</b>",
    ),
    (
        &[("Location", "http://a.test/done")],
        r#"{"done": [1, 2.0, null, {"a": {"b": "c"}}]}"#,
    ),
];

const PARTS: [&str; 20] = [
    "\r\n",
    "\0",
    "\u{1}",
    "${token}",
    "$token",
    "{\"",
    "[[[[",
    "\\u",
    "\\ud83d",
    "\"",
    "%00",
    "http://b.test/",
    "//b",
    "; Path=/; Domain=test",
    "=",
    ";",
    "é",
    " ",
    "csrf=",
    "1e400",
];

fn everything() -> Program {
    program(&[
        json!({"name": "login", "method": "POST", "path": "/login/${user}", "body": "${random}", "extract": [
            {"from": "json", "name": "token", "path": "$.token", "default": null},
            {"from": "json", "name": "next", "path": "$.next", "default": "/"},
            {"from": "json", "name": "id", "path": "$..id", "default": "none"},
            {"from": "cookie", "name": "sid", "cookie": "sid", "default": "none"},
            {"from": "header", "name": "trace", "header": "X-Trace", "default": "none"},
        ], "assert": [{"what": "json", "path": "$.ok"}]}),
        json!({"name": "cart", "path": "$next", "query": [["t", "$token"], ["i", "$id"]], "headers": [
            ["Authorization", "Bearer $token"], ["X-Trace", "${trace}-${sid}"],
        ], "extract": [
            {"from": "regex", "name": "csrf", "pattern": "csrf=(\\w+)", "default": "none"},
            {"from": "regex", "name": "token", "pattern": "total: ([0-9.]+)", "default": "0"},
        ], "cache_ttl_ms": 5}),
        json!({"name": "order", "method": "PUT", "path": "/order/$csrf/$token", "body": "{\"a\": \"$next\"}",
            "assert": [{"what": "body", "contains": "done"}, {"what": "json", "path": "$.done[3].a.b", "is": "c"}]}),
    ])
}

fn below(rng: &mut Xoshiro256PlusPlus, bound: usize) -> usize {
    (rng.next_u64() % bound as u64) as usize
}

fn change(bytes: &mut Vec<u8>, rng: &mut Xoshiro256PlusPlus) {
    let at = below(rng, bytes.len() + 1);
    match below(rng, 8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(..at)),
        2 | 3 => drop(bytes.splice(at..at, PARTS[below(rng, PARTS.len())].bytes())),
        4 => {
            let some = bytes[at..(at + 20).min(bytes.len())].to_vec();
            drop(bytes.splice(at..at, some.repeat(1 + below(rng, 200))));
        }
        5 if at < bytes.len() => bytes[at] = rng.next_u64() as u8,
        6 if at < bytes.len() => bytes[at] ^= 1 << below(rng, 8),
        // Past the longest value that is kept.
        7 if below(rng, 20) == 0 => drop(bytes.splice(at..at, vec![b'y'; 70_000])),
        _ => {}
    }
}

/// The answers to a step, some of them changed.
fn changed(step: usize, rng: &mut Xoshiro256PlusPlus) -> Answer {
    let (headers, body) = ANSWERS[step];
    let mut answer = Answer::default();
    for (name, value) in headers {
        let mut value = value.as_bytes().to_vec();
        if below(rng, 3) == 0 {
            change(&mut value, rng);
        }
        answer.push_header(name.as_bytes(), &value);
    }
    let mut body = body.as_bytes().to_vec();
    for _ in 0..below(rng, 3) {
        change(&mut body, rng);
    }
    answer.push_body(&body);
    answer
}

fn is_sound(request: &Request, seed: u64) {
    assert!(request.target.starts_with('/'), "seed {seed}: {request:?}");
    assert!(
        request.target.bytes().all(|byte| byte.is_ascii_graphic()),
        "seed {seed}: {request:?}"
    );
    for (_, value) in &request.headers {
        assert!(
            !value.contains(['\r', '\n', '\0']),
            "seed {seed}: {request:?}"
        );
    }
}

#[test]
fn no_answer_makes_a_user_do_what_is_not_in_its_plan() {
    let program = everything();
    let most = User::most_bytes(&program);
    let (lasts, begun) = (crate::long::lasts(), Instant::now());
    let (mut seed, mut ends) = (0, [0_u64; 4]);
    while lasts.map_or(seed < SESSIONS, |lasts| begun.elapsed() < lasts) {
        seed += 1;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut walk = Walk::begun(&program);
        for turn in 0..12 {
            let step = walk.user.step();
            let outcome = match walk.ready() {
                Ready::Cached(outcome) | Ready::Refused(outcome) => outcome,
                Ready::Fixed | Ready::Filled => {
                    is_sound(&walk.request, seed);
                    let status = if below(&mut rng, 10) == 0 {
                        rng.next_u64() as u16 % 1000
                    } else {
                        200
                    };
                    let mut answer = changed(step, &mut rng);
                    program.answer(
                        &mut walk.user,
                        status,
                        Some(&mut answer),
                        1,
                        walk.now,
                        &mut rng,
                    )
                }
            };
            assert_eq!(
                outcome.passed,
                outcome.failure.is_none(),
                "seed {seed}, turn {turn}"
            );
            let held = walk.user.values.iter().map(String::capacity).sum::<usize>();
            assert!(
                held + walk.user.spare.capacity() + walk.user.path.capacity() <= most,
                "seed {seed}"
            );
            match outcome.next {
                Next::Step { .. } => {
                    assert!(
                        outcome.passed && walk.user.step() == step + 1,
                        "seed {seed}, turn {turn}"
                    );
                }
                Next::End { .. } => {
                    assert!(!outcome.passed || step == 2, "seed {seed}, turn {turn}");
                    ends[if outcome.passed { 3 } else { step }] += 1;
                    assert_eq!(walk.begin(), Begin::At { scenario: 0 });
                }
                Next::Again { .. } => {
                    panic!("seed {seed}, turn {turn}: no step is sent again here")
                }
            }
        }
    }
    println!("{seed} sessions; iterations that ended at each step, and whole ones: {ends:?}");
    assert!(
        seed < SESSIONS || ends.iter().all(|&count| count > seed / 100),
        "{ends:?}"
    );
}
