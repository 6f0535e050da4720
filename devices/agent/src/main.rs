//! The gateway program: reads this machine, standard input or made-up devices, and brings the readings to a hub.
//!
//! | module | holds |
//! |---|---|
//! | `cli` | the command line |
//! | `config` | the settings: file, variables, flags |
//! | `inputs` | what is read; one file an input |
//! | `lines` | one line of JSON -> readings |
//! | `run` | the agent's life: client, inputs, signals, end |
//! | `check` | does the configuration work? |
//!
//! What an input reads goes to the spool of `telltale-sdk`, which does the rest.

mod check;
mod cli;
mod config;
mod inputs;
mod lines;
mod run;

use std::process::ExitCode;

use cli::Command;

/// Wrong settings or a wrong command line.
const EXIT_CONFIG: u8 = 64;

fn main() -> ExitCode {
    let command = match cli::parse() {
        Ok(command) => command,
        Err(code) => return code,
    };
    let config = match command.load() {
        Ok(config) => config,
        Err(error) => {
            cli::complain(&error);
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    cli::start_log(&config.logging);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    let code = match command {
        Command::Run(_) | Command::Stdin(_) | Command::Simulate { .. } => runtime.block_on(run::run(config)),
        Command::Check(_) => runtime.block_on(check::check(&config)),
    };
    // A read of standard input that is under way cannot be ended, and must not be waited for.
    runtime.shutdown_background();
    code
}
