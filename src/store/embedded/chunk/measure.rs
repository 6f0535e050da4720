//! What a point costs: `cargo test --lib chunk::measure -- --ignored --nocapture`. No pass or fail; figures for whoever changes a form.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::block::Values;
use crate::model::SeriesId;

const MS: i64 = 1_000_000;
const START: i64 = 1_800_000_000_000 * MS;
const ROUNDS: u32 = 20;

/// A sensor's drift and noise, in units of its last digit.
fn walk(rng: &mut fastrand::Rng, count: usize, step: i64) -> Vec<i64> {
    let mut level = rng.i64(100..10_000);
    let mut next = || {
        level += rng.i64(-step..=step);
        level
    };
    (0..count).map(|_| next()).collect()
}

fn times(rng: &mut fastrand::Rng, count: usize, jitter: i64, unit: i64) -> Vec<TimeNs> {
    (0..count as i64).map(|i| START + i * 1000 * MS + rng.i64(0..=jitter) * unit).collect()
}

fn tenths(rng: &mut fastrand::Rng, count: usize) -> Values {
    Values::Float(walk(rng, count, 3).into_iter().map(|v| v as f64 / 10.0).collect())
}

fn shapes(rng: &mut fastrand::Rng, count: usize) -> Vec<(&'static str, Block)> {
    let noise = Values::Float((0..count).map(|_| (200 + rng.i64(0..40)) as f64 / 10.0).collect());
    let sine = Values::Float((0..count).map(|i| (i as f64 / 50.0).sin() * 20.0 + rng.f64() / 100.0).collect());
    let counter = Values::Int(walk(rng, count, 3).iter().scan(0, |sum, v| Some((*sum, *sum += 100 + v % 7).0)).collect());
    let states = Values::Text((0..count).map(|i| Arc::from(["idle", "run", "fault"][i / 40 % 3])).collect());
    let bools = Values::Bool((0..count).map(|_| rng.u8(0..20) == 0).collect());
    let columns = vec![("noisy tenths", noise), ("full precision", sine), ("counter", counter), ("states", states), ("bools", bools)];
    let regular = times(rng, count, 0, 1);
    let block = |times: &[TimeNs], values| Block::from_columns(times.to_vec(), values, vec![], Some(40 * MS));
    let mut shapes: Vec<_> = columns.into_iter().map(|(name, column)| (name, block(&regular, column))).collect();
    shapes.push(("tenths", block(&regular, tenths(rng, count))));
    let (ms, ns) = (times(rng, count, 20, MS), times(rng, count, MS, 1));
    shapes.push(("tenths, ms jitter", block(&ms, tenths(rng, count))));
    shapes.push(("tenths, ns jitter", block(&ns, tenths(rng, count))));
    shapes
}

/// 1,000 series that have nothing in common: times, lags and values of their own.
fn strangers(rng: &mut fastrand::Rng, count: usize) -> Vec<(SeriesId, Arc<Block>)> {
    let mut one = |id: u32| {
        let phase = rng.i64(0..1_000_000) * 1000;
        let times = times(rng, count, 20, MS).into_iter().map(|time| time + phase).collect();
        (SeriesId(id * 7), Arc::new(Block::from_columns(times, tenths(rng, count), vec![], Some(rng.i64(0..1000 * MS)))))
    };
    (0..1000).map(&mut one).collect()
}

/// 100 devices of ten metrics; a device's metrics share times and lag, as one batch brings them.
fn fleet(rng: &mut fastrand::Rng, count: usize, jitter: i64) -> Vec<(SeriesId, Arc<Block>)> {
    let mut all = Vec::new();
    for device in 0..100 {
        let phase = rng.i64(0..1000) * MS;
        let times: Vec<TimeNs> = times(rng, count, jitter, MS).into_iter().map(|time| time + phase).collect();
        let lag = rng.i64(0..1000) * MS;
        for metric in 0..10 {
            let values = match metric {
                0 => Values::Int(walk(rng, count, 1)),
                1 => Values::Bool(vec![device % 2 == 0; count]),
                2 => Values::Float(walk(rng, count, 3).into_iter().map(|v| v as f64 / 100.0).collect()),
                _ => tenths(rng, count),
            };
            all.push((SeriesId(device * 10 + metric), Arc::new(Block::from_columns(times.clone(), values, vec![], Some(lag)))));
        }
    }
    all
}

fn report<T>(name: &str, points: usize, encode: impl Fn() -> Vec<u8>, decode: impl Fn(&[u8]) -> T) {
    let bytes = encode();
    let ns = |work: &dyn Fn()| {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| work());
        start.elapsed().as_nanos() as f64 / f64::from(ROUNDS) / points as f64
    };
    let write = ns(&|| drop(black_box(encode())));
    let read = ns(&|| drop(black_box(decode(&bytes))));
    println!(
        "{name:38} {points:6} points {:7.3} B/point {write:7.1} ns/point to encode {read:6.1} to decode",
        bytes.len() as f64 / points as f64
    );
}

#[test]
#[ignore = "prints figures"]
fn measure() {
    let rng = &mut fastrand::Rng::with_seed(1);
    for count in [60, 1024, 4096] {
        for (name, block) in shapes(rng, count) {
            report(name, count, || encode(&block, Times::Own), |bytes| decode(bytes, None));
        }
    }
    for (count, jitter) in [(6, 0), (6, 20), (60, 0), (60, 20)] {
        let all = fleet(rng, count, jitter);
        report(&format!("100 devices of 10, {count} each, {jitter} ms"), count * 1000, || encode_many(&all), decode_many);
    }
    for count in [6, 60] {
        let all = strangers(rng, count);
        report(&format!("1000 strangers, {count} each"), count * 1000, || encode_many(&all), decode_many);
    }
}
