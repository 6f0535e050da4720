//! One reading as a line tells it, given to the session: what CSV and NDJSON share.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use telltale_wire::RowCode;

use crate::ingest::session::{Deciding, Meta, Session};
use crate::ingest::{FormLimits, Refusal, fits, shown, times};
use crate::model::{Kind, TimeNs, Value};
use crate::series::KeyRef;

/// What some editors put before a text. Line protocol has no place for it: there it would be part of a name.
pub(super) const BOM: &[u8] = "\u{feff}".as_bytes();

/// What a line says; no more than its columns told apart.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) device: &'a str,
    pub(super) metric: &'a str,
    /// A JSON object, or nothing.
    pub(super) labels: &'a str,
    /// Nanoseconds, or RFC 3339.
    pub(super) time: &'a str,
    pub(super) value: Result<Value, Refusal>,
    pub(super) unit: Option<&'a str>,
    pub(super) kind: Option<&'a str>,
}

/// `raw`: room for the bytes by which the session knows a series again.
pub(super) fn take(session: &mut Session, batch: &mut Deciding, raw: &mut Vec<u8>, line: u32, row: Row<'_>) {
    let (device, metric) = (row.device, row.metric);
    if let Err(refusal) = decide(session, batch, raw, line, row) {
        batch.refuse(line, device.as_bytes(), Some(metric.as_bytes()), refusal);
    }
}

fn decide(session: &mut Session, batch: &mut Deciding, raw: &mut Vec<u8>, line: u32, row: Row<'_>) -> Result<(), Refusal> {
    let forms = session.door().forms;
    let when = session.when(Some(time(row.time)?))?;
    let value = row.value?;
    if let Value::Text(text) = &value {
        forms.text(text.len())?;
    }
    let meta = meta(row.unit, row.kind, &value, &forms)?;
    let value = session.keeps(value)?;
    raw.clear();
    // No line of line protocol begins with a zero, and no name holds one: a session that served another form takes none for another.
    for part in ["", row.device, row.metric, row.labels] {
        raw.extend_from_slice(part.as_bytes());
        raw.push(0);
    }
    let known = match session.known(raw) {
        Some(known) => known,
        None => {
            let labels = labels(row.labels)?;
            let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
            session.meet(raw, KeyRef { device: row.device, metric: row.metric, labels: &labels }, None)?
        }
    };
    session.take(batch, line, known, when, value, meta)
}

fn meta<'a>(unit: Option<&'a str>, kind: Option<&str>, value: &Value, forms: &FormLimits) -> Result<Meta<'a>, Refusal> {
    unit.map_or(Ok(()), |unit| forms.unit(unit))?;
    let kind = kind.map(|text| {
        let bad = |why: String| Refusal::new(RowCode::BadKind, format!("kind `{}`{why}", shown(text.as_bytes())));
        let kind = Kind::parse(text).ok_or_else(|| bad(", expected gauge, counter, state or text".to_owned()))?;
        let value_type = value.value_type();
        if fits(kind, value_type) { Ok(kind) } else { Err(bad(format!(" does not fit a {} value", value_type.as_str()))) }
    });
    Ok(Meta { unit, kind: kind.transpose()? })
}

fn time(text: &str) -> Result<TimeNs, Refusal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return times::from_text(text.as_bytes());
    }
    // Beyond i64 it is as far from all that is taken as its ends are.
    Ok(text.parse().unwrap_or(if text.starts_with('-') { TimeNs::MIN } else { TimeNs::MAX }))
}

/// Digits alone are an integer; with a point or an exponent it is a float.
pub(super) fn number(text: &str) -> Result<Value, Refusal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let beyond = |_| Refusal::new(RowCode::ValueRange, format!("integer {} is beyond {} bits", shown(text.as_bytes()), i64::BITS));
        return text.parse().map(Value::Int).map_err(beyond);
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Ok(Value::Float(float)),
        Ok(_) => Err(Refusal::new(RowCode::NotFinite, format!("value {}, expected a finite number", shown(text.as_bytes())))),
        Err(_) => Err(bad_value(format!("value `{}`, expected a number", shown(text.as_bytes())))),
    }
}

pub(super) fn bad_value(message: impl Into<String>) -> Refusal {
    Refusal::new(RowCode::BadValue, message)
}

/// In the order of the object, names as often as they stand there.
fn labels(json: &str) -> Result<Vec<(String, String)>, Refusal> {
    if json.is_empty() {
        return Ok(Vec::new());
    }
    let pairs: Result<Pairs, _> = serde_json::from_str(json);
    let bad = |error: serde_json::Error| {
        Refusal::new(RowCode::BadLabel, format!("labels `{}`, expected a JSON object of texts: {error}", shown(json.as_bytes())))
    };
    pairs.map(|pairs| pairs.0).map_err(bad)
}

struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::<(String, String)>::new();
                // No value is no label. Left out here, so that what is compared later is bounded by how many there may be.
                while let Some(pair) = map.next_entry::<String, String>()? {
                    if !pair.1.is_empty() {
                        pairs.push(pair);
                    }
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
