//! Reads the three sources in order and checks what holds between keys.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place, nearest};
use super::given::Given;
use super::keys::{self, Draft, Key};
use super::{Both, Config, StoreKind, TlsFiles, influx, rules};

/// What the user gave. Later ones win: file, variables, flags.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub file: Option<PathBuf>,
    /// The whole environment; what does not begin with `TELLTALE_` is passed over.
    pub variables: Vec<(OsString, OsString)>,
    pub flags: Vec<Flag>,
}

/// A flag that stands for a key, such as `--listen` for `[listen] address`.
#[derive(Clone, Debug)]
pub struct Flag {
    pub flag: &'static str,
    pub section: &'static str,
    pub key: &'static str,
    pub value: String,
}

impl Config {
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        Loader::read(sources)?.finish()
    }

    /// With each kind of store, whichever `[store] kind` names. What only goes with the embedded one is left out beside InfluxDB.
    pub fn load_both(sources: &Sources) -> Result<Both, ConfigError> {
        let mut loader = Loader::read(sources)?;
        loader.draft.config.store.kind = StoreKind::Embedded;
        let given = std::mem::take(&mut loader.draft.influx);
        let embedded = loader.finish()?;
        let mut influx = Self { retention: Vec::new(), ..embedded.clone() };
        (influx.store.kind, influx.store.max_bytes) = (StoreKind::Influx, 0);
        influx.influx = Some(influx::of(given, &influx, &Place::Flag("migrate"))?);
        Ok(Both { embedded, influx })
    }
}

/// The settings so far and who said them, for messages about two that do not go together.
#[derive(Default)]
struct Loader {
    draft: Draft,
    said: HashMap<(&'static str, &'static str), Place>,
}

impl Loader {
    fn read(sources: &Sources) -> Result<Self, ConfigError> {
        let mut loader = Self::default();
        if let Some(path) = &sources.file {
            let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
            loader.file(path, &text)?;
        }
        for (name, value) in &sources.variables {
            loader.variable(name, value)?;
        }
        for flag in &sources.flags {
            let key = keys::find(flag.section, flag.key).expect("flags are made from keys of the table");
            loader.take(key, &Given::Word(flag.value.clone()), quoted(&flag.value), Place::Flag(flag.flag))?;
        }
        Ok(loader)
    }

    fn file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let file = TomlFile { path, text };
        let document = file.parse()?;
        for (section, value) in document.get_ref() {
            let name: &str = section.get_ref();
            if rules::ARRAYS.contains(&name) {
                rules::take(&mut self.draft.config, &file, name, value)?;
                continue;
            }
            if !keys::sections().any(|known| known == name) {
                return Err(file.unknown_section(section, value));
            }
            let DeValue::Table(entries) = value.get_ref() else {
                let place = file.place(section);
                return Err(ConfigError::BadValue {
                    place,
                    name: name.to_owned(),
                    value: file.source(value),
                    expected: format!("a table: [{name}]"),
                });
            };
            for (key, value) in entries {
                let dotted = format!("{name}.{}", key.get_ref());
                match value.get_ref() {
                    DeValue::Table(entries) if keys::sections().any(|known| known == dotted) => {
                        entries.iter().try_for_each(|(key, value)| self.file_key(&file, &dotted, key, value))?;
                    }
                    _ => self.file_key(&file, name, key, value)?,
                }
            }
        }
        Ok(())
    }

    fn file_key(
        &mut self,
        file: &TomlFile<'_>,
        section: &str,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let name: &str = key.get_ref();
        let dotted = format!("{section}.{name}");
        if rules::ARRAYS.contains(&dotted.as_str()) {
            return rules::take(&mut self.draft.config, file, &dotted, value);
        }
        let Some(known) = keys::find(section, name) else {
            return Err(unknown_key(file.place(key), section, name, file.source(value)));
        };
        self.take(known, &Given::from_toml(value.get_ref()), file.source(value), file.place(key))
    }

    /// `TELLTALE_<SECTION>__<KEY>`. The agent's begin with `TELLTALE_AGENT__`; a name without `__` is no setting.
    fn variable(&mut self, name: &OsString, value: &OsString) -> Result<(), ConfigError> {
        let lossy = name.to_string_lossy();
        let Some(rest) = lossy.strip_prefix("TELLTALE").filter(|rest| rest.starts_with('_')) else {
            return Ok(());
        };
        if !rest.contains("__") || rest.starts_with("_AGENT__") {
            return Ok(());
        }
        let place = Place::Variable(lossy.clone().into_owned());
        let Some(key) = keys::KEYS.iter().find(|key| keys::variable_name(key) == lossy) else {
            let known: Vec<String> = keys::KEYS.iter().map(keys::variable_name).collect();
            let nearest = nearest(&lossy, known.iter().map(String::as_str));
            let name = "the environment".to_owned();
            return Err(ConfigError::Unknown { place, what: "setting", name, value: None, nearest });
        };
        let Some(text) = value.to_str() else {
            let value = quoted(&value.to_string_lossy());
            return Err(ConfigError::BadValue { place, name: shown(key), value, expected: "text in UTF-8".to_owned() });
        };
        self.take(key, &Given::Word(text.to_owned()), quoted(text), place)
    }

    fn take(&mut self, key: &'static Key, given: &Given, written: String, place: Place) -> Result<(), ConfigError> {
        if (key.take)(&mut self.draft, given).is_none() {
            return Err(ConfigError::BadValue { place, name: shown(key), value: written, expected: key.expected.to_owned() });
        }
        self.said.insert((key.section, key.name), place);
        Ok(())
    }

    fn finish(self) -> Result<Config, ConfigError> {
        let Draft { mut config, tls_cert, tls_key, influx } = self.draft;
        let said = |section, key| self.said[&(section, key)].clone();
        if config.store.kind == StoreKind::Influx {
            config.influx = Some(influx::of(influx, &config, &said("store", "kind"))?);
        }
        config.listen.tls = match (tls_cert, tls_key) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            (Some(_), None) => {
                let message = "[listen] tls_cert is set and tls_key is not: expected both or neither".to_owned();
                return Err(ConfigError::Conflict { place: said("listen", "tls_cert"), message });
            }
            (None, Some(_)) => {
                let message = "[listen] tls_key is set and tls_cert is not: expected both or neither".to_owned();
                return Err(ConfigError::Conflict { place: said("listen", "tls_key"), message });
            }
        };
        let address = config.listen.address;
        if !address.ip().is_loopback() && config.listen.tls.is_none() && !config.listen.plaintext {
            let words = keys::PLAINTEXT_WORDS;
            let message = format!(
                "[listen] address = \"{address}\": an address beyond loopback needs TLS (tls_cert and tls_key), \
                 or plaintext = \"{words}\" to send tokens and readings unencrypted"
            );
            return Err(ConfigError::Conflict { place: said("listen", "address"), message });
        }
        Ok(config)
    }
}

/// A parsed file that can still say on which line something stands and how it was written.
pub(super) struct TomlFile<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl<'a> TomlFile<'a> {
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'a>>, ConfigError> {
        DeTable::parse(self.text).map_err(|error| ConfigError::Syntax {
            place: ConfigError::at_line(self.path, self.line(error.span().map_or(0, |span| span.start))),
            message: error.message().replace('\n', ", "),
        })
    }

    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    pub(super) fn place<T>(&self, at: &Spanned<T>) -> Place {
        ConfigError::at_line(self.path, self.line(at.span().start))
    }

    /// The value as written, on one line and not too long.
    pub(super) fn source<T>(&self, value: &Spanned<T>) -> String {
        let written = self.text.get(value.span()).unwrap_or_default();
        shortened(written.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn unknown_section(&self, section: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> ConfigError {
        let name: &str = section.get_ref();
        let place = self.place(section);
        if !matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_)) {
            let nearest = keys::KEYS.iter().find(|key| key.name == name).map(shown);
            let nearest = nearest.or_else(|| self::nearest(name, keys::KEYS.iter().map(|key| key.name)));
            return ConfigError::Unknown {
                place,
                what: "key outside any section",
                name: name.to_owned(),
                value: Some(self.source(value)),
                nearest,
            };
        }
        let nearest = nearest(name, keys::sections().chain(rules::ARRAYS.iter().copied())).map(|known| format!("[{known}]"));
        ConfigError::Unknown { place, what: "section", name: format!("[{name}]"), value: None, nearest }
    }
}

fn unknown_key(place: Place, section: &str, name: &str, value: String) -> ConfigError {
    let nearest = nearest(name, keys::KEYS.iter().filter(|key| key.section == section).map(|key| key.name));
    ConfigError::Unknown { place, what: "key", name: format!("[{section}] {name}"), value: Some(value), nearest }
}

fn shown(key: &Key) -> String {
    format!("[{}] {}", key.section, key.name)
}

/// As TOML would write it: quotes, and escapes for what does not print, so that the message stays one line.
pub(super) fn quoted(text: &str) -> String {
    shortened(format!("{text:?}"))
}

fn shortened(mut text: String) -> String {
    const MOST: usize = 120;
    if let Some((cut, _)) = text.char_indices().nth(MOST) {
        text.truncate(cut);
        text.push('…');
    }
    text
}
