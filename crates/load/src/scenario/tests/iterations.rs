use super::*;

const MS: u64 = 1_000_000;

#[test]
fn steps_follow_each_other_and_the_first_failure_ends_the_iteration() {
    let program = program(&[
        json!({"name": "a"}),
        json!({"name": "b", "think_ms": [7, 7]}),
        json!({"name": "c"}),
    ]);
    let mut walk = Walk::begun(&program);
    walk.sent();
    assert_eq!(walk.answered(200, &[], "").next, Next::Step { after: 0 });
    walk.sent();
    assert_eq!(
        walk.answered(204, &[], "").next,
        Next::Step { after: 7 * MS }
    );
    walk.sent();
    assert_eq!(walk.answered(200, &[], "").next, END);
    assert_eq!(walk.begin(), Begin::At { scenario: 0 });
    assert_eq!((walk.user.step(), walk.user.iteration()), (0, 2));
    walk.pass(&[], "");
    walk.sent();
    // A user thinks after a failure too, so that a target that fails does not get more requests.
    assert_eq!(
        walk.answered(500, &[], "").next,
        Next::End { after: 7 * MS }
    );
}

#[test]
fn failed_steps_are_sent_again() {
    let plan = scenario(
        &json!({"retries": 2, "retry_delay_ms": 3, "steps": [step(&json!({})), step(&json!({}))]}),
    );
    let program = Program::compile(&[plan], "http://a", &[]).unwrap();
    let mut walk = Walk::begun(&program);
    let again = Next::Again { after: 3 * MS };
    walk.sent();
    assert_eq!(walk.answered(500, &[], "").next, again);
    let outcome = program.failed(&mut walk.user, &mut walk.rng);
    assert_eq!(
        (
            outcome.next,
            outcome.passed,
            outcome.failure,
            outcome.status
        ),
        (again, false, None, 0)
    );
    assert_eq!(walk.answered(200, &[], "").next, Next::Step { after: 0 });
    // Each step has all its attempts.
    assert_eq!(program.failed(&mut walk.user, &mut walk.rng).next, again);
    assert_eq!(program.failed(&mut walk.user, &mut walk.rng).next, again);
    assert_eq!(program.failed(&mut walk.user, &mut walk.rng).next, END);
    walk.begin();
    assert_eq!(program.failed(&mut walk.user, &mut walk.rng).next, again);
}

#[test]
fn a_scenario_is_picked_for_each_iteration_by_weight() {
    let named = |name: &str, weight: f64| scenario(&json!({"name": name, "weight": weight}));
    let plans = [
        named("a", 1.0),
        named("none", 0.0),
        named("b", 2.5),
        named("c", 6.5),
    ];
    let program = Program::compile(&plans, "http://a", &[]).unwrap();
    let mut walk = Walk::new(&program);
    let mut counts = [0_u32; 4];
    for _ in 0..100_000 {
        let Begin::At { scenario } = walk.begin() else {
            panic!()
        };
        assert_eq!(program.steps()[walk.user.step()].scenario(), scenario);
        counts[scenario] += 1;
    }
    // Five standard deviations of a binomial with n = 100,000 are at most 791.
    for (count, expected) in counts.into_iter().zip([10_000, 0, 25_000, 65_000]) {
        assert!(count.abs_diff(expected) < 791, "{counts:?}");
    }
    assert_eq!(counts[1], 0);
}

#[test]
fn think_times_are_even_over_their_range() {
    let program = program(&[json!({"think_ms": [100, 300]})]);
    let mut walk = Walk::begun(&program);
    let mut times = Vec::new();
    for _ in 0..20_000 {
        let Next::End { after } = walk.answered(200, &[], "").next else {
            panic!()
        };
        times.push(after as f64 / MS as f64);
        walk.begin();
    }
    assert!(times.iter().all(|time| (100.0..=300.0).contains(time)));
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / times.len() as f64;
    // A uniform distribution over 200 ms: mean 200, variance 200^2 / 12; five standard errors of both.
    assert!((mean - 200.0).abs() < 2.05, "{mean}");
    assert!((variance - 3333.3).abs() < 106.0, "{variance}");
}

fn fed(strategy: &str, rows: usize) -> plan::Scenario {
    let rows: Vec<_> = (0..rows)
        .map(|row| [row.to_string(), format!("n{row}")])
        .collect();
    scenario(
        &json!({"name": strategy, "data": {"columns": ["id", "user"], "rows": rows, "strategy": strategy},
        "steps": [step(&json!({"path": "/$id/$user"})), step(&json!({"path": "/$id"}))]}),
    )
}

#[test]
fn an_iteration_keeps_its_row() {
    let program = Program::compile(&[fed("sequential", 2)], "http://a", &[]).unwrap();
    let mut walk = Walk::new(&program);
    let mut seen = Vec::new();
    for _ in 0..3 {
        walk.begin();
        // The column `user` hides the built-in variable.
        seen.push(walk.pass(&[], "").target);
        seen.push(walk.pass(&[], "").target);
    }
    assert_eq!(seen, ["/0/n0", "/0", "/1/n1", "/1", "/0/n0", "/0"]);
    // Another user begins at the first row.
    assert_eq!(Walk::begun(&program).sent().target, "/0/n0");
}

#[test]
fn a_cycle_is_shared_by_clones() {
    let program = Program::compile(&[fed("cycle", 3)], "http://a", &[]).unwrap();
    let other = program.clone();
    let targets =
        [&program, &other, &program, &other].map(|program| Walk::begun(program).sent().target);
    assert_eq!(targets, ["/0/n0", "/1/n1", "/2/n2", "/0/n0"]);
}

#[test]
fn unique_rows_end_their_scenario_and_that_is_told() {
    let plans = [fed("unique", 50), scenario(&json!({"name": "other"}))];
    let program = Program::compile(&plans, "http://a", &[]).unwrap();
    let mut walk = Walk::new(&program);
    let begun: Vec<_> = (0..1000).map(|_| walk.begin()).collect();
    assert_eq!(
        begun
            .iter()
            .filter(|begun| **begun == Begin::At { scenario: 0 })
            .count(),
        50
    );
    assert_eq!(
        begun
            .iter()
            .filter(|begun| **begun == Begin::At { scenario: 1 })
            .count(),
        950
    );
    assert_eq!(program.used_up().collect::<Vec<_>>(), [0]);

    let program = Program::compile(&plans[..1], "http://a", &[]).unwrap();
    let taken: usize = std::thread::scope(|scope| {
        let run = || {
            let program = program.clone();
            let mut walk = Walk::new(&program);
            std::iter::from_fn(|| (walk.begin() != Begin::Over).then_some(())).count()
        };
        let threads = [scope.spawn(run), scope.spawn(run)];
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(taken, 50);
}

#[test]
fn an_answer_is_kept_for_its_time() {
    let program = program(&[
        json!({"cache_ttl_ms": 100, "extract": [{"from": "header", "name": "v", "header": "X"}], "think_ms": [1, 1]}),
        json!({"body": "$v"}),
    ]);
    let mut walk = Walk::begun(&program);
    assert_eq!(walk.ready(), Ready::Fixed);
    walk.answered(201, &[("X", "first")], "");
    for (after, kept) in [(0, true), (99 * MS, true), (100 * MS, false)] {
        walk.begin();
        walk.now.at = NOW.at + after;
        let ready = walk.ready();
        let Ready::Cached(outcome) = ready else {
            assert!(!kept && ready == Ready::Fixed);
            continue;
        };
        assert!(kept && outcome.passed);
        assert_eq!(
            (outcome.status, outcome.next),
            (201, Next::Step { after: MS })
        );
        assert_eq!(walk.sent().body, b"first");
    }
}

#[test]
fn only_what_passed_for_the_same_request_is_kept() {
    let program = program(&[json!({"path": "/$timestamp", "cache_ttl_ms": 1000})]);
    let mut walk = Walk::begun(&program);
    walk.sent();
    walk.answered(500, &[], "");
    walk.begin();
    assert_eq!(walk.ready(), Ready::Filled);
    walk.answered(200, &[], "");
    walk.begin();
    assert!(matches!(walk.ready(), Ready::Cached(_)));
    walk.now.unix_ms += 1;
    walk.begin();
    assert_eq!(walk.ready(), Ready::Filled);
    // Another user has a cache of its own.
    assert_eq!(Walk::begun(&program).ready(), Ready::Filled);
    assert_eq!(walk.user.take_unkept_answers(), 0);
}

#[test]
fn what_a_user_can_hold_is_told() {
    let most = |steps: &[Value]| User::most_bytes(&program(steps));
    let one = most(&[json!({})]);
    assert!(one < 200_000);
    assert!(most(&[json!({}), json!({})]) > one + 64 * 4096);
    let extract = json!({"extract": [{"from": "header", "name": "v", "header": "X"}]});
    assert!(most(&[extract]) > one + 65_536);
    assert!(most(&[json!({"cache_ttl_ms": 1})]) > one + 65_536);
}
