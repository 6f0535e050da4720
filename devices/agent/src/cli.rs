//! The command line: what is given becomes flags of the configuration. Only this module prints; everything else logs.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::EXIT_CONFIG;
use crate::config::{Config, ConfigError, Flag, LogFormat, Logging, Sources};

/// Brings readings to a Telltale hub and loses none on the way.
#[derive(Debug, Parser)]
#[command(name = "telltale-agent", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read the inputs that the settings name (by default this machine) and send them
    Run(Common),
    /// Read JSON lines from standard input, send them, wait for the acks and end
    Stdin(Common),
    /// Make up devices and send their readings
    Simulate {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        simulate: SimulateArgs,
    },
    /// Test the settings and the connection to the hub
    Check(Common),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// The file with the settings; config/agent.toml shows them all
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the hub is, ws://HOST:PORT or wss://HOST:PORT
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A file with the token alone
    #[arg(long, value_name = "FILE")]
    token_file: Option<String>,
    /// A PEM file with the certificates to trust instead of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<String>,
    /// The directory where readings wait for the hub
    #[arg(long, value_name = "DIR")]
    spool: Option<String>,
    /// The name of this agent
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
    /// The least level that is logged
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// How the log is written: human or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SimulateArgs {
    /// How many devices
    #[arg(long, value_name = "N")]
    devices: Option<String>,
    /// How often each is measured
    #[arg(long, value_name = "DURATION")]
    every: Option<String>,
    /// What their names begin with
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// The same seed gives the same values
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// How far times stray, in percent of the interval
    #[arg(long, value_name = "PERCENT")]
    jitter: Option<String>,
    /// How many measurements come late, in percent
    #[arg(long, value_name = "PERCENT")]
    late: Option<String>,
    /// How late they come
    #[arg(long, value_name = "DURATION")]
    late_by: Option<String>,
}

/// The command, or the code to end with: after `--help`, or after a complaint.
pub(crate) fn parse() -> Result<Command, ExitCode> {
    Cli::try_parse().map(|cli| cli.command).map_err(|error| {
        let code = if error.use_stderr() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::SUCCESS };
        // A closed stdout is no reason to complain.
        drop(error.print());
        code
    })
}

impl Command {
    /// The settings from file, environment and flags. The short commands have inputs, spool and name of their own, so that
    /// they can run beside an agent.
    pub(crate) fn load(&self) -> Result<Config, ConfigError> {
        let common = self.common();
        let mut flags = common.flags();
        if let Command::Simulate { simulate, .. } = self {
            flags.extend(simulate.flags());
        }
        if let Some(input) = self.input() {
            flags.push(Flag { flag: input, section: "agent", key: "inputs", value: input.to_owned() });
        }
        let sources = Sources { file: common.config.clone(), variables: std::env::vars_os().collect(), flags };
        let mut config = Config::load(&sources)?;
        if let Some(input) = self.input() {
            let default = Config::default();
            if config.spool.dir == default.spool.dir {
                config.spool.dir = PathBuf::from(format!("{}-{input}", default.spool.dir.display()));
            }
            if config.agent.id.is_none() {
                config.agent.id = Some(format!("{}-{input}", crate::inputs::host::host_name()));
            }
        }
        Ok(config)
    }

    fn common(&self) -> &Common {
        match self {
            Command::Run(common) | Command::Stdin(common) | Command::Check(common) | Command::Simulate { common, .. } => common,
        }
    }

    /// The input that a short command stands for.
    fn input(&self) -> Option<&'static str> {
        match self {
            Command::Run(_) | Command::Check(_) => None,
            Command::Stdin(_) => Some("stdin"),
            Command::Simulate { .. } => Some("simulate"),
        }
    }
}

impl Common {
    fn flags(&self) -> Vec<Flag> {
        flags([
            ("--url", "hub", "url", &self.url),
            ("--token-file", "hub", "token_file", &self.token_file),
            ("--ca-file", "hub", "ca_file", &self.ca_file),
            ("--spool", "spool", "dir", &self.spool),
            ("--agent-id", "agent", "id", &self.agent_id),
            ("--log", "logging", "level", &self.log),
            ("--log-format", "logging", "format", &self.log_format),
        ])
    }
}

impl SimulateArgs {
    fn flags(&self) -> Vec<Flag> {
        flags([
            ("--devices", "simulate", "devices", &self.devices),
            ("--every", "simulate", "every", &self.every),
            ("--prefix", "simulate", "prefix", &self.prefix),
            ("--seed", "simulate", "seed", &self.seed),
            ("--jitter", "simulate", "jitter_percent", &self.jitter),
            ("--late", "simulate", "late_percent", &self.late),
            ("--late-by", "simulate", "late_by", &self.late_by),
        ])
    }
}

fn flags<const N: usize>(given: [(&'static str, &'static str, &'static str, &Option<String>); N]) -> Vec<Flag> {
    let flag = |(flag, section, key, value): (_, _, _, &Option<String>)| value.clone().map(|value| Flag { flag, section, key, value });
    given.into_iter().filter_map(flag).collect()
}

/// The log goes to stderr: of this program from the level on, of its libraries warnings alone.
pub(crate) fn start_log(logging: &Logging) {
    let level = logging.level;
    let libraries = level.min(LevelFilter::WARN);
    let filter = EnvFilter::new(format!("{libraries},telltale_agent={level},telltale_sdk={level}"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    match logging.format {
        LogFormat::Human => log.with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
}

/// A line on stdout. That nobody reads it is no error.
pub(crate) fn say(line: &str) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

/// A line on stderr, before there is a log or where the log is not meant.
pub(crate) fn complain(error: &impl Display) {
    drop(writeln!(std::io::stderr(), "telltale-agent: {error}"));
}
