//! Writes readings as lines. The names of a series are made into text once; a reading adds its time and value.

use serde::Serialize;

use super::RowFormat;
#[cfg(feature = "parquet")]
use super::parquet::write::{Cell, Names, Sheet};
use crate::model::{Kind, Labels, SeriesKey, TimeNs, Value, ValueType};

/// The first line of CSV.
pub const COLUMNS: [&str; 8] = ["device", "metric", "labels", "time", "value", "type", "unit", "kind"];

/// What is said of a series beside its name, as far as somebody told it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told<'a> {
    pub unit: Option<&'a str>,
    pub kind: Option<Kind>,
}

#[derive(Debug)]
pub struct Writer {
    pub out: Vec<u8>,
    format: RowFormat,
    /// What stands before time (line protocol: before the value) and after the value of each line.
    before: Vec<u8>,
    after: Vec<u8>,
    #[cfg(feature = "parquet")]
    sheet: Option<Box<Sheet>>,
}

impl Writer {
    #[must_use]
    pub fn new(format: RowFormat) -> Self {
        let mut out = Vec::new();
        if format == RowFormat::Csv {
            out.extend_from_slice(COLUMNS.join(",").as_bytes());
            out.push(b'\n');
        }
        Self {
            out,
            format,
            before: Vec::new(),
            after: Vec::new(),
            #[cfg(feature = "parquet")]
            sheet: (format == RowFormat::Parquet).then(|| Box::new(Sheet::new([("value", Cell::Any)]))),
        }
    }

    /// The points that follow are of this series.
    pub fn series(&mut self, key: &SeriesKey, value_type: ValueType, told: Told<'_>) {
        let (before, after) = (&mut self.before, &mut self.after);
        before.clear();
        after.clear();
        match self.format {
            RowFormat::Csv => {
                let labels = serde_json::to_string(&LabelMap(&key.labels)).expect("a map of texts is JSON");
                for text in [&*key.device, &*key.metric, &labels] {
                    put_csv(before, text);
                    before.push(b',');
                }
                after.push(b',');
                after.extend_from_slice(value_type.as_str().as_bytes());
                for text in [told.unit.unwrap_or_default(), told.kind.map_or("", Kind::as_str)] {
                    after.push(b',');
                    if !text.is_empty() {
                        put_csv(after, text);
                    }
                }
                after.push(b'\n');
            }
            RowFormat::Ndjson => {
                before.extend_from_slice(b"{\"device\":");
                put_json(before, &*key.device);
                before.extend_from_slice(b",\"metric\":");
                put_json(before, &*key.metric);
                before.extend_from_slice(b",\"labels\":");
                put_json(before, &LabelMap(&key.labels));
                before.extend_from_slice(b",\"time\":");
                if let Some(unit) = told.unit {
                    after.extend_from_slice(b",\"unit\":");
                    put_json(after, unit);
                }
                if let Some(kind) = told.kind {
                    after.extend_from_slice(b",\"kind\":");
                    put_json(after, kind.as_str());
                }
                after.extend_from_slice(b"}\n");
            }
            RowFormat::Lines => {
                line_head(before, key);
                before.push(b' ');
                before.extend_from_slice(field(value_type).as_bytes());
                before.push(b'=');
            }
            #[cfg(feature = "parquet")]
            RowFormat::Parquet => {
                let labels = serde_json::to_string(&LabelMap(&key.labels)).expect("a map of texts is JSON");
                let (device, metric, kind) = (&*key.device, &*key.metric, told.kind.map(Kind::as_str));
                if let Some(sheet) = &mut self.sheet {
                    sheet.series(Names { device, metric, labels: &labels, unit: told.unit, kind });
                }
            }
        }
    }

    pub fn point(&mut self, time: TimeNs, value: &Value) {
        #[cfg(feature = "parquet")]
        if let Some(sheet) = &mut self.sheet {
            return sheet.row(time, [Some(value)]);
        }
        let out = &mut self.out;
        out.extend_from_slice(&self.before);
        match self.format {
            RowFormat::Csv => {
                put_time(out, time);
                out.push(b',');
                match value {
                    Value::Text(text) => put_csv(out, text),
                    other => put_bare(out, other),
                }
            }
            RowFormat::Ndjson => {
                put_time(out, time);
                out.extend_from_slice(b",\"value\":");
                match value {
                    Value::Text(text) => put_json(out, &**text),
                    other => put_bare(out, other),
                }
            }
            RowFormat::Lines => {
                match value {
                    Value::Text(text) => quoted(out, text),
                    other => put_bare(out, other),
                }
                if matches!(value, Value::Int(_)) {
                    out.push(b'i');
                }
                out.push(b' ');
                put_time(out, time);
                out.push(b'\n');
            }
            #[cfg(feature = "parquet")]
            RowFormat::Parquet => {}
        }
        out.extend_from_slice(&self.after);
    }

    /// What is ready to be sent on. Columns become ready some megabytes at once.
    pub fn take(&mut self, enough: usize) -> Option<Vec<u8>> {
        #[cfg(feature = "parquet")]
        if let Some(sheet) = &mut self.sheet {
            return Some(sheet.out()).filter(|out| !out.is_empty());
        }
        (self.out.len() >= enough.max(1)).then(|| {
            let next = Vec::with_capacity(self.out.capacity());
            std::mem::replace(&mut self.out, next)
        })
    }

    /// To be called after the last point.
    pub fn finish(&mut self) {
        #[cfg(feature = "parquet")]
        if let Some(sheet) = &mut self.sheet {
            sheet.finish();
        }
    }
}

/// Why this form cannot name the series; None: it can.
#[must_use]
pub fn unsayable(format: RowFormat, key: &SeriesKey) -> Option<&'static str> {
    match format {
        RowFormat::Csv | RowFormat::Ndjson => None,
        #[cfg(feature = "parquet")]
        RowFormat::Parquet => None,
        RowFormat::Lines if key.metric.starts_with('#') => Some("a line that begins with `#` is a comment"),
        RowFormat::Lines if key.metric.ends_with('\\') || key.device.ends_with('\\') => {
            Some("a backslash at the end of a name escapes what follows")
        }
        RowFormat::Lines => None,
    }
}

/// The one field of a line.
#[must_use]
pub fn field(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Number => "value",
        ValueType::Bool => "bool",
        ValueType::Text => "text",
    }
}

struct LabelMap<'a>(&'a Labels);

impl Serialize for LabelMap<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

fn line_head(out: &mut Vec<u8>, key: &SeriesKey) {
    escaped(out, &key.metric, b", ");
    let mut tags: Vec<(&str, &str)> = key.labels.iter().chain([("device", &*key.device)]).collect();
    // As InfluxDB sorts them, so that it need not.
    tags.sort_unstable();
    for (name, value) in tags {
        out.push(b',');
        escaped(out, name, b",= ");
        out.push(b'=');
        escaped(out, value, b",= ");
    }
}

fn escaped(out: &mut Vec<u8>, text: &str, what: &[u8]) {
    for byte in text.bytes() {
        if what.contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn put_time(out: &mut Vec<u8>, time: TimeNs) {
    out.extend_from_slice(itoa::Buffer::new().format(time).as_bytes());
}

/// A number or bool. Ints stay ints; floats have a point or an exponent, and the shortest form that reads back as the same float.
fn put_bare(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Int(i) => out.extend_from_slice(itoa::Buffer::new().format(*i).as_bytes()),
        Value::Float(f) => put_json(out, f),
        Value::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        Value::Text(_) => debug_assert!(false, "each form has its own way to write texts"),
    }
}

fn put_json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("texts, numbers and maps of them are JSON, and writing to a Vec does not fail");
}

/// RFC 4180: quoted where it must be.
pub fn put_csv(out: &mut Vec<u8>, text: &str) {
    // An empty text is quoted to tell it from a value that is not there.
    if !text.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}
