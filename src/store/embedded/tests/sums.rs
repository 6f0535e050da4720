//! Sums that floats cannot say, or that cancel each other out: what summaries tell equals what the readings do, or readings are read.

use super::left::{SECOND, seal, tend};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;

type Rows = Vec<(TimeNs, Vec<Option<Value>>)>;

const ASKED: [Agg; 4] = [Agg::Mean, Agg::Sum, Agg::Increase, Agg::Count];

/// Rows, and how many summaries they were made of.
fn rows(store: &dyn Store, pin: &Pin, series: u32, grid: &Grid, aggs: &[Agg]) -> (Rows, usize) {
    let (mut rows, mut used, mut buckets) = (Rows::new(), 0, Buckets::new(aggs, grid, TimeRange::ALL));
    let mut row = |time, row: &[Option<Value>]| {
        rows.push((time, row.to_vec()));
        true
    };
    let mut sink = |piece: Piece<'_>| match piece {
        Piece::Points(block) => buckets.push(Run::of_block(block, 0..block.len()), &mut row),
        Piece::Summary { summary, .. } => {
            used += 1;
            buckets.push_summary(summary, &mut row)
        }
        Piece::Totals(totals) => buckets.push_totals(totals, &mut row),
    };
    store.scan_coarse(pin, SeriesId(series), TimeRange::ALL, Coarse::Buckets { grid, aggs }, &mut sink).unwrap();
    buckets.finish(&mut row);
    (rows, used)
}

/// A reading every ten seconds, for five hours.
fn of_values(values: &[&dyn Fn(i64) -> Value]) -> Given {
    let mut given = Given::default();
    for (series, value) in (0..).zip(values) {
        let mut block = Block::default();
        for i in 0..1800 {
            drop(block.put(FIRST + i * 10 * SECOND, value(i), FIRST));
        }
        given.columns.insert(SeriesId(series), vec![Arc::new(block)]);
    }
    given
}

fn near(found: Option<&Value>, expected: Option<&Value>) -> bool {
    match (found, expected) {
        (Some(a), Some(b)) => {
            let (a, b) = (number::to_f64(a), number::to_f64(b));
            (a - b).abs() <= 1e-12 * b.abs()
        }
        (a, b) => a == b,
    }
}

#[test]
fn sums_of_summaries_equal_those_of_readings() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info, oracle) = (Arc::new(Pins::default()), Arc::new(Info::default()), MemoryStore::default());
    let store = open(dir.path(), Position(0), &pins, &info);
    let hour = |i: i64| i / 360;
    let sign = |i: i64| if i % 2 == 0 { 1 } else { -1 };
    let values: [&dyn Fn(i64) -> Value; 9] = [
        &|i| Value::Float(f64::MAX / (1.0 + i as f64 / 1e4)),
        &|i| Value::Int(i64::MAX - i),
        // Hours that cancel each other out.
        &|i| Value::Int(if hour(i) % 2 == 0 { i64::MAX - i } else { -i64::MAX + 2 * i }),
        &|i| Value::Float(if hour(i) % 2 == 0 { 1e100 + i as f64 * 1e84 } else { -1e100 }),
        &|i| Value::Float(if i % 1800 == 7 { 1.0 } else { 1e17 * sign(hour(i)) as f64 }),
        // Minutes that do.
        &|i| Value::Float(std::f64::consts::PI * 1e10 * sign(i / 6) as f64 + if i == 5 { 1e-3 } else { 0.0 }),
        &|i| Value::Float(if i % 3 == 0 { -f64::MAX } else { f64::MAX }),
        &|i| if i % 2 == 0 { Value::Int(i64::MAX - i) } else { Value::Float(-9.2e18) },
        &|i| Value::Float((i % 100) as f64 / 10.0),
    ];
    let given = of_values(&values);
    oracle.seal(&given.handover(Position(1))).unwrap();
    seal(&store, &given, 1);
    tend(&store, FIRST + 3 * DAY);
    let pin = pins.pin(Position(1));
    let mut used_in_all = 0;
    for series in 0..9 {
        for (name, grid) in [("15m", Grid::Fixed(HOUR / 4)), ("1h", Grid::Fixed(HOUR)), ("1d", Grid::Fixed(DAY)), ("all", Grid::Whole)] {
            for agg in ASKED {
                let (expected, _) = rows(&oracle, &pin, series, &grid, &[agg]);
                let (found, used) = rows(&store, &pin, series, &grid, &[agg]);
                used_in_all += used;
                assert_eq!(found.len(), expected.len());
                for ((time, row), (_, should)) in found.iter().zip(&expected) {
                    let is_near = near(row[0].as_ref(), should[0].as_ref());
                    assert!(is_near, "series {series}, {name}, {agg:?} at {time}: {:?} for {:?}, of {used} summaries", row[0], should[0]);
                }
            }
        }
    }
    assert!(used_in_all > 0);
    let used = |series| rows(&store, &pin, series, &Grid::Fixed(HOUR), &[Agg::Mean]).1;
    assert!(used(8) > 0, "summaries do where they can");
    assert_eq!((used(0), used(1)), (0, 0));
    // When the readings are gone, what is not known is not told, and the rest is.
    let raw = store.files.all().iter().find(|file| file.key.kind == FileKind::Raw).unwrap().key;
    store.files.unlink(raw).unwrap();
    let (gone, _) = rows(&store, &pin, 6, &Grid::Fixed(HOUR), &[Agg::Mean, Agg::Sum, Agg::Increase, Agg::Count, Agg::Max]);
    assert_eq!(gone.len(), 5);
    for (_, row) in gone {
        assert_eq!(row[3..], [Some(Value::Int(360)), Some(Value::Float(f64::MAX))]);
        assert_eq!(row[2], None);
    }
    let (gone, _) = rows(&store, &pin, 0, &Grid::Fixed(HOUR), &[Agg::Mean, Agg::Sum, Agg::Count]);
    assert!(gone.iter().all(|(_, row)| row[..2] == [None, None] && row[2] == Some(Value::Int(360))), "{gone:?}");
}
