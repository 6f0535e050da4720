//! Readings in any order become one good frame: sorted by series and time, columns with equal times in one group.
//!
//! Invariant: readings of one alias at one time keep the order in which they were pushed, since the last one wins.

use crate::batch::choose::{self, Room};
use crate::batch::presence::put_bits;
use crate::batch::rows::{self, Series};
use crate::batch::{Value, time};
use crate::frame::tag;
use crate::limits::Limits;
use crate::varint;

/// Bytes that a batch takes without readings.
const BATCH_BYTES_MAX: usize = 32;
/// Bytes that one reading takes at most, without its text, also when it has a group of its own.
const READING_BYTES_MAX: usize = 48;

/// Why a reading found no room. Send what is there, then push it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit {limit}: {found} would be more than {max}")]
pub struct Full {
    pub limit: &'static str,
    pub found: u64,
    pub max: u64,
}

/// A batch that is being filled. [`BatchBuilder::clear`] keeps its room for the next one.
#[derive(Debug)]
pub struct BatchBuilder {
    limits: Limits,
    readings: Vec<Reading>,
    texts: String,
    /// Numbers of the readings in the order of the wire, once encoded.
    order: Vec<u32>,
    room: Room,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    alias: u32,
    class: Class,
    time_ns: i64,
    value: Stored,
}

/// A column holds values of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Number,
    Bool,
    Text,
}

#[derive(Clone, Copy, Debug)]
enum Stored {
    Int(i64),
    Float(f64),
    Bool(bool),
    /// From, to in `texts`.
    Text(usize, usize),
}

impl BatchBuilder {
    pub fn new(limits: Limits) -> Self {
        Self { limits, readings: Vec::new(), texts: String::new(), order: Vec::new(), room: Room::default() }
    }

    /// Adds a reading; its number is the count of those before it. One that would pass a limit is not added.
    pub fn push(&mut self, alias: u32, time_ns: i64, value: Value<'_>) -> Result<(), Full> {
        let readings = self.readings.len() as u64 + 1;
        if readings > u64::from(self.limits.batch_readings) {
            return Err(Full { limit: "batch_readings", found: readings, max: u64::from(self.limits.batch_readings) });
        }
        let text_bytes = if let Value::Text(text) = value { text.len() } else { 0 };
        let bytes = self.bytes_max() + READING_BYTES_MAX + text_bytes;
        if bytes as u64 > u64::from(self.limits.frame_bytes) {
            return Err(Full { limit: "frame_bytes", found: bytes as u64, max: u64::from(self.limits.frame_bytes) });
        }
        let (class, value) = match value {
            Value::Int(int) => (Class::Number, Stored::Int(int)),
            Value::Float(float) => (Class::Number, Stored::Float(float)),
            Value::Bool(bool) => (Class::Bool, Stored::Bool(bool)),
            Value::Text(text) => {
                let from = self.texts.len();
                self.texts.push_str(text);
                (Class::Text, Stored::Text(from, self.texts.len()))
            }
        };
        self.readings.push(Reading { alias, class, time_ns, value });
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.readings.len()
    }

    pub fn is_empty(&self) -> bool {
        self.readings.is_empty()
    }

    /// The frame will not be longer than this.
    pub fn bytes_max(&self) -> usize {
        BATCH_BYTES_MAX + self.readings.len() * READING_BYTES_MAX + self.texts.len()
    }

    pub fn clear(&mut self) {
        self.readings.clear();
        self.texts.clear();
        self.order.clear();
    }

    /// Appends the frame to `out` and gives the reading's number for each place of the batch: the hub refuses by place.
    /// The readings stay until [`BatchBuilder::clear`].
    pub fn encode(&mut self, seq: u64, out: &mut Vec<u8>) -> &[u32] {
        let sorted = self.sorted();
        let all_times: Vec<i64> = sorted.iter().filter_map(|&number| self.reading(number)).map(|reading| reading.time_ns).collect();
        let base_ns = all_times.first().copied().unwrap_or(0);
        let groups = rows::share(&self.series(&sorted), &all_times, base_ns);

        out.push(tag::BATCH);
        varint::put(out, seq);
        out.extend_from_slice(&base_ns.to_le_bytes());
        varint::put(out, groups.len() as u64);
        self.order.clear();
        let mut room = std::mem::take(&mut self.room);
        for group in &groups {
            varint::put(out, group.series.len() as u64);
            varint::put(out, group.times.len() as u64);
            time::put(out, base_ns, &group.times);
            for series in &group.series {
                let numbers = series.of(&sorted);
                let values: Vec<Value<'_>> =
                    numbers.iter().filter_map(|&number| self.reading(number)).map(|reading| self.value(reading)).collect();
                let mut bits = Vec::new();
                if numbers.len() != group.times.len() {
                    put_bits(&mut bits, rows::present(&group.times, series.of(&all_times)));
                }
                varint::put(out, u64::from(series.alias));
                choose::put_column(out, &bits, &values, &mut room);
                self.order.extend_from_slice(numbers);
            }
        }
        self.room = room;
        &self.order
    }

    fn reading(&self, number: u32) -> Option<&Reading> {
        self.readings.get(number as usize)
    }

    fn value(&self, reading: &Reading) -> Value<'_> {
        match reading.value {
            Stored::Int(int) => Value::Int(int),
            Stored::Float(float) => Value::Float(float),
            Stored::Bool(bool) => Value::Bool(bool),
            Stored::Text(from, to) => Value::Text(self.texts.get(from..to).unwrap_or_default()),
        }
    }

    /// The readings' numbers by alias, class and time; equal ones in the order of their push.
    fn sorted(&self) -> Vec<u32> {
        let mut keyed: Vec<(u32, Class, i64, u32)> =
            self.readings.iter().zip(0..).map(|(reading, number)| (reading.alias, reading.class, reading.time_ns, number)).collect();
        keyed.sort_unstable();
        keyed.into_iter().map(|(.., number)| number).collect()
    }

    fn series(&self, sorted: &[u32]) -> Vec<Series> {
        let mut series: Vec<Series> = Vec::new();
        let mut class = Class::Number;
        for (index, reading) in sorted.iter().filter_map(|&number| self.reading(number)).enumerate() {
            match series.last_mut() {
                Some(last) if last.alias == reading.alias && class == reading.class => last.to = index + 1,
                _ => {
                    series.push(Series { alias: reading.alias, from: index, to: index + 1 });
                    class = reading.class;
                }
            }
        }
        series
    }
}
