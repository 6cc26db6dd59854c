//! Scenarios as they stand in the plan.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};

/// Steps that a user takes in order; one pass is an iteration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    /// How often it is chosen, beside the other scenarios' weights.
    pub weight: f64,
    /// Of each of its steps that names none.
    pub timeout_ms: Option<u64>,
    /// How often a failed step is sent again.
    pub retries: u32,
    pub retry_delay_ms: u64,
    /// Whether a user's cookies stay for its next iteration.
    pub keep_cookies: bool,
    pub data: Option<Data>,
    pub steps: Vec<Step>,
}

/// Rows of which each iteration takes one; its columns are variables.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    pub columns: Vec<String>,
    pub rows: Rows,
    pub strategy: Strategy,
}

/// Which row the next iteration takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Each user goes through all rows in order, by itself, and begins again.
    Sequential,
    Random,
    /// Rows are handed out in turn over all users, and again from the start.
    Cycle,
    /// Each row is taken once in a run.
    Unique,
}

/// One request and what its answer has to be.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub name: String,
    pub method: String,
    /// A path below the base address, or a whole URL. A template.
    pub path: String,
    /// Names and values, templates, encoded when they are sent.
    pub query: Vec<(String, String)>,
    /// Names, and values that are templates.
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    /// Bytes of a body without meaning.
    pub body_size: Option<u64>,
    /// What its figures are counted under: `scenario/step` unless it is given.
    pub label: Option<String>,
    pub extract: Vec<Extract>,
    pub assert: Vec<Assert>,
    pub cache_ttl_ms: Option<u64>,
    /// Least and most time before the next step.
    pub think_ms: (u64, u64),
    pub timeout_ms: Option<u64>,
}

/// A value taken from an answer, for later steps.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "from", rename_all = "lowercase", deny_unknown_fields)]
pub enum Extract {
    Json {
        name: String,
        path: String,
        default: Option<String>,
    },
    Regex {
        name: String,
        pattern: String,
        /// The first group unless it is given, or the whole match where there is none.
        group: Option<usize>,
        default: Option<String>,
    },
    Header {
        name: String,
        header: String,
        default: Option<String>,
    },
    Cookie {
        name: String,
        cookie: String,
        default: Option<String>,
    },
}

/// What an answer has to be for its step to pass.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase", deny_unknown_fields)]
pub enum Assert {
    Status {
        is: Option<Vec<u16>>,
        /// First and last status of each range.
        between: Option<Vec<(u16, u16)>>,
    },
    Time {
        below_ms: f64,
    },
    Json {
        path: String,
        /// None: there is such a value.
        is: Option<serde_json::Value>,
    },
    Body {
        contains: Option<String>,
        matches: Option<String>,
    },
    Header {
        header: String,
        /// None: there is such a header.
        contains: Option<String>,
    },
}

/// Rows of texts, all of one width, end to end in one buffer; a clone shares it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Rows {
    table: Arc<Table>,
}

#[derive(PartialEq, Eq, Default)]
struct Table {
    text: String,
    ends: Vec<u32>,
    width: usize,
    count: usize,
}

impl Rows {
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.count == 0
    }

    /// Values in each row; 0 when there is no row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.table.width
    }

    /// Bytes that they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.text.capacity() + self.table.ends.capacity() * size_of::<u32>()
    }

    /// The values of a row that exists.
    pub fn row(&self, index: usize) -> impl Iterator<Item = &str> {
        let table = &*self.table;
        let first = index * table.width;
        (first..first + table.width).map(|at| {
            let start = if at == 0 { 0 } else { table.ends[at - 1] };
            &table.text[start as usize..table.ends[at] as usize]
        })
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({} of {})", self.len(), self.width())
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = deserializer.deserialize_seq(TableVisitor)?;
        table.text.shrink_to_fit();
        table.ends.shrink_to_fit();
        Ok(Self {
            table: Arc::new(table),
        })
    }
}

struct TableVisitor;

impl<'de> Visitor<'de> for TableVisitor {
    type Value = Table;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Table, A::Error> {
        let mut table = Table::default();
        while let Some(width) = rows.next_element_seed(RowSeed(&mut table))? {
            if table.count == 0 {
                table.width = width;
            } else if table.width != width {
                return Err(de::Error::custom(format_args!(
                    "row {} has {width} values where the first has {}: give every row the same columns",
                    table.count + 1,
                    table.width
                )));
            }
            table.count += 1;
        }
        Ok(table)
    }
}

/// Appends a row and gives how many values it has.
struct RowSeed<'a>(&'a mut Table);

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row: a list of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<usize, A::Error> {
        let mut width = 0;
        while values.next_element_seed(ValueSeed(self.0))?.is_some() {
            width += 1;
        }
        Ok(width)
    }
}

struct ValueSeed<'a>(&'a mut Table);

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.0.text.push_str(value);
        let end = u32::try_from(self.0.text.len())
            .map_err(|_| E::custom("the rows hold more than 4 GiB of text: split the file"))?;
        self.0.ends.push(end);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn step() -> serde_json::Value {
        json!({"name": "x", "method": "GET", "path": "/", "query": [["k", "v"]], "headers": [],
            "body": null, "body_size": null, "label": null, "extract": [], "assert": [],
            "cache_ttl_ms": null, "think_ms": [0, 5], "timeout_ms": null})
    }

    #[test]
    fn a_whole_scenario_is_read() {
        let mut step = step();
        step["extract"] = json!([
            {"name": "a", "from": "json", "path": "$.a[0].b", "default": null},
            {"name": "b", "from": "regex", "pattern": "(x)", "group": 1},
            {"name": "c", "from": "header", "header": "X", "default": "text"},
            {"name": "d", "from": "cookie", "cookie": "sid"},
        ]);
        step["assert"] = json!([
            {"what": "status", "is": [200, 201]},
            {"what": "status", "is": null, "between": [[200, 299]]},
            {"what": "time", "below_ms": 250},
            {"what": "json", "path": "$.ok", "is": {"a": [1]}},
            {"what": "json", "path": "$.ok", "is": null},
            {"what": "body", "contains": "text"},
            {"what": "body", "matches": "t.xt"},
            {"what": "header", "header": "X", "contains": null},
        ]);
        let scenario: Scenario = serde_json::from_value(json!({
            "name": "s", "weight": 1.0, "timeout_ms": null, "retries": 0, "retry_delay_ms": 0, "keep_cookies": false,
            "data": {"columns": ["id", "n"], "rows": [["1", "a\"b"], ["2", ""]], "strategy": "unique"},
            "steps": [step],
        }))
        .unwrap();
        let data = scenario.data.unwrap();
        assert_eq!(data.strategy, Strategy::Unique);
        assert_eq!(data.rows.row(0).collect::<Vec<_>>(), ["1", "a\"b"]);
        assert_eq!(data.rows.row(1).collect::<Vec<_>>(), ["2", ""]);
        assert_eq!(scenario.steps[0].extract.len(), 4);
        assert_eq!(scenario.steps[0].assert.len(), 8);
        assert_eq!(scenario.steps[0].think_ms, (0, 5));
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for (field, value) in [
            ("colour", json!(1)),
            (
                "assert",
                json!([{"what": "time", "below_ms": 1, "above_ms": 2}]),
            ),
            ("assert", json!([{"what": "weather"}])),
            (
                "extract",
                json!([{"name": "a", "from": "header", "header": "X", "group": 1}]),
            ),
        ] {
            let mut step = step();
            step[field] = value;
            assert!(serde_json::from_value::<Step>(step).is_err(), "{field}");
        }
    }

    #[test]
    fn rows_of_another_width_are_refused() {
        let error = serde_json::from_str::<Rows>(r#"[["1","2"],["3"]]"#).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("row 2 has 1 values where the first has 2")
        );
        assert!(serde_json::from_str::<Rows>("[[1]]").is_err());
        assert!(serde_json::from_str::<Rows>("[]").unwrap().is_empty());
    }
}
