//! Answers as Parquet, beside those as lines.

use std::collections::BTreeMap;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::*;

type Told = Vec<(String, String)>;

/// Its rows, without the columns that have no value; and what the footer says.
fn read(bytes: Vec<u8>) -> (Vec<BTreeMap<String, Json>>, Told) {
    let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
    let json = |field: &Field| match field {
        Field::Bool(value) => Some(json!(value)),
        Field::Long(value) => Some(json!(value)),
        Field::Double(value) => Some(json!(value)),
        Field::Str(value) => Some(json!(value)),
        Field::Null => None,
        other => Some(json!(other.to_string())),
    };
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let row = row.unwrap();
        row.get_column_iter().filter_map(|(name, field)| Some((name.clone(), json(field)?))).collect()
    });
    let told = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let told = told.iter().map(|pair| (pair.key.clone(), pair.value.clone().unwrap_or_default())).collect();
    (rows.collect(), told)
}

#[test]
fn readings_have_a_column_for_each_type() {
    let (rows, told) = read(small().bytes("select=*/*&from=-2h&format=parquet&received=true"));
    let values: Vec<_> = rows
        .iter()
        .map(|row| row.iter().filter(|(name, _)| name.starts_with("value")).map(|(n, v)| (n.as_str(), v.clone())).collect::<Vec<_>>())
        .collect();
    let expected = [
        ("value_text", json!("say \"hi\",\nyou")),
        ("value_text", json!("")),
        ("value_bool", json!(true)),
        ("value_int", json!(1)),
        ("value_float", json!(1.0)),
        ("value_float", json!(0.1 + 0.2)),
    ];
    assert_eq!(values, expected.map(|one| vec![one]));
    let names = |row: usize| ["device", "metric", "labels", "unit", "kind"].map(|name| rows[row].get(name).cloned());
    assert_eq!(names(0), [Some(json!("a")), Some(json!("note")), Some(json!(r#"{"x":"1,\"2\""}"#)), None, Some(json!("text"))]);
    assert_eq!(names(5), [Some(json!("b")), Some(json!("m")), Some(json!("{}")), Some(json!("bar")), Some(json!("counter"))]);
    assert!(rows.iter().all(|row| row.contains_key("received") && row.contains_key("time")));
    assert_eq!(told, [("telltale.thinned".to_owned(), "false".to_owned()), ("telltale.source".to_owned(), "readings".to_owned())]);
}

#[test]
fn buckets_have_a_column_for_each_aggregate() {
    let world = World::new();
    world.put("d", "m", &[], &(0..10).map(|i| (T0 + i * 1_000 * MS, Value::Int(i))).collect::<Vec<_>>());
    world.put("d", "n", &[], &(0..10).map(|i| (T0 + i * 1_000 * MS, Value::Float(i as f64 / 2.0))).collect::<Vec<_>>());
    let ask = |rest: &str| format!("select=d/*&from={}ms&to={}ms&every=5s{rest}", T0 / MS, T0 / MS + 10_000);
    let (rows, _) = read(world.bytes(&ask("&agg=mean,max,count,first&format=parquet")));
    let told = |row: usize, names: [&str; 5]| names.map(|name| rows[row].get(name).cloned());
    let names = ["mean", "max_int", "max_float", "count", "first_int"];
    assert_eq!(rows.len(), 4);
    assert_eq!(told(1, names), [Some(json!(7.0)), Some(json!(9)), None, Some(json!(5)), Some(json!(5))]);
    assert_eq!(told(3, names), [Some(json!(3.5)), None, Some(json!(4.5)), Some(json!(5)), None]);
    let (rows, told) = read(world.bytes(&ask("&agg=max,min&group=mean&format=parquet")));
    let means = ["max", "min", "metric"].map(|name| rows[1].get(name).cloned());
    assert_eq!((rows.len(), means), (2, [Some(json!(6.75)), Some(json!(3.75)), Some(json!(""))]));
    assert_eq!(told.len(), 2);
    let pairs = ask("&agg=max&format=parquet&time=ms");
    assert!(History::parse(pairs.split('&').filter_map(|pair| pair.split_once('=')), T0).is_err());
    let (rows, told) = read(world.bytes(&format!("select=d/*&from={}ms&points=2&format=parquet", T0 / MS)));
    assert!(rows.len() >= 4 && told[0].1 == "true", "{} {told:?}", rows.len());
    assert_eq!(read(world.bytes("select=nobody/*&from=-2h&format=parquet")).0.len(), 0, "a file without rows");
}

/// What history gives as Parquet an import takes.
#[test]
fn raw_answers_are_rows_of_an_import() {
    use std::io::Write as _;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&small().bytes("select=b/m&from=-2h&format=parquet")).unwrap();
    let piece = crate::rows::parquet::Lines::open(file).unwrap().next_piece(10_000).unwrap().unwrap();
    let text = String::from_utf8(piece.text).unwrap();
    let first = format!("{{\"device\":\"b\",\"metric\":\"m\",\"labels\":{{}},\"time\":{T0},\"value\":1,\"unit\":\"bar\"");
    assert!(text.starts_with(&first), "{text}");
    assert_eq!(piece.rows, 3);
}
