//! Runs are written many points at once where that is possible: the bytes are those of the points one by one.

use super::*;
use crate::block::{Block, Values};
use crate::http::history::encode::{Form, TextEncoder};
use crate::http::series::Described;
use crate::query::run::Run;
use crate::query::time::TimeFormat;

const FORMS: [Form; 4] = [Form::Json, Form::Csv, Form::Ndjson, Form::MessagePack];
const TIMES: [TimeFormat; 3] = [TimeFormat::Ms, TimeFormat::Ns, TimeFormat::Rfc3339];

/// Now and then one that is no whole millisecond, or of the first hours of 1970, when a number of them has few digits.
fn times(rng: &mut fastrand::Rng, count: usize) -> Vec<TimeNs> {
    let (start, step) =
        (rng.choice([T0, 99_999_000 * MS, 4_294_966_000 * MS, 0, -5 * MS]).unwrap(), rng.choice([MS, 1000 * MS, 7]).unwrap());
    let odd = if rng.bool() { rng.usize(0..count) } else { count };
    (0..count).map(|i| start + i as i64 * step + i64::from(i == odd && step > 1)).collect()
}

fn values(rng: &mut fastrand::Rng, count: usize) -> Values {
    let float = |rng: &mut fastrand::Rng| f64::from(rng.i32(-1000..1000)) / rng.choice([1.0, 10.0, 1000.0, 1e6, 3.0]).unwrap();
    match rng.u8(0..5) {
        0 => Values::Int((0..count).map(|_| rng.i64(..) >> rng.u32(0..64)).collect()),
        1 => Values::Bool((0..count).map(|_| rng.bool()).collect()),
        2 => Values::Mixed((0..count).map(|_| if rng.bool() { Value::Int(rng.i64(-9..9)) } else { Value::Float(float(rng)) }).collect()),
        _ => Values::Float((0..count).map(|_| float(rng)).collect()),
    }
}

fn encoded(form: Form, time: TimeFormat, series: &Described<'_>, told: Option<usize>, put: impl FnOnce(&mut TextEncoder)) -> Vec<u8> {
    let mut encoder = TextEncoder::new(form, time, vec!["value"]);
    encoder.begin(1, false);
    encoder.begin_series(series, told);
    put(&mut encoder);
    encoder.end_series();
    encoder.out
}

#[test]
fn a_run_is_written_as_its_points_one_by_one() {
    let world = World::new();
    world.put("d", "m", &[("x", "1")], &[(T0, Value::Int(1))]);
    let series = world.series.by_id(crate::model::SeriesId(0)).unwrap();
    let described = Described::of(&series);
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let count = rng.usize(1..700);
        let block = Block::from_columns(times(&mut rng, count), values(&mut rng, count), Vec::new(), None);
        let (first, second) = Run::of_block(&block, 0..count).split_at(rng.usize(0..=count));
        for (form, time) in FORMS.into_iter().flat_map(|form| TIMES.map(|time| (form, time))) {
            let told = if rng.bool() { Some(count) } else { None };
            let at_once = encoded(form, time, &described, told, |encoder| [first, second].iter().for_each(|run| encoder.run(run)));
            let one_by_one = encoded(form, time, &described, told, |encoder| {
                (0..count).for_each(|i| encoder.point(block.times()[i], &block.value(i)));
            });
            assert!(at_once == one_by_one, "seed {seed}, {form:?}, {time:?}: {}", String::from_utf8_lossy(&at_once));
        }
    }
}
