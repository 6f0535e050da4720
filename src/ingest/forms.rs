//! The form of names: device ids, metrics, labels, units. Pure checks, each refusal naming the thing, the value and what was
//! expected. Only a series that a connection has not met before is checked; after that its bytes are known.

use std::borrow::Cow;

use telltale_wire::RowCode;

use super::Refusal;

/// Bounds on names that a user may set (`[limits]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormLimits {
    pub name_bytes: usize,
    pub labels: usize,
    pub label_value_bytes: usize,
    pub text_bytes: usize,
}

impl Default for FormLimits {
    fn default() -> Self {
        Self::from(&crate::config::Limits::default())
    }
}

impl From<&crate::config::Limits> for FormLimits {
    fn from(limits: &crate::config::Limits) -> Self {
        let &crate::config::Limits { name_bytes, labels, label_value_bytes, text_bytes, .. } = limits;
        Self { name_bytes, labels, label_value_bytes, text_bytes }
    }
}

impl FormLimits {
    pub fn device(&self, device: &str) -> Result<(), Refusal> {
        if device.is_empty() {
            return Err(Refusal::new(RowCode::BadDevice, "the device id is empty"));
        }
        self.name("device id", device, RowCode::BadDevice)
    }

    pub fn metric(&self, metric: &str) -> Result<(), Refusal> {
        if metric.is_empty() {
            return Err(Refusal::new(RowCode::BadMetric, "the metric name is empty"));
        }
        if metric.contains('/') {
            return Err(Refusal::new(RowCode::BadMetric, format!("metric {}: `/` is not allowed", quoted(metric))));
        }
        self.name("metric", metric, RowCode::BadMetric)
    }

    pub fn unit(&self, unit: &str) -> Result<(), Refusal> {
        self.name("unit", unit, RowCode::BadMetric)
    }

    /// So many bytes of a text value.
    pub fn text(&self, bytes: usize) -> Result<(), Refusal> {
        if bytes <= self.text_bytes {
            return Ok(());
        }
        let message = format!("a text of {bytes} bytes, at most {} ([limits] text_bytes)", self.text_bytes);
        Err(Refusal::new(RowCode::LimitText, message))
    }

    /// All labels of a reading; empty values mean absent and count for nothing.
    pub fn labels(&self, labels: &[(&str, &str)]) -> Result<(), Refusal> {
        let present = labels.iter().filter(|(_, value)| !value.is_empty()).count();
        if present > self.labels {
            return Err(too_many_labels(present, self.labels));
        }
        for (i, (name, value)) in labels.iter().enumerate() {
            self.label(name, value)?;
            if labels[..i].iter().any(|(other, _)| other == name) {
                return Err(Refusal::new(RowCode::BadLabel, format!("label {} is given twice", quoted(name))));
            }
        }
        Ok(())
    }

    fn label(&self, name: &str, value: &str) -> Result<(), Refusal> {
        if name.len() > self.name_bytes {
            return Err(self.too_long("label name", name, self.name_bytes));
        }
        if matches!(name, "device" | "time") {
            return Err(Refusal::new(RowCode::BadLabel, format!("label {}: this name has its own place", quoted(name))));
        }
        if !is_label_name(name) {
            let expected = "a letter, then letters, digits, `_`, `.`, `-`";
            return Err(Refusal::new(RowCode::BadLabel, format!("label name {}: expected {expected}", quoted(name))));
        }
        if value.len() > self.label_value_bytes {
            return Err(self.too_long(&format!("label {}", quoted(name)), value, self.label_value_bytes));
        }
        if value.chars().any(char::is_control) {
            return Err(Refusal::new(RowCode::BadLabel, format!("label {}: a control character in {}", quoted(name), quoted(value))));
        }
        if value.ends_with('\\') {
            return Err(Refusal::new(RowCode::BadLabel, format!("label {}: {} ends in a backslash", quoted(name), quoted(value))));
        }
        Ok(())
    }

    fn name(&self, what: &str, name: &str, code: RowCode) -> Result<(), Refusal> {
        if name.len() > self.name_bytes {
            return Err(self.too_long(what, name, self.name_bytes));
        }
        if name.chars().any(char::is_control) {
            return Err(Refusal::new(code, format!("{what} {}: control characters are not allowed", quoted(name))));
        }
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "reads as one of the checks")]
    fn too_long(&self, what: &str, name: &str, max: usize) -> Refusal {
        Refusal::new(RowCode::LimitName, format!("{what} {}: {} bytes, at most {max}", quoted(name), name.len()))
    }
}

pub(super) fn too_many_labels(labels: usize, max: usize) -> Refusal {
    Refusal::new(RowCode::LimitLabels, format!("{labels} labels, at most {max}"))
}

/// `[A-Za-z_][A-Za-z0-9_.-]*`, and names that begin with `_` are kept back for the hub.
pub(super) fn is_label_name(name: &str) -> bool {
    name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && name.bytes().all(is_label_byte)
}

pub(super) fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// The beginning of a name, for messages: long ones would fill the answer.
const SHOWN_BYTES: usize = 64;

fn quoted(text: &str) -> String {
    format!("`{}`", shown(text.as_bytes()))
}

/// Bytes from a peer as they may stand in a message: cut, control characters escaped, bad UTF-8 replaced.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let text: Cow<'_, str> = String::from_utf8_lossy(cut);
    let mut shown = String::with_capacity(text.len() + 3);
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if cut.len() < bytes.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn labels_have_their_form() {
        let rows: &[(&str, &str, Option<RowCode>)] = &[
            ("cpu", "cpu0", None),
            ("a.b-c_9", "x y/ü", None),
            ("", "x", Some(RowCode::BadLabel)),
            ("9a", "x", Some(RowCode::BadLabel)),
            ("_a", "x", Some(RowCode::BadLabel)),
            ("@a", "x", Some(RowCode::BadLabel)),
            ("a b", "x", Some(RowCode::BadLabel)),
            ("ä", "x", Some(RowCode::BadLabel)),
            ("device", "x", Some(RowCode::BadLabel)),
            ("time", "x", Some(RowCode::BadLabel)),
            ("a", "x\\", Some(RowCode::BadLabel)),
            ("a", "\\x", None),
            ("a", "x\n", Some(RowCode::BadLabel)),
            ("a", "x\u{85}", Some(RowCode::BadLabel)),
        ];
        for (name, value, code) in rows {
            let got = FormLimits::default().labels(&[(name, value)]).err().map(|r| r.code);
            assert_eq!(got, *code, "{name:?}={value:?}");
        }
        let long = "x".repeat(limits::LABEL_VALUE_BYTES + 1);
        assert_eq!(FormLimits::default().labels(&[("a", &long)]).unwrap_err().code, RowCode::LimitName);
        assert_eq!(FormLimits::default().labels(&[(&long, "a")]).unwrap_err().code, RowCode::LimitName);
        assert_eq!(FormLimits::default().labels(&[("a", "1"), ("a", "2")]).unwrap_err().code, RowCode::BadLabel);
        let few = FormLimits { labels: 1, ..FormLimits::default() };
        assert_eq!(few.labels(&[("a", "1"), ("b", "2")]).unwrap_err().code, RowCode::LimitLabels);
        few.labels(&[("a", "1"), ("b", "")]).unwrap();
    }

    #[test]
    fn a_message_shows_the_beginning_of_a_long_name() {
        assert_eq!(shown(b"a\x07b"), "a\\u{7}b");
        assert_eq!(shown(&[0xff, b'x']), "\u{fffd}x");
        assert!(shown(&[b'x'; 100_000]).len() < 80);
    }
}
