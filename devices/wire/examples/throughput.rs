//! Bytes and speed of `telltale.v1` batches, by hand: `cargo run --release -p telltale-wire --example throughput`.
//!
//! Each row is one shape of batch. Encoding includes sorting and the choice of encodings; decoding is parse, times and
//! values into reused buffers, with every time and value looked at. The best of several runs is printed.

#![expect(clippy::print_stdout, reason = "a measurement run by hand prints its table")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use telltale_wire::{Batch, BatchBuilder, ColumnBuf, Limits, Value, Values};

const SERIES: u32 = 100;
const ROWS: i64 = 200;
const START_NS: i64 = 1_795_396_030_000_000_000;
const SECOND_NS: i64 = 1_000_000_000;

type Sample = (u32, i64, f64);

fn main() {
    let mut random = fastrand::Rng::with_seed(1);
    println!("{:<58} {:>10} {:>14} {:>14}", "shape, 20,000 readings a batch", "B/reading", "encode M/s", "decode M/s");
    let jitter = |random: &mut fastrand::Rng, row: i64| START_NS + row * SECOND_NS + random.i64(0..50) * 1_000_000;

    show(
        "a column each, time +- 25 ms, two decimals, wandering",
        &samples(|random, row| (jitter(random, row), walk(random, row, 100.0)), &mut random),
    );
    show(
        "a column each, time in ns, two decimals, wandering",
        &samples(|random, row| (START_NS + row * SECOND_NS + random.i64(0..50_000_000), walk(random, row, 100.0)), &mut random),
    );
    show(
        "a column each, time +- 25 ms, two decimals, noise 0-100",
        &samples(|random, row| (jitter(random, row), random.i64(0..10_000) as f64 / 100.0), &mut random),
    );
    show("rows of 10 metrics, time +- 25 ms, two decimals, wandering", &rows_of_ten(&mut random));
    let mut gaps = rows_of_ten(&mut random);
    gaps.retain(|_| random.u8(..10) > 0);
    show("the same, one reading in ten missing", &gaps);
    show(
        "rows of all, regular seconds, one decimal, noise 0-100",
        &samples(|random, row| (START_NS + row * SECOND_NS, random.i64(0..1000) as f64 / 10.0), &mut random),
    );
    show(
        "rows of all, regular seconds, f32 sensor noise",
        &samples(|random, row| (START_NS + row * SECOND_NS, f64::from(random.f32())), &mut random),
    );
    show("rows of all, regular seconds, f64 noise", &samples(|random, row| (START_NS + row * SECOND_NS, random.f64()), &mut random));
}

fn samples(mut make: impl FnMut(&mut fastrand::Rng, i64) -> (i64, f64), random: &mut fastrand::Rng) -> Vec<Sample> {
    let mut samples = Vec::new();
    for alias in 0..SERIES {
        samples.extend((0..ROWS).map(|row| make(random, row)).map(|(time, value)| (alias, time, value)));
    }
    samples
}

fn rows_of_ten(random: &mut fastrand::Rng) -> Vec<Sample> {
    let mut samples = Vec::new();
    for device in 0..SERIES / 10 {
        for row in 0..ROWS {
            let time = START_NS + row * SECOND_NS + random.i64(0..50) * 1_000_000;
            samples.extend((0..10).map(|metric| (device * 10 + metric, time, walk(random, row, 100.0))));
        }
    }
    samples
}

/// A value near 20 that moves slowly, with as many decimals as `scale` has zeros.
fn walk(random: &mut fastrand::Rng, row: i64, scale: f64) -> f64 {
    let wave = (row as f64 / 30.0).sin() * 5.0;
    ((20.0 + wave + random.f64() * 0.8) * scale).round() / scale
}

fn show(shape: &str, samples: &[Sample]) {
    let limits = Limits::default();
    let mut builder = BatchBuilder::new(limits);
    let mut frame = Vec::new();
    let encoding = best(|| {
        builder.clear();
        for &(alias, time_ns, value) in samples {
            builder.push(alias, time_ns, Value::Float(value)).expect("20,000 readings fit");
        }
        frame.clear();
        black_box(builder.encode(1, &mut frame).len());
    });
    let (mut times, mut buf) = (Vec::new(), ColumnBuf::default());
    let decoding = best(|| {
        let readings = decode(black_box(&frame), &limits, &mut times, &mut buf);
        assert_eq!(readings, samples.len());
    });
    let rate = |time: Duration| samples.len() as f64 / time.as_secs_f64() / 1e6;
    println!("{shape:<58} {:>10.2} {:>14.1} {:>14.1}", frame.len() as f64 / samples.len() as f64, rate(encoding), rate(decoding));
}

fn decode(frame: &[u8], limits: &Limits, times: &mut Vec<i64>, buf: &mut ColumnBuf) -> usize {
    let batch = Batch::parse(frame, limits).expect("the builder writes good frames");
    let mut readings = 0;
    for group in batch.groups() {
        group.times(times).expect("good times");
        black_box(&times);
        for column in group.columns() {
            let values = column.decode_into(buf).expect("good values");
            readings += values.len();
            if let Values::Floats(floats) = values {
                black_box(floats);
            }
        }
    }
    readings
}

/// The shortest of many runs.
fn best(mut run: impl FnMut()) -> Duration {
    let until = Instant::now() + Duration::from_millis(700);
    let mut best = Duration::MAX;
    while Instant::now() < until {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    best
}
