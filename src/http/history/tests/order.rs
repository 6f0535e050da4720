//! The order in which readings come, and what was sealed in between, makes no difference to any answer.

use super::*;

const SEC: TimeNs = 1_000 * MS;
const QUESTIONS: [&str; 8] = [
    "",
    "&points=7",
    "&every=1m&agg=mean,count,sum,min,max,first,last",
    "&every=7m&agg=p50,p99,stddev&fill=linear",
    "&every=3m&agg=increase,rate,count&fill=previous",
    "&every=1h&agg=increase,last&tz=Asia/Kathmandu",
    "&every=1d&agg=sum,count&tz=America/St_Johns&fill=zero&group=sum&group_by=device",
    "&agg=mean,max&group=mean",
];

/// A counter that is reset, a gauge and texts, with times all over two hours.
fn series(rng: &mut fastrand::Rng) -> Vec<(&'static str, Vec<(TimeNs, Value)>)> {
    let mut count = 0;
    let mut counter = |rng: &mut fastrand::Rng| {
        count = if rng.u8(..) < 8 { 0 } else { count + rng.i64(0..50) };
        Value::Int(count)
    };
    let times = |rng: &mut fastrand::Rng| {
        let mut times: Vec<TimeNs> = (0..rng.usize(2..300)).map(|_| T0 + rng.i64(0..7_200) * SEC).collect();
        times.sort_unstable();
        times.dedup();
        times
    };
    let counter = times(rng).into_iter().map(|time| (time, counter(rng))).collect();
    // Quarters, which add up exactly in any order.
    let gauge = times(rng).into_iter().map(|time| (time, Value::Float(f64::from(rng.i32(-999..999)) / 4.0))).collect();
    vec![("count", counter), ("gauge", gauge)]
}

/// In the order given, some at once; each part goes to the store or stays in the head.
fn world(points: &[(&'static str, TimeNs, Value)], rng: &mut fastrand::Rng) -> World {
    let mut world = World::new();
    let store = Arc::new(MemoryStore::default());
    // The series are known in one order, since sorting is by name all the same.
    let mut rest = points;
    while !rest.is_empty() {
        let (some, after) = rest.split_at(rng.usize(1..=rest.len().min(80)));
        for (metric, time, value) in some {
            world.put("d", metric, &[], &[(*time, value.clone())]);
        }
        if rng.bool() {
            let generation = world.head.freeze().unwrap();
            store.seal(&generation.handover()).unwrap();
            world.head.sealed(&generation);
        }
        rest = after;
    }
    world.store = Some(store);
    world
}

#[test]
fn shuffled_and_late_readings_give_the_answers_of_sorted_ones() {
    for seed in 0..40 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut points: Vec<(&'static str, TimeNs, Value)> = Vec::new();
        for (metric, of_series) in series(&mut rng) {
            points.extend(of_series.into_iter().map(|(time, value)| (metric, time, value)));
        }
        let sorted = world(&points, &mut rng);
        // Each was something else before, now and then: the last write wins.
        let mut given: Vec<_> = points.clone();
        rng.shuffle(&mut given);
        let before: Vec<_> = given.iter().filter(|_| seed % 3 == 0).map(|(m, t, _)| (*m, *t, Value::Int(-1))).collect();
        let shuffled = world(&[before, given].concat(), &mut rng);
        for question in QUESTIONS {
            let query = format!("select=*/*&from={}ms&to={}ms{question}", T0 / MS + 600_000, T0 / MS + 6_600_000);
            let (found, expected) = (shuffled.text(&query), sorted.text(&query));
            // A deviation is put together of runs, to rounding.
            if question.contains("stddev") {
                let [found, expected] = [&found, &expected].map(|text| serde_json::from_str(text).unwrap());
                assert!(super::groups::are_near(&found, &expected), "seed {seed} {question}: {found} {expected}");
            } else {
                assert_eq!(found, expected, "seed {seed} {question}");
            }
        }
    }
}
