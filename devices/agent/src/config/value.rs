//! A setting as it was written, before its key says what it should be, and the readers that turn it into typed values.
//! A reader gives None for what it does not understand; the key's `expected` then tells the user.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Written {
    Text(String),
    Integer(i64),
    List(Vec<String>),
    /// From a variable or flag: text that may stand for a number or a list.
    Word(String),
    /// A type that no key takes.
    Other,
}

impl Written {
    pub(super) fn from_toml(value: &DeValue<'_>) -> Written {
        match value {
            DeValue::String(text) => Written::Text(text.clone().into_owned()),
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix()).map_or(Written::Other, Written::Integer),
            DeValue::Array(items) => {
                let texts: Option<Vec<String>> = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
                texts.map_or(Written::Other, Written::List)
            }
            _ => Written::Other,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Written::Text(text) | Written::Word(text) => Some(text),
            _ => None,
        }
    }

    /// An empty text means "none".
    pub(super) fn optional_text(&self) -> Option<Option<String>> {
        self.text().map(|text| (!text.is_empty()).then(|| text.to_owned()))
    }

    /// An empty text means "none".
    pub(super) fn optional_path(&self) -> Option<Option<PathBuf>> {
        self.optional_text().map(|text| text.map(PathBuf::from))
    }

    pub(super) fn integer(&self) -> Option<u64> {
        match self {
            Written::Integer(number) => u64::try_from(*number).ok(),
            Written::Word(word) => word.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn within(&self, range: RangeInclusive<u32>) -> Option<u32> {
        self.integer().and_then(|number| u32::try_from(number).ok()).filter(|number| range.contains(number))
    }

    /// A list; in a variable its items are parted by commas.
    pub(super) fn list(&self) -> Option<Vec<&str>> {
        match self {
            Written::List(items) => Some(items.iter().map(String::as_str).collect()),
            Written::Word(word) => Some(word.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
            _ => None,
        }
    }

    /// `"90s"`, `"1h"`: a whole number and its unit; 0 needs none.
    pub(super) fn duration(&self) -> Option<Duration> {
        if self.integer() == Some(0) {
            return Some(Duration::ZERO);
        }
        let (number, unit) = number_and_unit(self.text()?)?;
        let ms: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        Some(Duration::from_millis(number.checked_mul(ms)?)).filter(|duration| *duration <= DURATION_MAX)
    }

    pub(super) fn duration_from(&self, least: Duration) -> Option<Duration> {
        self.duration().filter(|duration| *duration >= least)
    }

    /// `"64MiB"`, `"1GB"`: a whole number and its unit; a bare number is bytes.
    pub(super) fn bytes(&self) -> Option<u64> {
        if let Some(bytes) = self.integer() {
            return Some(bytes);
        }
        let (number, unit) = number_and_unit(self.text()?)?;
        let bytes: u64 = match unit {
            "B" => 1,
            "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return None,
        };
        number.checked_mul(bytes)
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}
