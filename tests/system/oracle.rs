//! Random operations against a hub and a map at once: whatever comes in whatever order, and wherever readings lie at that moment
//! (log, head, chunks, merged chunks), history, counts and last known values are those of the map. Rules of retention change with starts:
//! what is older than a rule allowed may be there or not, all else must be, and the last known value stays. The seed is printed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use telltale::clock::{Clock, NS_PER_SEC};
use telltale::config::{Config, RetentionRule};
use telltale::hub::Hub;
use telltale::ingest::{Batch, Outcome};
use telltale::model::{Delete, Reading, SeriesId, TimeNs, TimeRange, TokenId, Value};
use telltale::query::last;
use telltale::query::selector::Selector;
use telltale::query::source::{self, Past};
use telltale::series::KeyRef;

use crate::opened::opened;

const STEPS: usize = 10_000;
const SERIES: usize = 12;
/// 2026-11-23T01:07:10Z
const NOW: TimeNs = 1_795_396_030 * NS_PER_SEC;
const DAY: TimeNs = 86_400 * NS_PER_SEC;
/// `select`, and for how many days; the first that matches holds.
type Rules = &'static [(&'static str, i64)];
const RULES: [Rules; 5] = [&[], &[("d1/*", 3)], &[("d2/*", 4), ("*/m1", 5)], &[("*/m1", 2), ("d1/*", 6)], &[("d1/*", 6), ("*/m1", 2)]];

fn device(series: usize) -> String {
    format!("d{}", series % 5)
}

fn metric(series: usize) -> String {
    format!("m{}", series % 3)
}

/// For how long a series is kept.
fn keep(rules: Rules, series: usize) -> Option<TimeNs> {
    let matches = |select: &str| select == format!("{}/*", device(series)) || select == format!("*/{}", metric(series));
    rules.iter().find(|(select, _)| matches(select)).map(|(_, days)| days * DAY)
}

struct World {
    dir: tempfile::TempDir,
    clock: Clock,
    hub: Arc<Hub>,
    rng: fastrand::Rng,
    series: Vec<SeriesId>,
    map: Vec<BTreeMap<TimeNs, Value>>,
    /// Where each series' next reading in order comes.
    front: Vec<TimeNs>,
    rules: Rules,
    /// What lies before was older than a rule allowed at some time: it may be there or not.
    gone: Vec<TimeNs>,
    /// A delete took the newest point, and what was newest then may be gone or not.
    unsure: Vec<bool>,
    /// Readings that were looked for and had expired.
    expired: usize,
    seals: u64,
    seed: u64,
}

fn open(dir: &tempfile::TempDir, clock: &Clock, rules: Rules) -> Arc<Hub> {
    let mut config = Config::default();
    config.data.dir = dir.path().to_owned();
    config.log.segment_bytes = 1 << 20;
    config.log.unsealed_bytes = 128 << 10;
    config.log.keep_bytes = 1 << 20;
    config.store.head_bytes = 256 << 10;
    config.store.cache_bytes = 256 << 10;
    config.store.reserve_bytes = 0;
    let rule = |(text, days): &(&str, i64)| {
        let (select, keep) = (Selector::parse(text).unwrap(), Some(Duration::from_secs(days.unsigned_abs() * 86_400)));
        RetentionRule { select, text: (*text).to_owned(), keep, keep_rollups: None, priority: 100 }
    };
    config.retention = rules.iter().map(rule).collect();
    opened(&config, clock)
}

impl World {
    fn new(seed: u64) -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::manual(NOW));
        let hub = open(&dir, &clock, RULES[0]);
        let mut world = Self {
            dir,
            clock,
            hub,
            rng: fastrand::Rng::with_seed(seed),
            series: Vec::new(),
            map: vec![BTreeMap::new(); SERIES],
            front: vec![NOW - 5 * DAY; SERIES],
            rules: RULES[0],
            gone: vec![TimeNs::MIN; SERIES],
            unsure: vec![false; SERIES],
            expired: 0,
            seals: 0,
            seed,
        };
        world.resolve();
        world
    }

    fn resolve(&mut self) {
        let ids = (0..SERIES).map(|i| {
            let (device, metric) = (device(i), metric(i));
            let labels = [("n", format!("{i}"))];
            let labels: Vec<_> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let key = KeyRef { device: &device, metric: &metric, labels: &labels };
            self.hub.series.resolve(key, TokenId(1)).unwrap().id
        });
        let ids: Vec<_> = ids.collect();
        assert!(self.series.is_empty() || self.series == ids, "ids stay");
        self.series = ids;
    }

    /// Series 0-5 numbers of different habits, 6-8 bools, 9-11 texts.
    fn value(&mut self, series: usize) -> Value {
        let rng = &mut self.rng;
        match series {
            0 => Value::Float(f64::from(rng.i32(0..4000)) / 100.0),
            1 => Value::Int(rng.i64(0..10)),
            2 => Value::Float(rng.f64() * 1e9),
            3 => Value::Int(7),
            4 => {
                if rng.bool() {
                    Value::Int(rng.i64(..))
                } else {
                    Value::Float(rng.f64())
                }
            }
            5 => Value::Float(-0.0),
            6..9 => Value::Bool(rng.u8(..) < 40),
            _ => Value::Text(["on", "off", "", "fault: überhitzt"][rng.usize(0..4)].into()),
        }
    }

    /// The clock or the rules changed: more may expire from now on.
    fn grow_old(&mut self) {
        for series in 0..SERIES {
            if let Some(keep) = keep(self.rules, series) {
                self.gone[series] = self.gone[series].max(self.clock.now() - keep);
                self.front[series] = self.front[series].max(self.gone[series]);
            }
        }
    }

    /// What the door would refuse is left out.
    async fn send(&mut self, mut readings: Vec<(usize, TimeNs, Value)>) {
        readings.retain(|(series, time, _)| *time >= self.gone[*series]);
        readings.iter().for_each(|(series, ..)| self.unsure[*series] = false);
        let (mut stored, mut duplicate) = (0, 0);
        for (series, time, value) in &readings {
            if self.map[*series].get(time) == Some(value) {
                duplicate += 1;
            } else {
                stored += 1;
                self.map[*series].insert(*time, value.clone());
            }
        }
        let reading = |(series, time, value)| Reading { series: self.series[series], time, value };
        let readings: Vec<_> = readings.into_iter().map(reading).collect();
        let (reply, outcome) = tokio::sync::oneshot::channel();
        self.hub.queue.submit(Batch { readings, meta: vec![], agent: None, received: self.clock.now(), reply }).await.unwrap();
        match outcome.await.unwrap() {
            Outcome::Committed { stored: s, duplicate: d, refused, .. } => {
                assert_eq!((s, d, refused.len()), (stored, duplicate, 0), "seed {}: duplicates are told exactly", self.seed);
            }
            Outcome::Later(later) => panic!("seed {}: {later:?}", self.seed),
        }
    }

    async fn in_order(&mut self) {
        let mut readings = Vec::new();
        let step = [NS_PER_SEC, 10 * NS_PER_SEC, 60 * NS_PER_SEC, 3600 * NS_PER_SEC][self.rng.usize(0..4)];
        for _ in 0..self.rng.usize(1..400) {
            let series = self.rng.usize(0..SERIES);
            let jitter = if self.rng.bool() { 0 } else { self.rng.i64(0..step / 2) };
            self.front[series] = (self.front[series] + step + jitter).min(self.clock.now());
            readings.push((series, self.front[series], self.value(series)));
        }
        self.send(readings).await;
        self.clock.advance(self.rng.i64(0..120) * NS_PER_SEC);
        self.grow_old();
    }

    /// Into the past, some of it on times that stand already.
    async fn late(&mut self) {
        let series = self.rng.usize(0..SERIES);
        let mut readings = Vec::new();
        let from = self.front[series] - self.rng.i64(0..6 * DAY);
        for i in 0..self.rng.i64(1..200) {
            let known = self.map[series].range(from..).nth(usize::try_from(i).unwrap()).map(|(t, v)| (*t, v.clone()));
            match known {
                Some((time, value)) if self.rng.u8(..) < 80 => readings.push((series, time, value)),
                Some((time, _)) if self.rng.u8(..) < 80 => {
                    let value = self.value(series);
                    readings.push((series, time, value));
                }
                _ => {
                    let value = self.value(series);
                    readings.push((series, from + i * 7 * NS_PER_SEC, value));
                }
            }
        }
        self.send(readings).await;
    }

    async fn delete(&mut self) {
        let mut deletes = Vec::new();
        for _ in 0..self.rng.usize(1..4) {
            let series = self.rng.usize(0..SERIES);
            let from = self.front[series] - self.rng.i64(0..5 * DAY);
            let longest = [600, 86_400][self.rng.usize(0..2)];
            let to = from + self.rng.i64(0..longest) * NS_PER_SEC;
            let newest = self.map[series].last_key_value().map(|(time, _)| *time);
            self.map[series].retain(|time, _| !(from..=to).contains(time));
            let left = self.map[series].last_key_value().map(|(time, _)| *time);
            self.unsure[series] |= left != newest && left.is_some_and(|left| left < self.gone[series]);
            deletes.push(Delete { series: self.series[series], from, to });
        }
        self.hub.queue.delete(&deletes).await.unwrap();
    }

    /// Half of them without a seal, so that the log is read back; half with other rules of retention.
    async fn restart(&mut self) {
        if self.rng.bool() {
            self.hub.stop().await;
        } else {
            self.hub.queue.stop().await;
        }
        self.seals += self.hub.metrics.seals.value();
        let old = std::mem::replace(&mut self.hub, open(&tempfile::tempdir().unwrap(), &self.clock, RULES[0]));
        drop(old);
        if self.rng.bool() {
            self.rules = RULES[self.rng.usize(0..RULES.len())];
            self.grow_old();
        }
        self.hub = open(&self.dir, &self.clock, self.rules);
        self.resolve();
    }

    fn check(&mut self) {
        let seed = self.seed;
        let series = self.rng.usize(0..SERIES);
        let from = self.front[series] - self.rng.i64(0..6 * DAY);
        let range = match self.rng.u8(0..4) {
            0 => TimeRange::ALL,
            _ => TimeRange { from, to: from + self.rng.i64(0..2 * DAY) },
        };
        let range = self.check_old(series, range);
        let id = self.series[series];
        let expected: Vec<_> = self.map[series].range(range.from..range.to.max(range.from)).map(|(t, v)| (*t, v.clone())).collect();
        let view = self.hub.head.view(&[id], range);
        let past = Some(Past { store: &*self.hub.store, pin: &view.pin });
        let found = self.found(id, range);
        assert_eq!(found.len(), expected.len(), "seed {seed}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "seed {seed}");
            assert_eq!(exact(&found.1), exact(&expected.1), "seed {seed}: ints and floats are kept as they came");
        }
        assert_eq!(source::count(&view.columns[0], past, id, range, usize::MAX).unwrap(), expected.len(), "seed {seed}");
        let newest = source::newest(&view.columns[0], past, id, range).unwrap();
        assert_eq!(newest, expected.last().cloned(), "seed {seed}");
        self.check_last(series);
    }

    fn found(&self, id: SeriesId, range: TimeRange) -> Vec<(TimeNs, Value)> {
        let view = self.hub.head.view(&[id], range);
        let past = Some(Past { store: &*self.hub.store, pin: &view.pin });
        let mut found = Vec::new();
        source::scan(&view.columns[0], past, id, range, &mut |run| {
            found.extend(run.iter());
            true
        })
        .unwrap();
        found
    }

    /// What may be gone is as it was, where it is there. Gives the rest of the range.
    fn check_old(&mut self, series: usize, range: TimeRange) -> TimeRange {
        let rest = TimeRange { from: range.from.max(self.gone[series]), ..range };
        let old = TimeRange { to: range.to.min(self.gone[series]), ..range };
        if old.from < old.to {
            let found = self.found(self.series[series], old);
            for (time, value) in &found {
                let expected = self.map[series].get(time).map(exact);
                assert_eq!(expected, Some(exact(value)), "seed {}: what is old was never invented", self.seed);
            }
            self.expired += self.map[series].range(old.from..old.to).count() - found.len();
        }
        rest
    }

    fn check_last(&self, series: usize) {
        let (seed, map) = (self.seed, &self.map[series]);
        if self.unsure[series] {
            return;
        }
        let last = last::settled(&self.hub.head, Some(&*self.hub.store), &[self.series[series]]).unwrap().remove(0);
        let expected = map.last_key_value().map(|(time, value)| (*time, value.clone()));
        assert_eq!(last.as_ref().map(|last| (last.time, last.value.clone())), expected, "seed {seed}: never dropped");
        let (Some(last), Some((_, value))) = (last, expected) else { return };
        let run = map.iter().rev().take_while(|(_, other)| **other == value);
        let since = run.last().map(|(time, _)| *time).expect("the last is in it");
        if since >= self.gone[series] {
            assert_eq!(last.changed, since, "seed {seed}");
        } else {
            assert_eq!(map.get(&last.changed), Some(&value), "seed {seed}: since when, as far as is known");
        }
    }
}

/// Bits, so that 1 and 1.0 differ here.
fn exact(value: &Value) -> (u8, u64) {
    match value {
        Value::Int(i) => (0, i.cast_unsigned()),
        Value::Float(f) => (1, f.to_bits()),
        Value::Bool(b) => (2, u64::from(*b)),
        Value::Text(_) => (3, 0),
    }
}

#[tokio::test]
async fn a_hub_answers_as_a_map_whatever_comes() {
    let seed = std::env::var("TELLTALE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("TELLTALE_SEED={seed}");
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        match world.rng.u8(..) {
            0..120 => world.in_order().await,
            120..150 => world.late().await,
            150..160 => world.delete().await,
            160..161 => world.restart().await,
            161..165 => {
                world.clock.advance(DAY / 3);
                world.grow_old();
            }
            _ => world.check(),
        }
    }
    println!("{} readings had expired", world.expired);
    assert!(world.expired > 1_000, "{} expired readings say little about retention", world.expired);
    let seals = world.seals + world.hub.metrics.seals.value();
    assert!(seals > 50, "{seals} seals say little about what lies behind the head");
}
