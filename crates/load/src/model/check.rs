//! What a model may say. Each refusal names the field, its value and what is allowed.

use crate::{Error, Result};

use super::curve::whole_share;
use super::{LONGEST_MS, MOST_RATE, MOST_RATES, Model};

impl Model {
    /// # Errors
    ///
    /// `Error::Input` for the first field whose value is not allowed.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Closed {} => Ok(()),
            &Self::Constant { rate } => check_rate("rate", rate),
            &Self::Ramp {
                from,
                to,
                over_ms,
                hold_ms,
                back_ms,
            } => {
                check_rate("from", from)?;
                check_rate("to", to)?;
                check_length(
                    "over_ms + hold_ms + back_ms",
                    [over_ms, hold_ms, back_ms].into_iter(),
                )
            }
            Self::Daily { .. } => self.check_daily(),
            Self::Steps { steps } => {
                check_count("steps", steps.len())?;
                for (index, step) in steps.iter().enumerate() {
                    check_rate_at("steps", index, ".rate", step.rate)?;
                }
                check_length("the sum of for_ms", steps.iter().map(|step| step.for_ms))
            }
            Self::Replay {
                interval_ms, rates, ..
            } => {
                check_count("rates", rates.len())?;
                for (index, &rate) in rates.iter().enumerate() {
                    check_rate_at("rates", index, "", rate)?;
                }
                check_above_0("interval_ms", *interval_ms)?;
                let all = interval_ms.saturating_mul(rates.len() as u64);
                check_length("interval_ms times the number of rates", [all].into_iter())
            }
        }
    }

    fn check_daily(&self) -> Result<()> {
        let &Self::Daily {
            min,
            mid,
            max,
            cycle_ms,
            morning,
            peak,
            decline,
            sustain,
            evening,
        } = self
        else {
            return Ok(());
        };
        for (name, rate) in [("min", min), ("mid", mid), ("max", max)] {
            check_rate(name, rate)?;
        }
        if min > mid || mid > max {
            return Err(Error::input(format!(
                "The load model's min, mid and max are {min}, {mid} and {max}, but none may be below the one before."
            )));
        }
        check_above_0("cycle_ms", cycle_ms)?;
        check_length("cycle_ms", [cycle_ms].into_iter())?;
        check_shares([
            ("morning", morning),
            ("peak", peak),
            ("decline", decline),
            ("sustain", sustain),
            ("evening", evening),
        ])
    }
}

fn check_rate(name: &str, rate: f64) -> Result<()> {
    if (0.0..=MOST_RATE).contains(&rate) {
        return Ok(());
    }
    Err(Error::input(format!(
        "The load model's {name} is {rate}, but a rate is 0 to {MOST_RATE} iterations a second."
    )))
}

fn check_rate_at(list: &str, index: usize, field: &str, rate: f64) -> Result<()> {
    if (0.0..=MOST_RATE).contains(&rate) {
        return Ok(());
    }
    check_rate(&format!("{list}[{index}]{field}"), rate)
}

fn check_count(name: &str, count: usize) -> Result<()> {
    if (1..=MOST_RATES).contains(&count) {
        return Ok(());
    }
    Err(Error::input(format!(
        "The load model's {name} has {count} entries, but 1 to {MOST_RATES} are allowed."
    )))
}

fn check_above_0(name: &str, ms: u64) -> Result<()> {
    if ms > 0 {
        return Ok(());
    }
    Err(Error::input(format!(
        "The load model's {name} is 0, but it has to be at least 1 millisecond."
    )))
}

fn check_length(name: &str, mut ms: impl Iterator<Item = u64>) -> Result<()> {
    let all = ms.try_fold(0_u64, u64::checked_add).unwrap_or(u64::MAX);
    if all <= LONGEST_MS {
        return Ok(());
    }
    Err(Error::input(format!(
        "The load model's {name} is {all} ms, but at most {LONGEST_MS} ms (ten years) are allowed."
    )))
}

fn check_shares(shares: [(&str, f64); 5]) -> Result<()> {
    for (name, share) in shares {
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::input(format!(
                "The load model's {name} is {share}, but a share of the cycle is 0 to 1."
            )));
        }
    }
    let sum: u64 = shares.iter().map(|&(_, share)| whole_share(share)).sum();
    if sum <= whole_share(1.0) {
        return Ok(());
    }
    let sum: f64 = shares.iter().map(|(_, share)| share).sum();
    Err(Error::input(format!(
        "The load model's morning, peak, decline, sustain and evening are {sum} together, but at most 1 is allowed."
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{daily, ramp, replay, steps};

    use super::*;

    fn refusal(model: &Model) -> String {
        match model.check() {
            Err(Error::Input(text)) => text,
            other => panic!("{other:?} for {model:?}"),
        }
    }

    #[test]
    fn models_are_read_as_plans_write_them_and_written_alike() {
        for text in [
            json!({"kind": "closed"}),
            json!({"kind": "constant", "rate": 3000.0}),
            json!({"kind": "ramp", "from": 1.0, "to": 2.5, "over_ms": 10, "hold_ms": 0, "back_ms": 7}),
            json!({"kind": "daily", "min": 1.0, "mid": 2.0, "max": 3.0, "cycle_ms": 1000, "morning": 0.125,
            "peak": 0.167, "decline": 0.125, "sustain": 0.167, "evening": 0.167}),
            json!({"kind": "steps", "steps": [{"rate": 5.0, "for_ms": 100}]}),
            json!({"kind": "replay", "interval_ms": 1000, "rates": [1.0, 0.0], "repeat": false}),
        ] {
            let model: Model = serde_json::from_value(text.clone()).unwrap();
            model.check().unwrap();
            assert_eq!(serde_json::to_value(&model).unwrap(), text);
            assert_eq!(model.is_open(), text["kind"] != "closed");
        }
        let whole: Model = serde_json::from_str(r#"{"kind": "constant", "rate": 3000}"#).unwrap();
        assert_eq!(whole, Model::Constant { rate: 3000.0 });
    }

    #[test]
    fn what_is_unknown_missing_or_of_the_wrong_type_is_not_read() {
        for text in [
            r#"{"kind": "closed", "rate": 1}"#,
            r#"{"kind": "constant", "rate": 1, "burst": 2}"#,
            r#"{"kind": "constant"}"#,
            r#"{"kind": "sine", "rate": 1}"#,
            r#"{"rate": 1}"#,
            r#"{"kind": "steps", "steps": [{"rate": 1, "for_ms": 1, "x": 1}]}"#,
            r#"{"kind": "ramp", "from": 1, "to": 2, "over_ms": -1, "hold_ms": 0, "back_ms": 0}"#,
        ] {
            assert!(serde_json::from_str::<Model>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_refusal_names_the_field_its_value_and_what_is_allowed() {
        assert_eq!(
            refusal(&Model::Constant { rate: -1.0 }),
            "The load model's rate is -1, but a rate is 0 to 10000000 iterations a second."
        );
        assert!(refusal(&Model::Constant { rate: f64::NAN }).contains("rate is NaN"));
        assert!(refusal(&ramp(0.0, 1e8, 1, 1, 1)).contains("to is 100000000,"));
        assert!(
            refusal(&ramp(0.0, 1.0, u64::MAX, 1, 1)).contains("over_ms + hold_ms + back_ms is")
        );
        assert!(refusal(&steps(&[])).contains("steps has 0 entries"));
        let text = refusal(&steps(&[(1.0, 1), (f64::INFINITY, 1)]));
        assert!(text.contains("steps[1].rate is inf"), "{text}");
        assert!(refusal(&steps(&[(1.0, LONGEST_MS), (1.0, 1)])).contains("sum of for_ms"));
        assert!(refusal(&replay(1, &[], true)).contains("rates has 0 entries"));
        assert!(refusal(&replay(1, &vec![0.0; 1_000_001], true)).contains("1000001 entries"));
        assert!(refusal(&replay(1, &[1.0, -0.5], true)).contains("rates[1] is -0.5"));
        assert!(refusal(&replay(0, &[1.0], true)).contains("interval_ms is 0"));
        assert!(refusal(&daily(2.0, 1.0, 3.0, 1)).contains("min, mid and max are 2, 1 and 3"));
        assert!(refusal(&daily(1.0, 2.0, 3.0, 0)).contains("cycle_ms is 0"));
        let shares = |morning, evening| Model::Daily {
            min: 1.0,
            mid: 2.0,
            max: 3.0,
            cycle_ms: 1000,
            morning,
            peak: 0.2,
            decline: 0.0,
            sustain: 0.0,
            evening,
        };
        assert!(refusal(&shares(1.5, 0.0)).contains("morning is 1.5"));
        assert!(refusal(&shares(0.7, 0.2)).contains("at most 1 is allowed"));
        // In `f64` 0.7 + 0.2 + 0.1 and the like are not 1.
        shares(0.7, 0.1).check().unwrap();
        Model::Constant { rate: 0.0 }.check().unwrap();
        Model::Constant { rate: MOST_RATE }.check().unwrap();
    }
}
