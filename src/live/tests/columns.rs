//! Viewers that gave `points`: what they hold of each pixel column, beside all readings of it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::super::cursor::Cursor;
use super::super::engine::Input;
use super::super::protocol::Encoding;
use super::client::Client;
use super::rules::{MS, shape};
use super::{NOW, World};
use crate::auth::access::Scope;
use crate::model::{Delete, SeriesId, TimeNs, Value};

type Points = BTreeMap<TimeNs, Value>;

const HISTORY_MS: i64 = 20_000;

struct Chart {
    seed: u64,
    rng: fastrand::Rng,
    world: World,
    client: Client,
    ids: Vec<SeriesId>,
    width: i64,
    /// Where the first column of the snapshot begins.
    start: TimeNs,
}

/// What the contract says stays of a column: smallest, largest (the first of equals), last; of bools and texts the last.
fn brute(column: &Points) -> Points {
    let number = |point: &(&TimeNs, &Value)| point.1.as_f64();
    let numbers = || column.iter().filter(|point| number(point).is_some());
    let mut kept: Points = column.iter().next_back().map(|(t, v)| (*t, v.clone())).into_iter().collect();
    let least = numbers().map(|p| number(&p).unwrap()).fold(f64::INFINITY, f64::min);
    let greatest = numbers().map(|p| number(&p).unwrap()).fold(f64::NEG_INFINITY, f64::max);
    for wanted in [least, greatest] {
        kept.extend(numbers().find(|p| number(p) == Some(wanted)).map(|(t, v)| (*t, v.clone())));
    }
    kept
}

fn columns(points: &Points, width: i64, from: TimeNs) -> BTreeMap<i64, Points> {
    let mut columns: BTreeMap<i64, Points> = BTreeMap::new();
    for (time, value) in points.range(from..) {
        columns.entry(time.div_euclid(width)).or_default().insert(*time, value.clone());
    }
    columns
}

impl Chart {
    fn new(seed: u64, pixels: i64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut world = World::new();
        let ids: Vec<SeriesId> = (0..6).map(|i| world.id("d", &format!("m{i}"))).collect();
        let width = (HISTORY_MS * MS + pixels - 1) / pixels;
        let start = (NOW - HISTORY_MS * MS).div_euclid(width) * width;
        for _ in 0..rng.usize(1..8) {
            let rows: Vec<_> = (0..200).map(|_| (ids[rng.usize(0..6)], NOW - rng.i64(0..30_000) * MS, rng.i64(-9..9))).collect();
            world.commit(&[], &rows.iter().map(|(id, time, n)| (*id, *time, value(*id, *n))).collect::<Vec<_>>());
        }
        world.turn();
        let encoding = if seed.is_multiple_of(2) { Encoding::Json } else { Encoding::MsgPack };
        let client = Client::new(world.open(encoding, 1 << 22));
        let mut chart = Self { seed, rng, world, client, ids, width, start };
        chart.subscribe(pixels, "");
        chart
    }

    fn subscribe(&mut self, pixels: i64, more: &str) {
        let text = format!(r#"{{"type":"subscribe","id":"s","select":["*/*"],"history":"{HISTORY_MS}ms","points":{pixels}{more}}}"#);
        self.world.send(self.client.outbox.viewer, Scope::default(), &text);
        self.world.advance(0);
        self.hear();
    }

    fn hear(&mut self) -> Vec<Json> {
        self.world.run_jobs();
        let mut heard = Vec::new();
        while let Some(message) = self.client.next() {
            self.client.apply(&message);
            heard.push(message);
        }
        heard
    }

    /// Readings of the last frame's time, and `late` older ones at times that have none yet.
    fn commit(&mut self, late: usize) {
        let now = self.world.clock.now();
        let mut rows = Vec::new();
        for _ in 0..self.rng.usize(0..20) {
            let id = self.ids[self.rng.usize(0..self.ids.len())];
            rows.push((id, now - self.rng.i64(0..60) * MS, value(id, self.rng.i64(-9..9))));
        }
        for _ in 0..late {
            let id = self.ids[self.rng.usize(0..self.ids.len())];
            rows.push((id, now - self.rng.i64(0..22_000) * MS, value(id, self.rng.i64(-20..20))));
        }
        let truth = self.world.truth.last().unwrap();
        let mut taken = std::collections::BTreeSet::new();
        rows.retain(|(id, time, _)| !truth.get(id).is_some_and(|points| points.contains_key(time)) && taken.insert((*id, *time)));
        self.world.commit(&[], &rows);
    }

    fn frame(&mut self) {
        let ms = self.rng.u64(20..180);
        self.world.advance(ms);
        self.hear();
    }

    /// The rest is sent: nothing is pending after it.
    fn settle(&mut self) {
        for _ in 0..3 {
            self.world.advance(500);
            self.hear();
        }
    }

    /// All readings at the client's cursor.
    fn raw(&self, id: SeriesId) -> Points {
        let cursor = Cursor::parse(self.client.cursor.as_ref().unwrap()).unwrap();
        self.world.truth[usize::try_from(cursor.position.0).unwrap()].get(&id).cloned().unwrap_or_default()
    }

    fn held(&self, id: SeriesId) -> Points {
        let series = self.world.series.by_id(id).unwrap();
        self.client.points.get(&format!("{}/{}", series.key.device, series.key.metric)).cloned().unwrap_or_default()
    }

    /// Every column holds its three, and where `exactly`, nothing else but in the newest.
    fn check(&self, exactly: bool) {
        for id in &self.ids {
            let (raw, held) = (columns(&self.raw(*id), self.width, self.start), columns(&self.held(*id), self.width, self.start));
            assert!(held.keys().all(|column| raw.contains_key(column)), "seed {}, {id:?}: a column of nothing", self.seed);
            let newest = raw.keys().next_back().copied();
            for (column, points) in &raw {
                let (has, should) = (held.get(column).cloned().unwrap_or_default(), brute(points));
                let what = || format!("seed {}, {id:?}, column {column} of {newest:?}: has {has:?}, should {should:?}", self.seed);
                assert!(has.iter().all(|(time, value)| points.get(time) == Some(value)), "{}: what was never measured", what());
                assert!(should.iter().all(|point| has.get(point.0) == Some(point.1)), "{}", what());
                assert!(!exactly || Some(*column) == newest || has == should, "{}", what());
            }
        }
    }

    /// Each reading since the start is held or was told to be left out.
    fn count(&self) {
        let sum = |of: &dyn Fn(SeriesId) -> Points| self.ids.iter().map(|id| of(*id).range(self.start..).count() as u64).sum::<u64>();
        let (raw, held) = (sum(&|id| self.raw(id)), sum(&|id| self.held(id)));
        assert_eq!(held + self.client.merged, raw, "seed {}: {held} held, {} left out, {raw} in all", self.seed, self.client.merged);
    }
}

/// Integers, floats, bools and texts.
fn value(id: SeriesId, n: i64) -> Value {
    match id.0 % 5 {
        0 => Value::Bool(n > 0),
        1 => Value::Text(format!("t{n}").into()),
        2 => Value::Int(n),
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        _ => Value::Float(n as f64 / 4.0),
    }
}

#[test]
fn a_snapshot_is_thinned_and_says_how_many_are_left_out() {
    for seed in 0..20 {
        let mut chart = Chart::new(seed, [1, 7, 40, 400][usize::try_from(seed % 4).unwrap()]);
        chart.hear();
        chart.check(true);
        chart.count();
        let newest =
            chart.ids.iter().map(|id| columns(&chart.held(*id), chart.width, chart.start).values().map(Points::len).max().unwrap());
        assert!(newest.max().unwrap() <= 3, "seed {seed}: the newest column is thinned too");
    }
}

#[test]
fn every_column_holds_its_three_and_every_reading_is_held_or_counted() {
    for seed in 0..8 {
        let mut chart = Chart::new(seed, [5, 20, 50, 200][usize::try_from(seed % 4).unwrap()]);
        for round in 0..80 {
            let late = if round % 3 == 0 { chart.rng.usize(0..6) } else { 0 };
            chart.commit(late);
            chart.frame();
            chart.check(false);
        }
        chart.settle();
        chart.check(true);
        chart.count();
    }
}

#[test]
fn late_readings_of_what_is_sealed_are_added() {
    for seed in 0..6 {
        let mut chart = Chart::new(seed, 40);
        for round in 0..80 {
            let late = if round % 2 == 0 { 40 } else { 0 };
            chart.commit(late);
            if chart.rng.u8(0..12) == 0 {
                chart.world.turn();
                chart.world.seal();
            }
            chart.frame();
            chart.check(false);
        }
        chart.settle();
        chart.check(false);
        chart.count();
    }
}

#[test]
fn what_is_rewritten_or_deleted_has_its_columns_read_again() {
    for seed in 0..8 {
        let mut chart = Chart::new(seed, [5, 20, 50, 200][usize::try_from(seed % 4).unwrap()]);
        for _ in 0..80 {
            chart.commit(1);
            if chart.rng.u8(0..4) == 0 {
                let id = chart.ids[chart.rng.usize(0..6)];
                let points: Vec<TimeNs> = chart.raw(id).into_keys().collect();
                let rewritten = (0..3).map(|_| (id, points[chart.rng.usize(0..points.len())], value(id, chart.rng.i64(-30..30))));
                let rows: Vec<_> = rewritten.collect();
                let from = chart.world.clock.now() - chart.rng.i64(0..21_000) * MS;
                let delete = Delete { series: id, from, to: from + chart.rng.i64(0..3_000) * MS };
                let deletes: &[Delete] = if chart.rng.u8(0..3) == 0 { &[delete] } else { &[] };
                chart.world.commit(deletes, &rows);
            }
            chart.frame();
            chart.check(false);
        }
        chart.settle();
        chart.check(true);
    }
}

/// Two viewers of one group, of which one comes in the middle of a column, and one that comes back with its cursor.
#[test]
fn who_joins_in_the_middle_of_a_column_holds_the_same() {
    for seed in 0..6 {
        let mut chart = Chart::new(seed, 10);
        let rounds = |chart: &mut Chart| {
            for _ in 0..40 {
                chart.commit(1);
                chart.frame();
            }
        };
        rounds(&mut chart);
        let encoding = chart.client.outbox.encoding;
        let other = Client::new(chart.world.open(encoding, 1 << 22));
        let first = std::mem::replace(&mut chart.client, other);
        chart.subscribe(10, "");
        rounds(&mut chart);
        chart.settle();
        let newer = (chart.width, std::mem::replace(&mut chart.client, first));
        chart.hear();
        chart.check(true);
        chart.count();
        // The later one begins later.
        let of_first = chart.client.points.clone();
        for (key, points) in &newer.1.points {
            let (Some(begin), last) = (newer.1.start.get(key), points.keys().next_back()) else { continue };
            let (begin, last) = ((begin / chart.width + 1) * chart.width, last.unwrap() / chart.width * chart.width);
            let closed = |points: &Points| points.range(begin..last.max(begin)).map(|(t, v)| (*t, v.clone())).collect::<Vec<_>>();
            assert_eq!(closed(points), closed(&of_first[key]), "seed {seed}, {key}");
        }
        chart.world.engine.on_input(Input::Gone(chart.client.outbox.viewer), chart.world.now_ns);
        rounds(&mut chart);
        let cursor = chart.client.cursor.clone().unwrap();
        let outbox = chart.world.open(encoding, 1 << 22);
        chart.client.reconnect(outbox);
        chart.subscribe(10, &format!(r#","cursor":"{cursor}""#));
        rounds(&mut chart);
        chart.settle();
        chart.check(false);
        assert!(chart.client.log.iter().any(|kind| kind == "snapshot"));
    }
}

#[test]
fn a_viewer_that_reads_nothing_has_the_columns_it_asked_for_when_it_reads_again() {
    let mut chart = Chart::new(2, 50);
    chart.client.outbox = chart.world.open(Encoding::Json, 40_000);
    chart.subscribe(50, "");
    let id = chart.ids[2];
    for i in 0..4_000_i64 {
        let at = chart.world.clock.now();
        chart.world.commit(&[], &[(id, at, Value::Int((i * 37) % 1000)), (id, at + MS, Value::Int(i % 7))]);
        chart.world.advance(10);
    }
    let heard = chart.hear();
    assert!(heard.len() <= 4 && chart.client.merged > 0, "{:?}", shape(&heard));
    chart.settle();
    chart.check(false);
}
