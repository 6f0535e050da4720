//! Readings as line protocol: the measurement is the metric; tags are the device, the labels and the series' id; the field says the
//! type. What line protocol cannot say in a name is said otherwise: the id is what readings are found by, names are for people.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{BufMut as _, BytesMut};

use crate::model::{SeriesId, SeriesKey, TimeNs, Value, ValueType};

/// How rows name their series. InfluxDB renames nothing, so a data directory keeps to the form that it began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// That of the first builds.
    Long = 1,
    /// InfluxDB reads the name of a tag five times over, and every line has the hub's id.
    Short = 2,
}

impl Form {
    /// Of a data directory without rows.
    pub(super) const NEWEST: Self = Self::Short;
    pub(super) const ALL: [Self; 2] = [Self::Long, Self::Short];
}

/// The tag of a series: of this hub alone, for a bucket may hold what one with another data directory wrote. Ids are never used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) form: Form,
    hub: Arc<str>,
}

impl Names {
    #[must_use]
    pub(super) fn new(form: Form, hub_id: &str) -> Self {
        let hub = match (form, u64::from_str_radix(hub_id, 16)) {
            // 64 bits, told elsewhere as hexadecimal.
            (Form::Short, Ok(id)) => URL_SAFE_NO_PAD.encode(id.to_be_bytes()).into(),
            _ => hub_id.into(),
        };
        Self { form, hub }
    }

    /// One that no label can have: a delete cannot say "without this tag".
    #[must_use]
    pub(super) fn tag(&self) -> &'static str {
        match self.form {
            Form::Long => "series:id",
            Form::Short => "id:",
        }
    }

    #[must_use]
    pub(super) fn of(&self, id: SeriesId) -> String {
        format!("{}.{}", self.hub, id.0)
    }
}

/// The CSV of Flux drops carriage returns, so they are stored as a mark and a letter; the mark itself as two. An empty text is stored
/// as a mark and a letter too: Flux 0.196.1 gives other values in its place (influxdb#26916).
const MARK: char = '\u{e00d}';
const MARKED: &str = "\u{e00d}\u{e00d}";
const RETURN: &str = "\u{e00d}r";
const EMPTY: &str = "\u{e00d}e";

/// As wide as a letter of Chinese: in names, where the usual one would be lost or escape something.
const BACKSLASH: &str = "\u{ff3c}";

/// A text as it was, of what the CSV of Flux has of it: newlines come with a carriage return.
#[must_use]
pub(super) fn text(told: &str) -> String {
    let mut text = String::with_capacity(told.len());
    let mut chars = told.chars();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {}
            MARK => match chars.next() {
                Some('r') => text.push('\r'),
                Some('e') => {}
                _ => text.push(MARK),
            },
            _ => text.push(c),
        }
    }
    text
}

#[must_use]
pub(super) fn field(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Number => "value",
        ValueType::Bool => "bool",
        ValueType::Text => "text",
    }
}

/// The measurement of a metric. A line that begins with `#` is a comment to InfluxDB; and of one with a backslash before `,`, `=`, `"` or a
/// space 2.7.12 takes readings, and no query finds them again.
#[must_use]
pub(super) fn measurement(metric: &str) -> String {
    let begins = if metric.starts_with('#') { "\\" } else { "" };
    let mut name = visible(metric);
    for escaped in [",", "=", " ", "\""] {
        name = name.replace(&format!("\\{escaped}"), &format!("{BACKSLASH}{escaped}"));
    }
    format!("{begins}{name}")
}

/// What all lines of a series begin with, up to its value.
#[must_use]
pub(super) fn head(names: &Names, key: &SeriesKey, id: SeriesId, value_type: ValueType) -> Box<str> {
    let mut head = String::new();
    escaped(&mut head, &measurement(&key.metric), false);
    let mut tags: Vec<(&str, String)> = key.labels.iter().map(|(name, value)| (name, visible(value))).collect();
    tags.push(("device", visible(&key.device)));
    tags.push((names.tag(), names.of(id)));
    // As InfluxDB sorts them, so that it need not.
    tags.sort();
    for (name, value) in tags {
        head.push(',');
        escaped(&mut head, name, true);
        head.push('=');
        escaped(&mut head, &value, true);
    }
    head.push(' ');
    head.push_str(field(value_type));
    head.push('=');
    head.into()
}

pub(super) fn point(out: &mut BytesMut, head: &str, value: &Value, time: TimeNs) {
    out.extend_from_slice(head.as_bytes());
    match value {
        Value::Float(f) => out.extend_from_slice(zmij::Buffer::new().format_finite(*f).as_bytes()),
        #[expect(clippy::cast_precision_loss, reason = "the door refuses integers beyond 2^53 for this store")]
        Value::Int(i) => out.extend_from_slice(zmij::Buffer::new().format_finite(*i as f64).as_bytes()),
        Value::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        Value::Text(text) => quoted(out, text),
    }
    out.put_u8(b' ');
    out.extend_from_slice(itoa::Buffer::new().format(time).as_bytes());
    out.put_u8(b'\n');
}

fn quoted(out: &mut BytesMut, text: &str) {
    out.put_u8(b'"');
    if text.is_empty() {
        out.extend_from_slice(EMPTY.as_bytes());
    }
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
            '\r' => out.extend_from_slice(RETURN.as_bytes()),
            MARK => out.extend_from_slice(MARKED.as_bytes()),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.put_u8(b'"');
}

/// A backslash at the end would escape what follows, and nothing escapes it.
fn visible(text: &str) -> String {
    let kept = text.trim_end_matches('\\');
    let last = BACKSLASH.repeat(text.len() - kept.len());
    format!("{kept}{last}")
}

fn escaped(out: &mut String, text: &str, is_tag: bool) {
    for c in text.chars() {
        if matches!(c, ',' | ' ') || (is_tag && c == '=') {
            out.push('\\');
        }
        out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Labels;

    fn said(device: &str, metric: &str, labels: &[(&str, &str)], value: &Value) -> String {
        let key = SeriesKey { device: device.into(), metric: metric.into(), labels: Labels::from_pairs(labels.iter().copied()) };
        let mut out = BytesMut::new();
        point(&mut out, &head(&Names::new(Form::Short, "hub"), &key, SeriesId(7), value.value_type()), value, 5);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn a_text_survives_the_csv_of_flux() {
        let of = ["a\r\nb", "\r", "\u{e00d}r", "\u{e00d}e", "e", "\u{e00d}\u{e00d}\r", "\n\n", ""];
        for text in of {
            let line = said("d", "m", &[], &Value::Text(text.into()));
            let stored = line.split_once('"').unwrap().1.rsplit_once('"').unwrap().0;
            let told: String = stored.replace('\n', "\r\n");
            assert_eq!(super::text(&told), text);
        }
    }

    #[test]
    fn a_series_has_its_tag_in_the_form_of_its_data_directory() {
        for (form, hub_id, tag, expected) in [
            (Form::Short, "de363011a3893cb1", "id:", "3jYwEaOJPLE.7"),
            (Form::Short, "ffffffffffffffff", "id:", "__________8.7"),
            (Form::Long, "de363011a3893cb1", "series:id", "de363011a3893cb1.7"),
        ] {
            let names = Names::new(form, hub_id);
            assert_eq!((names.tag(), &*names.of(SeriesId(7))), (tag, expected));
        }
        let key = SeriesKey { device: "d".into(), metric: "m".into(), labels: Labels::from_pairs([("z", "1")]) };
        let head = head(&Names::new(Form::Long, "hub"), &key, SeriesId(7), ValueType::Bool);
        assert_eq!(&*head, "m,device=d,series:id=hub.7,z=1 bool=");
    }

    #[test]
    fn readings_are_lines() {
        let rows = [
            (said("d", "m", &[], &Value::Float(1.0)), "m,device=d,id:=hub.7 value=1.0 5\n"),
            (said("d", "m", &[], &Value::Int(-3)), "m,device=d,id:=hub.7 value=-3.0 5\n"),
            (said("d", "m", &[], &Value::Float(1e300)), "m,device=d,id:=hub.7 value=1e+300 5\n"),
            (said("d", "m", &[], &Value::Text("".into())), "m,device=d,id:=hub.7 text=\"\u{e00d}e\" 5\n"),
            (said("d", "m", &[], &Value::Bool(true)), "m,device=d,id:=hub.7 bool=true 5\n"),
            (said("d", "m", &[], &Value::Text("a \"b\"\\\n".into())), "m,device=d,id:=hub.7 text=\"a \\\"b\\\"\\\\\n\" 5\n"),
            (
                said("a b,c=d", "m n,o=p", &[("z", "1"), ("a", "=, ")], &Value::Bool(false)),
                "m\\ n\\,o=p,a=\\=\\,\\ ,device=a\\ b\\,c\\=d,id:=hub.7,z=1 bool=false 5\n",
            ),
            (
                said("d\\=", "m\\=n\\,o\\ p\\q\\\"r", &[], &Value::Bool(true)),
                "m\u{ff3c}=n\u{ff3c}\\,o\u{ff3c}\\ p\\q\u{ff3c}\"r,device=d\\\\=,id:=hub.7 bool=true 5\n",
            ),
            (said("c:\\", "#m\\", &[], &Value::Bool(false)), "\\#m\u{ff3c},device=c:\u{ff3c},id:=hub.7 bool=false 5\n"),
        ];
        for (found, expected) in rows {
            assert_eq!(found, expected);
        }
    }
}
