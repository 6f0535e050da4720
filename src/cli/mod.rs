//! The commands. `serve` is the hub; `token` writes the catalog itself; every other asks the running hub over `DATA/hub.sock`.
//!
//! stdout is for what was asked for and nothing else; messages and the log go to stderr. The only place that prints.

mod backup;
mod check;
mod client;
mod delete;
mod export;
mod import;
mod login;
#[cfg(feature = "influxdb")]
mod migrate;
mod offline;
mod openapi;
mod owner;
mod restore;
mod series;
mod serve;
mod stats;
mod status;
mod task;
mod token;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Flag, Sources};

/// How a command ends: part of the contract, since supervisors and scripts go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Failed = 1,
    /// Configuration or usage; nothing was touched.
    Configuration = 64,
    /// The commit log is poisoned; starting again reads the disk.
    Poisoned = 74,
    DirectoryInUse = 75,
    NewerFormat = 78,
}

/// One line for the user, and the code to end with.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
}

impl Failure {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// What was refused here, told as a hub would.
    fn refused(error: &crate::http::error::ApiError) -> Self {
        let hint = error.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"));
        Self::new(Exit::Failed, format!("{}{hint}", error.message))
    }

    /// A failed command, with the causes of its error.
    fn of(error: &dyn std::error::Error) -> Self {
        Self::new(Exit::Failed, crate::logging::chain(error))
    }
}

/// An IoT telemetry hub: takes readings from agents, keeps them, shows them live.
#[derive(Debug, Parser)]
#[command(name = "telltale", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub
    Serve(serve::Serve),
    /// Make, list and revoke tokens
    #[command(subcommand)]
    Token(token::Token),
    /// Print a link that logs a browser in, once, within 15 minutes
    Login(login::Login),
    /// Show how the running hub is
    Status(status::Status),
    /// Delete readings of a range; first shows how many
    Delete(delete::Delete),
    /// Write every reading of a selection to a file, as CSV, NDJSON, line protocol or Parquet
    Export(export::Export),
    /// Take what an export wrote; readings that are there already are passed over
    Import(import::Import),
    /// Ask about series
    #[command(subcommand)]
    Series(series::Series),
    /// Show what takes the room: days, kinds and series
    Stats(stats::Stats),
    /// Read everything that is stored and name what is damaged (exit code 1); with or without a running hub
    Check(check::Check),
    /// Copy everything that is stored into a directory, beside the running hub; again: only what changed
    Backup(backup::Backup),
    /// Make a data directory from a backup: --data-dir is empty, or not there yet
    Restore(restore::Restore),
    /// Print the OpenAPI document of the REST interface, for whoever makes a client of it
    #[command(name = "openapi")]
    OpenApi,
    /// Copy history from one kind of store to the other and switch over; goes on where it was cut off
    #[cfg(feature = "influxdb")]
    Migrate(migrate::Migrate),
}

/// Where the hub's data is; the same three ways for every command.
#[derive(Args, Debug)]
struct Place {
    /// The configuration file [default: none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory [default: ./telltale-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

impl Place {
    fn config(&self, more: impl IntoIterator<Item = Flag>) -> Result<Config, Failure> {
        Config::load(&self.sources(more)).map_err(|error| Failure::new(Exit::Configuration, error.to_string()))
    }

    fn sources(&self, more: impl IntoIterator<Item = Flag>) -> Sources {
        let dir = self.data_dir.clone().map(|value| Flag { flag: "--data-dir", section: "data", key: "dir", value });
        Sources { file: self.config.clone(), variables: std::env::vars_os().collect(), flags: dir.into_iter().chain(more).collect() }
    }

    /// The data directory, if the user of this command may work in it.
    fn data_dir(&self) -> Result<PathBuf, Failure> {
        let dir = self.config([])?.data.dir;
        owner::check(&dir)?;
        Ok(dir)
    }
}

/// The program, from its arguments to its exit code.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let done = match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::Token(token) => token.run(),
        Command::Login(login) => login.run(),
        Command::Status(status) => status.run(),
        Command::Delete(delete) => delete.run(),
        Command::Export(export) => export.run(),
        Command::Import(import) => import.run(),
        Command::Series(series) => series.run(),
        Command::Stats(stats) => stats.run(),
        Command::Check(check) => check.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::OpenApi => openapi::run(),
        #[cfg(feature = "influxdb")]
        Command::Migrate(migrate) => migrate.run(),
    };
    ExitCode::from(code(done))
}

/// The exit code of a command, once it was said why it failed.
fn code(done: Result<(), Failure>) -> u8 {
    let Err(failure) = done else { return 0 };
    // Nothing is left to say where even stderr is gone.
    drop(writeln!(io::stderr(), "telltale: {failure}"));
    failure.exit as u8
}

/// Ends the program here and now, whatever still runs in it.
fn leave(done: Result<(), Failure>) -> ! {
    std::process::exit(code(done).into())
}

/// A line on stdout. A reader that has seen enough (`| head`) is no failure.
fn print(line: impl std::fmt::Display) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(Exit::Failed, format!("stdout: {error}"))),
        _ => Ok(()),
    }
}

/// Help and version are no mistakes and go to stdout; a mistake has the code of a bad setting.
fn usage(error: &clap::Error) -> ExitCode {
    // Nothing is left to say where even the message cannot be printed.
    drop(error.print());
    if error.use_stderr() { ExitCode::from(Exit::Configuration as u8) } else { ExitCode::SUCCESS }
}
