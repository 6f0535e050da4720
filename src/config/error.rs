//! What can be wrong with the settings, each as one line for the user. The hub ends with code 64 on any of them.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a setting was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    File {
        path: PathBuf,
        line: usize,
    },
    Variable(String),
    Flag(&'static str),
    /// The table of metrics that ships with the hub.
    BuiltIn,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
            Self::BuiltIn => f.write_str("built-in table of metrics"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{place}: not TOML: {message}")]
    Syntax { place: Place, message: String },
    #[error("{place}: {name}{}: unknown {what}{}", equals(value.as_deref()), hint(nearest.as_deref()))]
    Unknown { place: Place, what: &'static str, name: String, value: Option<String>, nearest: Option<String> },
    #[error("{place}: {name} = {value}: expected {expected}")]
    BadValue { place: Place, name: String, value: String, expected: String },
    /// Two settings that do not go together.
    #[error("{place}: {message}")]
    Conflict { place: Place, message: String },
}

impl ConfigError {
    pub(super) fn at_line(path: &Path, line: usize) -> Place {
        Place::File { path: path.to_owned(), line }
    }
}

fn equals(value: Option<&str>) -> String {
    value.map_or_else(String::new, |value| format!(" = {value}"))
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |known| format!("; the nearest known one is {known}"))
}

/// The known name that is most like the one given. There always is one; a bad likeness still shows how names look.
pub(super) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}
