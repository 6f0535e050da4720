//! `DEVICE_GLOB/METRIC_GLOB{label="value",@attribute="value"}` (contract, "Selector"). Placeholder signatures; the query
//! helper lands the parser first thing.

use crate::model::SeriesKey;

/// Where a device's attributes are looked up.
pub trait Attributes {
    /// The attribute's value; an absent one is the empty text.
    fn with_value(&self, device: &str, name: &str, use_value: &mut dyn FnMut(&str));
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(String);

impl Glob {
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0 == text
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector(String);

impl Selector {
    #[must_use]
    pub fn matches(&self, key: &SeriesKey, _attributes: &dyn Attributes) -> bool {
        self.0 == *key.device
    }
}
