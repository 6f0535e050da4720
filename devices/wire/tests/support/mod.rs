//! What the tests of this folder share: an owned reading, a decoder of whole batches, random batches by seed.

#![allow(dead_code, unreachable_pub)] // each test binary uses its part

use telltale_wire::{AgentFrame, Batch, ColumnBuf, HubFrame, Limits, Value, WireError};

#[derive(Clone, Debug)]
pub enum Owned {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
}

/// Equal to the bit, so that -0.0 is not 0.0 and a NaN is itself.
impl PartialEq for Owned {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => left.to_bits() == right.to_bits(),
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Text(left), Self::Text(right)) => left == right,
            _ => false,
        }
    }
}

impl Owned {
    pub fn of(value: Value<'_>) -> Self {
        match value {
            Value::Int(int) => Self::Int(int),
            Value::Float(float) => Self::Float(float),
            Value::Bool(bool) => Self::Bool(bool),
            Value::Text(text) => Self::Text(text.to_owned()),
        }
    }

    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Int(int) => Value::Int(*int),
            Self::Float(float) => Value::Float(*float),
            Self::Bool(bool) => Value::Bool(*bool),
            Self::Text(text) => Value::Text(text),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub alias: u32,
    pub time_ns: i64,
    pub value: Owned,
}

/// The sequence number and all readings, each at its place.
pub fn decode(frame: &[u8], limits: &Limits) -> Result<(u64, Vec<Reading>), WireError> {
    let batch = Batch::parse(frame, limits)?;
    let (mut times, mut buf, mut readings) = (Vec::new(), ColumnBuf::default(), Vec::new());
    for group in batch.groups() {
        group.times(&mut times)?;
        assert_eq!(times.len(), group.rows() as usize);
        for column in group.columns() {
            assert_eq!(column.first_place() as usize, readings.len());
            let values = column.decode_into(&mut buf)?;
            assert_eq!(values.len(), column.readings() as usize);
            let mut rows = column.presence().rows();
            values.for_each(|value| {
                let row = rows.next().expect("as many rows as values") as usize;
                readings.push(Reading { alias: column.alias(), time_ns: times[row], value: Owned::of(value) });
            });
            assert_eq!(rows.next(), None);
        }
    }
    assert_eq!(readings.len(), batch.readings() as usize);
    Ok((batch.seq(), readings))
}

/// Reads all that a frame of either side holds, without keeping it.
pub fn read_all(frame: &[u8], limits: &Limits, times: &mut Vec<i64>, buf: &mut ColumnBuf) -> Result<(), WireError> {
    if frame.first().is_some_and(|first| *first >= 0x80) {
        return HubFrame::parse(frame).map(drop);
    }
    match AgentFrame::parse(frame, limits)? {
        AgentFrame::Define(define) => assert_eq!(define.definitions().count(), define.len()),
        AgentFrame::Batch(batch) => {
            batch.check(times, buf)?;
            let mut readings = 0;
            for group in batch.groups() {
                group.times(times)?;
                for column in group.columns() {
                    let mut rows = column.presence().rows();
                    column.decode_into(buf)?.for_each(|_| {
                        readings += 1;
                        assert!(times.get(rows.next().expect("as many rows as values") as usize).is_some());
                    });
                }
            }
            assert_eq!(readings, batch.readings());
        }
        AgentFrame::Hello(_) | AgentFrame::Goodbye(_) => {}
    }
    Ok(())
}

/// A batch of a few series of random kinds, with rows of several metrics, gaps, jitter and hard values.
pub fn random_batch(seed: u64) -> Vec<Reading> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut readings = Vec::new();
    let mut alias = 0;
    for _ in 0..random.usize(1..6) {
        let times = random_times(&mut random);
        for _ in 0..random.usize(1..5) {
            alias += random.u32(1..40);
            let mut make = random_values(&mut random);
            let present = if random.bool() { 1.0 } else { 0.8 };
            for &time_ns in &times {
                if random.f64() < present {
                    readings.push(Reading { alias, time_ns, value: make(&mut random) });
                }
            }
        }
    }
    if random.bool() {
        random.shuffle(&mut readings);
    }
    readings
}

fn random_times(random: &mut fastrand::Rng) -> Vec<i64> {
    let unit = [1, 1_000, 1_000_000, 1_000_000_000][random.usize(..4)];
    let step = random.i64(0..20_000);
    let jitter = [0, 1, 50, i64::MAX / 4][random.usize(..4)];
    let mut time = random.i64(-1_000..1_795_396_030) * 1_000_000_000;
    (0..random.usize(1..200))
        .map(|_| {
            time = time.wrapping_add(step.wrapping_mul(unit));
            time.wrapping_add(random.i64(-jitter..=jitter).wrapping_mul(unit))
        })
        .collect()
}

type Make = Box<dyn FnMut(&mut fastrand::Rng) -> Owned>;

fn random_values(random: &mut fastrand::Rng) -> Make {
    const HARD: [f64; 14] = [
        0.0,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        0.1 + 0.2,
        1e15,
        1e16,
        9_007_199_254_740_993.0,
        -21.5,
        1e-15,
    ];
    let digits = random.i32(0..17);
    let spread = random.i64(1..1_000_000);
    let base = [0, -40, i64::MIN, i64::MAX, random.i64(..)][random.usize(..5)];
    let mut counter = base;
    match random.usize(..9) {
        0 => Box::new(move |random| {
            counter = counter.wrapping_add(random.i64(0..spread));
            Owned::Int(counter)
        }),
        1 => Box::new(move |random| Owned::Int(base.wrapping_add(random.i64(-spread..spread)))),
        2 => Box::new(move |random| Owned::Float(random.i64(-spread..spread) as f64 / 10_f64.powi(digits))),
        3 => Box::new(move |random| Owned::Float(f64::from(random.f32() * 100.0))),
        4 => Box::new(move |random| Owned::Float(if random.bool() { HARD[random.usize(..HARD.len())] } else { random.f64() })),
        5 => Box::new(|random| Owned::Bool(random.bool())),
        6 => Box::new(|random| Owned::Text(random_text(random))),
        7 => {
            let same = [Owned::Int(base), Owned::Float(-0.0), Owned::Bool(true), Owned::Text("läuft".into())][random.usize(..4)].clone();
            Box::new(move |_| same.clone())
        }
        _ => Box::new(move |random| match random.usize(..8) {
            0 => Owned::Bool(true),
            1..4 => Owned::Int(random.i64(-spread..spread)),
            _ => Owned::Float(random.i64(-spread..spread) as f64 / 100.0),
        }),
    }
}

fn random_text(random: &mut fastrand::Rng) -> String {
    let length = random.usize(..12);
    (0..length).map(|_| if random.u8(..4) == 0 { 'ü' } else { random.alphanumeric() }).collect()
}
