//! One writer at a time: a lock that the kernel takes back when its holder dies, so that none is
//! ever stale.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process;

use crate::{Error, Result};

const LOCK_NAME: &str = "lock";

/// Held until dropped. The file stays; its text is the pid of the last holder.
#[derive(Debug)]
pub struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Does not wait. The one write that no `Disk` sees: what the file says need not outlast
    /// anything.
    ///
    /// # Errors
    ///
    /// `Error::Locked` if another holds it, in this process or another; `Error::Io`.
    pub fn acquire(directory: &Path) -> Result<Self> {
        let path = directory.join(LOCK_NAME);
        let doing = || Error::io(format!("locking {}", path.display()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.mode(0o600).open(&path).map_err(doing())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked {
                    directory: directory.to_owned(),
                    pid: pid_in(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(doing()(error)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", process::id()))
            .map_err(doing())?;
        Ok(Self { _file: file })
    }
}

/// None when the holder has not written it yet.
fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.strip_suffix('\n')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    const CHILD: &str = "CHAFFINCH_TEST_LOCK_DIRECTORY";

    #[test]
    fn a_second_writer_is_told_who_holds_it() {
        let directory = tempfile::tempdir().unwrap();
        let lock = WriterLock::acquire(directory.path()).unwrap();
        let refused = WriterLock::acquire(directory.path()).unwrap_err();
        let me = process::id();
        assert!(matches!(refused, Error::Locked { pid: Some(pid), .. } if pid == me));
        assert!(
            refused
                .to_string()
                .contains(&format!("is open for writing in process {me}"))
        );
        drop(lock);
        WriterLock::acquire(directory.path()).unwrap();
    }

    #[test]
    fn a_lock_dies_with_its_process() {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "storage::lock::tests::child_that_holds_the_lock",
            ])
            .env(CHILD, directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        assert!(
            output
                .lines()
                .map_while(Result::ok)
                .any(|line| line.ends_with("locked"))
        );
        let refused = WriterLock::acquire(directory.path()).unwrap_err();
        assert!(matches!(refused, Error::Locked { pid: Some(pid), .. } if pid == child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        WriterLock::acquire(directory.path()).unwrap();
    }

    /// Does something only when the test above starts it.
    #[test]
    fn child_that_holds_the_lock() {
        if let Some(directory) = env::var_os(CHILD) {
            let _lock = WriterLock::acquire(Path::new(&directory)).unwrap();
            println!("locked");
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
    }
}
