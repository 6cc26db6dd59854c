use proptest::prelude::*;
use serde_json::{Value, json};

use super::path::Segment;
use super::{Fault, Path, equals};

fn first(path: &str, text: &str) -> Option<String> {
    try_first(path, text.as_bytes()).unwrap()
}

fn try_first(path: &str, text: &[u8]) -> Result<Option<String>, Fault> {
    let Some(found) = Path::compile(path).unwrap().find(text)? else {
        return Ok(None);
    };
    let mut out = String::new();
    found.push_to(&mut out).map(|()| Some(out))
}

#[test]
fn the_first_value_is_found() {
    let text = r#" {"a": [{"b": 1}, {"b": "x\"\\\/\n\u00e9\ud83d\ude00", "c": null}], "": {"a.b": true},
        "e\u0061": -1.5e3, "deep": {"id": {"id": 5}}, "id": 7, "empty": []} "#;
    for (path, expected) in [
        ("$.a[0].b", Some("1")),
        ("$.a[1].b", Some("x\"\\/\n\u{e9}\u{1f600}")),
        ("$.a[-1].c", Some("null")),
        ("$.a[-2]", Some(r#"{"b": 1}"#)),
        ("$.a[-3]", None),
        ("$.a[2]", None),
        ("$.a[*].c", Some("null")),
        ("$.*.b", None),
        ("$.*[*].b", Some("1")),
        ("$['']['a.b']", Some("true")),
        ("$.ea", Some("-1.5e3")),
        ("$..id", Some("7")),
        ("$..id.id", Some("5")),
        ("$..deep..id", Some(r#"{"id": 5}"#)),
        ("$..c", Some("null")),
        ("$.empty", Some("[]")),
        ("$.empty[*]", None),
        ("$.id.x", None),
        ("$.id[0]", None),
        ("$.deep[0]", None),
        ("$.a.b", None),
        ("$.none", None),
    ] {
        assert_eq!(first(path, text).as_deref(), expected, "{path}");
    }
    assert_eq!(first("$", "\u{feff} 7 ").as_deref(), Some("7"));
    assert_eq!(first("$", r#""""#).as_deref(), Some(""));
}

#[test]
fn what_is_not_json_is_told() {
    for (path, text, fault) in [
        ("$.a", "", Fault::NotJson),
        ("$.a", "<html>", Fault::NotJson),
        ("$.a", "{", Fault::NotJson),
        ("$.a", r#"{"a" 1}"#, Fault::NotJson),
        ("$.a", r#"{"b": 1 "a": 1}"#, Fault::NotJson),
        ("$.a", r#"{"a": }"#, Fault::NotJson),
        ("$.a", r#"{"a": "x"#, Fault::NotJson),
        ("$.a", r#"{"a": tru}"#, Fault::NotJson),
        ("$.a", r#"{"a": 01}"#, Fault::NotJson),
        ("$.a", r#"{"a": [1}"#, Fault::NotJson),
        ("$.a", r#"{"a": [1}}"#, Fault::NotJson),
        ("$.a", r#"{"a": "\q"}"#, Fault::NotText),
        ("$.a", r#"{"a": "\ud800"}"#, Fault::NotText),
        ("$.a", r#"{"a": "\u12"}"#, Fault::NotText),
    ] {
        assert_eq!(
            try_first(path, text.as_bytes()),
            Err(fault),
            "{path} in {text}"
        );
    }
    assert_eq!(try_first("$", b"\"\xff\""), Err(Fault::NotText));
    // What lies beside the path is not looked at.
    assert_eq!(
        try_first("$.a", b"{\"b\": \"\xff\", \"a\": 1")
            .unwrap()
            .as_deref(),
        Some("1")
    );
}

#[test]
fn nesting_and_work_are_bounded() {
    let deep = "[".repeat(100_000);
    assert_eq!(try_first("$..a", deep.as_bytes()), Err(Fault::NotJson));
    assert_eq!(try_first("$[0]", deep.as_bytes()), Err(Fault::NotJson));
    let chain = format!("{}{}{}", r#"{"a":"#.repeat(120), "[]", "}".repeat(120));
    let padded = chain.replace("[]", &format!("[{}0]", "0,".repeat(10_000)));
    assert_eq!(
        try_first("$..a..a..a..b", padded.as_bytes()),
        Err(Fault::TooMuch)
    );
    assert_eq!(
        try_first("$..a..a..a", chain.as_bytes()).map(|found| found.is_some()),
        Ok(true)
    );
}

#[test]
fn white_space_and_keys_are_work() {
    let space = " ".repeat(20_000);
    let key = format!("\"{}\": 0", "k".repeat(20_000));
    for inner in [format!("{{{space}\"k\": 1}}"), format!("{{{key}}}")] {
        let text = format!("{}{inner}{}", r#"{"a":"#.repeat(126), "}".repeat(126));
        assert_eq!(try_first("$.a..b", text.as_bytes()), Ok(None));
        for path in ["$..a..b", "$..a..a..b"] {
            let found = try_first(path, text.as_bytes());
            assert_eq!(found, Err(Fault::TooMuch), "{path}");
        }
    }
}

#[test]
fn values_are_compared_as_values() {
    for (text, expected, same) in [
        ("1", json!(1.0), true),
        ("1e0", json!(1), true),
        (
            "18446744073709551615",
            json!(18_446_744_073_709_551_614_u64),
            false,
        ),
        ("9007199254740993", json!(9_007_199_254_740_992_u64), false),
        ("\"1\"", json!(1), false),
        ("\"\\u0061b\"", json!("ab"), true),
        ("\"ab\"", json!("ab"), true),
        ("true", json!(true), true),
        ("true", json!(false), false),
        ("null", json!(false), false),
        ("{\"b\": [1.0], \"a\": 2}", json!({"a": 2, "b": [1]}), true),
        ("[1, 2]", json!([1]), false),
        ("true", json!("true"), false),
    ] {
        let path = Path::compile("$").unwrap();
        let found = path.find(text.as_bytes()).unwrap().unwrap();
        assert_eq!(equals(found, &expected), Ok(same), "{text} {expected}");
    }
}

/// The first value by the rules of RFC 9535, on a tree.
fn by_tree<'a>(value: &'a Value, path: &[Segment]) -> Option<&'a Value> {
    let Some((segment, rest)) = path.split_first() else {
        return Some(value);
    };
    match segment {
        Segment::Name(name) => by_tree(value.as_object()?.get(name)?, rest),
        Segment::Index(index) => {
            let array = value.as_array()?;
            let at = usize::try_from(*index).ok();
            let at = at.or_else(|| array.len().checked_sub(index.unsigned_abs() as usize))?;
            by_tree(array.get(at)?, rest)
        }
        Segment::Any => children(value).find_map(|child| by_tree(child, rest)),
        Segment::Deep(name) => {
            let own = value.as_object().and_then(|members| members.get(name));
            own.and_then(|own| by_tree(own, rest))
                .or_else(|| children(value).find_map(|child| by_tree(child, path)))
        }
    }
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(array) => Box::new(array.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[abc]", 1 => any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Eighths: serde_json does not read every float back as it was written.
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn segment() -> impl Strategy<Value = Segment> {
    prop_oneof![
        3 => key().prop_map(Segment::Name),
        2 => (-3..4).prop_map(Segment::Index),
        2 => Just(Segment::Any),
        2 => key().prop_map(Segment::Deep),
    ]
}

proptest! {
    #![proptest_config(crate::long::cases(2000))]

    #[test]
    fn it_finds_what_a_tree_has(value in value(), segments in prop::collection::vec(segment(), 0..5), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let path = Path { segments };
        match (path.find(text.as_bytes()).unwrap(), by_tree(&value, &path.segments)) {
            (None, None) => {}
            (Some(found), Some(expected)) => {
                prop_assert_eq!(equals(found, expected), Ok(true));
                let mut out = String::new();
                found.push_to(&mut out).unwrap();
                let seen = if expected.is_string() { Value::from(out) } else { serde_json::from_str(&out).unwrap() };
 prop_assert_eq!(&seen, expected);
            }
            (found, expected) => prop_assert!(false, "{found:?} {expected:?}"),
        }
    }

    #[test]
    fn any_bytes_are_searched(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            "[{}\\[\\]\",:\\\\au0 ]{0,40}".prop_map(String::into_bytes),
        ],
        segments in prop::collection::vec(segment(), 0..5),
    ) {
        if let Ok(Some(found)) = (Path { segments }).find(&bytes) {
            let mut out = String::new();
            let _ = found.push_to(&mut out);
            let _ = equals(found, &json!("a"));
        }
    }

    #[test]
    fn a_cut_text_is_searched(value in value(), share in 0.0..1.0_f64, segments in prop::collection::vec(segment(), 0..4)) {
        let text = value.to_string();
        let cut = &text.as_bytes()[..(text.len() as f64 * share) as usize];
        let _ = (Path { segments }).find(cut);
    }
}
