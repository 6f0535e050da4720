//! The table of every key. File, environment, error messages and the test of config/hub.toml all read this one table.

use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::given::Given;
use super::{Config, LogFormat, PublicUrl, StoreKind};

/// The settings while they are read; `load` checks what holds between keys and gives the [`Config`].
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) config: Config,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) influx: InfluxDraft,
}

/// `[store.influxdb]` while it is read.
#[derive(Debug, Default)]
pub(super) struct InfluxDraft {
    pub(super) url: Option<url::Url>,
    pub(super) org: Option<String>,
    pub(super) bucket: Option<String>,
    pub(super) token: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) timeout: Option<Duration>,
}

/// A text that is not empty; an empty one means "none".
fn word(given: &Given) -> Option<Option<String>> {
    given.text().map(|text| (!text.is_empty()).then(|| text.to_owned()))
}

/// The address of a server without a path: the client drops it.
fn server(text: &str) -> Option<url::Url> {
    let url = url::Url::parse(text).ok()?;
    let is_plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain).then_some(url)
}

pub(super) struct Key {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    /// What a good value looks like; completes "expected ...".
    pub(super) expected: &'static str,
    /// Stores the value in the draft. None: it is not what is expected.
    pub(super) take: fn(&mut Draft, &Given) -> Option<()>,
}

fn put<T>(slot: &mut T, value: T) -> Option<()> {
    *slot = value;
    Some(())
}

/// What has to be written to serve beyond loopback without TLS.
pub(super) const PLAINTEXT_WORDS: &str = "i-understand";

const DURATION: &str = "a duration with its unit, such as \"500ms\", \"90s\", \"10m\", \"2h\" or \"30d\"";

pub(super) const KEYS: &[Key] = &[
    Key {
        section: "listen",
        name: "address",
        expected: "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"",
        take: |d, given| put(&mut d.config.listen.address, given.text()?.parse().ok()?),
    },
    Key {
        section: "listen",
        name: "tls_cert",
        expected: "the path of a PEM file with the certificate chain, as text",
        take: |d, given| put(&mut d.tls_cert, given.path()?),
    },
    Key {
        section: "listen",
        name: "tls_key",
        expected: "the path of a PEM file with the private key, as text",
        take: |d, given| put(&mut d.tls_key, given.path()?),
    },
    Key {
        section: "listen",
        name: "plaintext",
        expected: "\"i-understand\", or \"\" for never beyond loopback",
        take: |d, given| {
            let words = given.text()?;
            d.config.listen.plaintext = words == PLAINTEXT_WORDS;
            (words.is_empty() || words == PLAINTEXT_WORDS).then_some(())
        },
    },
    Key {
        section: "data",
        name: "dir",
        expected: "the path of a directory, as text",
        take: |d, given| put(&mut d.config.data.dir, given.path()??),
    },
    Key {
        section: "log",
        name: "commit_delay_ms",
        expected: "a whole number of milliseconds from 0 to 10000",
        take: |d, given| {
            let ms = given.integer().filter(|ms| *ms <= 10_000)?;
            put(&mut d.config.log.commit_delay, Duration::from_millis(ms))
        },
    },
    Key { section: "log", name: "keep_for", expected: DURATION, take: |d, given| put(&mut d.config.log.keep_for, given.duration()?) },
    Key {
        section: "log",
        name: "keep_bytes",
        expected: "a size with its unit, such as \"256MiB\", or 0 for none",
        take: |d, given| put(&mut d.config.log.keep_bytes, given.bytes()?),
    },
    Key {
        section: "log",
        name: "segment_bytes",
        expected: "a size from \"1MiB\" to \"4GiB\"",
        take: |d, given| put(&mut d.config.log.segment_bytes, given.bytes_within(1 << 20, 4 << 30)?),
    },
    Key {
        section: "log",
        name: "unsealed_bytes",
        expected: "a size from \"64KiB\" to \"64GiB\"",
        take: |d, given| put(&mut d.config.log.unsealed_bytes, given.bytes_within(64 << 10, 64 << 30)?),
    },
    Key {
        section: "log",
        name: "backlog_bytes",
        expected: "a size from \"1MiB\" to \"1TiB\"",
        take: |d, given| put(&mut d.config.log.backlog_bytes, given.bytes_within(1 << 20, 1 << 40)?),
    },
    Key {
        section: "log",
        name: "poisoned_exit_after",
        expected: "a duration with its unit, such as \"60s\", or 0 to stay up",
        take: |d, given| {
            let after = given.duration()?;
            put(&mut d.config.log.poisoned_exit_after, (!after.is_zero()).then_some(after))
        },
    },
    Key {
        section: "ingest",
        name: "frame_bytes",
        expected: "a size from \"1KiB\" to \"64MiB\"",
        take: |d, given| put(&mut d.config.ingest.frame_bytes, usize::try_from(given.bytes_within(1 << 10, 64 << 20)?).ok()?),
    },
    Key {
        section: "ingest",
        name: "batch_readings",
        expected: "a whole number from 1 to 200000",
        take: |d, given| put(&mut d.config.ingest.batch_readings, given.count(1, 200_000)?),
    },
    Key {
        section: "limits",
        name: "series_per_token",
        expected: "a whole number from 1 to 10000000",
        take: |d, given| put(&mut d.config.limits.series_per_token, given.count(1, 10_000_000)?),
    },
    Key {
        section: "limits",
        name: "series_per_hub",
        expected: "a whole number from 1 to 10000000",
        take: |d, given| put(&mut d.config.limits.series_per_hub, given.count(1, 10_000_000)?),
    },
    Key {
        section: "limits",
        name: "name_bytes",
        expected: "a whole number of bytes from 16 to 4096",
        take: |d, given| put(&mut d.config.limits.name_bytes, given.count(16, 4096)?),
    },
    Key {
        section: "limits",
        name: "labels",
        expected: "a whole number from 0 to 256",
        take: |d, given| put(&mut d.config.limits.labels, given.count(0, 256)?),
    },
    Key {
        section: "limits",
        name: "label_value_bytes",
        expected: "a whole number of bytes from 16 to 16384",
        take: |d, given| put(&mut d.config.limits.label_value_bytes, given.count(16, 16_384)?),
    },
    Key {
        section: "limits",
        name: "text_bytes",
        expected: "a size from \"64B\" to \"1MiB\"",
        take: |d, given| put(&mut d.config.limits.text_bytes, usize::try_from(given.bytes_within(64, 1 << 20)?).ok()?),
    },
    Key {
        section: "limits",
        name: "history_points",
        expected: "a whole number from 1000 to 1000000000",
        take: |d, given| put(&mut d.config.limits.history_points, given.count(1000, 1_000_000_000)?),
    },
    Key {
        section: "store",
        name: "kind",
        expected: if cfg!(feature = "influxdb") {
            "\"embedded\" or \"influxdb\""
        } else {
            "\"embedded\" (this build leaves out InfluxDB: build it with the cargo feature \"influxdb\")"
        },
        take: |d, given| {
            d.config.store.kind = match given.text()? {
                "embedded" => StoreKind::Embedded,
                "influxdb" if cfg!(feature = "influxdb") => StoreKind::Influx,
                _ => return None,
            };
            Some(())
        },
    },
    Key {
        section: "store",
        name: "head_bytes",
        expected: "a size from \"8MiB\" to \"64GiB\"",
        take: |d, given| put(&mut d.config.store.head_bytes, usize::try_from(given.bytes_within(8 << 20, 64 << 30)?).ok()?),
    },
    Key {
        section: "store",
        name: "max_bytes",
        expected: "a size from \"64MiB\", such as \"2GiB\", or 0 for no bound",
        take: |d, given| put(&mut d.config.store.max_bytes, given.bytes().filter(|bytes| *bytes == 0 || *bytes >= 64 << 20)?),
    },
    Key {
        section: "store",
        name: "cache_bytes",
        expected: "a size with its unit, such as \"32MiB\", or 0 for none",
        take: |d, given| put(&mut d.config.store.cache_bytes, usize::try_from(given.bytes()?).ok()?),
    },
    Key {
        section: "store",
        name: "reserve_bytes",
        expected: "a size with its unit, such as \"64MiB\", or 0 for none",
        take: |d, given| put(&mut d.config.store.reserve_bytes, given.bytes()?),
    },
    Key {
        section: "store.influxdb",
        name: "url",
        expected: "the address of an InfluxDB 2 server, such as \"http://127.0.0.1:8086\", without a path",
        take: |d, given| {
            let text = given.text()?;
            put(&mut d.influx.url, if text.is_empty() { None } else { Some(server(text)?) })
        },
    },
    Key {
        section: "store.influxdb",
        name: "org",
        expected: "the name of an organisation, as text",
        take: |d, given| put(&mut d.influx.org, word(given)?),
    },
    Key {
        section: "store.influxdb",
        name: "bucket",
        expected: "the name of a bucket, as text",
        take: |d, given| put(&mut d.influx.bucket, word(given)?),
    },
    Key {
        section: "store.influxdb",
        name: "token",
        expected: "an API token of InfluxDB, as text",
        take: |d, given| put(&mut d.influx.token, word(given)?),
    },
    Key {
        section: "store.influxdb",
        name: "token_file",
        expected: "the path of a file that holds the token, as text",
        take: |d, given| put(&mut d.influx.token_file, given.path()?),
    },
    Key {
        section: "store.influxdb",
        name: "ca_file",
        expected: "the path of a file of certificates (PEM), as text",
        take: |d, given| put(&mut d.influx.ca_file, given.path()?),
    },
    Key {
        section: "store.influxdb",
        name: "timeout",
        expected: "a duration from \"1s\" to \"10m\"",
        take: |d, given| {
            let timeout = given.duration().filter(|timeout| (1..=600).contains(&timeout.as_secs()))?;
            put(&mut d.influx.timeout, Some(timeout))
        },
    },
    Key {
        section: "http",
        name: "public_urls",
        expected: "a list of addresses such as [\"https://hub.example\"]: scheme http or https, host, perhaps a port, no path",
        take: |d, given| {
            let urls = given.list()?.into_iter().map(PublicUrl::parse).collect::<Option<Vec<_>>>()?;
            put(&mut d.config.http.public_urls, urls)
        },
    },
    Key {
        section: "logging",
        name: "format",
        expected: "\"human\" or \"json\"",
        take: |d, given| {
            d.config.logging.format = match given.text()? {
                "human" => LogFormat::Human,
                "json" => LogFormat::Json,
                _ => return None,
            };
            Some(())
        },
    },
    Key {
        section: "logging",
        name: "level",
        expected: "one of \"error\", \"warn\", \"info\", \"debug\", \"trace\"",
        take: |d, given| {
            d.config.logging.level = match given.text()? {
                "error" => LevelFilter::ERROR,
                "warn" => LevelFilter::WARN,
                "info" => LevelFilter::INFO,
                "debug" => LevelFilter::DEBUG,
                "trace" => LevelFilter::TRACE,
                _ => return None,
            };
            Some(())
        },
    },
];

pub(super) fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// Every section once, in the order of the table.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    KEYS.iter().enumerate().filter(|(i, key)| *i == 0 || KEYS[i - 1].section != key.section).map(|(_, key)| key.section)
}

/// `TELLTALE_LOG__KEEP_FOR`
pub(super) fn variable_name(key: &Key) -> String {
    format!("TELLTALE_{}__{}", key.section.replace('.', "__"), key.name).to_ascii_uppercase()
}
