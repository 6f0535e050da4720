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

    /// Other values for readings that the viewer holds.
    fn rewrite(&mut self, count: usize) {
        let mut rows = Vec::new();
        for _ in 0..count {
            let id = self.ids[self.rng.usize(0..self.ids.len())];
            let held: Vec<TimeNs> = self.held(id).range(self.start..).map(|(time, _)| *time).collect();
            if !held.is_empty() {
                rows.push((id, held[self.rng.usize(0..held.len())], value(id, self.rng.i64(-9..9))));
            }
        }
        self.world.commit(&[], &rows);
    }

    fn seal(&mut self) {
        self.world.turn();
        self.world.seal();
    }

    fn break_off(&mut self) {
        self.world.engine.on_input(Input::Gone(self.client.outbox.viewer), self.world.now_ns);
    }

    /// Says whether its cursor was honoured.
    fn come_back(&mut self, pixels: i64) -> bool {
        let cursor = self.client.cursor.clone().unwrap();
        let outbox = self.world.open(self.client.outbox.encoding, 1 << 22);
        self.client.reconnect(outbox);
        self.subscribe(pixels, &format!(r#","cursor":"{cursor}""#));
        // Others of its group may have had their frame just now.
        while self.client.log.last().is_some_and(|kind| kind == "reconnect") {
            self.world.advance(10);
            self.hear();
        }
        if !self.client.resumed {
            self.start = (self.world.clock.now() - HISTORY_MS * MS).div_euclid(self.width) * self.width;
        }
        self.client.resumed
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

    /// Nothing is held that history does not say.
    fn check_values(&self) {
        for id in &self.ids {
            let raw = self.raw(*id);
            for (time, value) in self.held(*id).range(self.start..) {
                assert_eq!(Some(value), raw.get(time), "seed {}, {id:?}, {time}: what was never measured", self.seed);
            }
        }
    }

    /// Integers at milliseconds after the start of the test, in one commit and one frame.
    fn integers(&mut self, readings: &[(i64, i64)]) {
        let id = self.integer();
        let rows: Vec<_> = readings.iter().map(|(ms, n)| (id, NOW + ms * MS, Value::Int(*n))).collect();
        self.world.commit(&[], &rows);
        self.world.advance(100);
        self.hear();
    }

    fn integer(&self) -> SeriesId {
        *self.ids.iter().find(|id| matches!(value(**id, 0), Value::Int(_))).unwrap()
    }

    /// The integers held from some milliseconds after the start of the test on.
    fn held_integers(&self, from_ms: i64) -> Vec<(i64, Value)> {
        self.held(self.integer()).range(NOW + from_ms * MS..).map(|(time, value)| ((time - NOW) / MS, value.clone())).collect()
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

fn of(readings: &[(i64, i64)]) -> Vec<(i64, Value)> {
    readings.iter().map(|(ms, n)| (*ms, Value::Int(*n))).collect()
}

#[test]
fn an_extreme_that_is_rewritten_when_its_column_is_partly_sealed_keeps_its_new_value() {
    for (rewritten, held) in [((110, 35), [(110, 35), (120, 30), (130, 40)]), ((130, 31), [(110, 5), (120, 30), (130, 31)])] {
        let mut chart = Chart::new(0, 10);
        chart.world.advance(200);
        chart.integers(&[(110, 5)]);
        chart.integers(&[(120, 30)]);
        chart.integers(&[(130, 40)]);
        chart.seal();
        chart.integers(&[rewritten]);
        chart.world.advance(2_000);
        chart.integers(&[(2_300, 1)]);
        assert_eq!(chart.held_integers(110), of(&[held[0], held[1], held[2], (2_300, 1)]));
        chart.check_values();
    }
}

#[test]
fn of_equals_the_earliest_stays_also_when_it_came_late() {
    let mut chart = Chart::new(0, 10);
    chart.world.advance(200);
    chart.integers(&[(110, 5), (130, 40), (140, 1)]);
    chart.seal();
    chart.integers(&[(120, 40)]);
    chart.world.advance(2_000);
    chart.integers(&[(2_300, 1)]);
    assert_eq!(chart.held_integers(110), of(&[(120, 40), (140, 1), (2_300, 1)]));
}

#[test]
fn a_reading_of_a_sealed_column_is_rewritten_together_with_late_ones() {
    let mut chart = Chart::new(0, 10);
    chart.world.advance(200);
    chart.integers(&[(110, 10), (120, 100), (130, 20)]);
    chart.world.advance(2_000);
    chart.integers(&[(2_300, 1)]);
    chart.seal();
    chart.integers(&[(120, 50), (140, 40), (150, 80), (160, 60)]);
    assert_eq!(chart.held_integers(110), of(&[(110, 10), (120, 50), (130, 20), (140, 40), (150, 80), (160, 60), (2_300, 1)]));
    chart.check_values();
}

#[test]
fn what_is_rewritten_among_sealed_readings_never_shows_its_old_value() {
    for seed in 0..12 {
        let mut chart = Chart::new(seed, [5, 20, 50, 200][usize::try_from(seed % 4).unwrap()]);
        for _ in 0..80 {
            let (late, rewritten) = (chart.rng.usize(0..10), chart.rng.usize(0..6));
            chart.commit(late);
            chart.rewrite(rewritten);
            if chart.rng.u8(0..5) == 0 {
                chart.seal();
            }
            chart.frame();
            chart.check_values();
        }
        chart.settle();
        chart.check_values();
    }
}

#[test]
fn what_is_rewritten_during_a_break_never_shows_its_old_value() {
    for seed in 0..8 {
        let mut chart = Chart::new(seed, 10);
        for commits in [1, 12] {
            for _ in 0..20 {
                chart.commit(1);
                chart.frame();
            }
            chart.settle();
            chart.break_off();
            for _ in 0..commits {
                chart.rewrite(3);
                chart.commit(if commits == 1 { 0 } else { 10 });
                chart.world.advance(30);
            }
            let honoured = chart.come_back(10);
            chart.check_values();
            assert!(!honoured || commits == 1, "seed {seed}: a snapshot is less than all that is new");
            if !honoured {
                chart.check(true);
            }
        }
    }
}

#[test]
fn a_cursor_is_honoured_where_nothing_new_is_left_out() {
    let mut chart = Chart::new(1, 10);
    chart.world.advance(200);
    chart.integers(&[(110, 10), (120, 100), (130, 20)]);
    chart.break_off();
    chart.integers(&[(120, 50), (140, 40)]);
    assert!(chart.come_back(10));
    assert_eq!(chart.held_integers(110), of(&[(110, 10), (120, 50), (130, 20), (140, 40)]));
    chart.break_off();
    chart.integers(&[(120, 51), (140, 40), (150, 80), (160, 60), (145, 7)]);
    assert!(!chart.come_back(10));
    assert_eq!(chart.held_integers(110), of(&[(145, 7), (150, 80), (160, 60)]));
    chart.check(true);
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
        chart.break_off();
        rounds(&mut chart);
        chart.come_back(10);
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
