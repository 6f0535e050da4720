//! The same answer in four forms, written as it is read. Pure: bytes into a buffer.
//!
//! - JSON and MessagePack: the map of the contract, `{"series": [...], "thinned": bool}`.
//! - CSV: `device,metric,labels,time,value` (or the aggregates in place of `value`), one line a point; labels are a JSON object.
//! - NDJSON: one object a point, with the same names.
//!
//! MessagePack says how many points follow before the first of them: raw series are counted beforehand, the others (bounded
//! by columns and buckets) are held back until their end.

use std::collections::BTreeMap;

use serde::Serialize;

use super::points;
use crate::clock::NS_PER_MS;
use crate::http::series::Described;
use crate::limits::HISTORY_CHUNK_BYTES;
use crate::model::{TimeNs, Value};
use crate::query::buckets::TIME_IN_STATE;
use crate::query::run::{Run, Slice};
use crate::query::time::{TimeFormat, ms_f64};
use crate::rows::write::put_csv;

const NEVER: &str = "writing to a Vec does not fail";
/// About what a point takes.
const POINT_BYTES: usize = 24;
/// What is taken out once it is [`HISTORY_CHUNK_BYTES`], with what was written until somebody looked.
const PIECE_BYTES: usize = HISTORY_CHUNK_BYTES / 2 * 3;

/// The forms of this file. `encoder.rs` has the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    Csv,
    Ndjson,
    MessagePack,
}

#[derive(Debug)]
pub struct TextEncoder {
    pub out: Vec<u8>,
    format: Form,
    time: TimeFormat,
    columns: Vec<&'static str>,
    series: usize,
    points: usize,
    /// What stands before each point's own columns: CSV and NDJSON.
    line_start: Vec<u8>,
    /// MessagePack: points of a series whose number was not told.
    held_back: Option<Vec<u8>>,
}

/// What is said of the whole answer, after its series.
#[derive(Clone, Debug)]
pub struct Ending {
    pub thinned: bool,
    /// Some of it was made of rollups, since the readings are gone.
    pub is_rolled: bool,
    pub retained_from: Option<TimeNs>,
    /// Something could not be read and is left out. MessagePack says it and the source always: it tells the number of its keys first.
    pub incomplete: Option<String>,
}

impl TextEncoder {
    /// `columns` without `time`.
    #[must_use]
    pub fn new(format: Form, time: TimeFormat, columns: Vec<&'static str>) -> Self {
        Self { out: Vec::new(), format, time, columns, series: 0, points: 0, line_start: Vec::new(), held_back: None }
    }

    pub fn begin(&mut self, series: usize, retained_from: bool) {
        match self.format {
            Form::Json => self.out.extend_from_slice(b"{\"series\":["),
            Form::Csv => {
                self.out.extend_from_slice(b"device,metric,labels,time");
                for column in &self.columns {
                    self.out.push(b',');
                    self.out.extend_from_slice(column.as_bytes());
                }
                self.out.push(b'\n');
            }
            Form::Ndjson => {}
            Form::MessagePack => {
                pack_map(&mut self.out, 4 + usize::from(retained_from));
                pack_str(&mut self.out, "series");
                pack_array(&mut self.out, series);
            }
        }
    }

    /// `points`: how many will come, where it is known.
    pub fn begin_series(&mut self, series: &Described<'_>, points: Option<usize>) {
        self.begin_entry(series, None, points);
    }

    /// Of so many series, whose rows were put together.
    pub fn begin_group(&mut self, common: &Described<'_>, series: usize, points: usize) {
        self.begin_entry(common, Some(series), Some(points));
    }

    fn begin_entry(&mut self, series: &Described<'_>, count: Option<usize>, points: Option<usize>) {
        self.points = 0;
        self.out.reserve(points.unwrap_or(0).saturating_mul(POINT_BYTES).min(PIECE_BYTES));
        match self.format {
            Form::Json => {
                if self.series > 0 {
                    self.out.push(b',');
                }
                put_json(&mut self.out, series);
                self.out.pop(); // the closing brace: the map goes on
                if let Some(count) = count {
                    self.out.extend_from_slice(b",\"count\":");
                    put_json(&mut self.out, &count);
                }
                self.out.extend_from_slice(b",\"columns\":[\"time\"");
                for column in &self.columns {
                    self.out.push(b',');
                    put_json(&mut self.out, column);
                }
                self.out.extend_from_slice(b"],\"points\":[");
            }
            Form::Csv => {
                self.line_start.clear();
                let labels = serde_json::to_string(&series.labels).expect("a map of texts is JSON");
                for text in [series.device, series.metric, &labels] {
                    put_csv(&mut self.line_start, text);
                    self.line_start.push(b',');
                }
            }
            Form::Ndjson => {
                self.line_start.clear();
                let names = serde_json::json!({ "device": series.device, "metric": series.metric, "labels": series.labels });
                put_json(&mut self.line_start, &names);
                self.line_start.pop();
                self.line_start.extend_from_slice(b",\"time\":");
            }
            Form::MessagePack => {
                series.pack(&mut self.out, 2 + usize::from(count.is_some()));
                if let Some(count) = count {
                    pack_str(&mut self.out, "count");
                    rmp::encode::write_uint(&mut self.out, count as u64).expect(NEVER);
                }
                pack_str(&mut self.out, "columns");
                pack_array(&mut self.out, self.columns.len() + 1);
                pack_str(&mut self.out, "time");
                self.columns.iter().for_each(|column| pack_str(&mut self.out, column));
                pack_str(&mut self.out, "points");
                match points {
                    Some(points) => pack_array(&mut self.out, points),
                    None => self.held_back = Some(Vec::new()),
                }
            }
        }
        self.series += 1;
    }

    pub fn point(&mut self, time: TimeNs, value: &Value) {
        self.begin_point(time);
        self.value(0, Some(value));
        self.end_point();
    }

    /// Every point of a run.
    pub fn run(&mut self, run: &Run<'_>) {
        let many = match (self.time, run.times(), run.slice()) {
            (TimeFormat::Ms, Some(times), Some(values)) => self.many::<NS_PER_MS>(times, values),
            (TimeFormat::Ns, Some(times), Some(values)) => self.many::<1>(times, values),
            _ => 0,
        };
        self.points += many;
        (many..run.len()).for_each(|i| self.point(run.time(i), &run.value(i)));
    }

    /// The first of them that are written at once: numbers at times of the usual form. How many there were.
    fn many<const UNIT: i64>(&mut self, times: &[TimeNs], values: Slice<'_>) -> usize {
        let (is_first, out) = (self.points == 0, self.held_back.as_mut().unwrap_or(&mut self.out));
        let (between, behind): (&[u8], &[u8]) = if self.format == Form::Csv { (b",", b"\n") } else { (b",\"value\":", b"}\n") };
        let line = [&self.line_start[..], between, behind];
        match (self.format, values) {
            (Form::Json, Slice::Float(v)) => points::json::<UNIT, _>(times, v, is_first, out),
            (Form::Json, Slice::Int(v)) => points::json::<UNIT, _>(times, v, is_first, out),
            (Form::MessagePack, Slice::Float(v)) => points::pack_floats::<UNIT>(times, v, out),
            (Form::MessagePack, Slice::Int(v)) => points::pack_ints::<UNIT>(times, v, out),
            (Form::Csv | Form::Ndjson, Slice::Float(v)) => points::lines::<UNIT, _>(times, v, line, out),
            (Form::Csv | Form::Ndjson, Slice::Int(v)) => points::lines::<UNIT, _>(times, v, line, out),
            _ => 0,
        }
    }

    pub fn row(&mut self, time: TimeNs, row: &[Option<Value>]) {
        self.begin_point(time);
        for (i, value) in row.iter().enumerate() {
            self.value(i, value.as_ref());
        }
        self.end_point();
    }

    /// With when it was received, in the last column.
    pub fn point_received(&mut self, time: TimeNs, value: &Value, received: Option<TimeNs>) {
        self.begin_point(time);
        self.value(0, Some(value));
        match received {
            Some(received) => self.time_value(1, received),
            None => self.value(1, None),
        }
        self.end_point();
    }

    /// Waits until the number of rows is known.
    pub fn held_bytes(&self) -> usize {
        self.held_back.as_ref().map_or(0, Vec::len)
    }

    /// How many points the series got.
    pub fn end_series(&mut self) -> usize {
        match self.format {
            Form::Json => self.out.extend_from_slice(b"]}"),
            Form::Csv | Form::Ndjson => {}
            Form::MessagePack => {
                if let Some(points) = self.held_back.take() {
                    pack_array(&mut self.out, self.points);
                    self.out.extend_from_slice(&points);
                }
            }
        }
        self.points
    }

    pub fn end(&mut self, ending: Ending) {
        let Ending { thinned, is_rolled, retained_from, incomplete } = ending;
        match self.format {
            Form::Json => {
                self.out.extend_from_slice(b"],\"thinned\":");
                put_json(&mut self.out, &thinned);
                if is_rolled {
                    self.out.extend_from_slice(b",\"source\":\"rollup\"");
                }
                if let Some(from) = retained_from {
                    self.out.extend_from_slice(b",\"retained_from\":");
                    put_time(&mut self.out, self.time, from);
                }
                if let Some(why) = incomplete {
                    self.out.extend_from_slice(b",\"incomplete\":true,\"incomplete_why\":");
                    put_json(&mut self.out, &why);
                }
                self.out.push(b'}');
            }
            Form::Csv | Form::Ndjson => {}
            Form::MessagePack => {
                pack_str(&mut self.out, "thinned");
                rmp::encode::write_bool(&mut self.out, thinned).expect(NEVER);
                if let Some(from) = retained_from {
                    pack_str(&mut self.out, "retained_from");
                    pack_time(&mut self.out, self.time, from);
                }
                pack_str(&mut self.out, "source");
                pack_str(&mut self.out, if is_rolled { "rollup" } else { "readings" });
                pack_str(&mut self.out, "incomplete");
                rmp::encode::write_bool(&mut self.out, incomplete.is_some()).expect(NEVER);
            }
        }
    }

    fn begin_point(&mut self, time: TimeNs) {
        match self.format {
            Form::Json => {
                self.out.extend_from_slice(if self.points == 0 { b"[" } else { b",[" });
                put_time(&mut self.out, self.time, time);
            }
            Form::Ndjson => {
                self.out.extend_from_slice(&self.line_start);
                put_time(&mut self.out, self.time, time);
            }
            Form::Csv => {
                self.out.extend_from_slice(&self.line_start);
                self.time.write(time, &mut self.out);
            }
            Form::MessagePack => {
                let columns = self.columns.len() + 1;
                let out = self.held_back.as_mut().unwrap_or(&mut self.out);
                pack_array(out, columns);
                pack_time(out, self.time, time);
            }
        }
        self.points += 1;
    }

    fn value(&mut self, column: usize, value: Option<&Value>) {
        if let Some(Value::Text(object)) = value
            && self.columns[column] == TIME_IN_STATE
        {
            return self.object(object);
        }
        match self.format {
            Form::Json => {
                self.out.push(b',');
                put_value(&mut self.out, value);
            }
            Form::Csv => {
                self.out.push(b',');
                match value {
                    None => {}
                    Some(Value::Text(text)) => put_csv(&mut self.out, text),
                    value => put_value(&mut self.out, value),
                }
            }
            Form::Ndjson => {
                self.out.push(b',');
                put_json(&mut self.out, &self.columns[column]);
                self.out.push(b':');
                put_value(&mut self.out, value);
            }
            Form::MessagePack => pack_value(self.held_back.as_mut().unwrap_or(&mut self.out), value),
        }
    }

    /// A text of JSON: as it is where an answer is JSON, a text in CSV, a map in MessagePack.
    fn object(&mut self, object: &str) {
        match self.format {
            Form::Json => {
                self.out.push(b',');
                self.out.extend_from_slice(object.as_bytes());
            }
            Form::Csv => {
                self.out.push(b',');
                put_csv(&mut self.out, object);
            }
            Form::Ndjson => {
                self.out.push(b',');
                put_json(&mut self.out, TIME_IN_STATE);
                self.out.push(b':');
                self.out.extend_from_slice(object.as_bytes());
            }
            Form::MessagePack => {
                let out = self.held_back.as_mut().unwrap_or(&mut self.out);
                let map: BTreeMap<String, f64> = serde_json::from_str(object).expect("src/query/agg/states.rs makes a map of numbers");
                pack_map(out, map.len());
                for (key, value) in map {
                    pack_str(out, &key);
                    rmp::encode::write_f64(out, value).expect(NEVER);
                }
            }
        }
    }

    fn time_value(&mut self, column: usize, time: TimeNs) {
        match self.format {
            Form::Json => {
                self.out.push(b',');
                put_time(&mut self.out, self.time, time);
            }
            Form::Csv => {
                self.out.push(b',');
                self.time.write(time, &mut self.out);
            }
            Form::Ndjson => {
                self.out.push(b',');
                put_json(&mut self.out, &self.columns[column]);
                self.out.push(b':');
                put_time(&mut self.out, self.time, time);
            }
            Form::MessagePack => pack_time(self.held_back.as_mut().unwrap_or(&mut self.out), self.time, time),
        }
    }

    fn end_point(&mut self) {
        match self.format {
            Form::Json => self.out.push(b']'),
            Form::Csv => self.out.push(b'\n'),
            Form::Ndjson => self.out.extend_from_slice(b"}\n"),
            Form::MessagePack => {}
        }
    }
}

pub fn put_json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("texts, numbers and maps of them are JSON, and writing to a Vec does not fail");
}

/// A time as JSON: text in quotes, numbers without.
pub fn put_time(out: &mut Vec<u8>, format: TimeFormat, time: TimeNs) {
    let quote: &[u8] = if format == TimeFormat::Rfc3339 { b"\"" } else { b"" };
    out.extend_from_slice(quote);
    format.write(time, out);
    out.extend_from_slice(quote);
}

/// Ints stay ints; floats have the shortest form that reads back as the same float.
pub fn put_value(out: &mut Vec<u8>, value: Option<&Value>) {
    match value {
        None => out.extend_from_slice(b"null"),
        Some(Value::Int(i)) => put_json(out, i),
        Some(Value::Float(f)) => put_json(out, f),
        Some(Value::Bool(b)) => put_json(out, b),
        Some(Value::Text(t)) => put_json(out, &**t),
    }
}

fn pack_value(out: &mut Vec<u8>, value: Option<&Value>) {
    match value {
        None => rmp::encode::write_nil(out).expect(NEVER),
        Some(Value::Int(i)) => drop(rmp::encode::write_sint(out, *i).expect(NEVER)),
        Some(Value::Float(f)) => rmp::encode::write_f64(out, *f).expect(NEVER),
        Some(Value::Bool(b)) => rmp::encode::write_bool(out, *b).expect(NEVER),
        Some(Value::Text(t)) => pack_str(out, t),
    }
}

fn pack_time(out: &mut Vec<u8>, format: TimeFormat, time: TimeNs) {
    match format {
        TimeFormat::Ms if time % NS_PER_MS == 0 => {
            rmp::encode::write_sint(out, time / NS_PER_MS).expect(NEVER);
        }
        TimeFormat::Ms => rmp::encode::write_f64(out, ms_f64(time)).expect(NEVER),
        TimeFormat::Ns => drop(rmp::encode::write_sint(out, time).expect(NEVER)),
        TimeFormat::Rfc3339 => pack_str(out, &crate::query::time::rfc3339(time).to_string()),
    }
}

pub fn pack_str(out: &mut Vec<u8>, text: &str) {
    rmp::encode::write_str(out, text).expect(NEVER);
}

pub fn pack_map(out: &mut Vec<u8>, len: usize) {
    rmp::encode::write_map_len(out, u32::try_from(len).expect("maps of an answer are small")).expect(NEVER);
}

fn pack_array(out: &mut Vec<u8>, len: usize) {
    rmp::encode::write_array_len(out, u32::try_from(len).expect("an answer is bounded far below 2^32 points")).expect(NEVER);
}
