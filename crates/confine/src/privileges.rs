//! Privileges: none may be gained, and those that are held can be dropped.

use std::ffi::c_ulong;
use std::io;

use crate::sys;

/// More capabilities than any kernel has; the first number that the kernel does not know ends the loop.
const CAPABILITIES: c_ulong = 64;

/// No program that this process starts gains privileges, whatever its set-user-ID bit or file capabilities say.
///
/// # Errors
/// The kernel refuses (it is older than 3.5).
pub fn no_new_privs() -> io::Result<()> {
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map(drop)
}

/// Empty the capability bounding set, so that not even a program run as root gets a capability back. Returns how many
/// were dropped. Call it as root, before the user changes: it needs `CAP_SETPCAP`.
///
/// # Errors
/// The process lacks `CAP_SETPCAP`.
pub fn drop_bounding_set() -> io::Result<u32> {
    let mut dropped = 0;
    for capability in 0..CAPABILITIES {
        match sys::prctl(libc::PR_CAPBSET_READ, capability) {
            Ok(0) => {}
            Ok(_) => {
                sys::prctl(libc::PR_CAPBSET_DROP, capability)?;
                dropped += 1;
            }
            Err(_) => break,
        }
    }
    Ok(dropped)
}

/// Give up every capability that the process holds, ambient ones first. Under a user that is not root this is all that
/// is left; as root it leaves a user 0 that may do no more than its files allow.
///
/// # Errors
/// The kernel refuses.
pub fn drop_capabilities() -> io::Result<()> {
    sys::prctl(
        libc::PR_CAP_AMBIENT,
        libc::PR_CAP_AMBIENT_CLEAR_ALL as c_ulong,
    )?;
    sys::capset_none()
}
