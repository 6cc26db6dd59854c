//! Whether a value found is the one expected. Numbers are equal when their values are: `1.0` is `1`.

use serde_json::Value;

use super::text::unescape;
use super::{Fault, Found};

/// # Errors
/// When the value found is not valid.
pub(in crate::scenario) fn equals(found: Found<'_>, expected: &Value) -> Result<bool, Fault> {
    match (expected, found.string()) {
        (Value::String(expected), Some(inside)) => {
            // Without an escape the bytes can be compared as they are.
            if memchr::memchr(b'\\', inside).is_none() {
                return Ok(inside == expected.as_bytes());
            }
            let mut text = String::new();
            unescape(inside, &mut text)?;
            Ok(text == *expected)
        }
        (_, Some(_)) => Ok(false),
        (Value::Bool(true), None) => Ok(found.raw == b"true"),
        (Value::Bool(false), None) => Ok(found.raw == b"false"),
        (expected, None) => {
            let value: Value = serde_json::from_slice(found.raw).map_err(|_| Fault::NotJson)?;
            Ok(is_same(&value, expected))
        }
    }
}

fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        // As integers where both are, since a float does not hold all of them.
        (Value::Number(one), Value::Number(other)) => match (one.as_i128(), other.as_i128()) {
            (Some(one), Some(other)) => one == other,
            _ => one.as_f64() == other.as_f64(),
        },
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, one)| other.get(key).is_some_and(|other| is_same(one, other)))
        }
        _ => one == other,
    }
}
