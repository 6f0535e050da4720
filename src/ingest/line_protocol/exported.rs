//! Names as an export writes them (`src/rows/ROWS.md`): the measurement is the metric, the tag `device` the device, every other tag
//! a label, and the field says nothing but the type. Nothing is mapped or made to fit.

use std::borrow::Cow;

use telltale_wire::RowCode;

use super::{parse, utf8};
use crate::ingest::session::{Known, Session};
use crate::ingest::{Refusal, shown};
use crate::series::KeyRef;

const DEVICE: &str = "device";
const FIELDS: [&[u8]; 3] = [b"value", b"bool", b"text"];

/// The series of a line whose names were not met before.
pub(super) fn meet(session: &mut Session, raw: &[u8], names: &parse::Key<'_>, field: &[u8]) -> Result<Known, Refusal> {
    if !FIELDS.contains(&field) {
        let message = format!(
            "field `{}`, expected value, bool or text as an export writes; other line protocol goes to /api/v2/write",
            shown(field)
        );
        return Err(Refusal::new(RowCode::UnknownField, message));
    }
    if names.tags.len() > session.door().forms.labels + 1 {
        return Err(crate::ingest::forms::too_many_labels(names.tags.len(), session.door().forms.labels));
    }
    let metric = utf8(parse::measurement(names.measurement), "the measurement", RowCode::BadMetric)?;
    let text = |bytes, what| utf8(bytes, what, RowCode::BadLabel);
    let tags = names.tags.iter().map(|(name, value)| Ok((text(parse::name(name), "a tag")?, text(parse::name(value), "a tag value")?)));
    let tags = tags.collect::<Result<Vec<(Cow<'_, str>, Cow<'_, str>)>, Refusal>>()?;
    let mut labels: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (&**name, &**value)).collect();
    let Some(at) = labels.iter().position(|(name, _)| *name == DEVICE) else {
        return Err(Refusal::new(RowCode::NoDevice, "no tag `device`, as an export writes it"));
    };
    let (_, device) = labels.remove(at);
    session.meet(raw, KeyRef { device, metric: &metric, labels: &labels }, None)
}

/// Device and metric of a refused line, as far as they can be read.
pub(super) fn told(key: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let Ok(names) = parse::key(key) else { return (Vec::new(), Vec::new()) };
    let device = names.tags.iter().find(|(name, _)| *name == DEVICE.as_bytes()).map(|(_, value)| parse::name(value).into_owned());
    (device.unwrap_or_default(), parse::measurement(names.measurement).into_owned())
}
