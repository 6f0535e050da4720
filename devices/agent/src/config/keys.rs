//! The table of every key. File, environment, error messages and the test of config/agent.toml all read this one table.

use std::time::Duration;

use telltale_sdk::{SPOOL_BYTES_MIN, WhenFull};
use tracing::level_filters::LevelFilter;

use super::value::Written;
use super::{Config, InputKind, LogFormat};

pub(super) struct Key {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    /// What a good value looks like; completes "expected ...".
    pub(super) expected: &'static str,
    /// Stores the value. None: it is not what is expected.
    pub(super) take: fn(&mut Config, &Written) -> Option<()>,
}

const INPUTS: [(&str, InputKind); 3] = [("host", InputKind::Host), ("stdin", InputKind::Stdin), ("simulate", InputKind::Simulate)];

const DURATION: &str = "a duration with its unit, such as \"500ms\", \"90s\", \"10m\" or \"2h\"";
const FILE: &str = "the path of a file, as text, or \"\" for none";
/// Faster than this, an input would measure itself.
const EVERY_MIN: Duration = Duration::from_millis(100);
const EVERY: &str = "a duration of at least \"100ms\", such as \"1s\"";

pub(super) const KEYS: &[Key] = &[
    Key {
        section: "hub",
        name: "url",
        expected: "ws://HOST:PORT or wss://HOST:PORT, as text",
        take: |config, written| {
            let url = written.text()?;
            let known = ["ws://", "wss://", "http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
            known.then(|| url.clone_into(&mut config.hub.url))
        },
    },
    Key { section: "hub", name: "token_file", expected: FILE, take: |c, written| put(&mut c.hub.token_file, written.optional_path()?) },
    Key { section: "hub", name: "ca_file", expected: FILE, take: |c, written| put(&mut c.hub.ca_file, written.optional_path()?) },
    Key {
        section: "agent",
        name: "id",
        expected: "a name of at most 200 bytes, as text, or \"\" for the host's name",
        take: |c, written| put(&mut c.agent.id, written.optional_text().filter(|id| id.as_ref().is_none_or(|id| id.len() <= 200))?),
    },
    Key { section: "agent", name: "inputs", expected: "a list of \"host\", \"stdin\" and \"simulate\"", take: take_inputs },
    Key {
        section: "agent",
        name: "attributes",
        expected: "a list of \"NAME=VALUE\", at most 32, such as [\"site=roof\"]",
        take: take_attributes,
    },
    Key { section: "agent", name: "stop_wait", expected: DURATION, take: |c, written| put(&mut c.agent.stop_wait, written.duration()?) },
    Key {
        section: "spool",
        name: "dir",
        expected: "the path of a directory, as text",
        take: |c, written| put(&mut c.spool.dir, written.optional_path()??),
    },
    Key {
        section: "spool",
        name: "bytes",
        expected: "a size with its unit of at least \"1MiB\", such as \"256MiB\"",
        take: |c, written| put(&mut c.spool.bytes, written.bytes().filter(|bytes| *bytes >= SPOOL_BYTES_MIN)?),
    },
    Key {
        section: "spool",
        name: "when_full",
        expected: "\"drop-oldest\" or \"refuse-new\"",
        take: |c, written| {
            let policy = match written.text()? {
                "drop-oldest" => WhenFull::DropOldest,
                "refuse-new" => WhenFull::RefuseNew,
                _ => return None,
            };
            put(&mut c.spool.when_full, policy)
        },
    },
    Key { section: "spool", name: "sync_every", expected: DURATION, take: |c, written| put(&mut c.spool.sync_every, written.duration()?) },
    Key { section: "host", name: "every", expected: EVERY, take: |c, written| put(&mut c.host.every, written.duration_from(EVERY_MIN)?) },
    Key {
        section: "host",
        name: "device",
        expected: "a device id, as text, or \"\" for the host's name",
        take: |c, written| put(&mut c.host.device, written.optional_text()?),
    },
    Key { section: "stdin", name: "wait", expected: DURATION, take: |c, written| put(&mut c.stdin.wait, written.duration()?) },
    Key {
        section: "simulate",
        name: "devices",
        expected: "a whole number from 1 to 100000",
        take: |c, written| put(&mut c.simulate.devices, written.within(1..=100_000)?),
    },
    Key {
        section: "simulate",
        name: "every",
        expected: EVERY,
        take: |c, written| put(&mut c.simulate.every, written.duration_from(EVERY_MIN)?),
    },
    Key {
        section: "simulate",
        name: "prefix",
        expected: "the beginning of the devices' names, as text",
        take: |c, written| put(&mut c.simulate.prefix, written.optional_text()??),
    },
    Key {
        section: "simulate",
        name: "seed",
        expected: "a whole number from 0 on",
        take: |c, written| put(&mut c.simulate.seed, written.integer()?),
    },
    Key {
        section: "simulate",
        name: "jitter_percent",
        expected: "a whole number from 0 to 90",
        take: |c, written| put(&mut c.simulate.jitter_percent, written.within(0..=90)?),
    },
    Key {
        section: "simulate",
        name: "late_percent",
        expected: "a whole number from 0 to 100",
        take: |c, written| put(&mut c.simulate.late_percent, written.within(0..=100)?),
    },
    Key { section: "simulate", name: "late_by", expected: DURATION, take: |c, written| put(&mut c.simulate.late_by, written.duration()?) },
    Key {
        section: "logging",
        name: "format",
        expected: "\"human\" or \"json\"",
        take: |c, written| {
            let format = match written.text()? {
                "human" => LogFormat::Human,
                "json" => LogFormat::Json,
                _ => return None,
            };
            put(&mut c.logging.format, format)
        },
    },
    Key {
        section: "logging",
        name: "level",
        expected: "\"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        take: |c, written| {
            let level = written.text().filter(|text| text.chars().all(|letter| letter.is_ascii_lowercase()))?;
            put(&mut c.logging.level, level.parse::<LevelFilter>().ok()?)
        },
    },
];

pub(super) fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    KEYS.chunk_by(|first, second| first.section == second.section).filter_map(|keys| keys.first()).map(|key| key.section)
}

/// `TELLTALE_AGENT__SPOOL__SYNC_EVERY`
pub(super) fn variable_name(key: &Key) -> String {
    format!("TELLTALE_AGENT__{}__{}", key.section.to_ascii_uppercase(), key.name.to_ascii_uppercase())
}

fn put<T>(slot: &mut T, value: T) -> Option<()> {
    *slot = value;
    Some(())
}

fn take_inputs(config: &mut Config, written: &Written) -> Option<()> {
    let mut inputs = Vec::new();
    for name in written.list()? {
        let (_, input) = INPUTS.iter().find(|(known, _)| *known == name)?;
        if !inputs.contains(input) {
            inputs.push(*input);
        }
    }
    (!inputs.is_empty()).then(|| config.agent.inputs = inputs)
}

fn take_attributes(config: &mut Config, written: &Written) -> Option<()> {
    let pairs: Option<Vec<(String, String)>> =
        written.list()?.into_iter().map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))).collect();
    let pairs = pairs.filter(|pairs| pairs.len() <= 32 && pairs.iter().all(|(name, _)| !name.is_empty()))?;
    put(&mut config.agent.attributes, pairs)
}
