//! The kernel, asked directly: libc's symbols are those that the shim stands before.

use std::ffi::{CStr, CString};

use libc::{c_int, c_long};

pub(crate) fn fail(errno: i32) -> c_long {
    // SAFETY: the pointer that libc gives is this thread's own and always valid.
    unsafe { *libc::__errno_location() = errno };
    -1
}

pub(crate) fn errno() -> i32 {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn openat(dir: c_int, path: &CStr, flags: c_int, mode: libc::mode_t) -> c_long {
    // SAFETY: the path ends with a zero; the kernel checks all else.
    unsafe { libc::syscall(libc::SYS_openat, dir, path.as_ptr(), flags, mode) }
}

pub(crate) fn write(fd: c_int, bytes: &[u8]) -> c_long {
    // SAFETY: the slice is readable for its length.
    unsafe { libc::syscall(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) }
}

pub(crate) fn pwrite(fd: c_int, bytes: &[u8], offset: i64) -> c_long {
    // SAFETY: the slice is readable for its length.
    unsafe { libc::syscall(libc::SYS_pwrite64, fd, bytes.as_ptr(), bytes.len(), offset) }
}

pub(crate) fn ftruncate(fd: c_int, len: i64) -> c_long {
    // SAFETY: numbers alone.
    unsafe { libc::syscall(libc::SYS_ftruncate, fd, len) }
}

pub(crate) fn fallocate(fd: c_int, mode: c_int, offset: i64, len: i64) -> c_long {
    // SAFETY: numbers alone.
    unsafe { libc::syscall(libc::SYS_fallocate, fd, mode, offset, len) }
}

pub(crate) fn fsync(fd: c_int) -> c_long {
    // SAFETY: a number alone.
    unsafe { libc::syscall(libc::SYS_fsync, fd) }
}

pub(crate) fn fdatasync(fd: c_int) -> c_long {
    // SAFETY: a number alone.
    unsafe { libc::syscall(libc::SYS_fdatasync, fd) }
}

pub(crate) fn renameat2(from_dir: c_int, from: &CStr, to_dir: c_int, to: &CStr, flags: u32) -> c_long {
    // SAFETY: both paths end with a zero.
    unsafe { libc::syscall(libc::SYS_renameat2, from_dir, from.as_ptr(), to_dir, to.as_ptr(), flags) }
}

pub(crate) fn unlinkat(dir: c_int, path: &CStr, flags: c_int) -> c_long {
    // SAFETY: the path ends with a zero.
    unsafe { libc::syscall(libc::SYS_unlinkat, dir, path.as_ptr(), flags) }
}

pub(crate) fn mkdirat(dir: c_int, path: &CStr, mode: libc::mode_t) -> c_long {
    // SAFETY: the path ends with a zero.
    unsafe { libc::syscall(libc::SYS_mkdirat, dir, path.as_ptr(), mode) }
}

pub(crate) fn linkat(from_dir: c_int, from: &CStr, to_dir: c_int, to: &CStr, flags: c_int) -> c_long {
    // SAFETY: both paths end with a zero.
    unsafe { libc::syscall(libc::SYS_linkat, from_dir, from.as_ptr(), to_dir, to.as_ptr(), flags) }
}

/// Waits for the lock, also over signals.
pub(crate) fn flock(fd: c_int, operation: c_int) {
    let errno = errno();
    // SAFETY: numbers alone.
    while unsafe { libc::flock(fd, operation) } != 0 && self::errno() == libc::EINTR {}
    fail(errno);
}

/// Where the file's next write without an offset goes.
pub(crate) fn place(fd: c_int) -> u64 {
    // SAFETY: numbers alone.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    let append = flags >= 0 && flags & libc::O_APPEND != 0;
    // SAFETY: numbers alone.
    let at = if append { stat(fd).map_or(0, |stat| stat.st_size) } else { unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) } };
    u64::try_from(at).unwrap_or(0)
}

pub(crate) fn stat(fd: c_int) -> Option<libc::stat> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: there is room for what it writes.
    let result = unsafe { libc::fstat(fd, stat.as_mut_ptr()) };
    // SAFETY: it succeeded, so it is filled in.
    (result == 0).then(|| unsafe { stat.assume_init() })
}

pub(crate) fn exists(dir: c_int, path: &CStr) -> bool {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the path ends with a zero, and there is room for what it writes.
    unsafe { libc::fstatat(dir, path.as_ptr(), stat.as_mut_ptr(), libc::AT_SYMLINK_NOFOLLOW) == 0 }
}

/// What a link of /proc/self names.
fn read_link(link: &str) -> Option<String> {
    let link = CString::new(link).ok()?;
    let mut room = [0_u8; 4096];
    // SAFETY: the path ends with a zero, and the room is as long as it is told.
    let len = unsafe { libc::readlink(link.as_ptr(), room.as_mut_ptr().cast(), room.len()) };
    let bytes = room.get(..usize::try_from(len).ok()?)?;
    Some(String::from_utf8_lossy(bytes).trim_end_matches(" (deleted)").to_owned())
}

pub(crate) fn path_of(fd: c_int) -> Option<String> {
    if fd == libc::AT_FDCWD { read_link("/proc/self/cwd") } else { read_link(&format!("/proc/self/fd/{fd}")) }
}
