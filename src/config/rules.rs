//! The arrays of tables: `[[metric]]`, `[[device]]`, `[[retention]]`, `[[ingest.mapping]]`. File only. In each the first entry that
//! matches wins, so order in the file is order of precedence.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::error::{ConfigError, Place, nearest};
use super::given::Given;
use super::load::TomlFile;
use crate::model::Kind;
use crate::query::selector::{Glob, Selector};
use crate::retention::{PRIORITY, RetentionRule};

pub(super) const ARRAYS: &[&str] = &["metric", "device", "retention", "ingest.mapping"];

/// Kinds and units for the common inputs of Telegraf. Part of the binary, so a hub without any file knows them.
const SHIPPED_METRICS: &str = include_str!("../../config/metrics.toml");

static SHIPPED: LazyLock<Vec<MetricRule>> = LazyLock::new(|| {
    let file = TomlFile { path: Path::new("config/metrics.toml"), text: SHIPPED_METRICS };
    let mut config = Config { metrics: MetricRules { users: Vec::new() }, ..Config::default() };
    let document = file.parse().expect("config/metrics.toml is TOML; a test reads it");
    for (name, value) in document.get_ref() {
        take(&mut config, &file, name.get_ref(), value).expect("config/metrics.toml holds good rules; a test reads it");
    }
    config.metrics.users
});

/// Kind and unit by metric name: the user's rules, then those that ship.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricRules {
    users: Vec<MetricRule>,
}

#[derive(Clone, Debug, PartialEq)]
struct MetricRule {
    metric: Glob,
    kind: Option<Kind>,
    unit: Option<Arc<str>>,
}

impl MetricRules {
    /// What the first rule that says a kind and the first that says a unit have for this metric. Asked once per new series.
    #[must_use]
    pub fn of(&self, metric: &str) -> (Option<Kind>, Option<Arc<str>>) {
        let matching = || self.users.iter().chain(SHIPPED.iter()).filter(|rule| rule.metric.matches(metric));
        (matching().find_map(|rule| rule.kind), matching().find_map(|rule| rule.unit.clone()))
    }
}

/// How often devices are expected to send. A device that no rule matches goes by its own median interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRule {
    pub devices: Glob,
    pub expect: Duration,
}

/// Which tags of a measurement name the device and the gateway, for Telegraf and line protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub measurement: Glob,
    pub device_tag: Box<str>,
    pub gateway_tag: Option<Box<str>>,
}

/// A glob, or None when it is not one.
#[must_use]
pub fn pattern(text: &str) -> Option<Glob> {
    Glob::parse(text).ok().filter(|_| !text.is_empty())
}

pub(super) fn take(config: &mut Config, file: &TomlFile<'_>, name: &str, value: &Spanned<DeValue<'_>>) -> Result<(), ConfigError> {
    let entries = match value.get_ref() {
        DeValue::Array(entries) => entries.iter().collect(),
        _ => Vec::new(),
    };
    let tables: Vec<_> = entries.iter().filter_map(|entry| Some((*entry, entry.get_ref().as_table()?))).collect();
    if tables.is_empty() || tables.len() != entries.len() {
        let expected = format!("an array of tables: [[{name}]]");
        return Err(ConfigError::BadValue { place: file.place(value), name: name.to_owned(), value: file.source(value), expected });
    }
    for (entry, table) in tables {
        let entry = Entry { file, array: name, place: file.place(entry), table };
        match name {
            "metric" => config.metrics.users.push(entry.metric()?),
            "device" => config.devices.push(entry.device()?),
            "retention" => config.retention.push(entry.retention()?),
            _ => config.ingest.mappings.push(entry.mapping()?),
        }
    }
    Ok(())
}

struct Entry<'a> {
    file: &'a TomlFile<'a>,
    array: &'a str,
    place: Place,
    table: &'a DeTable<'a>,
}

const GLOB: &str = "a glob: * is any characters, ? one, \\ escapes";

impl Entry<'_> {
    fn metric(&self) -> Result<MetricRule, ConfigError> {
        self.known(&["match", "kind", "unit"])?;
        let kinds = "one of \"gauge\", \"counter\", \"state\", \"text\"";
        let rule = MetricRule {
            metric: self.required("match", GLOB, |given| pattern(given.text()?))?,
            kind: self.optional("kind", kinds, |given| Kind::parse(given.text()?))?,
            unit: self.optional("unit", "a unit as text, such as \"B\"", |given| given.text().filter(|t| is_unit(t)).map(Arc::from))?,
        };
        if rule.kind.is_none() && rule.unit.is_none() {
            return Err(self.missing("kind or unit"));
        }
        Ok(rule)
    }

    fn device(&self) -> Result<DeviceRule, ConfigError> {
        self.known(&["match", "expect"])?;
        let glob = self.optional("match", GLOB, |given| pattern(given.text()?))?;
        let every = pattern("*").expect("* is a glob");
        let long = "a duration from \"1s\" on, such as \"10m\"";
        let expect = self.required("expect", long, |given| given.duration().filter(|d| *d >= Duration::from_secs(1)))?;
        Ok(DeviceRule { devices: glob.unwrap_or(every), expect })
    }

    fn retention(&self) -> Result<RetentionRule, ConfigError> {
        self.known(&["select", "keep", "keep_rollups", "priority"])?;
        let selector = "a selector, such as \"pump-*/debug.*\"";
        let age = "a duration from \"1h\" on, such as \"90d\", or 0 for no bound by age";
        let an_hour = Duration::from_secs(3600);
        let aged = |given: &Given| given.duration().filter(|keep| keep.is_zero() || *keep >= an_hour);
        let keep = self.optional("keep", age, aged)?;
        Ok(RetentionRule {
            select: self.required("select", selector, |given| Selector::parse(given.text()?).ok())?,
            text: self.required("select", selector, |given| given.text().map(str::to_owned))?,
            keep: keep.filter(|keep| !keep.is_zero()),
            keep_rollups: self.optional("keep_rollups", age, aged)?,
            priority: self
                .optional("priority", "a whole number from 0 to 1000", |given| given.integer().filter(|p| *p <= 1000))?
                .unwrap_or(PRIORITY),
        })
    }

    fn mapping(&self) -> Result<Mapping, ConfigError> {
        self.known(&["measurement", "device_tag", "gateway_tag"])?;
        let tag = |given: &Given| given.text().filter(|text| !text.is_empty()).map(Box::from);
        Ok(Mapping {
            measurement: self.required("measurement", GLOB, |given| pattern(given.text()?))?,
            device_tag: self.required("device_tag", "the name of a tag, as text", tag)?,
            gateway_tag: self.optional("gateway_tag", "the name of a tag, as text", tag)?,
        })
    }

    fn known(&self, names: &[&str]) -> Result<(), ConfigError> {
        let Some((key, value)) = self.table.iter().find(|(key, _)| !names.contains(&&**key.get_ref())) else {
            return Ok(());
        };
        Err(ConfigError::Unknown {
            place: self.file.place(key),
            what: "key",
            name: format!("[[{}]] {}", self.array, key.get_ref()),
            value: Some(self.file.source(value)),
            nearest: nearest(key.get_ref(), names.iter().copied()),
        })
    }

    fn optional<T>(&self, name: &str, expected: &str, read: impl Fn(&Given) -> Option<T>) -> Result<Option<T>, ConfigError> {
        let Some((key, value)) = self.table.iter().find(|(key, _)| &**key.get_ref() == name) else {
            return Ok(None);
        };
        match read(&Given::from_toml(value.get_ref())) {
            Some(good) => Ok(Some(good)),
            None => Err(ConfigError::BadValue {
                place: self.file.place(key),
                name: format!("[[{}]] {name}", self.array),
                value: self.file.source(value),
                expected: expected.to_owned(),
            }),
        }
    }

    fn required<T>(&self, name: &str, expected: &str, read: impl Fn(&Given) -> Option<T>) -> Result<T, ConfigError> {
        self.optional(name, expected, read)?.ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> ConfigError {
        ConfigError::Conflict { place: self.place.clone(), message: format!("[[{}]]: {name} is missing", self.array) }
    }
}

fn is_unit(text: &str) -> bool {
    !text.is_empty() && text.len() <= crate::limits::NAME_BYTES && !text.chars().any(char::is_control)
}
