//! A viewer as the contract describes it: applies snapshots, updates and patches to a map (series, time) -> value.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::super::cursor::Cursor;
use super::super::outbox::{Outbox, Reading};
use super::super::protocol::Encoding;
use crate::model::{TimeNs, Value};

/// device/metric of a series.
pub(super) type Key = String;

#[derive(Debug)]
pub(super) struct Client {
    pub outbox: Arc<Outbox>,
    reading: Option<Reading>,
    bytes: Vec<u8>,
    pub names: BTreeMap<u64, Key>,
    pub points: BTreeMap<Key, BTreeMap<TimeNs, Value>>,
    /// Where the promise begins, for series in the first snapshot.
    pub start: BTreeMap<Key, TimeNs>,
    pub cursor: Option<String>,
    pub resumed: bool,
    pub merged: u64,
    pub states: Vec<(String, String)>,
    pub errors: Vec<String>,
    /// Types of the messages as they came.
    pub log: Vec<String>,
    pub largest: usize,
}

/// What a message did.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// The map stands at this cursor now.
    At(Cursor),
    /// In the middle of a tick or a snapshot, or a message without readings.
    Between,
}

impl Client {
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self {
            outbox,
            reading: None,
            bytes: Vec::new(),
            names: BTreeMap::new(),
            points: BTreeMap::new(),
            start: BTreeMap::new(),
            cursor: None,
            resumed: false,
            merged: 0,
            states: Vec::new(),
            errors: Vec::new(),
            log: Vec::new(),
            largest: 0,
        }
    }

    /// A new connection of the same viewer, which keeps its map and its cursor.
    pub(super) fn reconnect(&mut self, outbox: Arc<Outbox>) {
        (self.outbox, self.reading, self.resumed) = (outbox, None, true);
        self.bytes.clear();
        self.names.clear();
        self.log.push("reconnect".to_owned());
    }

    /// The next whole message, if any has come.
    pub(super) fn next(&mut self) -> Option<Json> {
        loop {
            if let Some(message) = self.take_message() {
                return Some(message);
            }
            let bytes = self.outbox.next(&mut self.reading)?;
            self.bytes.extend_from_slice(&bytes);
        }
    }

    fn take_message(&mut self) -> Option<Json> {
        if self.outbox.encoding == Encoding::Events {
            return self.take_event();
        }
        let (opcode, short) = (*self.bytes.first()?, *self.bytes.get(1)?);
        let (len, header) = match short {
            126 => (usize::from(u16::from_be_bytes(self.bytes[2..4].try_into().unwrap())), 4),
            127 => (usize::try_from(u64::from_be_bytes(self.bytes[2..10].try_into().unwrap())).unwrap(), 10),
            len => (usize::from(len), 2),
        };
        let frame: Vec<u8> = self.bytes.drain(..header + len).collect();
        self.largest = self.largest.max(len);
        let payload = &frame[header..];
        Some(match (opcode, self.outbox.encoding) {
            (0x81, Encoding::Json) => serde_json::from_slice(payload).unwrap(),
            (0x82, Encoding::MsgPack) => rmp_serde::from_slice(payload).unwrap(),
            other => panic!("unexpected frame {other:?}"),
        })
    }

    /// As a browser reads it: fields of lines, an empty line at the end.
    fn take_event(&mut self) -> Option<Json> {
        let end = self.bytes.windows(2).position(|pair| pair == b"\n\n")?;
        let event: Vec<u8> = self.bytes.drain(..end + 2).collect();
        let text = std::str::from_utf8(&event).unwrap();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let data = field("data").unwrap();
        self.largest = self.largest.max(data.len());
        let message: Json = serde_json::from_str(data).unwrap();
        assert_eq!(field("event"), message["type"].as_str());
        let begins_anew = message["more"] == true && message["recovered"] == false;
        assert_eq!(field("id"), if begins_anew { Some("none") } else { message["cursor"].as_str() }, "{text}");
        assert_eq!(text.lines().filter(|line| !line.is_empty()).count(), 2 + usize::from(field("id").is_some()), "{text}");
        Some(message)
    }

    pub(super) fn apply(&mut self, message: &Json) -> Step {
        let kind = message["type"].as_str().unwrap();
        self.log.push(kind.to_owned());
        match kind {
            "snapshot" => self.snapshot(message),
            "update" => {
                self.describe(message);
                for point in message["points"].as_array().unwrap() {
                    let key = self.names[&point[0].as_u64().unwrap()].clone();
                    let (time, value) = (self.time(&point[1]), value(&point[2]));
                    let old = self.points.entry(key).or_default().insert(time, value);
                    assert!(old.is_none() || self.merged > 0 || message["merged"].is_u64(), "an update repeats {point} over {old:?}");
                }
                self.merged += message["merged"].as_u64().unwrap_or(0);
                self.at(message)
            }
            "patch" => {
                self.ranges(message);
                self.at(message)
            }
            "state" => {
                for device in message["devices"].as_array().unwrap() {
                    self.states.push((text(&device["device"]), text(&device["state"])));
                }
                Step::Between
            }
            "error" => {
                self.errors.push(format!(
                    "{} {} {}",
                    message["id"].as_str().unwrap_or("-"),
                    text(&message["error"]["code"]),
                    text(&message["error"]["message"])
                ));
                Step::Between
            }
            other => panic!("unknown message {other}: {message}"),
        }
    }

    fn snapshot(&mut self, message: &Json) -> Step {
        let recovered = message["recovered"].as_bool().unwrap();
        let more = message["more"].as_bool().unwrap_or(false);
        assert_eq!(message["cursor"].is_null(), more, "the cursor is in the last part");
        if !recovered && self.log.iter().rev().nth(1).is_none_or(|kind| kind != "snapshot more") {
            (self.points, self.start, self.names) = Default::default();
            (self.resumed, self.merged) = (false, 0);
            self.cursor = None; // what it had is gone: whoever breaks off in the middle has no place to resume from
        }
        self.describe(message);
        self.ranges(message);
        for series in message["series"].as_array().unwrap() {
            let key = self.names[&series["series"].as_u64().unwrap()].clone();
            let mut before = None;
            for point in series["points"].as_array().unwrap() {
                let time = self.time(&point[0]);
                assert!(before < Some(time), "points of a series are in time order");
                before = Some(time);
                self.points.entry(key.clone()).or_default().insert(time, value(&point[1]));
                if !recovered {
                    self.start.entry(key.clone()).or_insert(time);
                }
            }
        }
        self.merged += message["merged"].as_u64().unwrap_or(0);
        if more {
            *self.log.last_mut().unwrap() = "snapshot more".to_owned();
            return Step::Between;
        }
        self.at(message)
    }

    fn describe(&mut self, message: &Json) {
        for series in message["series"].as_array().into_iter().flatten() {
            let name = format!("{}/{}", text(&series["device"]), text(&series["metric"]));
            self.names.insert(series["series"].as_u64().unwrap(), name);
        }
    }

    fn ranges(&mut self, message: &Json) {
        for range in message["ranges"].as_array().into_iter().flatten() {
            let key = self.names[&range["series"].as_u64().unwrap()].clone();
            let (from, to) = (self.time(&range["from"]), self.time(&range["to"]));
            let series = self.points.entry(key).or_default();
            series.retain(|time, _| !(from..=to).contains(time));
            for point in range["points"].as_array().unwrap() {
                let time = match self.outbox.encoding {
                    Encoding::Json | Encoding::Events => json_time(&point[0]),
                    Encoding::MsgPack => point[0].as_i64().unwrap(),
                };
                assert!((from..=to).contains(&time), "a patch's points are in its range");
                series.insert(time, value(&point[1]));
            }
        }
    }

    /// A message that repeats the cursor stands in the middle of a tick.
    fn at(&mut self, message: &Json) -> Step {
        let text = text(&message["cursor"]);
        let step = if self.cursor.as_ref() == Some(&text) && message["type"] != "snapshot" {
            Step::Between
        } else {
            Step::At(Cursor::parse(&text).unwrap())
        };
        self.cursor = Some(text);
        step
    }

    fn time(&self, time: &Json) -> TimeNs {
        match self.outbox.encoding {
            Encoding::Json | Encoding::Events => json_time(time),
            Encoding::MsgPack => time.as_i64().unwrap(),
        }
    }
}

/// The tests' times are whole microseconds, so the nearest one is it.
#[expect(clippy::cast_possible_truncation, reason = "times of this century")]
fn json_time(time: &Json) -> TimeNs {
    match time.as_i64() {
        Some(ms) => ms * 1_000_000,
        None => (time.as_f64().unwrap() * 1_000.0).round() as i64 * 1_000,
    }
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_else(|| panic!("{json} is no text")).to_owned()
}

pub(super) fn value(json: &Json) -> Value {
    match json {
        Json::Bool(b) => Value::Bool(*b),
        Json::String(s) => Value::Text(s.as_str().into()),
        Json::Number(n) => n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap()), Value::Int),
        other => panic!("{other} is no value"),
    }
}
