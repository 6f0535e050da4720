//! One line of JSON -> readings. The shapes are those of the hub's plain way:
//! `{device, metric, value, time?, labels?, unit?, kind?}`, `{device, time?, labels?, values: {metric: value}, units?}`, or an
//! array of them. What the hub would refuse for its form is refused here, with the same words, since here the line is known.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value as Json;
use serde_json::value::RawValue;
use telltale_sdk::{Kind, Reading, Value, is_rfc3339};

use crate::config::nearest;

const READING_KEYS: [&str; 7] = ["device", "metric", "value", "time", "labels", "unit", "kind"];
const ROW_KEYS: [&str; 5] = ["device", "time", "labels", "values", "units"];
/// 2000-01-01 in nanoseconds: an earlier time is a mistake in the unit.
const TIME_MIN_NS: i64 = 946_684_800_000_000_000;

/// What an object holds, as it is written: a number is read from its own digits, since serde_json may miss a float by its last bit, and
/// takes an integer that is too large for a float.
type Object<'a> = BTreeMap<String, &'a RawValue>;

/// Adds the line's readings; an empty line has none. What is good of a bad line is added too; the first error is told.
pub(crate) fn parse(line: &[u8], now_ns: i64, readings: &mut Vec<Reading>) -> Result<(), String> {
    if line.trim_ascii().is_empty() {
        return Ok(());
    }
    let not_json = |error: serde_json::Error| format!("not JSON: {error}");
    let line: &RawValue = serde_json::from_slice(line).map_err(not_json)?;
    if !line.get().starts_with('[') {
        return one(line, now_ns, readings);
    }
    let items: Vec<&RawValue> = serde_json::from_str(line.get()).map_err(not_json)?;
    let mut first_error = Ok(());
    for (index, item) in items.into_iter().enumerate() {
        first_error = first_error.and(one(item, now_ns, readings).map_err(|reason| format!("[{index}]: {reason}")));
    }
    first_error
}

fn one(item: &RawValue, now_ns: i64, readings: &mut Vec<Reading>) -> Result<(), String> {
    let Some(mut map) = object(item)? else {
        return Err(format!("expected an object {{device, metric, value}} or {{device, values}}, found {}", name_of(&json(item)?)));
    };
    let row = map.contains_key("values");
    let known: &[&str] = if row { &ROW_KEYS } else { &READING_KEYS };
    if let Some(unknown) = map.keys().find(|key| !known.contains(&key.as_str())) {
        let nearest = nearest(unknown, known.iter().copied()).unwrap_or_default();
        return Err(format!("unknown_field: {unknown:?}; the nearest known one is {nearest:?}"));
    }
    let device = text(Some(map.remove("device").ok_or("no_device: \"device\" is missing")?), "device", "bad_device")?;
    let time_ns = map.remove("time").map_or(Ok(now_ns), |time| parse_time(&json(time)?))?;
    let labels = told_of(map.remove("labels"))?.map_or(Ok(Vec::new()), parse_labels)?;
    if row { self::row(map, &device, time_ns, &labels, readings) } else { reading(map, device, time_ns, labels, readings) }
}

/// None: it is something else.
fn object(raw: &RawValue) -> Result<Option<Object<'_>>, String> {
    let is_object = raw.get().starts_with('{');
    is_object.then(|| serde_json::from_str(raw.get())).transpose().map_err(|error| format!("not JSON: {error}"))
}

fn json(raw: &RawValue) -> Result<Json, String> {
    serde_json::from_str(raw.get()).map_err(|error| format!("not JSON: {error}"))
}

/// Null says as much as nothing.
fn told_of(raw: Option<&RawValue>) -> Result<Option<Json>, String> {
    Ok(raw.map(json).transpose()?.filter(|json| !json.is_null()))
}

fn reading(
    mut map: Object<'_>,
    device: String,
    time_ns: i64,
    labels: Vec<(String, String)>,
    readings: &mut Vec<Reading>,
) -> Result<(), String> {
    let metric = text(map.remove("metric"), "metric", "bad_metric")?;
    let value = parse_value(map.remove("value").ok_or("bad_value: \"value\" is missing")?, "value")?;
    let unit = parse_unit(map.remove("unit"))?;
    let kind = told_of(map.remove("kind"))?.map(|kind| parse_kind(&kind)).transpose()?;
    readings.push(Reading { device, metric, labels, time: Some(time_ns), value, unit, kind });
    Ok(())
}

fn row(mut map: Object<'_>, device: &str, time_ns: i64, labels: &[(String, String)], readings: &mut Vec<Reading>) -> Result<(), String> {
    let not_object = |other: &Json| format!("bad_metric: \"units\" is {}, expected an object {{metric: unit}}", name_of(other));
    let mut units = match map.remove("units").filter(|units| units.get() != "null") {
        None => Object::new(),
        Some(units) => object(units)?.ok_or_else(|| json(units).map_or_else(|error| error, |other| not_object(&other)))?,
    };
    let Some(values) = map.remove("values").map(object).transpose()?.flatten() else {
        return Err("bad_value: \"values\" is not an object {metric: value}".to_owned());
    };
    let mut first_error = Ok(());
    for (metric, value) in values {
        match parse_unit(units.remove(&metric)).and_then(|unit| Ok((unit, parse_value(value, &metric)?))) {
            Ok((unit, value)) => {
                let (device, labels) = (device.to_owned(), labels.to_vec());
                readings.push(Reading { device, metric, labels, time: Some(time_ns), value, unit, kind: None });
            }
            // As in the hub, the others are kept.
            Err(error) => first_error = first_error.and(Err(error)),
        }
    }
    // The unit of a metric that the row does not have is passed over, as the hub does.
    first_error
}

/// An empty one takes away what was told before.
fn parse_unit(unit: Option<&RawValue>) -> Result<Option<String>, String> {
    match told_of(unit)? {
        None => Ok(None),
        Some(Json::String(unit)) => Ok(Some(unit)),
        Some(other) => Err(format!("bad_metric: \"unit\" is {}, expected text", name_of(&other))),
    }
}

fn text(value: Option<&RawValue>, key: &str, code: &str) -> Result<String, String> {
    match value.map(json).transpose()? {
        Some(Json::String(text)) if !text.is_empty() => Ok(text),
        Some(Json::String(_)) => Err(format!("{code}: {key:?} is empty")),
        Some(other) => Err(format!("{code}: {key:?} is {}, expected text", name_of(&other))),
        None => Err(format!("{code}: {key:?} is missing")),
    }
}

fn parse_value(value: &RawValue, key: &str) -> Result<Value, String> {
    if value.get().starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return number(value.get(), key);
    }
    match json(value)? {
        Json::Bool(bool) => Ok(Value::Bool(bool)),
        Json::String(text) => Ok(Value::Text(text)),
        other => Err(format!("bad_value: {key:?} is {}, expected a number, true, false or text", name_of(&other))),
    }
}

/// Digits alone are an integer; with a point or an exponent it is a float, the nearest there is.
fn number(text: &str, key: &str) -> Result<Value, String> {
    if !text.contains(['.', 'e', 'E']) {
        let beyond = |_| format!("value_range: {key:?} is {text}, an integer is from {} to {}", i64::MIN, i64::MAX);
        return text.parse().map(Value::Int).map_err(beyond);
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Ok(Value::Float(float)),
        _ => Err(format!("not_finite: {key:?} is {text}")),
    }
}

/// An integer of nanoseconds, or RFC 3339 with an offset.
fn parse_time(time: &Json) -> Result<i64, String> {
    let bad = |what: String| Err(format!("bad_time: {what}"));
    match time {
        Json::String(text) => match told(text) {
            Some(ns) if ns < i128::from(TIME_MIN_NS) => bad(format!("{text:?} is before 2000-01-01")),
            Some(ns) => {
                i64::try_from(ns).map_err(|_| format!("time_ahead: {text:?} is beyond what 64 bits of nanoseconds tell, the year 2262"))
            }
            None => bad(format!("{text:?} is not RFC 3339 with an offset, such as \"2026-11-23T12:00:00Z\"")),
        },
        Json::Number(number) => match number.as_i64() {
            Some(ns) if ns >= TIME_MIN_NS => Ok(ns),
            Some(small) => bad(format!("{small} is before 2000-01-01; nanoseconds are expected{}", looks_like(small))),
            None => bad(format!("{number}: an integer of nanoseconds is expected")),
        },
        other => bad(format!("\"time\" is {}, expected an integer of nanoseconds or RFC 3339 text", name_of(other))),
    }
}

/// In nanoseconds since 1970. The calendar reads more than the RFC has, and a leap second as another time.
fn told(text: &str) -> Option<i128> {
    let time: Timestamp = Some(text).filter(|text| is_rfc3339(text.as_bytes()))?.parse().ok()?;
    Some(time.as_nanosecond())
}

fn looks_like(time: i64) -> &'static str {
    match time {
        946_684_800..=4_102_444_800 => ", this looks like seconds",
        946_684_800_000..=4_102_444_800_000 => ", this looks like milliseconds",
        946_684_800_000_000..=4_102_444_800_000_000 => ", this looks like microseconds",
        _ => "",
    }
}

fn parse_labels(labels: Json) -> Result<Vec<(String, String)>, String> {
    let Json::Object(labels) = labels else {
        return Err(format!("bad_label: \"labels\" is {}, expected an object {{name: text}}", name_of(&labels)));
    };
    let pair = |(name, value): (String, Json)| match value {
        Json::String(value) => Ok((name, value)),
        other => Err(format!("bad_label: {name:?} is {}, expected text", name_of(&other))),
    };
    // An empty value means that the label is absent.
    labels.into_iter().map(pair).filter(|pair| pair.as_ref().map_or(true, |(_, value)| !value.is_empty())).collect()
}

fn parse_kind(kind: &Json) -> Result<Kind, String> {
    let known = kind.as_str().and_then(Kind::from_name);
    known.ok_or_else(|| format!("bad_kind: {kind}, expected one of {}", Kind::NAMES.join(", ")))
}

fn name_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_396_030_000_000_000;

    fn read(line: &str) -> Result<Vec<Reading>, String> {
        let mut readings = Vec::new();
        parse(line.as_bytes(), NOW, &mut readings).map(|()| readings)
    }

    #[test]
    fn shapes() {
        let reading = Reading::new("pump-1", "temp", 21.5).at(NOW);
        assert_eq!(read(r#"{"device":"pump-1","metric":"temp","value":21.5}"#).unwrap(), std::slice::from_ref(&reading));
        assert_eq!(
            read(r#"{"value":7,"labels":{"a":"1","gone":""},"metric":"turns","kind":"counter","unit":"U","time":1795396030123456789,"device":"p"}"#)
                .unwrap(),
            [Reading::new("p", "turns", 7).label("a", "1").kind(Kind::Counter).unit("U").at(1_795_396_030_123_456_789)]
        );
        assert_eq!(
            read(r#"{"device":"p","time":"2026-11-23T01:07:10.5+01:00","values":{"a":1,"b":true,"c":"on","d":1.0},"units":{"a":"B"}}"#)
                .unwrap(),
            [
                Reading::new("p", "a", 1).unit("B").at(1_795_392_430_500_000_000),
                Reading::new("p", "b", true).at(1_795_392_430_500_000_000),
                Reading::new("p", "c", "on").at(1_795_392_430_500_000_000),
                Reading::new("p", "d", 1.0).at(1_795_392_430_500_000_000),
            ]
        );
        assert_eq!(read(r#"[{"device":"pump-1","metric":"temp","value":21.5}]"#).unwrap(), [reading]);
        assert_eq!(read("").unwrap(), []);
        assert_eq!(read("[]").unwrap(), []);
        assert_eq!(
            read(r#"{"device":"p","labels":null,"values":{"a":1,"b":2},"units":{"a":null,"b":"","gone":"V"}}"#).unwrap(),
            [Reading::new("p", "a", 1).at(NOW), Reading::new("p", "b", 2).unit("").at(NOW)],
            "as the hub's plain way takes it"
        );
        assert_eq!(read(&format!(r#"{{"device":"p","metric":"m","value":{}}}"#, i64::MIN)).unwrap()[0].value, Value::Int(i64::MIN));
    }

    #[test]
    fn numbers_are_those_that_are_written() {
        let value = |text: &str| read(&format!(r#"{{"device":"p","metric":"m","value":{text}}}"#)).unwrap()[0].value.clone();
        let mut state = 1_u64;
        for i in 0..20_000_u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(i) | 1);
            for float in [f64::from(i) / 7.0, f64::from_bits(state)] {
                if float.is_finite() {
                    let Value::Float(found) = value(&format!("{float:?}")) else { panic!("{float:?} is no float") };
                    assert_eq!(found.to_bits(), float.to_bits(), "{float:?}");
                }
            }
        }
        assert_eq!((value("-0"), value("1e2"), value("-9223372036854775808")), (Value::Int(0), Value::Float(100.0), Value::Int(i64::MIN)));
    }

    #[test]
    fn all_but_what_is_bad_is_kept() {
        let mut readings = Vec::new();
        let array = br#"[{"device":"p","metric":"a","value":1},{"device":"p"},{"device":"p","metric":"b","value":2}]"#;
        assert!(parse(array, NOW, &mut readings).unwrap_err().contains("[1]: bad_metric"));
        assert_eq!(readings, [Reading::new("p", "a", 1).at(NOW), Reading::new("p", "b", 2).at(NOW)]);
        readings.clear();
        let row = br#"{"device":"p","values":{"a":1,"b":null,"c":2,"d":1e999,"e":"on"}}"#;
        let error = parse(row, NOW, &mut readings).unwrap_err();
        assert!(error.contains("bad_value: \"b\" is null"), "{error}");
        assert_eq!(readings, [Reading::new("p", "a", 1).at(NOW), Reading::new("p", "c", 2).at(NOW), Reading::new("p", "e", "on").at(NOW)]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let rows = [
            ("nonsense", "not JSON: expected ident at line 1 column 2"),
            ("{", "not JSON: EOF while parsing an object"),
            ("3", "expected an object {device, metric, value} or {device, values}, found a number"),
            (r#"{"metric":"m","value":1}"#, "no_device: \"device\" is missing"),
            (r#"{"device":"","metric":"m","value":1}"#, "bad_device: \"device\" is empty"),
            (r#"{"device":7,"metric":"m","value":1}"#, "bad_device: \"device\" is a number, expected text"),
            (r#"{"device":"d","value":1}"#, "bad_metric: \"metric\" is missing"),
            (r#"{"device":"d","metric":"m"}"#, "bad_value: \"value\" is missing"),
            (r#"{"device":"d","metric":"m","value":null}"#, "bad_value: \"value\" is null, expected a number, true, false or text"),
            (r#"{"device":"d","metric":"m","valeu":1}"#, "unknown_field: \"valeu\"; the nearest known one is \"value\""),
            (r#"{"device":"d","metric":"m","value":9223372036854775808}"#, "value_range: \"value\" is 9223372036854775808"),
            (r#"{"device":"d","metric":"m","value":18446744073709551616}"#, "value_range: \"value\" is 18446744073709551616"),
            (r#"{"device":"d","metric":"m","value":-9223372036854775809}"#, "value_range: \"value\" is -9223372036854775809"),
            (r#"{"device":"d","metric":"m","value":1e999}"#, "not_finite: \"value\" is 1e999"),
            (r#"{"device":"d","metric":"m","value":1,"time":1795396030}"#, "nanoseconds are expected, this looks like seconds"),
            (r#"{"device":"d","metric":"m","value":1,"time":1795396030000}"#, "this looks like milliseconds"),
            (
                r#"{"device":"d","metric":"m","value":1,"time":1795396030.5}"#,
                "bad_time: 1795396030.5: an integer of nanoseconds is expected",
            ),
            (r#"{"device":"d","metric":"m","value":1,"time":"2026-11-23T12:00:00"}"#, "is not RFC 3339 with an offset"),
            (r#"{"device":"d","metric":"m","value":1,"time":"1999-11-23T12:00:00Z"}"#, "is before 2000-01-01"),
            (r#"{"device":"d","metric":"m","value":1,"time":"1600-11-23T12:00:00Z"}"#, "is before 2000-01-01"),
            (r#"{"device":"d","metric":"m","value":1,"time":"2300-11-23T12:00:00Z"}"#, "time_ahead: \"2300-11-23T12:00:00Z\" is beyond"),
            // Read as the second before it would be a time that nobody told.
            (r#"{"device":"d","metric":"m","value":1,"time":"2016-12-31T23:59:60Z"}"#, "is not RFC 3339 with an offset"),
            (r#"{"device":"d","metric":"m","value":1,"time":"20261123T120000Z"}"#, "is not RFC 3339 with an offset"),
            (r#"{"device":"d","metric":"m","value":1,"time":"2026-11-23T12:00:00Z[UTC]"}"#, "is not RFC 3339 with an offset"),
            (r#"{"device":"d","metric":"m","value":1,"unit":7}"#, "bad_metric: \"unit\" is a number, expected text"),
            (r#"{"device":"d","values":{"a":1},"units":7}"#, "bad_metric: \"units\" is a number"),
            (r#"{"device":"d","metric":"m","value":1,"labels":{"a":1}}"#, "bad_label: \"a\" is a number, expected text"),
            (r#"{"device":"d","metric":"m","value":1,"kind":"meter"}"#, "bad_kind: \"meter\", expected one of gauge, counter, state, text"),
            (r#"{"device":"d","values":3}"#, "bad_value: \"values\" is not an object"),
            (r#"{"device":"d","values":{"a":1},"metric":"m"}"#, "unknown_field: \"metric\""),
            (r#"[{"device":"d","metric":"m","value":1},{"device":"d"}]"#, "[1]: bad_metric: \"metric\" is missing"),
        ];
        for (line, expected) in rows {
            let error = read(line).expect_err(line);
            assert!(error.contains(expected), "{line}\n{error}");
        }
    }
}
