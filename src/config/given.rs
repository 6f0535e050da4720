//! A setting as it was written, before its key says what it should be, and the readers that turn it into typed values.
//! A reader gives None for what it does not understand; the key's `expected` then tells the user.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

/// Longest duration that fits i64 nanoseconds with room to add two of them.
const MAX_DURATION_S: u64 = 100 * 366 * 24 * 3600;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given {
    Text(String),
    Integer(i64),
    List(Vec<String>),
    /// From a variable or flag: text that may stand for a number or a list.
    Word(String),
    /// A type no key takes.
    Other,
}

impl Given {
    pub(super) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.clone().into_owned()),
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix()).map_or(Self::Other, Self::Integer),
            DeValue::Array(items) => {
                let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
                texts.map_or(Self::Other, Self::List)
            }
            _ => Self::Other,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Word(text) => Some(text),
            _ => None,
        }
    }

    /// An empty text means "none".
    pub(super) fn path(&self) -> Option<Option<PathBuf>> {
        self.text().map(|text| (!text.is_empty()).then(|| PathBuf::from(text)))
    }

    pub(super) fn integer(&self) -> Option<u64> {
        match self {
            Self::Integer(number) => u64::try_from(*number).ok(),
            Self::Word(word) => word.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn count(&self, least: usize, most: usize) -> Option<usize> {
        let count = usize::try_from(self.integer()?).ok()?;
        (least..=most).contains(&count).then_some(count)
    }

    /// A list; in a variable its items are parted by commas.
    pub(super) fn list(&self) -> Option<Vec<&str>> {
        match self {
            Self::List(items) => Some(items.iter().map(String::as_str).collect()),
            Self::Word(word) => Some(word.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
            _ => None,
        }
    }

    /// `"90s"`, `"1h"`: a whole number and its unit; 0 needs none.
    pub(super) fn duration(&self) -> Option<Duration> {
        if self.integer() == Some(0) {
            return Some(Duration::ZERO);
        }
        let (number, unit) = number_and_unit(self.text()?)?;
        let ms_per_unit: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let duration = Duration::from_millis(number.checked_mul(ms_per_unit)?);
        (duration.as_secs() <= MAX_DURATION_S).then_some(duration)
    }

    /// `"64MiB"`, `"1GB"`: a whole number and its unit; a bare number is bytes.
    pub(super) fn bytes(&self) -> Option<u64> {
        if let Some(bytes) = self.integer() {
            return Some(bytes);
        }
        let (number, unit) = number_and_unit(self.text()?)?;
        let bytes_per_unit: u64 = match unit {
            "B" => 1,
            "kB" => 1000,
            "MB" => 1000 * 1000,
            "GB" => 1000 * 1000 * 1000,
            "TB" => 1000 * 1000 * 1000 * 1000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return None,
        };
        number.checked_mul(bytes_per_unit).filter(|bytes| i64::try_from(*bytes).is_ok())
    }

    pub(super) fn bytes_within(&self, least: u64, most: u64) -> Option<u64> {
        self.bytes().filter(|bytes| (least..=most).contains(bytes))
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}
