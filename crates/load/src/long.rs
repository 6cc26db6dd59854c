//! How much tests try that draw at random: little, or as much as `make fuzz` asks for.

use std::time::Duration;

use proptest::prelude::ProptestConfig;

/// Cases that proptest tries where nothing else is said.
const USUAL: u32 = 256;

/// As many cases, times `PROPTEST_CASES / 256`, which is also what tests without a number of their own go by.
pub fn cases(few: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = u64::from(few) * u64::from(asked.cases) / u64::from(USUAL);
    ProptestConfig {
        cases: u32::try_from(cases.max(1)).unwrap_or(u32::MAX),
        ..asked
    }
}

/// How long each test goes on that goes by time: `CHAFFINCH_SECONDS`.
pub fn lasts() -> Option<Duration> {
    let seconds = std::env::var("CHAFFINCH_SECONDS").ok()?;
    let seconds = seconds
        .parse()
        .expect("CHAFFINCH_SECONDS is a whole number");
    Some(Duration::from_secs(seconds))
}
