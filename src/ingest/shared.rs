//! What the fields of one Telegraf map, or of one line, share: their names are judged and made once, and not for each field. Pure.
//!
//! Invariant: the work for a field does not grow with names that are longer than the limits.

use std::borrow::Cow;

use super::Refusal;
use super::mapping::{Mapped, MetricName, map_tags};
use super::session::{Known, Session};
use crate::series::KeyRef;

/// Device, gateway and labels by the tags, and the metric up to the field.
#[derive(Debug)]
pub(super) struct Shared {
    device: String,
    gateway: Option<String>,
    labels: Vec<(String, String)>,
    metric: MetricName,
}

impl Shared {
    /// `tags`: no more than a series may have labels, and the two that name device and gateway.
    pub(super) fn of(session: &Session, measurement: &str, tags: &[(&str, &str)]) -> Result<Self, Refusal> {
        let door = session.door();
        let metric = MetricName::of(measurement);
        door.forms.metric(metric.head())?;
        let only = session.access().scope().devices.as_ref().and_then(|devices| devices.as_literal());
        let Mapped { device, gateway, labels } = map_tags(&door.mappings, measurement, tags, only)?;
        let labels: Vec<(String, String)> = labels.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        session.check(&device, &pairs(&labels))?;
        Ok(Self { device: device.into_owned(), gateway: gateway.map(Cow::into_owned), labels, metric })
    }

    /// The series of a field that was not met before.
    pub(super) fn meet(&mut self, session: &mut Session, raw: &[u8], field: &str) -> Result<Known, Refusal> {
        let key = KeyRef { device: &self.device, metric: self.metric.of_field(field), labels: &pairs(&self.labels) };
        session.meet_checked(raw, key, self.gateway.as_deref())
    }
}

fn pairs(labels: &[(String, String)]) -> Vec<(&str, &str)> {
    labels.iter().map(|(name, value)| (&**name, &**value)).collect()
}

/// What refused fields would have been called, as far as it can be told.
#[derive(Debug)]
pub(super) struct WouldBe {
    device: String,
    metric: MetricName,
}

impl WouldBe {
    pub(super) fn of(session: &Session, measurement: &[u8], tags: &[(&str, &str)]) -> Self {
        let measurement = String::from_utf8_lossy(measurement);
        let device = map_tags(&session.door().mappings, &measurement, tags, None).map(|mapped| mapped.device.into_owned());
        Self { device: device.unwrap_or_default(), metric: MetricName::of(&measurement).cut() }
    }

    /// Device and metric.
    pub(super) fn of_field(&mut self, field: &[u8]) -> (&str, &str) {
        (&self.device, self.metric.of_field(&String::from_utf8_lossy(field)))
    }
}
