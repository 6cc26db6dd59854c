//! Landlock: after this the process reads what it could read before, but writes only where it was told.
//!
//! The kernel's interface is described in its `Documentation/userspace-api/landlock.rst`.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::privileges::no_new_privs;
use crate::sys;

const WRITE_FILE: u64 = 1 << 1;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_CHAR: u64 = 1 << 6;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SOCK: u64 = 1 << 9;
const MAKE_FIFO: u64 = 1 << 10;
const MAKE_BLOCK: u64 = 1 << 11;
const MAKE_SYM: u64 = 1 << 12;
/// Moving and linking between directories, from ABI 2. Before, the kernel denies it to every confined process.
const REFER: u64 = 1 << 13;
/// From ABI 3. Before, a confined process may still truncate.
const TRUNCATE: u64 = 1 << 14;

const BIND_TCP: u64 = 1 << 0;
const CONNECT_TCP: u64 = 1 << 1;

/// From this ABI on Landlock knows TCP.
const NETWORK_ABI: u32 = 4;

/// What of an access list can be allowed on something that is not a directory.
const ON_FILES: u64 = WRITE_FILE | TRUNCATE;

/// What `confine` could do on this kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The Landlock ABI of the kernel; 0 when it has none or it is switched off, and nothing was applied.
    pub abi: u32,
    /// Whether TCP connect is denied.
    pub connect_denied: bool,
    /// Whether TCP bind is denied.
    pub bind_denied: bool,
}

/// The Landlock ABI of this kernel, 0 when it has none or it is switched off.
#[must_use]
pub fn landlock_abi() -> u32 {
    sys::landlock_version().unwrap_or(0)
}

/// Deny writing, creating, removing and truncating everywhere but below `writable`, and TCP connect and bind unless
/// they are allowed. Descriptors that are already open keep working, listening sockets among them.
///
/// It holds for the calling thread and what it starts, so it is refused when the process has other threads.
/// `no_new_privs` is set as well. Where the kernel has no Landlock nothing is done, and `Applied` says so.
///
/// # Errors
/// A path cannot be opened, the process has other threads, or the kernel refuses; the text names the path.
pub fn confine(writable: &[&Path], allow_connect: bool, allow_bind: bool) -> io::Result<Applied> {
    let abi = landlock_abi();
    let applied = Applied {
        abi,
        connect_denied: abi >= NETWORK_ABI && !allow_connect,
        bind_denied: abi >= NETWORK_ABI && !allow_bind,
    };
    if abi == 0 {
        return Ok(applied);
    }
    only_thread()?;
    let handled = handled_access(abi);
    let attr = sys::RulesetAttr {
        handled_access_fs: handled,
        handled_access_net: if applied.connect_denied {
            CONNECT_TCP
        } else {
            0
        } | if applied.bind_denied { BIND_TCP } else { 0 },
    };
    let known = if abi >= NETWORK_ABI {
        size_of::<sys::RulesetAttr>()
    } else {
        size_of::<u64>()
    };
    let ruleset = sys::landlock_create_ruleset(&attr, known)?;
    for path in writable {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let place = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH)
            .open(path)
            .map_err(named)?;
        let allowed = if place.metadata().map_err(named)?.is_dir() {
            handled
        } else {
            handled & ON_FILES
        };
        sys::landlock_allow_beneath(ruleset.as_fd(), place.as_fd(), allowed).map_err(named)?;
    }
    no_new_privs()?;
    sys::landlock_restrict_self(ruleset.as_fd())?;
    Ok(applied)
}

/// Every access that changes something, as far as this ABI knows it.
const fn handled_access(abi: u32) -> u64 {
    let always = WRITE_FILE
        | REMOVE_DIR
        | REMOVE_FILE
        | MAKE_CHAR
        | MAKE_DIR
        | MAKE_REG
        | MAKE_SOCK
        | MAKE_FIFO
        | MAKE_BLOCK
        | MAKE_SYM;
    match abi {
        0 | 1 => always,
        2 => always | REFER,
        _ => always | REFER | TRUNCATE,
    }
}

/// A thread that runs already would stay free, and with it the process.
fn only_thread() -> io::Result<()> {
    let tasks = PathBuf::from("/proc/self/task");
    match std::fs::read_dir(tasks)?.count() {
        1 => Ok(()),
        threads => Err(io::Error::other(format!(
            "the process has {threads} threads: confine it before it starts any"
        ))),
    }
}
