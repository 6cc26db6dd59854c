//! Network namespaces (`network_namespaces(7)`): made under a name, entered, let go.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{ffi::CString, thread};

use crate::sys;

/// Put the calling thread into the network namespace that stands at `path`. Sockets stay in the one in which they were
/// opened. It needs `CAP_SYS_ADMIN`.
///
/// # Errors
/// Nothing is there, it is no network namespace, or the capability is missing.
pub fn enter_network_namespace(path: &Path) -> io::Result<()> {
    sys::setns(File::open(path)?.as_fd(), libc::CLONE_NEWNET)
}

/// Make a network namespace that lives until [`remove_network_namespace`], mounted on the new file `path`. The caller
/// stays where it is: a thread of its own makes the namespace, because unsharing concerns the calling thread alone.
///
/// # Errors
/// The file is there already or cannot be made, or the process lacks `CAP_SYS_ADMIN`.
pub fn make_network_namespace(path: &Path) -> io::Result<()> {
    let target = CString::new(path.as_os_str().as_bytes())?;
    OpenOptions::new().write(true).create_new(true).open(path)?;
    let made = thread::spawn(move || {
        sys::unshare(libc::CLONE_NEWNET)?;
        sys::bind_mount(c"/proc/thread-self/ns/net", &target)
    })
    .join()
    .unwrap_or_else(|_| Err(io::Error::other("the thread that makes it panicked")));
    if made.is_err() {
        std::fs::remove_file(path)?;
    }
    made
}

/// Take the name from a network namespace: it ends with the last process and socket in it. A file that is no mount,
/// left by a start of the machine, is removed all the same.
///
/// # Errors
/// There is no such file, or the process may not unmount or remove it.
pub fn remove_network_namespace(path: &Path) -> io::Result<()> {
    match sys::unmount(&CString::new(path.as_os_str().as_bytes())?) {
        Err(error) if error.raw_os_error() != Some(libc::EINVAL) => Err(error),
        _ => std::fs::remove_file(path),
    }
}
