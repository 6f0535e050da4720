//! The agent's settings: file, then environment, then flags, each over the one before. What leaves here is typed and
//! checked; nobody checks again.
//!
//! `keys` is the table of every key; `load` reads the three sources; `value` turns what was written into typed values.
//! Invariants: loading touches no file but the configuration file itself and opens no connection; an error is one line that
//! names where it stands, the key, the value and what was expected; config/agent.toml holds every key with its default
//! (a test compares).

mod keys;
mod load;
mod value;

use std::path::PathBuf;
use std::time::Duration;

use telltale_sdk::WhenFull;
use tracing::level_filters::LevelFilter;

pub(crate) use load::{ConfigError, Flag, Sources, nearest};

/// `Config::default()` is what an agent without file, variables and flags runs with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Config {
    pub(crate) hub: Hub,
    pub(crate) agent: Agent,
    pub(crate) spool: Spool,
    pub(crate) host: Host,
    pub(crate) stdin: Stdin,
    pub(crate) simulate: Simulate,
    pub(crate) logging: Logging,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hub {
    pub(crate) url: String,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Agent {
    /// None: the host's name.
    pub(crate) id: Option<String>,
    pub(crate) inputs: Vec<InputKind>,
    pub(crate) attributes: Vec<(String, String)>,
    /// After the inputs ended on a signal, for the acks of what was read.
    pub(crate) stop_wait: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputKind {
    Host,
    Stdin,
    Simulate,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spool {
    pub(crate) dir: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) when_full: WhenFull,
    pub(crate) sync_every: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Host {
    pub(crate) every: Duration,
    /// None: the host's name.
    pub(crate) device: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stdin {
    /// After the end of the input, for the acks of what was read.
    pub(crate) wait: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Simulate {
    pub(crate) devices: u32,
    pub(crate) every: Duration,
    pub(crate) prefix: String,
    pub(crate) seed: u64,
    pub(crate) jitter_percent: u32,
    pub(crate) late_percent: u32,
    pub(crate) late_by: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Logging {
    pub(crate) format: LogFormat,
    pub(crate) level: LevelFilter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Human,
    Json,
}

impl Default for Hub {
    fn default() -> Hub {
        Hub { url: "ws://127.0.0.1:8080".to_owned(), token_file: None, ca_file: None }
    }
}

impl Default for Agent {
    fn default() -> Agent {
        Agent { id: None, inputs: vec![InputKind::Host], attributes: Vec::new(), stop_wait: Duration::from_secs(3) }
    }
}

impl Default for Spool {
    fn default() -> Spool {
        let dir = PathBuf::from("./telltale-spool");
        Spool { dir, bytes: 1 << 30, when_full: WhenFull::DropOldest, sync_every: Duration::from_secs(1) }
    }
}

impl Default for Host {
    fn default() -> Host {
        Host { every: Duration::from_secs(1), device: None }
    }
}

impl Default for Stdin {
    fn default() -> Stdin {
        Stdin { wait: Duration::from_secs(60) }
    }
}

impl Default for Simulate {
    fn default() -> Simulate {
        Simulate {
            devices: 20,
            every: Duration::from_secs(1),
            prefix: "sim".to_owned(),
            seed: 1,
            jitter_percent: 10,
            late_percent: 1,
            late_by: Duration::from_secs(30),
        }
    }
}

impl Default for Logging {
    fn default() -> Logging {
        Logging { format: LogFormat::Human, level: LevelFilter::INFO }
    }
}

#[cfg(test)]
mod tests;
