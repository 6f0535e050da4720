//! Any readings through the builder and back: each at its place, to the bit.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use telltale_wire::{Batch, BatchBuilder, ColumnBuf, Limits, Value};

#[derive(Arbitrary, Debug)]
struct Reading {
    alias: u8,
    time: Time,
    value: Any,
}

/// Times that often have something in common, so that every time mode is reached.
#[derive(Arbitrary, Debug)]
enum Time {
    Seconds(i16),
    Milliseconds(i32),
    Nanoseconds(i64),
}

#[derive(Arbitrary, Debug)]
enum Any {
    Small(i16),
    Int(i64),
    Decimal(i32, u8),
    Narrow(f32),
    Float(f64),
    Bool(bool),
    Text(String),
}

impl Reading {
    fn time_ns(&self) -> i64 {
        match self.time {
            Time::Seconds(seconds) => i64::from(seconds) * 1_000_000_000,
            Time::Milliseconds(ms) => i64::from(ms) * 1_000_000,
            Time::Nanoseconds(ns) => ns,
        }
    }

    fn value(&self) -> Value<'_> {
        match &self.value {
            Any::Small(int) => Value::Int(i64::from(*int)),
            Any::Int(int) => Value::Int(*int),
            Any::Decimal(int, digits) => Value::Float(f64::from(*int) / 10_f64.powi(i32::from(digits % 18))),
            Any::Narrow(float) => Value::Float(f64::from(*float)),
            Any::Float(float) => Value::Float(*float),
            Any::Bool(bool) => Value::Bool(*bool),
            Any::Text(text) => Value::Text(text),
        }
    }
}

fn same(left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right) {
        (Value::Float(left), Value::Float(right)) => left.to_bits() == right.to_bits(),
        (left, right) => left == right,
    }
}

fuzz_target!(|readings: Vec<Reading>| {
    let limits = Limits::default();
    let mut builder = BatchBuilder::new(limits);
    for reading in &readings {
        if builder.push(u32::from(reading.alias), reading.time_ns(), reading.value()).is_err() {
            break;
        }
    }
    let count = builder.len();
    let mut frame = Vec::new();
    let order = builder.encode(9, &mut frame).to_vec();
    assert!(frame.len() <= builder.bytes_max());
    assert_eq!(order.len(), count);

    let batch = Batch::parse(&frame, &limits).expect("the builder writes good frames");
    assert_eq!((batch.seq(), batch.readings() as usize), (9, count));
    let (mut times, mut buf) = (Vec::new(), ColumnBuf::default());
    for group in batch.groups() {
        group.times(&mut times).expect("good times");
        for column in group.columns() {
            let (mut rows, mut place) = (column.presence().rows(), column.first_place() as usize);
            column.decode_into(&mut buf).expect("good values").for_each(|value| {
                let sent = &readings[order[place] as usize];
                let row = rows.next().expect("as many rows as values") as usize;
                assert_eq!((column.alias(), times[row]), (u32::from(sent.alias), sent.time_ns()));
                assert!(same(value, sent.value()), "sent {sent:?}, got {value:?}");
                place += 1;
            });
        }
    }
});
