//! How the process looks and ends: its name, its memory image, its parent.

use std::ffi::{CString, c_int, c_ulong};
use std::io;

use crate::sys;

/// The longest name that the kernel keeps, in bytes.
const MAX_NAME: usize = 15;

/// Whether the process may leave a core dump and be traced by its own user. A process that is not dumpable owns no
/// entry in `/proc` that others of its user can read: only root and itself see its memory map.
///
/// # Errors
/// The kernel refuses.
pub fn set_dumpable(dumpable: bool) -> io::Result<()> {
    sys::prctl(libc::PR_SET_DUMPABLE, c_ulong::from(dumpable)).map(drop)
}

/// The signal that this process gets when the thread that forked it ends; 0 for none. A change of user resets it, so
/// set it afterwards, and check then that the parent still lives: it may have ended before.
///
/// # Errors
/// The number is not that of a signal.
pub fn set_parent_death_signal(signal: c_int) -> io::Result<()> {
    let number =
        c_ulong::try_from(signal).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    sys::prctl(libc::PR_SET_PDEATHSIG, number).map(drop)
}

/// Have the C library give memory that was freed back to the system; whether it had any. glibc keeps what lies below
/// something that is in use; other C libraries have no such call, and nothing is done.
#[must_use]
pub fn give_back_memory() -> bool {
    sys::malloc_trim()
}

/// The name that `ps` and `top` show for the calling thread, cut to 15 bytes.
///
/// # Errors
/// The name holds a zero byte.
pub fn set_process_name(name: &str) -> io::Result<()> {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    sys::prctl_set_name(&CString::new(&name[..end])?)
}
