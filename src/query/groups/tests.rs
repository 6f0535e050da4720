//! Groups beside brute force: every value of a bucket in a list, and what the words of GROUPS.md make of it.

use super::*;

const NAMES: [&str; 3] = ["", "x", "y"];

fn key(device: &str, metric: &str, labels: &[(&str, &str)]) -> SeriesKey {
    SeriesKey { device: device.into(), metric: metric.into(), labels: Labels::from_pairs(labels.iter().copied()) }
}

/// The attribute `site` is the first letter of the device's name.
struct Sites;

impl Attributes for Sites {
    fn with_value(&self, device: &str, name: &str, use_value: &mut dyn FnMut(&str)) {
        use_value(if name == "site" { &device[..1] } else { "" });
    }
}

fn grouping(group: &str, by: Option<&str>) -> Grouping {
    Grouping::parse(Some(group), by).unwrap().unwrap()
}

#[test]
fn series_are_divided_by_what_was_asked_for() {
    let keys = [
        key("a1", "t", &[("room", "x"), ("floor", "1")]),
        key("a2", "t", &[("room", "x")]),
        key("a2", "u", &[("room", "y"), ("floor", "1")]),
        key("b1", "t", &[]),
    ];
    let keys: Vec<&SeriesKey> = keys.iter().collect();
    let shown = |by: Option<&str>| -> Vec<String> {
        let groups = grouping("sum", by).divide(&keys, &Sites);
        groups.into_iter().map(|group| format!("{} {:?}", group.key, group.members)).collect()
    };
    assert_eq!(shown(None), ["/ [0, 1, 2, 3]"]);
    assert_eq!(shown(Some("device")), ["a1/t{floor=\"1\",room=\"x\"} [0]", "a2/ [1, 2]", "b1/t [3]"]);
    assert_eq!(shown(Some("metric")), ["/t [0, 1, 3]", "a2/u{floor=\"1\",room=\"y\"} [2]"]);
    assert_eq!(shown(Some("label.room")), ["/t{room=\"x\"} [0, 1]", "a2/u{floor=\"1\",room=\"y\"} [2]", "b1/t [3]"]);
    assert_eq!(shown(Some("label.floor")), ["/{floor=\"1\"} [0, 2]", "/t [1, 3]"], "without the label is a group");
    assert_eq!(shown(Some("@site")), ["/{@site=\"a\"} [0, 1, 2]", "b1/t{@site=\"b\"} [3]"]);
    assert_eq!(
        shown(Some("metric,@site")),
        ["/t{@site=\"a\",room=\"x\"} [0, 1]", "a2/u{@site=\"a\",floor=\"1\",room=\"y\"} [2]", "b1/t{@site=\"b\"} [3]"]
    );
    assert!(grouping("sum", Some("device")).divide(&[], &Sites).is_empty());
}

/// Two series are in one group exactly when all that was asked for is equal, and groups tell what their series share.
#[test]
fn every_series_is_in_one_group_with_its_like() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let name = |rng: &mut fastrand::Rng| NAMES[rng.usize(0..3)];
        let keys: Vec<SeriesKey> = (0..rng.usize(1..30))
            .map(|_| {
                let (device, metric) = (format!("d{}", name(&mut rng)), format!("m{}", name(&mut rng)));
                key(&device, &metric, &[("p", name(&mut rng)), ("q", name(&mut rng))])
            })
            .collect();
        let keys: Vec<&SeriesKey> = keys.iter().collect();
        let mut asked: Vec<&str> = ["device", "metric", "label.p", "label.q", "@site"].into_iter().filter(|_| rng.bool()).collect();
        rng.shuffle(&mut asked);
        let text = asked.join(",");
        let groups = grouping("max", (!asked.is_empty()).then_some(&*text)).divide(&keys, &Sites);
        let of = |at: usize| -> Vec<String> {
            let is = |by: &&str| match *by {
                "device" => keys[at].device.to_string(),
                "metric" => keys[at].metric.to_string(),
                "@site" => "d".to_owned(),
                label => keys[at].labels.value(&label[6..]).to_owned(),
            };
            asked.iter().map(is).collect()
        };
        let mut seen: Vec<usize> = groups.iter().flat_map(|group| group.members.clone()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..keys.len()).collect::<Vec<_>>(), "seed {seed}: each once");
        for (i, group) in groups.iter().enumerate() {
            let first = of(group.members[0]);
            assert!(group.members.is_sorted() && group.members.iter().all(|at| of(*at) == first), "seed {seed}");
            assert!(groups[..i].iter().all(|other| of(other.members[0]) != first && other.key < group.key), "seed {seed}");
            for name in ["p", "q"] {
                let value = keys[group.members[0]].labels.value(name);
                let shared = group.members.iter().all(|at| keys[*at].labels.value(name) == value);
                assert_eq!(group.key.labels.value(name), if shared { value } else { "" }, "seed {seed}");
            }
        }
    }
}

fn by_definition(together: Together, values: &[&Value]) -> Option<Value> {
    if values.is_empty() {
        return None;
    }
    let ints: i128 = values.iter().map(|value| if let Value::Int(i) = value { i128::from(*i) } else { 0 }).sum();
    // Eighths, which add up exactly.
    let floats: f64 = values.iter().map(|value| if let Value::Float(f) = value { *f } else { 0.0 }).sum();
    let are_ints = values.iter().all(|value| matches!(value, Value::Int(_)));
    match together {
        Together::Sum if are_ints => Some(i64::try_from(ints).map_or(Value::Float(ints as f64), Value::Int)),
        Together::Sum => Some(Value::Float(ints as f64 + floats)),
        Together::Mean => Some(Value::Float((ints as f64 + floats) / values.len() as f64)),
        // The first of equals keeps its type.
        Together::Min => values.iter().copied().reduce(|a, b| if number::compare(b, a).is_lt() { b } else { a }).cloned(),
        Together::Max => values.iter().copied().reduce(|a, b| if number::compare(b, a).is_gt() { b } else { a }).cloned(),
    }
}

#[test]
fn rows_put_together_are_those_of_the_definition() {
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (columns, together) = (rng.usize(1..4), Together::ALL[rng.usize(0..4)]);
        let large = rng.u8(..) < 40;
        let (mut gather, mut all) = (Gather::new(together, columns), BTreeMap::<TimeNs, Vec<Vec<Value>>>::new());
        for _ in 0..rng.usize(0..12) {
            let gaps = rng.f64();
            for bucket in 0..rng.i64(0..40) {
                if rng.f64() < gaps {
                    continue;
                }
                let row: Vec<Option<Value>> = (0..columns)
                    .map(|_| match rng.u8(0..8) {
                        0 => None,
                        1..5 if large => Some(Value::Int(rng.i64(..))),
                        1..5 => Some(Value::Int(rng.i64(-50..50))),
                        _ if large => None,
                        _ => Some(Value::Float(f64::from(rng.i32(-400..400)) / 8.0)),
                    })
                    .collect();
                gather.add(bucket * 10, &row);
                let lists = all.entry(bucket * 10).or_insert_with(|| vec![Vec::new(); columns]);
                lists.iter_mut().zip(&row).for_each(|(list, value)| list.extend(value.clone()));
            }
        }
        let expected: Vec<(TimeNs, Vec<Option<Value>>)> = all
            .into_iter()
            .map(|(start, lists)| (start, lists.iter().map(|list| by_definition(together, &list.iter().collect::<Vec<_>>())).collect()))
            .collect();
        let mut found = Vec::new();
        assert_eq!(gather.len(), expected.len());
        assert!(gather.finish(&mut |start, row| {
            found.push((start, row.to_vec()));
            true
        }));
        if together == Together::Mean {
            let near = |a: &Option<Value>, b: &Option<Value>| match (a, b) {
                (Some(Value::Float(a)), Some(Value::Float(b))) => (a - b).abs() <= 1e-12 * b.abs().max(1.0),
                (None, None) => true,
                _ => false,
            };
            assert_eq!(found.len(), expected.len());
            for ((start, row), (expected_start, expected)) in found.iter().zip(&expected) {
                assert!(start == expected_start && row.iter().zip(expected).all(|(a, b)| near(a, b)), "seed {seed}: {row:?} {expected:?}");
            }
        } else {
            assert_eq!(found, expected, "seed {seed} {together:?}");
        }
    }
}

#[test]
fn beyond_what_numbers_say() {
    let told = |together, values: &[Value]| {
        let mut gather = Gather::new(together, 1);
        values.iter().for_each(|value| gather.add(0, &[Some(value.clone())]));
        let mut found = None;
        gather.finish(&mut |_, row| {
            found = row[0].clone();
            false
        });
        found
    };
    let most = [Value::Int(i64::MAX), Value::Int(1)];
    assert!(matches!(told(Together::Sum, &most), Some(Value::Float(sum)) if sum > 9.2e18), "beyond 64 bits a float");
    let back = [Value::Int(i64::MAX), Value::Int(1), Value::Int(-1)];
    assert_eq!(told(Together::Sum, &back), Some(Value::Int(i64::MAX)), "in any order");
    let far = [Value::Float(f64::MAX), Value::Float(f64::MAX)];
    assert_eq!(told(Together::Sum, &far), None, "no float says it");
    assert_eq!(told(Together::Mean, &far), Some(Value::Float(f64::MAX)));
    let near = [Value::Float(9_007_199_254_740_992.0), Value::Int(9_007_199_254_740_993)];
    assert_eq!(told(Together::Max, &near), Some(near[1].clone()), "compared exactly");
}
