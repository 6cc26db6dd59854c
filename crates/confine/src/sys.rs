//! The system calls, as safe functions: the one file with `unsafe`.

use std::ffi::{CStr, c_int, c_long, c_ulong};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// `struct landlock_ruleset_attr`; a kernel is given as much of it as its ABI knows.
#[repr(C)]
pub(crate) struct RulesetAttr {
    pub handled_access_fs: u64,
    pub handled_access_net: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneathAttr {
    allowed_access: u64,
    parent_fd: i32,
}

const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
const LANDLOCK_RULE_PATH_BENEATH: c_int = 1;

fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The Landlock ABI of this kernel.
pub(crate) fn landlock_version() -> io::Result<u32> {
    // SAFETY: with this flag the kernel reads no memory; the pointer is null and the size zero, as it demands.
    let result = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            ptr::null::<RulesetAttr>(),
            0_usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    check(result).map(|version| version as u32)
}

/// A ruleset that handles what `attr` says, of which the kernel is shown the first `size` bytes.
pub(crate) fn landlock_create_ruleset(attr: &RulesetAttr, size: usize) -> io::Result<OwnedFd> {
    assert!(size <= size_of::<RulesetAttr>());
    // SAFETY: `attr` is valid for `size` bytes, as asserted, and the kernel only reads it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            ptr::from_ref(attr),
            size,
            0_u32,
        )
    };
    let fd = check(result)? as c_int;
    // SAFETY: the kernel has just opened this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Allow `access` below the file or directory that `parent` is open on.
pub(crate) fn landlock_allow_beneath(
    ruleset: BorrowedFd,
    parent: BorrowedFd,
    access: u64,
) -> io::Result<()> {
    let attr = PathBeneathAttr {
        allowed_access: access,
        parent_fd: parent.as_raw_fd(),
    };
    // SAFETY: `attr` has the layout of the rule type that is named, lives until the call returns, and is only read.
    let result = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            LANDLOCK_RULE_PATH_BENEATH,
            ptr::from_ref(&attr),
            0_u32,
        )
    };
    check(result).map(drop)
}

/// Put the calling thread under the ruleset.
pub(crate) fn landlock_restrict_self(ruleset: BorrowedFd) -> io::Result<()> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) })
        .map(drop)
}

/// `prctl` with operations whose arguments are plain numbers.
pub(crate) fn prctl(operation: c_int, argument: c_ulong) -> io::Result<c_int> {
    debug_assert_ne!(operation, libc::PR_SET_NAME, "takes a pointer");
    // SAFETY: for the operations of this crate all arguments are integers; unused ones must be zero and are.
    check(c_long::from(unsafe {
        libc::prctl(
            operation,
            argument,
            0 as c_ulong,
            0 as c_ulong,
            0 as c_ulong,
        )
    }))
    .map(|result| result as c_int)
}

/// Name the calling thread, which for the first thread is the process's name.
pub(crate) fn prctl_set_name(name: &CStr) -> io::Result<()> {
    // SAFETY: the kernel reads at most 16 bytes and stops at the terminator, which a `CStr` has.
    check(c_long::from(unsafe {
        libc::prctl(libc::PR_SET_NAME, name.as_ptr())
    }))
    .map(drop)
}

/// Empty the effective, permitted and inheritable capabilities of the calling thread.
pub(crate) fn capset_none() -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION_3, 0];
    let none = [0_u32; 6];
    // SAFETY: the header is `{version, pid}` with pid 0 for the caller; version 3 reads two elements of three 32-bit
    // sets each, which `none` holds. With a known version neither is written to.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) }).map(drop)
}

/// Move the calling thread into the namespace of that kind that `namespace` is open on.
pub(crate) fn setns(namespace: BorrowedFd, kind: c_int) -> io::Result<()> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    check(c_long::from(unsafe {
        libc::setns(namespace.as_raw_fd(), kind)
    }))
    .map(drop)
}

/// Give the calling thread a new namespace of that kind.
pub(crate) fn unshare(kind: c_int) -> io::Result<()> {
    // SAFETY: the call takes an integer; of what threads share, the kinds of this crate take nothing that memory or
    // descriptors depend on.
    check(c_long::from(unsafe { libc::unshare(kind) })).map(drop)
}

/// Mount what stands at `source` on `target`, too.
pub(crate) fn bind_mount(source: &CStr, target: &CStr) -> io::Result<()> {
    // SAFETY: both paths end in a zero byte and are only read; a bind mount reads neither type nor data, which are null.
    check(c_long::from(unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            ptr::null(),
            libc::MS_BIND,
            ptr::null(),
        )
    }))
    .map(drop)
}

/// Take the mount off `target`, at once for who looks, and in the end when nobody uses it.
pub(crate) fn unmount(target: &CStr) -> io::Result<()> {
    // SAFETY: the path ends in a zero byte and is only read.
    check(c_long::from(unsafe {
        libc::umount2(target.as_ptr(), libc::MNT_DETACH)
    }))
    .map(drop)
}

/// Give back the free pages of the C library's heaps; whether there were any.
#[cfg(target_env = "gnu")]
pub(crate) fn malloc_trim() -> bool {
    // SAFETY: the call takes an integer, the bytes to keep at the top, and touches only memory that nobody has.
    unsafe { libc::malloc_trim(0) != 0 }
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn malloc_trim() -> bool {
    false
}
