//! Sends `GET` to one URL and prints what came of it: `get URL USERS SECONDS [RATE] [1.1|2] [STREAMS] [THREADS]`.
//! A rate of 0 sends as fast as answers come.

use std::time::Duration;

use chaffinch_load::Result;
use chaffinch_load::engine::Run;
use chaffinch_load::plan::Plan;
use serde_json::json;

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [url, users, seconds, ..] = &given[..] else {
        eprintln!("usage: get URL USERS SECONDS [RATE] [1.1|2] [STREAMS] [THREADS]");
        std::process::exit(2);
    };
    let number = |index: usize, other: f64| -> f64 {
        let given: Option<&String> = given.get(index);
        given.and_then(|given| given.parse().ok()).unwrap_or(other)
    };
    let rate = number(3, 0.0);
    let model = if rate > 0.0 {
        json!({"kind": "constant", "rate": rate})
    } else {
        json!({"kind": "closed"})
    };
    let step = json!({
        "name": "get", "method": "GET", "path": "", "query": [], "headers": [], "body": null, "body_size": null,
        "label": null, "extract": [], "assert": [], "cache_ttl_ms": null, "think_ms": [0, 0], "timeout_ms": null,
    });
    let plan = json!({
        "base_url": url, "resolve": [],
        "tls": {"verify": false, "ca": null, "certificate": null, "key": null},
        "http": given.get(4).map_or("1.1", String::as_str), "streams": number(5, 1.0) as u32,
        "connections": 10_000, "idle_per_host": 10_000, "idle_ms": 30_000, "nodelay": true, "keep_alive": true,
        "connect_timeout_ms": 10_000, "timeout_ms": 30_000, "headers": [], "compression": false, "model": model,
        "users": users.parse::<u32>().unwrap_or(1),
        "duration_ms": seconds.parse::<u64>().unwrap_or(1) * 1000,
        "requests": null, "drain_ms": 5000, "threads": number(6, 1.0) as u32, "seed": null,
        "percentiles": {
            "enabled": true, "sampling": 1.0, "labels": 10, "bytes": 8_388_608, "interval_ms": 1000, "intervals": 60,
        },
        "scenarios": [{
            "name": "run", "weight": 1.0, "timeout_ms": null, "retries": 0, "retry_delay_ms": 0, "keep_cookies": false, "data": null,
            "steps": [step],
        }],
    });
    let mut run = Run::new(Plan::from_json(&plan.to_string())?)?;
    run.start()?;
    while !run.wait(Duration::from_secs(1)) {}
    let view = run.view(u64::MAX, false);
    let mut view = json!(view);
    view["peak_rss_bytes"] = json!(most_resident());
    println!("{view}");
    Ok(())
}

/// The most memory that this process had, in bytes.
fn most_resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
