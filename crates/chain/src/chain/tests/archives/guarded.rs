//! What an archive says that the guard of the chain made from it replaces.

use std::fmt::Write as _;

use super::*;

const SECRETS: [&str; 3] = [
    "jane.doe@example.com",
    "AKIAIOSFODNN7EXAMPLE",
    "Brambleforth",
];

/// An archive of a chain that some other program, guard or list of names made.
fn archive(mode: &str) -> Vec<u8> {
    let tokens = match mode {
        "words" => {
            r#"["mail","jane.doe@example.com","or","AKIAIOSFODNN7EXAMPLE","now,","Brambleforth"]"#
        }
        _ => {
            r#"["mail"," jane",".","doe","@","example",".","com"," or"," AKIAIOSFODNN7EXAMPLE"," now",","," Brambleforth"]"#
        }
    };
    let mut text = format!(
        r#"{{"chaffinch_chain":1,"options":{{"guarded":true,"min_authors":1,"mode":"{mode}"}},"counters":{{"replaced_mail":7}}}}"#
    );
    for (number, first) in ["one", "two", "three", "four"].into_iter().enumerate() {
        let tokens = tokens.replace("\"mail\"", &format!("\"{first}\""));
        let _ = write!(text, "\n{{\"id\":\"{number}\",\"tokens\":{tokens}}}");
    }
    text += "\n{\"id\":\"4\",\"tokens\":[\"nothing\"]}\n{\"messages\":5}\n";
    gzip(&text)
}

#[test]
fn an_import_replaces_what_the_archive_tells() {
    for mode in ["words", "segments"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain");
        let names = ["Brambleforth".to_owned()];
        let imported = Chain::import(&path, &mut &archive(mode)[..], Some(&names)).unwrap();
        assert_eq!(imported, 5);
        for name in files(&path) {
            if name == crate::storage::MANIFEST_NAME {
                continue;
            }
            let bytes = fs::read(path.join(&name)).unwrap();
            for secret in SECRETS {
                let mut windows = bytes.windows(secret.len());
                let found = windows.any(|window| window == secret.as_bytes());
                assert!(!found, "{mode}: {secret} is in {name}");
            }
        }
        let chain = Chain::open(&path, &Opening::default()).unwrap();
        let ask = Ask {
            novel: false,
            ..Ask::default()
        };
        let said = chain.generate(&ask, 50, Some(1)).unwrap();
        assert!(
            said.iter()
                .any(|one| one.text.contains(" <mail> or <key> now, <name>"))
        );
        for secret in SECRETS {
            assert!(
                said.iter().all(|one| !one.text.contains(secret)),
                "{mode}: {secret}"
            );
        }
        let counters = chain.stats().unwrap().counters;
        let count = |kind: &str| counters.get(&format!("replaced_{kind}")).copied();
        assert_eq!(count("mail"), Some(7 + 4), "{counters:?}");
        assert_eq!(
            (count("key"), count("name")),
            (Some(4), Some(4)),
            "{counters:?}"
        );
        assert_eq!(chain.stats().unwrap().messages, 5);
        // Made once more it is the same: nothing is replaced twice.
        let copy = directory.path().join("copy");
        Chain::import(&copy, &mut &exported(&chain)[..], Some(&names)).unwrap();
        let again = Chain::open(&copy, &Opening::default()).unwrap();
        assert_eq!(again.stats().unwrap().counters, counters);
        assert_eq!(texts(&again), texts(&chain));
    }
}
