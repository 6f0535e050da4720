//! Random blocks there and back, golden bytes, and bytes that are wrong in every way.

use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::block::Values;
use crate::limits::LATE_AFTER_NS;
use crate::model::{SeriesId, Value};

const MS: i64 = 1_000_000;
const START: i64 = 1_800_000_000_000 * MS;

/// Bit by bit, since `Value` holds 1 and 1.0 for the same; a mixed column and a settled one are the same values.
pub(super) fn exact(block: &Block) -> String {
    let mut text = format!("{:?} {:?} {:?}", block.times(), block.late(), block.lag());
    for i in 0..block.len() {
        match block.value(i) {
            Value::Float(f) => write!(text, " f{:x}", f.to_bits()),
            value => write!(text, " {value:?}"),
        }
        .unwrap();
    }
    text
}

fn random_times(rng: &mut fastrand::Rng, count: usize) -> Vec<TimeNs> {
    let shape = rng.u8(0..6);
    let mut time = if shape == 5 { i64::MIN } else { START + rng.i64(-1_000_000..1_000_000) * MS };
    let room = i64::MAX / count as i64;
    let mut times = Vec::new();
    for _ in 0..count {
        times.push(time);
        time += match shape {
            0 => 1000 * MS,
            1 => 1000 * MS + rng.i64(-5..5) * MS,
            2 => 250 * MS * rng.i64(1..3),
            3 => rng.i64(1..2_000_000_000),
            4 => 1,
            _ => rng.i64(1..room),
        };
    }
    times
}

fn random_value(rng: &mut fastrand::Rng, shape: u8, i: usize) -> Value {
    match shape {
        0 => Value::Int(rng.i64(-100..100)),
        1 => Value::Int(rng.i64(..)),
        2 => Value::Float(f64::from(rng.i32(-10_000..10_000)) / 100.0),
        3 => Value::Float(f64::from_bits(rng.u64(..) & !(1 << 62))),
        4 => Value::Float(if rng.bool() { 0.0 } else { -0.0 }),
        5 => Value::Bool(rng.u8(0..10) == 0),
        6 => Value::Text(["on", "off", "fault \u{fc}"][rng.usize(0..3)].into()),
        7 => Value::Text(format!("{i} {}", rng.u32(..)).into()),
        8 => Value::Int(42),
        9 => Value::Float(20.5),
        10 => Value::Text("steady".into()),
        11 => Value::Int(i as i64 * 17 + rng.i64(0..3)),
        12 => Value::Float(i as f64),
        // A pattern, for which pco looks back.
        13 => Value::Float(f64::from_bits(fastrand::Rng::with_seed(i as u64 % 50).u64(..) & !(1 << 62))),
        _ => {
            let shape = rng.u8(0..8);
            random_value(rng, shape, i)
        }
    }
}

fn random_block(rng: &mut fastrand::Rng, most: usize) -> Block {
    let count = if rng.bool() { rng.usize(1..=most) } else { rng.usize(1..=most.min(20)) };
    let times = random_times(rng, count);
    let shape = rng.u8(0..15);
    let mut values = if rng.u8(0..8) == 0 { Values::Mixed(Vec::new()) } else { Values::default() };
    for i in 0..count {
        values.push(random_value(rng, shape, i));
    }
    let lateness = rng.u8(0..4);
    let is_late = |rng: &mut fastrand::Rng| lateness == 3 || lateness == 2 && rng.u8(0..10) == 0;
    let mut late = Vec::new();
    for &time in &times {
        if is_late(rng) {
            late.push((time, time.saturating_add(LATE_AFTER_NS + rng.i64(1..86_400_000) * MS)));
        }
    }
    Block::from_columns(times, values, late, rng.bool().then(|| rng.i64(-MS..LATE_AFTER_NS)))
}

fn random_many(rng: &mut fastrand::Rng, series: usize, most: usize) -> Vec<(SeriesId, Arc<Block>)> {
    let mut id = 0;
    let shared = rng.bool().then(|| random_block(rng, most));
    let mut all = Vec::new();
    for _ in 0..series {
        id += rng.u32(1..50);
        let block = shared.clone().filter(|_| rng.u8(0..4) > 0).unwrap_or_else(|| random_block(rng, most));
        all.push((SeriesId(id), Arc::new(block)));
    }
    all
}

pub(super) fn exact_many<'a>(series: impl IntoIterator<Item = (SeriesId, &'a Block)>) -> Vec<String> {
    series.into_iter().map(|(id, block)| format!("{id:?} {}", exact(block))).collect()
}

#[test]
fn what_is_written_is_read() {
    for seed in 0..1500 {
        let rng = &mut fastrand::Rng::with_seed(seed);
        let block = random_block(rng, if seed % 50 == 0 { MAX_POINTS } else { 300 });
        let bytes = encode(&block, Times::Own);
        let back = decode(&bytes, None).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_eq!(exact(&back), exact(&block), "seed {seed}");

        let bytes = encode(&block, Times::Shared);
        let times = decode_times(&encode_times(block.times())).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let back = decode(&bytes, Some(&times)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_eq!(exact(&back), exact(&block), "seed {seed} shared");
        assert!(decode(&bytes, None).is_err(), "seed {seed} without its times");
        assert!(decode(&bytes, Some(&[])).is_err(), "seed {seed} without its times");
    }
}

#[test]
fn many_series_are_read_as_written() {
    for seed in 0..300 {
        let rng = &mut fastrand::Rng::with_seed(seed);
        let series = rng.usize(1..40);
        let all = random_many(rng, series, if seed % 10 == 0 { 200 } else { 12 });
        let back = decode_many(&encode_many(&all)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_eq!(exact_many(back.iter().map(|(id, b)| (*id, b))), exact_many(all.iter().map(|(id, b)| (*id, &**b))), "seed {seed}");
    }
}

#[test]
fn the_limits_themselves_are_held() {
    let rng = &mut fastrand::Rng::with_seed(5);
    let times: Vec<TimeNs> = (0..65).map(|i| START + i * 1000 * MS + rng.i64(0..MS)).collect();
    let block = Block::from_columns(times, Values::Float((0..65).map(|_| rng.f64()).collect()), vec![], Some(5));
    let all: Vec<_> = (0..MANY_MAX_SERIES as u32).map(|id| (SeriesId(id), Arc::new(block.clone()))).collect();
    assert_eq!(decode_many(&encode_many(&all)).unwrap().len(), MANY_MAX_SERIES);
    let long = Block::from_columns((0..MAX_POINTS as i64).collect(), Values::Bool(vec![true; MAX_POINTS]), vec![], None);
    let all: Vec<_> = (0..16).map(|id| (SeriesId(id), Arc::new(long.clone()))).collect();
    assert_eq!(decode_many(&encode_many(&all)).unwrap().iter().map(|(_, b)| b.len()).sum::<usize>(), MANY_MAX_POINTS);
}

#[test]
fn stats_are_those_of_the_points() {
    type Row = (Values, Option<(f64, f64, f64)>);
    let rows: &[Row] = &[
        (Values::Int(vec![3, -1, 5]), Some((-1.0, 5.0, 7.0))),
        (Values::Float(vec![0.1, 0.2, -7.5]), Some((-7.5, 0.2, 0.1 + 0.2 - 7.5))),
        (Values::Float(vec![2.5; 3]), Some((2.5, 2.5, 7.5))),
        (Values::Mixed(vec![Value::Int(1), Value::Int(2), Value::Int(3)]), Some((1.0, 3.0, 6.0))),
        (Values::Mixed(vec![Value::Int(1), Value::Float(2.0), Value::Int(3)]), None),
        (Values::Bool(vec![true, false, true]), None),
        (Values::Int(vec![i64::MAX; 3]), Some((i64::MAX as f64, i64::MAX as f64, 3.0 * i64::MAX as f64))),
    ];
    for (values, expected) in rows {
        let block = Block::from_columns(vec![10, 20, 40], values.clone(), vec![], None);
        let stats = stats(&encode(&block, Times::Own)).unwrap();
        assert_eq!((stats.count, stats.first, stats.last), (3, 10, 40));
        assert_eq!(stats.numbers.map(|n| (n.min, n.max, n.sum)), *expected, "{values:?}");
    }
    assert!(stats(&encode_times(&[1, 2])).is_err());
}

#[test]
fn extremes_are_told_where_they_are_exact() {
    for (values, expected) in [
        (vec![Value::Int(3), Value::Int(-2)], Some((Value::Int(-2), Value::Int(3)))),
        (vec![Value::Int((1 << 53) - 1), Value::Int(0)], Some((Value::Int(0), Value::Int((1 << 53) - 1)))),
        (vec![Value::Int((1 << 53) + 1), Value::Int(0)], None),
        (vec![Value::Int(i64::MIN), Value::Int(0)], None),
        (vec![Value::Float(2.5), Value::Float(0.1)], Some((Value::Float(0.1), Value::Float(2.5)))),
        (vec![Value::Float(0.0), Value::Float(-0.0)], None),
        (vec![Value::Float(1.0), Value::Int(1)], None),
        (vec![Value::Bool(true)], None),
    ] {
        let mut block = Block::default();
        (0..).zip(&values).for_each(|(time, value)| drop(block.put(time, value.clone(), time)));
        assert_eq!(stats(&encode(&block, Times::Own)).unwrap().extremes(), expected, "{values:?}");
    }
}

/// One of each kind of chunk, small enough to break every bit of.
fn small_chunks() -> Vec<(&'static str, Vec<u8>)> {
    let mut rng = fastrand::Rng::with_seed(11);
    let tenths = Values::Float((0..60).map(|i| 20.0 + f64::from(i % 7) / 10.0).collect());
    let times: Vec<TimeNs> = (0..60).map(|i| START + i * 1000 * MS + rng.i64(0..9) * MS).collect();
    let late = vec![(times[3], times[3] + 2 * LATE_AFTER_NS), (times[9], times[9] + 3 * LATE_AFTER_NS)];
    let one = Block::from_columns(times, tenths, late, Some(12 * MS));
    let mut mixed = one.cut(0..20);
    mixed.put(START, Value::Text("hello".into()), START);
    let many: Vec<_> = (0..9).map(|id| (SeriesId(id * 3), Arc::new(one.cut(id as usize..id as usize + 9)))).collect();
    vec![
        ("decimals", encode(&one, Times::Own)),
        ("mixed", encode(&mixed, Times::Own)),
        ("shared", encode(&one, Times::Shared)),
        ("times", encode_times(one.times())),
        ("many", encode_many(&many)),
    ]
}

fn decode_any(bytes: &[u8]) -> [Option<Damaged>; 3] {
    [decode(bytes, None).err(), decode_times(bytes).err(), decode_many(bytes).err()]
}

#[test]
fn every_bit_and_every_end_is_under_the_checksum() {
    for (name, bytes) in small_chunks() {
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode_any(&broken), [Some(Damaged::Checksum); 3], "{name} bit {bit}");
            assert_eq!(stats(&broken), Err(Damaged::Checksum), "{name} bit {bit}");
        }
        for end in 0..bytes.len() {
            let errors = decode_any(&bytes[..end]);
            assert!(errors.iter().all(|e| matches!(e, Some(Damaged::Checksum | Damaged::Short))), "{name} cut at {end}: {errors:?}");
        }
    }
}

#[test]
fn another_version_is_told_apart_from_damage() {
    let mut body = small_chunks()[0].1.clone();
    body.truncate(body.len() - 4);
    body[0] = 2;
    assert_eq!(decode(&bytes::seal(body), None).unwrap_err(), Damaged::Version { found: 2 });
}

/// Breaks the body in a few places and makes the checksum right again, so that the parser sees it.
fn break_body(rng: &mut fastrand::Rng, bytes: &[u8]) -> Vec<u8> {
    let mut body = bytes[..bytes.len() - 4].to_vec();
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(1..body.len());
        match rng.u8(0..5) {
            0 => body[at] ^= 1 << rng.u8(0..8),
            1 => body[at] = rng.u8(..),
            2 => body[at] = 0xff,
            3 => body.truncate(at + 1),
            _ => body.insert(at, rng.u8(..)),
        }
        if body.len() < 2 {
            break;
        }
    }
    bytes::seal(body)
}

/// How far the parser came: through all of it, into pco, or anywhere else.
#[derive(Debug, Default)]
struct Reached {
    end: usize,
    pco: usize,
    elsewhere: usize,
}

impl Reached {
    fn note(&mut self, error: Option<Damaged>) {
        match error {
            None => self.end += 1,
            Some(Damaged::Malformed("a column of numbers cannot be unpacked")) => self.pco += 1,
            Some(Damaged::Checksum) => panic!("the checksum was made right"),
            Some(_) => self.elsewhere += 1,
        }
    }
}

#[test]
fn wrong_bytes_with_a_right_checksum_never_panic() {
    let (mut one, mut many) = (Reached::default(), Reached::default());
    for seed in 0..400 {
        let rng = &mut fastrand::Rng::with_seed(seed);
        let block = random_block(rng, 300);
        let series = rng.usize(1..12);
        let chunks = [encode(&block, Times::Own), encode(&block, Times::Shared), encode_times(block.times())];
        let pool = encode_many(&random_many(rng, series, 30));
        for _ in 0..25 {
            for bytes in &chunks {
                let broken = break_body(rng, bytes);
                one.note(decode(&broken, Some(block.times())).err());
                decode_times(&broken).ok();
                stats(&broken).ok();
            }
            many.note(decode_many(&break_body(rng, &pool)).err());
        }
        for kind in 0..=7 {
            let body = [VERSION, rng.u8(0..32), kind].into_iter().chain(std::iter::repeat_with(|| rng.u8(..)).take(80)).collect();
            decode_any(&bytes::seal(body));
        }
    }
    for reached in [&one, &many] {
        assert!(reached.end > 500 && reached.pco > 100 && reached.elsewhere > 500, "one {one:?} many {many:?}");
    }
}

/// The lag of each series is another, of up to two seconds to the microsecond.
#[test]
fn receive_times_of_readings_in_time_cost_less_than_a_tenth_of_a_byte() {
    let mut rng = fastrand::Rng::with_seed(3);
    let lags: Vec<_> = (0..1000).map(|_| rng.i64(0..2_000_000) * 1_000).collect();
    let block = |series: usize, count: i64, has_lag: bool| {
        let times = (0..count).map(|i| i * 10_000_000_000 + series as i64).collect();
        let values = (0..count).map(|i| ((i * 37 + series as i64) % 300) as f64 / 10.0).collect();
        Arc::new(Block::from_columns(times, Values::Float(values), vec![], has_lag.then(|| lags[series])))
    };
    let own = |has_lag| encode(&block(7, 4096, has_lag), Times::Own).len();
    let many = |has_lag| encode_many(&(0..1000).map(|i| (SeriesId(i as u32), block(i, 60, has_lag))).collect::<Vec<_>>()).len();
    for (what, readings, with, without) in [("own", 4096, own(true), own(false)), ("many", 60_000, many(true), many(false))] {
        assert!(with > without, "{what}: it is there");
        let cost = (with - without) as f64 / f64::from(readings);
        assert!(cost < 0.1, "{what}: {cost} bytes a reading");
    }
}
