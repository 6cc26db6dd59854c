//! Manifests of older formats: each step makes of one format the next, and reading takes as many as
//! it needs.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::{Error, Result};

/// The format that is written.
pub(super) const FORMAT: u32 = 1;

struct Step {
    from: u32,
    to: u32,
    migrate: fn(&mut Map<String, Value>),
}

const STEPS: &[Step] = &[Step {
    from: 0,
    to: 1,
    migrate: add_progress_and_counters,
}];

/// Format 0 did not resume training files, and counted nothing.
fn add_progress_and_counters(manifest: &mut Map<String, Value>) {
    manifest.insert("progress".to_owned(), json!({}));
    manifest.insert("counters".to_owned(), json!({}));
}

/// The manifest in today's format. On the disk it stays as it was until the next one takes its
/// place.
pub(super) fn to_current(mut value: Value, path: &Path) -> Result<Value> {
    let no_format = || Error::damaged(path, "it has no format: put it back from a copy");
    let manifest = value.as_object_mut().ok_or_else(no_format)?;
    let format = manifest
        .get("format")
        .and_then(Value::as_u64)
        .ok_or_else(no_format)?;
    let mut format = u32::try_from(format).unwrap_or(u32::MAX);
    if format > FORMAT {
        return Err(Error::Newer {
            file: path.to_owned(),
            version: format,
            known: FORMAT,
        });
    }
    while format < FORMAT {
        let step = STEPS.iter().find(|step| step.from == format);
        let step = step.expect("a step leads on from every older format");
        (step.migrate)(manifest);
        format = step.to;
        manifest.insert("format".to_owned(), format.into());
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::disk::RealDisk;
    use super::super::manifest::{MANIFEST_NAME, Manifest, sign};
    use super::super::options::Options;
    use super::*;

    fn write(directory: &tempfile::TempDir, text: &str) {
        let mut bytes = text.as_bytes().to_vec();
        sign(&mut bytes);
        fs::write(directory.path().join(MANIFEST_NAME), bytes).unwrap();
    }

    #[test]
    fn the_steps_lead_from_every_format_to_the_current_one() {
        for format in 0..FORMAT {
            assert_eq!(STEPS.iter().filter(|step| step.from == format).count(), 1);
        }
        assert!(
            STEPS
                .iter()
                .all(|step| step.from < step.to && step.to <= FORMAT)
        );
    }

    #[test]
    fn an_older_manifest_is_read_and_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        write(
            &directory,
            r#"{"format": 0, "checksum": "00000000", "generation": 4, "options": {"order": 3}, "segments": [],
                "logs": [2], "next_sequence": 5, "next_file": 3}"#,
        );
        let mut manifest = Manifest::read(&RealDisk, directory.path())
            .unwrap()
            .unwrap();
        let order = Options {
            order: 3,
            ..Options::default()
        };
        assert_eq!((manifest.generation, &manifest.options), (4, &order));
        assert!(manifest.progress.is_empty() && manifest.counters.is_empty());
        manifest.publish(&RealDisk, directory.path()).unwrap();
        let text = fs::read_to_string(directory.path().join(MANIFEST_NAME)).unwrap();
        assert!(
            text.starts_with("{\n  \"format\": 1,") && text.contains("\"counters\": {}"),
            "{text}"
        );
    }

    #[test]
    fn a_newer_manifest_is_refused_in_a_sentence() {
        let directory = tempfile::tempdir().unwrap();
        write(
            &directory,
            r#"{"format": 2, "checksum": "00000000", "something": "else"}"#,
        );
        let error = Manifest::read(&RealDisk, directory.path()).unwrap_err();
        assert!(matches!(
            error,
            Error::Newer {
                version: 2,
                known: 1,
                ..
            }
        ));
        assert!(
            error
                .to_string()
                .ends_with("has format version 2, this chaffinch reads up to 1: upgrade it")
        );
    }
}
