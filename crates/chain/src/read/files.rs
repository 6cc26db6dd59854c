//! The files of a directory, in the order in which they are read.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// All files below a directory, sorted by name within each directory. Hidden files and directories
/// are passed over; links are followed, a directory is entered once.
///
/// # Errors
/// A directory cannot be read, or something in it not be looked at.
pub fn files_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    // Directories on the way and still to be visited: no recursion, however deep the tree.
    let mut pending = vec![directory.to_owned()];
    let mut entered = HashSet::new();
    while let Some(path) = pending.pop() {
        let doing = || format!("reading the directory {}", path.display());
        if path != directory {
            let facts = match fs::metadata(&path) {
                // A link that leads nowhere, or to itself, is no file to read.
                Err(_) if path.is_symlink() => continue,
                facts => facts.map_err(Error::io(format!("looking at {}", path.display())))?,
            };
            if !facts.is_dir() {
                if facts.is_file() {
                    files.push(path);
                }
                continue;
            }
        }
        let real = fs::canonicalize(&path).map_err(Error::io(doing()))?;
        if !entered.insert(real) {
            continue;
        }
        let mut inside = Vec::new();
        for entry in fs::read_dir(&path).map_err(Error::io(doing()))? {
            let entry = entry.map_err(Error::io(doing()))?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                inside.push(entry.path());
            }
        }
        inside.sort_unstable_by(|a, b| b.cmp(a));
        pending.append(&mut inside);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_without_hidden_files_and_loops() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("b/deep")).unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        for name in [
            "c.txt",
            "a.json",
            "b/2.txt",
            "b/deep/1.txt",
            ".hidden",
            ".git/x",
        ] {
            fs::write(root.join(name), "hi").unwrap();
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root, root.join("b/loop")).unwrap();
            std::os::unix::fs::symlink("nowhere", root.join("b/dangling")).unwrap();
            std::os::unix::fs::symlink("self", root.join("b/self")).unwrap();
        }
        let found = files_in(root).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(root).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["a.json", "b/2.txt", "b/deep/1.txt", "c.txt"]);
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = files_in(Path::new("no/such/place")).unwrap_err();
        assert!(error.to_string().contains("no/such/place"), "{error}");
    }
}
