//! Random frames come back as they were sent. A failing run prints its seed; put it into `SEEDS` to run it again.

mod support;

use support::{Reading, decode, random_batch};
use telltale_wire::{BatchBuilder, Limits, Value};

const SEEDS: std::ops::Range<u64> = 0..400;

#[test]
fn random_batches_come_back_reading_by_reading() {
    for seed in SEEDS {
        let readings = random_batch(seed);
        let mut builder = BatchBuilder::new(Limits::default());
        for reading in &readings {
            builder.push(reading.alias, reading.time_ns, reading.value.borrowed()).unwrap();
        }
        let mut frame = Vec::new();
        let order = builder.encode(seed, &mut frame).to_vec();
        assert!(frame.len() <= builder.bytes_max(), "seed {seed}: {} bytes, at most {}", frame.len(), builder.bytes_max());

        let (seq, back) = decode(&frame, &Limits::default()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(seq, seed);
        let sent: Vec<&Reading> = order.iter().map(|&number| &readings[number as usize]).collect();
        assert_eq!(back.len(), readings.len(), "seed {seed}");
        for (place, (back, sent)) in back.iter().zip(&sent).enumerate() {
            assert!(back == *sent, "seed {seed}, place {place}: sent {sent:?}, got {back:?}");
        }
        let mut numbers = order;
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..readings.len() as u32), "seed {seed}: each reading has one place");
    }
}

#[test]
fn the_last_of_two_readings_at_one_time_stays_the_last() {
    let mut builder = BatchBuilder::new(Limits::default());
    for value in [5, 1, 9, 2] {
        builder.push(0, 1000, Value::Int(value)).unwrap();
    }
    let mut frame = Vec::new();
    assert_eq!(builder.encode(1, &mut frame), [0, 1, 2, 3]);
}

#[test]
fn a_full_builder_says_which_limit_and_its_frame_is_within_it() {
    let limits = Limits { batch_readings: 3, ..Limits::default() };
    let mut builder = BatchBuilder::new(limits);
    for time in 0..3 {
        builder.push(7, time, Value::Bool(true)).unwrap();
    }
    let full = builder.push(7, 3, Value::Bool(true)).unwrap_err();
    assert_eq!(full.to_string(), "limit batch_readings: 4 would be more than 3");

    let limits = Limits { frame_bytes: 1000, ..Limits::default() };
    let mut builder = BatchBuilder::new(limits);
    let mut time = 0;
    let full = loop {
        match builder.push(time as u32, time * 1_000_000_007, Value::Text("ninety-nine bottles")) {
            Ok(()) => time += 1,
            Err(full) => break full,
        }
    };
    assert_eq!((full.limit, full.max), ("frame_bytes", 1000));
    let mut frame = Vec::new();
    builder.encode(1, &mut frame);
    assert!(frame.len() <= 1000, "{} bytes", frame.len());
    assert_eq!(decode(&frame, &limits).unwrap().1.len(), time as usize);
}
