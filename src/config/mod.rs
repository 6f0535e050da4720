//! The hub's settings: file, then environment, then flags, each over the one before. What leaves here is typed and checked;
//! nobody checks again.
//!
//! `keys` is the table of every key; `given` turns what was written into typed values; `rules` are the arrays of tables.
//! Invariants: loading touches no port, and no file but the configuration file itself and, with InfluxDB as the store, those of its
//! token and certificates; an error is one line that names where it stands, the key, the value and what was expected; config/hub.toml
//! holds every key with its default (a test compares).

mod error;
mod given;
mod influx;
mod keys;
mod load;
mod rules;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

pub use crate::auth::origins::PublicUrl;
pub use crate::retention::RetentionRule;
pub use error::ConfigError;
pub use load::{Flag, Sources};
pub use rules::{DeviceRule, Mapping, MetricRules, pattern};

use crate::limits;

/// `Config::default()` is what a hub without file, variables and flags runs with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub listen: Listen,
    pub data: Data,
    pub log: Log,
    pub ingest: Ingest,
    pub limits: Limits,
    pub store: Store,
    /// `[store.influxdb]`; there when `[store] kind` is "influxdb".
    pub influx: Option<Influx>,
    pub http: Http,
    pub logging: Logging,
    /// `[[metric]]`: kind and unit where the sender does not say them; the user's first, then the table that ships.
    pub metrics: MetricRules,
    /// `[[device]]`, in file order: the first that matches a device is used.
    pub devices: Vec<DeviceRule>,
    /// `[[retention]]`, in file order: the first that matches a series holds.
    pub retention: Vec<RetentionRule>,
}

/// Invariant: `address` is loopback, or `tls` is set, or `plaintext` is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Port 0 takes any free port; the bound address is printed.
    pub address: SocketAddr,
    pub tls: Option<TlsFiles>,
    /// The user has said in so many words that an address beyond loopback may be served without TLS.
    pub plaintext: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Config {
    /// As the hub runs with it. Where everything has a bound, the log and a seal have a share of it at most: a seal takes its bytes twice
    /// for a moment, and all of that is to lie within what expiry keeps free.
    #[must_use]
    pub fn fitted(mut self) -> Self {
        let max_bytes = self.store.max_bytes;
        if max_bytes > 0 {
            let share = |bytes: u64, of: u64| bytes.min(max_bytes / of);
            self.log.segment_bytes = share(self.log.segment_bytes, 64);
            self.log.unsealed_bytes = share(self.log.unsealed_bytes, 32);
            self.log.keep_bytes = share(self.log.keep_bytes, 8);
            let head_bytes = share(self.store.head_bytes as u64, 16);
            self.store.head_bytes = usize::try_from(head_bytes).unwrap_or(self.store.head_bytes);
        }
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    pub dir: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How long the writer waits for more batches before it syncs. Zero: commits at once when idle.
    pub commit_delay: Duration,
    /// How much of the log is kept after sealing so that a cursor can resume: whichever bound comes first, 0 = none.
    pub keep_for: Duration,
    pub keep_bytes: u64,
    pub segment_bytes: u64,
    /// The most of the log that is not in the store yet: what a start reads back.
    pub unsealed_bytes: u64,
    /// With InfluxDB as the store: the most of the log that may wait for it.
    pub backlog_bytes: u64,
    /// How long reads are served after a failed sync before the hub ends with 74. None: it stays up, read-only.
    pub poisoned_exit_after: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingest {
    pub frame_bytes: usize,
    pub batch_readings: usize,
    /// `[[ingest.mapping]]`, in file order; the first that matches a measurement is used, none: the contract's default.
    pub mappings: Vec<Mapping>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub series_per_token: usize,
    pub series_per_hub: usize,
    pub name_bytes: usize,
    pub labels: usize,
    pub label_value_bytes: usize,
    pub text_bytes: usize,
    pub history_points: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    pub kind: StoreKind,
    /// Memory for readings that are not in the store yet: half for those that come, half for those that are being sealed.
    pub head_bytes: usize,
    /// What everything in the data directory may take. 0: no bound.
    pub max_bytes: u64,
    /// Memory for chunks that were read.
    pub cache_bytes: usize,
    /// What is left free on the disk: readings are refused before a write could fail.
    pub reserve_bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreKind {
    #[default]
    Embedded,
    Influx,
}

impl StoreKind {
    /// As settings and flags say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Influx => "influxdb",
        }
    }
}

/// The same hub with either kind of store.
#[derive(Clone, Debug, PartialEq)]
pub struct Both {
    pub embedded: Config,
    pub influx: Config,
}

impl Both {
    #[must_use]
    pub fn of(&self, kind: StoreKind) -> &Config {
        match kind {
            StoreKind::Embedded => &self.embedded,
            StoreKind::Influx => &self.influx,
        }
    }
}

/// Where InfluxDB 2 is. Debug does not show the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Influx {
    /// http or https, host, perhaps a port; no path.
    pub url: url::Url,
    pub org: String,
    pub bucket: String,
    pub token: String,
    /// Certificates (PEM) that are trusted beside the system's.
    pub ca: Option<Vec<u8>>,
    /// For one request to be answered.
    pub timeout: Duration,
    /// `[log] backlog_bytes`: the most of the log that may wait for InfluxDB.
    pub backlog_bytes: u64,
}

impl std::fmt::Debug for Influx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, org, bucket, timeout, backlog_bytes, token: _, ca: _ } = self;
        let mut shown = f.debug_struct("Influx");
        shown.field("url", &url.as_str()).field("org", org).field("bucket", bucket).field("timeout", timeout);
        shown.field("backlog_bytes", backlog_bytes).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// Where browsers reach the hub. Empty: the listen address, 127.0.0.1, [::1] and localhost with its port.
    pub public_urls: Vec<PublicUrl>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logging {
    pub format: LogFormat,
    pub level: LevelFilter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    Json,
}

impl Default for Listen {
    fn default() -> Self {
        Self { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080), tls: None, plaintext: false }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: PathBuf::from("./telltale-data") }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            commit_delay: Duration::ZERO,
            keep_for: Duration::from_secs(2 * 3600),
            keep_bytes: 256 << 20,
            segment_bytes: 64 << 20,
            unsealed_bytes: 64 << 20,
            backlog_bytes: 4 << 30,
            poisoned_exit_after: Some(Duration::from_secs(60)),
        }
    }
}

impl Default for Ingest {
    fn default() -> Self {
        Self { frame_bytes: limits::FRAME_BYTES, batch_readings: limits::BATCH_READINGS, mappings: Vec::new() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            series_per_token: limits::SERIES_PER_TOKEN,
            series_per_hub: limits::SERIES_PER_HUB,
            name_bytes: limits::NAME_BYTES,
            labels: limits::LABELS,
            label_value_bytes: limits::LABEL_VALUE_BYTES,
            text_bytes: limits::TEXT_BYTES,
            history_points: limits::HISTORY_POINTS,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { kind: StoreKind::Embedded, head_bytes: 128 << 20, max_bytes: 0, cache_bytes: 32 << 20, reserve_bytes: 64 << 20 }
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self { format: LogFormat::Human, level: LevelFilter::INFO }
    }
}

#[cfg(test)]
mod tests;
