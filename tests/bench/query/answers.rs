//! Answers in one form: values by series and bucket. They are compared before any time is told.

use std::collections::BTreeMap;

use serde_json::Value;

/// Values by series and the start of a bucket, in milliseconds of the hub's readings.
pub(super) type Table = BTreeMap<(String, i64), Vec<f64>>;

/// The first `exact` values of each row are equal to the bit, the others within what sums of floats in other orders differ by.
pub(super) fn compare(peer: &str, hub: &Table, found: &Table, exact: usize) {
    assert_eq!(hub.len(), found.len(), "{peer} answers as many rows as the hub");
    for (key, of_hub) in hub {
        let of_peer = found.get(key).unwrap_or_else(|| panic!("{peer} has a row {key:?}"));
        assert_eq!(of_hub.len(), of_peer.len(), "{peer}: {key:?}");
        for (i, (a, b)) in of_hub.iter().zip(of_peer).enumerate() {
            let is_same = if i < exact { a == b } else { (a - b).abs() <= 1e-9 * a.abs().max(1.0) };
            assert!(is_same, "{peer}: value {i} of {key:?} is {b}, of the hub {a}");
        }
    }
}

/// Thinned points against least and greatest of each column: they are all there, and nothing beyond.
pub(super) fn check_thinned(columns: &Table, points: &[(f64, f64)], column_ms: i64) {
    assert!(points.len() <= 2 * columns.len() + 2, "{} points in {} columns", points.len(), columns.len());
    let mut extremes: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (time, value) in points {
        let start = *time as i64 / column_ms * column_ms;
        let (least, greatest) = extremes.entry(start).or_insert((f64::MAX, f64::MIN));
        (*least, *greatest) = (least.min(*value), greatest.max(*value));
    }
    assert_eq!(extremes.len(), columns.len(), "every column has a point");
    for ((_, start), row) in columns {
        assert_eq!(extremes.get(start), Some(&(row[0], row[1])), "the column at {start}");
    }
}

pub(super) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(500)])))
}

pub(super) fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("a list, not {value}"))
}

pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, not {value}"))
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}"))
}
