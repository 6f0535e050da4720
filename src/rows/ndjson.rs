//! NDJSON: one object a line.

use std::borrow::Cow;

use memchr::memchr;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::take::{BOM, Row, bad_value, number, take};
use crate::ingest::session::{Deciding, Session};
use crate::ingest::{Refusal, shown};
use crate::model::Value;

#[derive(Debug, Default)]
pub struct Ndjson {
    lines: u32,
    raw: Vec<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object<'a> {
    #[serde(borrow)]
    device: Cow<'a, str>,
    #[serde(borrow)]
    metric: Cow<'a, str>,
    #[serde(borrow, default)]
    labels: Option<&'a RawValue>,
    #[serde(borrow)]
    time: &'a RawValue,
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    kind: Option<String>,
}

impl Ndjson {
    pub(super) fn decide(&mut self, session: &mut Session, batch: &mut Deciding, buf: &[u8], is_last: bool) -> usize {
        let full = session.door().batch_readings;
        let mut at = 0;
        while at < buf.len() && batch.len() < full {
            let end = match memchr(b'\n', &buf[at..]) {
                Some(n) => at + n,
                None if is_last => buf.len(),
                None => break,
            };
            self.lines += 1;
            let line = &buf[at..end];
            let line = if self.lines == 1 { line.strip_prefix(BOM).unwrap_or(line) } else { line };
            at = (end + 1).min(buf.len());
            if !line.iter().all(u8::is_ascii_whitespace) {
                self.object(session, batch, line);
            }
        }
        at
    }

    fn object(&mut self, session: &mut Session, batch: &mut Deciding, line: &[u8]) {
        // By itself serde takes an array for a struct too, by the order of its fields.
        let is_object = line.trim_ascii_start().first() == Some(&b'{');
        let read =
            if is_object { serde_json::from_slice(line).map_err(|error| error.to_string()) } else { Err("expected an object".to_owned()) };
        let object: Object<'_> = match read {
            Ok(object) => object,
            Err(why) => {
                let refusal = bad_value(format!("unable to read '{}': {why}", shown(line)));
                return batch.refuse(self.lines, &[], None, refusal);
            }
        };
        let row = Row {
            device: &object.device,
            metric: &object.metric,
            labels: object.labels.map_or("", RawValue::get),
            time: object.time.get().trim_matches('"'),
            value: value(object.value.get()),
            unit: object.unit.as_deref(),
            kind: object.kind.as_deref(),
        };
        take(session, batch, &mut self.raw, self.lines, row);
    }
}

fn value(json: &str) -> Result<Value, Refusal> {
    match json.as_bytes().first() {
        Some(b'"') => {
            let text: Result<Cow<'_, str>, _> = serde_json::from_str(json);
            text.map(|text| Value::Text(text.as_ref().into())).map_err(|error| bad_value(format!("the text: {error}")))
        }
        Some(b't') => Ok(Value::Bool(true)),
        Some(b'f') => Ok(Value::Bool(false)),
        Some(b'-' | b'0'..=b'9') => number(json),
        _ => Err(bad_value(format!("value {}, expected a number, a bool or a text", shown(json.as_bytes())))),
    }
}
