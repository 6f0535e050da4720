//! How a series is described in answers: the same five fields in history, last and series.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::history::encode::{pack_map, pack_str};
use crate::model::Labels;
use crate::series::Series;

/// `{device, metric, labels, unit, kind}`.
#[derive(Debug, Serialize)]
pub struct Described<'a> {
    pub device: &'a str,
    pub metric: &'a str,
    pub labels: LabelMap<'a>,
    #[serde(serialize_with = "shared_text")]
    pub unit: Option<Arc<str>>,
    pub kind: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub struct LabelMap<'a>(pub &'a Labels);

impl Serialize for LabelMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn shared_text<S: Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}

impl<'a> Described<'a> {
    #[must_use]
    pub fn of(series: &'a Series) -> Self {
        Self {
            device: &series.key.device,
            metric: &series.key.metric,
            labels: LabelMap(&series.key.labels),
            unit: series.meta().unit,
            kind: series.kind().as_str(),
        }
    }

    /// As the beginning of a MessagePack map that `more` entries follow.
    pub fn pack(&self, out: &mut Vec<u8>, more: usize) {
        pack_map(out, 5 + more);
        pack_str(out, "device");
        pack_str(out, self.device);
        pack_str(out, "metric");
        pack_str(out, self.metric);
        pack_str(out, "labels");
        pack_map(out, self.labels.0.len());
        for (name, value) in self.labels.0.iter() {
            pack_str(out, name);
            pack_str(out, value);
        }
        pack_str(out, "unit");
        match &self.unit {
            Some(unit) => pack_str(out, unit),
            None => rmp::encode::write_nil(out).expect("writing to a Vec does not fail"),
        }
        pack_str(out, "kind");
        pack_str(out, self.kind);
    }
}
