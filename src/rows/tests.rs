//! The forms as text, and bodies cut anywhere, against a session without a hub around it. Whole hubs: `src/http/transfer_tests.rs`.

use std::sync::Arc;

use tokio::sync::watch;

use super::write::{Told, Writer, unsayable};
use super::*;
use crate::auth::access::{Access, Role, Scope};
use crate::config::Config;
use crate::ingest::refusals::Refusals;
use crate::ingest::session::{Door, Session};
use crate::metrics::Metrics;
use crate::model::{Kind, Labels, SeriesKey, TimeNs, TokenId, Value};
use crate::retention::Retention;
use crate::series::SeriesTable;

const NOW: TimeNs = 1_795_400_000_000_000_000;

fn key(device: &str, metric: &str, labels: &[(&str, &str)]) -> SeriesKey {
    SeriesKey { device: device.into(), metric: metric.into(), labels: Labels::from_pairs(labels.iter().copied()) }
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

/// One line of one reading.
fn line(format: RowFormat, key: &SeriesKey, told: Told<'_>, value: &Value) -> String {
    let mut writer = Writer::new(format);
    writer.out.clear();
    writer.series(key, value.value_type(), told);
    writer.point(5, value);
    String::from_utf8(writer.out).unwrap()
}

#[test]
fn readings_are_lines() {
    let plain = key("d", "m", &[]);
    let odd = key("a b,c=\"d\"", "m n,o=p", &[("z", "1"), ("a", "=, \\ ")]);
    let told = Told { unit: Some("°C"), kind: Some(Kind::Gauge) };
    let none = Told::default();
    let rows = [
        (RowFormat::Csv, &plain, none, Value::Int(-3), "d,m,{},5,-3,number,,\n"),
        (RowFormat::Csv, &plain, told, Value::Float(1.0), "d,m,{},5,1.0,number,°C,gauge\n"),
        (RowFormat::Csv, &plain, none, Value::Float(-0.0), "d,m,{},5,-0.0,number,,\n"),
        (RowFormat::Csv, &plain, none, Value::Bool(true), "d,m,{},5,true,bool,,\n"),
        (RowFormat::Csv, &plain, none, text(""), "d,m,{},5,\"\",text,,\n"),
        (RowFormat::Csv, &plain, none, text("a \"b\"\r\n"), "d,m,{},5,\"a \"\"b\"\"\r\n\",text,,\n"),
        (
            RowFormat::Csv,
            &odd,
            none,
            Value::Bool(false),
            "\"a b,c=\"\"d\"\"\",\"m n,o=p\",\"{\"\"a\"\":\"\"=, \\\\ \"\",\"\"z\"\":\"\"1\"\"}\",5,false,bool,,\n",
        ),
        (RowFormat::Ndjson, &plain, none, Value::Int(1), "{\"device\":\"d\",\"metric\":\"m\",\"labels\":{},\"time\":5,\"value\":1}\n"),
        (
            RowFormat::Ndjson,
            &key("d", "m", &[("k", "\"")]),
            told,
            text("a\n\""),
            "{\"device\":\"d\",\"metric\":\"m\",\"labels\":{\"k\":\"\\\"\"},\"time\":5,\"value\":\"a\\n\\\"\",\"unit\":\"°C\",\"kind\":\"gauge\"}\n",
        ),
        (RowFormat::Lines, &plain, told, Value::Int(1), "m,device=d value=1i 5\n"),
        (RowFormat::Lines, &plain, none, Value::Float(0.1), "m,device=d value=0.1 5\n"),
        (RowFormat::Lines, &plain, none, text("a \"b\"\\\n"), "m,device=d text=\"a \\\"b\\\"\\\\\n\" 5\n"),
        (RowFormat::Lines, &odd, none, Value::Bool(false), "m\\ n\\,o=p,a=\\=\\,\\ \\\\ ,device=a\\ b\\,c\\=\"d\",z=1 bool=false 5\n"),
    ];
    for (format, key, told, value, expected) in rows {
        assert_eq!(line(format, key, told, &value), expected);
    }
}

#[test]
fn line_protocol_says_what_it_cannot_say() {
    for (device, metric, can) in [("d", "m", true), ("d\\", "m", false), ("d", "m\\", false), ("d", "#m", false), ("#d", "m#\\ ", true)] {
        let key = key(device, metric, &[]);
        assert_eq!(unsayable(RowFormat::Lines, &key).is_none(), can, "{key}");
        assert!(unsayable(RowFormat::Csv, &key).is_none() && unsayable(RowFormat::Ndjson, &key).is_none());
    }
}

#[test]
fn a_format_is_named_or_refused() {
    for format in RowFormat::LINES {
        assert_eq!(RowFormat::parse(format.as_str()).unwrap(), format);
        assert_eq!(RowFormat::of_extension(format.as_str()), Some(format));
    }
    let error = RowFormat::parse("xml").unwrap_err();
    assert!(error.message.contains("expected csv, ndjson"), "{error}");
    #[cfg(feature = "parquet")]
    assert_eq!((RowFormat::parse("parquet").unwrap(), RowFormat::of_extension("parquet")), (RowFormat::Parquet, Some(RowFormat::Parquet)));
    #[cfg(not(feature = "parquet"))]
    assert!(RowFormat::parse("parquet").unwrap_err().message.contains("built without"));
}

fn session() -> Session {
    let series = Arc::new(SeriesTable::new(50, 100));
    let retention = Arc::new(Retention::none(Arc::clone(&series)));
    let (refusals, metrics) = (Arc::new(Refusals::default()), Arc::new(Metrics::default()));
    let mut door = Door::new(&Config::default(), series, refusals, metrics, Arc::new(()), retention);
    door.built = NOW - 1;
    door.batch_readings = 3;
    // The sender is kept for ever, else the access would have ended.
    let ended = Box::leak(Box::new(watch::Sender::new(false))).subscribe();
    let mut session = Session::new(Arc::new(door), Access::new(TokenId(7), "test".to_owned(), Role::Agent, Scope::default(), ended));
    session.begin_frame(NOW).unwrap();
    session
}

/// What becomes of pieces: `device/metric{labels} value @ns before NOW`, and the lines that were refused by code.
fn read(format: RowFormat, pieces: &[&[u8]]) -> Result<(Vec<String>, Vec<String>), String> {
    let (mut session, mut reader, mut buf) = (session(), Reader::new(format), Vec::new());
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for (n, piece) in pieces.iter().enumerate() {
        buf.extend_from_slice(piece);
        loop {
            let mut batch = session.begin_batch();
            let used = reader.decide(&mut session, &mut batch, &buf, n + 1 == pieces.len())?;
            let said = format!("{batch:?}");
            let (submitted, pending) = batch.finish(None);
            let readings = submitted.map_or_else(Vec::new, |(batch, _)| batch.readings);
            for reading in &readings {
                let key = session.door().series.by_id(reading.series).unwrap().key.clone();
                taken.push(format!("{key} {:?} @{}", reading.value, NOW - reading.time));
            }
            refused.extend(said.match_indices("Rejected { index: ").map(|(at, found)| {
                let rest = &said[at + found.len()..];
                let code = rest.split_once("code: ").unwrap().1;
                format!("{} {}", rest.split(',').next().unwrap(), code.split(',').next().unwrap())
            }));
            assert_eq!(pending.sent(), readings.len() + said.matches("Rejected { index: ").count());
            buf.drain(..used);
            if used == 0 {
                break;
            }
        }
    }
    assert!(buf.is_empty(), "{}", String::from_utf8_lossy(&buf));
    Ok((taken, refused))
}

/// A body with all that is odd, as an export writes it.
fn body(format: RowFormat) -> Vec<u8> {
    let mut writer = Writer::new(format);
    let values = [Value::Int(i64::MIN), Value::Float(-0.0), Value::Int((1 << 53) + 1), Value::Float(0.1 + 0.2), Value::Float(1e300)];
    writer.series(&key("a b,c=\"d\"", "m n,o=p", &[("z", "\\x\\,"), ("a", "=, \\ é")]), values[0].value_type(), Told::default());
    values.iter().zip(1..).for_each(|(value, n)| writer.point(NOW - n, value));
    let texts = ["", "a\nb", "\r\n", "\"", "\\", "\",\"", "x\\\ny"].map(text);
    writer.series(&key("\u{feff}d", "t", &[]), texts[0].value_type(), Told { unit: Some("u"), kind: Some(Kind::Text) });
    texts.iter().zip(1..).for_each(|(value, n)| writer.point(NOW - n, value));
    writer.out
}

#[test]
fn a_body_is_read_alike_wherever_it_is_cut() {
    for format in RowFormat::LINES {
        let body = body(format);
        let (taken, refused) = read(format, &[&body]).unwrap();
        assert_eq!((taken.len(), refused.len()), (12, 0), "{format:?}: {taken:?} {refused:?}");
        assert_eq!(taken[1], "a b,c=\"d\"/m n,o=p{a=\"=, \\\\ é\",z=\"\\\\x\\\\,\"} Float(-0.0) @2");
        assert_eq!(taken[2].rsplit_once("} ").unwrap().1, "Int(9007199254740993) @3");
        assert_eq!(taken[11], "\u{feff}d/t Text(\"x\\\\\\ny\") @7");
        for cut in 1..body.len() {
            assert_eq!(read(format, &[&body[..cut], &body[cut..]]).unwrap().0, taken, "{format:?} {cut}");
        }
    }
}

#[test]
fn a_file_is_cut_where_a_line_ends() {
    for format in RowFormat::LINES {
        let body = body(format);
        let (taken, _) = read(format, &[&body]).unwrap();
        let header = if format == RowFormat::Csv { header(&body).unwrap() } else { &[] };
        for cut in 0..body.len() {
            let found = whole(format, &body[..cut], false);
            assert!(found.bytes <= cut);
            let first = read(format, &[&body[..found.bytes]]).unwrap().0;
            let rest = [if found.bytes == 0 { &[] } else { header }, &body[found.bytes..]].concat();
            assert_eq!([first, read(format, &[&rest]).unwrap().0].concat(), taken, "{format:?} {cut}");
        }
        assert_eq!(whole(format, &body, true).bytes, body.len());
    }
}

#[test]
fn what_is_wrong_is_refused_by_its_line() {
    let csv = "device,metric,time,value,type,kind\n";
    let at = NOW - 1;
    let rows = [
        (RowFormat::Csv, format!("{csv}d,m,{at},1,number,\nd,m,{at},x,number,"), "3 BadValue"),
        (RowFormat::Csv, format!("{csv}d,m,{at},\"a\nb\",text,\n\nd,m\n"), "5 BadValue"),
        (RowFormat::Csv, format!("{csv}d,m,{at},1,integer,"), "2 BadValue"),
        (RowFormat::Csv, format!("{csv}d,m,{at},yes,bool,"), "2 BadValue"),
        (RowFormat::Csv, format!("{csv}d,m,{at},,,"), "2 BadValue"),
        (RowFormat::Csv, format!("{csv}d,m,{at},1,number,text"), "2 BadKind"),
        (RowFormat::Csv, format!("{csv}d,m,,1,number,"), "2 BadTime"),
        (RowFormat::Csv, format!("{csv}d,m,17953960300,1,number,"), "2 BadTime"),
        (RowFormat::Csv, format!("{csv}d,m,{at},9223372036854775808,number,"), "2 ValueRange"),
        (RowFormat::Csv, format!("{csv}d,m,{at},1e999,number,"), "2 NotFinite"),
        (RowFormat::Csv, format!("{csv}{}", ",".repeat(40)), "2 BadValue"),
        (RowFormat::Ndjson, "\n{}".to_owned(), "2 BadValue"),
        (RowFormat::Ndjson, format!("[\"d\",\"m\",null,{at},1,null,null]"), "1 BadValue"),
        (RowFormat::Ndjson, format!("{{\"device\":\"d\",\"metric\":\"m\",\"time\":{at},\"value\":null}}"), "1 BadValue"),
        (RowFormat::Ndjson, format!("{{\"device\":\"d\",\"metric\":\"m\",\"time\":{at},\"value\":[1]}}"), "1 BadValue"),
        (RowFormat::Ndjson, format!("{{\"device\":\"d\",\"metric\":\"m\",\"time\":{at},\"value\":1,\"valve\":2}}"), "1 BadValue"),
        (RowFormat::Ndjson, format!("{{\"device\":\"d\",\"metric\":\"m\",\"time\":{at},\"value\":99999999999999999999}}"), "1 ValueRange"),
        (RowFormat::Ndjson, "{\"device\":\"d\",\"metric\":\"m\",\"time\":1.5,\"value\":1}".to_owned(), "1 BadTime"),
        (RowFormat::Ndjson, format!("{{\"device\":\"d\",\"metric\":\"m/n\",\"time\":{at},\"value\":1}}"), "1 BadMetric"),
        (
            RowFormat::Ndjson,
            format!("{{\"device\":\"d\",\"metric\":\"m\",\"labels\":{{\"a\":\"1\",\"a\":\"2\"}},\"time\":{at},\"value\":1}}"),
            "1 BadLabel",
        ),
        (RowFormat::Lines, format!("m,device=d value=1 {at}\nm,device=d v=1 {at}"), "2 UnknownField"),
        (RowFormat::Lines, format!("m,host=d value=1 {at}"), "1 NoDevice"),
        (RowFormat::Lines, format!("m,device=d,_x=1 value=1 {at}"), "1 BadLabel"),
        (RowFormat::Lines, "m value".to_owned(), "1 BadValue"),
    ];
    for (format, body, expected) in rows {
        let (_, refused) = read(format, &[body.as_bytes()]).unwrap();
        assert_eq!(refused, [expected], "{body}");
    }
}

#[test]
fn the_first_line_of_csv_has_to_name_the_columns() {
    let rows = [
        ("device,metric,value\n", "no column `time`"),
        ("device,metric,time,value,colour\n", "the column `colour`; there are device,"),
        ("device,metric,time,value,time\n", "`time` twice"),
    ];
    for (body, said) in rows {
        let why = read(RowFormat::Csv, &[body.as_bytes()]).unwrap_err();
        assert!(why.contains(said), "{why}");
    }
    let from_elsewhere = format!("\u{feff}time,value,metric,device\r\n2026-11-23T02:00:00Z,21.5,t,d\r\n{},on,s,d\r\n", NOW - 1);
    let (taken, refused) = read(RowFormat::Csv, &[from_elsewhere.as_bytes()]).unwrap();
    assert_eq!((taken.len(), refused.len()), (2, 0), "{refused:?}");
    assert!(taken[0].starts_with("d/t Float(21.5)") && taken[1] == "d/s Text(\"on\") @1", "{taken:?}");
}

/// However many there are: a line of millions is no work.
#[test]
fn labels_without_a_value_are_none() {
    let at = NOW - 1;
    let empty: Vec<String> = (0..200_000).map(|n| format!("\"l{n}\":\"\"")).collect();
    let line = format!("{{\"device\":\"d\",\"metric\":\"m\",\"labels\":{{{},\"k\":\"v\"}},\"time\":{at},\"value\":1}}", empty.join(","));
    let (taken, refused) = read(RowFormat::Ndjson, &[line.as_bytes()]).unwrap();
    assert_eq!((taken.len(), refused.len()), (1, 0));
    assert!(taken[0].contains("k=\"v\"") || taken[0].contains("k=v"), "{}", taken[0]);
}
