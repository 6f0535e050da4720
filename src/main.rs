//! `telltale`: the hub and its commands.

/// What comes in on one thread is let go of on another, in pieces of a few dozen bytes: with many series the allocator of glibc takes
/// more CPU for that, and keeps more of what was let go of (figures in ARCHITECTURE.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    telltale::cli::run(std::env::args_os())
}
