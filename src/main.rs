//! `telltale`: the hub and its commands.
#![allow(unsafe_code, reason = "an option of the allocator is set by a C function")]

/// What comes in on one thread is let go of on another, in pieces of a few dozen bytes: the allocator of glibc takes more CPU for that,
/// and keeps more of what was let go of (figures in ARCHITECTURE.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2 (`mimalloc.h`), which the crate does not name.
const PURGE_DELAY: i32 = 15;

fn main() -> std::process::ExitCode {
    // SAFETY: the number is that of an option that exists, and no other thread runs yet.
    // What is free goes back to the system at once: on a busy hub a delay of 10 ms never ends, and 50 MiB more stay at a million series.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) };
    telltale::cli::run(std::env::args_os())
}
