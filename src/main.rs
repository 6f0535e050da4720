//! `telltale`: the hub and its commands.

fn main() -> std::process::ExitCode {
    telltale::cli::run(std::env::args_os())
}
