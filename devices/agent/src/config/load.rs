//! Reads the three sources in order. What is wrong becomes one line for the user; the agent then ends with code 64.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::keys::{self, Key};
use super::value::Written;

/// What the user gave. Later ones win: file, variables, flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) file: Option<PathBuf>,
    /// The whole environment; what does not begin with `TELLTALE_AGENT__` is passed over.
    pub(crate) variables: Vec<(OsString, OsString)>,
    pub(crate) flags: Vec<Flag>,
}

/// A flag that stands for a key, such as `--url` for `[hub] url`.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    pub(crate) flag: &'static str,
    pub(crate) section: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: String,
}

/// Where a setting was written.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    File { path: PathBuf, line: usize },
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { path, line } => write!(f, "{}:{line}", path.display()),
            Place::Variable(name) => f.write_str(name),
            Place::Flag(name) => f.write_str(name),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{}: cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{place}: not TOML: {message}")]
    Syntax { place: Place, message: String },
    #[error("{place}: {written}: unknown {what}; the nearest known one is {nearest}")]
    Unknown { place: Place, what: &'static str, written: String, nearest: String },
    #[error("{place}: {name} = {value}: expected {expected}")]
    BadValue { place: Place, name: String, value: String, expected: String },
}

impl Config {
    pub(crate) fn load(sources: &Sources) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        if let Some(path) = &sources.file {
            let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
            load_file(&mut config, &TomlFile { path, text: &text })?;
        }
        for (name, value) in &sources.variables {
            load_variable(&mut config, name, value)?;
        }
        for flag in &sources.flags {
            let key = keys::find(flag.section, flag.key).expect("flags are made from keys of the table");
            take(&mut config, key, &Written::Word(flag.value.clone()), quoted(&flag.value), Place::Flag(flag.flag))?;
        }
        Ok(config)
    }
}

/// The known name that is most like the one given. There always is one; a bad likeness still shows how names look.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let like = |name: &&str| strsim::jaro_winkler(given, name);
    known.into_iter().max_by(|first, second| like(first).total_cmp(&like(second)))
}

fn load_file(config: &mut Config, file: &TomlFile<'_>) -> Result<(), ConfigError> {
    let document = file.parse()?;
    for (section, value) in document.get_ref() {
        let name: &str = section.get_ref();
        match value.get_ref() {
            DeValue::Table(entries) if keys::sections().any(|known| known == name) => {
                for (key, value) in entries {
                    load_key(config, file, name, key, value)?;
                }
            }
            DeValue::Table(_) => {
                let nearest = nearest(name, keys::sections()).map_or_else(String::new, |known| format!("[{known}]"));
                return Err(ConfigError::Unknown { place: file.place(section), what: "section", written: format!("[{name}]"), nearest });
            }
            _ => {
                let nearest = nearest(name, keys::KEYS.iter().map(|key| key.name)).unwrap_or_default();
                let nearest = keys::KEYS.iter().find(|key| key.name == nearest).map_or_else(String::new, shown);
                let written = format!("{name} = {}", file.source(value));
                return Err(ConfigError::Unknown { place: file.place(section), what: "key outside any section", written, nearest });
            }
        }
    }
    Ok(())
}

fn load_key(
    config: &mut Config,
    file: &TomlFile<'_>,
    section: &str,
    key: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<(), ConfigError> {
    let name: &str = key.get_ref();
    let Some(known) = keys::find(section, name) else {
        let names = keys::KEYS.iter().filter(|key| key.section == section).map(|key| key.name);
        let nearest = nearest(name, names).unwrap_or_default().to_owned();
        let written = format!("[{section}] {name} = {}", file.source(value));
        return Err(ConfigError::Unknown { place: file.place(key), what: "key", written, nearest });
    };
    take(config, known, &Written::from_toml(value.get_ref()), file.source(value), file.place(key))
}

/// `TELLTALE_AGENT__<SECTION>__<KEY>`; the hub's variables begin otherwise.
fn load_variable(config: &mut Config, name: &OsString, value: &OsString) -> Result<(), ConfigError> {
    let lossy = name.to_string_lossy();
    if !lossy.starts_with("TELLTALE_AGENT__") {
        return Ok(());
    }
    let place = Place::Variable(lossy.clone().into_owned());
    let Some(key) = keys::KEYS.iter().find(|key| keys::variable_name(key) == lossy) else {
        let known: Vec<String> = keys::KEYS.iter().map(keys::variable_name).collect();
        let nearest = nearest(&lossy, known.iter().map(String::as_str)).unwrap_or_default().to_owned();
        return Err(ConfigError::Unknown { place, what: "setting", written: "the environment".to_owned(), nearest });
    };
    let Some(text) = value.to_str() else {
        let value = quoted(&value.to_string_lossy());
        return Err(ConfigError::BadValue { place, name: shown(key), value, expected: "text in UTF-8".to_owned() });
    };
    take(config, key, &Written::Word(text.to_owned()), quoted(text), place)
}

fn take(config: &mut Config, key: &Key, written: &Written, value: String, place: Place) -> Result<(), ConfigError> {
    let expected = || ConfigError::BadValue { place, name: shown(key), value, expected: key.expected.to_owned() };
    (key.take)(config, written).ok_or_else(expected)
}

/// A parsed file that can still say on which line something stands and how it was written.
struct TomlFile<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> TomlFile<'a> {
    fn parse(&self) -> Result<Spanned<DeTable<'a>>, ConfigError> {
        DeTable::parse(self.text).map_err(|error| ConfigError::Syntax {
            place: self.at(error.span().map_or(0, |span| span.start)),
            message: error.message().replace('\n', ", "),
        })
    }

    fn place<T>(&self, part: &Spanned<T>) -> Place {
        self.at(part.span().start)
    }

    fn at(&self, offset: usize) -> Place {
        let line = self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        Place::File { path: self.path.to_owned(), line }
    }

    /// The value as written, on one line and not too long.
    fn source<T>(&self, value: &Spanned<T>) -> String {
        let written = self.text.get(value.span()).unwrap_or_default();
        shortened(written.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

fn shown(key: &Key) -> String {
    format!("[{}] {}", key.section, key.name)
}

/// As TOML would write it: quotes, and escapes for what does not print, so that the message stays one line.
fn quoted(text: &str) -> String {
    shortened(format!("{text:?}"))
}

fn shortened(mut text: String) -> String {
    const CHARS_MAX: usize = 120;
    if let Some((cut, _)) = text.char_indices().nth(CHARS_MAX) {
        text.truncate(cut);
        text.push('…');
    }
    text
}
