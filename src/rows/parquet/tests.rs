//! Files of our own and of others, and files that lie.

mod lies;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type, Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::write::{Cell, Names, Sheet};
use super::{Lines, ReadError};
use crate::limits::{PARQUET_GROUP_ROWS, PARQUET_ROWS_PER_BYTE};
use crate::model::{Kind, Labels, SeriesKey, Value};
use crate::rows::RowFormat;
use crate::rows::write::{Told, Writer};

mod bounds;

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

fn lines(bytes: &[u8], most: usize) -> Result<String, ReadError> {
    let (mut lines, mut text, mut rows) = (Lines::open(file(bytes))?, Vec::new(), 0);
    while let Some(piece) = lines.next_piece(most)? {
        assert!(piece.rows > 0 && piece.text.iter().filter(|byte| **byte == b'\n').count() as u64 == piece.rows);
        rows += piece.rows;
        text.extend(piece.text);
    }
    assert_eq!(rows, lines.rows());
    Ok(String::from_utf8(text).unwrap())
}

fn value(rng: &mut fastrand::Rng, kind: u8) -> Value {
    match (kind, rng.u8(0..4)) {
        (0, 0) => Value::Int(rng.i64(..)),
        (0, 1) => Value::Int([i64::MIN, i64::MAX, 0, (1 << 53) + 1][rng.usize(0..4)]),
        (0, 2) => Value::Float([-0.0, 1e300, 0.1 + 0.2, 5e-324][rng.usize(0..4)]),
        (0, _) => Value::Float(rng.f64()),
        (1, _) => Value::Bool(rng.bool()),
        _ => Value::Text(["", "a\n\"b", "\u{b0}C \\", "x"][rng.usize(0..4)].into()),
    }
}

/// What is written as columns is read as the lines that are written as lines.
#[test]
fn columns_come_back_as_the_same_lines() {
    for seed in 0..30 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut sheet, mut text) = (Writer::new(RowFormat::Parquet), Writer::new(RowFormat::Ndjson));
        let mut bytes = Vec::new();
        for series in 0..rng.usize(0..20) {
            let key = SeriesKey {
                device: format!("d {series}").into(),
                metric: "m,\"n\"".into(),
                labels: Labels::from_pairs([("a", ["", "x", "\u{e9}\n"][rng.usize(0..3)])]),
            };
            let kind = rng.u8(0..3);
            let told = Told { unit: [None, Some("\u{b0}C")][rng.usize(0..2)], kind: [None, Some(Kind::Gauge)][rng.usize(0..2)] };
            let first = value(&mut rng, kind);
            for writer in [&mut sheet, &mut text] {
                writer.series(&key, first.value_type(), told);
            }
            for _ in 0..rng.usize(1..3_000) {
                let (time, value) = (rng.i64(..), value(&mut rng, kind));
                sheet.point(time, &value);
                text.point(time, &value);
                bytes.extend(sheet.take(0).unwrap_or_default());
            }
        }
        sheet.finish();
        bytes.extend(sheet.take(0).unwrap_or_default());
        let expected = String::from_utf8(text.out).unwrap();
        assert_eq!(lines(&bytes, rng.usize(1..100_000)).unwrap(), expected, "seed {seed}");
        // An import that was cut off goes on at any row.
        let rows = expected.lines().count();
        let taken = rng.usize(0..=rows);
        let mut rest = Lines::open(file(&bytes)).unwrap();
        rest.skip(taken as u64).unwrap();
        let mut found = Vec::new();
        while let Some(piece) = rest.next_piece(1 << 16).unwrap() {
            found.extend(piece.text);
        }
        assert_eq!(found, expected.split_inclusive('\n').skip(taken).collect::<String>().into_bytes(), "seed {seed}");
    }
}

#[test]
fn row_groups_bound_what_is_held() {
    let mut sheet = Sheet::new([("value", Cell::Any)]);
    sheet.series(Names { device: "d", metric: "m", labels: "{}", unit: None, kind: None });
    let (mut bytes, mut pieces) = (sheet.out(), 0);
    for i in 0..2 * PARQUET_GROUP_ROWS as i64 + 5 {
        sheet.row(i * 1_000_000_000, [Some(&Value::Int(i % 7))]);
        let out = sheet.out();
        pieces += usize::from(!out.is_empty());
        bytes.extend(out);
    }
    assert!(pieces >= 2, "{pieces}");
    sheet.finish();
    bytes.extend(sheet.out());
    assert!(bytes.len() < PARQUET_GROUP_ROWS, "regular times and names take next to nothing: {}", bytes.len());
    let text = Value::Text("x".repeat(60_000).into());
    let mut sheet = Sheet::new([("value", Cell::Any)]);
    sheet.series(Names { device: "d", metric: "m", labels: "{}", unit: None, kind: None });
    let _head = sheet.out();
    let row = (0..1_000).position(|i| {
        sheet.row(i, [Some(&text)]);
        !sheet.out().is_empty()
    });
    assert!(row.is_some_and(|row| (100..200).contains(&row)), "long texts close a group early: {row:?}");
    let mut sheet = Sheet::new([("value", Cell::Int)]);
    let _head = sheet.out();
    let labels = format!("{{\"a\":\"{}\"}}", "x".repeat(30_000));
    let row = (0..1_000).position(|i| {
        sheet.series(Names {
            device: &i.to_string(),
            metric: "m",
            labels: &labels.replacen('x', &i.to_string(), 1),
            unit: None,
            kind: None,
        });
        sheet.row(i, [Some(&Value::Int(1))]);
        !sheet.out().is_empty()
    });
    assert!(row.is_some_and(|row| (200..300).contains(&row)), "so do long names of many series: {row:?}");
}

/// A file with one row group as others write it.
fn foreign(schema: &str, put: impl Fn(usize, &mut parquet::file::writer::SerializedColumnWriter<'_>)) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message m {{ {schema} }}")).unwrap());
    let properties = WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut at = 0;
    while let Some(mut column) = group.next_column().unwrap() {
        put(at, &mut column);
        column.close().unwrap();
        at += 1;
    }
    group.close().unwrap();
    file.into_inner().unwrap()
}

fn write<T: DataType>(column: &mut parquet::file::writer::SerializedColumnWriter<'_>, values: &[T::T]) {
    column.typed::<T>().write_batch(values, Some(&vec![1; values.len()]), None).unwrap();
}

const NAMES: &str = "REQUIRED BYTE_ARRAY device (STRING); REQUIRED BYTE_ARRAY metric (STRING);";

/// One row with this time and value.
fn one(time: &str, value: &str, put: impl Fn(usize, &mut parquet::file::writer::SerializedColumnWriter<'_>)) -> Result<String, ReadError> {
    let bytes = foreign(&format!("{NAMES} {time} {value}"), |at, column| match at {
        0 | 1 => write::<ByteArrayType>(column, &[ByteArray::from("x")]),
        at => put(at, column),
    });
    lines(&bytes, 100)
}

#[test]
fn values_and_times_of_others() {
    let ns = "REQUIRED INT64 time (TIMESTAMP(NANOS,true));";
    let time = |at: usize, column: &mut parquet::file::writer::SerializedColumnWriter<'_>| {
        at == 2 && {
            write::<Int64Type>(column, &[7]);
            true
        }
    };
    macro_rules! check {
        ($schema:literal, $type:ty, $value:expr, $told:literal) => {
            let found = one(ns, $schema, |at, column| {
                if !time(at, column) {
                    write::<$type>(column, &[$value])
                }
            });
            assert_eq!(found.unwrap(), format!("{{\"device\":\"x\",\"metric\":\"x\",\"time\":7,\"value\":{}}}\n", $told), $schema);
        };
    }
    check!("OPTIONAL DOUBLE value;", DoubleType, 0.1, "0.1");
    check!("REQUIRED FLOAT value;", FloatType, 0.1, "0.10000000149011612");
    check!("OPTIONAL INT32 value;", Int32Type, -5, "-5");
    check!("OPTIONAL INT64 value_int;", Int64Type, i64::MIN, "-9223372036854775808");
    check!("OPTIONAL INT32 value (INTEGER(32,false));", Int32Type, -1, "4294967295");
    check!("OPTIONAL INT64 value (INTEGER(64,false));", Int64Type, -1, "18446744073709551615");
    check!("OPTIONAL INT32 value (INTEGER(8,true));", Int32Type, -1, "-1");
    check!("OPTIONAL BOOLEAN value_bool;", BoolType, true, "true");
    check!("OPTIONAL BYTE_ARRAY value (STRING);", ByteArrayType, ByteArray::from("a\"b"), "\"a\\\"b\"");
    check!("OPTIONAL DOUBLE value;", DoubleType, f64::NAN, "1e999");
    let value = "OPTIONAL INT32 value;";
    let of = |schema: &str| {
        one(schema, value, |at, column| if at == 2 { write::<Int64Type>(column, &[3]) } else { write::<Int32Type>(column, &[1]) })
    };
    let rows = [
        ("REQUIRED INT64 time;", "3"),
        ("REQUIRED INT64 time (TIMESTAMP(MICROS,true));", "3000"),
        ("REQUIRED INT64 time (TIMESTAMP(MILLIS,true));", "3000000"),
        ("REQUIRED INT64 time (TIMESTAMP_MILLIS);", "3000000"),
    ];
    for (schema, told) in rows {
        assert!(of(schema).unwrap().contains(&format!("\"time\":{told},")), "{schema}");
    }
    let refused = [
        ("REQUIRED INT64 time (TIMESTAMP(NANOS,false));", "tz_localize"),
        ("REQUIRED INT64 time (TIME(NANOS,true));", "a TIMESTAMP in UTC"),
    ];
    for (schema, said) in refused {
        let error = of(schema).unwrap_err().to_string();
        assert!(error.starts_with("column `time` is") && error.contains(said), "{error}");
    }
}

#[test]
fn columns_that_do_not_do_are_named() {
    let names = |at: usize, column: &mut parquet::file::writer::SerializedColumnWriter<'_>| match at {
        0 | 1 => write::<ByteArrayType>(column, &[ByteArray::from("x")]),
        2 => write::<Int64Type>(column, &[1]),
        _ => {}
    };
    let refused = |schema: &str, put: &dyn Fn(&mut parquet::file::writer::SerializedColumnWriter<'_>)| {
        let bytes = foreign(schema, |at, column| if at < 3 { names(at, column) } else { put(column) });
        lines(&bytes, 100).unwrap_err().to_string()
    };
    let time = "REQUIRED INT64 time;";
    let rows = [
        (format!("{NAMES} {time}"), "there is no column `value`"),
        (format!("{NAMES} {time} REQUIRED INT64 __index_level_0__;"), "index=False"),
        (format!("{NAMES} {time} REQUIRED INT64 value (TIMESTAMP(NANOS,true));"), "column `value` is INT64 (Timestamp"),
        (format!("{NAMES} {time} REQUIRED INT64 value (DECIMAL(5,2));"), "column `value` is INT64 (Decimal"),
        (format!("{NAMES} {time} REQUIRED INT64 unit;"), "column `unit` is INT64; a text"),
    ];
    for (schema, said) in rows {
        let error = refused(&schema, &|column| write::<Int64Type>(column, &[1]));
        assert!(error.contains(said), "{schema}: {error}");
    }
    let nested = format!("{NAMES} {time} OPTIONAL group labels (MAP) {{ REPEATED group key_value {{ REQUIRED BYTE_ARRAY key; }} }}");
    let bytes = foreign(&nested, |at, column| match at {
        3 => drop(column.typed::<ByteArrayType>().write_batch(&[], Some(&[0]), Some(&[0])).unwrap()),
        at => names(at, column),
    });
    assert!(lines(&bytes, 100).unwrap_err().to_string().contains("labels are a JSON object"));
    let old = format!("{NAMES} REQUIRED INT96 time; REQUIRED INT64 value;");
    let bytes = foreign(&old, |at, column| match at {
        2 => write::<Int96Type>(column, &[Int96::new()]),
        3 => write::<Int64Type>(column, &[1]),
        at => names(at, column),
    });
    assert!(lines(&bytes, 100).unwrap_err().to_string().contains("column `time` is INT96"));
    for (bytes, said) in
        [(&b"PAR1"[..], "shorter"), (b"PAR1 and much more", "cut off"), (b"PAR1\xff\xff\xff\x7fPAR1", "a footer of 2147483647")]
    {
        assert!(lines(bytes, 100).unwrap_err().to_string().contains(said));
    }
}

/// Two values in a row, none at all, and labels that are none: what the import makes of the lines is its matter.
#[test]
fn rows_that_say_too_much_or_nothing() {
    let schema =
        format!("{NAMES} REQUIRED INT64 time; OPTIONAL BYTE_ARRAY labels (STRING); OPTIONAL INT64 value_int; OPTIONAL DOUBLE value_float;");
    let bytes = foreign(&schema, |at, column| match at {
        0 | 1 => write::<ByteArrayType>(column, &vec![ByteArray::from("x"); 3]),
        2 => write::<Int64Type>(column, &[1, 2, 3]),
        3 => {
            let labels = ["{\"a\":\n\"b\"}", "{\"a\":\"b\"},\"value\":5,\"x\":{}"].map(ByteArray::from);
            column.typed::<ByteArrayType>().write_batch(&labels, Some(&[1, 1, 0]), None).unwrap();
        }
        4 => drop(column.typed::<Int64Type>().write_batch(&[5], Some(&[1, 0, 0]), None).unwrap()),
        _ => drop(column.typed::<DoubleType>().write_batch(&[0.5, 1.5], Some(&[1, 1, 0]), None).unwrap()),
    });
    let expected = concat!(
        r#"{"device":"x","metric":"x","time":1,"labels":{"a": "b"},"value":5,"value":0.5}"#,
        "\n",
        r#"{"device":"x","metric":"x","time":2,"labels":"{\"a\":\"b\"},\"value\":5,\"x\":{}","value":1.5}"#,
        "\n",
        r#"{"device":"x","metric":"x","time":3,"value":null}"#,
        "\n"
    );
    assert_eq!(lines(&bytes, 1_000).unwrap(), expected);
}

/// The most rows in the fewest bytes that an export of ours comes to. `bounds` has a file of more.
#[test]
fn rows_are_bounded_by_the_bytes_of_their_file() {
    let mut writer = Writer::new(RowFormat::Parquet);
    let key = SeriesKey { device: "d".into(), metric: "m".into(), labels: Labels::default() };
    writer.series(&key, Value::Int(0).value_type(), Told::default());
    let rows = 2 * PARQUET_GROUP_ROWS as u64;
    (0..rows.cast_signed()).for_each(|i| writer.point(i * 1_000_000_000, &Value::Int(7)));
    writer.finish();
    let bytes = writer.take(0).unwrap();
    let per_byte = rows / bytes.len() as u64;
    assert!((32..PARQUET_ROWS_PER_BYTE / 4).contains(&per_byte), "{per_byte}");
    assert_eq!(Lines::open(file(&bytes)).unwrap().rows(), rows);
}

/// Bytes changed at random: an error or other rows, never the end of the process, never more memory than is bounded.
#[test]
fn files_that_lie_end_well() {
    let mut writer = Writer::new(RowFormat::Parquet);
    let key = SeriesKey { device: "d".into(), metric: "m".into(), labels: Labels::from_pairs([("a", "b")]) };
    for kind in 0..3 {
        let mut rng = fastrand::Rng::with_seed(u64::from(kind));
        let first = value(&mut rng, kind);
        writer.series(&key, first.value_type(), Told::default());
        (0..200).for_each(|i| writer.point(i * 1_000, &value(&mut rng, kind)));
    }
    writer.finish();
    let good = writer.take(0).unwrap();
    assert!(lines(&good, 1_000).is_ok());
    let mut refused = 0;
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    for seed in 0..1_500 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut bytes = good.clone();
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(0..bytes.len());
            bytes[at] = if rng.bool() { rng.u8(..) } else { bytes[at] ^ (1 << rng.u8(0..8)) };
        }
        if rng.u8(..) < 20 {
            bytes.truncate(rng.usize(0..bytes.len()));
        }
        let read = || -> Result<(), ReadError> {
            let mut lines = Lines::open(file(&bytes))?;
            let mut rows = 0;
            while let Some(piece) = lines.next_piece(10_000)? {
                rows += piece.rows;
                if rows > 100_000 {
                    break;
                }
            }
            Ok(())
        };
        refused += usize::from(read().is_err());
    }
    std::panic::set_hook(quiet);
    assert!(refused > 250, "{refused}");
}
