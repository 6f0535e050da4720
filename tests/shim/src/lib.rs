#![expect(unsafe_code, reason = "it stands before libc's symbols; nothing of it is in the programs")]
//! Preloaded into a real hub by the tests of power cuts. It sees every call that changes files below `TELLTALE_SHIM_DIR`, and:
//!
//! - `TELLTALE_SHIM_RECORD=path` appends each of them to a record (`event.rs`);
//! - `TELLTALE_SHIM_FAIL=nth=123,op=fdatasync,errno=EIO` makes one fail (`plan.rs`);
//! - `TELLTALE_SHIM_SKIP=fdatasync` leaves such syncs out and claims success (`plan.rs`);
//! - `TELLTALE_SHIM_SLOW=fdatasync@store/2*=60` has such syncs take so many seconds more (`plan.rs`);
//! - `TELLTALE_SHIM_COUNTS=path` has the calls by kind when the program has ended.
//!
//! `sync_file_range` promises nothing about a power cut, so it is none of the calls. A memory map is not seen: SQLite's -shm is
//! made anew at every start, and nothing else is mapped for writing.

mod event;
mod plan;
mod raw;
mod shim;

use std::ffi::CStr;
use std::sync::OnceLock;

use libc::{AT_FDCWD, c_char, c_int, c_long, c_uint, c_void, iovec, mode_t, off_t, size_t, ssize_t};

use plan::{Op, Plan, Slow};
use shim::Shim;

static SHIM: OnceLock<Shim> = OnceLock::new();

/// What the environment asks for. Without a directory nothing lies below it.
fn shim() -> &'static Shim {
    SHIM.get_or_init(|| {
        let variable = |name: &str| std::env::var(format!("TELLTALE_SHIM_{name}")).ok();
        if variable("COUNTS").is_some() {
            // SAFETY: a plain function, registered once; the library is never unloaded.
            unsafe { libc::atexit(write_counts) };
        }
        let dir = variable("DIR").unwrap_or_else(|| "/dev/null".to_owned());
        // A mistake in it must not look like a test that passed.
        let slow = variable("SLOW").map(|text| Slow::parse(&text).unwrap_or_else(|| panic!("TELLTALE_SHIM_SLOW={text}")));
        let plan = Plan::new(variable("FAIL").as_deref(), variable("SKIP").as_deref());
        Shim::new(&dir, variable("RECORD").as_deref(), plan, slow)
    })
}

extern "C" fn write_counts() {
    let path = std::env::var("TELLTALE_SHIM_COUNTS").ok().and_then(|path| std::ffi::CString::new(path).ok());
    let Some(path) = path else { return };
    let report = shim().state().plan.report();
    let fd = raw::openat(AT_FDCWD, &path, libc::O_CREAT | libc::O_TRUNC | libc::O_WRONLY, 0o600);
    if let Ok(fd) = c_int::try_from(fd) {
        raw::write(fd, report.as_bytes());
    }
}

fn int(result: c_long) -> c_int {
    c_int::try_from(result).unwrap_or(-1)
}

fn size(result: c_long) -> ssize_t {
    ssize_t::try_from(result).unwrap_or(-1)
}

/// # Safety
/// A C string, as every caller of these functions must give.
unsafe fn text<'a>(path: *const c_char) -> &'a CStr {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(path) }
}

/// # Safety
/// `len` readable bytes, as every caller of `write` must give.
unsafe fn buffer<'a>(bytes: *const c_void, len: size_t) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(bytes.cast(), len) }
}

/// The pieces as one: what they write is the same.
///
/// # Safety
/// `count` pieces of readable bytes, as every caller of `writev` must give.
unsafe fn gather(pieces: *const iovec, count: c_int) -> Vec<u8> {
    // SAFETY: the caller's promise.
    let pieces = unsafe { std::slice::from_raw_parts(pieces, usize::try_from(count).unwrap_or(0)) };
    // SAFETY: the caller's promise, for each piece.
    pieces.iter().flat_map(|piece| unsafe { buffer(piece.iov_base, piece.iov_len) }).copied().collect()
}

/// The exported symbols: each takes what libc's function of the name takes, and hands it on. `open` is variadic in C; on the platforms
/// of Linux that the tests run on its third argument comes where a third argument always comes, and is not looked at without O_CREAT.
macro_rules! stands_for {
    ($(fn [$($name:ident),+] $arguments:tt -> $result:ty $body:block)*) => { $($(
        /// # Safety
        /// As libc's function of the name.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        pub unsafe extern "C" fn $name $arguments -> $result {
            // SAFETY: every caller keeps the promises of libc's function, which are all that the body asks for.
            #[allow(unused_unsafe, clippy::allow_attributes, reason = "some take numbers alone")]
            unsafe { $body }
        }
    )+)* };
}

stands_for! {
    fn [open, open64] (path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        int(shim().open(AT_FDCWD, text(path), flags, mode))
    }
    fn [openat, openat64] (dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        int(shim().open(dir, text(path), flags, mode))
    }
    fn [creat, creat64] (path: *const c_char, mode: mode_t) -> c_int {
        int(shim().open(AT_FDCWD, text(path), libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, mode))
    }
    fn [write] (fd: c_int, bytes: *const c_void, len: size_t) -> ssize_t {
        size(shim().write(fd, buffer(bytes, len), None))
    }
    fn [pwrite, pwrite64] (fd: c_int, bytes: *const c_void, len: size_t, offset: off_t) -> ssize_t {
        size(shim().write(fd, buffer(bytes, len), Some(offset)))
    }
    fn [writev] (fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
        size(shim().write(fd, &gather(pieces, count), None))
    }
    fn [pwritev, pwritev64] (fd: c_int, pieces: *const iovec, count: c_int, offset: off_t) -> ssize_t {
        size(shim().write(fd, &gather(pieces, count), Some(offset)))
    }
    fn [ftruncate, ftruncate64] (fd: c_int, len: off_t) -> c_int {
        int(shim().truncate(fd, len))
    }
    fn [fallocate, fallocate64] (fd: c_int, mode: c_int, offset: off_t, len: off_t) -> c_int {
        int(shim().allocate(fd, mode, offset, len))
    }
    fn [posix_fallocate, posix_fallocate64] (fd: c_int, offset: off_t, len: off_t) -> c_int {
        if shim().allocate(fd, 0, offset, len) < 0 { raw::errno() } else { 0 }
    }
    fn [fsync] (fd: c_int) -> c_int {
        int(shim().sync(Op::Fsync, fd))
    }
    fn [fdatasync] (fd: c_int) -> c_int {
        int(shim().sync(Op::Fdatasync, fd))
    }
    fn [rename] (from: *const c_char, to: *const c_char) -> c_int {
        int(shim().rename((AT_FDCWD, text(from)), (AT_FDCWD, text(to)), 0))
    }
    fn [renameat] (from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char) -> c_int {
        int(shim().rename((from_dir, text(from)), (to_dir, text(to)), 0))
    }
    fn [renameat2] (from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_uint) -> c_int {
        int(shim().rename((from_dir, text(from)), (to_dir, text(to)), flags))
    }
    fn [unlink] (path: *const c_char) -> c_int {
        int(shim().unlink(AT_FDCWD, text(path), 0))
    }
    fn [unlinkat] (dir: c_int, path: *const c_char, flags: c_int) -> c_int {
        int(shim().unlink(dir, text(path), flags))
    }
    fn [rmdir] (path: *const c_char) -> c_int {
        int(shim().unlink(AT_FDCWD, text(path), libc::AT_REMOVEDIR))
    }
    fn [mkdir] (path: *const c_char, mode: mode_t) -> c_int {
        int(shim().mkdir(AT_FDCWD, text(path), mode))
    }
    fn [mkdirat] (dir: c_int, path: *const c_char, mode: mode_t) -> c_int {
        int(shim().mkdir(dir, text(path), mode))
    }
    fn [link] (from: *const c_char, to: *const c_char) -> c_int {
        int(shim().link((AT_FDCWD, text(from)), (AT_FDCWD, text(to)), 0))
    }
    fn [linkat] (from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_int) -> c_int {
        int(shim().link((from_dir, text(from)), (to_dir, text(to)), flags))
    }
}
