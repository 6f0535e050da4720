//! Names from Telegraf and line protocol made into ours: which tag is the device, which the gateway, what the other tags and
//! the metric are called. Mapped names are made to fit, never refused for their form. Pure.

use std::borrow::Cow;

use telltale_wire::RowCode;

use super::Refusal;
use super::forms::{is_label_byte, shown};
use crate::config::Mapping;
use crate::limits::NAME_BYTES;
use crate::model::{Kind, ValueType};

/// Whether values of this type can be read as this kind. A state may be a number, a bool or a text.
#[must_use]
pub(crate) fn fits(kind: Kind, value_type: ValueType) -> bool {
    match kind {
        Kind::Gauge | Kind::Counter => value_type == ValueType::Number,
        Kind::Text => value_type == ValueType::Text,
        Kind::State => true,
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapped<'a> {
    pub(super) device: Cow<'a, str>,
    /// The box that relayed for the device.
    pub(super) gateway: Option<Cow<'a, str>>,
    /// Unique names in their form; values without control characters and not ending in a backslash.
    pub(super) labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// `rules` is `[[ingest.mapping]]`: the first that matches the measurement says which tag, and no other, names the device.
/// `only_device`: the one device a token stands for, if it stands for one.
pub(super) fn map_tags<'a>(
    rules: &[Mapping],
    measurement: &str,
    tags: &[(&'a str, &'a str)],
    only_device: Option<&'a str>,
) -> Result<Mapped<'a>, Refusal> {
    let tag = |name: &str| tags.iter().position(|(n, value)| *n == name && !made_value(value).is_empty());
    let (device, gateway) = match rules.iter().find(|rule| rule.measurement.matches(measurement)) {
        Some(rule) => (tag(&rule.device_tag), rule.gateway_tag.as_deref().and_then(tag)),
        None => match tag("device_id") {
            Some(device) => (Some(device), tag("host")),
            None => (tag("host").or_else(|| tag("device")), None),
        },
    };
    let device_id = match (device, only_device) {
        (Some(at), _) => made_value(tags[at].1),
        (None, Some(only)) => Cow::Borrowed(only),
        (None, None) => return Err(no_device(rules, measurement)),
    };
    let mut labels: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::with_capacity(tags.len());
    for (at, (name, value)) in tags.iter().enumerate() {
        let value = made_value(value);
        if Some(at) == device || Some(at) == gateway || value.is_empty() {
            continue;
        }
        let made = made_label_name(name);
        if labels.iter().any(|(other, _)| *other == made) {
            let message = format!("tag `{}` becomes the label `{made}`, and so does another tag", shown(name.as_bytes()));
            return Err(Refusal::new(RowCode::BadLabel, message));
        }
        labels.push((made, value));
    }
    Ok(Mapped { device: device_id, gateway: gateway.map(|at| made_value(tags[at].1)), labels })
}

/// `NAME.FIELD`, with `/` as `.`, for one field after the other.
#[derive(Debug)]
pub(super) struct MetricName {
    made: String,
    /// Where `NAME.` ends.
    head: usize,
}

impl MetricName {
    pub(super) fn of(measurement: &str) -> Self {
        let made: String = made_metric(measurement).chain(['.']).collect();
        Self { head: made.len(), made }
    }

    pub(super) fn head(&self) -> &str {
        &self.made[..self.head]
    }

    pub(super) fn of_field(&mut self, field: &str) -> &str {
        self.made.truncate(self.head);
        self.made.extend(made_metric(field));
        &self.made
    }

    /// For refusals, which show no more than the beginning of what is too long for a name.
    pub(super) fn cut(mut self) -> Self {
        self.made.truncate(self.made.floor_char_boundary(NAME_BYTES + 4));
        self.head = self.made.len();
        self
    }
}

fn made_metric(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !c.is_control()).map(|c| if c == '/' { '.' } else { c })
}

fn no_device(rules: &[Mapping], measurement: &str) -> Refusal {
    let expected = match rules.iter().find(|rule| rule.measurement.matches(measurement)) {
        Some(rule) => format!("tag `{}`, as [[ingest.mapping]] says", rule.device_tag),
        None => "one of the tags `device_id`, `host`, `device`".to_owned(),
    };
    let message = format!("`{}` names no device: expected {expected}, or a token for one device", shown(measurement.as_bytes()));
    Refusal::new(RowCode::NoDevice, message)
}

fn made_label_name(name: &str) -> Cow<'_, str> {
    let begins_well = name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    let prefix = if begins_well && !matches!(name, "device" | "time") { "" } else { "tag_" };
    if prefix.is_empty() && name.bytes().all(is_label_byte) {
        return Cow::Borrowed(name);
    }
    let fitting = name.chars().map(|c| if u8::try_from(c).is_ok_and(|b| b.is_ascii() && is_label_byte(b)) { c } else { '_' });
    Cow::Owned(prefix.chars().chain(fitting).collect())
}

fn made_value(value: &str) -> Cow<'_, str> {
    if !value.chars().any(char::is_control) {
        return Cow::Borrowed(value.trim_end_matches('\\'));
    }
    let kept: String = value.chars().filter(|c| !c.is_control()).collect();
    Cow::Owned(kept.trim_end_matches('\\').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::selector::Glob;

    /// `device|gateway|label=value,…` or the code.
    fn mapped(rules: &[Mapping], measurement: &str, tags: &[(&str, &str)], only: Option<&str>) -> String {
        match map_tags(rules, measurement, tags, only) {
            Ok(m) => {
                let labels: Vec<_> = m.labels.iter().map(|(n, v)| format!("{n}={v}")).collect();
                format!("{}|{}|{}", m.device, m.gateway.unwrap_or_default(), labels.join(","))
            }
            Err(refusal) => refusal.code.to_string(),
        }
    }

    #[test]
    fn tags_become_device_gateway_and_labels() {
        let rows: &[(&[(&str, &str)], &str)] = &[
            (&[("host", "h"), ("cpu", "cpu0")], "h||cpu=cpu0"),
            (&[("host", "h"), ("device", "vda")], "h||tag_device=vda"),
            (&[("device", "d"), ("path", "/")], "d||path=/"),
            (&[("device_id", "x"), ("host", "h"), ("device", "vda")], "x|h|tag_device=vda"),
            (&[("device_id", ""), ("host", "h")], "h||"),
            (&[("host", "h"), ("time", "noon")], "h||tag_time=noon"),
            (&[("host", "h"), ("_a", "1"), ("@b", "2"), ("9c", "3")], "h||tag__a=1,tag__b=2,tag_9c=3"),
            (&[("host", "h"), ("a b/ü", "1")], "h||a_b__=1"),
            (&[("host", "h\\\\"), ("a", "x\ny\\")], "h||a=xy"),
            (&[("host", "h"), ("a", "\\")], "h||"),
            (&[("host", "h"), ("a b", "1"), ("a_b", "2")], "bad_label"),
            (&[("host", "h"), ("device", "1"), ("tag_device", "2")], "bad_label"),
            (&[("cpu", "cpu0")], "no_device"),
            (&[], "no_device"),
        ];
        for (tags, expected) in rows {
            assert_eq!(mapped(&[], "m", tags, None), *expected, "{tags:?}");
        }
        assert_eq!(mapped(&[], "m", &[("cpu", "0")], Some("mine")), "mine||cpu=0");
    }

    #[test]
    fn a_rule_changes_which_tag_is_the_device() {
        let rule = |measurement: &str, gateway: Option<&str>| Mapping {
            measurement: Glob::parse(measurement).unwrap(),
            device_tag: "device".into(),
            gateway_tag: gateway.map(Into::into),
        };
        let rules = [rule("mqtt_*", Some("host")), rule("modbus", None)];
        let tags = [("host", "h"), ("device", "d"), ("x", "1")];
        assert_eq!(mapped(&rules, "mqtt_consumer", &tags, None), "d|h|x=1");
        assert_eq!(mapped(&rules, "modbus", &tags, None), "d||host=h,x=1");
        assert_eq!(mapped(&rules, "cpu", &tags, None), "h||tag_device=d,x=1");
        assert_eq!(mapped(&rules, "modbus", &[("host", "h")], None), "no_device");
    }

    #[test]
    fn metrics_are_named_by_measurement_and_field() {
        let mut disk = MetricName::of("disk");
        assert_eq!(disk.of_field("used_percent"), "disk.used_percent");
        assert_eq!(disk.of_field("free"), "disk.free");
        assert_eq!(MetricName::of("a/b").of_field("c/d\n"), "a.b.c.d");
        assert_eq!(MetricName::of("disk").cut().of_field("free"), "disk.free");
        let long = MetricName::of(&"\u{e4}".repeat(1_000)).cut();
        assert!((NAME_BYTES + 1..NAME_BYTES + 5).contains(&long.head().len()), "still longer than a name may be");
    }
}
